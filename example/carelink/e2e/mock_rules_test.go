package e2e

// mockRules are what every page of the mock must keep to, beside what looks asks
// of any page. Most are about forms; a page without one keeps to them for free.
const mockRules = `
	const faults = [], say = (ok, fault) => { if (!ok) faults.push(fault); };
	const all = selector => [...document.querySelectorAll(selector)];
	const one = selector => say(all(selector).length === 1, all(selector).length + ' of ' + selector);
	const byIDs = list => (list || '').split(' ').filter(Boolean).map(id => document.getElementById(id));
	const french = document.documentElement.lang === 'fr', say2 = (fr, en) => french ? fr : en;
	say(french || document.documentElement.lang === 'en', 'the language is ' + document.documentElement.lang);

	// Title, landmarks, the way past the header, and what every page says.
	const prefix = say2('Erreur : ', 'Error: '), title = clean(document.title);
	const alerts = all('main [role=alert]');
	say(title.startsWith(clean(prefix)) === alerts.length > 0, 'the title « ' + title + ' » with ' + alerts.length + ' alerts');
	const rest = title.startsWith(clean(prefix)) ? title.slice(prefix.length) : title;
	say(all('h1').length && rest.startsWith(name(all('h1')[0]) + ' – ') && rest.length > name(all('h1')[0]).length + 3, 'the title « ' + title + ' » is not the h1 and the service');
	one('body > header'); one('body > main'); one('body > footer'); one('header'); one('footer');
	const named = all('nav, aside').map(e => name(e));
	say(all('nav, aside').every(e => e.getAttribute('aria-label')), 'a nav or an aside without a name');
	say(new Set(named).size === named.length, 'two of nav and aside have one name');
	const stops = all('a[href], button, input, select, textarea, summary, iframe, [tabindex]').filter(e => e.tabIndex >= 0);
	say(stops[0].tagName === 'A' && name(stops[0]) === say2('Aller au contenu', 'Skip to content'), 'the first stop is ' + name(stops[0]));
	const content = document.getElementById(stops[0].hash.slice(1));
	say(content && content.tagName === 'MAIN' && content.tabIndex === -1, 'the way to the content leads nowhere');
	say(!all('[tabindex]').some(e => e.tabIndex > 0), 'an order of its own (tabindex)');
	say(name(all('.ribbon')[0]).startsWith(say2('Simulateur de Pro Santé Connect.', 'Pro Santé Connect simulator.')), 'no ribbon');
	say(!all('main .card').length || location.pathname === '/auth/data' || all('a[href="/auth/data"]').length === 1, 'no way to the data page');
	for (const nav of all('nav.languages')) {
		say(clean(nav.textContent) === 'Français | English', 'languages: ' + clean(nav.textContent));
		say([...nav.querySelectorAll('a')].filter(a => a.getAttribute('aria-current')).map(a => a.lang).join() === document.documentElement.lang, 'the language switch does not show the language');
	}

	// Nothing from elsewhere, nothing inline that the policy would have to allow, nothing that moves on.
	say(!all('link[rel=stylesheet], script[src], img, video, audio, object, embed').length, 'an asset that is not in the page');
	say(!all('meta[http-equiv=refresh]').length, 'a page that goes on by itself');
	say(!all('*').some(e => e.getAttributeNames().some(n => n.startsWith('on') || n === 'style')), 'a handler or a style in an attribute');
	for (const e of all('iframe')) say(e.title, 'a frame without a title');
	for (const e of all('svg')) say(e.getAttribute('aria-hidden') === 'true' || e.getAttribute('role') === 'img' && e.getAttribute('aria-label'), 'a picture that is neither named nor hidden');
	for (const e of all('a[target=_blank]')) say(name(e).endsWith(say2('(nouvel onglet)', '(new tab)')) && e.rel.includes('noopener'), 'a new tab that nobody is told of: ' + name(e));

	// Forms.
	for (const e of all('select, input:not([type=hidden])')) {
		say(e.labels.length === 1 && name(e.labels[0]) && (!shown(e) || shown(e.labels[0])), 'a field without a visible label: ' + e.id);
		for (const d of byIDs(e.getAttribute('aria-describedby'))) say(d && clean(d.textContent), 'a description that is missing or empty: ' + e.id);
	}
	say(alerts.length <= 1, 'two summaries');
	const invalid = all('[aria-invalid=true]');
	for (const a of alerts) {
		say(a.autofocus && a.tabIndex === -1, 'the summary does not take the focus');
		say(a.querySelector('svg') && name(a.querySelector('strong')) === say2('Il y a une erreur', 'There is a problem'), 'the summary has no icon or no word');
		const link = a.querySelector('a[href^="#"]');
		say(!!link === invalid.length > 0, 'the summary leads to ' + (link && link.hash) + ' with ' + invalid.length + ' faulty fields');
		if (!link) continue;
		const field = document.getElementById(link.hash.slice(1));
		say(field && field === invalid[0], 'the summary leads to ' + link.hash + ', not to the faulty field');
		if (!field) continue;
		say(/^(INPUT|SELECT)$/.test(field.tagName) || field.tabIndex === -1, 'the faulty field cannot take the focus');
		const told = byIDs(field.getAttribute('aria-describedby')).filter(e => e && e.className.includes('error'));
		say(told.length === 1 && shown(told[0]) && clean(told[0].textContent) === name(link), 'the faulty field is not described by the message');
	}
	say(invalid.length <= alerts.length, 'a faulty field without a summary');
	say(!all('input[maxlength="1"]').length, 'a code in more than one field');
	for (const e of all('input[type=password]')) {
		say(e.inputMode === 'numeric' && e.autocomplete === 'off' && e.maxLength === 4, 'the field for the code is not one');
	}
	for (const e of all('nav.tabs')) {
		say(name(e) === say2('Moyens de connexion', 'Ways to sign in'), 'the tabs are called ' + name(e));
		say([...e.children].every(c => c.tagName === 'A' && c.href && !c.getAttribute('role')), 'a tab that is not a link');
		say(e.querySelectorAll('[aria-current=page]').length === 1, 'not one current tab');
	}

	// The telephone, and waiting for it.
	const signingIn = all('h1').some(e => [say2('Connectez-vous', 'Sign in'), say2('Validez sur votre téléphone', 'Confirm on your phone')].includes(name(e)));
	for (const e of all('[data-poll]')) {
		if (!e.dataset.poll || e.dataset.state === 'expired') continue;
		const buttons = all('main button').filter(shown).map(name), links = all('main a.button').filter(shown).map(name);
		say(e.getAttribute('role') === 'status', 'waiting says nothing');
		say(signingIn ? buttons.includes(say2("J'ai validé sur mon téléphone", 'I have confirmed on my phone')) : buttons.length, 'waiting has no button');
		say(!signingIn || links.includes(say2('Recommencer', 'Start again')), 'no way to start again');
	}
	for (const e of all('[data-seconds]')) say(/\d min \d+ s/.test(name(e)), 'the time that remains is not written');
	for (const e of all('.qr')) {
		say(e.getAttribute('role') === 'img' && name(e).includes('QR code'), 'the QR code is called ' + name(e));
		say(!signingIn || name(e) === say2('QR code de connexion, valable 2 minutes', 'Sign-in QR code, valid for 2 minutes'), 'the QR code is called ' + name(e));
		say([...e.closest('section, .card').querySelectorAll('a[href]')].some(a => a.href.startsWith(location.origin + '/_mock/')), 'no link beside the QR code');
	}
	for (const e of all('.number')) {
		const digits = [...e.children].map(c => c.textContent);
		say(e.getAttribute('role') === 'img' && digits.length === 2 && name(e) === say2('Nombre à vérifier : ', 'Number to check: ') + digits.join(' '), 'the number is called ' + name(e));
	}
	return faults`

package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Everything that people do at the mock, without a mouse: by the command, with
// its flags, as they run it.
func TestMockByKeyboard(t *testing.T) {
	t.Parallel()
	p := runMock(t, "-confirm-sso", "-delegation").newBrowser(t).first
	begin := func() {
		t.Helper()
		p.open("/")
		p.tabTo("Se connecter")
		p.enter()
		p.atMock(signIn)
		p.key(kb.Tab)
		p.focused("Aller au contenu")
		p.key(kb.Enter)
		p.until("the content to be reached", func() bool { return strings.HasSuffix(p.address(), "#main") })
	}
	signedIn := func(who string) {
		t.Helper()
		p.heading("Connecté")
		p.see(who)
	}
	onTelephone := func(phone *tab) {
		t.Helper()
		phone.heading("Connexion demandée")
		phone.tabTo("Oui, c'est le même")
		phone.enter()
		phone.tabTo(phoneField)
		phone.key("1234")
		phone.tabTo("Valider")
		phone.space()
		phone.heading("Connexion validée")
		phone.close()
	}
	signOut := func() {
		t.Helper()
		p.tabTo("Se déconnecter")
		p.enter()
		p.atMock("Se déconnecter de Pro Santé Connect ?")
		p.tabTo("Se déconnecter")
		p.enter()
		p.heading("Au revoir")
	}

	// The e-CPS by the identifier, after a slip that the summary leads back to.
	begin()
	p.tabTo(idField)
	p.key("99999001012")
	p.enter()
	p.focused("Il y a une erreur")
	p.tabTo("Ce numéro RPPS comporte une erreur de frappe : sa clé de contrôle ne correspond pas.")
	p.key(kb.Enter)
	p.focused(idField)
	p.key("a", chromedp.KeyModifiers(kb.ModifierCtrl))
	p.key("99999001011")
	p.tabTo("Se souvenir de mon identifiant sur cet ordinateur")
	p.key(" ")
	p.tabTo(withECPS)
	p.space()
	p.heading(onPhone)
	p.tabTo("Je ne reçois pas la notification")
	p.key(kb.Enter)
	p.see("Ouvrez l'application e-CPS : la demande y est affichée.")
	p.tabTo("Ouvrir le téléphone simulé de Dr Jean DUPONT (nouvel onglet)")
	onTelephone(p.opened(func() { p.key(kb.Enter) }))
	signedIn("Jean DUPONT")

	// Asked whether to go on as the one before; no, as somebody else, by the QR code.
	p.tabTo("Se connecter")
	p.enter()
	p.atMock("Connexion")
	p.tabTo("Rejeter")
	p.enter()
	p.atMock(signIn)
	p.tabTo("Ouvrir le téléphone simulé (nouvel onglet)")
	phone := p.opened(func() { p.key(kb.Enter) })
	phone.heading("À qui est ce téléphone ?")
	phone.tabTo("Dr Jean DUPONT médecin généraliste")
	phone.key(kb.ArrowDown)
	phone.focused("Dr Claire MARTIN médecin généraliste")
	phone.tabTo("C'est mon téléphone")
	phone.enter()
	onTelephone(phone)
	signedIn("Claire MARTIN")

	// Yes, as the same.
	p.tabTo("Se connecter")
	p.enter()
	p.atMock("Connexion")
	p.see("Bonjour Dr Claire MARTIN")
	p.tabTo("Confirmer")
	p.space()
	signedIn("Claire MARTIN")
	signOut()

	// The card, with a code that begins with zeros.
	begin()
	p.tabTo("Carte CPS")
	p.enter()
	p.tabTo(readerField)
	p.listTo("DE LA TOUR")
	p.tabTo(withCard)
	p.enter()
	p.heading(cardCode)
	p.tabTo(cardField)
	p.key("0042")
	p.enter()
	signedIn("Marie-Françoise")
	signOut()

	// The delegation.
	begin()
	p.tabTo("Délégation")
	p.enter()
	p.tabTo("SE CONNECTER VIA UN FOURNISSEUR D'IDENTITÉ")
	p.enter()
	p.heading(hospital)
	p.tabTo("Compte")
	p.listTo("dr-moreau@hopital-imaginaire.example")
	p.tabTo("Continuer")
	p.enter()
	p.atMock("Connexion")
	p.tabTo("Confirmer")
	p.enter()
	signedIn("Hélène MOREAU")
	signOut()

	// Nothing of it.
	begin()
	p.tabTo("Annuler et revenir à agenda")
	p.enter()
	p.heading("Non connecté")
	p.see("access_denied")
}

// Everything finishes in a browser that runs no script; waiting has its button.
func TestMockNoScript(t *testing.T) {
	t.Parallel()
	p := runMock(t, "-confirm-sso", "-delegation").newBrowser(t, noScript).first
	begin := func() {
		t.Helper()
		p.open("/login")
		p.atMock(signIn)
	}

	begin()
	p.fill(idField, "99999001078")
	p.click(withECPS)
	p.click("J'ai validé sur mon téléphone")
	p.see("Nous n'avons pas encore reçu votre validation.")
	phone := p.clickForTab("Ouvrir le téléphone simulé de Marie-Françoise")
	phone.sameNumber(p)
	phone.typeCode("0007") // kept as text
	phone.heading("Connexion validée")
	phone.close()
	p.click("J'ai validé sur mon téléphone")
	p.heading("Connecté")

	p.open("/login")
	p.atMock("Connexion")
	p.click("Rejeter")
	p.atMock(signIn)
	phone = p.clickForTab("Ouvrir le téléphone simulé")
	phone.press(martin.name + " " + martin.profession)
	phone.click("C'est mon téléphone")
	phone.click("Non, refuser")
	phone.see("Connexion refusée.")
	phone.close()
	p.click("J'ai validé sur mon téléphone")
	p.see("La demande a été refusée sur le téléphone.")
	p.click("Recommencer")
	phone = p.clickForTab("Ouvrir le téléphone simulé")
	phone.press(martin.name + " " + martin.profession)
	phone.click("C'est mon téléphone")
	phone.click("Oui, c'est le même")
	phone.typeCode("1234")
	phone.close()
	p.click("J'ai validé sur mon téléphone")
	p.heading("Connecté")
	p.see("Claire MARTIN")

	p.open("/login")
	p.atMock("Connexion")
	p.click("Confirmer")
	p.heading("Connecté")
	p.click("Se déconnecter")
	p.atMock("Se déconnecter de Pro Santé Connect ?")
	p.click("Se déconnecter")
	p.heading("Au revoir")

	begin()
	p.useCard(girard, "0000")
	for _, guess := range []string{"1111", "2222"} {
		p.fill(cardField, guess)
		p.click("Valider")
	}
	p.see("Carte bloquée : trois codes erronés.")
	p.click("Débloquer cette carte")
	p.fill(cardField, "5678")
	p.click("Valider")
	p.heading("Connecté")
	p.see("Paul GIRARD")
	p.click("Se déconnecter")
	p.click("Se déconnecter")

	begin()
	p.click("Délégation")
	p.click("SE CONNECTER VIA UN FOURNISSEUR D'IDENTITÉ")
	p.choose("Compte", "dr-moreau")
	p.click("Continuer")
	p.click("Confirmer")
	p.heading("Connecté")
	p.see("Hélène MOREAU")
	p.click("Se déconnecter")
	p.click("Se déconnecter")

	begin()
	p.clickPerson(dupont)
	p.heading("Connecté")
	p.click("Se déconnecter")
	p.click("Se déconnecter")

	begin()
	p.click("Annuler et revenir à agenda")
	p.heading("Non connecté")
}

// The wheel of the waiting page turns, but not for who cannot bear it.
func TestMockReducedMotion(t *testing.T) {
	t.Parallel()
	p := runMock(t).newBrowser(t).first
	p.open("/login")
	p.fill(idField, "99999001011")
	p.click(withECPS)
	moves := func() string {
		t.Helper()
		names, err := ask[string](p, `return document.getAnimations().map(a => a.animationName + ' ' + a.playState).join()`)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := moves(); got != "turn running" {
		t.Errorf("on the waiting page move: %q", got)
	}
	reduce := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, reduce); err != nil {
		t.Fatal(err)
	}
	p.until("everything to stand still", func() bool { return moves() == "" })
}

// The phone beside the page: on a wide screen the whole of a sign-in is done
// without another tab, with the pointer only.
func TestMockPhoneInThePanel(t *testing.T) {
	t.Parallel()
	b := runMock(t).newBrowser(t)
	p := b.first
	b.settings.width = 1600
	p.do(chromedp.EmulateViewport(1600, 1000))
	p.open("/login")
	p.atMock(signIn)
	phone := func(act string) bool {
		done, err := ask[bool](p, `
			const frame = document.querySelector('.telephone details[open] iframe');
			const doc = frame && frame.contentDocument;
			if (!doc || doc.readyState !== 'complete' || !doc.querySelector('h1')) return false;
			const h1 = clean(doc.querySelector('h1').textContent);
			const press = name => { const e = [...doc.querySelectorAll('button')].find(e => clean(e.textContent) === name); if (e) e.click(); return !!e; };
			`+act)
		return err == nil && done
	}
	p.until("the phone to ask whose it is", func() bool {
		return phone(`if (h1 !== 'À qui est ce téléphone ?' || doc.querySelector('header, footer')) return false;
			doc.querySelector('#phone-dr-dupont').click(); return press("C'est mon téléphone")`)
	})
	p.until("the phone to show the number of the page", func() bool {
		return phone(`const here = document.querySelector('.card .number'), there = doc.querySelector('.number');
			if (h1 !== 'Connexion demandée' || !here || here.textContent !== there.textContent) return false;
			return press('Oui, c\'est le même')`)
	})
	p.until("the phone to ask for the code", func() bool {
		return phone(`if (h1 !== 'Votre code e-CPS') return false; doc.querySelector('#pin').value = '1234'; return press('Valider')`)
	})
	p.see("Jean DUPONT")
}

// The incidents, as the command begins with them.
func TestMockDrills(t *testing.T) {
	t.Parallel()
	for drill, h1 := range map[string]string{"outage": "Service momentanément indisponible", "maintenance": "Maintenance"} {
		p := runMock(t, "-drill", drill).newBrowser(t).first
		p.open("/login")
		p.atMock(h1)
	}
}

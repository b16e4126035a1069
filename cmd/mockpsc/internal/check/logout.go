package check

import (
	"cmp"
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pscauth/pscauth/mockpsc"
)

var (
	logoutForm = pattern(`(?is)<form\b[^>]*\baction=["']([^"']*(?:log-?out|log-?off|sign-?out|d[eé]connexion|deconnecter)[^"']*)["'][^>]*>(.*?)</form>`)
	logoutLink = pattern(`(?i)<a\b[^>]*\bhref=["']([^"']*(?:log-?out|log-?off|sign-?out|d[eé]connexion|deconnecter)[^"']*)["']`)
	anyForm    = pattern(`(?is)<form\b([^>]*)>(.*?)</form>`)
	action     = pattern(`(?i)\baction=["']([^"']*)["']`)
	hidden     = pattern(`(?i)<(?:input|button)\b[^>]*>`)
	inputName  = pattern(`(?i)\bname=["']([^"']*)["']`)
	inputValue = pattern(`(?i)\bvalue=["']([^"']*)["']`)
	anyLink    = pattern(`(?i)<a\b[^>]*\bhref=["']([^"']*)["']`)
)

// fields are the inputs of a form.
func fields(inner string) url.Values {
	form := url.Values{}
	for _, input := range hidden().FindAllString(inner, -1) {
		if name := inputName().FindStringSubmatch(input); name != nil {
			value := ""
			if v := inputValue().FindStringSubmatch(input); v != nil {
				value = html.UnescapeString(v[1])
			}
			form.Set(html.UnescapeString(name[1]), value)
		}
	}
	return form
}

// logout signs out by a link of another site, by the button, here and at Pro
// Santé Connect.
func (c *checker) logout(ctx context.Context) {
	const group = "logout"
	elsewhere := []string{"session-outlives-logout", "logout-only-here", "logout-without-hint"}
	all := append([]string{"logout-by-get", "logout-fails"}, elsewhere...)
	// A link on another site, which sends cookies unless they are Strict.
	b, _ := c.in(ctx)
	if b == nil {
		c.untried(group, unhonest, all...)
		return
	}
	d := c.logoutDoor(b.look(ctx).page)
	if d == nil {
		c.untried(group, words{"la page ne montre aucune déconnexion : donner -logout PATH", "the page shows no way to sign out: give -logout PATH"}, all...)
		return
	}
	b.get(ctx, d.at, c.ofMock, "Sec-Fetch-Site", "cross-site", "Referer", "https://evil.example/")
	byGet := !c.like.isIn(b.look(ctx)) && !c.strict(ctx, b)

	// Only now, since one sign-in may end the other.
	if b, _ = c.in(ctx); b == nil {
		c.untried(group, unhonest, all...)
		return
	}
	seen := b.look(ctx)
	if d = c.logoutDoor(seen.page); d == nil || !c.like.isIn(seen) {
		c.untried(group, unhonest, all...)
		return
	}
	copied := b.twin()
	found, asked := c.leave(ctx, b, d)
	still := c.like.isIn(b.look(ctx))
	if still && !found {
		c.untried(group, words{"il n'y a rien à " + d.at.Path + " : donner -logout PATH", "there is nothing at " + d.at.Path + ": give -logout PATH"}, all...)
		return
	}
	c.tried(group, "logout-by-get", byGet, "GET "+d.at.Path, "GET "+d.at.Path, "GET "+d.at.Path)
	c.tried(group, "logout-fails", still, "POST "+d.at.Path, "POST "+d.at.Path, "POST "+d.at.Path)
	if still {
		c.untried(group, words{"la déconnexion échoue", "signing out fails"}, elsewhere...)
		return
	}
	c.tried(group, "session-outlives-logout", c.like.isIn(copied.look(ctx)), "le cookie copié ouvre encore "+c.signedIn.Path, "the copied cookie still opens "+c.signedIn.Path, "POST "+d.at.Path)

	silent := *c.requests[0]
	q := silent.Query()
	q.Set("prompt", "none")
	silent.RawQuery = q.Encode()
	p := b.get(ctx, &silent, func(u *url.URL) bool { return !c.ofMock(u) })
	open := p.to != nil && p.to.Query().Has("code")
	c.tried(group, "logout-only-here", open, "prompt=none donne encore un code", "prompt=none still gives a code", "POST "+d.at.Path+", prompt=none")
	if open {
		c.untried(group, words{"la session de Pro Santé Connect reste ouverte", "the session at Pro Santé Connect stays open"}, "logout-without-hint")
	} else {
		c.tried(group, "logout-without-hint", asked, "Pro Santé Connect a demandé s'il faut vraiment", "Pro Santé Connect asked whether to go on", "POST "+d.at.Path)
	}
}

// strict reports whether no link of another site sends a cookie of the session.
func (c *checker) strict(ctx context.Context, b *browser) bool {
	session := c.sessionCookies(ctx)
	return len(session) > 0 && !slices.ContainsFunc(b.latest(), func(ck *http.Cookie) bool {
		return slices.Contains(session, ck.Name) && ck.SameSite != http.SameSiteStrictMode
	})
}

// A door is where to sign out.
type door struct {
	at   *url.URL
	form url.Values // what is posted; nil if it is a link
}

// leave signs out as a person does: by the button or the link and, where the page
// behind the link asks once more, by the button there. Where a path is all that is
// known both are tried. It reports whether there was anything at the door, and
// whether Pro Santé Connect asked once more.
func (c *checker) leave(ctx context.Context, b *browser, d *door) (found, asked bool) {
	try := func(method string, at *url.URL, form url.Values) (p *page, out bool) {
		p = b.step(ctx, method, at, form, "Sec-Fetch-Site", "same-origin")
		found = found || p.status != http.StatusNotFound && p.status != http.StatusMethodNotAllowed
		p = b.follow(ctx, p, never)
		asked = c.onwards(ctx, b, p) || asked
		return p, !c.like.isIn(b.look(ctx))
	}
	if d.form != nil {
		if _, out := try(http.MethodPost, d.at, d.form); out {
			return found, asked
		}
	}
	p, out := try(http.MethodGet, d.at, nil)
	if out || p.err != nil || p.fromMock() || p.status != http.StatusOK {
		return found, asked
	}
	for _, m := range anyForm().FindAllStringSubmatch(string(p.body), -1) {
		to := p.url
		if a := action().FindStringSubmatch(m[1]); a != nil {
			to = resolve(p.url, html.UnescapeString(a[1]))
		}
		if to.Path == d.at.Path || to.Path == p.url.Path || logoutForm().MatchString(m[0]) {
			try(http.MethodPost, to, fields(m[2]))
			break
		}
	}
	return found, asked
}

// logoutDoor finds where to sign out, and what a page sends with it.
func (c *checker) logoutDoor(p *page) *door {
	text := string(p.body)
	want := c.opt.Logout
	for _, m := range logoutForm().FindAllStringSubmatch(text, -1) {
		if u := resolve(p.url, html.UnescapeString(m[1])); want == "" || u.Path == want {
			return &door{u, fields(m[2])}
		}
	}
	if want == "" {
		if m := logoutLink().FindStringSubmatch(text); m != nil {
			return &door{at: resolve(p.url, html.UnescapeString(m[1]))}
		}
		return nil
	}
	for _, m := range anyForm().FindAllStringSubmatch(text, -1) {
		if a := action().FindStringSubmatch(m[1]); a != nil {
			if u := resolve(p.url, html.UnescapeString(a[1])); u.Path == want {
				return &door{u, fields(m[2])}
			}
		}
	}
	u, err := c.app.Parse(want)
	if err != nil {
		return nil
	}
	return &door{u, url.Values{}}
}

// onwards goes where a person would from the page after a logout: to Pro Santé
// Connect, by a link, and says yes there. It reports whether there was
// something to say yes to.
func (c *checker) onwards(ctx context.Context, b *browser, p *page) bool {
	if p.err != nil {
		return false
	}
	if !p.fromMock() {
		for _, m := range anyLink().FindAllStringSubmatch(string(p.body), -1) {
			if u := resolve(p.url, html.UnescapeString(m[1])); c.ofMock(u) && strings.HasSuffix(u.Path, "/logout") {
				p = b.get(ctx, u, never)
				break
			}
		}
	}
	if !p.fromMock() || p.status != http.StatusOK || !strings.HasSuffix(p.url.Path, "/logout") {
		return false
	}
	for _, m := range anyForm().FindAllStringSubmatch(string(p.body), -1) {
		if form := fields(m[2]); form.Get("confirm") != "" {
			to := p.url
			if a := action().FindStringSubmatch(m[1]); a != nil {
				to = resolve(p.url, html.UnescapeString(a[1]))
			}
			b.follow(ctx, b.step(ctx, http.MethodPost, to, form), never)
			return true
		}
	}
	return false
}

// logoutTokens signs in, has Pro Santé Connect end the session and tell the
// application so by a logout token that lies: whoever was in must still be. An
// honest one first shows whether the application reads them at all.
func (c *checker) logoutTokens(ctx context.Context, list []mockpsc.Fault) {
	if len(list) == 0 {
		return
	}
	ended, err := c.endedAtMock(ctx)
	var fr, en string
	switch {
	case err != nil:
		fr, en = err.Error(), err.Error()
	case !ended:
		fr = "un jeton de déconnexion honnête ne déconnecte personne : l'application n'en lit pas, ou mockpsc n'a pas son adresse (-backchannel-logout)"
		en = "an honest logout token signs nobody out: the application reads none, or mockpsc does not have its address (-backchannel-logout)"
	}
	for _, f := range list {
		if en != "" {
			c.skip(f.Where, "fault:"+f.Name, fr, en)
			continue
		}
		k := Case{ID: "fault:" + f.Name, Group: f.Where, Status: passed, How: f.Name}
		switch ended, err := c.endedAtMock(ctx, f.Name); {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errStopped):
			k.crashed()
			c.running.Lock()
			if !c.revive(ctx) {
				fr, en = "l'application s'est arrêtée", "the application has stopped"
			}
			c.running.Unlock()
		case err != nil:
			k.Status, k.Seen = skipped, words{err.Error(), err.Error()}
		case ended:
			k.Status, k.Rule, k.Severity = failed, kinOf(f.Name, f.Where).rule, f.Severity
			k.Seen = words{"la session s'est terminée", "the session was ended"}
		}
		c.add(k)
	}
}

// endedAtMock signs in with these faults, ends the session at the mock, and
// reports whether that ended the application's too. The mock answers when the
// application has heard.
func (c *checker) endedAtMock(ctx context.Context, faults ...string) (bool, error) {
	b := c.browser()
	way, err := b.signIn(ctx, c.begin, c.opt.Persona, faults...)
	if err != nil {
		return false, err
	}
	if way.callback == nil || !c.like.isIn(b.look(ctx)) {
		return false, errors.New("check: an honest sign-in fails")
	}
	sid := way.callback.Query().Get("session_state")
	stopped := c.witness()
	err = c.call(ctx, http.MethodDelete, "/_mock/api/sessions/"+url.PathEscape(sid), nil)
	seen := b.look(ctx)
	if stopped(aWhile) {
		return false, errStopped
	}
	return !c.like.isIn(seen), cmp.Or(err, seen.page.err)
}

var errStopped = errors.New("check: the application has stopped")

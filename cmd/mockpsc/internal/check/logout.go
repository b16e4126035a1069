package check

import (
	"cmp"
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
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
	b, _ := c.in(ctx)
	if b == nil {
		return
	}
	at, form := c.logoutDoor(b.look(ctx).page)
	if at == nil {
		for _, id := range []string{"logout-by-get", "logout-fails", "session-outlives-logout", "logout-only-here"} {
			c.skip(group, "rule:"+id, "la page ne montre aucune déconnexion : donner -logout PATH", "the page shows no way to sign out: give -logout PATH")
		}
		return
	}
	// A link on another site, which sends cookies unless they are Strict.
	other, _ := c.in(ctx)
	if other == nil {
		return
	}
	strict := true
	for _, ck := range other.set {
		strict = strict && (ck.SameSite == http.SameSiteStrictMode || ck.MaxAge < 0)
	}
	other.get(ctx, at, func(u *url.URL) bool { return c.ofMock(u) }, "Sec-Fetch-Site", "cross-site", "Referer", "https://evil.example/")
	byGet := !c.like.isIn(other.look(ctx))
	c.tried(group, "logout-by-get", byGet && !strict, "GET "+at.Path, "GET "+at.Path, "GET "+at.Path)

	copied := b.twin()
	p := b.step(ctx, http.MethodPost, at, form, "Sec-Fetch-Site", "same-origin")
	p = b.follow(ctx, p, func(*url.URL) bool { return false })
	if (p.status == http.StatusMethodNotAllowed || p.status == http.StatusNotFound || c.like.isIn(b.look(ctx))) && byGet {
		p = b.get(ctx, at, func(*url.URL) bool { return false }, "Sec-Fetch-Site", "same-origin")
	}
	asked := c.onwards(ctx, b, p)
	if c.like.isIn(b.look(ctx)) {
		c.tried(group, "logout-fails", true, "POST "+at.Path, "POST "+at.Path, "POST "+at.Path)
		return
	}
	c.tried(group, "logout-fails", false, "", "", "")
	c.tried(group, "session-outlives-logout", c.like.isIn(copied.look(ctx)), "le cookie copié ouvre encore "+c.signedIn.Path, "the copied cookie still opens "+c.signedIn.Path, "POST "+at.Path)

	silent := *c.requests[0]
	q := silent.Query()
	q.Set("prompt", "none")
	silent.RawQuery = q.Encode()
	p = b.get(ctx, &silent, func(u *url.URL) bool { return !c.ofMock(u) })
	open := p.to != nil && p.to.Query().Has("code")
	c.tried(group, "logout-only-here", open, "prompt=none donne encore un code", "prompt=none still gives a code", "POST "+at.Path+", prompt=none")
	if !open {
		c.tried(group, "logout-without-hint", asked, "Pro Santé Connect a demandé s'il faut vraiment", "Pro Santé Connect asked whether to go on", "POST "+at.Path)
	}
}

// logoutDoor finds where to sign out, and what a page sends with it.
func (c *checker) logoutDoor(p *page) (*url.URL, url.Values) {
	text := string(p.body)
	want := c.opt.Logout
	for _, m := range logoutForm().FindAllStringSubmatch(text, -1) {
		if u := resolve(p.url, html.UnescapeString(m[1])); want == "" || u.Path == want {
			return u, fields(m[2])
		}
	}
	if want == "" {
		if m := logoutLink().FindStringSubmatch(text); m != nil {
			return resolve(p.url, html.UnescapeString(m[1])), url.Values{}
		}
		return nil, nil
	}
	for _, m := range anyForm().FindAllStringSubmatch(text, -1) {
		if a := action().FindStringSubmatch(m[1]); a != nil {
			if u := resolve(p.url, html.UnescapeString(a[1])); u.Path == want {
				return u, fields(m[2])
			}
		}
	}
	u, err := c.app.Parse(want)
	if err != nil {
		return nil, nil
	}
	return u, url.Values{}
}

// onwards goes where a person would from the page after a logout: to Pro Santé
// Connect, by a link or a form, and says yes there. It reports whether there was
// something to say yes to.
func (c *checker) onwards(ctx context.Context, b *browser, p *page) bool {
	never := func(*url.URL) bool { return false }
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
	if stopped(0) {
		return false, errStopped
	}
	return !c.like.isIn(seen), cmp.Or(err, seen.page.err)
}

var errStopped = errors.New("check: the application has stopped")

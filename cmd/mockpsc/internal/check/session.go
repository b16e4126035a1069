package check

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pscauth/pscauth/mockpsc"
)

// sessionCookies finds the cookies that are the session: without one of them
// nobody is in, or it suffices alone. Each is tried in a session of its own: an
// application may renew what it is shown.
func (c *checker) sessionCookies(ctx context.Context) []string {
	b, _ := c.in(ctx)
	if b == nil {
		return nil
	}
	var names []string
	for _, held := range b.latest() {
		if _, ok := b.jar.value(c.signedIn, held.Name); !ok {
			continue
		}
		if b, _ = c.in(ctx); b == nil {
			return nil
		}
		without, alone := c.browser(), c.browser()
		for _, ck := range b.jar.Cookies(c.signedIn) {
			to := without
			if ck.Name == held.Name {
				to = alone
			}
			to.jar.SetCookies(c.signedIn, []*http.Cookie{{Name: ck.Name, Value: ck.Value, Path: "/"}})
		}
		if !c.like.isIn(without.look(ctx)) || c.like.isIn(alone.look(ctx)) {
			names = append(names, held.Name)
		}
	}
	return names
}

// cookies looks at how the cookies of the session are kept, and at whether one
// that somebody else has put there before the sign-in becomes one.
func (c *checker) cookies(ctx context.Context) {
	const group = "session"
	c.takeover(ctx)
	b := c.browser()
	way, err := b.approach(ctx, c.begin, c.opt.Persona)
	if err != nil || way.callback == nil {
		c.untried(group, unhonest, "cookie-not-httponly", "cookie-not-secure", "cookie-samesite", "session-fixation", "page-cacheable")
		return
	}
	before := b.twin()
	b.finish(ctx, way.callback)
	seen := b.look(ctx)
	if !c.like.isIn(seen) {
		c.untried(group, unhonest, "cookie-not-httponly", "cookie-not-secure", "cookie-samesite", "session-fixation", "page-cacheable")
		return
	}
	how := c.signedIn.Path
	control := seen.page.header.Get("Cache-Control")
	c.tried(group, "page-cacheable", !strings.Contains(control, "no-store"), fmt.Sprintf("Cache-Control: %q", control), fmt.Sprintf("Cache-Control: %q", control), how)
	fixed := c.like.isIn(before.look(ctx))

	session := c.sessionCookies(ctx)
	if len(session) == 0 {
		c.untried(group, words{"aucun cookie n'est reconnu comme celui de la session", "no cookie is seen to be that of the session"}, "cookie-not-httponly", "cookie-not-secure", "cookie-samesite")
	} else {
		var readable, insecure, sites []string
		for _, ck := range b.latest() {
			if !slices.Contains(session, ck.Name) {
				continue
			}
			if !ck.HttpOnly {
				readable = append(readable, ck.Name)
			}
			if !ck.Secure && c.signedIn.Scheme == "https" {
				insecure = append(insecure, ck.Name)
			}
			if ck.SameSite != http.SameSiteLaxMode && ck.SameSite != http.SameSiteStrictMode {
				sites = append(sites, ck.Name)
			}
		}
		for _, t := range []struct {
			id    string
			names []string
		}{{"cookie-not-httponly", readable}, {"cookie-not-secure", insecure}, {"cookie-samesite", sites}} {
			list := strings.Join(t.names, ", ")
			c.tried(group, t.id, list != "", list, list, how)
		}
	}
	for _, name := range session {
		if fixed {
			break
		}
		planted := []*http.Cookie{{Name: name, Value: rand.Text(), Path: "/"}}
		victim, thief := c.browser(), c.browser()
		victim.jar.SetCookies(c.signedIn, planted)
		thief.jar.SetCookies(c.signedIn, planted)
		victim.signIn(ctx, c.begin, c.opt.Persona)
		fixed = c.like.isIn(thief.look(ctx))
	}
	if len(session) == 0 && !fixed {
		c.untried(group, words{"aucun cookie n'est reconnu comme celui de la session", "no cookie is seen to be that of the session"}, "session-fixation")
		return
	}
	c.tried(group, "session-fixation", fixed, "un cookie posé avant la connexion ouvre la page", "a cookie set before the sign-in opens the page", how)
}

// latest are the cookies of the application as it set each last, in the order of
// their names.
func (b *browser) latest() []*http.Cookie {
	last := map[string]*http.Cookie{}
	for _, ck := range b.set {
		if ck.MaxAge >= 0 && ck.Value != "" {
			last[ck.Name] = ck
		}
	}
	list := slices.Collect(maps.Values(last))
	slices.SortFunc(list, func(a, b *http.Cookie) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// takeover has a second person sign in where the first has not signed out: then
// nobody may go on as the first.
func (c *checker) takeover(ctx context.Context) {
	const group, id = "session", "previous-session-stays"
	own, _, _ := strings.Cut(c.opt.Persona, "/")
	for _, p := range mockpsc.Personas() {
		if p.ID == own || !p.ECPS.Works() {
			continue
		}
		alone := c.browser()
		fresh, err := alone.signIn(ctx, c.begin, p.ID)
		if s := alone.look(ctx); err != nil || fresh.callback == nil || !c.like.isIn(s) || !c.like.another(s) {
			if p.ID == "inf-roux" { // the application lets nobody else in, or does not show who is
				break
			}
			continue
		}
		first, _ := c.in(ctx)
		if first == nil {
			c.untried(group, unhonest, id)
			return
		}
		second := c.browser() // who is at Pro Santé Connect with another card
		for _, ck := range first.latest() {
			if value, ok := first.jar.value(c.signedIn, ck.Name); ok {
				second.jar.SetCookies(c.signedIn, []*http.Cookie{{Name: ck.Name, Value: value, Path: "/"}})
			}
		}
		way, err := second.signIn(ctx, c.begin, p.ID)
		if err != nil || way.callback == nil {
			c.untried(group, words{"qui est connecté ne peut pas commencer une autre connexion", "who is in cannot begin another sign-in"}, id)
			return
		}
		// Refused, the first may stay; what matters is who seems to be let in.
		s := second.look(ctx)
		stays := alike(way.end, fresh.end) && c.like.isIn(s) && !c.like.another(s)
		c.tried(group, id, stays, "la page est restée celle de la première personne", "the page remained the first person's", c.begin.Path)
		return
	}
	c.untried(group, words{"la page ne montre pas qui est connecté, ou personne d'autre ne peut entrer", "the page does not show who is in, or nobody else can get in"}, id)
}

// alike reports whether two sign-ins ended at the same address in the same way.
func alike(a, b *page) bool {
	return a.err == nil && b.err == nil && a.status == b.status && a.url.Path == b.url.Path && a.url.RawQuery == b.url.RawQuery
}

// evil are ways back that leave the site, for one reader or another.
var evil = []string{
	"https://evil.example/", "//evil.example/", `/\evil.example/`, `\\evil.example/`, `/./\evil.example/`, "/%09/evil.example/", "/\t/evil.example/",
	"https:evil.example", "///evil.example/", "/.//evil.example/", `https://evil.example\@` + "HOST/", "javascript:alert(1)",
	"@evil.example/", ".evil.example/", "ORIGIN@evil.example/", "ORIGIN.evil.example/", // behind what the application knows
}

// commonParams are tried where the application's own is not known.
var commonParams = []string{"return_to", "returnTo", "return_url", "returnUrl", "ReturnUrl", "return", "next", "redirect", "redirect_to", "redirect_uri", "redirectUrl", "rd", "url", "continue", "destination", "from", "back", "target", "goto", "callbackUrl"}

// returnPath tries to have the browser sent elsewhere after a sign-in.
func (c *checker) returnPath(ctx context.Context) {
	const group = "return"
	login, params := c.loginParams(ctx)
	tried := false
	for _, value := range evil {
		value = strings.NewReplacer("HOST", c.app.Host, "ORIGIN", c.app.Scheme+"://"+c.app.Host).Replace(value)
		address := *login
		q := address.Query()
		for _, name := range params {
			q.Set(name, value)
		}
		address.RawQuery = q.Encode()
		b := c.browser()
		way, err := b.signIn(ctx, &address, c.opt.Persona)
		if err != nil && !errors.Is(err, errNoWay) {
			continue
		}
		tried = tried || way.end != nil && way.end.err == nil
		ends := []*page{way.end}
		if way.callback != nil { // some look at the way back of who is in already, too
			ends = append(ends, b.get(ctx, &address, c.isRequest))
		}
		for _, end := range ends {
			if end == nil || end.to == nil || !strays(end.to) {
				continue
			}
			to := end.to.String()
			if end.to.Host != "" {
				to = cleaned(end.to)
			}
			how := "…?" + params[0] + "=" + value
			if len(params) > 1 {
				how = "…?<" + strings.Join(params[:min(3, len(params))], "|") + "|…>=" + value
			}
			c.tried(group, "open-return-path", true, "le navigateur a été envoyé à "+to, "the browser was sent to "+to, login.Path+how)
			return
		}
	}
	if !tried {
		c.untried(group, unhonest, "open-return-path")
		return
	}
	c.tried(group, "open-return-path", false, "", "", "")
}

// strays reports whether an address is one of the evil ways.
func strays(u *url.URL) bool {
	return strings.HasSuffix(u.Hostname(), "evil.example") || u.Scheme == "javascript" || u.Scheme == "invalid" && strings.Contains(u.Opaque, "evil.example")
}

// loginParams are the sign-in address and its parameters that hold a way back.
func (c *checker) loginParams(ctx context.Context) (*url.URL, []string) {
	b := c.browser()
	b.begin(ctx, c.signedIn)
	for _, u := range b.visited {
		var names []string
		for name, values := range u.Query() {
			if name == c.opt.ReturnParam || c.opt.ReturnParam == "" && !c.ofMock(u) && strings.Contains(values[0], c.signedIn.Path) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			slices.Sort(names)
			return u, names
		}
	}
	if c.opt.ReturnParam != "" {
		return c.begin, []string{c.opt.ReturnParam}
	}
	return c.begin, commonParams
}

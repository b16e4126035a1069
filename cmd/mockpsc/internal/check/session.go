package check

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cookies finds the cookies that are the session, by leaving out each, and looks
// at how they are kept.
func (c *checker) cookies(ctx context.Context) {
	const group = "session"
	b := c.browser()
	auth, _ := b.begin(ctx, c.begin)
	if auth == nil {
		return
	}
	callback, _, err := b.atMock(ctx, auth, c.opt.Persona)
	if err != nil || callback == nil {
		return
	}
	before := map[string]string{}
	for _, ck := range b.jar.Cookies(c.signedIn) {
		before[ck.Name] = ck.Value
	}
	b.finish(ctx, callback)
	seen := b.look(ctx)
	if !c.like.isIn(seen) {
		return
	}
	last := map[string]*http.Cookie{}
	for _, ck := range b.set {
		if ck.MaxAge >= 0 && ck.Value != "" {
			last[ck.Name] = ck
		}
	}
	var readable, insecure, sites, fixed []string
	held := b.jar.Cookies(c.signedIn)
	for _, left := range held {
		other := c.browser()
		var rest []*http.Cookie
		for _, ck := range held {
			if ck.Name != left.Name {
				rest = append(rest, &http.Cookie{Name: ck.Name, Value: ck.Value, Path: "/"})
			}
		}
		other.jar.SetCookies(c.signedIn, rest)
		if c.like.isIn(other.look(ctx)) {
			continue
		}
		ck := last[left.Name]
		if ck == nil {
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
		if value, ok := before[left.Name]; ok && value == left.Value {
			fixed = append(fixed, ck.Name)
		}
	}
	how := c.signedIn.Path
	for _, t := range []struct {
		id    string
		names []string
	}{{"cookie-not-httponly", readable}, {"cookie-not-secure", insecure}, {"cookie-samesite", sites}, {"session-fixation", fixed}} {
		list := strings.Join(t.names, ", ")
		c.tried(group, t.id, list != "", list, list, how)
	}
	control := seen.page.header.Get("Cache-Control")
	c.tried(group, "page-cacheable", !strings.Contains(control, "no-store"), fmt.Sprintf("Cache-Control: %q", control), fmt.Sprintf("Cache-Control: %q", control), how)
}

// evil are ways back that leave the site, for one reader or another.
var evil = []string{
	"https://evil.example/", "//evil.example/", `/\evil.example/`, `\\evil.example/`, `/./\evil.example/`, "/%09/evil.example/", "/\t/evil.example/",
	"https:evil.example", "///evil.example/", "/.//evil.example/", `https://evil.example\@` + "HOST/", "javascript:alert(1)",
}

// commonParams are tried where the application's own is not known.
var commonParams = []string{"return_to", "returnTo", "return_url", "returnUrl", "ReturnUrl", "return", "next", "redirect", "redirect_to", "redirect_uri", "redirectUrl", "rd", "url", "continue", "destination", "from", "back", "target", "goto", "callbackUrl"}

// returnPath tries to have the browser sent elsewhere after a sign-in.
func (c *checker) returnPath(ctx context.Context) {
	const group = "return"
	login, params := c.loginParams(ctx)
	own := map[string]bool{c.signedIn.Host: true, c.app.Host: true}
	for _, value := range evil {
		value = strings.ReplaceAll(value, "HOST", c.app.Host)
		address := *login
		q := address.Query()
		for _, name := range params {
			q.Set(name, value)
		}
		address.RawQuery = q.Encode()
		b := c.browser()
		way, err := b.signIn(ctx, &address, c.opt.Persona)
		end := way.end
		if err != nil && !errors.Is(err, errNoWay) || end == nil {
			continue
		}
		if to := end.to; to != nil && !own[to.Host] && !c.ofMock(to) && (strings.Contains(to.String(), "evil.example") || to.Scheme == "javascript") {
			how := "…?" + params[0] + "=" + value
			if len(params) > 1 {
				how = "…?<" + strings.Join(params[:3], "|") + "|…>=" + value
			}
			c.tried(group, "open-return-path", true, "le navigateur a été envoyé à "+to.String(), "the browser was sent to "+to.String(), login.Path+how)
			return
		}
	}
	c.tried(group, "open-return-path", false, "", "", "")
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

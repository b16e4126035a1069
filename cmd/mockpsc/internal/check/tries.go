package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// request judges the authorization requests of the honest sign-ins.
func (c *checker) request(ctx context.Context) {
	const group = "request"
	first, second := c.requests[0].Query(), c.requests[1].Query()
	how := cleaned(c.app)
	c.tried(group, "response-type", first.Get("response_type") != "code", "reçu : "+first.Get("response_type"), "received: "+first.Get("response_type"), how)
	scope := strings.Fields(first.Get("scope"))
	slices.Sort(scope)
	c.tried(group, "scope", !slices.Equal(scope, []string{"openid", "scope_all"}), "reçu : "+first.Get("scope"), "received: "+first.Get("scope"), how)
	c.tried(group, "acr-values-missing", first.Get("acr_values") != "eidas1", fmt.Sprintf("reçu : %q", first.Get("acr_values")), fmt.Sprintf("received: %q", first.Get("acr_values")), how)
	for _, name := range []string{"state", "nonce"} {
		a, b := first.Get(name), second.Get(name)
		c.tried(group, name+"-missing", a == "", "pas de "+name+" dans l'adresse", "no "+name+" in the address", how)
		if a == "" {
			continue
		}
		c.tried(group, name+"-reused", a == b, "deux fois le même", "twice the same", how)
		bits := entropy(a)
		weak := Case{ID: "rule:" + name + "-weak", Group: group, Status: passed}
		if a != b && bits < 128 {
			weak = Case{ID: weak.ID, Group: group, Status: failed, Rule: name + "-weak", Severity: serious, How: how,
				Seen: words{fmt.Sprintf("%d caractères, %.0f bits au plus", len(a), bits), fmt.Sprintf("%d characters, %.0f bits at most", len(a), bits)}}
			if bits >= 64 { // nobody guesses that in ten minutes
				weak.Severity = minor
			}
		}
		c.add(weak)
	}
	chosen := *c.begin
	link := chosen.Query()
	link.Set("state", "chosen-by-the-link-of-a-stranger")
	chosen.RawQuery = link.Encode()
	if auth, _ := c.browser().begin(ctx, &chosen); auth != nil {
		c.tried(group, "state-chosen", auth.Query().Get("state") == link.Get("state"), "?state=… est repris", "?state=… is taken over", c.begin.Path+"?state=…")
	}
	challenge := first.Get("code_challenge")
	c.tried(group, "pkce-missing", challenge == "", "pas de code_challenge dans l'adresse", "no code_challenge in the address", how)
	if challenge != "" {
		method := first.Get("code_challenge_method")
		c.tried(group, "pkce-plain", method != "S256", fmt.Sprintf("code_challenge_method %q", method), fmt.Sprintf("code_challenge_method %q", method), how)
		c.tried(group, "pkce-reused", challenge == second.Get("code_challenge"), "deux fois le même", "twice the same", how)
	}
	// A person may come from the page that wants a sign-in as well, or from another.
	uris := []string{first.Get("redirect_uri"), second.Get("redirect_uri")}
	login, params := c.loginParams(ctx)
	elsewhere := *login
	q := elsewhere.Query()
	for _, name := range params {
		q.Set(name, c.signedIn.Path+"?mockpsc=1")
	}
	elsewhere.RawQuery = q.Encode()
	for _, at := range []*url.URL{c.app, c.signedIn, &elsewhere} {
		if auth, _ := c.browser().begin(ctx, at); auth != nil {
			uris = append(uris, auth.Query().Get("redirect_uri"))
		}
	}
	slices.Sort(uris)
	uris = slices.Compact(uris)
	c.tried(group, "redirect-uri-varies", len(uris) > 1, strings.Join(uris, " , "), strings.Join(uris, " , "), how)
	u, err := url.Parse(uris[0])
	c.tried(group, "redirect-uri-insecure", err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()), uris[0], uris[0], how)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// entropy is how many bits a text of its length could hold, in the smallest of
// the usual alphabets that has its characters.
func entropy(text string) float64 {
	different := map[rune]bool{}
	for _, r := range text {
		different[r] = true
	}
	if len(different) < 6 {
		return float64(len(text)) * math.Log2(float64(max(len(different), 1)))
	}
	bare := strings.ReplaceAll(text, "-", "") // as in a UUID
	switch {
	case digits().MatchString(bare):
		return float64(len(bare)) * math.Log2(10)
	case hexDigits().MatchString(bare):
		return float64(len(bare)) * 4
	case oneCase().MatchString(bare):
		return float64(len(bare)) * math.Log2(36)
	}
	return float64(len(text)) * 6
}

var (
	digits    = pattern(`^[0-9]*$`)
	hexDigits = pattern(`^(?:[0-9a-f]*|[0-9A-F]*)$`)
	oneCase   = pattern(`^(?:[0-9a-z]*|[0-9A-Z]*)$`)
)

// secrets looks for what must not travel in an address.
func (c *checker) secrets() {
	var found string
	for _, u := range c.urls {
		for _, name := range []string{"client_secret", "code_verifier", "id_token", "access_token", "refresh_token"} {
			if u.Query().Has(name) {
				found = name + " : " + cleaned(u)
			}
		}
	}
	c.tried("request", "secret-in-url", found != "", found, found, cleaned(c.app))
}

// binding tries the callback of one browser in another, and a second time.
func (c *checker) binding(ctx context.Context) {
	const group = "callback"
	how := cleaned(c.app)
	own := c.browser()
	auth, _ := own.begin(ctx, c.begin)
	if auth == nil {
		return
	}
	callback, _, err := own.atMock(ctx, auth, c.opt.Persona)
	if err != nil || callback == nil {
		return
	}
	stranger := c.browser()
	stranger.finish(ctx, callback)
	bare := c.like.isIn(stranger.look(ctx))
	// Another who has begun a sign-in of his own.
	begun := bare
	if !bare {
		own = c.browser()
		if auth, _ = own.begin(ctx, c.begin); auth != nil {
			if callback, _, err = own.atMock(ctx, auth, c.opt.Persona); err == nil && callback != nil {
				stranger = c.browser()
				stranger.begin(ctx, c.begin)
				stranger.finish(ctx, callback)
				begun = c.like.isIn(stranger.look(ctx))
			}
		}
	}
	c.tried(group, "state-not-bound", begun, "le retour d'un navigateur a ouvert une session dans un autre", "the callback of one browser opened a session in another", how)

	own = c.browser()
	if auth, _ = own.begin(ctx, c.begin); auth == nil {
		return
	}
	if callback, _, err = own.atMock(ctx, auth, c.opt.Persona); err != nil || callback == nil {
		return
	}
	// Whoever copies the cookies of the pending sign-in is the same browser to the
	// application: a double click may lead to the one session, while it lasts.
	twin, late := own.twin(), own.twin()
	own.finish(ctx, callback)
	page := own.look(ctx)
	if !c.like.isIn(page) || c.like.isIn(twin.look(ctx)) { // the session is in a cookie that was there before
		c.tried(group, "callback-replay", false, "", "", "")
		return
	}
	twin.finish(ctx, callback)
	second := c.like.isIn(twin.look(ctx)) && !c.shares(own, twin)
	if at, form := c.logoutDoor(page.page); at != nil && !second {
		never := func(*url.URL) bool { return false }
		own.follow(ctx, own.step(ctx, http.MethodPost, at, form, "Sec-Fetch-Site", "same-origin"), never)
		if c.like.isIn(own.look(ctx)) {
			own.get(ctx, at, never, "Sec-Fetch-Site", "same-origin")
		}
		late.finish(ctx, callback)
		second = c.like.isIn(late.look(ctx))
	}
	c.tried(group, "callback-replay", second, "la seconde ouverture est entrée aussi", "the second opening got in too", how)
}

// shares reports whether two browsers hold one cookie alike.
func (c *checker) shares(a, b *browser) bool {
	for _, ck := range a.jar.Cookies(c.signedIn) {
		if value, ok := b.jar.value(c.signedIn, ck.Name); ok && value == ck.Value {
			return true
		}
	}
	return false
}

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

// drills has Pro Santé Connect break down, where the mock can be told to.
func (c *checker) drills(ctx context.Context) {
	const group = "drill"
	for _, name := range []string{"outage", "maintenance", "slow-token"} {
		if name == "slow-token" && c.opt.Quick {
			c.skip(group, "drill:"+name, "-quick", "-quick")
			continue
		}
		c.drill(ctx, group, name)
	}
}

func (c *checker) drill(ctx context.Context, group, name string) {
	inside, _ := c.in(ctx)
	if inside == nil {
		c.skip(group, "drill:"+name, "une connexion honnête échoue", "an honest sign-in fails")
		return
	}
	newcomer := c.browser()
	auth, _ := newcomer.begin(ctx, c.begin)
	var callback *url.URL
	if auth != nil {
		callback, _, _ = newcomer.atMock(ctx, auth, c.opt.Persona)
	}
	if err := c.call(ctx, http.MethodPost, "/_mock/api/drill", map[string]string{"name": name}); err != nil {
		c.skip(group, "drill:"+name, err.Error(), err.Error())
		return
	}
	k := Case{ID: "drill:" + name, Group: group, Status: passed, How: "-drill " + name}
	fail := func(fr, en string) {
		k.Status, k.Rule, k.Severity, k.Seen = failed, "provider-down", ruleByID["provider-down"].severity, words{fr, en}
	}
	if callback != nil { // back from the sign-in page when it happens
		ended := make(chan *page, 1)
		go func() { ended <- newcomer.finish(ctx, callback) }()
		meanwhile := inside.look(ctx)
		if !c.like.isIn(meanwhile) {
			fail("qui était connecté ne l'est plus", "who was signed in no longer is")
		}
		switch p := <-ended; {
		case p.err != nil && isTimeout(p.err):
			fail(fmt.Sprint("le nouveau venu attend plus de ", c.opt.Timeout), fmt.Sprint("the newcomer waits for more than ", c.opt.Timeout))
		case p.err == nil && p.status == http.StatusInternalServerError:
			fail("le nouveau venu reçoit 500", "the newcomer gets 500")
		case name != "slow-token" && c.like.isIn(newcomer.look(ctx)):
			fail("le nouveau venu est entré", "the newcomer got in")
		}
	}
	if err := c.call(ctx, http.MethodPost, "/_mock/api/drill", map[string]string{"name": ""}); err != nil {
		fail(err.Error(), err.Error())
	}
	if k.Status == passed && !c.enters(ctx) {
		fail("l'incident passé, une connexion honnête échoue", "the incident over, an honest sign-in fails")
	}
	c.add(k)
}

// queue has faults wait for the sign-in with this state or, without one, for the
// next count sign-ins of the application.
func (c *checker) queue(ctx context.Context, state string, count int, faults ...string) error {
	return c.call(ctx, http.MethodPost, "/_mock/api/faults", map[string]any{"client": c.client, "state": state, "count": count, "faults": faults})
}

func (c *checker) unqueue(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/_mock/api/faults?client="+url.QueryEscape(c.client), nil)
}

// call asks the mock's API for something.
func (c *checker) call(ctx context.Context, method, path string, body any) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	}
	at, err := c.base.Parse(path)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), &text)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("check: the mock's API: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return fmt.Errorf("check: the mock's API answers %d: %s", resp.StatusCode, said)
	}
	return nil
}

// restart runs the command and waits until the application answers.
func (c *checker) restart(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(limit, "sh", "-c", c.opt.Restart)
	cmd.WaitDelay = time.Second // what it leaves running may keep its output
	if out, err := cmd.CombinedOutput(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("check: -restart: %w: %.200s", err, out)
	}
	for {
		p := c.browser().step(limit, http.MethodGet, c.app, nil)
		if p.err == nil {
			return nil
		}
		select {
		case <-limit.Done():
			return fmt.Errorf("check: after -restart the application does not answer: %w", p.err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

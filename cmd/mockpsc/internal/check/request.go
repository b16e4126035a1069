package check

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"
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
	before, anew := c.twice(ctx)
	sample := c.sample(ctx)
	for _, name := range []string{"state", "nonce"} {
		a, b := first.Get(name), second.Get(name)
		c.tried(group, name+"-missing", a == "", "pas de "+name+" dans l'adresse", "no "+name+" in the address", how)
		if a == "" {
			c.untried(group, words{"pas de " + name, "no " + name}, name+"-reused", name+"-weak")
			continue
		}
		reused := a == b || before.Get(name) != "" && before.Get(name) == anew.Get(name)
		c.tried(group, name+"-reused", reused, "deux fois le même", "twice the same", how)
		bits := entropy(sample[name])
		weak := Case{ID: "rule:" + name + "-weak", Group: group, Status: passed}
		if a != b && bits < enough {
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
	if auth, _ := c.browser().begin(ctx, &chosen); auth == nil {
		c.untried(group, words{"avec ?state=… l'application ne mène pas au simulateur", "with ?state=… the application does not lead to the mock"}, "state-chosen")
	} else {
		c.tried(group, "state-chosen", auth.Query().Get("state") == link.Get("state"), "?state=… est repris", "?state=… is taken over", c.begin.Path+"?state=…")
	}
	challenge := first.Get("code_challenge")
	c.tried(group, "pkce-missing", challenge == "", "pas de code_challenge dans l'adresse", "no code_challenge in the address", how)
	if challenge == "" {
		c.untried(group, words{"pas de code_challenge", "no code_challenge"}, "pkce-plain", "pkce-reused")
	} else {
		method := first.Get("code_challenge_method")
		c.tried(group, "pkce-plain", method != "S256", fmt.Sprintf("code_challenge_method %q", method), fmt.Sprintf("code_challenge_method %q", method), how)
		c.tried(group, "pkce-reused", challenge == second.Get("code_challenge") || before.Get("code_challenge") == anew.Get("code_challenge") && anew.Has("code_challenge"), "deux fois le même", "twice the same", how)
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

// twice are the requests of two sign-ins of one browser, the first of which
// succeeded; nil if there are none. Where who is in cannot begin again, the second is
// that of a browser with the cookies from before.
func (c *checker) twice(ctx context.Context) (first, second url.Values) {
	b := c.browser()
	way, err := b.approach(ctx, c.begin, c.opt.Persona)
	if err != nil || way.callback == nil {
		return nil, nil
	}
	before := b.twin()
	b.finish(ctx, way.callback)
	for _, next := range []*browser{b, before} {
		if auth, _ := next.begin(ctx, c.begin); auth != nil {
			return way.auth.Query(), auth.Query()
		}
	}
	return nil, nil
}

// sample are the values of some requests, each of a browser of its own.
func (c *checker) sample(ctx context.Context) url.Values {
	all := url.Values{}
	for i := range 6 { // a digit is six times the same by chance once in 100,000
		auth := c.requests[min(i, 1)]
		if i > 1 {
			if auth, _ = c.browser().begin(ctx, c.begin); auth == nil {
				continue
			}
		}
		for name, values := range auth.Query() {
			all[name] = append(all[name], values...)
		}
	}
	return all
}

// enough bits of apparent entropy; a UUID has 122.
const enough = 120

// entropy is how many bits texts of their length could hold, in the smallest of the
// usual alphabets that has their characters, where they are not all the same.
func entropy(list []string) float64 {
	var text []byte // of the first, what differs
	for i := range len(list[0]) {
		for _, other := range list {
			if i >= len(other) || other[i] != list[0][i] {
				text = append(text, list[0][i])
				break
			}
		}
	}
	return bitsOf(string(text))
}

func bitsOf(text string) float64 {
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

// sent keeps an address that the application sends a browser to.
func (c *checker) sent(u *url.URL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.urls = append(c.urls, u)
}

// secrets looks for what must not travel in an address.
func (c *checker) secrets() {
	var found string
	for _, u := range c.urls {
		fragment, _ := url.ParseQuery(u.Fragment)
		for _, values := range []url.Values{u.Query(), fragment} {
			for name := range values {
				if secret(name, values.Get(name)) {
					found = name + " : " + cleaned(u)
				}
			}
		}
	}
	c.tried("request", "secret-in-url", found != "", found, found, cleaned(c.app))
}

// secret reports whether a parameter is one by its name, or a token that says who
// somebody is. A state may be a token, and a logout names its session by one.
func secret(name, value string) bool {
	switch name {
	case "client_secret", "code_verifier", "id_token", "access_token", "refresh_token":
		return true
	case "state", "id_token_hint", "logout_hint", "request":
		return false
	}
	parts := strings.Split(value, ".")
	if len(parts) != 3 || !strings.HasPrefix(value, "eyJ") {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Sub string }
	return err == nil && json.Unmarshal(text, &claims) == nil && claims.Sub != ""
}

// binding tries the callback of one browser in another, and a second time.
func (c *checker) binding(ctx context.Context) {
	const group = "callback"
	how := cleaned(c.app)
	bare := c.browser()
	begun := c.browser() // of another who has begun a sign-in of his own
	begun.begin(ctx, c.begin)
	tried, bound := false, true
	for _, stranger := range []*browser{bare, begun} {
		way, err := c.browser().approach(ctx, c.begin, c.opt.Persona)
		if err != nil || way.callback == nil {
			continue
		}
		tried = true
		stranger.finish(ctx, way.callback)
		if c.like.isIn(stranger.look(ctx)) {
			bound = false
			break
		}
	}
	if tried && bound {
		bound = !c.entersWithoutState(ctx)
	}
	if tried {
		c.tried(group, "state-not-bound", !bound, "le retour d'un navigateur a ouvert une session dans un autre", "the callback of one browser opened a session in another", how)
	} else {
		c.untried(group, unhonest, "state-not-bound")
	}
	c.replay(ctx)
}

// entersWithoutState has a browser that has not begun a sign-in open a callback
// without state: nothing is then equal to nothing. Who writes the request himself
// leaves out PKCE, and the nonce if Pro Santé Connect lets him.
func (c *checker) entersWithoutState(ctx context.Context) bool {
	for _, left := range [][]string{{"code_challenge", "code_challenge_method"}, {"code_challenge", "code_challenge_method", "nonce"}} {
		for _, empty := range []bool{false, true} {
			request := *c.requests[0]
			q := request.Query()
			for _, name := range left {
				q.Del(name)
			}
			q.Set("state", rand.Text())
			request.RawQuery = q.Encode()
			callback, _, err := c.browser().atMock(ctx, &request, c.opt.Persona)
			if err != nil || callback == nil {
				continue
			}
			q = callback.Query()
			q.Del("state")
			if empty {
				q.Set("state", "")
			}
			callback.RawQuery = q.Encode()
			bare := c.browser()
			bare.finish(ctx, callback)
			if c.like.isIn(bare.look(ctx)) {
				return true
			}
		}
	}
	return false
}

// replay opens a callback again. Whoever copies the cookies of the pending sign-in
// is the same browser to the application: a double click may lead to the one
// session, while it lasts.
func (c *checker) replay(ctx context.Context) {
	const group, id = "callback", "callback-replay"
	own := c.browser()
	way, err := own.approach(ctx, c.begin, c.opt.Persona)
	if err != nil || way.callback == nil {
		c.untried(group, unhonest, id)
		return
	}
	// Each goes one way only: who looks and is not in begins a sign-in anew, and
	// has then lost the one that was pending.
	watcher, second, late := own.twin(), own.twin(), own.twin()
	own.finish(ctx, way.callback)
	one := own.twin()
	page := own.look(ctx)
	if !c.like.isIn(page) {
		c.untried(group, unhonest, id)
		return
	}
	second.finish(ctx, way.callback)
	other := second.twin()
	again := c.like.isIn(second.look(ctx))
	if c.like.isIn(watcher.look(ctx)) { // which is session-fixation
		c.untried(group, words{"un cookie d'avant la connexion ouvre déjà la session", "a cookie from before the sign-in opens the session already"}, id)
		return
	}
	again = again && !c.shares(ctx, one, other)
	if d := c.logoutDoor(page.page); d != nil && !again {
		c.leave(ctx, own, d)
		late.finish(ctx, way.callback)
		again = c.like.isIn(late.look(ctx))
	}
	c.tried(group, id, again, "la seconde ouverture est entrée aussi", "the second opening got in too", cleaned(c.app))
}

// shares reports whether two browsers are in one session: they hold a cookie of it
// alike.
func (c *checker) shares(ctx context.Context, a, b *browser) bool {
	for _, name := range c.sessionCookies(ctx) {
		one, ok := a.jar.value(c.signedIn, name)
		other, too := b.jar.value(c.signedIn, name)
		if ok && too && one == other {
			return true
		}
	}
	return false
}

var unhonest = words{"une connexion honnête échoue", "an honest sign-in fails"}

// untried adds rules that could not be tried, and why.
func (c *checker) untried(group string, why words, ids ...string) {
	for _, id := range ids {
		c.skip(group, "rule:"+id, why.FR, why.EN)
	}
}

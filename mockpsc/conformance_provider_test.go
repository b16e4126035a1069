package mockpsc_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// What is asked of a provider that imitates another: the rules of RFC 9700 for
// authorization servers, of ASVS 10 and of RFC 8705, and that nobody takes the
// mock for the real one. Each subtest bears the mark of its line.
func TestMockProvider(t *testing.T) {
	runPlan(t, `MO-1 MO-2 MO-3 MO-4 MO-5 MO-6 MO-7`, map[string]func(*testing.T){
		"MO-1": func(t *testing.T) {
			t.Run("redirect_uri is compared exactly, and nothing goes to another", module(redirectIsExact))
			t.Run("a declared address is https, or http on this machine", redirectSchemes)
		},
		"MO-2": func(t *testing.T) {
			t.Run("a code lives 30 seconds", module(codeLife))
			t.Run("a code sent at the same time by many is good once at most", module(codeRace))
			t.Run("a code that comes back takes back all that it gave", module(codeReuseRevokes))
		},
		"MO-3": module(pkce),
		"MO-4": func(t *testing.T) {
			t.Run("a form with credentials is answered by 303", seeOther)
			t.Run("no page can be framed", frames)
			t.Run("no CORS", noCORS)
			t.Run("iss is sent and announced", module(issuerIdentification))
		},
		"MO-5": func(t *testing.T) {
			t.Run("refresh tokens are bound, rotate and end", module(refreshTokens))
			t.Run("a client is no person, and a person no client", module(clientAndSubject))
			t.Run("only response_mode=query", module(responseModes))
			t.Run("no stranger signs anybody out", module(strangersLogout))
		},
		"MO-6": mutualTLS,
		"MO-7": func(t *testing.T) {
			t.Run("nothing persists", nothingPersists)
			t.Run("the keys are new in each process", newKeys)
			t.Run("every page and answer says so first", saysThatItIsAMock)
			t.Run("it refuses the real service's hosts, and to answer the public", refusedHosts)
		},
	})
}

func redirectIsExact(w *walk) {
	declared := w.rp.redirectURI()
	host := strings.TrimPrefix(w.rp.URL, "http://")
	_, port, _ := strings.Cut(host, ":")
	for _, uri := range []string{
		declared + "/", declared + "/.", declared + "/x/..", declared + "?", declared + "?a=b", declared + "#", declared + "#f", declared + ";x",
		declared + " ", " " + declared, declared + "\x00", declared + "\r\nX: y", declared + "%0d%0aX:%20y", declared + "%2f", declared + "\\",
		w.rp.URL + "/Callback", w.rp.URL + "/%63allback", w.rp.URL + "//callback", w.rp.URL + "/./callback", w.rp.URL + "/callbac", w.rp.URL,
		strings.ToUpper(declared), strings.Replace(declared, "http:", "HTTP:", 1), strings.Replace(declared, "http:", "https:", 1),
		"http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:0" + port + "/callback",
		"http://localhost:" + port + "/callback", "http://127.0.0.1.:" + port + "/callback", "http://127.1:" + port + "/callback", "http://[::ffff:127.0.0.1]:" + port + "/callback",
		"http://user@" + host + "/callback", "http://" + host + "@evil.example/callback", "http://evil.example\\@" + host + "/callback",
		"http://evil.example/callback", "//" + host + "/callback", "/callback", "javascript:alert(1)//" + host + "/callback", declared + "," + declared,
	} {
		for _, more := range [][]string{nil, {"prompt", "none"}, {"response_type", "token"}, {"scope", "x"}, {"response_mode", "fragment"}} { // not in error answers either
			w.shown(w.url(append(more, "redirect_uri", uri)...), "redirect_uri")
		}
	}
	for _, id := range []string{"nobody", "CARELINK", "carelink ", "carelink\x00", "", "other,carelink"} {
		w.shown(w.url("client_id", id), "client_id")
		w.shown(w.url("client_id", id, "prompt", "none", "response_type", ""), "client_id")
	}
	for _, twice := range []string{"redirect_uri=" + url.QueryEscape(declared), "redirect_uri=https://evil.example/", "client_id=other", "client_id=carelink"} {
		w.shown(w.url()+"&"+twice, "is given twice")
	}
	// Nor can a form carry a second one past the query's.
	resp, err := stay(w.browser).PostForm(w.url(), url.Values{"redirect_uri": {"https://evil.example/"}})
	if err != nil {
		w.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 || resp.Header.Get("Location") != "" {
		w.Errorf("one in the query, one in the form: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	w.passes(w.url()) // and the declared one is good
}

func redirectSchemes(t *testing.T) {
	for uri, ok := range map[string]bool{
		"https://app.example/cb": true, "http://localhost:3000/cb": true, "http://127.0.0.1/cb": true, "http://[::1]:8/cb": true,
		"http://app.example/cb": false, "http://localhost.app.example/cb": false, "http://10.0.0.1/cb": false, "http://0.0.0.0/cb": false,
		"https://app.example/cb#f": false, "https://u@app.example/cb": false, "app:/cb": false, "javascript:x": false, "https:///cb": false, "/cb": false, "*": false,
	} {
		for _, c := range []mockpsc.Client{{RedirectURIs: []string{uri}}, {RedirectURIs: []string{"https://app.example/"}, PostLogoutURIs: []string{uri}}} {
			c.ID, c.Secret = "x", "x"
			if err := (&mockpsc.Server{Clients: []mockpsc.Client{c}}).Check(); (err == nil) != ok {
				t.Errorf("%s: %v", uri, err)
			}
		}
	}
}

func codeLife(w *walk) {
	back := w.login(w.url())
	w.now.advance(30 * time.Second)
	w.check(w.redeem(back))
	back = w.login(w.url("prompt", "login"))
	w.now.advance(30*time.Second + time.Nanosecond)
	if tok := w.redeem(back); !tok.refused(400, "invalid_grant", "Code not valid") {
		w.Errorf("a moment later: %d %s", tok.Status, tok.Body)
	}
}

func codeRace(w *walk) {
	form := w.rp.form(w.login(w.rp.authURL(nil)).Get("code"))
	answers := make([]tokens, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = w.rp.exchange(w.T, form) })
	}
	wg.Wait()
	good := 0
	for _, tok := range answers {
		if tok.Status != 200 {
			continue
		}
		good++
		if status, _ := w.rp.userinfo(w.T, tok.AccessToken); status != 401 {
			w.Errorf("what the code gave is still good: %d", status)
		}
	}
	if good > 1 {
		w.Errorf("%d exchanges of one code", good)
	}
}

func codeReuseRevokes(w *walk) {
	back := w.login(w.url())
	first := w.redeem(back)
	second := w.rp.refresh(w.T, first.RefreshToken)
	stolen := url.Values{"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {w.rp.redirectURI()}}
	if tok := w.token("other", stolen); tok.Error != "invalid_grant" {
		w.Errorf("another client, with the code: %d %s", tok.Status, tok.Body)
	}
	for name, token := range map[string]string{"the first": first.AccessToken, "the refreshed": second.AccessToken} {
		if status, _ := w.rp.userinfo(w.T, token); status != 401 {
			w.Errorf("%s access token: userinfo %d, want 401", name, status)
		}
	}
	if tok := w.rp.refresh(w.T, second.RefreshToken); tok.Error != "invalid_grant" {
		w.Errorf("the refresh token: %d %s", tok.Status, tok.Body)
	}
}

// plainBase64 is what a client sends that does not know base64url: its hash is
// right, its alphabet is not (RFC 7636, section 4.1).
const plainBase64 = "dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk="

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func pkce(w *walk) {
	var metadata map[string]any
	getJSON(w.T, w.rp.mock.URL+issuerPath+"/.well-known/openid-configuration", &metadata)
	if list := strs(w.T, metadata, "code_challenge_methods_supported"); !slices.Contains(list, "S256") {
		w.Errorf("announced: %v", list)
	}
	// PSC demands no challenge, so that none is missing until a method is named.
	for _, change := range [][]string{
		{"code_challenge_method", "S256"}, {"code_challenge", strings.Repeat("a", 43)}, {"code_challenge", verifier, "code_challenge_method", "plain"},
		{"code_challenge", strings.Repeat("a", 42), "code_challenge_method", "S256"}, {"code_challenge", strings.Repeat("a", 43), "code_challenge_method", "s256"},
		{"code_challenge", strings.Repeat("a", 20) + "+/=" + strings.Repeat("a", 20), "code_challenge_method", "S256"}, // plain base64
	} {
		w.refused(w.url(change...), "invalid_request")
	}
	with, without := w.rp.authURL(map[string]string{"prompt": "login"}), w.url("prompt", "login")
	for _, tt := range []struct {
		name, address, verifier string
		good                    bool
	}{
		{"the verifier of the challenge", with, verifier, true},
		{"another verifier", with, strings.Repeat("a", 43), false},
		{"the verifier with a letter more", with, verifier + "x", false},
		{"no verifier", with, "", false},
		{"a verifier in plain base64", w.rp.authURL(map[string]string{"prompt": "login", "code_challenge": challengeOf(plainBase64)}), plainBase64, false},
		{"a verifier of 42 letters", w.rp.authURL(map[string]string{"prompt": "login", "code_challenge": challengeOf(verifier[:42])}), verifier[:42], false},
		{"a verifier of 129 letters", w.rp.authURL(map[string]string{"prompt": "login", "code_challenge": challengeOf(strings.Repeat("a", 129))}), strings.Repeat("a", 129), false},
		{"neither", without, "", true},
		{"a verifier without a challenge", without, verifier, false},
	} {
		back := w.login(tt.address)
		var more []string
		if tt.verifier != "" {
			more = []string{"code_verifier", tt.verifier}
		}
		tok := w.redeem(back, more...)
		if tt.good && tok.Status != 200 || !tt.good && (tok.Status != 400 || tok.Error != "invalid_grant") {
			w.Errorf("%s: %d %s", tt.name, tok.Status, tok.Body)
		}
		if again := w.redeem(back, "code_verifier", verifier); again.Error != "invalid_grant" { // no second guess
			w.Errorf("%s, then again: %d %s", tt.name, again.Status, again.Body)
		}
	}
}

// Every form that takes a secret, an identity or a decision on to the application.
func seeOther(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		before     func(p *person) // until the last form
		form       []string
	}{
		{"the door", "/auth/sign-in", func(*person) {}, []string{"persona", "dr-dupont"}},
		{"an identifier", "/auth/ecps", func(*person) {}, []string{"identifier", dupont}},
		{"a phone", "/auth/wait", func(p *person) {
			phone := device{p.t, p.phone()}
			phone.answer("phone", "dr-dupont")
			phone.answer("same", "yes")
			phone.answer("pin", "1234")
		}, nil},
		{"a card in the reader", "/auth/card", func(*person) {}, []string{"card", "dr-dupont"}},
		{"a card's code", "/auth/card", func(p *person) { p.post("/auth/card", "card", "dr-dupont") }, []string{"pin", "5678"}},
		{"a hospital's account", "/auth/confirm", func(p *person) {
			p.post("/auth/delegation", "provider", "hopital-imaginaire")
			p.post("/auth/delegation", "account", "dr-dupont")
		}, []string{"answer", "yes"}},
		{"no", "/auth/cancel", func(*person) {}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := begin(t, delegating(t))
			tt.before(p)
			resp, _ := submit(t, stay(p.browser), p.rp.mock.URL+tt.path, append(tt.form, "attempt", p.attempt)...)
			if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") == "" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("got %d with %v", resp.StatusCode, resp.Header)
			}
		})
	}
}

// pages walks past every page of the mock.
func pages(t *testing.T, visit func(name string, resp *http.Response, page string)) {
	t.Helper()
	rp := delegating(t)
	mock := rp.mock
	p := begin(t, rp)
	show := func(name string, c *http.Client, address string) string {
		t.Helper()
		resp, page := get(t, c, address)
		visit(name, resp, page)
		return page
	}
	send := func(name, path string, pairs ...string) string {
		t.Helper()
		resp, page := submit(t, p.browser, mock.URL+path, append(pairs, "attempt", p.attempt)...)
		visit(name, resp, page)
		return page
	}
	show("start", p.browser, mock.URL+"/")
	show("data", p.browser, mock.URL+"/auth/data")
	show("a refused request", p.browser, rp.authURL(map[string]string{"client_id": "x"}))
	show("sign-in", p.browser, mock.URL+"/auth?attempt="+p.attempt)
	show("the card tab", p.browser, mock.URL+"/auth?means=card&attempt="+p.attempt)
	show("the delegation tab", p.browser, mock.URL+"/auth?means=delegation&attempt="+p.attempt)
	send("a form that came back", "/auth/ecps", "identifier", "x")
	send("an unknown persona", "/auth/sign-in", "persona", "x")
	show("phone", http.DefaultClient, p.phone())
	p.page = send("wait", "/auth/ecps", "identifier", dupont)
	show("phone, over", http.DefaultClient, mock.URL+"/_mock/phone/x")
	send("card", "/auth/card", "card", "dr-dupont")
	show("reader, over", http.DefaultClient, mock.URL+"/_mock/card/x")
	show("somebody else's sign-in", newBrowser(t), mock.URL+"/auth?attempt="+p.attempt)
	send("hospital", "/auth/delegation", "provider", "hopital-imaginaire")
	send("confirm", "/auth/delegation", "account", "dr-dupont")
	p.post("/auth/confirm", "answer", "yes")
	show("sign out?", p.browser, rp.endpoint("/logout"))
	show("a bad hint", p.browser, rp.endpoint("/logout")+"?id_token_hint=x")
	show("signed out", newBrowser(t), rp.endpoint("/logout"))
	show("an undeclared way back", newBrowser(t), rp.endpoint("/logout")+"?client_id=carelink&post_logout_redirect_uri=https://evil.example/")
	for _, drill := range []string{"outage", "maintenance"} {
		if err := mock.Drill(drill); err != nil {
			t.Fatal(err)
		}
		show(drill, newBrowser(t), rp.authURL(nil))
	}
}

func frames(t *testing.T) {
	pages(t, func(name string, resp *http.Response, page string) {
		if !strings.Contains(page, "<h1") {
			t.Errorf("%s: no page, but %d %.200s", name, resp.StatusCode, page)
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %q %q", name, policy, resp.Header.Get("X-Frame-Options"))
		}
	})
}

func noCORS(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	paths := []string{"/", "/auth", "/auth/status", "/auth/sign-in", "/_mock/phone/x", "/nowhere", issuerPath + "/.well-known/openid-configuration", issuerPath + "/.well-known/wallet-openid-configuration"}
	for _, path := range []string{"/auth", "/certs", "/token", "/token/introspect", "/revoke", "/userinfo", "/logout", "/ext/ciba/auth", "/ext/par/request"} {
		paths = append(paths, issuerPath+"/protocol/openid-connect"+path)
	}
	for _, path := range paths {
		for _, method := range []string{"OPTIONS", "GET", "POST", "HEAD"} {
			req, err := http.NewRequest(method, rp.mock.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", "https://evil.example")
			req.Header.Set("Access-Control-Request-Method", "POST")
			req.Header.Set("Access-Control-Request-Headers", "authorization")
			resp, err := stay(newBrowser(t)).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Timing-Allow-Origin" {
					t.Errorf("%s %s: %s", method, path, name)
				}
			}
			if method == "OPTIONS" && resp.StatusCode < 400 {
				t.Errorf("OPTIONS %s: %d", path, resp.StatusCode)
			}
		}
	}
}

func issuerIdentification(w *walk) {
	var metadata map[string]any
	getJSON(w.T, w.rp.mock.URL+issuerPath+"/.well-known/wallet-openid-configuration", &metadata)
	if metadata["authorization_response_iss_parameter_supported"] != true {
		w.Errorf("announced: %v", metadata["authorization_response_iss_parameter_supported"])
	}
	w.refused(w.url("prompt", "none"), "login_required") // with iss
	if back := w.login(w.url()); back.Get("iss") != metadata["issuer"] {
		w.Errorf("back with %v", back)
	}
}

func refreshTokens(w *walk) {
	tok, _ := w.passes(w.url())
	form := w.rp.refreshForm(tok.RefreshToken)
	form.Del("client_id")
	form.Del("client_secret")
	if got := w.token("other", form); got.Error != "invalid_grant" {
		w.Errorf("another client: %d %s", got.Status, got.Body)
	}
	next := w.token("carelink", form)
	if next.Status != 200 || next.RefreshToken == tok.RefreshToken {
		w.Fatalf("its own client: %d %s", next.Status, next.Body)
	}
	for i := range 9 { // absolute: 4 hours; these are 3 h 54 min
		w.now.advance(26 * time.Minute)
		if next = w.rp.refresh(w.T, next.RefreshToken); next.Status != 200 {
			w.Fatalf("refresh %d: %s", i+1, next.Body)
		}
	}
	w.now.advance(7 * time.Minute)
	if got := w.rp.refresh(w.T, next.RefreshToken); got.Error != "invalid_grant" {
		w.Errorf("after 4 hours: %d %s", got.Status, got.Body)
	}
	tok, _ = w.passes(w.url())
	w.now.advance(30 * time.Minute)
	if got := w.rp.refresh(w.T, tok.RefreshToken); got.Error != "invalid_grant" {
		w.Errorf("after half an hour without use: %d %s", got.Status, got.Body)
	}
	tok, _ = w.passes(w.url())
	w.rp.refresh(w.T, tok.RefreshToken)
	if got := w.rp.refresh(w.T, tok.RefreshToken); got.Error != "invalid_grant" {
		w.Errorf("a spent one: %d %s", got.Status, got.Body)
	}
}

// No grant makes a client the subject of a token, so that the two never stand in
// the same place.
func clientAndSubject(w *walk) {
	for _, grant := range []string{"client_credentials", "password", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:device_code"} {
		if tok := w.token("carelink", url.Values{"grant_type": {grant}, "scope": {"openid scope_all"}, "username": {dupont}, "password": {"1234"}}); tok.Status != 400 || tok.Error != "unsupported_grant_type" {
			w.Errorf("%s: %d %s", grant, tok.Status, tok.Body)
		}
	}
	tok, _ := w.passes(w.url())
	for name, token := range map[string]string{"ID token": tok.IDToken, "access token": tok.AccessToken, "refresh token": tok.RefreshToken} {
		var claims struct{ Sub, Azp string }
		if err := json.Unmarshal([]byte(payload(w.T, token)), &claims); err != nil || claims.Azp != "carelink" || claims.Sub != "f:00000000-0000-4000-8000-000000000001:"+dupont {
			w.Errorf("%s: %+v %v", name, claims, err)
		}
	}
}

func responseModes(w *walk) {
	for _, mode := range []string{"fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt", "web_message", "QUERY"} {
		w.refused(w.url("response_mode", mode), "invalid_request")
	}
	for _, kind := range []string{"none", "id_token", "token", "id_token token", "code id_token", "code token", "code id_token token", "code code", "CODE"} {
		w.refused(w.url("response_type", kind), "unsupported_response_type")
	}
	w.passes(w.url("response_mode", "query"))
}

func strangersLogout(w *walk) {
	w.passes(w.url())
	end := w.rp.endpoint("/logout")
	_, own := w.rp.signIn(w.T, "dr-martin") // the stranger, in a browser of their own
	_, theirPage := get(w.T, newSession(w), end)
	theirs := only(w.T, confirmField, theirPage)
	for name, ask := range map[string]func() (*http.Response, error){
		"a link":                  func() (*http.Response, error) { return w.browser.Get(end) },
		"a link with confirm":     func() (*http.Response, error) { return w.browser.Get(end + "?confirm=" + theirs) },
		"a link that names it":    func() (*http.Response, error) { return w.browser.Get(end + "?client_id=carelink&state=s") },
		"a form":                  func() (*http.Response, error) { return w.browser.PostForm(end, nil) },
		"a form with nothing":     func() (*http.Response, error) { return w.browser.PostForm(end, url.Values{"confirm": {""}}) },
		"a form with another's":   func() (*http.Response, error) { return w.browser.PostForm(end, url.Values{"confirm": {theirs}}) },
		"a form past the query":   func() (*http.Response, error) { return w.browser.PostForm(end+"?confirm="+theirs, nil) },
		"the stranger's ID token": func() (*http.Response, error) { return w.browser.Get(end + "?id_token_hint=" + own.IDToken) },
	} {
		resp, err := ask()
		if err != nil {
			w.Fatal(err)
		}
		resp.Body.Close()
		if back, _ := w.ask(w.url("prompt", "none")); !back.Has("code") {
			w.Fatalf("%s signed the person out", name)
		}
	}
}

// newSession is another browser, in which somebody else is signed in.
func newSession(w *walk) *http.Client {
	w.Helper()
	c, _ := w.rp.signIn(w.T, "dr-martin")
	return c
}

// The kinds of subject are a client's choice of CertificateDN or its CN; Check
// refuses a client with two ways to authenticate (TestCheckClientAuthentication).
// Nothing is pinned: who signs for himself is refused.
func mutualTLS(t *testing.T) {
	p := newTLSParty(t)
	good, named := p.ClientCertificate("by-cn"), p.ClientCertificate("agenda")
	server, err := p.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	p.offset.Store(int64(-398 * 24 * time.Hour))
	expired := p.ClientCertificate("by-cn")
	p.offset.Store(0)
	for _, tt := range []struct {
		name, client string
		cert         *tls.Certificate
		want         int
	}{
		{"the CA's, in the client's name", "by-cn", &good, 200},
		{"the CA's, with the declared subject", "by-dn", &named, 200},
		{"the CA's, in another's name", "by-cn", &named, 401},
		{"the CA's, with another subject", "by-dn", &good, 401},
		{"signed by itself", "by-cn", selfSigned(t, "by-cn"), 401},
		{"another CA's", "by-cn", foreign(t, "by-cn"), 401},
		{"expired", "by-cn", &expired, 401},
		{"for servers", "by-cn", &server.Certificates[0], 401},
		{"none", "by-cn", nil, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			form := p.form(t, tt.client)
			resp, err := p.presenting(tt.cert).PostForm(p.URL+issuerPath+"/protocol/openid-connect/token", form)
			if err != nil {
				t.Fatal(err)
			}
			if tok := readTokens(t, resp); tok.Status != tt.want {
				t.Errorf("got %d %s, want %d", tok.Status, tok.Body, tt.want)
			}
		})
	}
}

func nothingPersists(t *testing.T) {
	first := newRelyingParty(t, mockpsc.NewServer(t))
	c, tok := first.signIn(t, "dr-dupont")
	var next mockpsc.Server // as after a restart, at the same address
	revived := func(method, path string, form url.Values, change func(*http.Request)) int {
		req := httptest.NewRequest(method, first.mock.URL+path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(req)
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, req)
		return rec.Code
	}
	oidc := issuerPath + "/protocol/openid-connect"
	if got := revived("GET", oidc+"/userinfo", nil, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok.AccessToken) }); got != 401 {
		t.Errorf("an access token: %d", got)
	}
	if got := revived("POST", oidc+"/token", first.refreshForm(tok.RefreshToken), func(*http.Request) {}); got != 400 {
		t.Errorf("a refresh token: %d", got)
	}
	home, _ := url.Parse(first.mock.URL)
	got := revived("GET", strings.TrimPrefix(first.authURL(nil), first.mock.URL), nil, func(r *http.Request) {
		for _, cookie := range c.Jar.Cookies(home) {
			r.AddCookie(cookie)
		}
	})
	if got != 200 { // the sign-in page
		t.Errorf("a session: %d", got)
	}
}

// printKids has the test say which keys its process publishes, and nothing else.
const printKids = "MOCKPSC_TEST_PRINT_KIDS"

func newKeys(t *testing.T) {
	kids := func() (list []string) {
		for _, k := range newRelyingParty(t, mockpsc.NewServer(t)).keys(t).Keys {
			list = append(list, k.KeyID)
		}
		return list
	}
	if os.Getenv(printKids) != "" {
		fmt.Printf("kids %s\n", strings.Join(kids(), " "))
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestMockProvider$/^MO-7$/^the_keys_are_new_in_each_process$")
	cmd.Env = append(os.Environ(), printKids+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line := regexp.MustCompile(`kids (\S+) (\S+)\n`).FindSubmatch(out)
	if line == nil {
		t.Fatalf("no keys in %s", out)
	}
	mine := kids()
	for _, kid := range line[1:] {
		if slices.Contains(mine, string(kid)) {
			t.Errorf("another process has the key %s, too", kid)
		}
	}
}

func saysThatItIsAMock(t *testing.T) {
	pages(t, func(name string, resp *http.Response, page string) {
		ribbon, first := strings.Index(page, `class="ribbon"`), strings.Index(page, "<h1")
		if resp.Header.Get("X-Mock-PSC") != "1" || ribbon < 0 || ribbon > first {
			t.Errorf("%s: header %q, ribbon at %d, heading at %d", name, resp.Header.Get("X-Mock-PSC"), ribbon, first)
		}
	})
}

func refusedHosts(t *testing.T) {
	for host, ok := range map[string]bool{
		"psc.test.example": true, "notesante.gouv.fr": true, "esante.gouv.fr.test.example": true, "localhost:9090": true,
		"esante.gouv.fr": false, "ESANTE.gouv.fr": false, "esante.gouv.fr.": false, "esante.gouv.fr:8443": false, "wallet.esw.esante.gouv.fr": false,
		"Auth.Bas.PSC.esante.GOUV.FR.:443": false, "u@esante.gouv.fr": false, "esante.gouv.fr@test.example": false, "u:p@test.example": false,
	} {
		for _, scheme := range []string{"http", "https"} {
			s := &mockpsc.Server{Issuer: scheme + "://" + host + issuerPath}
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost/", nil))
			if err := s.Check(); (err == nil) != ok || (rec.Code == 200) != ok {
				t.Errorf("issuer %s: %d, %v", s.Issuer, rec.Code, err)
			}
		}
	}
	for host, ok := range map[string]bool{
		"localhost": true, "LocalHost:1": true, "127.0.0.1:1": true, "127.255.0.1": true, "[::1]:1": true,
		"wallet.esw.esante.gouv.fr": false, "psc.example": false, "10.0.0.1:80": false, "0.0.0.0": false, "[::]": false, "localhost.evil.example": false,
		"127.0.0.1.evil.example": false, "localhost.": false, "127.0.0.1:80@evil.example": false, "localhost:": true, "localhost:x": false, "": false,
	} {
		var s mockpsc.Server
		req := httptest.NewRequest("GET", issuerPath+"/.well-known/openid-configuration", nil)
		req.Host = host
		maps.Copy(req.Header, http.Header{"X-Forwarded-Host": {"localhost"}, "Forwarded": {"host=localhost"}, "X-Forwarded-Proto": {"https"}})
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		if (rec.Code == 200) != ok || ok && !strings.Contains(rec.Body.String(), `"issuer":"http://`+host+issuerPath+`"`) {
			t.Errorf("host %q: %d %.300s", host, rec.Code, rec.Body)
		}
	}
}

package mockpsc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// The modules of the OpenID Foundation's certification plans for providers, each
// a subtest by the suite's own name. Where Pro Santé Connect, and the mock with
// it, asks for more than the suite grants or grants less than it asks, the
// subtest says so and holds what the mock does instead.

// runPlan runs a plan's modules in their order, and fails for one that has no
// test and for a test that belongs to no module.
func runPlan(t *testing.T, names string, modules map[string]func(*testing.T)) {
	t.Helper()
	planned := map[string]bool{}
	for _, name := range strings.Fields(names) {
		planned[name] = true
		if modules[name] == nil {
			t.Errorf("module %s has no test", name)
			continue
		}
		t.Run(name, modules[name])
	}
	for name := range modules {
		if !planned[name] {
			t.Errorf("no module is called %s", name)
		}
	}
}

// module gives a subtest its own provider, with the clients carelink and other,
// and one browser.
func module(test func(*walk)) func(*testing.T) {
	return func(t *testing.T) {
		rp, now := twoClients(t)
		test(&walk{t, rp, now, newBrowser(t)})
	}
}

// walk is one browser on its way through a module, and the client behind it.
type walk struct {
	*testing.T
	rp      *relyingParty
	now     *clock
	browser *http.Client
}

// url is the suite's plain authorization request, without PKCE, then changed: ""
// removes.
func (w *walk) url(pairs ...string) string {
	change := map[string]string{"code_challenge": "", "code_challenge_method": ""}
	for i := 0; i+1 < len(pairs); i += 2 {
		change[pairs[i]] = pairs[i+1]
	}
	return w.rp.authURL(change)
}

// ask sends an authorization request. It returns what came back to the client's
// address, or the mock's page.
func (w *walk) ask(address string) (back url.Values, page string) {
	w.Helper()
	resp, page := get(w.T, stay(w.browser), address)
	return w.back(resp), page
}

// back returns the parameters of a redirect to the client, nil if there is none.
func (w *walk) back(resp *http.Response) url.Values {
	w.Helper()
	to, err := resp.Location()
	if err != nil {
		return nil
	}
	if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), w.rp.redirectURI()+"?") {
		w.Fatalf("%d to %s, want 303 to %s", resp.StatusCode, to, w.rp.redirectURI())
	}
	return to.Query()
}

// login asks, is shown the sign-in page and signs in.
func (w *walk) login(address string) url.Values {
	w.Helper()
	back, page := w.ask(address)
	if back != nil {
		w.Fatalf("nobody was asked who he is: %v", back)
	}
	return w.identify(page)
}

// identify answers the sign-in page.
func (w *walk) identify(page string) url.Values {
	w.Helper()
	resp, _ := submit(w.T, stay(w.browser), w.rp.mock.URL+"/auth/sign-in", "attempt", attempt(w.T, page), "persona", "dr-dupont")
	back := w.back(resp)
	if !back.Has("code") {
		w.Fatalf("status %d, back with %v", resp.StatusCode, back)
	}
	return back
}

// redeem sends a token request with client_secret_basic, then changed.
func (w *walk) redeem(back url.Values, pairs ...string) tokens {
	w.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {w.rp.redirectURI()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return w.token("carelink", form)
}

// token asks the token endpoint for something, as a client that uses Basic.
func (w *walk) token(client string, form url.Values) tokens {
	w.Helper()
	req, err := http.NewRequest("POST", w.rp.endpoint("/token"), strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, client+"-secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	if h := resp.Header; h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" { // RFC 6749, section 5.1
		w.Errorf("token answer: headers %v", h)
	}
	return readTokens(w.T, resp)
}

// check makes the suite's checks of a token answer, its ID token and userinfo,
// and returns the ID token's claims.
func (w *walk) check(tok tokens) map[string]any {
	w.Helper()
	if tok.Status != 200 || tok.AccessToken == "" || !strings.Contains(tok.Body, `"token_type":"Bearer"`) || !strings.Contains(tok.Body, `"expires_in":120`) {
		w.Fatalf("token answer: %d %s", tok.Status, tok.Body)
	}
	claims, err := w.rp.verify(w.T, tok.IDToken) // by the published key of its kid
	if err != nil {
		w.Fatal(err)
	}
	half := sha256.Sum256([]byte(tok.AccessToken))
	for name, want := range map[string]any{
		"iss": w.rp.mock.URL + issuerPath, "aud": "carelink", "nonce": "the-nonce", "acr": "eidas1",
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
	} {
		if claims[name] != want {
			w.Errorf("ID token: %s %v, want %v", name, claims[name], want)
		}
	}
	now := float64(w.now.now().Unix())
	if iat, exp, signedIn := number(claims, "iat"), number(claims, "exp"), number(claims, "auth_time"); iat != now || exp <= now || signedIn > now {
		w.Errorf("ID token: iat %v, exp %v, auth_time %v at %v", iat, exp, signedIn, now)
	}
	status, text := w.rp.userinfo(w.T, tok.AccessToken)
	var person map[string]any
	if err := json.Unmarshal([]byte(text), &person); status != 200 || err != nil || person["sub"] != claims["sub"] || person["sub"] == "" {
		w.Errorf("userinfo: %d %s, want sub %v", status, text, claims["sub"])
	}
	return claims
}

func number(claims map[string]any, name string) float64 {
	n, ok := claims[name].(float64)
	if !ok {
		return -1
	}
	return n
}

// passes goes all the way: page, code, tokens, userinfo.
func (w *walk) passes(address string) (tokens, map[string]any) {
	w.Helper()
	tok := w.redeem(w.login(address))
	return tok, w.check(tok)
}

// same asks again in the same browser, is not asked anything, and finds the same
// person at the same moment.
func (w *walk) same(first map[string]any, address string) {
	w.Helper()
	back, _ := w.ask(address)
	if !back.Has("code") {
		w.Fatalf("back with %v, want a code", back)
	}
	second := w.check(w.redeem(back))
	if second["sub"] != first["sub"] || second["auth_time"] != first["auth_time"] {
		w.Errorf("sub and auth_time: %v %v after %v %v", second["sub"], second["auth_time"], first["sub"], first["auth_time"])
	}
}

// later asks again in the same browser and must sign in anew.
func (w *walk) later(first map[string]any, address string) {
	w.Helper()
	_, second := w.passes(address)
	if second["sub"] != first["sub"] || number(second, "auth_time") <= number(first, "auth_time") || number(second, "auth_time") != number(second, "iat") {
		w.Errorf("sub and auth_time: %v %v after %v %v", second["sub"], second["auth_time"], first["sub"], first["auth_time"])
	}
}

// refused expects an error at the client's address, with state and iss and
// nothing to redeem.
func (w *walk) refused(address, code string) {
	w.Helper()
	state, _ := url.Parse(address)
	back, page := w.ask(address)
	if back == nil {
		w.Fatalf("a page instead of a redirect: %.300s", page)
	}
	if back.Get("error") != code || back.Has("code") || back.Get("state") != state.Query().Get("state") || back.Get("iss") != w.rp.mock.URL+issuerPath {
		w.Errorf("back with %v, want error %s", back, code)
	}
}

// shown expects a page with an explanation, and no redirect.
func (w *walk) shown(address, rule string) {
	w.Helper()
	resp, _ := get(w.T, stay(w.browser), address)
	if got := resp.Header.Get("X-Mock-PSC-Error"); resp.StatusCode != 400 || resp.Header.Get("Location") != "" || !strings.Contains(got, rule) {
		w.Errorf("%d to %q with %q, want a page about %q", resp.StatusCode, resp.Header.Get("Location"), got, rule)
	}
}

// overTLS runs a test on the metadata of a provider that is reached by https, as
// the suite demands; NewServer's http serves loopback only.
func overTLS(test func(t *testing.T, p *mockpsc.Server, metadata map[string]any)) func(*testing.T) {
	return func(t *testing.T) {
		p := mockpsc.NewTLSServer(t)
		resp, text := get(t, p.HTTPClient(), p.URL+issuerPath+"/.well-known/openid-configuration")
		var metadata map[string]any
		if err := json.Unmarshal([]byte(text), &metadata); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" || err != nil {
			t.Fatalf("%d %s: %v", resp.StatusCode, resp.Header.Get("Content-Type"), err)
		}
		test(t, p, metadata)
	}
}

// strs reads a list of the metadata; anything else is a fault of it.
func strs(t *testing.T, metadata map[string]any, name string) (list []string) {
	t.Helper()
	values, ok := metadata[name].([]any)
	if !ok {
		t.Fatalf("%s is %v, want a list", name, metadata[name])
	}
	for _, v := range values {
		list = append(list, fmt.Sprint(v))
	}
	return list
}

package auth_test

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
)

// The modules of the OpenID Foundation's certification plans for relying parties,
// each a subtest by the suite's own name. The provider is the mock, by https, and
// what a module changes of its answers is changed on their way. Where the suite
// lets a client choose, the subtest says what this one does.

// runPlan runs a plan's modules in their order, and fails for one that has no
// test and for a test that belongs to no module.
func runPlan(t *testing.T, names string, modules map[string]func(*suite)) {
	t.Helper()
	planned := map[string]bool{}
	for _, name := range strings.Fields(names) {
		planned[name] = true
		if modules[name] == nil {
			t.Errorf("module %s has no test", name)
			continue
		}
		t.Run(name, func(t *testing.T) { modules[name](newSuite(t)) })
	}
	for name := range modules {
		if !planned[name] {
			t.Errorf("no module is called %s", name)
		}
	}
}

// suite is an app and the mock, both by https, and the line between them, which
// the modules bend.
type suite struct {
	*testing.T
	psc     *mockpsc.Server
	app     *httptest.Server
	rp      *auth.RelyingParty
	cfg     auth.Config
	clock   *clock
	users   *countingUsers
	trust   *http.Transport // reaches app and mock
	browser *http.Client

	asked []received // what the app sent to the provider

	// Lies. With a key, ID tokens are signed anew by it, after the patches, and
	// the published set is keys.
	key              *rsa.PrivateKey
	header, claims   map[string]any
	unsigned, broken bool
	keys             string
	keysAt           string // where the set is, in place of jwks_uri's
	metadata         map[string]any
	userinfo         map[string]any
	before           map[string]func() // run as that path is asked for
}

// received is a request that the app sent to the provider.
type received struct {
	method, path, query string
	header              http.Header
	form                url.Values
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{T: t, psc: mockpsc.NewTLSServer(t), clock: newClock(), users: &countingUsers{},
		header: map[string]any{}, claims: map[string]any{}, before: map[string]func(){}}
	s.psc.Now = s.clock.Now
	s.app = httptest.NewUnstartedServer(nil)
	s.app.StartTLS()
	t.Cleanup(s.app.Close)
	s.trust = s.psc.HTTPClient().Transport.(*http.Transport)
	s.trust.TLSClientConfig.RootCAs.AddCert(s.app.Certificate())
	t.Cleanup(s.trust.CloseIdleConnections)
	s.cfg = auth.Config{
		Provider: psc.At(s.psc.URL), ClientID: "carelink", ClientSecret: "carelink-secret",
		RedirectURL: s.app.URL + "/auth/callback", Secrets: [][]byte{testSecret},
		Users: s.users, Now: s.clock.Now, Logger: quiet(),
		HTTPClient: &http.Client{Transport: s},
	}
	s.start()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.browser = &http.Client{Jar: jar, Transport: navigatingOver{s.trust}}
	return s
}

// start makes a new relying party, which has read nothing yet.
func (s *suite) start() {
	s.Helper()
	rp, err := auth.New(s.cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.rp = rp
	s.app.Config.Handler = rp.Handler(rp.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := auth.SessionFromContext(r.Context())
		io.WriteString(w, "signed in as "+who.Name())
	})))
}

type navigatingOver struct{ http.RoundTripper }

func (n navigatingOver) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return n.RoundTripper.RoundTrip(r)
}

// RoundTrip is the line from the app to the mock.
func (s *suite) RoundTrip(r *http.Request) (*http.Response, error) {
	last := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	c := received{method: r.Method, path: last, query: r.URL.RawQuery, header: r.Header.Clone()}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		c.form, _ = url.ParseQuery(string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	s.asked = append(s.asked, c)
	if f := s.before[last]; f != nil {
		f()
	}
	if last == cmp.Or(s.keysAt, "certs") && s.keys != "" {
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "application/json")
		rec.WriteString(s.keys)
		return rec.Result(), nil
	}
	resp, err := s.trust.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	switch {
	case last == "wallet-openid-configuration" && s.metadata != nil:
		body = patched(body, s.metadata)
	case last == "userinfo" && s.userinfo != nil:
		body = patched(body, s.userinfo)
	case last == "token" && s.key != nil:
		token, _ := members(body)["id_token"].(string)
		body = patched(body, map[string]any{"id_token": s.signAnew(token)})
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// patched returns a document with members changed; nil removes one.
func patched(doc []byte, changes map[string]any) []byte {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(doc, &m); err != nil {
		return doc
	}
	for name, v := range changes {
		if v == nil {
			delete(m, name)
			continue
		}
		m[name], _ = json.Marshal(v)
	}
	out, _ := json.Marshal(m)
	return out
}

func (s *suite) signAnew(token string) string {
	parts := strings.Split(token, ".")
	header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	claims, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	if err1 != nil || err2 != nil {
		return token
	}
	text := b64(patched(header, s.header)) + "." + b64(patched(claims, s.claims))
	signature := sign(s.key, text)
	switch {
	case s.unsigned:
		signature = nil
	case s.broken:
		signature[len(signature)/2] ^= 1
	}
	return text + "." + b64(signature)
}

// lie signs ID tokens by a key that the set publishes as k1, under kid k1.
func (s *suite) lie() {
	s.key = signingKey()
	s.header["kid"] = "k1"
	s.keys = keySet(jwk(&s.key.PublicKey, map[string]any{"kid": "k1", "use": "sig", "alg": "RS256"}))
}

// count returns how often the provider was asked for a path that ends so.
func (s *suite) count(path string) (n int) {
	for _, c := range s.asked {
		if c.path == path {
			n++
		}
	}
	return n
}

// last returns the latest of those calls.
func (s *suite) last(path string) received {
	s.Helper()
	for _, c := range slices.Backward(s.asked) {
		if c.path == path {
			return c
		}
	}
	s.Fatalf("the provider was never asked for %s", path)
	return received{}
}

// signIn signs Dr Dupont in and goes to the app's page.
func (s *suite) signIn() (status int, text string) {
	s.Helper()
	resp, err := s.psc.SignIn(s.browser, s.app.URL+"/auth/login?return_to=/patients", "dr-dupont")
	if err != nil {
		s.Fatal(err)
	}
	return s.read(resp)
}

func (s *suite) read(resp *http.Response) (int, string) {
	s.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (s *suite) get(c *http.Client, address string) (*http.Response, string) {
	s.Helper()
	resp, err := c.Get(address)
	if err != nil {
		s.Fatal(err)
	}
	_, text := s.read(resp)
	return resp, text
}

func (s *suite) hasSession() bool {
	u, _ := url.Parse(s.app.URL)
	return slices.ContainsFunc(s.browser.Jar.Cookies(u), func(c *http.Cookie) bool { return strings.Contains(c.Name, "psc_session") && c.Value != "" })
}

// accepts signs in and must succeed; so must the calls that lead there.
func (s *suite) accepts() {
	s.Helper()
	before := s.count("userinfo")
	status, text := s.signIn()
	if status != 200 || !strings.HasPrefix(text, "signed in as Jean") || !s.hasSession() || s.count("userinfo") != before+1 {
		s.Fatalf("got %d %.300s after %d calls of userinfo", status, text, s.count("userinfo"))
	}
	for _, c := range s.asked {
		if strings.Contains(c.query, "token") { // implicit in every module
			s.Errorf("%s was asked for with ?%s", c.path, c.query)
		}
	}
}

// rejects signs in and must fail, with nothing kept, and without a call of
// userinfo unless it is userinfo that lies.
func (s *suite) rejects(reads int) {
	s.Helper()
	before := s.count("userinfo")
	status, text := s.signIn()
	if status != 401 && status != 502 || s.hasSession() || s.users.n != 0 || !referenceForm.MatchString(text) {
		s.Errorf("got %d, session %v, %d users: %.300s", status, s.hasSession(), s.users.n, text)
	}
	if n := s.count("userinfo") - before; n != reads {
		s.Errorf("userinfo was asked %d times, want %d", n, reads)
	}
	if n := s.count("token"); n != 1 {
		s.Errorf("the code was sent %d times", n)
	}
}

// bad is a module that makes the ID token wrong in one way.
func bad(change func(s *suite)) func(*suite) {
	return func(s *suite) {
		s.lie()
		change(s)
		s.rejects(0)
	}
}

// A module that re-signs would prove nothing if its tokens were never accepted.
func TestTheSuiteItselfIsHonest(t *testing.T) {
	s := newSuite(t)
	s.lie()
	s.accepts()
}

func withoutSignature(s *suite) { s.header["alg"], s.unsigned = "none", true }

// oidcc-client-basic-certification-test-plan: response_type code,
// client_secret_basic.
func TestConformanceBasicRP(t *testing.T) {
	runPlan(t, `
		oidcc-client-test
		oidcc-client-test-invalid-iss
		oidcc-client-test-missing-sub
		oidcc-client-test-invalid-aud
		oidcc-client-test-missing-iat
		oidcc-client-test-kid-absent-single-jwks
		oidcc-client-test-kid-absent-multiple-jwks
		oidcc-client-test-idtoken-sig-rs256
		oidcc-client-test-idtoken-sig-none
		oidcc-client-test-invalid-sig-rs256
		oidcc-client-test-userinfo-invalid-sub
		oidcc-client-test-nonce-invalid
		oidcc-client-test-scope-userinfo-claims
		oidcc-client-test-client-secret-basic`,
		map[string]func(*suite){
			"oidcc-client-test": func(s *suite) {
				resp, _ := s.get(stay(s.browser), s.app.URL+"/auth/login?return_to=/patients")
				to, err := resp.Location()
				if err != nil {
					s.Fatal(err)
				}
				q := to.Query()
				if scopes := strings.Fields(q.Get("scope")); !slices.Contains(scopes, "openid") || q.Get("response_type") != "code" || q.Get("client_id") != "carelink" ||
					q.Get("redirect_uri") != s.app.URL+"/auth/callback" || !strings.HasPrefix(q.Get("redirect_uri"), "https://") ||
					len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 || q.Get("code_challenge_method") != "S256" {
					s.Errorf("authorization request %s", to)
				}
				if resp, err := s.psc.SignIn(s.browser, to.String(), "dr-dupont"); err != nil {
					s.Fatal(err)
				} else if status, text := s.read(resp); status != 200 || !strings.Contains(text, "DUPONT") {
					s.Errorf("got %d %.300s", status, text)
				}
				c := s.last("token")
				sum := sha256.Sum256([]byte(c.form.Get("code_verifier")))
				id, secret, _ := (&http.Request{Header: c.header}).BasicAuth()
				if c.method != "POST" || c.form.Get("grant_type") != "authorization_code" || c.form.Get("code") == "" || c.form.Get("redirect_uri") != q.Get("redirect_uri") ||
					b64(sum[:]) != q.Get("code_challenge") || id != "carelink" || secret != "carelink-secret" || c.form.Has("client_secret") {
					s.Errorf("token request %s %v as %q", c.method, slices.Sorted(maps.Keys(c.form)), id)
				}
				if c := s.last("userinfo"); !strings.HasPrefix(c.header.Get("Authorization"), "Bearer ") || c.query != "" || len(c.form) > 0 {
					s.Errorf("userinfo was asked for with %q and ?%s", c.method, c.query)
				}
			},
			"oidcc-client-test-invalid-iss": bad(func(s *suite) { s.claims["iss"] = s.cfg.Provider.Issuer + "/" }),
			"oidcc-client-test-missing-sub": bad(func(s *suite) { s.claims["sub"] = nil }),
			"oidcc-client-test-invalid-aud": func(s *suite) {
				for _, aud := range []any{"other", []string{"other"}, []string{"carelink", "other"}} { // the last one the suite would let pass with an azp
					s := newSuite(s.T)
					s.lie()
					s.claims["aud"] = aud
					s.rejects(0)
				}
			},
			"oidcc-client-test-missing-iat": bad(func(s *suite) { s.claims["iat"] = nil }),
			"oidcc-client-test-kid-absent-single-jwks": func(s *suite) {
				s.lie()
				s.header["kid"] = nil
				s.keys = keySet(jwk(&s.key.PublicKey, nil))
				s.accepts()
			},
			// The suite lets a client reject it, or try them all: all are tried.
			"oidcc-client-test-kid-absent-multiple-jwks": func(s *suite) {
				s.lie()
				s.header["kid"] = nil
				other := jwk(&otherKey().PublicKey, nil)
				s.keys = keySet(other, jwk(&s.key.PublicKey, nil))
				s.accepts()

				s = newSuite(s.T) // and none of them fits
				s.lie()
				s.header["kid"] = nil
				s.keys = keySet(other, other)
				s.rejects(0)
			},
			"oidcc-client-test-idtoken-sig-rs256": (*suite).accepts, // the mock's own
			// The suite passes a client that takes such a token in the code flow, or skips.
			"oidcc-client-test-idtoken-sig-none": bad(withoutSignature),
			// The suite lets a client of the code flow rely on TLS instead.
			"oidcc-client-test-invalid-sig-rs256": bad(func(s *suite) { s.broken = true }),
			// The suite only watches.
			"oidcc-client-test-userinfo-invalid-sub": func(s *suite) {
				s.userinfo = map[string]any{"sub": "f:x:899999009998"}
				s.rejects(1)
			},
			"oidcc-client-test-nonce-invalid": func(s *suite) {
				for _, nonce := range []any{strings.Repeat("A", 43), "", nil, 0} {
					s := newSuite(s.T)
					s.lie()
					s.claims["nonce"] = nonce
					s.rejects(0)
				}
			},
			// The person is who userinfo says, whatever names the ID token has.
			"oidcc-client-test-scope-userinfo-claims": func(s *suite) {
				s.lie()
				s.claims["given_name"], s.claims["family_name"] = "Somebody", "ELSE"
				s.userinfo = map[string]any{"given_name": "Jeanne"}
				s.accepts()
				if got := s.users.last; got.GivenName != "Jeanne" || got.FamilyName != "DUPONT" || got.NationalID.RPPS() != "99999001011" {
					s.Errorf("the store was told of %q %q", got.GivenName, got.FamilyName)
				}
			},
			"oidcc-client-test-client-secret-basic": func(s *suite) {
				const secret = "s:e c%r+e/t=&é"
				s.psc.Clients = []mockpsc.Client{{ID: "care/link", Secret: secret, RedirectURIs: []string{s.cfg.RedirectURL}}}
				s.cfg.ClientID, s.cfg.ClientSecret = "care/link", secret
				s.start()
				s.accepts()
				id, password, _ := (&http.Request{Header: s.last("token").header}).BasicAuth()
				if id != url.QueryEscape("care/link") || password != url.QueryEscape(secret) { // RFC 6749 2.3.1
					s.Errorf("authenticated as %q", id)
				}
			},
		})
}

// oidcc-client-config-certification-test-plan.
func TestConformanceConfigRP(t *testing.T) {
	runPlan(t, `
		oidcc-client-test-discovery-openid-config
		oidcc-client-test-discovery-jwks-uri-keys
		oidcc-client-test-discovery-issuer-mismatch
		oidcc-client-test-idtoken-sig-none
		oidcc-client-test-signing-key-rotation-just-before-signing
		oidcc-client-test-signing-key-rotation`,
		map[string]func(*suite){
			"oidcc-client-test-discovery-openid-config": func(s *suite) {
				s.accepts()
				if s.count("wallet-openid-configuration") != 1 || s.asked[0].path != "wallet-openid-configuration" {
					s.Errorf("the metadata was read %d times; first came %s", s.count("wallet-openid-configuration"), s.asked[0].path)
				}
			},
			"oidcc-client-test-discovery-jwks-uri-keys": func(s *suite) {
				s.lie()
				s.keysAt = "keys-of-this-run"
				s.metadata = map[string]any{"jwks_uri": s.cfg.Provider.Issuer + "/" + s.keysAt}
				s.accepts()
				if s.count(s.keysAt) != 1 || s.count("certs") != 0 {
					s.Errorf("%d readings where the metadata says, %d where it was before", s.count(s.keysAt), s.count("certs"))
				}
			},
			"oidcc-client-test-discovery-issuer-mismatch": func(s *suite) {
				for _, issuer := range []string{"https://evil.example", s.cfg.Provider.Issuer + "/", strings.ToUpper(s.cfg.Provider.Issuer), ""} {
					s := newSuite(s.T)
					s.metadata = map[string]any{"issuer": issuer}
					resp, text := s.get(stay(s.browser), s.app.URL+"/auth/login")
					if resp.StatusCode != 502 || resp.Header.Get("Location") != "" || !referenceForm.MatchString(text) || len(s.asked) != 1 {
						s.Errorf("issuer %q: got %d to %q after %d calls", issuer, resp.StatusCode, resp.Header.Get("Location"), len(s.asked))
					}
				}
			},
			"oidcc-client-test-idtoken-sig-none": bad(withoutSignature),
			"oidcc-client-test-signing-key-rotation-just-before-signing": func(s *suite) {
				s.accepts() // the keys are known
				s.before["token"] = s.psc.RotateKeys
				s.accepts()
				if n := s.count("certs"); n != 2 {
					s.Errorf("the keys were read %d times, want 2", n)
				}
			},
			"oidcc-client-test-signing-key-rotation": func(s *suite) {
				s.accepts()
				s.psc.RotateKeys()
				s.psc.WithdrawKeys()
				s.accepts()
				if n := s.count("certs"); n != 2 {
					s.Errorf("the keys were read %d times, want 2", n)
				}
			},
		})
}

var onward = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`)

// signOut clicks on the sign-out, and returns the page that leads on to PSC with
// the address.
func (s *suite) signOut() *url.URL {
	s.Helper()
	resp, err := s.browser.PostForm(s.app.URL+"/auth/logout", nil)
	if err != nil {
		s.Fatal(err)
	}
	_, page := s.read(resp)
	found := onward.FindStringSubmatch(page)
	if found == nil || s.hasSession() {
		s.Fatalf("session %v, %d %.500s", s.hasSession(), resp.StatusCode, page)
	}
	to, err := url.Parse(html.UnescapeString(found[1]))
	if err != nil {
		s.Fatal(err)
	}
	return to
}

// leave goes to PSC's end_session_endpoint and returns where it sends back to.
func (s *suite) leave(to *url.URL) *url.URL {
	s.Helper()
	resp, page := s.get(stay(s.browser), to.String())
	back, err := resp.Location()
	if err != nil {
		s.Fatalf("%d %s %.300s", resp.StatusCode, resp.Header.Get("X-Mock-PSC-Error"), page)
	}
	return back
}

// lands comes back from PSC, signed out and without an error, whatever the state.
func (s *suite) lands(back *url.URL) {
	s.Helper()
	resp, page := s.get(s.browser, back.String())
	if resp.StatusCode != 200 || resp.Request.URL.Path != "/auth/signed-out" || referenceForm.MatchString(page) || s.hasSession() {
		s.Errorf("got %d at %s, session %v: %.300s", resp.StatusCode, resp.Request.URL, s.hasSession(), page)
	}
	if resp, _ := s.get(stay(s.browser), s.app.URL+"/patients"); resp.StatusCode != 303 {
		s.Errorf("the app's page afterwards: %d", resp.StatusCode)
	}
}

// oidcc-client-rp-initiated-logout-rp-basic.
func TestConformanceRPInitiatedLogoutRP(t *testing.T) {
	runPlan(t, `
		oidcc-client-test-rp-init-logout
		oidcc-client-test-rp-init-logout-other-state
		oidcc-client-test-rp-init-logout-no-state`,
		map[string]func(*suite){
			"oidcc-client-test-rp-init-logout": func(s *suite) {
				s.accepts()
				u, _ := url.Parse(s.app.URL)
				saved := s.browser.Jar.Cookies(u)
				to := s.signOut()
				q := to.Query()
				if to.Host != strings.TrimPrefix(s.psc.URL, "https://") || q.Get("client_id") != "carelink" || q.Get("post_logout_redirect_uri") != s.app.URL+"/auth/signed-out" ||
					len(q.Get("state")) < 43 || strings.Count(q.Get("id_token_hint"), ".") != 2 {
					s.Errorf("end session request to %s%s with %v", to.Host, to.Path, slices.Sorted(maps.Keys(q)))
				}
				// The session is over here before PSC has heard of it.
				replay, _ := http.NewRequest("GET", s.app.URL+"/patients", nil)
				for _, c := range saved {
					replay.AddCookie(c)
				}
				if resp, err := s.trust.RoundTrip(replay); err != nil {
					s.Fatal(err)
				} else if status, text := s.read(resp); status != 401 {
					s.Errorf("the saved cookie got %d %s", status, text)
				}
				back := s.leave(to)
				if back.Query().Get("state") != q.Get("state") {
					s.Errorf("back with %s", back)
				}
				s.lands(back)
			},
			"oidcc-client-test-rp-init-logout-other-state": func(s *suite) {
				s.accepts()
				back := s.leave(s.signOut())
				back.RawQuery = url.Values{"state": {`"><script>other</script>`}}.Encode()
				s.lands(back)
			},
			"oidcc-client-test-rp-init-logout-no-state": func(s *suite) {
				s.psc.Assume.OmitLogoutState = true
				s.accepts()
				back := s.leave(s.signOut())
				if back.Query().Has("state") {
					s.Fatalf("back with %s", back)
				}
				s.lands(back)
			},
		})
}

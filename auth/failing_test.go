package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// refusingSessions is a store whose writes fail on demand.
type refusingSessions struct {
	auth.SessionStore
	save, end error
}

func (s *refusingSessions) SaveSession(ctx context.Context, rec auth.SessionRecord) error {
	if s.save != nil {
		return s.save
	}
	return s.SessionStore.SaveSession(ctx, rec)
}

func (s *refusingSessions) EndSession(ctx context.Context, id string, until time.Time) error {
	if s.end != nil {
		return s.end
	}
	return s.SessionStore.EndSession(ctx, id, until)
}

func TestASessionThatTheStoreRefusesIsNone(t *testing.T) {
	sessions := &refusingSessions{save: errors.New("disk full")}
	w := newWorld(t, func(c *auth.Config) { sessions.SessionStore, c.Sessions = c.Sessions, sessions })
	c := w.browser()
	got := w.signIn(c, "dr-dupont")
	if got.StatusCode != 503 || w.cookie(c, "psc_session") != "" || strings.Contains(got.Text, "disk full") || !strings.Contains(w.logs.String(), "disk full") {
		t.Errorf("got %s and the cookie %q", got.Status, w.cookie(c, "psc_session"))
	}
	sessions.save = nil
	if got := w.signIn(c, "dr-dupont"); got.StatusCode != 200 {
		t.Errorf("once the store is back: %s", got.Status)
	}
}

func TestASecondSignInEndsTheFirstEvenIfTheStoreCannotNoteIt(t *testing.T) {
	sessions := &refusingSessions{}
	w := newWorld(t, func(c *auth.Config) { sessions.SessionStore, c.Sessions = c.Sessions, sessions })
	c := w.browser()
	w.signIn(c, "dr-dupont")
	name, old := w.sessionCookieName(), w.cookie(c, "psc_session")
	sessions.end = errors.New("disk full")
	got := w.read(w.psc.SignIn(c, w.url+"/app/auth/login?prompt=login&return_to=/patients", "dr-martin"))
	if got.StatusCode != 200 || w.cookie(c, "psc_session") == old {
		t.Fatalf("the second sign-in got %s", got.Status)
	}
	if got := w.get(program(), "/patients", "Cookie", name+"="+old); got.StatusCode != 401 {
		t.Errorf("the first session got %s", got.Status)
	}
	if !strings.Contains(w.logs.String(), "cannot end the session before this one") {
		t.Error("the operator is told nothing")
	}
}

func TestATokenWithoutACR(t *testing.T) {
	for _, tt := range []struct {
		name   string
		acr    any
		accept bool
		ok     bool
	}{
		{"none, and that is accepted", nil, true, true},
		{"none, and that is not accepted", nil, false, false},
		{"an empty one, and a missing one is accepted", "", true, true}, // Keycloak's way to say none
		{"a weak one, and a missing one is accepted", "0", true, false},
		{"of blanks, and a missing one is accepted", " ", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			h.restart(func(c *auth.Config) { c.AcceptMissingACR = tt.accept })
			h.claims["acr"] = tt.acr
			if rec, in := h.signIn(); in != tt.ok {
				t.Errorf("got %d, session %v", rec.Code, in)
			}
		})
	}
}

func TestManyKeysOfPSCs(t *testing.T) {
	junk := strings.Repeat(`{"kty":"EC","kid":"k1"},`, 31)
	good := `,` + jwk(&signingKey().PublicKey, map[string]any{"kid": "k1"})
	for _, tt := range []struct {
		name, keys string
		ok         bool
	}{
		{"the signer's is the 32nd", `{"keys":[` + junk + good[1:] + `]}`, true},
		{"the signer's is the 33rd, which nobody looks at", `{"keys":[` + junk + `{}` + good + `]}`, false},
		{"members nobody knows stand around", `{"x":[1],"keys":[null` + good + `],"y":{"keys":[]}}`, true},
		{"one key is no JSON", `{"keys":[{"kty":"RSA",` + good + `]}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			h.keys = tt.keys
			if rec, in := h.signIn(); in != tt.ok {
				t.Errorf("got %d, session %v", rec.Code, in)
			}
		})
	}
}

// What PSC answers instead of a code, each with the page that fits.
func TestErrorsOfPSCs(t *testing.T) {
	for _, tt := range []struct {
		code   string
		status int
		page   string
	}{
		{"access_denied", 400, "annulé"},
		{"login_required", 400, "annulé"},
		{"server_error", 503, "ne répond pas"},
		{"temporarily_unavailable", 503, "ne répond pas"},
		{"invalid_scope", 400, "Réponse de Pro Santé Connect refusée"},
		{"unheard_of", 400, "Réponse de Pro Santé Connect refusée"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			h := newHostile(t)
			l := &logs{}
			h.restart(func(c *auth.Config) { c.Logger = textLogger(l) })
			login, state := h.begin()
			r := navigation("/auth/callback?error=" + tt.code + "&state=" + state)
			r.AddCookie(login.Result().Cookies()[0])
			rec, in := h.end(r)
			if in || rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.page) || h.count("token") != 0 {
				t.Errorf("got %d, %d exchanges: %s", rec.Code, h.count("token"), rec.Body)
			}
			if known := tt.code != "unheard_of"; strings.Contains(l.String(), tt.code) != known {
				t.Errorf("the log: %s", l)
			}
		})
	}
}

// The person has just typed their code again, and PSC's session is still about to
// end: asking a third time would be a circle.
func TestAnIdentificationThatIsOldAtOnceIsRefused(t *testing.T) {
	h := newHostile(t)
	old := h.clock.Now().Add(-4 * time.Hour).Unix()
	h.claims["auth_time"] = old
	rec, in := h.signIn()
	if to := rec.Header().Get("Location"); in || rec.Code != 303 || to != "/auth/login?prompt=login&return_to=%2Fx" {
		t.Fatalf("got %d to %q", rec.Code, to)
	}
	h.loginQuery = "&prompt=login"
	if rec, in := h.signIn(); in || rec.Code != 401 {
		t.Errorf("with prompt=login: got %d", rec.Code)
	}
}

func TestASignOutAddressWithAQuery(t *testing.T) {
	h := newHostile(t)
	h.metadata["end_session_endpoint"] = h.server.URL + "/auth/realms/esante-wallet/logout?realm=x"
	rec, in := h.signIn()
	if !in {
		t.Fatalf("got %d", rec.Code)
	}
	bye := h.signOut(rec)
	u, err := url.Parse(fmt.Sprint(members(bye.Body.Bytes())["logout_url"]))
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("realm") != "x" || q.Get("client_id") != "client" || q.Get("id_token_hint") == "" {
		t.Errorf("leads to %s with %d parameters", u.Path, len(q))
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	h := newHostile(t)
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/auth/login", "GET"},
		{"HEAD", "/auth/login", "GET"}, // it would begin a sign-in that nobody ends
		{"PUT", "/auth/logout", "GET, HEAD, POST"},
		{"DELETE", "/auth/session", "GET, HEAD, POST"},
		{"POST", "/auth/signed-out", "GET, HEAD"},
	} {
		rec := httptest.NewRecorder()
		h.rp.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, nil))
		if rec.Code != 405 || rec.Header().Get("Allow") != tt.allow || len(rec.Result().Cookies()) != 0 {
			t.Errorf("%s %s got %d, Allow %q", tt.method, tt.path, rec.Code, rec.Header().Get("Allow"))
		}
	}
	if len(h.calls) != 0 {
		t.Errorf("PSC was asked: %v", h.calls)
	}
}

// A certificate that cannot be had, such as one on a card that was pulled, costs
// the sign-in an explained page.
func TestAClientCertificateThatIsGone(t *testing.T) {
	s := newSuite(t)
	cert := s.psc.ClientCertificate("carelink")
	gone := false
	s.cfg.ClientSecret, s.cfg.HTTPClient = "", s.psc.HTTPClient()
	s.cfg.ClientCertificate = func() (*tls.Certificate, error) {
		if gone {
			return nil, errors.New("no card in the reader")
		}
		return &cert, nil
	}
	s.start()
	gone = true
	resp, page := s.get(stay(s.browser), s.app.URL+"/auth/login")
	if resp.StatusCode != 503 || !referenceForm.MatchString(page) || strings.Contains(page, "in the reader") {
		t.Errorf("got %d %.300s", resp.StatusCode, page)
	}
	gone = false
	s.clock.Advance(2 * time.Second)
	if resp, _ := s.get(stay(s.browser), s.app.URL+"/auth/login"); resp.StatusCode != 303 {
		t.Errorf("once it is back: %d", resp.StatusCode)
	}
}

// What a person's name holds is text on every page of ours.
func TestANameThatIsMarkup(t *testing.T) {
	const name = `<img src=x onerror=alert(1)>`
	h := newHostile(t)
	h.userinfo = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"` + name + `","family_name":"\u0022><script>alert(1)</script>"}`
	h.restart(func(c *auth.Config) {
		c.Authorize = func(context.Context, auth.SignIn) (auth.Grant, error) {
			return auth.Grant{}, &auth.Refusal{French: "Vous n'êtes pas de la maison <b>.", English: "You are not of the house <b>."}
		}
	})
	rec, in := h.signIn()
	body := rec.Body.String()
	if in || rec.Code != 403 || !strings.Contains(body, "&lt;img src=x") {
		t.Fatalf("got %d, session %v: %s", rec.Code, in, body)
	}
	for _, markup := range []string{"<img", "<script>alert", "<b>"} {
		if strings.Contains(body, markup) {
			t.Errorf("the page holds %s", markup)
		}
	}
	if csp := rec.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe-inline") {
		t.Errorf("CSP %q", csp)
	}
}

// Nothing that a proxy, or whoever plays one, puts into headers moves an address.
func TestForwardedHeadersMoveNothing(t *testing.T) {
	h := newHostile(t)
	answer := func(headers ...string) *httptest.ResponseRecorder {
		r := navigation("http://app.example/auth/login?return_to=/x")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		if host := r.Header.Get("Host"); host != "" {
			r.Host = host
		}
		rec := httptest.NewRecorder()
		h.rp.ServeHTTP(rec, r)
		return rec
	}
	want := answer()
	to, _ := url.Parse(want.Header().Get("Location"))
	for _, headers := range [][]string{
		{"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "http"}, {"Forwarded", "host=evil.example;proto=http"},
		{"Host", "evil.example"}, {"X-Forwarded-Prefix", "/evil"}, {"X-Original-URL", "/evil"}, {"X-Rewrite-Url", "/evil"},
	} {
		got := answer(headers...)
		u, _ := url.Parse(got.Header().Get("Location"))
		if got.Code != 303 || u.Host != to.Host || u.Path != to.Path || u.Query().Get("redirect_uri") != "https://app.example/auth/callback" {
			t.Errorf("%v: %d to %s", headers, got.Code, u)
		}
		if c := got.Result().Cookies()[0]; !c.Secure || !strings.HasPrefix(c.Name, "__Host-") || c.Domain != "" {
			t.Errorf("%v: cookie %s", headers, c)
		}
	}
}

// Two providers, such as sandbox and production, under one app: what one began
// the other does not end, though both may use the same kid.
func TestASignInEndsAtTheProviderWhereItBegan(t *testing.T) {
	a, b := newHostile(t), newHostile(t)
	b.key = otherKey()
	b.keys = keySet(jwk(&b.key.PublicKey, map[string]any{"kid": "k1"}))
	login, state := a.begin()
	r := navigation("/auth/callback?code=c&state=" + state)
	for _, c := range login.Result().Cookies() {
		r.AddCookie(c)
	}
	if rec, in := b.end(r); in || b.count("token") != 0 {
		t.Errorf("got %d, session %v, %d exchanges", rec.Code, in, b.count("token"))
	}
	// Nor does a token of the one pass at the other, whatever names it.
	b.nonce = "n"
	token := b.idToken(a.cfg.Provider.Issuer)
	a.mangle = func(string) string { return token }
	if rec, in := a.signIn(); in {
		t.Errorf("a token signed by the other provider got %d", rec.Code)
	}
	if _, in := b.signIn(); !in {
		t.Error("the other provider's own sign-in was refused")
	}
}

// A provider that cannot prove by TLS that it is PSC is told nothing, not even
// which app asks.
func TestWhoSpeaksForPSCMustProveIt(t *testing.T) {
	for _, tt := range []struct {
		name string
		tls  *tls.Config
		says string
	}{
		{"a certificate that nobody vouches for", nil, "x509: certificate signed by unknown authority"},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
			server.TLS = tt.tls
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			h, l := newHostile(t), &logs{}
			h.restart(func(c *auth.Config) { c.Provider, c.HTTPClient, c.Logger = psc.At(server.URL), nil, textLogger(l) })
			rec, in := h.signIn()
			if in || rec.Code != 503 || !strings.Contains(l.String(), tt.says) {
				t.Errorf("got %d, session %v: %s", rec.Code, in, l)
			}
		})
	}
}

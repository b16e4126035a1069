package mockpsc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
	"github.com/pscauth/pscauth/store/sqlite"
)

// The application of a reader: package auth, pointed at https by HTTPClient.
func TestSignInOverTLS(t *testing.T) {
	p := mockpsc.NewTLSServer(t)
	if !strings.HasPrefix(p.URL, "https://127.0.0.1:") {
		t.Fatalf("URL %q", p.URL)
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, trusting := range []bool{true, false} {
		app := httptest.NewUnstartedServer(nil)
		cfg := auth.Config{
			Provider: psc.At(p.URL), ClientID: "carelink", ClientSecret: "carelink-secret",
			RedirectURL: "http://" + app.Listener.Addr().String() + "/auth/callback",
			Secrets:     [][]byte{[]byte(strings.Repeat("0123456789", 4))},
			Users:       db, Sessions: db, Logger: slog.New(slog.DiscardHandler),
		}
		if trusting {
			cfg.HTTPClient = p.HTTPClient()
		}
		rp, err := auth.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		app.Config.Handler = rp.Handler(rp.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := auth.SessionFromContext(r.Context())
			fmt.Fprint(w, s.Name())
		})))
		app.Start()
		defer app.Close()

		resp, err := p.SignIn(p.HTTPClient(), app.URL+"/auth/login?return_to=/", "dr-dupont")
		if !trusting {
			if err == nil && resp.StatusCode == 200 {
				t.Error("an application that does not trust the CA signs people in")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, resp); resp.StatusCode != 200 || got != "Dr Jean DUPONT" {
			t.Errorf("got %d %q", resp.StatusCode, got)
		}
	}
}

func TestNobodyElseTrustsTheCA(t *testing.T) {
	p := mockpsc.NewTLSServer(t)
	if _, err := http.Get(p.URL); err == nil {
		t.Error("the default client trusts the mock")
	}
	resp, err := p.HTTPClient().Get(strings.Replace(p.URL, "127.0.0.1", "localhost", 1))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	issuer := resp.TLS.PeerCertificates[0].Issuer.CommonName
	if issuer != "mockpsc – simulateur, ne pas installer en production" {
		t.Errorf("issuer %q", issuer)
	}
}

// tlsParty is a server with clients that authenticate by certificate, and a
// way to get codes from it.
type tlsParty struct {
	*mockpsc.Server
	offset atomic.Int64 // of its clock
}

const (
	tlsRedirect = "http://127.0.0.1:1/callback"
	byDN        = "CN=agenda,OU=1990000009,O=Structure fictive,C=FR"
)

func newTLSParty(t testing.TB) *tlsParty {
	p := &tlsParty{Server: mockpsc.NewTLSServer(t)}
	p.Now = func() time.Time { return time.Now().Add(time.Duration(p.offset.Load())) }
	p.Clients = []mockpsc.Client{
		{ID: "by-cn", TLSClientAuth: true, RedirectURIs: []string{tlsRedirect}},
		{ID: "by-dn", TLSClientAuth: true, CertificateDN: byDN, RedirectURIs: []string{tlsRedirect}},
		{ID: "by-secret", Secret: "s3cret", RedirectURIs: []string{tlsRedirect}},
		{ID: "bound", TLSClientAuth: true, CertificateBoundTokens: true, RedirectURIs: []string{tlsRedirect}},
	}
	return p
}

// form is a token request with a fresh code.
func (p *tlsParty) form(t *testing.T, clientID string) url.Values {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	c := p.HTTPClient()
	c.Jar = newBrowser(t).Jar
	resp, err := c.Get(p.URL + "/auth?" + url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {tlsRedirect}, "scope": {"openid scope_all"},
		"acr_values": {"eidas1"}, "state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_, handle, _ := strings.Cut(body(t, resp), `name="attempt" value="`)
	handle, _, _ = strings.Cut(handle, `"`)
	c = &http.Client{Jar: c.Jar, Transport: c.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err = c.PostForm(p.URL+"/auth/sign-in", url.Values{"attempt": {handle}, "persona": {"dr-dupont"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {tlsRedirect},
		"code_verifier": {verifier}, "client_id": {clientID},
	}
}

// presenting is a client that shows this certificate to whoever asks, even if
// the server says that it will not like it.
func (p *tlsParty) presenting(cert *tls.Certificate) *http.Client {
	c := p.HTTPClient()
	if cert != nil {
		c.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate =
			func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return c
}

func TestTLSClientAuth(t *testing.T) {
	p := newTLSParty(t)
	certificate := func(cn string) *tls.Certificate {
		cert := p.ClientCertificate(cn)
		return &cert
	}
	serverCert, err := p.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		client string
		cert   *tls.Certificate
		change url.Values
		basic  bool
		later  time.Duration
		want   string // in X-Mock-PSC-Error; "" if accepted
	}{
		{name: "CN is the client_id", client: "by-cn", cert: certificate("by-cn")},
		{name: "the declared subject", client: "by-dn", cert: certificate("agenda")},
		{name: "a certificate of no use beside a secret", client: "by-secret", cert: certificate("by-cn"), change: url.Values{"client_secret": {"s3cret"}}},
		{name: "another CN", client: "by-cn", cert: certificate("by-dn"), want: "the CN of the client certificate is 'by-dn', not the client_id 'by-cn'"},
		{name: "CN in another case", client: "by-cn", cert: certificate("By-CN"), want: "the CN"},
		{name: "CN is the client_id, but a subject was declared", client: "by-dn", cert: certificate("by-dn"), want: "the subject of the client certificate is 'CN=by-dn,"},
		{name: "another CA, with the same names", client: "by-cn", cert: foreign(t, "by-cn"), want: "unknown authority"},
		{name: "signed by itself", client: "by-cn", cert: selfSigned(t, "by-cn"), want: "unknown authority"},
		{name: "a certificate for servers", client: "by-cn", cert: &serverCert.Certificates[0], want: "incompatible key usage"},
		{name: "no certificate", client: "by-cn", want: "no client certificate was presented"},
		{name: "no certificate, but an empty secret", client: "by-cn", change: url.Values{"client_secret": {""}}, want: "no secret"},
		{name: "no certificate, but Basic with an empty secret", client: "by-cn", basic: true, want: "no secret"},
		{name: "a certificate and a secret", client: "by-cn", cert: certificate("by-cn"), change: url.Values{"client_secret": {"x"}}, want: "no secret"},
		{name: "a certificate and Basic", client: "by-cn", cert: certificate("by-cn"), basic: true, want: "no secret"},
		{name: "a certificate instead of the secret", client: "by-secret", cert: certificate("by-secret"), want: "client_secret of by-secret"},
		{name: "expired", client: "by-cn", cert: certificate("by-cn"), later: 398 * 24 * time.Hour, want: "expired"},
		{name: "not yet valid", client: "by-cn", cert: certificate("by-cn"), later: -2 * time.Hour, want: "not yet valid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.offset.Store(int64(tt.later))
			defer p.offset.Store(0)
			form := p.form(t, tt.client)
			maps.Copy(form, tt.change)
			req, err := http.NewRequest("POST", p.URL+issuerPath+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.basic {
				req.SetBasicAuth(tt.client, "")
			}
			resp, err := p.presenting(tt.cert).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			rule := resp.Header.Get("X-Mock-PSC-Error")
			tok := readTokens(t, resp)
			if tt.want == "" {
				if tok.Status != 200 {
					t.Errorf("%d %s: %s", tok.Status, tok.Body, rule)
				}
				return
			}
			if !strings.Contains(rule, tt.want) {
				t.Errorf("the rule is %q, want %q", rule, tt.want)
			}
			if tok.Status != 401 || tok.Body != `{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}` {
				t.Errorf("got %d %s", tok.Status, tok.Body)
			}
		})
	}
}

func TestTokensAreBoundToTheCertificateOnDemand(t *testing.T) {
	p := newTLSParty(t)
	cert, other := p.ClientCertificate("bound"), p.ClientCertificate("bound")
	tokenFor := func(client string, cert *tls.Certificate, secret string) tokens {
		form := p.form(t, client)
		if secret != "" {
			form.Set("client_secret", secret)
		}
		resp, err := p.presenting(cert).PostForm(p.URL+issuerPath+"/protocol/openid-connect/token", form)
		if err != nil {
			t.Fatal(err)
		}
		return readTokens(t, resp)
	}
	userinfo := func(tok tokens, cert *tls.Certificate) int {
		req, err := http.NewRequest("GET", p.URL+issuerPath+"/protocol/openid-connect/userinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
		resp, err := p.presenting(cert).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}

	tok := tokenFor("bound", &cert, "")
	var claims struct {
		Cnf map[string]string `json:"cnf"`
	}
	if err := json.Unmarshal([]byte(payload(t, tok.AccessToken)), &claims); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.Certificate[0])
	if want := base64.RawURLEncoding.EncodeToString(sum[:]); len(claims.Cnf) != 1 || claims.Cnf["x5t#S256"] != want {
		t.Errorf("cnf %v, want x5t#S256 %s", claims.Cnf, want)
	}
	if got := userinfo(tok, &cert); got != 200 {
		t.Errorf("userinfo with the certificate: %d", got)
	}
	if got := userinfo(tok, &other); got != 401 {
		t.Errorf("userinfo with another certificate of the same name: %d", got)
	}
	if got := userinfo(tok, nil); got != 401 {
		t.Errorf("userinfo with a stolen token and no certificate: %d", got)
	}
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		want int
	}{
		{"another certificate of the same name", other, 400},
		{"the certificate", cert, 200},
	} {
		resp, err := p.presenting(&tt.cert).PostForm(p.URL+issuerPath+"/protocol/openid-connect/token",
			url.Values{"grant_type": {"refresh_token"}, "client_id": {"bound"}, "refresh_token": {tok.RefreshToken}})
		if err != nil {
			t.Fatal(err)
		}
		if got := readTokens(t, resp); got.Status != tt.want {
			t.Errorf("refresh with %s: %d %s", tt.name, got.Status, got.Body)
		}
	}

	shown := p.ClientCertificate("by-cn")
	for client, free := range map[string]tokens{
		"that asks for nothing":                  tokenFor("by-cn", &shown, ""),
		"with a secret, which shows one as well": tokenFor("by-secret", &shown, "s3cret"),
	} {
		if strings.Contains(payload(t, free.AccessToken), "cnf") || userinfo(free, nil) != 200 {
			t.Errorf("the token of a client %s is bound", client)
		}
	}
}

func TestTLSClientAuthNeedsTLS(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.Clients = []mockpsc.Client{{ID: "by-cn", TLSClientAuth: true, RedirectURIs: []string{tlsRedirect}}}
	resp, err := http.PostForm(mock.URL+issuerPath+"/protocol/openid-connect/token", url.Values{"client_id": {"by-cn"}, "grant_type": {"authorization_code"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if rule := resp.Header.Get("X-Mock-PSC-Error"); resp.StatusCode != 401 || !strings.Contains(rule, "https") {
		t.Errorf("got %d, %q", resp.StatusCode, rule)
	}
}

func TestCheckClientAuthentication(t *testing.T) {
	ca, err := mockpsc.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	other, err := mockpsc.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	leaf := new(mockpsc.Server).ClientCertificate("x")
	uris := []string{tlsRedirect}
	for _, tt := range []struct {
		name string
		s    *mockpsc.Server
		want string
	}{
		{"a certificate", &mockpsc.Server{Clients: []mockpsc.Client{{ID: "a", TLSClientAuth: true, RedirectURIs: uris}}}, ""},
		{"a CA", &mockpsc.Server{CA: &ca}, ""},
		{"nothing", &mockpsc.Server{Clients: []mockpsc.Client{{ID: "a", RedirectURIs: uris}}}, "no Secret"},
		{"both", &mockpsc.Server{Clients: []mockpsc.Client{{ID: "a", Secret: "b", TLSClientAuth: true, RedirectURIs: uris}}}, "one way"},
		{"a subject with a secret", &mockpsc.Server{Clients: []mockpsc.Client{{ID: "a", Secret: "b", CertificateDN: "CN=a", RedirectURIs: uris}}}, "without TLSClientAuth"},
		{"bound tokens with a secret", &mockpsc.Server{Clients: []mockpsc.Client{{ID: "a", Secret: "b", CertificateBoundTokens: true, RedirectURIs: uris}}}, "without TLSClientAuth"},
		{"a CA that is none", &mockpsc.Server{CA: &leaf}, "not the certificate of a CA"},
		{"an empty CA", &mockpsc.Server{CA: new(tls.Certificate)}, "not the certificate of a CA"},
		{"a CA with the key of another", &mockpsc.Server{CA: &tls.Certificate{Certificate: ca.Certificate, Leaf: ca.Leaf, PrivateKey: other.PrivateKey}}, "CA has not the private key"},
		{"a CA without a key", &mockpsc.Server{CA: &tls.Certificate{Certificate: ca.Certificate, Leaf: ca.Leaf}}, "CA has not the private key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.s.Check()
			if got := fmt.Sprint(err); tt.want == "" && err != nil || tt.want != "" && !strings.Contains(got, tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(tt.want, "CA") {
				if _, err := tt.s.TLSConfig(); err == nil {
					t.Error("TLSConfig takes it")
				}
			}
		})
	}
}

func TestTheCAVouchesForNoSite(t *testing.T) {
	s := new(mockpsc.Server)
	for _, host := range []string{"psc.test", "a.b.example", "psc.internal", "192.168.1.20", "10.0.0.1", "0.0.0.0", "fd00::1"} {
		if _, err := s.TLSConfig(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"wallet.esw.esante.gouv.fr", "example.com", "attest", "8.8.8.8", "2001:db8::1", "not a name"} {
		if _, err := s.TLSConfig(host); err == nil {
			t.Errorf("%s: a certificate was issued", host)
		}
	}
}

func TestNothingIsLeftAfterCloseOfATLSServer(t *testing.T) {
	round := func(t *testing.T) {
		p := newTLSParty(t)
		cert := p.ClientCertificate("by-cn")
		resp, err := p.presenting(&cert).PostForm(p.URL+issuerPath+"/protocol/openid-connect/token", p.form(t, "by-cn"))
		if err != nil {
			t.Fatal(err)
		}
		if tok := readTokens(t, resp); tok.Status != 200 {
			t.Fatal(tok.Body)
		}
		resp, err = p.HTTPClient().Get(p.URL + issuerPath + "/protocol/openid-connect/certs")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	t.Run("warm up", round)
	before := settled(0)
	for range 5 {
		t.Run("a server", round)
	}
	if after := settled(before); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

// foreign is a certificate like the mock's, of a CA like the mock's.
func foreign(t *testing.T, commonName string) *tls.Certificate {
	t.Helper()
	ca, err := mockpsc.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert := (&mockpsc.Server{CA: &ca}).ClientCertificate(commonName)
	return &cert
}

func selfSigned(t *testing.T, commonName string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: commonName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// oneTest ends where the benchmark says.
type oneTest struct {
	testing.TB
	cleanup []func()
}

func (t *oneTest) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }

// What a server costs a test: alone, and with a first answer to a new client.
func BenchmarkNewServer(b *testing.B) {
	for _, tt := range []struct {
		name  string
		start func(testing.TB) *mockpsc.Server
	}{{"http", mockpsc.NewServer}, {"https", mockpsc.NewTLSServer}} {
		b.Run(tt.name+"/alone", func(b *testing.B) {
			for b.Loop() {
				t := &oneTest{TB: b}
				tt.start(t)
				for _, f := range t.cleanup {
					f()
				}
			}
		})
		b.Run(tt.name+"/answer", func(b *testing.B) {
			for b.Loop() {
				t := &oneTest{TB: b}
				s := tt.start(t)
				resp, err := s.HTTPClient().Get(s.URL + issuerPath + "/.well-known/wallet-openid-configuration")
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
				for _, f := range t.cleanup {
					f()
				}
			}
		})
	}
}

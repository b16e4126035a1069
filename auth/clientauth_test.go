package auth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
	"github.com/pscauth/pscauth/store/sqlite"
)

// writePair writes a certificate and its key into one PEM file.
func writePair(t *testing.T, path string, cert tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tlsWorld is an app without a secret, at a mock over https that binds its tokens
// to its certificate.
type tlsWorld struct {
	psc   *mockpsc.Server
	app   *httptest.Server
	file  string
	clock *clock
	logs  *logs
}

func newTLSWorld(t *testing.T, change ...func(*auth.Config)) *tlsWorld {
	t.Helper()
	w := &tlsWorld{psc: mockpsc.NewTLSServer(t), clock: newClock(), logs: &logs{}, file: filepath.Join(t.TempDir(), "client.pem")}
	w.psc.Now = w.clock.Now
	w.app = httptest.NewUnstartedServer(nil)
	callback := "http://" + w.app.Listener.Addr().String() + "/auth/callback"
	w.psc.Clients = []mockpsc.Client{{
		ID: "agenda", TLSClientAuth: true, CertificateBoundTokens: true,
		RedirectURIs: []string{callback}, PostLogoutURIs: []string{strings.Replace(callback, "callback", "signed-out", 1)},
	}}
	writePair(t, w.file, w.psc.ClientCertificate("agenda"))
	db, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cfg := auth.Config{
		Provider: psc.At(w.psc.URL), ClientID: "agenda", ClientCertificate: auth.CertificateFile(w.file, w.file),
		RedirectURL: callback, Secrets: [][]byte{testSecret}, Users: db, Sessions: db,
		HTTPClient: w.psc.HTTPClient(), Logger: textLogger(w.logs), Now: w.clock.Now,
	}
	cfg.HTTPClient.Transport.(*http.Transport).DisableKeepAlives = true // a new connection for each call
	for _, c := range change {
		c(&cfg)
	}
	rp, err := auth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.app.Config.Handler = rp.Handler(rp.Require(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		io.WriteString(out, s.Name())
	})))
	w.app.Start()
	t.Cleanup(w.app.Close)
	return w
}

func (w *tlsWorld) signIn(t *testing.T) (int, string) {
	t.Helper()
	c := w.psc.HTTPClient()
	c.Transport = asBrowser{c.Transport}
	resp, err := w.psc.SignIn(c, w.app.URL+"/", "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

type asBrowser struct{ http.RoundTripper }

func (b asBrowser) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return b.RoundTripper.RoundTrip(r)
}

func TestSignInWithAClientCertificate(t *testing.T) {
	w := newTLSWorld(t)
	if status, text := w.signIn(t); status != 200 || text != "Dr Jean DUPONT" {
		t.Fatalf("got %d %s\n%s", status, text, w.logs)
	}

	t.Run("a renewed one is used without a restart", func(t *testing.T) {
		writePair(t, w.file, w.psc.ClientCertificate("another-app"))
		if status, _ := w.signIn(t); status == 200 {
			t.Error("the former certificate was presented")
		}
		writePair(t, w.file, w.psc.ClientCertificate("agenda"))
		os.Chtimes(w.file, time.Now().Add(time.Hour), time.Now().Add(time.Hour)) // of the same size
		if status, text := w.signIn(t); status != 200 {
			t.Errorf("got %d %s", status, text)
		}
	})
	t.Run("half a renewal changes nothing", func(t *testing.T) {
		if err := os.WriteFile(w.file, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, text := w.signIn(t); status != 200 {
			t.Errorf("got %d %s", status, text)
		}
	})
}

func TestAClientCertificateAboutToExpireIsWarnedAbout(t *testing.T) {
	w := newTLSWorld(t)
	w.signIn(t)
	if strings.Contains(w.logs.String(), "certificate") {
		t.Fatalf("warned a year before: %s", w.logs)
	}
	w.clock.Advance(380 * 24 * time.Hour) // of 397 days
	w.signIn(t)
	w.signIn(t)
	if n := strings.Count(w.logs.String(), "the client certificate expires soon"); n != 1 || !strings.Contains(w.logs.String(), "days_left=16") && !strings.Contains(w.logs.String(), "days_left=17") {
		t.Errorf("warned %d times: %s", n, w.logs)
	}
	w.clock.Advance(20 * 24 * time.Hour)
	w.signIn(t)
	if n := strings.Count(w.logs.String(), "has expired"); n != 1 {
		t.Errorf("told %d times that it has expired: %s", n, w.logs)
	}
}

func TestCheckOfClientAuthentication(t *testing.T) {
	w := newWorld(t)
	pair := mockpsc.NewServer(t).ClientCertificate("carelink")
	with := func(cert *tls.Certificate, err error) func() (*tls.Certificate, error) {
		return func() (*tls.Certificate, error) { return cert, err }
	}
	for _, tt := range []struct {
		name   string
		change func(*auth.Config)
		want   string // "" if it is accepted
	}{
		{"neither", func(c *auth.Config) { c.ClientSecret = "" }, "ClientSecret is empty"},
		{"both", func(c *auth.Config) { c.ClientCertificate = with(&pair, nil) }, "in one way"},
		{"a certificate", func(c *auth.Config) { c.ClientSecret, c.ClientCertificate = "", with(&pair, nil) }, ""},
		{"one that cannot be had", func(c *auth.Config) {
			c.ClientSecret, c.ClientCertificate = "", with(nil, errors.New("no token in the slot"))
		}, "no token in the slot"},
		{"none at all", func(c *auth.Config) { c.ClientSecret, c.ClientCertificate = "", with(nil, nil) }, "there is none"},
		{"one that is no certificate", func(c *auth.Config) {
			c.ClientSecret, c.ClientCertificate = "", with(&tls.Certificate{Certificate: [][]byte{{1}}}, nil)
		}, "ClientCertificate: x509"},
		{"one without a key", func(c *auth.Config) {
			c.ClientSecret, c.ClientCertificate = "", with(&tls.Certificate{Certificate: pair.Certificate}, nil)
		}, "no private key"},
		{"a file that is not there", func(c *auth.Config) {
			c.ClientSecret, c.ClientCertificate = "", auth.CertificateFile("none.pem", "none.pem")
		}, "none.pem"},
		{"a transport that cannot present it", func(c *auth.Config) {
			c.ClientSecret, c.ClientCertificate = "", with(&pair, nil)
			c.HTTPClient = &http.Client{Transport: deadTransport{}}
		}, "Transport is a auth_test.deadTransport"},
	} {
		cfg := w.cfg
		tt.change(&cfg)
		_, err := auth.New(cfg)
		if ok := err == nil; ok != (tt.want == "") || !ok && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// The secret goes where the provider takes it, and the certificate to the
// addresses that are for it.
func TestHowTheTokenEndpointIsAsked(t *testing.T) {
	pair := mockpsc.NewServer(t).ClientCertificate("client")
	for _, tt := range []struct {
		name        string
		methods     any
		certificate bool
		basic       bool
		form        url.Values // of client_id and client_secret
		path        string
	}{
		{"nothing announced: Basic", nil, false, true, nil, "/token"},
		{"both announced: Basic", []string{"client_secret_post", "client_secret_basic"}, false, true, nil, "/token"},
		{"only the form announced", []string{"client_secret_post"}, false, false, url.Values{"client_id": {"client"}, "client_secret": {"secret"}}, "/token"},
		{"neither announced: Basic", []string{"private_key_jwt"}, false, true, nil, "/token"},
		{"a certificate: the name only, at the alias", nil, true, false, url.Values{"client_id": {"client"}}, "/mtls/token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			issuer := h.server.URL + "/auth/realms/esante-wallet"
			h.metadata["token_endpoint_auth_methods_supported"] = tt.methods
			h.metadata["mtls_endpoint_aliases"] = map[string]string{"token_endpoint": issuer + "/mtls/token"}
			var asked *http.Request
			h.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
				r.ParseForm()
				asked = r
				w.WriteHeader(http.StatusBadRequest)
			}
			h.restart(func(c *auth.Config) {
				if tt.certificate {
					c.ClientSecret, c.ClientCertificate = "", func() (*tls.Certificate, error) { return &pair, nil }
				}
			})
			h.signIn()
			if asked == nil {
				t.Fatal("not asked")
			}
			user, secret, basic := asked.BasicAuth()
			if basic != tt.basic || basic && (user != "client" || secret != "secret") {
				t.Errorf("Basic %t %q", basic, user)
			}
			for _, name := range []string{"client_id", "client_secret"} {
				if asked.PostForm.Get(name) != tt.form.Get(name) || asked.PostForm.Has(name) != tt.form.Has(name) {
					t.Errorf("%s is %q, want %q", name, asked.PostForm.Get(name), tt.form.Get(name))
				}
			}
			if !strings.HasSuffix(asked.URL.Path, tt.path) {
				t.Errorf("asked at %s", asked.URL.Path)
			}
		})
	}
}

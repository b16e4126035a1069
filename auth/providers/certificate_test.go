package providers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

// An authority issues certificates, in the place of IGC-Santé.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes one; all have the same name, so that only the signature
// tells them apart.
func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	name := pkix.Name{CommonName: "Authority of tests"}
	made := a.issue(name, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	a.cert, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// issue signs a certificate; the first one by itself.
func (a *authority) issue(name pkix.Name, change func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: name,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	change(template)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server() tls.Certificate {
	return a.issue(pkix.Name{CommonName: "provider"}, func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
}

func (a *authority) client(commonName string) tls.Certificate {
	return a.issue(pkix.Name{Country: []string{"FR"}, Organization: []string{"Cabinet fictif"}, CommonName: commonName}, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
}

// certPEM and keyPEM are what Node reads.
func certPEM(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

func keyPEM(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// trusting is a transport that trusts one authority.
func trusting(a *authority) *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
}

// byCertificate starts oidc-provider over https, for an app that has a
// certificate and no secret. Its tokens are bound to the certificate too (RFC
// 8705 3), so that userinfo asks for it again.
func byCertificate(t *testing.T, a *app, ca *authority) (issuer string, said *logs) {
	t.Helper()
	server := ca.server()
	s := bySecret(a, "eidas1", newer(t))
	delete(s.Client, "client_secret")
	s.Client["token_endpoint_auth_method"] = "tls_client_auth"
	s.Client["tls_client_auth_subject_dn"] = "CN=agenda,O=Cabinet fictif,C=FR"
	s.Client["tls_client_certificate_bound_access_tokens"] = true
	s.TLS = &tlsSettings{Cert: certPEM(server.Leaf), Key: keyPEM(t, server), CA: certPEM(ca.cert)}
	return startOIDCProvider(t, s)
}

// withCertificate configures an app that trusts ca.
func withCertificate(ca *authority, certificate func() (*tls.Certificate, error)) func(*auth.Config) {
	return func(c *auth.Config) {
		c.ClientSecret, c.ClientCertificate = "", certificate
		c.HTTPClient = &http.Client{Transport: trusting(ca)}
	}
}

func always(cert tls.Certificate) func() (*tls.Certificate, error) {
	return func() (*tls.Certificate, error) { return &cert, nil }
}

// gone is a certificate that is there when the app starts, and never again.
func gone(cert tls.Certificate) func() (*tls.Certificate, error) {
	var started atomic.Bool
	return func() (*tls.Certificate, error) {
		if started.CompareAndSwap(false, true) {
			return &cert, nil
		}
		return &tls.Certificate{}, nil
	}
}

func TestSignInWithAClientCertificateAtOIDCProvider(t *testing.T) {
	a, ca := newApp(t), newAuthority(t)
	issuer, said := byCertificate(t, a, ca)
	a.start(issuer, withCertificate(ca, always(ca.client("agenda"))))
	b := newBrowser(t, trusting(ca))
	if in := b.get(a.url + "/patients").submit(oidcProvider.identify); in.status != 200 || in.text != doctor {
		t.Fatalf("want to be in, got %s\n%s%s", in, &a.logs, said)
	}
	sameUserInfo(t, a.lastSignIn(), newer(t))

	end := b.post(a.url+"/auth/logout", nil).link(button)
	if out := b.get(end.String()).submit(oidcProvider.leave); out.title() != "You are signed out" {
		t.Errorf("want the app's page after a sign-out, got %s\n%s", out, said)
	}
}

func TestWithoutTheRightClientCertificateNobodyGetsIn(t *testing.T) {
	ca := newAuthority(t)
	for _, row := range []struct {
		name   string
		change func(*auth.Config)
		why    string // as the provider says it to itself
	}{
		{"none is presented", withCertificate(ca, gone(ca.client("agenda"))), "client certificate was not provided"},
		{"it is of another authority of the same name", withCertificate(ca, always(newAuthority(t).client("agenda"))), "client certificate was not verified"},
		{"it is another app's", withCertificate(ca, always(ca.client("another"))), "certificate subject value does not match the registered one"},
		{"a secret comes in its place", func(c *auth.Config) {
			withCertificate(ca, nil)(c)
			c.ClientSecret = clientSecret
		}, "the provided authentication mechanism does not match the registered client authentication method"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newApp(t)
			issuer, said := byCertificate(t, a, ca)
			a.start(issuer, row.change)
			p := newBrowser(t, trusting(ca)).get(a.url + "/patients").submit(oidcProvider.identify)
			refused(t, a, p, 502, "Answer from Pro Santé Connect refused", "sign_in_failed misconfigured")
			for deadline := time.Now().Add(5 * time.Second); !strings.Contains(said.String(), row.why); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("want the provider to refuse because %q, it says\n%s", row.why, said)
				}
			}
		})
	}
}

package mockpsc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	caName         = "mockpsc – simulateur, ne pas installer en production"
	caYears        = 10
	certificateTTL = 397 * 24 * time.Hour // what browsers take
)

// What a CA of the mock may vouch for: whoever steals the key of one that was
// installed in a trust store can pass for this machine and for names that do
// not exist on the Internet, never for a site.
var (
	caDomains  = []string{"localhost", "test", "example", "internal", "local", "home.arpa"}
	caNetworks = []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
)

// NewTLSServer is [NewServer] with https. Its certificate is issued by the
// mock's own CA, which is made once per process and which nobody trusts:
// [Server.HTTPClient] is the client that does. It asks for a client certificate
// and serves without one too; see [Client].TLSClientAuth.
func NewTLSServer(t testing.TB) *Server {
	t.Helper()
	return serve(t, processTLS())
}

// NewCA makes a CA for [Server.CA], good for ten years, for a program that keeps
// it. It can vouch only for loopback and private addresses and for names that
// do not exist on the Internet: localhost and those under .test, .example,
// .internal, .local and .home.arpa.
func NewCA() (tls.Certificate, error) {
	var networks []*net.IPNet
	for _, text := range caNetworks {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("mockpsc: %w", err)
		}
		networks = append(networks, network)
	}
	return issue(nil, &x509.Certificate{
		Subject:                     pkix.Name{Organization: []string{"mockpsc"}, CommonName: caName},
		NotBefore:                   time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), // a test's clock may stand in the past
		NotAfter:                    time.Now().AddDate(caYears, 0, 0),
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         caDomains,
		PermittedIPRanges:           networks,
	})
}

// TLSConfig is what an https listener in front of the mock needs: a certificate
// for localhost, 127.0.0.1, ::1 and the given hosts, and the wish for a client
// certificate, which is checked where a client must prove itself. Hosts for
// which the CA cannot vouch are an error.
func (s *Server) TLSConfig(hosts ...string) (*tls.Config, error) {
	if err := s.checkCA(); err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"mockpsc"}, CommonName: "mockpsc – simulateur"},
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(certificateTTL),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range slices.Concat([]string{"localhost", "127.0.0.1", "::1"}, hosts) {
		if ip := net.ParseIP(host); ip == nil {
			template.DNSNames = append(template.DNSNames, host)
		} else if !ip.IsUnspecified() {
			template.IPAddresses = append(template.IPAddresses, ip)
		}
	}
	ca := s.authority()
	cert, err := issue(ca, template)
	if err != nil {
		return nil, err
	}
	roots := trust(ca)
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
		return nil, fmt.Errorf("mockpsc: the CA cannot vouch for %q, only for private addresses and for names under %q: %w", hosts, caDomains, err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequestClientCert, // not verified here: the token endpoint can say what is wrong, a handshake cannot
		ClientCAs:    roots,                 // so that browsers do not offer people's own certificates
	}, nil
}

// HTTPClient returns a new client that trusts the server's CA and no other, and
// presents one of the given certificates when it is asked for one. It is good
// for the application's calls and for [Server.SignIn].
func (s *Server) HTTPClient(certificates ...tls.Certificate) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     90 * time.Second,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trust(s.authority()), Certificates: certificates},
		},
	}
}

// ClientCertificate issues a certificate with which a client whose ID is
// commonName can authenticate, as IGC-Santé issues one to a structure. Its
// subject is "CN=<commonName>,OU=1990000009,O=Structure fictive,C=FR", and it is
// good for 397 days by the server's clock. It panics if [Server.Check] has
// something to say about the CA.
func (s *Server) ClientCertificate(commonName string) tls.Certificate {
	err := s.checkCA()
	if err == nil {
		var cert tls.Certificate
		cert, err = issue(s.authority(), &x509.Certificate{
			Subject: pkix.Name{
				Country: []string{"FR"}, Organization: []string{"Structure fictive"},
				OrganizationalUnit: []string{"1990000009"}, CommonName: commonName,
			},
			NotBefore:   s.now().Add(-time.Hour),
			NotAfter:    s.now().Add(certificateTTL),
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err == nil {
			return cert
		}
	}
	panic(err)
}

// The CA of the process, for servers without one of their own, and the
// listening side of NewTLSServer.
var (
	processCA = sync.OnceValue(func() *tls.Certificate {
		ca, err := NewCA()
		if err != nil {
			panic(err) // nothing in it depends on anything
		}
		return &ca
	})
	processTLS = sync.OnceValue(func() *tls.Config {
		config, err := new(Server).TLSConfig()
		if err != nil {
			panic(err)
		}
		return config
	})
)

func (s *Server) authority() *tls.Certificate {
	if s.CA != nil {
		return s.CA
	}
	return processCA()
}

// checkCA is the part of Check that is about the CA.
func (s *Server) checkCA() error {
	switch ca := s.CA; {
	case ca == nil:
		return nil
	case ca.Leaf == nil || !ca.Leaf.IsCA:
		return errors.New("mockpsc: CA is not the certificate of a CA; NewCA makes one")
	default:
		key, ok := ca.PrivateKey.(crypto.Signer)
		public, ok2 := ca.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !ok2 || !public.Equal(key.Public()) {
			return errors.New("mockpsc: CA has not the private key of its certificate")
		}
		return nil
	}
}

// issue makes a key and has ca certify it; without a ca it certifies itself.
func issue(ca *tls.Certificate, template *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("mockpsc: making a key: %w", err)
	}
	parent, signer := template, crypto.PrivateKey(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("mockpsc: making a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("mockpsc: making a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func trust(ca *tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	return pool
}

// authenticateByCertificate is tls_client_auth (RFC 8705, section 2.1): the
// certificate alone proves who the client is. It answers and returns false if
// it does not. The body is Keycloak's, which tells nothing; the rule is in the
// header.
func (s *Server) authenticateByCertificate(a *answer, r *http.Request, client *Client, form url.Values) bool {
	problem := ""
	if form.Has("client_secret") || r.Header.Get("Authorization") != "" {
		problem = "client " + client.ID + " authenticates by its certificate only: client_id in the form, no secret (RFC 8705, section 2)"
	} else if err := s.checkCertificate(r.TLS, client); err != nil {
		problem = err.Error()
	}
	if problem == "" {
		return true
	}
	a.refuse(http.StatusUnauthorized, &refusal{code: "unauthorized_client", words: badClient, rule: problem})
	return false
}

// checkCertificate checks who issued the certificate of a connection, for what,
// until when and to whom.
func (s *Server) checkCertificate(conn *tls.ConnectionState, client *Client) error {
	switch {
	case conn == nil:
		return errors.New("tls_client_auth needs https, and this request came over http")
	case len(conn.PeerCertificates) == 0:
		return errors.New("no client certificate was presented; some programs send none unless the mock's own CA issued it")
	}
	cert := conn.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range conn.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots:         trust(s.authority()),
		Intermediates: intermediates,
		CurrentTime:   s.now(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("the client certificate is refused: %w", err)
	}
	if client.CertificateDN == "" {
		if cert.Subject.CommonName != client.ID {
			return fmt.Errorf("the CN of the client certificate is %q, not the client_id %q", cert.Subject.CommonName, client.ID)
		}
		return nil
	}
	if dn := subjectDN(cert); dn != client.CertificateDN {
		return fmt.Errorf("the subject of the client certificate is %q, not %q", dn, client.CertificateDN)
	}
	return nil
}

// subjectDN writes a subject as RFC 4514 does, in the order of the certificate:
// pkix.Name would sort it.
func subjectDN(cert *x509.Certificate) string {
	var names pkix.RDNSequence
	if rest, err := asn1.Unmarshal(cert.RawSubject, &names); err != nil || len(rest) > 0 {
		return ""
	}
	return names.String()
}

// boundTo is what a token for this client says of the certificate that it was
// asked for with (RFC 8705, section 3.1), in x5t#S256; "" if nothing.
func (c *Client) boundTo(r *http.Request) string {
	if !c.TLSClientAuth || !c.CertificateBoundTokens {
		return ""
	}
	return thumbprint(r)
}

// thumbprint is that of the certificate which a request came with.
func thumbprint(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

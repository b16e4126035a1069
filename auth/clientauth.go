package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

// CertificateFile returns a function for [Config.ClientCertificate] that reads a
// certificate, with its chain, and its private key from PEM files; both may be
// the same file. It reads them again when one of them changes, so that a renewed
// certificate needs no restart. When the new ones cannot be read, or do not fit
// each other, the former go on: half a renewal must not lock everybody out.
//
// It does not check who may read the key; keep that to the app's user.
func CertificateFile(certFile, keyFile string) func() (*tls.Certificate, error) {
	f := &certificateFile{cert: certFile, key: keyFile}
	return f.get
}

type certificateFile struct {
	cert, key string

	mu     sync.Mutex
	seen   [2]fileVersion // of the latest reading, good or bad
	loaded *tls.Certificate
}

// fileVersion tells whether a file was written again.
type fileVersion struct {
	at   time.Time
	size int64
}

func (f *certificateFile) get() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var now [2]fileVersion
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			now[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	if f.loaded != nil && now == f.seen {
		return f.loaded, nil
	}
	f.seen = now
	pair, err := tls.LoadX509KeyPair(f.cert, f.key) // its errors hold nothing of the key
	switch {
	case err == nil:
		f.loaded = &pair
	case f.loaded == nil:
		return nil, fmt.Errorf("auth: client certificate: %w", err)
	}
	return f.loaded, nil
}

// expiryWarning is how long before its end a certificate is warned about: to get
// another one from IGC-Santé takes weeks.
const expiryWarning = 30 * 24 * time.Hour

// clientAuth is how the app proves at the token endpoint who it is.
type clientAuth struct {
	id, secret  string
	certificate func() (*tls.Certificate, error) // nil with a secret
	logger      *slog.Logger
	now         func() time.Time

	mu     sync.Mutex
	warned time.Time
}

func newClientAuth(cfg Config) *clientAuth {
	return &clientAuth{id: cfg.ClientID, secret: cfg.ClientSecret, certificate: cfg.ClientCertificate, logger: cfg.Logger, now: cfg.Now}
}

// authenticate completes a token request. With a certificate the connection
// proves it, and the form only says who is asking (RFC 8705 2.1.1). post sends
// the secret in the form, for a provider that takes no other way; the default is
// Basic, which every log filter knows (RFC 6749 2.3.1).
func (c *clientAuth) authenticate(header http.Header, form url.Values, post bool) {
	switch {
	case c.certificate != nil:
		form.Set("client_id", c.id)
	case post:
		form.Set("client_id", c.id)
		form.Set("client_secret", c.secret)
	default:
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret))
	}
}

// present is for tls.Config.GetClientCertificate.
func (c *clientAuth) present(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := c.certificate()
	if err != nil {
		return nil, err
	}
	c.warn(cert)
	return cert, nil
}

// warn tells the operator, once a day, that a certificate is about to expire, or
// has. Expired it is presented all the same: whether that still opens is PSC's to
// say.
func (c *clientAuth) warn(cert *tls.Certificate) {
	leaf, err := leafOf(cert)
	if err != nil {
		return // New has looked at the first one; a later one is PSC's to refuse
	}
	now := c.now()
	left := leaf.NotAfter.Sub(now)
	if left > expiryWarning {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.warned.IsZero() && now.Sub(c.warned).Abs() < 24*time.Hour {
		return
	}
	c.warned = now
	if left <= 0 {
		c.logger.Error("auth: the client certificate has expired: PSC will refuse every sign-in; install its successor", "not_after", leaf.NotAfter)
		return
	}
	c.logger.Warn("auth: the client certificate expires soon: order its successor", "not_after", leaf.NotAfter, "days_left", int(left/(24*time.Hour)))
}

func leafOf(cert *tls.Certificate) (*x509.Certificate, error) {
	switch {
	case cert == nil || len(cert.Certificate) == 0:
		return nil, errors.New("there is none")
	case cert.Leaf != nil:
		return cert.Leaf, nil
	}
	return x509.ParseCertificate(cert.Certificate[0])
}

// check is the part of Config.check that is about client authentication.
func (c *clientAuth) check(transport http.RoundTripper) (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("auth: "+format, args...)) }
	switch {
	case c.secret == "" && c.certificate == nil:
		fault("ClientSecret is empty: it is given by ANS with the access to the sandbox; or set ClientCertificate")
	case c.secret != "" && c.certificate != nil:
		fault("ClientSecret and ClientCertificate are both set: an app authenticates in one way")
	}
	if c.certificate == nil {
		return faults
	}
	cert, err := c.certificate()
	if err == nil {
		_, err = leafOf(cert)
	}
	if err != nil {
		fault("ClientCertificate: %w", err)
	} else if cert.PrivateKey == nil {
		fault("ClientCertificate: it has no private key")
	}
	if _, ok := transport.(*http.Transport); transport != nil && !ok {
		fault("HTTPClient: its Transport is a %T, which cannot be given ClientCertificate; use an *http.Transport", transport)
	}
	return faults
}

// presenting is a transport that presents the certificate when it is asked for
// one.
func (c *clientAuth) presenting(transport *http.Transport) *http.Transport {
	t := transport.Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.Certificates = nil
	t.TLSClientConfig.GetClientCertificate = c.present
	return t
}

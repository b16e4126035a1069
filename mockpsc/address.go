package mockpsc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// issuer returns the issuer of this server as this request sees it.
func (s *Server) issuer(r *http.Request) string {
	return s.base(r) + realmPath + liesOf(r).suffix
}

// base is the issuer without the realm's path.
func (s *Server) base(r *http.Request) string {
	if s.Issuer != "" {
		return strings.TrimSuffix(s.Issuer, realmPath)
	}
	scheme, host := s.reachedAt(r)
	return scheme + "://" + host
}

// wallet is the base URL of the pages.
func (s *Server) wallet(r *http.Request) string {
	if s.WalletURL != "" {
		return s.WalletURL
	}
	return s.base(r)
}

// reachedAt is the address by which a request came, for a server without an
// Issuer.
func (s *Server) reachedAt(r *http.Request) (scheme, host string) {
	scheme, host = "http", hostOf(r)
	if r.TLS != nil {
		scheme = "https"
	}
	if s.TrustForwarded {
		if proto := r.Header.Get("X-Forwarded-Proto"); proto != "" {
			scheme = proto
		}
		if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" {
			host = forwarded
		}
	}
	return scheme, host
}

// onWallet reports whether a request came to the second host.
func (s *Server) onWallet(r *http.Request) bool {
	_, host, _ := strings.Cut(s.WalletURL, "://")
	return strings.EqualFold(r.Host, host)
}

// checkHost says why no issuer can be built for a request; "" if one can.
func (s *Server) checkHost(r *http.Request) string {
	scheme, host := s.reachedAt(r)
	switch {
	case s.Issuer != "" || loopbackHost(host) && (scheme == "http" || scheme == "https"):
		return ""
	case !s.TrustForwarded:
		return fmt.Sprintf(
			"no issuer is configured, and the mock does not guess one from the Host %q, which is not a loopback host. "+
				"Set Server.Issuer (mockpsc -issuer) to the address by which browsers and applications reach it, "+
				"such as https://psc.test.example%s", host, realmPath)
	case r.Header.Get("X-Forwarded-Host") == "" || r.Header.Get("X-Forwarded-Proto") == "":
		return "the proxy in front of the mock must set X-Forwarded-Proto and X-Forwarded-Host; without them only loopback hosts are answered"
	}
	if err := checkBase(scheme + "://" + host); err != nil {
		return fmt.Sprintf("X-Forwarded-Proto %q and X-Forwarded-Host %q: %v", scheme, host, err)
	}
	return ""
}

// checkAddresses is the part of Check that is about Issuer and WalletURL.
func (s *Server) checkAddresses() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("mockpsc: "+format, args...)) }
	base, ok := strings.CutSuffix(s.Issuer, realmPath)
	switch {
	case s.Issuer == "":
	case !ok:
		bad("invalid Issuer %q: it must be scheme://host%s, as at the real service", s.Issuer, realmPath)
	default:
		if err := checkBase(base); err != nil {
			bad("invalid Issuer %q: %w", s.Issuer, err)
		}
	}
	if s.Issuer != "" && s.TrustForwarded {
		bad("Issuer and TrustForwarded exclude each other: the issuer is either configured or the proxy's to say")
	}
	switch {
	case s.WalletURL == "":
	case s.Issuer == "":
		bad("WalletURL needs an Issuer: the issuer cannot be built from the Host of a request when there are two")
	default:
		if err := checkBase(s.WalletURL); err != nil {
			bad("invalid WalletURL %q: %w", s.WalletURL, err)
		} else if scheme, _, _ := strings.Cut(s.WalletURL, ":"); !strings.HasPrefix(s.Issuer, scheme+":") {
			bad("invalid WalletURL %q: it must have the scheme of the Issuer, or browsers would not keep the cookies of both", s.WalletURL)
		} else if s.WalletURL == base {
			bad("WalletURL is the Issuer's own host; leave it empty for one host")
		}
	}
	return errors.Join(errs...)
}

// checkBase checks a base URL: scheme and host, nothing else.
func checkBase(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("an http or https URL is required")
	case base != u.Scheme+"://"+u.Host:
		return errors.New("it must be scheme://host[:port] and nothing else")
	case realServiceHost(u.Hostname()):
		return errors.New("a mock must never be mistaken for the real service; use a host of your own")
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		return errors.New("leave out the default port, as browsers do")
	}
	return nil
}

// realServiceHost reports whether a host is ANS's, whatever its case or final dot.
func realServiceHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "esante.gouv.fr" || strings.HasSuffix(host, ".esante.gouv.fr")
}

// misplaced answers a request that came to the wrong one of two hosts, as the
// real service's hosts know nothing of each other's paths: a client that takes
// the wallet for the issuer must notice. It reports whether it has answered.
//
// Two paths of the issuer's host show pages, and lead to the wallet: Keycloak's
// own authorization endpoint, which at the real service shows a bare page of
// Keycloak's, and a sign-out that must be confirmed by whoever has the wallet's
// cookie.
func (s *Server) misplaced(a *answer, r *http.Request) bool {
	if s.WalletURL == "" {
		return false
	}
	onWallet := s.onWallet(r)
	oidc := realmPath + "/protocol/openid-connect"
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/auth/realms/"):
		if onWallet && path != oidc+"/logout" {
			a.fail(http.StatusNotFound, "not_found", "the wallet's host has no realm; the issuer is "+s.Issuer)
			return true
		}
		if onWallet || path != oidc+"/auth" {
			return false
		}
		r.ParseForm() // what cannot be read is refused there
		a.redirect(s.WalletURL + "/auth?" + r.Form.Encode())
		return true
	case path == "/auth" || strings.HasPrefix(path, "/auth/"):
		if onWallet {
			return false
		}
		a.fail(http.StatusNotFound, "not_found", "the issuer's host has no sign-in page; it is at "+s.WalletURL+"/auth")
		return true
	}
	return false
}

package mockpsc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// PhoneHandler serves the simulated phone and nothing else, at PhoneURL, so that
// a real phone of the local network can scan a QR code while the mock itself
// stays on a loopback host. Everything else is 404.
//
// Whoever has a QR code can answer there as anybody's phone; the code of the
// e-CPS is needed all the same, and is shown nowhere here. No cookie but that of
// the language is read or set, and a blocked e-CPS cannot be unblocked.
func (s *Server) PhoneHandler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(*answer, *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h(w.(*answer), r) })
	}
	handle("GET "+phonePath+"{ticket}", s.phone)
	handle("POST "+phonePath+"{ticket}", s.phone)
	handle("GET "+phonePath+"activation/{ticket}", s.activationPhone)
	handle("POST "+phonePath+"activation/{ticket}", s.activationPhone)
	handle("/", func(a *answer, r *http.Request) {
		a.fail(http.StatusNotFound, "not_found", "only the simulated phone is served here")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := s.admit(w, r); a != nil {
			mux.ServeHTTP(a, r.WithContext(context.WithValue(r.Context(), apartKey{}, true)))
		}
	})
}

// apartKey marks the requests that came by PhoneHandler.
type apartKey struct{}

// apart reports whether a request came by PhoneHandler: from a phone, or from
// anybody on its network.
func apart(r *http.Request) bool { return r.Context().Value(apartKey{}) != nil }

// phoneBase is the address at which phones reach a mock with that base.
func (s *Server) phoneBase(base string) string {
	if s.PhoneURL != "" {
		return s.PhoneURL
	}
	return base
}

func (s *Server) checkPhoneURL() error {
	if s.PhoneURL == "" {
		return nil
	}
	err := checkBase(s.PhoneURL)
	if err == nil && unspecified(s.PhoneURL) {
		err = errors.New("no phone can reach that; use this machine's address on its network")
	}
	if err != nil {
		return fmt.Errorf("mockpsc: invalid PhoneURL %q: %w", s.PhoneURL, err)
	}
	return nil
}

// unspecified reports whether the host of a URL is 0.0.0.0 or [::].
func unspecified(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsUnspecified()
}

// ofPhone is where the phone is, and whether a real one can follow.
func (v *view) ofPhone(base, path string) {
	v.PhoneURL = base + path
	if u, err := url.Parse(base); err == nil {
		v.PhoneHost, v.PhoneNear = u.Host, loopbackHost(u.Host)
	}
}

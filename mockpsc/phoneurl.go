package mockpsc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
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
	u, err := url.Parse(s.PhoneURL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		err = errors.New("an http or https URL is required")
	case u.User != nil || u.Path != "" || strings.ContainsAny(s.PhoneURL, "?#"):
		err = errors.New("it must be scheme://host[:port] and nothing else")
	case unspecified(u.Hostname()):
		err = errors.New("no phone can reach that; use this machine's address on its network")
	case realServiceHost(u.Hostname()):
		err = errors.New("a mock must never be mistaken for the real service; use a host of your own")
	default:
		return nil
	}
	return fmt.Errorf("mockpsc: invalid PhoneURL %q: %w", s.PhoneURL, err)
}

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

// ofPhone is where the phone is, and whether a real one can follow.
func (v *view) ofPhone(base, path string) {
	v.PhoneURL = base + path
	if u, err := url.Parse(base); err == nil {
		v.PhoneHost, v.PhoneNear = u.Host, loopbackHost(u.Host)
	}
}

package mockpsc

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// lies are the faults of an address, behind a tilde in the path of the issuer.
type lies struct {
	suffix string // with the tilde; "" for the truth
	faults []Fault
}

type liesKey struct{}

func liesOf(r *http.Request) lies {
	l, _ := r.Context().Value(liesKey{}).(lies)
	return l
}

// lying reads the faults of an address: of the issuer, as in
// "/auth/realms/esante-wallet~expired+wrong-nonce/…", and of the sign-in page
// that its metadata name, "/auth~expired+wrong-nonce". It returns the request as
// it would be without them; an unknown fault is an error.
func lying(r *http.Request) (*http.Request, error) {
	for _, at := range []string{realmPath, "/auth"} {
		rest, ok := strings.CutPrefix(r.URL.Path, at+"~")
		if !ok {
			continue
		}
		names, path, _ := strings.Cut(rest, "/")
		if path != "" {
			path = "/" + path
		}
		chosen, err := findFaults(strings.Split(names, "+"))
		if err != nil {
			return nil, err
		}
		l := lies{"~" + names, chosen}
		honest := r.WithContext(context.WithValue(r.Context(), liesKey{}, l))
		u := *r.URL
		u.Path, u.RawPath = at+path, ""
		honest.URL = &u
		return honest, nil
	}
	return r, nil
}

// elsewhere is the address of a request on another name of this machine, where
// the truth is told. Where there is none, it is the same address.
func elsewhere(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if name, port, err := net.SplitHostPort(host); err == nil {
		if other, ok := map[string]string{"127.0.0.1": "localhost", "localhost": "127.0.0.1"}[name]; ok {
			host = net.JoinHostPort(other, port)
		}
	}
	q := url.Values{"elsewhere": {r.Host}}
	if r.URL.RawQuery != "" {
		return scheme + "://" + host + r.RequestURI + "&" + q.Encode()
	}
	return scheme + "://" + host + r.RequestURI + "?" + q.Encode()
}

// hostOf is the host by which a request came, or would have come had it not been
// sent elsewhere.
func hostOf(r *http.Request) string {
	if !strings.Contains(r.URL.RawQuery, "elsewhere=") { // as always; it is asked several times a request
		return r.Host
	}
	if from := r.URL.Query().Get("elsewhere"); from != "" && loopbackHost(from) && loopbackHost(r.Host) {
		return from
	}
	return r.Host
}

// armKeys has whoever reads the keys next be told the lies of a sign-in about
// them, until the application signs somebody else in. An application that is at
// an address of its own needs no such thing.
func (s *Server) armKeys(g *grant, faults []Fault) {
	var about []Fault
	for _, f := range faults {
		if f.Where == "keys" && !strings.Contains(g.issuer, realmPath+"~") {
			about = append(about, f)
		}
	}
	if about != nil {
		s.mu.Lock()
		s.armed, s.armedBy = about, g.client
		s.mu.Unlock()
	}
}

// keyLies are the faults of an answer about the keys.
func (s *Server) keyLies(r *http.Request) []Fault {
	if l := liesOf(r); l.suffix != "" {
		return l.faults
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.armed
	if waiting := s.takeReading("keys"); waiting != nil {
		told = waiting // the sign-in that had them too armed the same
	}
	s.armed = nil
	return told
}

// metadataLies are the faults of an answer about the metadata.
func (s *Server) metadataLies(r *http.Request) []Fault {
	if l := liesOf(r); l.suffix != "" {
		return l.faults
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeReading("metadata")
}

// somebodyElse finds another person than a grant is about, for lies.
func (s *Server) somebodyElse(g *grant) func() persona {
	return func() persona {
		docs := s.known()
		i := slices.IndexFunc(docs, func(d *document) bool { return d.NationalID != g.who.NationalID && d.UserinfoCard == nil })
		d := docs[i] // the built-in ones are many
		return persona{sub: s.sub(&d.situation), nationalID: d.NationalID, userinfo: d.Userinfo}
	}
}

package mockpsc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A Client is an application declared to the mock, as ANS declares one.
type Client struct {
	ID     string // client_id; required
	Secret string // client_secret; required unless TLSClientAuth

	// TLSClientAuth has the client authenticate by a certificate of the mock's CA
	// instead of a secret (tls_client_auth, RFC 8705), which it presents together
	// with client_id. The certificate's CN must be ID or, if CertificateDN is
	// set, its whole subject that, to the letter, as RFC 4514 writes it: the last
	// attribute of the certificate first, such as "CN=agenda,O=Structure,C=FR".
	TLSClientAuth bool
	CertificateDN string

	// CertificateBoundTokens binds what such a client gets to its certificate:
	// userinfo and the next refresh want the same one (RFC 8705, sections 3 and 4).
	// Off by default, as there and in Keycloak, and assumed to be so at PSC: the
	// server of an API reads userinfo with a token that another has got, and ANS's
	// own Apache set-up shows its certificate at the token endpoint only.
	CertificateBoundTokens bool

	Name           string   // shown to people as the service; default: ID
	RedirectURIs   []string // compared character by character; http only on loopback hosts
	PostLogoutURIs []string // likewise
	StartURL       string   // where a person starts a sign-in at the application; optional, shown on the start page

	// BackchannelLogoutURI is where the application is told that a session of
	// which it has tokens has ended, by a sign-out or because somebody else
	// signed in in the same browser: a logout_token is posted there, once
	// (OpenID Connect Back-Channel Logout). PSC advertises this and nobody has
	// seen it; empty, the default, is assumed to be PSC's way: nobody is told.
	BackchannelLogoutURI string

	// Lifetimes are those of what this client is given: Code, IDToken, AccessToken
	// and RefreshToken. A field that is 0 is the Server's.
	Lifetimes Lifetimes

	anyLoopback bool // of the default client only
}

// defaultClients is what an empty Server.Clients stands for.
var defaultClients = []Client{{ID: "carelink", Secret: "carelink-secret", Name: "CareLink", anyLoopback: true}}

func (s *Server) clients() []Client {
	if len(s.Clients) == 0 {
		return defaultClients
	}
	return s.Clients
}

func (s *Server) clientIDs() string {
	var ids []string
	for _, c := range s.clients() {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, ", ")
}

func (s *Server) client(id string) *Client {
	list := s.clients()
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
	}
	return nil
}

// service is the client's name for people.
func (c *Client) service() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// allows reports whether uri is among the declared ones. They are compared as
// strings (RFC 9700, section 2.1): no normalisation, no prefix, no pattern.
func (c *Client) allows(declared []string, uri string) bool {
	if c.anyLoopback {
		u, err := url.Parse(uri)
		return err == nil && checkReturnURI(uri) == nil && loopbackHost(u.Host)
	}
	return slices.Contains(declared, uri)
}

// describe lists declared addresses for the developer's page.
func (c *Client) describe(declared []string) string {
	if c.anyLoopback {
		return "http://localhost:*, http://127.0.0.1:*, http://[::1]:*"
	}
	if len(declared) == 0 {
		return "–"
	}
	return strings.Join(declared, " , ")
}

func (s *Server) checkClients() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("mockpsc: "+format, args...)) }
	seen := map[string]bool{}
	for _, c := range s.Clients {
		switch {
		case c.ID == "":
			bad("a client has no ID")
		case seen[c.ID]:
			bad("client %q is declared twice; give one client several addresses instead", c.ID)
		}
		seen[c.ID] = true
		switch {
		case c.Secret == "" && !c.TLSClientAuth:
			bad("client %q has no Secret", c.ID)
		case c.Secret != "" && c.TLSClientAuth:
			bad("client %q has a Secret and TLSClientAuth; it authenticates in one way", c.ID)
		case c.CertificateDN != "" && !c.TLSClientAuth:
			bad("client %q has a CertificateDN without TLSClientAuth", c.ID)
		case c.CertificateBoundTokens && !c.TLSClientAuth:
			bad("client %q has CertificateBoundTokens without TLSClientAuth", c.ID)
		}
		if len(c.RedirectURIs) == 0 && !c.anyLoopback {
			bad("client %q has no redirect URI", c.ID)
		}
		for _, uri := range slices.Concat(c.RedirectURIs, c.PostLogoutURIs) {
			if err := checkReturnURI(uri); err != nil {
				bad("client %q, address %q: %w", c.ID, uri, err)
			}
		}
		if c.BackchannelLogoutURI != "" {
			if err := checkLogoutURI(c.BackchannelLogoutURI); err != nil {
				bad("client %q, BackchannelLogoutURI %q: %w", c.ID, c.BackchannelLogoutURI, err)
			}
		}
		if err := c.Lifetimes.check("client " + strconv.Quote(c.ID) + ", Lifetimes"); err != nil {
			errs = append(errs, err)
		}
		if c.Lifetimes.Session != 0 || c.Lifetimes.SessionIdle != 0 {
			bad("client %q: Session and SessionIdle are the Server's; clients share a session", c.ID)
		}
		if c.StartURL != "" {
			if err := checkReturnURI(c.StartURL); err != nil {
				bad("client %q, StartURL %q: %w", c.ID, c.StartURL, err)
			}
		}
	}
	return errors.Join(errs...)
}

func checkReturnURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("an absolute http or https URL is required")
	case u.User != nil:
		return errors.New("a URL with a user name is refused: it deceives the eye about the host")
	case strings.Contains(uri, "#"):
		return errors.New("a redirect address has no fragment (RFC 6749, section 3.1.2)")
	case u.Scheme == "http" && !loopbackHost(u.Host):
		return errors.New("http is for loopback hosts only: a code in clear text is anybody's")
	}
	return nil
}

// loopbackHost reports whether a host, with or without a port, is this machine
// by construction. A name that merely resolves to 127.0.0.1 is not.
func loopbackHost(hostport string) bool {
	host := hostport
	if h, port, err := net.SplitHostPort(hostport); err == nil {
		if strings.Trim(port, "0123456789") != "" { // "localhost:1@evil.example" is at evil.example
			return false
		}
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

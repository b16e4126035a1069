package mockpsc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	tellTimeout    = 3 * time.Second // for one application to answer
	logoutTokenTTL = 2 * time.Minute // OpenID Connect Back-Channel Logout, section 4: at most two minutes
	logoutEvent    = "http://schemas.openid.net/event/backchannel-logout"
)

// A party is an application that has been given tokens of a session.
type party struct {
	client *Client
	issuer string
	sub    string // as the application knows the person
	faults []Fault
}

// joins notes that an application has tokens of the session. Called with
// Server.mu held.
func (ses *session) joins(g *grant) {
	ses.leaves(g.client)
	ses.parties = append(ses.parties, party{g.client, g.issuer, g.sub, g.faults})
}

// leaves is the contrary of joins.
func (ses *session) leaves(client *Client) {
	var others []party
	for _, p := range ses.parties {
		if p.client != client {
			others = append(others, p)
		}
	}
	ses.parties = others
}

// end ends a session because somebody wants it so, and tells the applications
// that have tokens of it, in the background: the person never waits for them. Who
// does want to, waits for what it returns. Time alone ends a session without a
// word, as at Keycloak (inferred). Called with s.mu held.
func (s *Server) end(ses *session) (told *sync.WaitGroup) {
	told = new(sync.WaitGroup)
	now := s.now()
	over := ses.ended || !now.Before(ses.ends()) || now.Sub(ses.used) >= ses.idle
	ses.ended = true
	if over || s.telling.stopped {
		return told
	}
	if s.telling.ctx == nil {
		s.telling.ctx, s.telling.cancel = context.WithCancel(context.Background())
	}
	ctx := s.telling.ctx
	for _, p := range ses.parties {
		if p.client.BackchannelLogoutURI != "" {
			told.Add(1)
			s.telling.underway.Go(func() {
				defer told.Done()
				p.tell(ctx, s.teller(), s.logoutToken(p, ses.sid, now))
			})
		}
	}
	return told
}

// telling is what is on its way to applications. The first three are guarded by
// Server.mu.
type telling struct {
	ctx      context.Context
	cancel   context.CancelFunc
	stopped  bool
	underway sync.WaitGroup

	once   sync.Once
	client *http.Client // made when it is first needed
}

// hush stops telling applications, now and from now on.
func (s *Server) hush() {
	s.mu.Lock()
	s.telling.stopped = true
	if s.telling.cancel != nil {
		s.telling.cancel()
	}
	s.mu.Unlock()
	s.telling.underway.Wait()
}

// logoutToken says that a session is over (OpenID Connect Back-Channel Logout,
// section 2.4). The claim typ is Keycloak's.
func (s *Server) logoutToken(p party, sid string, now time.Time) string {
	k := s.signing()
	out := &outgoing{issuer: p.issuer, header: tokenHeader("RS256", "logout+jwt", k.kid), sign: k.sign, key: k, claims: object{
		{"iat", now.Unix()},
		{"exp", now.Add(logoutTokenTTL).Unix()},
		{"jti", newUUID()},
		{"iss", p.issuer},
		{"aud", p.client.ID},
		{"sub", p.sub},
		{"typ", "Logout"},
		{"sid", sid},
		{"events", map[string]struct{}{logoutEvent: {}}},
	}}
	bend(p.faults, "logout_token", out)
	return out.compact()
}

// tell posts a logout token. What comes of it changes nothing here: there is one
// try, and an application that misses it hears nothing more.
func (p party) tell(ctx context.Context, teller *http.Client, logoutToken string) {
	form := url.Values{"logout_token": {logoutToken}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.client.BackchannelLogoutURI, strings.NewReader(form.Encode()))
	if err != nil {
		return // Check has read the address
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp, err := teller.Do(req); err == nil {
		resp.Body.Close()
	}
}

// teller is the client that posts. It trusts the mock's own CA beside the
// system's, because an application under test may have its certificate from
// there. It keeps no connection, so that nothing is left when a server stops.
func (s *Server) teller() *http.Client {
	s.telling.once.Do(func() {
		roots, err := x509.SystemCertPool()
		if err != nil { // then there are none
			roots = x509.NewCertPool()
		}
		roots.AddCert(s.authority().Leaf)
		s.telling.client = &http.Client{
			Timeout: tellTimeout,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
				TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return s.telling.client
}

// checkLogoutURI is milder than checkReturnURI: between two containers there is
// no loopback, and a logout token opens nothing.
func checkLogoutURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("an absolute http or https URL is required")
	case u.User != nil:
		return errors.New("a URL with a user name is refused")
	case strings.Contains(uri, "#"):
		return errors.New("it has no fragment (OpenID Connect Back-Channel Logout, section 2.2)")
	}
	return nil
}

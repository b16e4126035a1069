package mockpsc

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// A session is an SSO session: a browser that need not say again who it is.
type session struct {
	sid      string
	secret   string // with sid, the cookie
	confirm  string // in the form that asks whether to sign out, so that no other site can post it
	person   *person
	mode     authMode
	client   *Client // at which it began
	started  time.Time
	authTime time.Time // of the latest proof
	used     time.Time
	longest  time.Duration // from started
	idle     time.Duration // from used
	ended    bool
	parties  []party // whom its end concerns
}

func (ses *session) alive(now time.Time) bool {
	return ses.open(now) && now.Sub(ses.used) < ses.idle
}

// ends is when the session is over, whatever happens in it: as at Keycloak, a
// later proof of who somebody is does not begin it anew. (Inferred.)
func (ses *session) ends() time.Time { return ses.started.Add(ses.longest) }

// newSession begins a session. Called with s.mu held.
func (s *Server) newSession(p *person, mode authMode, client *Client) *session {
	now := s.now()
	ses := &session{
		sid: newUUID(), secret: newHandle(), confirm: newHandle(),
		person: p, mode: mode, client: client, started: now, authTime: now, used: now,
	}
	ses.longest, ses.idle = s.sessionLifetimes()
	s.sessions[ses.sid] = ses
	return ses
}

// open is alive but for the idle time, which tokens count for themselves.
func (ses *session) open(now time.Time) bool {
	return !ses.ended && now.Before(ses.ends()) && ses.person.means(ses.mode).State != "revoked"
}

// ssoSession returns the living session of the browser, or nil. Called with s.mu held.
func (s *Server) ssoSession(r *http.Request) *session {
	sid, secret, _ := strings.Cut(s.cookie(r, "sso"), ".")
	ses := s.sessions[sid]
	if ses == nil || subtle.ConstantTimeCompare([]byte(ses.secret), []byte(secret)) != 1 || !ses.alive(s.now()) {
		return nil
	}
	return ses
}

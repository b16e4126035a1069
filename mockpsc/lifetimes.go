package mockpsc

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Lifetimes say how long things live. A field that is 0 has the default; a
// lifetime is a whole number of seconds, because tokens count in those.
type Lifetimes struct {
	// Code is an authorization code's. The default is 30 seconds; Keycloak's 60
	// are only inferred for PSC, and a client that is slow here will be too slow
	// there one day.
	Code time.Duration

	IDToken      time.Duration // default: 120 seconds, the real service's
	AccessToken  time.Duration // default: 120 seconds, the real service's
	RefreshToken time.Duration // from each exchange; default: 30 minutes, the real service's

	// Session is the longest that somebody stays signed in at the provider, from
	// the sign-in that began it; SessionIdle the longest without an authorization
	// request or an exchange of tokens. The defaults are the real service's, 4
	// hours and 30 minutes. They belong to a [Server], never to a [Client].
	Session     time.Duration
	SessionIdle time.Duration
}

var defaultLifetimes = Lifetimes{
	Code:         30 * time.Second,
	IDToken:      120 * time.Second,
	AccessToken:  120 * time.Second,
	RefreshToken: 30 * time.Minute,
	Session:      4 * time.Hour,
	SessionIdle:  30 * time.Minute,
}

// lifetimes are those of what a client is given.
func (s *Server) lifetimes(c *Client) Lifetimes {
	return c.Lifetimes.or(s.Lifetimes).or(defaultLifetimes)
}

// sessionLifetimes are nobody's own: a session is shared by all clients.
func (s *Server) sessionLifetimes() (longest, idle time.Duration) {
	l := s.Lifetimes.or(defaultLifetimes)
	return l.Session, l.SessionIdle
}

func (l Lifetimes) or(other Lifetimes) Lifetimes {
	return Lifetimes{
		Code:         cmp.Or(l.Code, other.Code),
		IDToken:      cmp.Or(l.IDToken, other.IDToken),
		AccessToken:  cmp.Or(l.AccessToken, other.AccessToken),
		RefreshToken: cmp.Or(l.RefreshToken, other.RefreshToken),
		Session:      cmp.Or(l.Session, other.Session),
		SessionIdle:  cmp.Or(l.SessionIdle, other.SessionIdle),
	}
}

// check finds what no clock could keep; of names whose Lifetimes they are.
func (l Lifetimes) check(of string) error {
	var errs []error
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"Code", l.Code}, {"IDToken", l.IDToken}, {"AccessToken", l.AccessToken},
		{"RefreshToken", l.RefreshToken}, {"Session", l.Session}, {"SessionIdle", l.SessionIdle},
	} {
		if f.d < 0 || f.d%time.Second != 0 {
			errs = append(errs, fmt.Errorf("mockpsc: %s.%s is %s: a positive number of whole seconds is required, or 0 for the default", of, f.name, f.d))
		}
	}
	return errors.Join(errs...)
}

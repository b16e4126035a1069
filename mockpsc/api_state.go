package mockpsc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

func (s *Server) apiKeys(a *answer, r *http.Request) {
	var ask struct {
		Do string `json:"do"`
	}
	if !a.read(r, &ask) {
		return
	}
	switch ask.Do {
	case "rotate":
		s.RotateKeys()
	case "withdraw":
		s.WithdrawKeys()
	default:
		a.bad(fmt.Sprintf("unknown do %q; known: rotate, withdraw", ask.Do))
		return
	}
	a.nothing()
}

type drillView struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	Expect  string `json:"expect"`
}

func (s *Server) apiDrill(a *answer, r *http.Request) {
	doc := struct {
		Name  string      `json:"name"`
		Known []drillView `json:"known"`
	}{Name: s.drillName()}
	for _, d := range drills {
		doc.Known = append(doc.Known, drillView{d.name, d.summary, d.expect})
	}
	a.document(http.StatusOK, doc)
}

func (s *Server) drillName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.underway(); d != nil {
		return d.name
	}
	return ""
}

func (s *Server) apiSetDrill(a *answer, r *http.Request) {
	var ask struct {
		Name *string `json:"name"`
	}
	if !a.read(r, &ask) {
		return
	}
	if ask.Name == nil {
		a.bad(`name is missing; "" ends the drill`)
		return
	}
	if err := s.Drill(*ask.Name); err != nil {
		a.bad(strings.TrimPrefix(err.Error(), "mockpsc: "))
		return
	}
	a.nothing()
}

type sessionView struct {
	Sid     string    `json:"sid"`
	Persona string    `json:"persona"`
	Name    string    `json:"name"`
	Means   string    `json:"means"`
	Client  string    `json:"client"`  // at which it began
	Clients []string  `json:"clients"` // that have tokens of it
	Started time.Time `json:"started"`
	Ends    time.Time `json:"ends"`
}

// sessionViews are the sessions that live, of one client or of all, the latest
// first.
func (s *Server) sessionViews(c *Client) []sessionView {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	list := []sessionView{}
	for _, ses := range s.sessions {
		if !ses.open(now) || c != nil && !ses.concerns(c) {
			continue
		}
		v := sessionView{
			Sid: ses.sid, Persona: ses.person.original.ID, Name: ses.person.now.Name, Client: ses.client.ID, Clients: []string{},
			Means:   map[authMode]string{byPhone: "ecps", byCard: "card", byDelegation: "delegation"}[ses.mode],
			Started: ses.started, Ends: ses.ends(),
		}
		for _, p := range ses.parties {
			v.Clients = append(v.Clients, p.client.ID)
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b sessionView) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return strings.Compare(a.Sid, b.Sid)
	})
	return list
}

// concerns reports whether a session began at a client, or has given it tokens.
// Called with Server.mu held.
func (ses *session) concerns(c *Client) bool {
	return ses.client == c || slices.ContainsFunc(ses.parties, func(p party) bool { return p.client == c })
}

func (s *Server) apiSessions(a *answer, r *http.Request) {
	if c, ok := s.clientOf(a, r); ok {
		a.document(http.StatusOK, s.sessionViews(c))
	}
}

// endSession ends a session as a sign-out does; ok is false if there was none.
func (s *Server) endSession(sid string) (told *sync.WaitGroup, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses := s.sessions[sid]
	if ses == nil || !ses.open(s.now()) {
		return nil, false
	}
	return s.end(ses), true
}

// apiEndSession answers once the applications have been told, so that a test can
// look at once what they made of it.
func (s *Server) apiEndSession(a *answer, r *http.Request) {
	told, ok := s.endSession(r.PathValue("sid"))
	if !ok {
		a.fail(http.StatusNotFound, "not_found", "there is no such session, or it is over")
		return
	}
	told.Wait()
	a.nothing()
}

func (s *Server) apiReset(a *answer, r *http.Request) {
	c, ok := s.clientOf(a, r)
	if !ok {
		return
	}
	if c == nil {
		s.Reset()
	} else {
		s.forget(c)
	}
	a.nothing()
}

// forget is Reset for one client: what it has begun, holds, has asked for, and
// what waits for it. A session that other clients have tokens of goes on without
// it. The people, the clock, the keys and a drill are everybody's, and stay.
func (s *Server) forget(c *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unqueue(c)
	if s.armedBy == c {
		s.armed, s.armedBy = nil, nil
	}
	delete(s.driven.traces, c.ID)
	s.requests = slices.DeleteFunc(s.requests, func(r *Request) bool { return r.ClientID == c.ID })
	s.cibaRequests = slices.DeleteFunc(s.cibaRequests, func(q *cibaRequest) bool {
		if q.client != c {
			return false
		}
		delete(s.tickets, q.ticket.id)
		return true
	})
	for id, at := range s.attempts {
		if at.client == c {
			delete(s.attempts, id)
			delete(s.tickets, at.ticket.id)
		}
	}
	for id, e := range s.endings {
		if e.client == c {
			delete(s.endings, id)
		}
	}
	for _, tokens := range []map[string]issued{s.access, s.refreshes} {
		for id, t := range tokens {
			if t.grant.client == c {
				t.grant.revoked = true // a request that holds it is under way
				delete(tokens, id)
			}
		}
	}
	for code, g := range s.grants {
		if g.client == c {
			g.revoked = true
			delete(s.grants, code)
		}
	}
	heirs := map[*session]*Client{} // who holds a code of a session, or tokens
	for _, g := range s.grants {
		heirs[g.session] = g.client
	}
	for sid, ses := range s.sessions {
		if !ses.concerns(c) {
			continue
		}
		ses.leaves(c)
		if len(ses.parties) > 0 {
			heirs[ses] = ses.parties[0].client
		}
		if ses.client = heirs[ses]; ses.client == nil {
			ses.ended = true
			delete(s.sessions, sid)
		}
	}
}

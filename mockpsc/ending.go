package mockpsc

import (
	"maps"
	"time"
)

// An ending is what is left of an attempt that is over: enough to give a second
// click the answer of the first. Guarded by Server.mu.
type ending struct {
	browser string
	started time.Time
	client  *Client
	lang    string
	done    string
}

// remember keeps an attempt until it is over. Called with s.mu held.
func (s *Server) remember(at *attempt) {
	if len(s.attempts) >= maxAttempts {
		oldest := at
		for _, other := range s.attempts {
			if other.started.Before(oldest.started) {
				oldest = other
			}
		}
		delete(s.attempts, oldest.id)
		delete(s.tickets, oldest.ticket.id)
	}
	s.attempts[at.id] = at
}

// finish ends an attempt with the address to which the browser goes. Called with
// s.mu held.
func (s *Server) finish(at *attempt, location string) {
	at.done = location
	delete(s.tickets, at.ticket.id)
	if s.attempts[at.id] == at { // else it was answered without a page, and nobody can click twice
		delete(s.attempts, at.id)
		s.endings[at.id] = ending{at.browser, at.started, at.client, at.lang, location}
	}
}

// giveBack takes from the maps the room of what has left them, which a Go map
// keeps for ever. Called with s.mu held.
func (s *Server) giveBack() {
	s.attempts, s.endings, s.tickets = fitted(s.attempts), fitted(s.endings), fitted(s.tickets)
	s.sessions, s.grants = fitted(s.sessions), fitted(s.grants)
	s.access, s.refreshes = fitted(s.access), fitted(s.refreshes)
	s.activations, s.activatePhones = fitted(s.activations), fitted(s.activatePhones)
}

// fitted returns a copy of a map, with no more room than it takes.
func fitted[V any](m map[string]V) map[string]V {
	fit := make(map[string]V, len(m))
	maps.Copy(fit, m)
	return fit
}

// attempt returns the attempt with that handle, as far as it is still known, or
// nil. Called with s.mu held.
func (s *Server) attempt(id string) *attempt {
	if e, ok := s.endings[id]; ok {
		return &attempt{id: id, browser: e.browser, started: e.started, client: e.client, lang: e.lang, done: e.done}
	}
	return s.attempts[id]
}

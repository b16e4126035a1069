package mockpsc

import (
	"net/http"
	"net/url"
)

// card is the simulated reader: a card is put in, then its code is asked. On
// the real service that is TLS client authentication, and the computer asks.
func (s *Server) card(a *answer, r *http.Request) {
	at := s.resume(a, r)
	if at == nil {
		return
	}
	back := "/auth?attempt=" + url.QueryEscape(at.id) + "&means=card"
	s.mu.Lock()
	var n notice
	location := ""
	if r.Method == http.MethodPost {
		n, location = s.cardAnswer(a, r, at)
	}
	p := at.card
	var state, name string
	if p != nil {
		state, name = p.card.State, p.now.Name
	}
	s.mu.Unlock()

	switch {
	case location != "":
		a.redirect(location)
	case p == nil && n.Key != "":
		r.Form.Set("means", "card")
		s.signInPage(a, r, at, n)
	case p == nil:
		a.redirect(back)
	default:
		v := s.view(a, r, "card")
		v.Heading, v.Notice, v.Person = "card_code", n, name
		v.ofAttempt(at)
		v.Self = "/auth/card?attempt=" + url.QueryEscape(at.id)
		v.Step = "code"
		if state == "blocked" {
			v.Step = "blocked"
		}
		status := http.StatusOK
		if n.Key != "" {
			status = http.StatusBadRequest
		}
		a.page(status, v)
	}
}

// cardAnswer takes one answer of the person at the reader. Called with s.mu held.
func (s *Server) cardAnswer(a *answer, r *http.Request, at *attempt) (n notice, location string) {
	switch {
	case r.Form.Has("card"):
		p := s.people[r.Form.Get("card")]
		at.card = nil
		if p == nil {
			return notice{Key: "card_none", Field: "card"}, ""
		}
		if !p.card.Works() && p.card.State != "blocked" {
			return notice{Key: stateKey(byCard, p.card.State), Field: "card"}, ""
		}
		at.card = p
		if p.card.State == "blocked" {
			return notice{Key: "card_blocked"}, ""
		}
		return notice{}, "/auth/card?attempt=" + url.QueryEscape(at.id)
	case at.card == nil:
		return notice{}, ""
	case r.Form.Has("remove"):
		at.card = nil
		return notice{Key: "card_removed", Field: "card"}, ""
	case r.Form.Has("unblock"): // the mock's own button
		at.card.card.unblock("valid")
		return notice{}, "/auth/card?attempt=" + url.QueryEscape(at.id)
	}
	lock := &at.card.card
	switch {
	case lock.State == "blocked":
		return notice{Key: "card_blocked"}, ""
	case !lock.Works(): // revoked meanwhile
		key := stateKey(byCard, lock.State)
		at.card = nil
		return notice{Key: key, Field: "card"}, ""
	}
	switch n := lock.enter(r.Form.Get("pin"), "card"); {
	case n.Key != "":
		return n, ""
	case !lock.Works():
		return notice{Key: "card_blocked"}, ""
	}
	return notice{}, s.complete(a, r, at, at.card, byCard, nil)
}

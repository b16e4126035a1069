package mockpsc

import (
	"net/http"
	"net/url"
	"strings"
)

// signInPage shows the sign-in page: e-CPS, the card with means=card, or the
// delegation with means=delegation where it is enabled.
func (s *Server) signInPage(a *answer, r *http.Request, at *attempt, n notice) {
	means := "ecps"
	if m := r.Form.Get("means"); m == "card" || m == "delegation" && s.Delegation {
		means = m
	}
	v := s.view(a, r, "signin")
	v.Heading, v.Notice, v.Means = "connect", n, means
	v.Delegation = s.Delegation
	v.ofAttempt(at)
	v.Self = "/auth?attempt=" + url.QueryEscape(at.id)
	if means != "ecps" {
		v.Self += "&means=" + means
	}

	s.mu.Lock()
	if means == "ecps" {
		if !at.ticket.fresh(s.now()) || at.ticket.typed || at.ticket.state != waiting {
			s.newTicket(at, "", nil)
		}
		v.ofTicket(s, at)
		v.Frame = phonePath + at.ticket.id + "?panel=1"
		v.Identifier = r.Form.Get("identifier")
		if v.Identifier == "" {
			v.Identifier, _ = url.QueryUnescape(s.cookie(r, "id"))
			v.Remember = v.Identifier != ""
		}
		if hinted := s.find(at.hint); v.Identifier == "" && hinted != nil {
			v.Identifier = hinted.now.NationalID
		}
	}
	v.People = s.peopleViews(at.hint)
	s.mu.Unlock()

	v.Panel, v.AllFaults = !s.HidePersonas, r.Form.Get("faults") == "all"
	status := http.StatusOK
	if n.Key != "" {
		status = http.StatusBadRequest
	}
	a.page(status, v)
}

// signInDoor is the one door by which a program, or a person in a hurry, signs
// in as a persona: the form's fields are attempt, persona, and optionally means
// ("ecps" or "card"; default: the e-CPS if it works, otherwise the card) and any
// number of fault.
func (s *Server) signInDoor(a *answer, r *http.Request) {
	at := s.resume(a, r)
	if at == nil {
		return
	}
	chosen, err := findFaults(r.Form["fault"])
	if err != nil {
		s.refusePage(a, r, at.client, refusal{rule: err.Error(), key: "door_fault", args: []string{"x", strings.Join(r.Form["fault"], ", ")}})
		return
	}
	id, means := r.Form.Get("persona"), r.Form.Get("means")
	if means != "" && means != "ecps" && means != "card" {
		s.refusePage(a, r, at.client, refusal{rule: "unknown means '" + means + "': ecps or card", key: "door_means", args: []string{"x", means}})
		return
	}
	s.mu.Lock()
	p := s.people[id]
	if p == nil {
		s.mu.Unlock()
		s.refusePage(a, r, at.client, refusal{rule: "unknown persona '" + id + "'; known: " + personaIDs(s.known()), key: "door_persona", args: []string{"x", orDash(id)}})
		return
	}
	mode := p.chosenMode(means)
	if state := p.means(mode).State; !p.means(mode).Works() {
		why := p.cannot(id, mode)
		s.mu.Unlock()
		if mode == byCard {
			r.Form.Set("means", "card")
		}
		a.explain(why)
		s.signInPage(a, r, at, notice{Key: stateKey(mode, state)})
		return
	}
	location := s.complete(a, r, at, p, mode, chosen)
	s.mu.Unlock()
	a.redirect(location)
}

// stateKey is the text for a means that does not work.
func stateKey(mode authMode, state string) string {
	if mode == byCard {
		if state == "none" {
			return "card_none"
		}
		return "card_" + state
	}
	return "ecps_" + strings.ReplaceAll(state, "-", "_")
}

// ecps takes a typed identifier, and notifies that person's phone only.
func (s *Server) ecps(a *answer, r *http.Request) {
	at := s.resume(a, r)
	if at == nil {
		return
	}
	typed := strings.Join(strings.Fields(r.Form.Get("identifier")), "") // as it is written in groups
	if r.Form.Get("remember") != "" {
		s.setCookie(a, r, "id", url.QueryEscape(typed), 180*24*3600)
	} else if s.cookie(r, "id") != "" {
		s.setCookie(a, r, "id", "", -1)
	}
	s.mu.Lock()
	p := s.find(typed)
	key := ""
	switch {
	case typed == "":
		key = "id_empty"
	case p != nil && s.people[typed] == p: // the mock's name for the person is no identifier
		key = "id_form"
	case p != nil && p.ecps.Works():
		s.newTicket(at, p.now.NationalID, p)
	case p != nil:
		key = stateKey(byPhone, p.ecps.State)
	default:
		key = identifierFault(typed)
	}
	if s.Assume.DiscreetIdentifiers && (key == "id_unknown" || strings.HasPrefix(key, "ecps_")) {
		if p == nil && len(typed) == 11 {
			typed = "8" + typed
		} else if p != nil {
			typed = p.now.NationalID
		}
		s.newTicket(at, typed, nil)
		key = ""
	}
	s.mu.Unlock()
	if key != "" {
		s.signInPage(a, r, at, notice{Key: key, Field: "identifier"})
		return
	}
	a.redirect("/auth/wait?attempt=" + url.QueryEscape(at.id))
}

// identifierFault says what is wrong with an identifier that nobody has.
func identifierFault(id string) string {
	digits := strings.Trim(id, "0123456789") == ""
	switch {
	case digits && len(id) == 11 && !luhn(id), digits && len(id) == 12 && id[0] == '8' && !luhn(id[1:]):
		return "id_key"
	case digits && (len(id) == 10 || len(id) == 11 || len(id) == 12):
		return "id_unknown"
	case strings.HasPrefix(id, "ANS") && len(id) == 17, strings.Contains(id, "/"):
		return "id_unknown"
	}
	return "id_form"
}

// cancel takes the person back to the application without a sign-in.
func (s *Server) cancel(a *answer, r *http.Request) {
	at := s.resume(a, r)
	if at == nil {
		return
	}
	s.mu.Lock()
	if at.done == "" {
		s.finish(at, at.refuse("access_denied", "User denied access"))
		a.explain("the person cancelled")
	}
	location := at.done
	s.mu.Unlock()
	a.redirect(location)
}

package mockpsc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// autoHint is the value of Server.Auto that leaves the choice to the request.
const autoHint = "login_hint"

// checkAuto refuses a persona that nobody knows, or who could never sign in.
func (s *Server) checkAuto(docs []*document) error {
	if s.Auto == "" || s.Auto == autoHint {
		return nil
	}
	id, means, _ := strings.Cut(s.Auto, "/")
	i := slices.IndexFunc(docs, func(d *document) bool { return d.ID == id })
	switch {
	case i < 0:
		return fmt.Errorf("mockpsc: invalid Auto %q: no such persona; known: %s; or %q", s.Auto, personaIDs(docs), autoHint)
	case strings.Contains(s.Auto, "/") && means != "ecps" && means != "card":
		return fmt.Errorf("mockpsc: invalid Auto %q: unknown means %q: ecps or card", s.Auto, means)
	}
	p := new(person)
	p.become(&docs[i].situation)
	if mode := p.chosenMode(means); !p.means(mode).Works() {
		return fmt.Errorf("mockpsc: invalid Auto %q: %s", s.Auto, p.cannot(id, mode))
	}
	return nil
}

// zeroTouch answers an authorization request at once, as the person of
// Server.Auto would after the sign-in page. It reports whether it has answered.
//
// With prompt=none no page would be shown, so that nobody could sign in there:
// such a request goes the ordinary way.
func (s *Server) zeroTouch(a *answer, r *http.Request, at *attempt) bool {
	who := s.Auto
	if who == autoHint {
		who = at.hint
	}
	if who == "" || r.Form.Get("prompt") == "none" {
		return false
	}
	s.mu.Lock()
	p, means := s.find(who), ""
	if p == nil { // a national identifier may hold a slash: only what is left is a means
		if id, last, ok := strings.Cut(who, "/"); ok && (last == "ecps" || last == "card") {
			p, means = s.find(id), last
		}
	}
	if p == nil {
		s.mu.Unlock()
		list := personaIDs(s.known())
		s.refusePage(a, r, at.client, refusal{
			rule: fmt.Sprintf("login_hint %q names no persona; known: %s", who, list),
			key:  "auto_unknown", args: []string{"x", who, "liste", list},
		})
		return true
	}
	mode := p.chosenMode(means)
	if !p.means(mode).Works() {
		rule := p.cannot(p.original.ID, mode)
		s.mu.Unlock()
		s.refusePage(a, r, at.client, refusal{rule: rule, key: "auto_means", args: []string{"x", rule}})
		return true
	}
	ses := s.ssoSession(r)
	goesOn := ses != nil && ses.person == p && (means == "" || ses.mode == mode)
	s.mu.Unlock()
	if goesOn && s.answerFromSSO(a, r, at) {
		return true
	}
	s.mu.Lock()
	location := s.complete(a, r, at, p, mode, nil)
	s.mu.Unlock()
	a.redirect(location)
	return true
}

// chosenMode is the mode for "ecps", "card", or "" for the person's default.
func (p *person) chosenMode(means string) authMode {
	switch means {
	case "ecps":
		return byPhone
	case "card":
		return byCard
	}
	return p.defaultMode()
}

// cannot says in English why a means does not work.
func (p *person) cannot(id string, mode authMode) string {
	return "the " + map[authMode]string{byPhone: "e-CPS", byCard: "card"}[mode] + " of " + id + " is in state " + p.means(mode).State
}

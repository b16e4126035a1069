package mockpsc

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// askToGoOn shows the confirmation card in place of a silent answer from an SSO
// session, if Server.ConfirmSSO says so. It reports whether it has answered.
func (s *Server) askToGoOn(a *answer, r *http.Request, at *attempt) bool {
	prompt := strings.Fields(r.Form.Get("prompt"))
	if !s.ConfirmSSO || slices.Contains(prompt, "login") || slices.Contains(prompt, "select_account") {
		return false
	}
	s.mu.Lock()
	ses := s.ssoSession(r)
	if ses == nil || !s.enough(ses, r.Form) {
		s.mu.Unlock()
		return false
	}
	if slices.Contains(prompt, "none") {
		s.mu.Unlock()
		a.refuseAt(at, "interaction_required", "prompt=none, and the person must confirm to go on")
		return true
	}
	s.mu.Unlock()
	at.browser = s.browser(a, r)
	at.ask = ses
	s.mu.Lock()
	s.remember(at)
	s.mu.Unlock()
	s.confirmPage(a, r, at, ses.person, false)
	return true
}

// confirmPage asks a person whom the mock knows already, or whom the hospital
// has just named, whether to go on.
func (s *Server) confirmPage(a *answer, r *http.Request, at *attempt, p *person, guest bool) {
	v := s.view(a, r, "confirm")
	v.Heading = "confirm"
	v.ofAttempt(at)
	v.Self = "/auth/confirm?attempt=" + url.QueryEscape(at.id)
	s.mu.Lock()
	v.Person, v.Identifier = p.now.Name, p.now.NationalID
	if guest {
		v.Person = p.original.ID + hospitalDomain
	}
	s.mu.Unlock()
	a.page(http.StatusOK, v)
}

// confirm takes the answer to the card: on to the application, or to the
// sign-in page for somebody else.
func (s *Server) confirm(a *answer, r *http.Request) {
	at := s.resume(a, r)
	if at == nil {
		return
	}
	location := "/auth?attempt=" + url.QueryEscape(at.id)
	s.mu.Lock()
	ses := s.ssoSession(r)
	guest := at.guest
	pending := guest != nil || ses != nil && ses == at.ask
	switch {
	case !pending || r.Method == http.MethodPost && r.PostForm.Get("answer") == "no":
		at.ask, at.guest = nil, nil // the session itself lives on, until somebody else signs in
	case r.Method == http.MethodPost && r.PostForm.Get("answer") == "yes":
		if guest != nil {
			s.complete(a, r, at, guest, byDelegation, nil)
		} else if at.done == "" { // else a double click
			ses.used = s.now()
			s.finish(at, s.issueCode(a, at, ses, s.takeQueued(at.client, at.state)))
		}
		location = at.done
	default:
		s.mu.Unlock()
		if guest != nil {
			s.confirmPage(a, r, at, guest, true)
		} else {
			s.confirmPage(a, r, at, ses.person, false)
		}
		return
	}
	s.mu.Unlock()
	a.redirect(location)
}

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
		a.redirect(at.refuse("interaction_required", "prompt=none, and the person must confirm to go on"))
		return true
	}
	s.mu.Unlock()
	at.browser = s.browser(a, r)
	at.ask = ses
	s.mu.Lock()
	s.attempts[at.id] = at
	s.mu.Unlock()
	s.confirmPage(a, r, at, ses.person)
	return true
}

// confirmPage asks a person whom the mock knows already whether to go on.
func (s *Server) confirmPage(a *answer, r *http.Request, at *attempt, p *person) {
	v := s.view(a, r, "confirm")
	v.Heading = "confirm"
	v.ofAttempt(at)
	v.Self = "/auth/confirm?attempt=" + url.QueryEscape(at.id)
	s.mu.Lock()
	v.Person, v.Identifier = p.now.Name, p.now.NationalID
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
	pending := ses != nil && ses == at.ask
	switch {
	case !pending || r.Method == http.MethodPost && r.PostForm.Get("answer") == "no":
		at.ask = nil // the session itself lives on, until somebody else signs in
	case r.Method == http.MethodPost && r.PostForm.Get("answer") == "yes":
		if at.done == "" { // else a double click
			ses.used = s.now()
			at.done = s.issueCode(at, ses, nil)
		}
		location = at.done
	default:
		s.mu.Unlock()
		s.confirmPage(a, r, at, ses.person)
		return
	}
	s.mu.Unlock()
	a.redirect(location)
}

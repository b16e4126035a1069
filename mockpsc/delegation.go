package mockpsc

import (
	"net/http"
	"net/url"
)

// byDelegation is a sign-in at a hospital's own identity provider. The word is
// the mock's and never leaves it: which authMode PSC then writes is not known,
// so that the ID token has none, and the acr that was asked for.
const byDelegation authMode = "DELEGATION"

// hospital is the one simulated third-party provider, in the form and as the
// domain of its accounts.
const (
	hospital       = "hopital-imaginaire"
	hospitalDomain = "@hopital-imaginaire.example"
)

// delegable reports whether a person has an account at the hospital that PSC
// would accept: who may not sign in to PSC at all may not do it this way either.
func (p *person) delegable() bool { return p.ecps.State != "revoked" }

// hinted takes a person straight to the hospital if the request has a
// kc_idp_hint. It reports whether it has answered.
func (s *Server) hinted(a *answer, r *http.Request, at *attempt) bool {
	if !s.Delegation || r.Form.Get("kc_idp_hint") == "" {
		return false
	}
	a.redirect("/auth/delegation?attempt=" + url.QueryEscape(at.id))
	return true
}

// delegation is the simulated page of a hospital's identity provider, and the
// way to it from the sign-in page. On the real service that provider is
// elsewhere, and proves who somebody is in its own way.
func (s *Server) delegation(a *answer, r *http.Request) {
	if !s.Delegation {
		s.notFound(a, r)
		return
	}
	at := s.resume(a, r)
	if at == nil {
		return
	}
	here := "/auth/delegation?attempt=" + url.QueryEscape(at.id)
	var n notice
	switch {
	case r.Method != http.MethodPost:
	case r.PostForm.Has("provider"):
		if r.PostForm.Get("provider") == hospital {
			a.redirect(here)
			return
		}
		r.Form.Set("means", "delegation")
		s.signInPage(a, r, at, notice{Key: "dele_choose", Field: "provider"})
		return
	default:
		s.mu.Lock()
		p := s.people[r.PostForm.Get("account")]
		ok := p != nil && p.delegable()
		if ok {
			at.guest = p
		}
		s.mu.Unlock()
		if ok {
			a.redirect("/auth/confirm?attempt=" + url.QueryEscape(at.id))
			return
		}
		n = notice{Key: "fi_choose", Field: "account"}
	}
	v := s.view(a, r, "delegation")
	v.Heading, v.Notice = "fi", n
	v.ofAttempt(at)
	v.Self = here
	s.mu.Lock()
	for _, p := range s.peopleViews("") {
		if s.people[p.ID].delegable() {
			v.People = append(v.People, p)
		}
	}
	s.mu.Unlock()
	status := http.StatusOK
	if n.Key != "" {
		status = http.StatusBadRequest
	}
	a.page(status, v)
}

// Account is somebody's name at the hospital.
func (v *view) Account(p personView) string { return p.ID + hospitalDomain }

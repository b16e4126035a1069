package mockpsc

import (
	"fmt"
	"net/http"
	"strings"
)

// Drill begins an incident, to see what an application does: with "outage"
// everything of the real service's, under /auth, is answered by a page with status 503, with
// "maintenance" by one with status 200, where a client expects JSON or a
// redirect. "" ends it, and so does Reset. Another name is an error.
func (s *Server) Drill(name string) error {
	switch name {
	case "", "outage", "maintenance":
	default:
		return fmt.Errorf("mockpsc: unknown drill %q; known: outage, maintenance", name)
	}
	s.once.Do(s.init)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drill = name
	return nil
}

// drilled answers with the page of the drill under way, if there is one.
func (s *Server) drilled(a *answer, r *http.Request) bool {
	s.mu.Lock()
	name := s.drill
	s.mu.Unlock()
	if name == "" || r.URL.Path == "/auth/data" || r.URL.Path != "/auth" && !strings.HasPrefix(r.URL.Path, "/auth/") {
		return false
	}
	a.explain("drill: " + name)
	v := s.view(a, r, "drill")
	v.Self, v.Step = "", name
	status := http.StatusOK
	if v.Heading = "a11_maint"; name == "outage" {
		v.Heading, status = "a11", http.StatusServiceUnavailable
		a.Header().Set("Retry-After", "120")
	}
	a.page(status, v)
	return true
}

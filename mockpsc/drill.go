package mockpsc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A drill is an incident that an application should live through.
type drill struct {
	name    string
	summary string // what happens
	expect  string // what a good application does

	strikes func(*Server)                                     // once, when it begins; called with Server.mu held
	answer  func(*Server, *answer, *http.Request) bool        // in place of the ordinary answer, if it reports true
	ticket  func(*ticket)                                     // what becomes of a notification or a QR code; called with Server.mu held
	over    func(s *Server, since, now time.Time) (ends bool) // nil: it lasts until another, or Reset
}

// drills are all there are.
var drills = []drill{
	{
		name:    "outage",
		summary: "everything of the real service's, under /auth, is answered by a page with status 503",
		expect:  "who is signed in goes on; a newcomer reads that Pro Santé Connect does not answer",
		answer:  drillPage(http.StatusServiceUnavailable, "a11"),
	},
	{
		name:    "half-day-outage",
		summary: "the same, and after twelve hours the service is back by itself",
		expect:  "the first newcomer after it gets in, without a restart",
		answer:  drillPage(http.StatusServiceUnavailable, "a11"),
		over:    func(_ *Server, since, now time.Time) bool { return now.Sub(since) >= 12*time.Hour },
	},
	{
		name:    "maintenance",
		summary: "everything under /auth is answered by a page with status 200, where a client expects JSON or a redirect",
		expect:  "as in an outage: the page is neither a token nor a person",
		answer:  drillPage(http.StatusOK, "a11_maint"),
	},
	{
		name:    "slow-token",
		summary: "the token endpoint takes 20 seconds",
		expect:  "give up before the person does, say so, and hold up nobody else",
		answer: func(_ *Server, _ *answer, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/protocol/openid-connect/token") && !pause(r, 20*time.Second)
		},
	},
	{
		name:    "keys-gone",
		summary: "the document of the keys is answered 404",
		expect:  "go on with the keys read before; without any, refuse the sign-in",
		answer: func(_ *Server, a *answer, r *http.Request) bool {
			gone := strings.HasSuffix(r.URL.Path, "/protocol/openid-connect/certs")
			if gone {
				a.refuse(http.StatusNotFound, &refusal{code: "not_found", words: "RESTEASY003210: Could not find resource", rule: "drill: keys-gone"})
			}
			return gone
		},
	},
	{
		name:    "no-notification",
		summary: "the notification to the phone of the e-CPS never comes, nor does a scanned QR code lead anywhere",
		expect:  "wait, and take the person back when time is up",
		ticket:  func(t *ticket) { t.lost = true },
	},
	{
		name:    "phone-refuses",
		summary: "the phone refuses every request",
		expect:  "say that the sign-in was refused, and begin none by itself",
		ticket:  func(t *ticket) { t.state = refused },
	},
	{
		name:    "struck-off",
		summary: "everybody who is signed in is struck off the register at this moment: a refresh is refused, and so is the next sign-in",
		expect:  "notice at the next refresh or sign-in, and let nobody in whose means is revoked",
		strikes: func(s *Server) {
			for _, ses := range s.sessions {
				if ses.open(s.now()) {
					ses.person.ecps.State, ses.person.card.State = "revoked", "revoked"
				}
			}
		},
	},
}

// Drill begins an incident, to see what an application does:
//
//   - "outage": everything of the real service's, under /auth, is answered by a
//     page with status 503; "half-day-outage" is over after twelve hours by Now
//   - "maintenance": the same with status 200
//   - "slow-token": the token endpoint takes 20 seconds
//   - "keys-gone": the keys are answered 404
//   - "no-notification": the phone is never asked
//   - "phone-refuses": the phone refuses
//   - "struck-off": whoever is signed in now is struck off the register
//
// "" ends it, and so does Reset, which alone brings back who was struck off.
// Another name is an error.
func (s *Server) Drill(name string) error {
	i := slices.IndexFunc(drills, func(d drill) bool { return d.name == name })
	if i < 0 && name != "" {
		var known []string
		for _, d := range drills {
			known = append(known, d.name)
		}
		return fmt.Errorf("mockpsc: unknown drill %q; known: %s", name, strings.Join(known, ", "))
	}
	s.once.Do(s.init)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drill, s.drillSince = nil, s.now(); i >= 0 {
		s.drill = &drills[i]
		if s.drill.strikes != nil {
			s.drill.strikes(s)
		}
	}
	return nil
}

// underway is the drill that is on; nil if there is none. Called with s.mu held.
func (s *Server) underway() *drill {
	if d := s.drill; d != nil && d.over != nil && d.over(s, s.drillSince, s.now()) {
		s.drill = nil
	}
	return s.drill
}

// drilled answers in the way of the drill under way. It reports whether it has.
func (s *Server) drilled(a *answer, r *http.Request) bool {
	s.mu.Lock()
	d := s.underway()
	s.mu.Unlock()
	if d == nil || d.answer == nil {
		return false
	}
	a.explain("drill: " + d.name) // an answer that is given after all keeps it
	return d.answer(s, a, r)
}

// drillPage answers at all paths of the real service with a page.
func drillPage(status int, heading string) func(*Server, *answer, *http.Request) bool {
	return func(s *Server, a *answer, r *http.Request) bool {
		if r.URL.Path == "/auth/data" || r.URL.Path != "/auth" && !strings.HasPrefix(r.URL.Path, "/auth/") {
			return false
		}
		v := s.view(a, r, "drill")
		v.Self, v.Heading, v.Step = "", heading, heading
		if status == http.StatusServiceUnavailable {
			a.Header().Set("Retry-After", "120")
		}
		a.page(status, v)
		return true
	}
}

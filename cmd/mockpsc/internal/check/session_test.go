package check_test

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/cmd/mockpsc/internal/check"
)

// What an application does with the browser and its session: several weaknesses
// at a time, and what is none.
func TestSessions(t *testing.T) {
	for i, tt := range []struct {
		weak   string
		want   string // the ids of all findings
		status int
		opt    check.Options
	}{
		{weak: "remembers the answer, shows no logout", want: "callback-replay", status: 2},
		{weak: "remembers the answer, talks to strangers, shows no logout", want: "callback-replay", status: 2}, // both have the cookie of the language
		{weak: "remembers the answer, lands on the one session, while it lasts", want: "callback-replay", status: 2},

		{weak: "counts its sign-ins", want: "state-weak", status: 2},
		{weak: "one sign-in of a browser", want: "nonce-reused pkce-reused state-reused", status: 3},
		{weak: "one sign-in of a browser, has nobody sign in twice", want: "nonce-reused pkce-reused state-reused", status: 3},

		{weak: "shows the token", want: "secret-in-url", status: 3},
		{weak: "shows the token behind a hash", want: "secret-in-url", status: 3},
		{weak: "shows the token to another site", want: "secret-in-url", status: 3},

		{weak: "takes no state for no state", want: "state-not-bound", status: 3}, // and then no nonce for no nonce
		{weak: "takes no state for no state, minds no nonce where there is none", want: "state-not-bound", status: 3},

		{weak: "keeps the old session too", want: "session-fixation", status: 2},
		{weak: "takes a given session", want: "session-fixation", status: 2},

		{weak: "remembers who was in, for scripts too", want: "cookie-not-httponly", status: 2}, // each of two cookies suffices
		{weak: "keeps the previous session", want: "previous-session-stays", status: 2},

		{weak: "signs nobody out, one session of a person", want: "logout-fails", status: 2},
		{weak: "signs nobody out, asks before it signs out", want: "logout-fails", status: 2},
		{weak: "signs out by GET, shows no logout", want: "logout-by-get", status: 1, opt: check.Options{Logout: "/logout"}},
		{weak: "forgets only the cookie, calls it quit", want: "session-outlives-logout", status: 1, opt: check.Options{Logout: "/quit"}},
		{weak: "forgets only the cookie, shows no logout", want: "session-outlives-logout", status: 1, opt: check.Options{Logout: "/quit"}},

		{weak: "returns whoever is in anywhere", want: "open-return-path", status: 2},
		{weak: "returns behind its own name", want: "open-return-path", status: 2},
		{weak: "appends the way back", want: "open-return-path", status: 2},
		{weak: "returns anywhere, refreshes by its header", want: "open-return-path", status: 2},
		{weak: "returns anywhere, calls the way back zurueck", want: "open-return-path", status: 2, opt: check.Options{ReturnParam: "zurueck"}},

		// Who does these is right.
		{weak: "remembers the answer, lands on the one session, shows no logout"},
		{weak: "talks to strangers"},
		{weak: "remembers who was in"},
		{weak: "refuses who comes while another is in"},
		{weak: "has nobody sign in twice"},
		{weak: "minds no nonce where there is none"},
		{weak: "keeps the state in a token"},
		{weak: "one session of a person"},
		{weak: "renews its cookie at each request"},
		{weak: "refreshes by its header"},
		{weak: "refreshes by its page"},
		{weak: "asks before it signs out"},
		{weak: "calls it quit", opt: check.Options{Logout: "/quit"}},
		{weak: "shows no logout", opt: check.Options{Logout: "/quit"}},
		{weak: "signs out by GET, strict session"},
	} {
		t.Run(tt.weak, func(t *testing.T) {
			if testing.Short() && i%4 != 0 {
				t.Skip("dozens of sign-ins")
			}
			t.Parallel()
			tt.opt.Only, tt.opt.Quick = func(fault string) bool { return fault == "expired" }, true
			r := run(t, newApp(t, mild(t), tt.weak), tt.opt)
			if got := ids(r); got != tt.want || r.Status != tt.status {
				t.Errorf("found %q, status %d; want %q, %d", got, r.Status, tt.want, tt.status)
				for _, f := range r.Findings {
					t.Logf("%s (%s): %v %v", f.ID, f.Severity, f.Seen, f.Cases)
				}
			}
		})
	}
}

// askBeforeLogout is where the link to sign out leads.
func (a *app) askBeforeLogout(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, `<p>Vraiment ? <form method="post"><input type="hidden" name="csrf" value="%s"><button>Oui</button></form>`, html.EscapeString(cookie(r, "session")))
}

// isIn reports whether a request is that of somebody who is in.
func (a *app) isIn(r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.sessions[cookie(r, "session")]
	return ok
}

// What is tried of the logout, and why the rest is not.
func TestLogoutIsTried(t *testing.T) {
	all := []string{"logout-by-get", "logout-fails", "session-outlives-logout", "logout-only-here", "logout-without-hint"}
	for _, tt := range []struct{ weak, logout, why string }{
		{"", "", ""},
		{"shows no logout", "/quit", ""},
		{"shows no logout", "", "the page shows no way to sign out"},
		{"", "/nowhere", "there is nothing at /nowhere"},
		{"shows no logout", "/nowhere", "there is nothing at /nowhere"},
	} {
		r := run(t, newApp(t, mild(t), tt.weak), check.Options{Logout: tt.logout, Only: func(string) bool { return false }, Quick: true})
		for _, id := range all {
			i := slices.IndexFunc(r.Cases, func(k check.Case) bool { return k.ID == "rule:"+id })
			if i < 0 || (r.Cases[i].Status == "passed") != (tt.why == "") || !strings.Contains(r.Cases[i].Seen.EN, tt.why) {
				t.Errorf("%q, -logout %q: %s: got %v, want %q", tt.weak, tt.logout, id, r.Cases, tt.why)
			}
		}
	}
}

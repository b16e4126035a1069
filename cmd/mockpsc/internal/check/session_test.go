package check_test

import (
	"testing"

	"github.com/pscauth/pscauth/cmd/mockpsc/internal/check"
)

// What an application does with the browser and its session: several weaknesses
// at a time, and what is none.
func TestSessions(t *testing.T) {
	for _, tt := range []struct {
		weak   string
		want   string // the ids of all findings
		status int
		opt    check.Options
	}{
		{weak: "remembers the answer, shows no logout", want: "callback-replay", status: 2},
		{weak: "remembers the answer, talks to strangers, shows no logout", want: "callback-replay", status: 2}, // both have the cookie of the language
		{weak: "remembers the answer, lands on the one session, while it lasts", want: "callback-replay", status: 2},

		{weak: "keeps the old session too", want: "session-fixation", status: 2},
		{weak: "takes a given session", want: "session-fixation", status: 2},

		// Who does these is right.
		{weak: "remembers the answer, lands on the one session, shows no logout"},
		{weak: "talks to strangers"},
	} {
		t.Run(tt.weak, func(t *testing.T) {
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

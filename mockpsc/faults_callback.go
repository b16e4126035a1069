package mockpsc

import (
	"slices"
	"strings"
	"time"
)

// Faults of the redirect by which the browser comes back to the application.
func callbackFaults() []Fault {
	const where = "callback"
	failed := func(code, description string) func(*outgoing) {
		return func(o *outgoing) {
			kept := slices.DeleteFunc(o.params, func(p param) bool { return p.name == "code" || p.name == "session_state" })
			o.params = append([]param{{"error", code}, {"error_description", description}}, kept...)
		}
	}
	double := func(name, value string, first bool) func(*outgoing) {
		return func(o *outgoing) {
			if p := (param{name, value}); first {
				o.params = append([]param{p}, o.params...)
			} else {
				o.params = append(o.params, p)
			}
		}
	}
	return []Fault{
		{Name: "wrong-state", Where: where, Severity: critical, Expect: refuseCallback, MayRestart: true,
			Summary: "the callback carries another state than the one sent",
			bend:    func(o *outgoing) { o.param("state", newHandle()) }},
		{Name: "missing-state", Where: where, Severity: critical, Expect: refuseCallback, MayRestart: true,
			Summary: "the callback has no state",
			bend:    func(o *outgoing) { o.dropParam("state") }},
		{Name: "empty-state", Where: where, Severity: critical, Expect: refuseCallback, MayRestart: true,
			Summary: "the state of the callback is empty",
			bend:    func(o *outgoing) { o.param("state", "") }},
		{Name: "state-in-capitals", Where: where, Severity: serious, Expect: refuseCallback, MayRestart: true,
			Summary: "the callback carries the state with its small letters and capitals exchanged",
			bend: func(o *outgoing) {
				for i := range o.params {
					if o.params[i].name == "state" {
						o.params[i].value = exchangeCase(o.params[i].value)
					}
				}
			}},
		{Name: "state-cut-short", Where: where, Severity: serious, Expect: refuseCallback, MayRestart: true,
			Summary: "the callback carries only the first half of the state",
			bend: func(o *outgoing) {
				for i := range o.params {
					if o.params[i].name == "state" {
						o.params[i].value = o.params[i].value[:len(o.params[i].value)/2]
					}
				}
			}},
		{Name: "second-state", Where: where, Severity: minor, Expect: refuseCallback, MayRestart: true,
			Summary: "the callback carries two states, the second another one",
			bend:    double("state", "another-state", false)},
		{Name: "wrong-iss-parameter", Where: where, Severity: serious, Expect: refuseCallback,
			Summary: "the callback names another issuer in iss",
			bend:    func(o *outgoing) { o.param("iss", otherIssuer) }},
		{Name: "empty-iss-parameter", Where: where, Severity: minor, Expect: refuseCallback,
			Summary: "the iss of the callback is empty",
			bend:    func(o *outgoing) { o.param("iss", "") }},
		{Name: "iss-parameter-with-slash", Where: where, Severity: minor, Expect: refuseCallback,
			Summary: "the iss of the callback is the issuer with a slash behind it",
			bend:    func(o *outgoing) { o.param("iss", o.issuer+"/") }},
		{Name: "second-iss-parameter", Where: where, Severity: minor, Expect: refuseCallback,
			Summary: "the callback names two issuers, the second another one",
			bend:    double("iss", otherIssuer, false)},
		{Name: "access-denied", Where: where, Severity: minor,
			Summary: "the person cancelled: the callback carries error=access_denied and no code",
			Expect:  "say that the sign-in was cancelled and open no session",
			bend:    failed("access_denied", "User denied access")},
		{Name: "server-error", Where: where, Severity: minor,
			Summary: "the provider broke down: the callback carries error=server_error and no code",
			Expect:  "say that the sign-in failed and open no session",
			bend:    failed("server_error", "unknown_error")},
		{Name: "error-with-markup", Where: where, Severity: serious,
			Summary: "the callback carries an error whose description is a script",
			Expect:  "show nothing of the description, or show it as text, and open no session",
			bend:    failed("access_denied", `"><script>document.title="mockpsc"</script>`)},
		{Name: "error-and-code", Where: where, Severity: minor, Expect: refuseCallback,
			Summary: "the callback carries both an error and a code",
			bend:    double("error", "access_denied", true)},
		{Name: "missing-code", Where: where, Severity: minor, Expect: refuseCallback,
			Summary: "the callback has no code",
			bend:    func(o *outgoing) { o.dropParam("code") }},
		{Name: "empty-code", Where: where, Severity: minor, Expect: refuseCallback,
			Summary: "the code of the callback is empty",
			bend:    func(o *outgoing) { o.param("code", "") }},
		{Name: "invented-code", Where: where, Severity: minor, Expect: "refuse the sign-in when the code is refused",
			Summary: "the callback carries a code that nobody issued",
			bend:    func(o *outgoing) { o.param("code", newUUID()+"."+newUUID()+"."+newUUID()) }},
		{Name: "second-code", Where: where, Severity: minor, Expect: refuseCallback,
			Summary: "the callback carries two codes, the second nobody's",
			bend:    double("code", newUUID(), false)},
		{Name: "expired-code", Where: where, Severity: minor, Expect: "refuse the sign-in when the code is refused",
			Summary: "the code had expired when it was issued",
			bend:    func(o *outgoing) { o.grant.issued = o.grant.issued.Add(-o.grant.lives.Code - time.Second) }},
		{Name: "replayed-code", Where: where, Severity: minor, Expect: "refuse the sign-in when the code is refused",
			Summary: "the code has been redeemed already",
			bend:    func(o *outgoing) { o.grant.spent = true }},
		{Name: "swapped-code", Where: where, Severity: critical,
			Summary: "the code is that of another person's sign-in, begun elsewhere with another nonce and code_challenge",
			Expect:  "be refused by PKCE, or refuse the ID token for its nonce",
			bend: func(o *outgoing) {
				o.grant.nonce = newHandle()
				if o.grant.challenge != "" {
					o.grant.challenge = strings.Repeat("A", 43)
				}
				o.grant.impersonate(o.other())
			}},
		{Name: "callback-in-fragment", Where: where, Severity: minor, Expect: refuseCallback, MayRestart: true,
			Summary: "the parameters come behind a #, where only a script can read them",
			bend:    func(o *outgoing) { o.fragment = true }},
	}
}

func exchangeCase(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, text)
}

// impersonate makes a grant somebody else's.
func (g *grant) impersonate(other persona) {
	g.sub = other.sub
	who := *g.who
	who.NationalID, who.Userinfo, who.UserinfoCard = other.nationalID, other.userinfo, nil
	g.who = &who
}

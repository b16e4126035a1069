package check_test

import (
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/cmd/mockpsc/internal/check"
	"github.com/pscauth/pscauth/mockpsc"
)

// mild is a mock that lets pass what a weak application sends.
func mild(t *testing.T) *mockpsc.Server {
	mock := mockpsc.NewServer(t)
	mock.Lenient = func(string) {}
	return mock
}

func run(t *testing.T, a *app, opt check.Options) *check.Report {
	t.Helper()
	opt.Mock, opt.App, opt.SignedIn = a.mock.URL, a.URL+"/login", "/me"
	if cert := a.Certificate(); cert != nil {
		opt.Roots = x509.NewCertPool()
		opt.Roots.AddCert(cert)
	}
	report, err := check.Run(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func ids(r *check.Report) string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, f.ID)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// heavy are the faults that cost a second each; the strong application meets them.
func light(fault string) bool {
	for _, end := range []string{"-hanging", "-dripping", "-bomb", "-oversized", "-deep", "-huge", "dots-only"} {
		if strings.HasSuffix(fault, end) {
			return false
		}
	}
	return true
}

// of are the light faults of some places, for weaknesses that cannot matter elsewhere.
func of(places ...string) func(string) bool {
	where := map[string]string{}
	for _, f := range mockpsc.Faults() {
		where[f.Name] = f.Where
	}
	return func(fault string) bool { return light(fault) && slices.Contains(places, where[fault]) }
}

func few(fault string) bool { return fault == "expired" || fault == "wrong-state" }

func TestAStrongApplicationIsClean(t *testing.T) {
	t.Parallel()
	r := run(t, newApp(t, mockpsc.NewServer(t), ""), check.Options{Quick: testing.Short()})
	for _, f := range r.Findings {
		t.Errorf("%s (%s): %v %v", f.ID, f.Severity, f.Seen, f.Cases)
	}
	if r.Status != 0 || r.Passed < 230 {
		t.Errorf("status %d, %d passed", r.Status, r.Passed)
	}
	if r.Parallel != 4 {
		t.Errorf("%d browsers at a time, want 4", r.Parallel)
	}
	for _, k := range r.Cases {
		if k.Status == "skipped" && k.Seen.EN != "-quick" && !strings.HasPrefix(k.ID, "fault:key") && !strings.HasPrefix(k.ID, "fault:no-keys") &&
			k.Group != "metadata" && k.Group != "logout_token" && k.Group != "drill" {
			t.Errorf("%s was not tried: %s", k.ID, k.Seen.EN)
		}
	}
}

// patient skips what waits for real time-outs where time is short.
func patient(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for time-outs")
	}
	t.Parallel()
}

func TestEachWeaknessIsFound(t *testing.T) {
	callback, idToken, userinfo := of("callback"), of("id_token", "keys"), of("token", "userinfo")
	for i, tt := range []struct {
		weak   string
		want   string // the ids of all findings
		status int
		only   func(string) bool
	}{
		{"no state", "state-missing", 3, light},
		{"state not compared", "state-not-checked", 3, callback},
		{"state of anybody", "state-not-bound", 3, callback},
		{"short state", "state-weak", 2, few},
		{"state of the link", "state-chosen", 2, few},
		{"no nonce", "nonce-missing", 3, light},
		{"nonce unread", "nonce-not-checked", 3, idToken},
		{"no PKCE", "pkce-missing", 2, callback},
		{"plain PKCE", "pkce-plain", 2, few},
		{"no acr_values", "acr-values-missing", 2, few},
		{"another scope", "scope", 2, few},
		{"return path in redirect_uri", "redirect-uri-varies", 2, few},
		{"secret in the address", "secret-in-url", 3, few},

		{"ignores errors", "callback-form", 1, callback},
		{"shows markup", "script-in-error", 2, callback},
		{"iss of the callback unread", "issuer-parameter", 2, callback},
		{"remembers the answer", "callback-replay", 2, few},
		{"takes doubles", "duplicates", 1, light},
		{"folds case", "case-folded", 3, light},

		{"needs no ID token", "id-token-not-required", 3, light},
		{"follows redirects", "redirect-followed", 2, light},
		{"no signature", "signature-not-checked", 3, light},
		{"alg none", "alg-none", 3, idToken},
		{"alg HS256", "alg-confusion", 2, idToken},
		{"any key", "keys-not-checked", 3, idToken},
		{"any typ", "token-confusion", 1, idToken},
		{"iss unread", "issuer-not-checked", 3, idToken},
		{"aud unread", "audience-not-checked", 3, idToken},
		{"azp unread", "azp-not-checked", 2, idToken},
		{"exp unread", "expiry-not-checked", 2, idToken},
		{"iat unread", "times-not-checked", 2, idToken},
		{"sub not required", "subject-not-checked", 3, light},
		{"acr unread", "acr-not-checked", 2, idToken},
		{"at_hash unread", "at-hash-not-checked", 2, idToken},
		{"sub of userinfo not compared", "userinfo-sub-not-checked", 3, userinfo},
		{"identifier not compared", "identifier-not-checked", 3, userinfo},
		{"reads no userinfo", "userinfo-unused", 0, light},
		{"reads the first object", "answer-form", 1, userinfo},

		{"returns anywhere", "open-return-path", 2, few},
		{"returns behind two slashes", "open-return-path", 2, few},
		{"returns behind a backslash", "open-return-path", 2, few},
		{"keeps the session cookie", "session-fixation", 2, few},
		{"cookie without HttpOnly", "cookie-not-httponly", 2, few},
		{"cookie without Secure", "cookie-not-secure", 2, few},
		{"cookie without SameSite", "cookie-samesite", 1, few},
		{"no Cache-Control", "page-cacheable", 0, few},

		{"signs out by GET", "logout-by-get", 1, few},
		{"signs nobody out", "logout-fails", 2, few},
		{"forgets only the cookie", "session-outlives-logout", 1, few},
		{"signs out here only", "logout-only-here", 2, few},
		{"signs out without a hint", "logout-without-hint", 0, few},

		{"breaks down", "breaks-down provider-down", 2, few},
		{"panics", "breaks-down", 1, few},
		{"begins again", "begins-again", 0, few},
		{"stops", "crashes", 2, func(fault string) bool { return fault == "expired" }},
		{"falls ill", "does-not-recover", 2, func(fault string) bool { return fault == "expired" }},
	} {
		t.Run(tt.weak, func(t *testing.T) {
			if testing.Short() && (i%4 != 0 || tt.only("expired") && tt.only("alg-none") || tt.only("other-sub")) {
				t.Skip("dozens of sign-ins")
			}
			t.Parallel()
			r := run(t, newApp(t, mild(t), tt.weak), check.Options{Only: tt.only, Quick: true})
			if got := ids(r); got != tt.want || r.Status != tt.status {
				t.Errorf("found %q, status %d; want %q, %d", got, r.Status, tt.want, tt.status)
				for _, f := range r.Findings {
					t.Logf("%s (%s): %v %v", f.ID, f.Severity, f.Seen, f.Cases)
				}
			}
		})
	}
}

// Who is in stays in, whatever a logout token that lies says of the session.
func TestLogoutTokens(t *testing.T) {
	logout := of("logout_token")
	for _, tt := range []struct {
		weak, want      string
		passed, skipped int // of the logout tokens
		status          int
	}{
		{"", "", 18, 0, 0},
		{"any logout token", "logout-token-not-checked", 2, 0, 3}, // its reader finds no sid in one, and another's in the other
		{"ID token for logout token", "logout-token-not-checked", 17, 0, 2},
		{"reads no logout token", "", 0, 18, 0},
		{"is not told", "", 0, 18, 0},
	} {
		mock := mild(t)
		a := newApp(t, mock, tt.weak)
		mock.Clients = []mockpsc.Client{{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{a.URL + "/callback"}, PostLogoutURIs: []string{a.URL + "/bye"}}}
		if tt.weak != "is not told" {
			mock.Clients[0].BackchannelLogoutURI = a.URL + "/ended"
		}
		r := run(t, a, check.Options{Only: logout, Quick: true})
		tally := map[string]int{}
		for _, k := range r.Cases {
			if k.Group == "logout_token" {
				tally[k.Status]++
			}
		}
		if got := ids(r); got != tt.want || r.Status != tt.status || tally["passed"] != tt.passed || tally["skipped"] != tt.skipped {
			t.Errorf("%q: found %q, status %d, %v; want %q, %d, %d passed and %d skipped", tt.weak, got, r.Status, tally, tt.want, tt.status, tt.passed, tt.skipped)
		}
	}
}

func TestWhoWaitsForEverIsFound(t *testing.T) {
	patient(t)
	r := run(t, newApp(t, mild(t), "waits for ever"), check.Options{
		Timeout: 5 * time.Second,
		Only:    func(fault string) bool { return fault == "token-hanging" || fault == "userinfo-dripping" },
	})
	if got := ids(r); got != "hangs provider-down" || r.Status != 2 {
		t.Errorf("found %q, status %d", got, r.Status)
	}
}

// What an application keeps of the keys is tried when it is started again.
func TestRestart(t *testing.T) {
	t.Parallel()
	only := func(fault string) bool { return fault == "key-to-encrypt" || fault == "no-keys" }
	for _, tt := range []struct{ weak, restart, want, status string }{
		{"any key, kept", "no", "", "skipped"},
		{"any key, kept", "yes", "keys-not-checked", "failed"},
		{"", "yes", "", "passed"},
	} {
		a := newApp(t, mild(t), tt.weak)
		opt := check.Options{Only: only, Quick: true}
		if tt.restart == "yes" {
			opt.Restart = "date +%s%N > " + a.started
		}
		r := run(t, a, opt)
		i := slices.IndexFunc(r.Cases, func(k check.Case) bool { return k.ID == "fault:key-to-encrypt" })
		if got := ids(r); got != tt.want || r.Cases[i].Status != tt.status {
			t.Errorf("%q, restarted: %s: found %q, the fault %s; want %q, %s", tt.weak, tt.restart, got, r.Cases[i].Status, tt.want, tt.status)
		}
	}
	opt := check.Options{Only: only, Quick: true, Restart: "echo no such service; exit 3"}
	for _, k := range run(t, newApp(t, mild(t), ""), opt).Cases {
		if k.Group == "keys" && (k.Status != "skipped" || !strings.Contains(k.Seen.EN, "no such service")) {
			t.Errorf("%s: %s %s", k.ID, k.Status, k.Seen.EN)
		}
	}
}

func TestDrills(t *testing.T) {
	t.Parallel()
	for weak, want := range map[string]string{"": "", "lives on the provider's token": "provider-down"} {
		r := run(t, newApp(t, mild(t), weak), check.Options{Only: few, Quick: true})
		if got := ids(r); got != want {
			t.Errorf("%q: found %q, want %q", weak, got, want)
		}
		tried := 0
		for _, k := range r.Cases {
			if k.Group == "drill" && k.Status != "skipped" {
				tried++
			}
		}
		if tried != 2 {
			t.Errorf("%q: %d drills were tried, want 2", weak, tried)
		}
	}
}

// What cannot be checked is said, and is no clean bill.
func TestCannotBeRun(t *testing.T) {
	mock := mockpsc.NewServer(t)
	strong, stateless := newApp(t, mock, ""), newApp(t, mock, "no state")
	public := mockpsc.NewServer(t)
	public.Issuer = "http://psc.test.example" + realm
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Bonjour") }))
	t.Cleanup(page.Close)
	for _, tt := range []struct {
		name, mock, app, signedIn, want string
	}{
		{"no mock", page.URL, strong.URL + "/login", "/me", "there is no mockpsc"},
		{"nobody there", "http://127.0.0.1:1", strong.URL + "/login", "/me", "the mock does not answer"},
		{"no application", mock.URL, "http://127.0.0.1:1/login", "/me", "the application does not answer"},
		{"no sign-in", mock.URL, page.URL, "/me", "give the address where a person begins to sign in"},
		{"another mock", mockpsc.NewServer(t).URL, strong.URL + "/login", "/me", "configure it with this mock"},
		{"a page for everybody", mock.URL, strong.URL + "/login", "/open", "the page is the same"},
		{"a mock that is strict", mock.URL, stateless.URL + "/login", "/me", "state is required and missing (with mockpsc -lenient"},
		{"a mock that lets nobody drive it", public.URL, strong.URL + "/login", "/me", "(mockpsc -open-console) opens the console and its API"},
		{"no address", mock.URL, "localhost", "/me", "is no address"},
		{"no path", mock.URL, strong.URL + "/login", "", "is no path"},
	} {
		r, err := check.Run(context.Background(), check.Options{Mock: tt.mock, App: tt.app, SignedIn: tt.signedIn})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v; want an error with %q", tt.name, r, err, tt.want)
		}
	}
}

func TestReports(t *testing.T) {
	r := run(t, newApp(t, mild(t), "exp unread"), check.Options{Only: few, Quick: true})
	var fr, en, junit, all strings.Builder
	if err := errors.Join(r.Text(&fr, "fr"), r.Text(&en, "en"), r.JUnit(&junit, "fr"), r.JSON(&all)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		in    string
		wants []string
	}{
		{fr.String(), []string{"[SÉRIEUX] expiry-not-checked", "L'expiration de l'ID token n'est pas vérifiée.", "Défauts :  expired", "~expired", "Pas essayé", "1 mal", "Sérieux : une serrure"}},
		{en.String(), []string{"[SERIOUS] expiry-not-checked", "OpenID Connect Core 3.1.3.7 (9)", "Not tried", "1 not", "Serious: one lock"}},
		{junit.String(), []string{`failures="1"`, `<testcase classname="mockpsc.check.id_token" name="fault:expired">`, `type="serious expiry-not-checked"`, "<skipped "}},
		{all.String(), []string{`"id": "expiry-not-checked"`, `"status": 2,`, `"fault:expired"`}},
	} {
		for _, want := range tt.wants {
			if !strings.Contains(tt.in, want) {
				t.Errorf("no %q in:\n%s", want, tt.in)
			}
		}
	}
	var suite struct {
		Tests int        `xml:"tests,attr"`
		Cases []struct{} `xml:"testcase"`
	}
	if err := xml.Unmarshal([]byte(junit.String()), &suite); err != nil || suite.Tests != len(r.Cases) || len(suite.Cases) != len(r.Cases) {
		t.Errorf("JUnit: %v, %d and %d of %d cases", err, suite.Tests, len(suite.Cases), len(r.Cases))
	}
}

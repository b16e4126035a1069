package check_test

import (
	"context"
	"crypto/x509"
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

func few(fault string) bool { return fault == "expired" || fault == "wrong-state" }

func TestAStrongApplicationIsClean(t *testing.T) {
	r := run(t, newApp(t, mockpsc.NewServer(t), ""), check.Options{})
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
		if k.Status == "skipped" && !strings.HasPrefix(k.ID, "fault:key") && !strings.HasPrefix(k.ID, "fault:no-keys") &&
			k.Group != "metadata" && k.Group != "logout_token" && k.Group != "drill" {
			t.Errorf("%s was not tried: %s", k.ID, k.Seen.EN)
		}
	}
}

func TestEachWeaknessIsFound(t *testing.T) {
	for _, tt := range []struct {
		weak   string
		want   string // the ids of all findings
		status int
		only   func(string) bool
	}{
		{"no state", "state-missing", 3, light},
		{"state not compared", "state-not-checked", 3, light},
		{"state of anybody", "state-not-bound", 3, light},
		{"short state", "state-weak", 2, few},
		{"state of the link", "state-chosen", 2, few},
		{"no nonce", "nonce-missing", 3, light},
		{"nonce unread", "nonce-not-checked", 3, light},
		{"no PKCE", "pkce-missing", 2, light},
		{"plain PKCE", "pkce-plain", 2, few},
		{"no acr_values", "acr-values-missing", 2, few},
		{"another scope", "scope", 2, few},
		{"return path in redirect_uri", "redirect-uri-varies", 2, few},
		{"secret in the address", "secret-in-url", 3, few},

		{"ignores errors", "callback-form", 1, light},
		{"shows markup", "script-in-error", 2, light},
		{"iss of the callback unread", "issuer-parameter", 2, light},
		{"remembers the answer", "callback-replay", 2, few},
		{"takes doubles", "duplicates", 2, light},
		{"folds case", "case-folded", 3, light},

		{"needs no ID token", "id-token-not-required", 3, light},
		{"follows redirects", "redirect-followed", 2, light},
		{"no signature", "signature-not-checked", 3, light},
		{"alg none", "alg-none", 3, light},
		{"alg HS256", "alg-confusion", 2, light},
		{"any key", "keys-not-checked", 3, light},
		{"any typ", "token-confusion", 1, light},
		{"iss unread", "issuer-not-checked", 3, light},
		{"aud unread", "audience-not-checked", 3, light},
		{"azp unread", "azp-not-checked", 2, light},
		{"exp unread", "expiry-not-checked", 2, light},
		{"iat unread", "times-not-checked", 2, light},
		{"sub not required", "subject-not-checked", 3, light},
		{"acr unread", "acr-not-checked", 2, light},
		{"at_hash unread", "at-hash-not-checked", 2, light},
		{"sub of userinfo not compared", "userinfo-sub-not-checked", 3, light},
		{"identifier not compared", "identifier-not-checked", 3, light},
		{"reads no userinfo", "userinfo-unused", 0, light},
		{"reads the first object", "answer-form", 1, light},

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

		{"breaks down", "breaks-down", 1, few},
		{"panics", "breaks-down", 1, few},
		{"begins again", "begins-again", 0, few},
		{"falls ill", "does-not-recover", 2, func(fault string) bool { return fault == "expired" }},
	} {
		t.Run(tt.weak, func(t *testing.T) {
			t.Parallel()
			r := run(t, newApp(t, mild(t), tt.weak), check.Options{Only: tt.only})
			if got := ids(r); got != tt.want || r.Status != tt.status {
				t.Errorf("found %q, status %d; want %q, %d", got, r.Status, tt.want, tt.status)
				for _, f := range r.Findings {
					t.Logf("%s (%s): %v %v", f.ID, f.Severity, f.Seen, f.Cases)
				}
			}
		})
	}
}

func TestWhoWaitsForEverIsFound(t *testing.T) {
	r := run(t, newApp(t, mild(t), "waits for ever"), check.Options{
		Timeout: 3 * time.Second,
		Only:    func(fault string) bool { return fault == "token-hanging" || fault == "userinfo-dripping" },
	})
	if got := ids(r); got != "hangs" || r.Status != 1 {
		t.Errorf("found %q, status %d", got, r.Status)
	}
}

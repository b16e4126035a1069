package auth_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/mockpsc"
)

// Every way in which the mock lies: nobody gets in.
func TestEveryFaultIsRefused(t *testing.T) {
	faults := mockpsc.Faults()
	if len(faults) < 120 {
		t.Fatalf("the mock has %d faults, want 120 at least", len(faults))
	}
	for _, f := range faults {
		if f.Where == "metadata" || f.Where == "logout_token" {
			continue // before a sign-in, and after it: see below
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hasty(f))
			c := w.browser()
			got := w.signIn(c, "sf-petit", f.Name) // from /patients
			if w.cookie(c, "psc_session") != "" {
				t.Error("a session was opened")
			}
			if !w.isFirst("899999001102") {
				t.Error("a user row was made")
			}
			restarted := f.MayRestart && strings.HasPrefix(got.Request.URL.String(), w.psc.URL)
			if !restarted && (got.StatusCode < 400 || !referenceForm.MatchString(got.Text)) {
				t.Errorf("got %s at %s, want a page with a reference:\n%s", got.Status, got.Request.URL, got.Text)
			}
			if f.Where != "callback" && !strings.Contains(got.Text, `href="/app/auth/login?return_to=%2Fpatients"`) {
				t.Errorf("the page does not lead back to where the person was going:\n%s", got.Text)
			}
			if f.Where != "userinfo" && f.Name != "sub-of-another" { // which only userinfo shows
				if n := w.calls("/userinfo"); n != 0 {
					t.Errorf("userinfo was called %d times after a bad %s", n, f.Where)
				}
			}
			if events := w.audit.take(); !restarted && (len(events) != 1 || events[0].Reason == "" || !strings.Contains(got.Text, events[0].Reference) ||
				events[0].Kind != auth.SignInRefused && events[0].Kind != auth.SignInFailed) {
				t.Errorf("told %+v", events)
			}
			for _, secret := range []string{"eyJ", "carelink-secret", "899999001102", "PETIT"} {
				if strings.Contains(got.Text, secret) || strings.Contains(w.logs.String(), secret) {
					t.Errorf("page or log holds %q", secret)
				}
			}
			// The person tries again, honestly.
			w.clock.Advance(time.Minute) // the keys are not read again at once
			if got := w.signIn(c, "sf-petit"); got.StatusCode != 200 || w.cookie(c, "psc_session") == "" {
				t.Errorf("the honest sign-in after it got %s at %s", got.Status, got.Request.URL)
			}
		})
	}
}

// The same at an address that always lies so, the metadata's lies too.
func TestEveryFaultOfAnAddressIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("the pairs below go by addresses too")
	}
	for _, f := range mockpsc.Faults() {
		if f.Where == "logout_token" {
			continue // see below
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hasty(f), func(c *auth.Config) { c.Provider.Issuer += "~" + f.Name })
			c := w.browser()
			var got *answer
			if f.Where == "metadata" {
				got = w.get(c, "/patients")
				if strings.HasPrefix(got.Request.URL.String(), w.psc.URL) {
					t.Errorf("the person was sent to %s", got.Request.URL)
				}
			} else {
				got = w.signIn(c, "sf-petit")
			}
			if w.cookie(c, "psc_session") != "" || !w.isFirst("899999001102") {
				t.Error("the person is in")
			}
			restarted := f.MayRestart && strings.HasPrefix(got.Request.URL.String(), w.psc.URL)
			if !restarted && (got.StatusCode < 400 || !referenceForm.MatchString(got.Text)) {
				t.Errorf("got %s at %s, want a page with a reference:\n%s", got.Status, got.Request.URL, got.Text)
			}
		})
	}
}

// The lies of a logout token, and the honest one: auth reads none, at any of its
// addresses, and who is in stays in.
func TestNoLogoutTokenEndsASession(t *testing.T) {
	w := newWorld(t)
	w.psc.Clients = []mockpsc.Client{{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{w.cfg.RedirectURL}}}
	tokens := [][]string{nil}
	for _, f := range mockpsc.Faults() {
		if f.Where == "logout_token" {
			tokens = append(tokens, []string{f.Name})
		}
	}
	if len(tokens) < 19 {
		t.Fatalf("the mock has %d faults of logout tokens", len(tokens)-1)
	}
	for _, path := range []string{"callback", "login", "logout", "session", "signed-out", "backchannel-logout"} {
		w.psc.Clients[0].BackchannelLogoutURI = w.url + "/app/auth/" + path
		for _, faults := range tokens {
			c := w.browser()
			callback := w.callbackURL(c, "sf-petit", faults...)
			if got := w.get(c, strings.TrimPrefix(callback, w.url)); got.StatusCode != 200 {
				t.Fatalf("the sign-in got %s", got.Status)
			}
			w.audit.take()
			w.endAtPSC(callback)
			if got := w.get(c, "/patients"); got.StatusCode != 200 || strings.HasPrefix(got.Request.URL.String(), w.psc.URL) {
				t.Errorf("%v at %s signed the person out: %s", faults, path, got.Status)
			}
			if events := w.audit.take(); len(events) != 0 {
				t.Errorf("%v at %s: told %+v", faults, path, events)
			}
		}
	}
}

// endAtPSC ends the session at the mock that a callback came from. The mock
// answers once it has told the app.
func (w *world) endAtPSC(callback string) {
	w.t.Helper()
	u, err := url.Parse(callback)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodDelete, w.psc.URL+"/_mock/api/sessions/"+u.Query().Get("session_state"), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := w.read(http.DefaultClient.Do(req)); got.StatusCode != http.StatusNoContent {
		w.t.Fatalf("the mock ended the session with %s: %s", got.Status, got.Text)
	}
}

// hasty has an app give up early on a provider that never answers.
func hasty(f mockpsc.Fault) func(*auth.Config) {
	return func(c *auth.Config) {
		if strings.HasSuffix(f.Name, "-hanging") || strings.HasSuffix(f.Name, "-dripping") {
			c.HTTPClient = &http.Client{Timeout: time.Second}
		}
	}
}

// Two lies at once, at an address: one must not hide the other. The pairs are the
// same each time. Ten of the 81,510 there are open a session, and are not among
// them: what comes out of both is no lie. iat-next-week and iat-last-week come to
// now; sub-of-another and userinfo-of-another agree on another person; and
// keys-of-another publishes the key with which stolen-kid, no-kid, embedded-jwk,
// embedded-x5c, jku-elsewhere and x5u-elsewhere sign, if they come second.
func TestPairsOfFaultsAreRefused(t *testing.T) {
	faults := slices.DeleteFunc(mockpsc.Faults(), func(f mockpsc.Fault) bool { return f.Where == "logout_token" })
	pairs, side := 2_500, 16
	if testing.Short() {
		pairs = 150
	}
	random := rand.New(rand.NewPCG(1, 2))
	drawn := map[[2]int]bool{}
	next := make(chan [2]mockpsc.Fault)
	go func() {
		defer close(next)
		for len(drawn) < pairs {
			pair := [2]int{random.IntN(len(faults)), random.IntN(len(faults))}
			if pair[0] != pair[1] && !drawn[pair] {
				drawn[pair] = true
				next <- [2]mockpsc.Fault{faults[pair[0]], faults[pair[1]]}
			}
		}
	}()
	var wg sync.WaitGroup
	for range side {
		shared := newWorld(t)
		wg.Go(func() {
			for pair := range next {
				name := pair[0].Name + "+" + pair[1].Name
				t.Run(name, func(t *testing.T) {
					w := *shared
					w.t, w.logs = t, &logs{}
					w.start(hasty(pair[0]), hasty(pair[1]), func(c *auth.Config) { c.Provider.Issuer += "~" + name })
					c := w.browser()
					var got *answer
					if pair[0].Where == "metadata" || pair[1].Where == "metadata" {
						got = w.get(c, "/patients")
					} else {
						got = w.signIn(c, "sf-petit")
					}
					if w.cookie(c, "psc_session") != "" {
						t.Error("a session was opened")
					}
					restarted := (pair[0].MayRestart || pair[1].MayRestart) && strings.HasPrefix(got.Request.URL.String(), w.psc.URL)
					if !restarted && (got.StatusCode < 400 || !referenceForm.MatchString(got.Text)) {
						t.Errorf("got %s at %s, want a page with a reference:\n%s", got.Status, got.Request.URL, got.Text)
					}
					for _, secret := range []string{"eyJ", "carelink-secret", "899999001102", "PETIT"} {
						if strings.Contains(got.Text, secret) || strings.Contains(w.logs.String(), secret) {
							t.Errorf("page or log holds %q", secret)
						}
					}
				})
			}
			if !shared.isFirst("899999001102") {
				t.Error("a user row was made")
			}
		})
	}
	wg.Wait()
}

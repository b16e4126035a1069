package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

func TestASignInIsToldOnce(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	callback := w.callbackURL(c, "dr-dupont/card")
	path := strings.TrimPrefix(callback, w.url)
	var clicks sync.WaitGroup
	for range 2 { // a double click
		clicks.Go(func() { w.get(stay(c), path, "User-Agent", strings.Repeat("x", 300)) })
	}
	clicks.Wait()
	events := w.audit.take()
	if len(events) != 1 {
		t.Fatalf("told %d times: %+v", len(events), events)
	}
	e := events[0]
	if e.Kind != auth.SignedIn || e.Reason != "" || e.NationalID != "899999001011" || e.UserID == "" || e.SessionID == "" || e.PSCSession == "" ||
		e.ACR != "eidas2" || e.AuthMode != "CARD" || !e.First || e.ClientID != "carelink" || !e.Time.Equal(w.clock.Now()) ||
		e.Method != "GET" || e.Path != "/app/auth/callback" || e.RemoteAddr == "" || len(e.UserAgent) != 200 {
		t.Errorf("told %+v", e)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"eyJ", "code=", "state=", "DUPONT"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("it holds %s: %s", secret, text)
		}
	}

	w.read(w.psc.SignIn(c, w.url+"/app/auth/login", "dr-martin"))
	events = w.audit.take()
	if len(events) != 2 || events[0].Reason != "replaced" || events[0].SessionID != e.SessionID || events[1].Kind != auth.SignedIn || events[1].NationalID != "899999001029" {
		t.Errorf("a colleague in the same browser: %+v", events)
	}
	if w.signIn(w.browser(), "dr-dupont"); w.audit.take()[0].First {
		t.Error("the second sign-in is told as the first")
	}
}

func TestWhatIsTold(t *testing.T) {
	for _, tt := range []struct {
		name   string
		do     func(w *world, c *http.Client)
		kind   auth.EventKind
		reason string
		shown  bool // with a reference on a page
	}{
		{"a callback out of the blue", func(w *world, c *http.Client) { w.get(w.browser(), "/app/auth/callback?code=x&state=short") }, auth.SignInRefused, "state_mismatch", true},
		{"a rule", func(w *world, c *http.Client) { w.get(c, "/tilleuls") }, auth.AccessRefused, "rule", true},
		{"an old identification", func(w *world, c *http.Client) { w.clock.Advance(6 * time.Minute); w.get(c, "/sensitive") }, auth.AccessRefused, "step_up", false},
		{"another site's form", func(w *world, c *http.Client) {
			w.do(c, "POST", "/patients", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		}, auth.AccessRefused, "cross_site", true},
		{"another site's sign-out", func(w *world, c *http.Client) {
			w.do(c, "POST", "/app/auth/logout", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		}, auth.AccessRefused, "cross_site", true},
		{"a sign-out", func(w *world, c *http.Client) { w.do(c, "POST", "/app/auth/logout", "Sec-Fetch-Site", "same-origin") }, auth.SessionEnded, "signed_out", false},
		{"a session whose time is over", func(w *world, c *http.Client) { w.clock.Advance(31 * time.Minute); w.get(stay(c), "/patients") }, auth.SessionEnded, "timed_out", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			c := w.browser()
			w.signIn(c, "dr-dupont")
			in := w.audit.take()[0]
			tt.do(w, c)
			events := w.audit.take()
			if len(events) != 1 || events[0].Kind != tt.kind || events[0].Reason != tt.reason || (events[0].Reference != "") != tt.shown {
				t.Fatalf("told %+v", events)
			}
			if e := events[0]; tt.kind != auth.SignInRefused && (e.UserID != in.UserID || e.SessionID != in.SessionID || e.NationalID != in.NationalID) {
				t.Errorf("told of %s in %s, want %s in %s", e.UserID, e.SessionID, in.UserID, in.SessionID)
			}
		})
	}
}

func TestWhoTheAppTurnsAwayIsTold(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) {
		c.Authorize = func(context.Context, auth.SignIn) (auth.Grant, error) {
			return auth.Grant{}, &auth.Refusal{French: "Non."}
		}
	})
	w.signIn(w.browser(), "pharma-girard")
	events := w.audit.take()
	if len(events) != 1 || events[0].Kind != auth.SignInRefused || events[0].Reason != "refused_by_app" || events[0].NationalID != "899999001086" || events[0].UserID == "" {
		t.Errorf("told %+v", events)
	}
}

type auditFunc func(auth.Event) error

func (f auditFunc) Audit(_ ctx, e auth.Event) error { return f(e) }

func TestAnAuditLogThatFailsKeepsNobodyOut(t *testing.T) {
	for name, f := range map[string]auditFunc{
		"with an error": func(auth.Event) error { return errors.New("disk full") },
		"with a panic":  func(auth.Event) error { panic(errors.New("disk full")) },
	} {
		w := newWorld(t, func(c *auth.Config) { c.Audit = f })
		if got := w.signIn(w.browser(), "dr-dupont"); got.StatusCode != 200 {
			t.Errorf("%s: got %s", name, got.Status)
		}
		if !strings.Contains(w.logs.String(), "disk full") {
			t.Errorf("%s: the operator is not told: %s", name, w.logs)
		}
	}
}

func ExampleAuditLog() {
	cfg := auth.Config{ /* … */ }
	cfg.Audit = printing{}
	fmt.Println(cfg.Audit.Audit(context.Background(), auth.Event{Kind: auth.SessionEnded, Reason: "signed_out", UserID: "7"}))
	// Output:
	// session_ended signed_out 7
	// <nil>
}

type printing struct{}

func (printing) Audit(_ context.Context, e auth.Event) error {
	_, err := fmt.Println(e.Kind, e.Reason, e.UserID)
	return err
}

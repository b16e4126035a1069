package check_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/cmd/mockpsc/internal/check"
	"github.com/pscauth/pscauth/mockpsc"
)

// before has something stand between browser and application, which it can ask.
func (a *app) before(handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	next := a.Config.Handler
	a.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, next) })
}

// limit answers 429 after so many sign-ins, for a while or for ever.
func (a *app) limit(count int, rest time.Duration) {
	var mu sync.Mutex
	var begun int
	var until time.Time
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		now := time.Now()
		if r.URL.Path == "/login" && !now.Before(until) {
			if begun++; begun%count == 0 {
				until = now.Add(rest)
			}
		}
		busy := r.URL.Path == "/login" && now.Before(until)
		mu.Unlock()
		if busy {
			retry := "1"
			if rest > time.Minute {
				retry = "3600"
			}
			w.Header().Set("Retry-After", retry)
			http.Error(w, "doucement", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func expired(fault string) bool { return fault == "expired" }

func english(t *testing.T, r *check.Report) string {
	t.Helper()
	var text strings.Builder
	if err := r.Text(&text, "en"); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestARateLimitIsWaitedFor(t *testing.T) {
	t.Parallel()
	a := newApp(t, mild(t), "exp unread")
	a.limit(25, 900*time.Millisecond)
	r := run(t, a, check.Options{Only: expired, Quick: true})
	if got := ids(r); got != "expiry-not-checked" {
		t.Errorf("found %q\n%s", got, english(t, r))
	}
}

func TestARateLimitThatDoesNotEndIsNoCleanBill(t *testing.T) {
	t.Parallel()
	a := newApp(t, mild(t), "exp unread")
	a.limit(14, time.Hour)
	r := run(t, a, check.Options{Only: of("id_token"), Quick: true})
	if text := english(t, r); len(r.Findings) > 0 || r.Status != 4 || strings.Contains(text, "Nothing to find fault") || !strings.Contains(text, "429") {
		t.Errorf("status %d, found %q\n%s", r.Status, ids(r), text)
	}
}

func TestNoFaultOfThatName(t *testing.T) {
	mock := mockpsc.NewServer(t)
	a := newApp(t, mock, "")
	_, err := check.Run(t.Context(), check.Options{Mock: mock.URL, App: a.URL + "/login", SignedIn: "/me", Only: func(string) bool { return false }})
	if err == nil || !strings.Contains(err.Error(), "-only matches no fault") {
		t.Errorf("got %v", err)
	}
}

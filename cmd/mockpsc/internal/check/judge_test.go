package check_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	patient(t)
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
	a.limit(20, time.Hour)
	r := run(t, a, check.Options{Only: of("id_token"), Quick: true})
	if text := english(t, r); len(r.Findings) > 0 || r.Status != 4 || strings.Contains(text, "Nothing to find fault") || !strings.Contains(text, "429") {
		t.Errorf("status %d, found %q\n%s", r.Status, ids(r), text)
	}
}

// inside is the session of a request, if it has one.
func (a *app) inside(r *http.Request) (session, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.sessions[cookie(r, "session")]
	return s, ok
}

// pages are applications whose pages say in another way who is in.
var pages = map[string]func(*app){
	"a path per person": func(a *app) {
		a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			s, ok := a.inside(r)
			switch {
			case r.URL.Path == "/me" && ok:
				http.Redirect(w, r, "/me/"+s.name, http.StatusSeeOther)
			case strings.HasPrefix(r.URL.Path, "/me/"):
				r.URL.Path = "/me"
				next.ServeHTTP(w, r)
			default:
				next.ServeHTTP(w, r)
			}
		})
	},
	"a public page with the name of who is in": func(a *app) {
		a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.URL.Path != "/me" {
				next.ServeHTTP(w, r)
				return
			}
			s, _ := a.inside(r)
			w.Header().Set("Cache-Control", "no-store")
			fmt.Fprint(w, "<h1>Accueil</h1>", s.name)
		})
	},
	"a refusal shown at the page": func(a *app) {
		a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			_, in := a.inside(r)
			switch {
			case r.URL.Path == "/callback":
				answer := httptest.NewRecorder()
				next.ServeHTTP(answer, r)
				maps.Copy(w.Header(), answer.Header())
				if answer.Code == http.StatusForbidden {
					http.SetCookie(w, &http.Cookie{Name: "failed", Value: "1", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
					w.Header().Set("Location", "/me")
					answer.Code = http.StatusSeeOther
				}
				w.WriteHeader(answer.Code)
				w.Write(answer.Body.Bytes())
			case r.URL.Path == "/me" && !in && cookie(r, "failed") != "":
				fmt.Fprint(w, "La connexion a échoué. <a href='/login'>Recommencer</a>")
			default:
				next.ServeHTTP(w, r)
			}
		})
	},
	"a page for who is not known here": func(a *app) {
		a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if s, ok := a.inside(r); r.URL.Path == "/me" && ok && s.name != "DUPONT" {
				http.Redirect(w, r, "/nobody", http.StatusSeeOther)
			} else if r.URL.Path == "/nobody" {
				fmt.Fprint(w, "Bonjour, ce compte n'est pas connu ici. Se déconnecter")
			} else {
				next.ServeHTTP(w, r)
			}
		})
	},
}

func TestAnApplicationIsCleanWhateverItsPage(t *testing.T) {
	callback := of("callback", "userinfo")
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, mild(t), "")
			page(a)
			if r := run(t, a, check.Options{Only: callback, Quick: true}); ids(r) != "" || r.Status != 0 {
				t.Errorf("found %q, status %d\n%s", ids(r), r.Status, english(t, r))
			}
		})
	}
}

func TestAnotherPersonIsSeenWhateverThePage(t *testing.T) {
	only := func(fault string) bool { return fault == "record-of-another" }
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, mild(t), "identifier not compared")
			page(a)
			r := run(t, a, check.Options{Only: only, Quick: true})
			text := english(t, r)
			if name == "a page for who is not known here" { // what that page means cannot be told
				if r.Status != 4 || !strings.Contains(text, "neither that of somebody signed in") {
					t.Errorf("status %d\n%s", r.Status, text)
				}
			} else if ids(r) != "identifier-not-checked" || !strings.Contains(text, "another person's session was opened") {
				t.Error(text)
			}
		})
	}
}

func TestAPublicPageThatChangesIsNoPageOfWhoIsIn(t *testing.T) {
	mock := mockpsc.NewServer(t)
	a := newApp(t, mock, "")
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/open" {
			fmt.Fprint(w, "Référence ", rand.Text()[:8])
			return
		}
		next.ServeHTTP(w, r)
	})
	_, err := check.Run(t.Context(), check.Options{Mock: mock.URL, App: a.URL + "/login", SignedIn: "/open"})
	if err == nil || !strings.Contains(err.Error(), "the page is the same") {
		t.Errorf("got %v", err)
	}
}

// An application that takes any userinfo, or none, is told from one that reads
// none only by the name that its page shows.
func TestWhoDoesWithoutUserinfo(t *testing.T) {
	userinfo := of("userinfo")
	for _, tt := range []struct {
		weak   string
		named  bool
		want   string
		status int
	}{
		{"takes any userinfo", true, "identifier-not-checked userinfo-sub-not-checked userinfo-unused", 3},
		{"takes any userinfo", false, "userinfo-unused", 4},
		{"reads no userinfo", true, "userinfo-unused", 0},
		{"reads no userinfo", false, "userinfo-unused", 4},
	} {
		a := newApp(t, mild(t), tt.weak)
		if !tt.named {
			a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if s, ok := a.inside(r); r.URL.Path == "/me" && ok {
					answer := httptest.NewRecorder()
					next.ServeHTTP(answer, r)
					maps.Copy(w.Header(), answer.Header())
					io.WriteString(w, strings.ReplaceAll(answer.Body.String(), s.name, ""))
					return
				}
				next.ServeHTTP(w, r)
			})
		}
		r := run(t, a, check.Options{Only: userinfo, Quick: true})
		if got := ids(r); got != tt.want || r.Status != tt.status {
			t.Errorf("%s, named: %t: found %q, status %d; want %q, %d\n%s", tt.weak, tt.named, got, r.Status, tt.want, tt.status, english(t, r))
		}
	}
}

// supervised starts the application again whenever it stops.
func (a *app) supervised(t *testing.T) (stop func()) {
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at, behind := front.Addr().String(), strings.TrimPrefix(a.URL, "http://")
	var mu sync.Mutex
	var open []net.Conn
	start := func(l net.Listener) {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", behind)
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			mu.Unlock()
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}
	go start(front)
	a.URL = "http://" + at
	t.Cleanup(func() { mu.Lock(); front.Close(); mu.Unlock() })
	return func() {
		mu.Lock()
		defer mu.Unlock()
		front.Close()
		for _, c := range open {
			c.Close()
		}
		open = nil
		if front, err = net.Listen("tcp", at); err != nil {
			t.Error(err)
			return
		}
		go start(front)
	}
}

func TestWhoStopsAfterTheAnswerIsFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		refused string
		later   time.Duration
		want    []string
	}{
		{"exp unread", time.Millisecond, []string{"fault:expired"}},
		{"exp unread", 30 * time.Millisecond, []string{"fault:expired"}},
		{"exp unread", 100 * time.Millisecond, []string{"fault:expired"}},
		{"503 Service Unavailable", 50 * time.Millisecond, []string{"drill:outage"}},
		{"no sign-in is pending", 50 * time.Millisecond, []string{"rule:crashes"}},
	} {
		t.Run(fmt.Sprint(tt.refused, " ", tt.later), func(t *testing.T) {
			t.Parallel()
			a := newApp(t, mild(t), "")
			stop := a.supervised(t)
			a.refused = func(why string) {
				if why == tt.refused {
					time.AfterFunc(tt.later, stop)
				}
			}
			r := run(t, a, check.Options{Only: func(fault string) bool { return expired(fault) || fault == "access-denied" || fault == "no-code" }, Quick: true})
			i := slices.IndexFunc(r.Findings, func(f check.Finding) bool { return f.ID == "crashes" })
			if i < 0 || !slices.Equal(slices.Compact(r.Findings[i].Cases), tt.want) {
				t.Errorf("found %q\n%s", ids(r), english(t, r))
			}
		})
	}
}

func TestWhoClosesWhatIsSilentHasNotStopped(t *testing.T) {
	t.Parallel()
	a := newApp(t, mild(t), "closes what is silent")
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		time.Sleep(10 * time.Millisecond) // or all is over before that
		next.ServeHTTP(w, r)
	})
	r := run(t, a, check.Options{Only: expired, Quick: true})
	if len(r.Findings) > 0 || r.Stopped {
		t.Errorf("found %q\n%s", ids(r), english(t, r))
	}
}

func TestWhoStopsAtALogoutTokenIsFound(t *testing.T) {
	t.Parallel()
	mock := mild(t)
	a := newApp(t, mock, "")
	stop := a.supervised(t)
	mock.Clients = []mockpsc.Client{{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{a.URL + "/callback"}, PostLogoutURIs: []string{a.URL + "/bye"}, BackchannelLogoutURI: a.URL + "/ended"}}
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		if r.URL.Path == "/ended" && answer.Code != http.StatusOK {
			stop()
			a.mu.Lock()
			clear(a.sessions)
			a.mu.Unlock()
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
	logout := of("logout_token")
	n := 0
	r := run(t, a, check.Options{Only: func(fault string) bool { return logout(fault) && strings.Contains(fault, "sig") }, Quick: true})
	for _, k := range r.Cases {
		if k.Group == "logout_token" {
			n++
		}
	}
	if got := ids(r); got != "crashes" || n == 0 {
		t.Errorf("found %q\n%s", got, english(t, r))
	}
}

// An application that is a program of its own reads the metadata when it starts.
// Its log must not kill it, nor must the check wait for what rightly stays away.
func TestRestartOfAProgram(t *testing.T) {
	patient(t)
	bin := filepath.Join(t.TempDir(), "app")
	if out, err := exec.Command("go", "build", "-o", bin, "./testdata/app").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mock := mild(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	for _, tt := range []struct {
		weak, want string
		status     string // of the metadata
	}{
		{"", "", "passed"},
		{"any metadata", "metadata-not-checked", "failed"},
		{"no metadata", "", "skipped"},
	} {
		pid := filepath.Join(t.TempDir(), "pid")
		start := fmt.Sprintf("kill $(cat %s) 2>/dev/null; %s %s %s '%s' & echo $! > %s", pid, bin, at, mock.URL, tt.weak, pid)
		if err := exec.Command("sh", "-c", start+"; sleep 0.5").Run(); err != nil {
			t.Fatal(err)
		}
		r, err := check.Run(t.Context(), check.Options{Mock: mock.URL, App: "http://" + at + "/login", SignedIn: "/me", Restart: start, Quick: true,
			Only: func(fault string) bool { return fault == "metadata-of-another-issuer" }})
		exec.Command("sh", "-c", "kill $(cat "+pid+")").Run()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(r.Cases, func(k check.Case) bool { return k.ID == "fault:metadata-of-another-issuer" })
		if got := r.Cases[i]; got.Status != tt.status || got.Rule != tt.want || strings.Contains(ids(r), "does-not-recover") {
			t.Errorf("%q: %s %s, found %q\n%s", tt.weak, got.Status, got.Rule, ids(r), english(t, r))
		}
		if r.Seconds > 20 {
			t.Errorf("%q: %.0f seconds", tt.weak, r.Seconds)
		}
	}
}

func TestARestartThatFailsIsSaidOnce(t *testing.T) {
	only := func(fault string) bool {
		return light(fault) && strings.HasPrefix(fault, "metadata-") || fault == "no-keys"
	}
	r := run(t, newApp(t, mild(t), ""), check.Options{Only: only, Quick: true, Restart: "exit 3"})
	for _, k := range r.Cases {
		if (k.Group == "keys" || k.Group == "metadata") && (k.Status != "skipped" || !strings.Contains(k.Seen.EN, "exit status 3")) {
			t.Errorf("%s: %s %s", k.ID, k.Status, k.Seen.EN)
		}
	}
	if ids(r) != "" || r.Status != 4 {
		t.Errorf("found %q, status %d", ids(r), r.Status)
	}
}

func TestAnInterruptedCheckLeavesTheMockInOrder(t *testing.T) {
	mock := mild(t)
	a := newApp(t, mock, "exp unread")
	ctx, interrupt := context.WithCancel(t.Context())
	down := func() bool {
		resp, err := http.Get(mock.URL + realm + "/.well-known/wallet-openid-configuration")
		if err != nil {
			t.Error(err)
			return false
		}
		resp.Body.Close()
		return resp.StatusCode != http.StatusOK
	}
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/callback" && down() {
			interrupt()
		}
		next.ServeHTTP(w, r)
	})
	r, err := check.Run(ctx, check.Options{Mock: mock.URL, App: a.URL + "/login", SignedIn: "/me", Only: few, Quick: true})
	if err != nil || ctx.Err() == nil {
		t.Fatal(err, ctx.Err())
	}
	if text := english(t, r); ids(r) != "expiry-not-checked" || r.Status != 2 || !strings.Contains(text, "Interrupted") {
		t.Errorf("found %q, status %d\n%s", ids(r), r.Status, text)
	}
	if down() {
		t.Error("the mock is still in its drill")
	}
}

func TestWhoBreaksDownAtThePageIsFound(t *testing.T) {
	a := newApp(t, mild(t), "")
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if _, ok := a.inside(r); r.URL.Path == "/me" && !ok && cookie(r, "failed") != "" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		if answer.Code == http.StatusForbidden {
			http.SetCookie(w, &http.Cookie{Name: "failed", Value: "1", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
			answer.Code = http.StatusOK
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
	if r := run(t, a, check.Options{Only: few, Quick: true}); !strings.Contains(ids(r), "breaks-down") {
		t.Errorf("found %q\n%s", ids(r), english(t, r))
	}
}

// A mock with -auto shows no form that the faults could be chosen in.
func TestAMockThatSignsInByItself(t *testing.T) {
	mock := mild(t)
	mock.Auto = "dr-dupont"
	r := run(t, newApp(t, mock, "exp unread"), check.Options{Only: few, Quick: true})
	if got := ids(r); got != "expiry-not-checked" {
		t.Errorf("found %q\n%s", got, english(t, r))
	}
}

// What the operator can mend is said, and nothing that would not help.
func TestWhatToDoIsSaid(t *testing.T) {
	mock := mockpsc.NewServer(t)
	strong, secure := newApp(t, mock, ""), newApp(t, mock, "cookie without Secure")
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	t.Cleanup(front.Close)
	for _, tt := range []struct{ name, mock, app, persona, want string }{
		{"a CA of its own", mock.URL, secure.URL, "", "give the CA with -ca"},
		{"one host", front.URL, front.URL, "", "have one host"},
		{"nobody", mock.URL, strong.URL, "dr-nobody", "unknown persona"},
	} {
		_, err := check.Run(t.Context(), check.Options{Mock: tt.mock, App: tt.app + "/login", SignedIn: "/me", Persona: tt.persona})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "-lenient") {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestWhoHangsMidwayIsGivenUp(t *testing.T) {
	patient(t)
	a := newApp(t, mild(t), "")
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	var logins atomic.Int32
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/login" && logins.Add(1) > 60 {
			select {
			case <-done:
			case <-r.Context().Done():
			}
			return
		}
		next.ServeHTTP(w, r)
	})
	r := run(t, a, check.Options{Only: of("id_token"), Quick: true, Timeout: 400 * time.Millisecond})
	if text := english(t, r); !strings.Contains(text, "no longer answers") || r.Seconds > 25 || r.Status == 0 {
		t.Errorf("status %d\n%s", r.Status, text)
	}
}

func TestWhoBearsOneBrowserIsTriedWithOne(t *testing.T) {
	a := newApp(t, mild(t), "exp unread")
	var here atomic.Int32
	a.before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		defer here.Add(-1)
		if here.Add(1) > 1 {
			http.Error(w, "un seul à la fois", http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path == "/callback" {
			time.Sleep(30 * time.Millisecond)
		}
		next.ServeHTTP(w, r)
	})
	if r := run(t, a, check.Options{Only: few, Quick: true}); r.Parallel != 1 || ids(r) != "expiry-not-checked" {
		t.Errorf("%d browsers, found %q\n%s", r.Parallel, ids(r), english(t, r))
	}
}

func TestARestartThatIsInterruptedLeavesNothingBehind(t *testing.T) {
	mock := mild(t)
	a := newApp(t, mock, "")
	log := filepath.Join(t.TempDir(), "log")
	size := func() int64 {
		info, err := os.Stat(log)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		for size() == 0 && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		interrupt()
	}()
	_, err := check.Run(ctx, check.Options{Mock: mock.URL, App: a.URL + "/login", SignedIn: "/me", Quick: true,
		Only: func(fault string) bool { return fault == "no-keys" }, Restart: "(while echo x >> " + log + "; do sleep 0.02; done) & wait"})
	if err != nil {
		t.Fatal(err)
	}
	before := size()
	time.Sleep(150 * time.Millisecond)
	if after := size(); before == 0 || after != before {
		t.Errorf("the log grew from %d to %d", before, after)
	}
}

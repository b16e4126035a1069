package auth_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

// heap returns what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// flat runs load and checks that heap and goroutines come back to where they were.
func flat(t *testing.T, slack uint64, load func()) {
	t.Helper()
	before, routines := heap(), runtime.NumGoroutine()
	load()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	ownTransport.CloseIdleConnections()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > routines+4 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > routines+4 {
		t.Errorf("I8: %d goroutines, %d before", n, routines)
	}
	if after := heap(); after > before+slack {
		t.Errorf("I8: the heap holds %d kB more", (after-before)/1024)
	}
}

// noisy is a lab whose log is not kept: it would be the heap that is measured.
func noisy(t *testing.T, c corpusCase) *lab {
	return newLab(t, c, func(cfg *auth.Config) { cfg.Logger, cfg.Audit = quiet(), nil })
}

// Loads. They run one at a time, scaled down, and at the size of the case with
// CORPUS=full.
var _ = hand(map[string]runner{
	"DOS-001": func(t *testing.T, c corpusCase) {
		l := noisy(t, c)
		n := scaled(100_000, 3_000)
		took := make([]time.Duration, 0, n)
		flat(t, 1<<20, func() {
			for i := range n {
				r := page(fmt.Sprintf("/auth/callback?code=x&state=%s", b64(fmt.Appendf(make([]byte, 0, 32), "%032d", i))))
				begun := time.Now()
				rec := httptest.NewRecorder()
				l.app.ServeHTTP(rec, r)
				took = append(took, time.Since(begun))
				if rec.Code != 303 && rec.Code != 400 {
					t.Fatalf("got %d", rec.Code)
				}
			}
		})
		if calls := l.counts(); len(calls) != 0 {
			t.Errorf("I8: calls %v", calls)
		}
		slices.Sort(took)
		if p99 := took[len(took)*99/100]; full && p99 > 5*time.Millisecond {
			t.Errorf("p99 is %v", p99)
		}
	},
	"DOS-002": func(t *testing.T, c corpusCase) {
		l := noisy(t, c)
		b := l.begin()
		if l.send(b.back(b.honest())).session == nil {
			t.Fatal("no honest sign-in")
		}
		before := l.count("certs")
		l.mangle = func(token string) string { // the signature does not matter
			return b64(fmt.Appendf(nil, `{"alg":"RS256","kid":"%d"}`, time.Now().UnixNano())) + token[strings.Index(token, "."):]
		}
		n := scaled(100_000, 200)
		for range n {
			b := l.begin()
			l.forget()
			if o := l.send(b.back(b.honest())); o.session != nil || o.rec.Code != 401 {
				t.Fatalf("got %d", o.rec.Code)
			}
		}
		if n := l.count("certs") - before; n > 1 {
			t.Errorf("the keys were read %d times while the clock stood", n)
		}
		// The flood does not starve a rotation.
		l.mangle = nil
		l.key, l.header["kid"] = otherKey(), "k2"
		l.keys = keySet(jwk(&l.key.PublicKey, map[string]any{"kid": "k2"}))
		l.clock.Advance(11 * time.Second)
		b = l.begin()
		if l.send(b.back(b.honest())).session == nil {
			t.Error("a rotation after the flood is not followed")
		}
	},
	"DOS-004": func(t *testing.T, c corpusCase) {
		l := noisy(t, c)
		l.begin() // reads the metadata
		n := scaled(100_000, 4_000)
		flat(t, 1<<20, func() {
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() {
					for range n / 16 {
						rec := httptest.NewRecorder()
						l.app.ServeHTTP(rec, page("/auth/login?return_to=/x"))
						if rec.Code != 303 {
							t.Errorf("got %d", rec.Code)
							return
						}
					}
				})
			}
			all.Wait()
		})
		if n := l.count("wallet-openid-configuration"); n != 1 {
			t.Errorf("the metadata were read %d times", n)
		}
	},
	"DOS-006": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		honest := l.answers["token"]
		for _, name := range []string{"wallet-openid-configuration", "certs", "token", "userinfo"} {
			l.answers[name] = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}
		for range 6 { // an hour
			l.clock.Advance(10 * time.Minute)
			o := l.send(guarded(session))
			if o.rec.Code != 200 {
				t.Errorf("a session got %d while PSC is down", o.rec.Code)
			}
			if o.session != nil {
				session = &http.Cookie{Name: o.session.Name, Value: o.session.Value}
			}
		}
		b := l.begin() // what is known of PSC serves on, so the login leads there
		if o := l.send(b.back(b.honest())); o.rec.Code != 503 || o.rec.Header().Get("Retry-After") == "" {
			t.Errorf("a callback got %d, Retry-After %q", o.rec.Code, o.rec.Header().Get("Retry-After"))
		}
		l.renew() // and a process that knows nothing says so
		if o := l.send(page("/auth/login")); o.rec.Code != 503 || o.rec.Header().Get("Retry-After") == "" {
			t.Errorf("a login got %d, Retry-After %q", o.rec.Code, o.rec.Header().Get("Retry-After"))
		}
		l.stillIn(session)
		l.mu.Lock() // a connection that broke may still be served
		for _, name := range []string{"wallet-openid-configuration", "certs", "userinfo"} {
			delete(l.answers, name)
		}
		l.answers["token"] = honest
		l.mu.Unlock()
		l.clock.Advance(2 * time.Second)
		l.enter("MARTIN")
	},
	"DOS-007": func(t *testing.T, c corpusCase) {
		// The app's own client: 64 sockets at most, however many wait. A whole
		// time-out is ten seconds, so PSC answers after one here.
		l := newLab(t, c, ownClient)
		var mu sync.Mutex
		now, most := 0, 0
		l.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			if now++; now > most {
				most = now
			}
			mu.Unlock()
			time.Sleep(500 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		var waiting []begun
		n := scaled(2_000, 150)
		for range n {
			waiting = append(waiting, l.begin())
		}
		var all sync.WaitGroup
		for _, b := range waiting {
			all.Go(func() {
				rec := httptest.NewRecorder()
				l.app.ServeHTTP(rec, b.back(b.honest()))
				if rec.Code != 503 && rec.Code != 504 {
					t.Errorf("got %d", rec.Code)
				}
			})
		}
		all.Wait()
		if most > 64 || most < 2 {
			t.Errorf("%d calls at once, want 64 at most", most)
		}
	},
	"DOS-009": func(t *testing.T, c corpusCase) {
		// The limits are net/http's; behind them the app sees nothing.
		l := newLab(t, c)
		server := httptest.NewServer(l.app)
		defer server.Close()
		for _, header := range []string{"X-A: " + strings.Repeat("a", 2<<20) + "\r\n", strings.Repeat("X-A: b\r\n", 200_000)} {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			go func() { // the server hangs up before it has read all
				io.WriteString(conn, "GET /patients HTTP/1.1\r\nHost: app.example\r\n"+header+"\r\n")
			}()
			status := make([]byte, 12)
			if _, err := io.ReadFull(conn, status); err == nil && string(status) != "HTTP/1.1 431" {
				t.Errorf("got %q", status)
			}
			conn.Close()
		}
		// Many headers that pass net/http do no harm either.
		r := call()
		for i := range 100_000 {
			r.Header.Add(fmt.Sprint("X-", i), "y")
		}
		if rec := l.serve(r); rec.Code != 401 {
			t.Errorf("got %d", rec.Code)
		}
	},
	"DOS-011": func(t *testing.T, c corpusCase) {
		l := noisy(t, c)
		session := l.once0()
		n := scaled(500*3600, 3_000)
		flat(t, 4<<20, func() {
			for i := range n {
				var r *http.Request
				switch i % 6 {
				case 0:
					r = guarded(session)
				case 1:
					r = withBearer(session.Value)
				case 2:
					r = withBearer(session.Value + "x")
				case 3:
					r = page("/auth/login")
				case 4:
					r = page("/auth/callback?state=x")
				default:
					if i%300 != 5 {
						r = page("/auth/signed-out")
						break
					}
					b := l.begin()
					l.forget()
					r = b.back(b.honest())
				}
				rec := httptest.NewRecorder()
				l.app.ServeHTTP(rec, r)
				if rec.Code >= 500 {
					t.Fatalf("got %d", rec.Code)
				}
			}
			// The clock has stood still: sessions are kept for four hours, sign-ins for
			// ten minutes, and both are forgotten when the next one comes.
			l.clock.Advance(5 * time.Hour)
			b := l.begin()
			if l.send(b.back(b.honest())).session == nil {
				t.Error("after the load nobody gets in")
			}
		})
	},
	"DOS-012": func(t *testing.T, c corpusCase) {
		worst := func(size int) []string {
			return []string{
				"/" + strings.Repeat("a", size), "/" + strings.Repeat("/", size), "/" + strings.Repeat("../", size/3), "/" + strings.Repeat("%2e", size/3),
				"/" + strings.Repeat("a/./", size/4), "/?" + strings.Repeat("%", size), "/#" + strings.Repeat("%41", size/3), strings.Repeat("\\", size),
			}
		}
		n := scaled(100_000, 2_000)
		for _, size := range []int{2_000, 8 << 10, 64 << 10} {
			for _, target := range worst(size) {
				begun := time.Now()
				for range n / 8 {
					auth.SafeReturn(target)
				}
				if each := time.Since(begun) / time.Duration(n/8); each > time.Millisecond {
					t.Errorf("%d bytes of %.10q take %v each", size, target, each)
				}
			}
		}
		l := noisy(t, c)
		for _, target := range worst(8 << 10) {
			if rec := l.serve(page("/auth/login?return_to=" + url.QueryEscape(target))); rec.Code != 303 {
				t.Errorf("got %d", rec.Code)
			}
		}
	},
})

// once0 signs in without judging.
func (l *lab) once0() *http.Cookie {
	l.t.Helper()
	b := l.begin()
	s := l.send(b.back(b.honest())).session
	if s == nil {
		l.t.Fatal("no session")
	}
	return &http.Cookie{Name: s.Name, Value: s.Value}
}

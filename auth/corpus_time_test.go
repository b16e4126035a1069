package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // a machine without time zones is tested like others

	"github.com/pscauth/pscauth/auth"
)

// drift lets PSC's clock differ from the app's by d.
func (l *lab) drift(d time.Duration) {
	now := l.clock.Now().Add(d)
	l.claims["iat"], l.claims["auth_time"], l.claims["exp"] = now.Unix(), now.Unix(), now.Add(2*time.Minute).Unix()
}

// once signs in and reports whether somebody is in.
func (l *lab) once() outcome {
	l.t.Helper()
	b := l.begin()
	o := l.send(b.back(b.honest()))
	if o.session == nil {
		l.invariants(o) // those of a refusal
	}
	if l.silent(o); len(o.events) != 1 {
		l.t.Errorf("I7: %d events", len(o.events))
	}
	return o
}

// Clocks.
var _ = hand(map[string]runner{
	"CLK-001": func(t *testing.T, c corpusCase) {
		for _, d := range []time.Duration{-30 * time.Second, 30 * time.Second, -59 * time.Second, 59 * time.Second} {
			l := newLab(t, c)
			if l.drift(d); l.once().session == nil {
				t.Errorf("%v apart: %s", d, l.lastLine())
			}
		}
	},
	"CLK-002": func(t *testing.T, c corpusCase) {
		for d, want := range map[time.Duration]string{-10 * time.Minute: `bad_exp: exp is missing or 8m0s behind our clock`, 10 * time.Minute: `bad_iat: iat is missing or 10m0s ahead of our clock`} {
			l := newLab(t, c)
			l.drift(d)
			if o := l.once(); o.session != nil || o.rec.Code != 401 || !strings.Contains(l.lastLine(), want) {
				t.Errorf("%v apart: got %d, the log says %s", d, o.rec.Code, l.lastLine())
			}
		}
	},
	"CLK-004": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.clock.Advance(-time.Hour)
		l.status = []int{401}
		l.denied(withBearer(session.Value)) // issued an hour ahead of the clock: no replica's clock differs by that
		l.clock.Advance(time.Hour)
		l.stillIn(session)
		l.clock.Advance(5 * time.Minute)
		renewed := l.send(guarded(session)).session
		l.clock.Advance(-time.Minute)
		if renewed == nil {
			t.Fatal("not renewed")
		}
		l.stillIn(&http.Cookie{Name: renewed.Name, Value: renewed.Value})
		l.clock.Advance(4 * time.Hour) // whatever the clock did, not beyond SessionMax
		l.denied(withBearer(renewed.Value))
	},
	"CLK-006": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.clock.Advance(time.Date(2016, 12, 31, 23, 59, 60, 0, time.UTC).Sub(l.clock.Now()))
		honest := l.answers["token"]
		l.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
			for _, name := range []string{"Date", "Expires", "Last-Modified"} {
				w.Header().Set(name, "Sat, 31 Dec 2016 23:59:60 GMT")
			}
			w.Header().Set("Set-Cookie", "KC_RESTART=x; Expires=Sat, 31 Dec 2016 23:59:60 GMT")
			honest(w, r)
		}
		if l.once().session == nil {
			t.Errorf("not in: %s", l.lastLine())
		}
	},
	"CLK-007": func(t *testing.T, c corpusCase) {
		for _, at := range []time.Time{
			time.Date(2038, 1, 19, 3, 14, 7, 0, time.UTC), time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC), time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC),
		} {
			l := crowd(t, c)
			l.clock.Advance(at.Sub(l.clock.Now()))
			b := l.begin()
			o := l.send(b.back(b.honest()))
			if o.session == nil || o.session.MaxAge != 1800 || !o.events[0].Time.Equal(at) {
				t.Fatalf("at %v: %v %s", at, o.session, l.lastLine())
			}
			l.clock.Advance(29 * time.Minute)
			l.stillIn(&http.Cookie{Name: o.session.Name, Value: o.session.Value})
		}
	},
	"CLK-009": func(t *testing.T, c corpusCase) {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			t.Fatal(err)
		}
		for _, before := range []time.Time{
			time.Date(2026, 3, 29, 0, 50, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 50, 0, 0, time.UTC), // ten minutes before the clocks change
		} {
			kept := &keptSessions{}
			l := crowd(t, c, func(cfg *auth.Config) {
				now := cfg.Now
				cfg.Now = func() time.Time { return now().In(paris) }
				kept.SessionStore = cfg.Sessions
				cfg.Sessions = kept
			})
			l.clock.Advance(before.Sub(l.clock.Now()))
			b := l.begin()
			o := l.send(b.back(b.honest()))
			if o.session == nil {
				t.Fatal(l.lastLine())
			}
			if at := o.events[0].Time; at.Location() != time.UTC || kept.last.CreatedAt.Location() != time.UTC || kept.last.ExpiresAt.Location() != time.UTC {
				t.Errorf("told %v, kept %v to %v", at, kept.last.CreatedAt, kept.last.ExpiresAt)
			}
			session := &http.Cookie{Name: o.session.Name, Value: o.session.Value}
			l.clock.Advance(30*time.Minute - time.Second)
			l.stillIn(session)
			l.clock.Advance(time.Second)
			l.status = []int{401}
			l.denied(withBearer(session.Value))
		}
	},
	"CLK-011": func(t *testing.T, c corpusCase) {
		for _, tt := range []struct {
			after time.Duration // of exp
			in    bool
		}{{0, true}, {time.Minute - time.Nanosecond, true}, {time.Minute, false}, {time.Minute + time.Nanosecond, false}} {
			l := newLab(t, c)
			l.claims["exp"] = l.clock.Now().Unix()
			l.claims["iat"], l.claims["auth_time"] = l.claims["exp"], l.claims["exp"]
			l.clock.Advance(tt.after)
			if o := l.once(); (o.session != nil) != tt.in {
				t.Errorf("an ID token %v after exp: got %d", tt.after, o.rec.Code)
			}
		}
		// Our own token has no leeway: until just before exp.
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.clock.Advance(30*time.Minute - time.Nanosecond)
		l.stillIn(session)
		l.clock.Advance(time.Nanosecond)
		l.status = []int{401}
		l.denied(withBearer(session.Value))
	},
	"CLK-012": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		begun := l.clock.Now()
		for range 11 { // an active person, until a little before the end
			l.clock.Advance(20 * time.Minute)
			if renewed := l.send(guarded(session)).session; renewed != nil {
				session = &http.Cookie{Name: renewed.Name, Value: renewed.Value}
			}
			l.stillIn(session)
		}
		l.clock.Advance(begun.Add(4*time.Hour - time.Second).Sub(l.clock.Now()))
		l.stillIn(session)
		l.clock.Advance(time.Second)
		l.status = []int{401}
		l.denied(withBearer(session.Value)) // four hours
		l.denied(call("Cookie", session.String()))

		idle := l.enter("DUPONT")
		l.clock.Advance(30*time.Minute - time.Second)
		l.stillIn(idle)
		l.clock.Advance(time.Second)
		l.denied(withBearer(idle.Value)) // thirty minutes
	},
})

// keptSessions shows what is stored.
type keptSessions struct {
	auth.SessionStore
	last auth.SessionRecord
}

func (k *keptSessions) SaveSession(c ctx, rec auth.SessionRecord) error {
	k.last = rec
	return k.SessionStore.SaveSession(c, rec)
}

// walk does all that a person and a stranger can do, and returns every answer.
func (l *lab) walk() (answers []outcome) {
	l.t.Helper()
	do := func(r *http.Request) outcome {
		o := l.send(r)
		answers = append(answers, o)
		return o
	}
	for _, lie := range []func(){
		func() {},
		func() { l.claims["acr"] = "eidas0" },
		func() { l.claims["nonce"] = "x" },
		func() { l.header["kid"] = "899999001011" },
		func() { l.answers["userinfo"] = writes(asJSON, 500, `{"error":"stack trace"}`) },
		func() {
			l.answers["userinfo"] = writes(asJSON, 200, `{"sub":"f:x:899999001011","SubjectNameID":"899999001012"}`)
		},
		func() { l.answers["token"] = writes(asJSON, 400, `{"error":"`+corpusSecret+`"}`) },
		func() { l.answers["token"] = writes("text/html", 500, corpusSecret) },
	} {
		kept, token := l.userinfo, l.answers["token"]
		lie()
		b := l.begin()
		for _, query := range []string{"", "?error=access_denied&state=" + b.state, b.honest() + "&iss=x", b.honest() + "&x=" + accessToken + "%zz"} {
			o := do(l.begin().back(query))
			_ = o
		}
		l.nonce = b.nonce
		o := do(b.back(b.honest()))
		do(b.back(b.honest()))
		if o.session != nil {
			session := &http.Cookie{Name: o.session.Name, Value: o.session.Value}
			do(guarded(session))
			do(withBearer(session.Value))
			do(withBearer(session.Value + "x"))
			do(call("Cookie", session.Name+"="+session.Value+"x"))
			answers = append(answers, l.leave(session))
			do(guarded(session))
		}
		do(page("/auth/login?return_to=//evil.example"))
		l.userinfo = kept
		l.claims, l.header["kid"] = map[string]any{}, "k1"
		delete(l.answers, "userinfo")
		l.answers["token"] = token
	}
	return answers
}

// Logs, audit, privacy.
var _ = hand(map[string]runner{
	"LOG-001": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		for _, o := range l.walk() {
			// Here it is about what is kept: a program reads its token, PSC's
			// address holds state and nonce.
			o.rec = httptest.NewRecorder()
			l.silent(o)
		}
		if !strings.Contains(l.logs.String(), "signed in") || strings.Contains(l.logs.String(), "eyJ") {
			t.Errorf("the log says %s", l.logs)
		}
	},
	"LOG-002": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		for _, o := range l.walk() {
			for _, e := range o.events {
				if strings.Contains(e.Reason+e.Path+e.UserAgent+e.Reference, "99999001011") || e.NationalID != "" && e.UserID == "" {
					t.Errorf("told %+v", e)
				}
			}
			if strings.Contains(o.rec.Header().Get("Location"), "99999001011") || strings.Contains(o.request.URL.String(), "99999001011") {
				t.Errorf("an RPPS number in an address: %s", o.rec.Header().Get("Location"))
			}
		}
		if strings.Contains(l.logs.String(), "99999001011") {
			t.Errorf("the log says %s", l.logs)
		}
	},
	"LOG-004": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		failures := 0
		for _, o := range l.walk() {
			if o.rec.Code < 400 {
				continue
			}
			failures++
			text := o.rec.Body.String()
			for _, bad := range []string{"goroutine ", ".go:", "auth: ", "SELECT", "go-jose", "strictjson", "go1.", l.server.URL, "/usr/", "stack trace", "https://app.example/auth/callback"} {
				if strings.Contains(text, bad) {
					t.Errorf("a page of %d holds %q: %s", o.rec.Code, bad, text)
				}
			}
			for _, name := range []string{"Server", "X-Powered-By"} {
				if o.rec.Header().Get(name) != "" {
					t.Errorf("%s: %s", name, o.rec.Header().Get(name))
				}
			}
		}
		if failures < 20 {
			t.Errorf("only %d failures were looked at", failures)
		}
	},
	"LOG-006": func(t *testing.T, c corpusCase) {
		// Policy: who is allowed gets in, for care does not wait for a disk; and the
		// log says each time which event is missing.
		for name, f := range map[string]auditFunc{
			"an error": func(auth.Event) error { return errors.New("disk full") },
			"a panic":  func(auth.Event) error { panic(errors.New("disk full")) },
		} {
			l := newLab(t, c, func(cfg *auth.Config) { cfg.Audit = f })
			b := l.begin()
			if o := l.send(b.back(b.honest())); o.session == nil {
				t.Errorf("%s: got %d", name, o.rec.Code)
			}
			if text := l.logs.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "disk full") || !strings.Contains(text, "kind=signed_in") {
				t.Errorf("%s: the log says %s", name, text)
			}
		}
	},
	"LOG-009": func(t *testing.T, c corpusCase) {
		const secret = "a value that nobody may read"
		l := newLab(t, c, func(cfg *auth.Config) { cfg.Audit = auditFunc(func(auth.Event) error { panic(secret) }) })
		b := l.begin()
		l.send(b.back(b.honest()))
		if text := l.logs.String(); strings.Contains(text, secret) || !strings.Contains(text, "AuditLog panicked") {
			t.Errorf("the log says %s", text)
		}
		// One of Authorize goes on to net/http, whose log is the app's affair; the
		// page and our log do not have it.
		l = newLab(t, c, func(cfg *auth.Config) {
			cfg.Authorize = func(ctx, auth.SignIn) (auth.Grant, error) { panic(secret) }
		})
		b = l.begin()
		rec := httptest.NewRecorder()
		func() {
			defer func() {
				if p := recover(); p != secret {
					t.Errorf("recovered %v", p)
				}
			}()
			l.app.ServeHTTP(rec, b.back(b.honest()))
		}()
		again := l.send(b.back(b.honest()))
		if strings.Contains(l.logs.String()+rec.Body.String()+again.rec.Body.String(), secret) || again.rec.Code != 503 {
			t.Errorf("got %d; the log says %s", again.rec.Code, l.logs)
		}
	},
})

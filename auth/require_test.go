package auth_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

func TestWhoHasNoSession(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		status             int
		location, body     string
	}{
		{"a page is sent to the sign-in and comes back", "GET", "/patients?q=1", []string{"Sec-Fetch-Mode", "navigate"}, 303, "/app/auth/login?return_to=%2Fpatients%3Fq%3D1", ""},
		{"so is the HEAD of a page", "HEAD", "/patients", []string{"Accept", "text/html"}, 303, "/app/auth/login?return_to=%2Fpatients", ""},
		{"a browser of old, known by its Accept", "GET", "/patients", []string{"Accept", "text/html,*/*;q=0.8"}, 303, "/app/auth/login?return_to=%2Fpatients", ""},
		{"a page that posted", "POST", "/patients", []string{"Sec-Fetch-Mode", "navigate"}, 401, "", "Rien n&#39;a été enregistré"},

		{"a program", "GET", "/patients?q=1", nil, 401, "", `"login_url":"/app/auth/login?return_to=%2Fpatients%3Fq%3D1"`},
		{"a program that posts", "POST", "/patients", nil, 401, "", `"login_url":"/app/auth/login?return_to=%2F"`},
		{"a script that would take a page too", "GET", "/patients", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, 401, "", `"error":"sign_in"`},
		{"a program that takes anything", "GET", "/patients", []string{"Accept", "*/*"}, 401, "", `"error":"sign_in"`},
		{"a program that refuses pages", "GET", "/patients", []string{"Accept", "text/html;q=0"}, 401, "", `"error":"sign_in"`},
		{"a preflight", "OPTIONS", "/patients", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, 401, "", ""},
		{"a WebSocket", "GET", "/patients", []string{"Sec-Fetch-Mode", "websocket", "Upgrade", "websocket"}, 401, "", ""},
		{"headers that name a person", "GET", "/patients", []string{"X-Auth-Request-User", "dr-dupont", "X-User-RPPS", "99999001011"}, 401, "", ""},
		{"another path in X-Forwarded-Uri", "GET", "/patients", []string{"X-Forwarded-Uri", "/", "X-Original-URI", "/", "X-HTTP-Method-Override", "GET"}, 401, "", ""},
		{"a token in the query", "GET", "/patients?access_token=x", nil, 401, "", ""},
		{"another scheme", "GET", "/patients", []string{"Authorization", "DPoP x"}, 401, "", ""},
		{"in English", "GET", "/patients", []string{"Accept-Language", "en-GB,fr;q=0.5"}, 401, "", `"message":"Identify yourself`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.do(program(), tt.method, tt.path, tt.headers...)
			if got.StatusCode != tt.status || got.Header.Get("Location") != tt.location || !strings.Contains(got.Text, tt.body) {
				t.Errorf("got %s to %q: %s", got.Status, got.Header.Get("Location"), got.Text)
			}
			if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("headers %v", got.Header)
			}
			if isJSON := strings.HasPrefix(got.Text, "{"); isJSON && got.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate %q", got.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestAPathThatBrowsersReadAsAnotherHost(t *testing.T) {
	w := newWorld(t)
	guarded := w.rp.Require(http.NotFoundHandler()) // a ServeMux would have cleaned the path
	for _, target := range []string{"//evil.com/x", "/\\evil.com", "/x/..//evil.com"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RequestURI = target
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		rec := httptest.NewRecorder()
		guarded.ServeHTTP(rec, r)
		if loc := rec.Header().Get("Location"); loc != "/app/auth/login?return_to=%2F" {
			t.Errorf("%s: sent to %q", target, loc)
		}
	}
}

// token signs a persona in as a program and returns the session token.
func (w *world) token(persona string) string {
	w.t.Helper()
	c := w.browser()
	callback := w.callbackFrom(c, "/app/auth/login", persona)
	got := w.get(stay(c), strings.TrimPrefix(callback, w.url), "Accept", "application/json", "Sec-Fetch-Mode", "cors")
	a := decode[programAnswer](w.t, got.Text)
	if a.AccessToken == "" {
		w.t.Fatalf("no token in %s", got.Text)
	}
	return a.AccessToken
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	name := w.sessionCookieName()
	dupont, martin := w.token("dr-dupont"), w.token("dr-martin")
	forged := dupont[:len(dupont)-2] + "AA"
	header, rest, _ := strings.Cut(dupont, ".")
	_, signature, _ := strings.Cut(rest, ".")
	martinPayload := strings.Split(martin, ".")[1]
	for _, tt := range []struct {
		name    string
		headers []string
		ok      bool
	}{
		{"the cookie", []string{"Cookie", name + "=" + dupont}, true},
		{"the bearer", []string{"Authorization", "Bearer " + dupont}, true},
		{"the bearer, scheme in lower case", []string{"Authorization", "bearer " + dupont}, true},
		{"bearer and cookie of one person", []string{"Authorization", "Bearer " + dupont, "Cookie", name + "=" + dupont}, true},
		{"the cookie beside Basic of a proxy", []string{"Authorization", "Basic eDp5", "Cookie", name + "=" + dupont}, true},
		{"the cookie among others", []string{"Cookie", "a=b; " + name + "=" + dupont + "; c=d"}, true},

		{"bearer and cookie of two people", []string{"Authorization", "Bearer " + dupont, "Cookie", name + "=" + martin}, false},
		{"a bad bearer beside a good cookie", []string{"Authorization", "Bearer x", "Cookie", name + "=" + dupont}, false},
		{"an empty bearer beside a good cookie", []string{"Authorization", "Bearer", "Cookie", name + "=" + dupont}, false},
		{"two blanks", []string{"Authorization", "Bearer  " + dupont}, false},
		{"two bearers in one header", []string{"Authorization", "Bearer " + dupont + ", Bearer " + martin}, false},
		{"two headers", []string{"Authorization", "Bearer " + dupont, "Authorization", "Bearer " + martin}, false},
		{"two cookies of the name", []string{"Cookie", name + "=x; " + name + "=" + dupont}, false},
		{"two cookies of the name, the good one first", []string{"Cookie", name + "=" + dupont + "; " + name + "=x"}, false},
		{"a cookie in quotes", []string{"Cookie", name + `="` + dupont + `"`}, false},
		{"another name", []string{"Cookie", "session=" + dupont}, false},
		{"in a WebSocket's protocol", []string{"Sec-WebSocket-Protocol", dupont}, false},
		{"a forged signature", []string{"Authorization", "Bearer " + forged}, false},
		{"no signature", []string{"Authorization", "Bearer " + header + "." + martinPayload + "."}, false},
		{"another person's claims under one's own signature", []string{"Authorization", "Bearer " + header + "." + martinPayload + "." + signature}, false},
		{"alg none", []string{"Authorization", "Bearer eyJhbGciOiJub25lIn0." + martinPayload + "."}, false},
		{"a line end in the token", []string{"Cookie", name + "=" + dupont[:40] + "%0A" + dupont[40:]}, false},
		{"a dot more", []string{"Authorization", "Bearer " + dupont + "."}, false},
		{"a megabyte", []string{"Authorization", "Bearer " + header + "." + strings.Repeat("A", 900<<10)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.get(program(), "/patients", tt.headers...)
			if ok := got.StatusCode == 200; ok != tt.ok || !ok && got.StatusCode != 401 {
				t.Errorf("got %s", got.Status)
			}
			if !tt.ok && strings.Contains(got.Text, "DUPONT") {
				t.Error("the answer names a person")
			}
		})
	}
}

func TestEveryByteOfATokenCounts(t *testing.T) {
	w := newWorld(t)
	token := w.token("dr-dupont")
	for i := range token {
		for _, flip := range []byte{1, 2, 0x20} {
			b := []byte(token)
			b[i] ^= flip
			if b[i] <= ' ' || b[i] >= 0x7f {
				continue
			}
			r := httptest.NewRequest("GET", "/patients", nil)
			r.Header.Set("Authorization", "Bearer "+string(b))
			rec := httptest.NewRecorder()
			w.rp.Handler(w.app()).ServeHTTP(rec, r)
			if rec.Code != 401 {
				t.Fatalf("byte %d changed by %d got %d", i, flip, rec.Code)
			}
		}
	}
}

func TestAnotherKindOfTokenIsNoSession(t *testing.T) {
	w := newWorld(t)
	name := w.sessionCookieName()
	c := w.browser()
	w.get(stay(c), "/app/auth/login")
	pending := w.cookie(c, "psc_pending")
	if pending == "" {
		t.Fatal("no pending cookie")
	}
	token := w.token("dr-dupont")
	if got := w.get(program(), "/patients", "Cookie", name+"="+pending); got.StatusCode != 401 {
		t.Errorf("a pending sign-in as session got %s", got.Status)
	}
	// And the other way round.
	pendingName := ""
	u, _ := url.Parse(w.url)
	for _, k := range c.Jar.Cookies(u) {
		pendingName = k.Name
	}
	got := w.get(program(), "/app/auth/callback?code=x&state="+strings.Repeat("A", 43), "Cookie", pendingName+"="+token)
	if got.StatusCode != 400 {
		t.Errorf("a session as pending sign-in got %s", got.Status)
	}
}

func TestABadCookieIsClearedAndOnlyThat(t *testing.T) {
	w := newWorld(t)
	name := w.sessionCookieName()
	got := w.get(program(), "/patients", "Cookie", name+"=rubbish; psc_session-00000000=another-app")
	cookies := got.Cookies()
	if len(cookies) != 1 || cookies[0].Name != name || cookies[0].MaxAge >= 0 || cookies[0].Path != "/" || !cookies[0].HttpOnly {
		t.Errorf("got %v", cookies)
	}
}

func TestThousandsOfJunkCookiesDoNoHarm(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("GET", "/patients", nil)
	r.Header.Set("Cookie", strings.Repeat("psc_pending-x=y; ", 10_000))
	rec := httptest.NewRecorder()
	w.rp.Handler(w.app()).ServeHTTP(rec, r)
	if rec.Code != 401 {
		t.Errorf("got %d", rec.Code)
	}
}

func TestRules(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) {
		c.Authorize = func(_ context.Context, in auth.SignIn) (auth.Grant, error) {
			if in.User.LastName == "GIRARD" {
				return auth.Grant{Roles: []string{"dispenser"}}, nil
			}
			return auth.Grant{Roles: []string{"admin", "clinician"}, TenantID: "tilleuls"}, nil
		}
	})
	dupont, girard, intern := w.token("dr-dupont"), w.token("pharma-girard"), w.token("interne-diallo")
	for _, tt := range []struct {
		name, token, path string
		status            int
		body              string
	}{
		{"a doctor where doctors may", dupont, "/doctors", 200, ""},
		{"a pharmacist where doctors may", girard, "/doctors", 403, "Réservé à : Médecin."},
		{"an intern, who carries the doctors' code", intern, "/doctors", 403, "Réservé à : Médecin."},
		{"one of the roles", dupont, "/team", 200, ""},
		{"none of the roles", girard, "/team", 403, "Réservé à l'équipe de soins."},
		{"the tenant", dupont, "/tilleuls", 200, ""},
		{"no tenant", girard, "/tilleuls", 403, ""},
		{"no tenant where the rule names none", girard, "/nowhere", 403, ""},
		{"just identified", dupont, "/sensitive", 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.get(program(), tt.path, "Authorization", "Bearer "+tt.token)
			if got.StatusCode != tt.status || !strings.Contains(got.Text, tt.body) {
				t.Errorf("got %s %s", got.Status, got.Text)
			}
			if tt.status == 403 && (!strings.Contains(got.Text, `"error":"forbidden"`) || !referenceForm.MatchString(got.Text)) {
				t.Errorf("got %s", got.Text)
			}
		})
	}
	w.clock.Advance(6 * time.Minute)
	got := w.get(program(), "/sensitive", "Authorization", "Bearer "+dupont)
	if got.StatusCode != 401 || !strings.Contains(got.Text, "max_age=300") || !strings.Contains(got.Header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
		t.Errorf("six minutes later got %s %v %s", got.Status, got.Header, got.Text)
	}
}

func TestStepUp(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	w.clock.Advance(6 * time.Minute)
	got := w.get(c, "/sensitive")
	if got.StatusCode != 403 || !strings.Contains(got.Text, "Confirmez votre identité") || !strings.Contains(got.Text, `href="/app/auth/login?max_age=300&amp;return_to=%2Fsensitive"`) {
		t.Fatalf("got %s %s", got.Status, got.Text)
	}
	if got := w.read(w.psc.SignIn(c, w.url+"/app/auth/login?max_age=300&return_to=/sensitive", "dr-dupont")); got.StatusCode != 200 || got.Request.URL.Path != "/sensitive" {
		t.Errorf("after it got %s at %s", got.Status, got.Request.URL)
	}
}

func TestAnotherSitesPageCannotAct(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.TrustedOrigins = []string{"http://localhost:5173"} })
	c := w.browser()
	w.signIn(c, "dr-dupont")
	name, value := w.sessionCookieName(), w.cookie(c, "psc_session")
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		want               int
	}{
		{"our front end on another port", "POST", "/app/auth/session", []string{"Origin", "http://localhost:5173", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 200},
		{"somebody else's front end on another port", "POST", "/app/auth/session", []string{"Origin", "http://localhost:5174", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"a form of our own", "POST", "/patients", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"}, 200},
		{"a form of our own through a proxy that changes Host", "POST", "/patients", []string{"Origin", w.url, "Host", "internal"}, 200},
		{"a program without a browser's headers", "POST", "/patients", nil, 200},
		{"a page of another site that reads", "GET", "/patients", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"a form of another site", "POST", "/patients", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"a form of a sister site", "POST", "/patients", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an old browser's form of another site", "POST", "/patients", []string{"Origin", "https://evil.example"}, 403},
		{"a form of nowhere", "POST", "/patients", []string{"Origin", "null"}, 403},
		{"a renewal by another site", "POST", "/app/auth/session", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sign-out by another site", "POST", "/app/auth/logout", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sign-out by an image", "GET", "/app/auth/logout", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.do(program(), tt.method, tt.path, append(tt.headers, "Cookie", name+"="+value)...)
			if got.StatusCode != tt.want {
				t.Errorf("got %s %s", got.Status, got.Text)
			}
		})
	}
	if got := w.get(c, "/patients"); got.StatusCode != 200 {
		t.Errorf("after all that the session got %s", got.Status)
	}
	// A browser adds no bearer by itself: who sends one means it.
	if got := w.do(program(), "POST", "/patients", "Sec-Fetch-Site", "cross-site", "Authorization", "Bearer "+value); got.StatusCode != 200 {
		t.Errorf("a script elsewhere that was given a bearer got %s", got.Status)
	}
}

func TestTheLifeOfASession(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	first := w.cookie(c, "psc_session")

	w.clock.Advance(2 * time.Minute)
	w.get(c, "/patients")
	if w.cookie(c, "psc_session") != first {
		t.Error("renewed before a tenth of its time")
	}
	w.clock.Advance(2 * time.Minute)
	w.get(c, "/") // a page without Require is activity too
	if w.cookie(c, "psc_session") == first {
		t.Error("not renewed after a tenth of its time")
	}
	w.clock.Advance(29 * time.Minute)
	if got := w.get(c, "/patients"); got.StatusCode != 200 {
		t.Errorf("after 29 minutes without a request: %s", got.Status)
	}
	idle := *c
	last := w.cookie(c, "psc_session")
	w.clock.Advance(30 * time.Minute)
	if got := w.get(stay(&idle), "/patients"); got.StatusCode != 303 {
		t.Errorf("after 30 minutes without a request: %s", got.Status)
	}
	if n := w.calls("/logout"); n != 0 {
		t.Errorf("a time-out ended the session at PSC, by %d calls", n)
	}
	name := w.sessionCookieName()
	if got := w.get(program(), "/patients", "Cookie", name+"="+last); got.StatusCode != 401 {
		t.Errorf("the saved cookie: %s", got.Status)
	}
}

func TestAShorterSession(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.SessionTTL, c.SessionMax = 5*time.Minute, 10*time.Minute })
	token := w.token("dr-dupont")
	for _, tt := range []struct {
		name   string
		later  time.Duration
		status int
	}{
		{"a second before it ends", 5*time.Minute - time.Second, 200},
		{"when it has ended", time.Second, 401},
	} {
		w.clock.Advance(tt.later)
		if got := w.get(program(), "/patients", "Authorization", "Bearer "+token); got.StatusCode != tt.status {
			t.Errorf("%s: got %s, want %d", tt.name, got.Status, tt.status)
		}
	}
	c := w.browser()
	w.signIn(c, "dr-martin")
	w.clock.Advance(4 * time.Minute)
	w.get(c, "/patients")
	w.clock.Advance(4 * time.Minute)
	w.get(c, "/patients")
	w.clock.Advance(2 * time.Minute)
	if got := w.get(stay(c), "/patients"); got.StatusCode != 303 {
		t.Errorf("after ten minutes of work: %s", got.Status)
	}
}

// A token that is over is not a way to another one.
func TestWhatIsOverIsNotRenewed(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(w *world, token string)
	}{
		{"its half hour has passed", func(w *world, _ string) { w.clock.Advance(30 * time.Minute) }},
		{"the person has signed out", func(w *world, token string) {
			w.do(program(), "POST", "/app/auth/logout", "Authorization", "Bearer "+token)
		}},
		{"the secret is gone", func(w *world, _ string) {
			redirect := w.cfg.RedirectURL
			w.start(func(c *auth.Config) { c.RedirectURL, c.Secrets = redirect, [][]byte{[]byte(strings.Repeat("n", 32))} })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			name, token := w.sessionCookieName(), w.token("dr-dupont")
			tt.end(w, token)
			for _, credential := range [][]string{{"Authorization", "Bearer " + token}, {"Cookie", name + "=" + token}} {
				got := w.do(program(), "POST", "/app/auth/session", credential...)
				if got.StatusCode != 401 || strings.Contains(got.Text, "access_token") || w.renewedBy(got) != "" {
					t.Errorf("by %s: got %s %s", credential[0], got.Status, got.Text)
				}
				if challenge := got.Header.Get("WWW-Authenticate"); challenge != `Bearer error="invalid_token"` { // RFC 6750 3.1
					t.Errorf("by %s: WWW-Authenticate %q", credential[0], challenge)
				}
			}
		})
	}
}

// renewedBy returns the session token that an answer sets, or "".
func (w *world) renewedBy(got *answer) string {
	for _, k := range got.Cookies() {
		if strings.Contains(k.Name, "psc_session") {
			return k.Value
		}
	}
	return ""
}

// What names a session is not to be guessed, and names one only.
func TestSessionsHaveRandomNames(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 5 {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(w.token("dr-dupont"), ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		claims := decode[struct{ Sid, Jti string }](t, string(payload))
		if len(claims.Sid) != 43 || len(claims.Jti) != 22 || seen[claims.Sid] || seen[claims.Jti] || strings.HasPrefix(claims.Sid, claims.Jti) {
			t.Errorf("sid of %d characters, jti of %d, or one that was there before", len(claims.Sid), len(claims.Jti))
		}
		seen[claims.Sid], seen[claims.Jti] = true, true
	}
}

func TestNoSessionOutlivesPSCs(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	for minutes := 20; minutes < 240; minutes += 20 {
		w.clock.Advance(20 * time.Minute)
		if got := w.get(stay(c), "/patients"); got.StatusCode != 200 {
			t.Fatalf("after %d minutes of work: %s", minutes, got.Status)
		}
	}
	got := decode[struct {
		ExpiresIn int `json:"expires_in"`
		EndsIn    int `json:"session_ends_in"`
	}](t, w.get(c, "/app/auth/session", "Accept", "application/json").Text)
	if got.ExpiresIn != 20*60 || got.EndsIn != 20*60 {
		t.Errorf("20 minutes before the end the session says %+v", got)
	}
	w.clock.Advance(20 * time.Minute)
	if got := w.get(stay(c), "/patients"); got.StatusCode != 303 {
		t.Errorf("after four hours: %s", got.Status)
	}
}

func TestTheSessionEndpoint(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	if got := w.get(c, "/app/auth/session", "Accept", "application/json", "Sec-Fetch-Mode", "cors"); got.StatusCode != 401 || !strings.Contains(got.Text, "login_url") {
		t.Errorf("nobody got %s %s", got.Status, got.Text)
	}
	w.signIn(c, "sec-andre")
	got := w.get(c, "/app/auth/session", "Accept", "application/json", "Sec-Fetch-Mode", "cors")
	a := decode[programAnswer](t, got.Text)
	if got.StatusCode != 200 || a.AccessToken != "" || a.User.RPPS != nil || a.User.Profession != nil || a.User.NationalID != "500000000090100/CPAT00001" || a.User.LastName != "ANDRE" || a.ExpiresIn != 1800 {
		t.Errorf("got %s", got.Text)
	}
	w.clock.Advance(10 * time.Minute)
	if a := decode[programAnswer](t, w.get(c, "/app/auth/session", "Accept", "application/json").Text); a.ExpiresIn != 1200 {
		t.Errorf("asking renewed the session: %d seconds left, want 1200", a.ExpiresIn)
	}
	renewed := w.do(c, "POST", "/app/auth/session", "Sec-Fetch-Mode", "cors", "Accept", "application/json")
	if a := decode[programAnswer](t, renewed.Text); a.ExpiresIn != 1800 || a.AccessToken != "" || len(renewed.Cookies()) != 1 {
		t.Errorf("a renewal by cookie got %s and %d cookies", renewed.Text, len(renewed.Cookies()))
	}
}

func TestSignOutIsForGood(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	name, saved := w.sessionCookieName(), w.cookie(c, "psc_session")

	ask := w.get(c, "/app/auth/logout")
	if ask.StatusCode != 200 || !strings.Contains(ask.Text, "Se déconnecter ?") || w.cookie(c, "psc_session") == "" {
		t.Fatalf("asking got %s %s", ask.Status, ask.Text)
	}
	got := w.do(c, "POST", "/app/auth/logout", "Sec-Fetch-Site", "same-origin")
	if got.StatusCode != 200 || !strings.Contains(got.Text, "Déconnexion en cours") || w.cookie(c, "psc_session") != "" {
		t.Fatalf("signing out got %s %s", got.Status, got.Text)
	}
	_, rest, _ := strings.Cut(got.Text, `href="`+w.psc.URL)
	leave, _, _ := strings.Cut(rest, `"`)
	leave = w.psc.URL + strings.ReplaceAll(leave, "&amp;", "&")
	if !strings.Contains(got.Text, `http-equiv="refresh" content="0; url=`+w.psc.URL) {
		t.Error("the page does not go on by itself")
	}
	back := w.read(c.Get(leave))
	if back.StatusCode != 200 || back.Request.URL.Path != "/app/auth/signed-out" || !strings.Contains(back.Text, "Vous êtes déconnecté") {
		t.Errorf("leaving PSC ended with %s at %s", back.Status, back.Request.URL)
	}
	if got := w.get(program(), "/patients", "Cookie", name+"="+saved); got.StatusCode != 401 {
		t.Errorf("the saved cookie got %s", got.Status)
	}
	if again := w.get(c, "/patients"); !strings.HasPrefix(again.Request.URL.String(), w.psc.URL+"/auth") {
		t.Errorf("the next visit ended at %s, want PSC asking who it is", again.Request.URL)
	}
	if got := w.do(c, "POST", "/app/auth/logout"); got.StatusCode != 200 {
		t.Errorf("signing out twice got %s", got.Status)
	}

	// Another process, on the same store and with the same secret: a restart.
	redirect := w.cfg.RedirectURL
	w.start(func(cfg *auth.Config) { cfg.RedirectURL = redirect })
	if got := w.get(program(), "/patients", "Cookie", name+"="+saved); got.StatusCode != 401 {
		t.Errorf("the saved cookie after a restart got %s", got.Status)
	}
}

func TestASessionLivesThroughARestart(t *testing.T) {
	w := newWorld(t)
	token := w.token("dr-dupont")
	redirect := w.cfg.RedirectURL
	w.start(func(cfg *auth.Config) { cfg.RedirectURL = redirect })
	if got := w.get(program(), "/patients", "Authorization", "Bearer "+token); got.StatusCode != 200 {
		t.Errorf("got %s", got.Status)
	}
}

func TestWithoutASessionStoreARestartSignsEverybodyOut(t *testing.T) {
	inMemory := func(c *auth.Config) { c.Sessions = nil }
	w := newWorld(t, inMemory)
	token := w.token("dr-dupont")
	if got := w.get(program(), "/patients", "Authorization", "Bearer "+token); got.StatusCode != 200 {
		t.Fatalf("got %s", got.Status)
	}
	redirect := w.cfg.RedirectURL
	w.start(inMemory, func(cfg *auth.Config) { cfg.RedirectURL = redirect })
	if got := w.get(program(), "/patients", "Authorization", "Bearer "+token); got.StatusCode != 401 {
		t.Errorf("after a restart got %s", got.Status)
	}
}

func TestASignOutReachesTheOtherProcessWithinTheLag(t *testing.T) {
	w := newWorld(t)
	token := w.token("dr-dupont")
	bearer := []string{"Authorization", "Bearer " + token}
	one := w.url
	redirect := w.cfg.RedirectURL
	w.start(func(cfg *auth.Config) { cfg.RedirectURL = redirect })
	two := w.url
	if got := w.get(program(), "/patients", bearer...); got.StatusCode != 200 {
		t.Fatalf("the second process got %s", got.Status)
	}
	w.url = one
	w.do(program(), "POST", "/app/auth/logout", bearer...)
	if got := w.get(program(), "/patients", bearer...); got.StatusCode != 401 {
		t.Errorf("the process that ended it got %s", got.Status)
	}
	w.url = two
	w.clock.Advance(5 * time.Second)
	if got := w.get(program(), "/patients", bearer...); got.StatusCode != 401 {
		t.Errorf("the other process, five seconds later, got %s", got.Status)
	}
}

// failingSessions is a store that stops answering.
type failingSessions struct {
	auth.SessionStore
	fail bool
}

func (f *failingSessions) EndedSessions(ctx context.Context, since time.Time) ([]auth.EndedSession, time.Time, error) {
	if f.fail {
		return nil, time.Time{}, context.DeadlineExceeded
	}
	return f.SessionStore.EndedSessions(ctx, since)
}

func TestAStoreThatStopsAnswering(t *testing.T) {
	sessions := &failingSessions{}
	use := func(c *auth.Config) { sessions.SessionStore, c.Sessions = c.Sessions, sessions }
	w := newWorld(t, use)
	token := w.token("dr-dupont")
	bearer := []string{"Authorization", "Bearer " + token}
	w.get(program(), "/patients", bearer...) // the feed was read once
	sessions.fail = true
	w.clock.Advance(time.Minute)
	if got := w.get(program(), "/patients", bearer...); got.StatusCode != 200 {
		t.Errorf("who was in got %s", got.Status)
	}
	redirect := w.cfg.RedirectURL
	w.start(func(cfg *auth.Config) { cfg.RedirectURL, cfg.Sessions = redirect, sessions })
	if got := w.get(program(), "/patients", bearer...); got.StatusCode != 503 {
		t.Errorf("a process that never learned which sessions were ended: %s", got.Status)
	}
	sessions.fail = false
	w.clock.Advance(2 * time.Second)
	if got := w.get(program(), "/patients", bearer...); got.StatusCode != 200 {
		t.Errorf("once the store answers: %s", got.Status)
	}
}

func TestSecretsRotate(t *testing.T) {
	newSecret := []byte(strings.Repeat("n", 32))
	w := newWorld(t)
	redirect := w.cfg.RedirectURL
	restart := func(secrets ...[]byte) {
		w.start(func(cfg *auth.Config) { cfg.RedirectURL, cfg.Secrets = redirect, secrets })
	}
	get := func(token string) int {
		return w.get(program(), "/patients", "Authorization", "Bearer "+token).StatusCode
	}
	old := w.token("dr-dupont")
	restart(testSecret, newSecret)
	if got := get(old); got != 200 {
		t.Errorf("first deployment: the old token got %d", got)
	}
	restart(newSecret, testSecret)
	if got := get(old); got != 200 {
		t.Errorf("second deployment: the old token got %d", got)
	}
	restart(newSecret)
	if got := get(old); got != 401 {
		t.Errorf("after the old secret is gone: the old token got %d", got)
	}
}

func TestMovingToAnotherProviderInvalidatesEverything(t *testing.T) {
	w := newWorld(t)
	token := w.token("dr-dupont")
	redirect, client := w.cfg.RedirectURL, "another"
	w.start(func(cfg *auth.Config) { cfg.RedirectURL, cfg.ClientID = redirect, client })
	if got := w.get(program(), "/patients", "Authorization", "Bearer "+token); got.StatusCode != 401 {
		t.Errorf("got %s", got.Status)
	}
}

// A guarded handler streams, sets deadlines and takes the connection over, as it
// would without a guard.
func TestHandlersKeepTheirAbilities(t *testing.T) {
	w := newWorld(t)
	token := w.token("dr-dupont")
	read := make(chan bool)
	mux := http.NewServeMux()
	mux.HandleFunc("/events", func(out http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(out)
		if err := errors.Join(c.SetWriteDeadline(time.Now().Add(time.Minute)), c.SetReadDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		out.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(out, "data: one\n\n")
		if err := c.Flush(); err != nil {
			t.Error(err)
		}
		<-read
		io.WriteString(out, "data: two\n\n")
	})
	mux.HandleFunc("/socket", func(out http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(out).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(buf, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		buf.Flush()
		line, _ := buf.ReadString('\n')
		io.WriteString(buf, "echo "+line)
		buf.Flush()
	})
	app := httptest.NewServer(w.rp.Handler(w.rp.Require(mux)))
	t.Cleanup(app.Close)
	ask := func(path string, headers ...string) *http.Response {
		req, err := http.NewRequest("GET", app.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := ownTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}

	events := bufio.NewReader(ask("/events").Body)
	if line, err := events.ReadString('\n'); line != "data: one\n" {
		t.Errorf("the first event is %q, %v", line, err)
	}
	close(read) // it came before the second was written
	if rest, err := io.ReadAll(events); string(rest) != "\ndata: two\n\n" {
		t.Errorf("then came %q, %v", rest, err)
	}

	socket := ask("/socket", "Connection", "Upgrade", "Upgrade", "websocket")
	if socket.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the socket got %s", socket.Status)
	}
	both := socket.Body.(io.ReadWriteCloser)
	io.WriteString(both, "hello\n")
	if line, err := bufio.NewReader(both).ReadString('\n'); line != "echo hello\n" {
		t.Errorf("the socket says %q, %v", line, err)
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	callback, _ := url.Parse(w.callbackURL(c, "dr-dupont"))
	w.get(c, callback.RequestURI())
	w.get(c, callback.RequestURI())
	session := w.cookie(c, "psc_session")
	w.get(c, "/patients")
	w.do(c, "POST", "/app/auth/logout", "Sec-Fetch-Site", "same-origin")
	w.get(program(), "/app/auth/callback?"+callback.RawQuery)
	w.signIn(w.browser(), "dr-dupont", "other-sub")
	all := w.logs.String()
	if !strings.Contains(all, "signed in") {
		t.Fatalf("the log does not tell of the sign-in: %s", all)
	}
	for name, secret := range map[string]string{
		"state": callback.Query().Get("state"), "code": callback.Query().Get("code"), "session token": session,
		"any JWT": "eyJ", "client secret": "carelink-secret", "RPPS": "99999001011", "name": "DUPONT",
	} {
		if strings.Contains(all, secret) {
			t.Errorf("the log holds the %s: %s", name, all)
		}
	}
}

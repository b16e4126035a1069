package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// Each test here is a hole that was found by attacking, and mended.

// oddSessions is a store with a fault of each kind, to be switched on.
type oddSessions struct {
	auth.SessionStore
	mu         sync.Mutex
	failEnd    bool
	panicFeed  bool
	hangFeed   bool
	hangRecord bool
	shift      time.Duration // of the store's clock
	reads      int
}

func (o *oddSessions) EndSession(ctx ctx, id string, until time.Time) error {
	if o.failEnd {
		return errors.New("the disk is full")
	}
	return o.SessionStore.EndSession(ctx, id, until)
}

func (o *oddSessions) Session(ctx ctx, id string) (auth.SessionRecord, error) {
	if o.hangRecord {
		<-ctx.Done()
		return auth.SessionRecord{}, ctx.Err()
	}
	return o.SessionStore.Session(ctx, id)
}

func (o *oddSessions) EndedSessions(ctx ctx, since time.Time) ([]auth.EndedSession, time.Time, error) {
	o.mu.Lock()
	o.reads++
	o.mu.Unlock()
	switch {
	case o.panicFeed:
		panic("the driver has a bug")
	case o.hangFeed:
		<-ctx.Done()
		return nil, time.Time{}, ctx.Err()
	}
	ended, now, err := o.SessionStore.EndedSessions(ctx, since)
	return ended, now.Add(o.shift), err
}

// odd makes a world whose store is odd.
func odd(t *testing.T) (*world, *oddSessions) {
	o := &oddSessions{}
	w := newWorld(t, func(c *auth.Config) { o.SessionStore, c.Sessions = c.Sessions, o })
	return w, o
}

// again starts another process of w's app, on the store s.
func (w *world) again(s auth.SessionStore) {
	redirect := w.cfg.RedirectURL
	w.start(func(c *auth.Config) { c.RedirectURL, c.Sessions = redirect, s })
}

// direct sends a request past the network, and recovers as net/http does.
func (w *world) direct(r *http.Request) (rec *httptest.ResponseRecorder) {
	rec = httptest.NewRecorder()
	defer func() { recover() }()
	w.rp.Handler(w.app()).ServeHTTP(rec, r)
	return rec
}

func bearer(method, path, token string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestAPanicOfTheStoreDoesNotStopTheFeed(t *testing.T) {
	w, o := odd(t)
	token := w.token("dr-dupont")
	w.direct(bearer("GET", "/patients", token))
	o.panicFeed = true
	w.clock.Advance(10 * time.Second)
	w.direct(bearer("GET", "/patients", token))
	o.panicFeed = false

	first := w.rp
	w.again(o.SessionStore)
	w.direct(bearer("POST", "/app/auth/logout", token)) // in another process
	w.rp = first
	w.clock.Advance(10 * time.Second)
	if rec := w.direct(bearer("GET", "/patients", token)); rec.Code != 401 {
		t.Errorf("a session that was ended elsewhere: got %d", rec.Code)
	}
}

func TestASignOutWhileTheStoreHasNeverAnswered(t *testing.T) {
	w, o := odd(t)
	token := w.token("dr-dupont")
	failing := &failingSessions{SessionStore: o, fail: true}
	w.again(failing)
	out := bearer("POST", "/app/auth/logout", token)
	out.Header.Set("Sec-Fetch-Mode", "navigate")
	if rec := w.direct(out); strings.Contains(rec.Body.String(), "Aucune session") {
		t.Error("the page says that there was no session")
	}
	failing.fail = false
	w.clock.Advance(10 * time.Second)
	if rec := w.direct(bearer("GET", "/patients", token)); rec.Code != 401 {
		t.Errorf("after the sign-out: got %d", rec.Code)
	}
}

func TestASignOutEndsAllThatTheRequestShows(t *testing.T) {
	w := newWorld(t)
	name := w.sessionCookieName()
	one, two := w.token("dr-dupont"), w.token("dr-dupont")
	out := bearer("POST", "/app/auth/logout", one)
	out.Header.Set("Cookie", name+"="+two)
	w.direct(out)
	bad := bearer("POST", "/app/auth/logout", "x")
	three := w.token("dr-dupont")
	bad.Header.Set("Cookie", name+"="+three)
	w.direct(bad)
	for i, token := range []string{one, two, three} {
		if rec := w.direct(bearer("GET", "/patients", token)); rec.Code != 401 {
			t.Errorf("session %d lives on: got %d", i+1, rec.Code)
		}
	}
}

func TestAnEndThatTheStoreMissedIsToldLater(t *testing.T) {
	w, o := odd(t)
	token, other := w.token("dr-dupont"), w.token("dr-martin")
	o.failEnd = true
	w.direct(bearer("POST", "/app/auth/logout", token))
	o.failEnd = false
	w.clock.Advance(10 * time.Second)
	w.direct(bearer("GET", "/patients", other)) // the next reading of the feed tells the store
	w.again(o.SessionStore)
	if rec := w.direct(bearer("GET", "/patients", token)); rec.Code != 401 {
		t.Errorf("another process: got %d", rec.Code)
	}
}

func TestClocksThatMoveReviveNothing(t *testing.T) {
	t.Run("ours leaps ahead and is put right", func(t *testing.T) {
		w, o := odd(t)
		token := w.token("dr-dupont")
		w.direct(bearer("POST", "/app/auth/logout", token))
		o.shift = 5 * time.Minute // the end lies before what is read again anyway
		w.clock.Advance(5 * time.Hour)
		w.direct(bearer("GET", "/patients", w.token("dr-martin")))
		w.clock.Advance(-5 * time.Hour)
		if rec := w.direct(bearer("GET", "/patients", token)); rec.Code != 401 {
			t.Errorf("got %d", rec.Code)
		}
	})
	t.Run("the store's is set back", func(t *testing.T) {
		w, o := odd(t)
		token, idle := w.token("dr-dupont"), w.token("dr-martin")
		o.shift = time.Hour
		w.direct(bearer("GET", "/patients", idle)) // reads the feed, an hour ahead
		o.shift = 0
		first := w.rp
		w.again(o.SessionStore)
		w.direct(bearer("POST", "/app/auth/logout", token))
		w.rp = first
		w.clock.Advance(10 * time.Second)
		if rec := w.direct(bearer("GET", "/patients", token)); rec.Code != 401 {
			t.Errorf("got %d", rec.Code)
		}
	})
}

func TestAStoreThatHangsAtStartDelaysEachRequestOnce(t *testing.T) {
	t.Parallel() // it waits for a time-out of three seconds
	w, o := odd(t)
	token := w.token("dr-dupont")
	o.hangFeed = true
	w.again(o)
	o.reads = 0
	start := time.Now()
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			if rec := w.direct(bearer("GET", "/patients", token)); rec.Code != 503 {
				t.Errorf("got %d", rec.Code)
			}
		})
	}
	group.Wait()
	if o.reads != 1 {
		t.Errorf("five requests asked the store %d times, one after the other, in %v", o.reads, time.Since(start))
	}
}

func TestAStoreThatHangsDoesNotHoldASignOut(t *testing.T) {
	t.Parallel() // it waits for a time-out of three seconds
	w, o := odd(t)
	token := w.token("dr-dupont")
	o.hangRecord = true
	done := make(chan int)
	go func() { done <- w.direct(bearer("POST", "/app/auth/logout", token)).Code }()
	select {
	case code := <-done:
		if code != 200 {
			t.Errorf("got %d", code)
		}
	case <-time.After(20 * time.Second):
		t.Error("no answer")
	}
}

// oddUsers returns a user that was changed on the way.
type oddUsers struct {
	auth.UserStore
	change func(*auth.User)
}

func (o oddUsers) SaveUser(ctx ctx, info psc.UserInfo, at time.Time) (auth.User, bool, error) {
	u, first, err := o.UserStore.SaveUser(ctx, info, at)
	o.change(&u)
	return u, first, err
}

func TestNoTokenIsIssuedThatWouldBeRefused(t *testing.T) {
	many := map[string]string{}
	for i := range 257 {
		many[fmt.Sprint(i)] = ""
	}
	grant := func(g auth.Grant) func(*auth.Config) {
		return func(c *auth.Config) {
			c.Authorize = func(context.Context, auth.SignIn) (auth.Grant, error) { return g, nil }
		}
	}
	user := func(change func(*auth.User)) func(*auth.Config) {
		return func(c *auth.Config) { c.Users = oddUsers{c.Users, change} }
	}
	for _, tt := range []struct {
		name   string
		change func(*auth.Config)
	}{
		{"a role with a NUL", grant(auth.Grant{Roles: []string{"a\x00b"}})},
		{"257 claims", grant(auth.Grant{Claims: many})},
		{"claims beyond a cookie's size", grant(auth.Grant{Claims: map[string]string{"x": strings.Repeat("y", 4000)}})},
		{"a user without a national identifier", user(func(u *auth.User) { u.NationalID = "" })},
		{"a user of another national identifier", user(func(u *auth.User) { u.NationalID = "899999001029" })},
		{"a user without an id", user(func(u *auth.User) { u.ID = "" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.change)
			c := w.browser()
			if got := w.signIn(c, "dr-dupont"); got.StatusCode != 503 || w.cookie(c, "psc_session") != "" || w.calls("/token") != 1 {
				t.Errorf("got %s after %d exchanges", got.Status, w.calls("/token"))
			}
		})
	}
}

func TestStepUpNeedsAuthTime(t *testing.T) {
	h := newHostile(t)
	h.claims["auth_time"] = nil
	h.loginQuery = "&max_age=300"
	if rec, in := h.signIn(); in || rec.Code != 401 {
		t.Errorf("without auth_time: got %d, session %v", rec.Code, in)
	}
	h.claims["auth_time"] = h.clock.Now().Add(-10 * time.Minute).Unix()
	if rec, in := h.signIn(); in || rec.Code != 401 {
		t.Errorf("identified ten minutes ago: got %d, session %v", rec.Code, in)
	}
	h.claims["auth_time"] = h.clock.Now().Unix()
	if rec, in := h.signIn(); !in {
		t.Errorf("identified now: got %d", rec.Code)
	}
}

func TestASlowPSCDelaysOnlyTheOneWhoAsks(t *testing.T) {
	h := newHostile(t)
	h.signIn()
	asked, release := make(chan bool, 8), make(chan bool)
	h.answers["wallet-openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
		asked <- true
		<-release
		w.WriteHeader(503)
	}
	h.clock.Advance(2 * time.Hour)
	first := make(chan bool)
	login := func() int {
		rec := httptest.NewRecorder()
		h.rp.ServeHTTP(rec, httptest.NewRequest("GET", "/auth/login", nil))
		return rec.Code
	}
	go func() { login(); close(first) }()
	<-asked
	second := make(chan int, 1)
	go func() { second <- login() }() // while the first one waits
	select {
	case code := <-second:
		if code != 303 {
			t.Errorf("the second sign-in got %d", code)
		}
	case <-time.After(3 * time.Second): // before the first one gives up
		t.Error("the second sign-in waits for the first")
	}
	close(release)
	<-first
}

func TestJunkCookiesCostLittle(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.get(stay(c), "/app/auth/login")
	u, _ := url.Parse(w.url)
	prefix := c.Jar.Cookies(u)[0].Name[:len("psc_pending-00000000-")]
	var junk strings.Builder
	for i := range 2900 {
		fmt.Fprintf(&junk, "%s%d=x; ", prefix, i)
	}
	for _, path := range []string{"/app/auth/login", "/app/auth/callback?code=x&state=" + strings.Repeat("A", 43)} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Cookie", junk.String())
		if n := len(w.direct(r).Result().Cookies()); n > 25 {
			t.Errorf("%.20s: %d cookies came back", path, n)
		}
	}
}

func TestPendingSignInsStayBelowAProxysLimit(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	for range 6 {
		w.clock.Advance(time.Second)
		w.get(stay(c), "/app/auth/login?return_to=/"+strings.Repeat("a", 1500))
	}
	u, _ := url.Parse(w.url)
	size := 0
	for _, k := range c.Jar.Cookies(u) {
		size += len(k.Name) + len(k.Value) + 3
	}
	if size > 6<<10 {
		t.Errorf("the Cookie header has %d bytes", size)
	}
	if got := w.signIn(c, "dr-dupont"); got.StatusCode != 200 {
		t.Errorf("the next sign-in got %s", got.Status)
	}
}

func TestASubresourceCarriesNoRenewedCookie(t *testing.T) {
	w := newWorld(t)
	name, token := w.sessionCookieName(), w.token("dr-dupont")
	w.clock.Advance(10 * time.Minute)
	for dest, renewed := range map[string]bool{"": true, "document": true, "empty": true, "style": false, "image": false, "script": false} {
		r := httptest.NewRequest("GET", "/patients", nil)
		r.Header.Set("Cookie", name+"="+token)
		if dest != "" {
			r.Header.Set("Sec-Fetch-Dest", dest)
		}
		if got := len(w.direct(r).Result().Cookies()) > 0; got != renewed {
			t.Errorf("Sec-Fetch-Dest %q: renewed %v, want %v", dest, got, renewed)
		}
	}
}

func TestAFragmentHidesNoPathOfOurs(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{"/app/auth/logout#x", "/app/auth/login#x", "/#%"} {
		c := w.browser()
		callback := w.callbackFrom(c, "/app/auth/login?return_to="+url.QueryEscape(target), "dr-dupont")
		if got := w.get(stay(c), strings.TrimPrefix(callback, w.url)); got.Header.Get("Location") != "/" {
			t.Errorf("%s: sent to %q", target, got.Header.Get("Location"))
		}
	}
}

func TestAReplayAfterTheSignOutTellsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	callback, _ := url.Parse(w.callbackURL(c, "dr-dupont"))
	replay := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", callback.RequestURI(), nil)
		r.Header.Set("Accept", "application/json")
		for _, k := range c.Jar.Cookies(callback) {
			r.AddCookie(k)
		}
		return w.direct(r)
	}
	first := replay()
	token := decode[programAnswer](t, first.Body.String()).AccessToken
	w.direct(bearer("POST", "/app/auth/logout", token))
	if rec := replay(); rec.Code != 400 || strings.Contains(rec.Body.String(), "DUPONT") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

func TestAHandlerCannotChangeTheSession(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) {
		c.Authorize = func(context.Context, auth.SignIn) (auth.Grant, error) {
			return auth.Grant{Roles: []string{"reader"}, Claims: map[string]string{"k": "v"}}, nil
		}
	})
	token := w.token("dr-dupont")
	inner := w.rp.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("an invented role passed") }), auth.HasRole("admin"))
	outer := w.rp.Require(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		s.Roles[0], s.Claims["k"] = "admin", "changed"
		if s, _ := auth.SessionFromContext(r.Context()); s.Roles[0] != "reader" || s.Claims["k"] != "v" {
			t.Errorf("got %v %v", s.Roles, s.Claims)
		}
		inner.ServeHTTP(out, r)
	}))
	rec := httptest.NewRecorder()
	outer.ServeHTTP(rec, bearer("GET", "/", token))
	if rec.Code != 403 {
		t.Errorf("got %d", rec.Code)
	}
}

func TestTwoRelyingPartiesInOneApp(t *testing.T) {
	w := newWorld(t)
	a, tokenA := w.rp, w.token("dr-dupont")
	w.start()
	b, tokenB := w.rp, w.token("dr-martin")
	who := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		fmt.Fprint(out, s.LastName)
	})
	h := a.Handler(b.Handler(a.Require(who)))
	for token, want := range map[string]string{tokenA: "200 DUPONT", tokenB: "401 "} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, bearer("GET", "/", token))
		if got := fmt.Sprint(rec.Code, " ", rec.Body); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAnErrorOfTheNetworkIsCutShort(t *testing.T) {
	h := newHostile(t)
	h.answers["token"] = func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, _ := http.NewResponseController(w).Hijack()
		fmt.Fprintf(buf, "HTTP/1.1 %s\r\n\r\n", strings.Repeat("x", 3000))
		buf.Flush()
		conn.Close()
	}
	logs := &logs{}
	h.restart(func(c *auth.Config) { c.Logger = textLogger(logs) })
	if rec, in := h.signIn(); in || rec.Code != 503 {
		t.Fatalf("got %d", rec.Code)
	}
	if n := len(logs.String()); n == 0 || n > 1200 {
		t.Errorf("%d bytes were logged", n)
	}
}

func TestTheLanguageOfAPage(t *testing.T) {
	w := newWorld(t)
	for accept, english := range map[string]bool{
		"": false, "fr": false, "de": false, "fr-FR,en;q=0.5": false, "en;q=0, fr": false, "*": false,
		"en": true, "en-GB,fr;q=0.5": true, "fr;q=0.3, en;q=0.8": true, "de, en;q=0.1": true,
	} {
		r := httptest.NewRequest("GET", "/app/auth/signed-out", nil)
		r.Header.Set("Accept-Language", accept)
		if got := strings.Contains(w.direct(r).Body.String(), "You are signed out"); got != english {
			t.Errorf("%q: English %v, want %v", accept, got, english)
		}
	}
}

// An ID token may be longer than an address that servers take: PSC would answer
// 414 or 431, and keep its session.
func TestASignOutWithALongIDToken(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int // of a claim that nobody asked for
		hint bool
	}{
		{"an ordinary one is the hint", 0, true},
		{"one that makes the address too long is left out", 8000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			h.claims["x"] = strings.Repeat("x", tt.size)
			rec, in := h.signIn()
			if !in {
				t.Fatalf("got %d", rec.Code)
			}
			bye := h.signOut(rec)
			address := fmt.Sprint(members(bye.Body.Bytes())["logout_url"])
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			if q.Has("id_token_hint") != tt.hint || len(address) > 8000 || q.Get("client_id") != "client" || q.Get("post_logout_redirect_uri") == "" || q.Get("state") == "" {
				t.Errorf("leads to %d bytes with %d parameters, hint %v", len(address), len(q), q.Has("id_token_hint"))
			}
		})
	}
}

// Every door that redirects, or makes a link, is offered a way out under every
// name that such a parameter has somewhere.
func TestNoDoorLeadsElsewhere(t *testing.T) {
	h := newHostile(t)
	for _, target := range []string{"//evil.example/x", `/\evil.example`, "https://evil.example/x", "/x/..//evil.example", "/\t/evil.example", "javascript:evil.example"} {
		rec, in := h.signIn()
		if !in {
			t.Fatal("the honest sign-in was refused")
		}
		session := rec.Result().Cookies()
		query := url.Values{}
		for _, name := range []string{"return_to", "next", "redirect", "redirect_uri", "post_logout_redirect_uri", "target_link_uri", "url"} {
			query.Set(name, target)
		}
		for _, door := range []struct{ method, path, state string }{
			{"GET", "/auth/login", ""}, {"GET", "/auth/callback", ""}, {"GET", "/auth/callback", strings.Repeat("A", 43)}, {"GET", "/auth/callback", "no-state"},
			{"GET", "/auth/logout", ""}, {"GET", "/auth/signed-out", "x"}, {"GET", "/auth/session", ""}, {"POST", "/auth/session", ""}, {"POST", "/auth/logout", ""},
		} {
			query.Del("state")
			if door.state != "" {
				query.Set("state", door.state)
				query.Set("code", "c")
			}
			for _, signedIn := range []bool{false, true} {
				r := navigation(door.path + "?" + query.Encode())
				r.Method = door.method
				if signedIn {
					for _, c := range session {
						r.AddCookie(c)
					}
				}
				rec := httptest.NewRecorder()
				h.rp.ServeHTTP(rec, r)
				to := rec.Header().Get("Location")
				if strings.Contains(to, "evil") || strings.Contains(rec.Body.String(), "evil") {
					t.Errorf("%s %s, signed in %v, with %q: %d to %q %s", door.method, door.path, signedIn, target, rec.Code, to, rec.Body)
				}
				if to != "" && browserOrigin(to) != "https://app.example" && !strings.HasPrefix(to, h.cfg.Provider.Issuer+"/auth?") {
					t.Errorf("%s %s: sent to %q", door.method, door.path, to)
				}
			}
		}
		// The page of a sign-in that failed leads to a second try, and on from there.
		h.claims["acr"] = "eidas0"
		login := httptest.NewRecorder()
		h.rp.ServeHTTP(login, navigation("/auth/login?return_to="+url.QueryEscape(target)))
		to, _ := url.Parse(login.Header().Get("Location"))
		h.nonce = to.Query().Get("nonce")
		r := navigation("/auth/callback?code=c&state=" + to.Query().Get("state"))
		r.AddCookie(login.Result().Cookies()[0])
		failed, _ := h.end(r)
		if failed.Code != 401 || strings.Contains(failed.Body.String(), "evil") || !strings.Contains(failed.Body.String(), `href="/auth/login?return_to=%2F"`) {
			t.Errorf("%q: the page of a failure is %d %s", target, failed.Code, failed.Body)
		}
		delete(h.claims, "acr")
	}
}

// A rotation while many sign in: the set is read once for all of them, and in the
// ten seconds after a reading that did not help nobody waits for another.
func TestManyUnknownKeysAtOnceCauseOneReading(t *testing.T) {
	h := newHostile(t)
	if _, in := h.signIn(); !in {
		t.Fatal("the honest sign-in was refused")
	}
	h.header["kid"] = "invented"
	served := make(chan bool, 64)
	h.answers["certs"] = func(w http.ResponseWriter, _ *http.Request) {
		served <- true
		time.Sleep(50 * time.Millisecond) // while the others come
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, h.keys)
	}
	var callbacks []*http.Request
	for range 20 {
		login, state := h.begin()
		r := navigation("/auth/callback?code=c&state=" + state)
		r.AddCookie(login.Result().Cookies()[0])
		callbacks = append(callbacks, r)
	}
	var all sync.WaitGroup
	for _, r := range callbacks {
		all.Go(func() {
			rec := httptest.NewRecorder()
			h.rp.ServeHTTP(rec, r)
			if rec.Code != 401 {
				t.Errorf("got %d", rec.Code)
			}
		})
	}
	all.Wait()
	if n := len(served); n != 1 {
		t.Errorf("twenty sign-ins with an unknown key read the set %d times", n)
	}
}

// Claims that point to other documents are not followed (OIDC Core 5.6.2), and
// what they would say counts for nothing.
func TestClaimsOfOthersAreIgnored(t *testing.T) {
	h := newHostile(t)
	elsewhere := h.server.URL + "/evil"
	h.userinfo = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT",
		"_claim_names":{"SubjectNameID":"a","email":"b"},"_claim_sources":{"a":{"JWT":"eyJhbGciOiJub25lIn0.eyJTdWJqZWN0TmFtZUlEIjoiODk5OTk5MDAxMDI5In0."},"b":{"endpoint":"` + elsewhere + `"}}}`
	if rec, in := h.signIn(); !in {
		t.Fatalf("got %d", rec.Code)
	}
	if h.count("evil") != 0 || h.users.last.NationalID != "899999001011" || h.users.last.Email != "" {
		t.Errorf("%d calls elsewhere, signed in %s %q", h.count("evil"), h.users.last.NationalID, h.users.last.Email)
	}
}

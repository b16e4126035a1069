package auth_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

func TestAPersonSignsInAndComesBackToThePage(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	got := w.read(w.psc.SignIn(c, w.url+"/patients?q=a%20b", "dr-dupont"))
	if want := "Dr Jean DUPONT 99999001011 at /patients?q=a%20b"; got.StatusCode != 200 || got.Text != want {
		t.Fatalf("got %s %q, want %q", got.Status, got.Text, want)
	}
	if w.isFirst("899999001011") {
		t.Error("the person has no user row")
	}
	if got := w.get(c, "/"); !strings.HasPrefix(got.Text, "Dr Jean DUPONT") {
		t.Errorf("a page without Require got %q", got.Text)
	}
	if name := w.cookie(c, "psc_pending"); name != "" {
		t.Error("the pending cookie outlived the sign-in")
	}
}

func TestACardUserComesBackWithAHigherLevel(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	if got := w.signIn(c, "inf-benali"); got.StatusCode != 200 {
		t.Fatalf("got %s %s", got.Status, got.Text)
	}
	if got := w.get(c, "/app/auth/session", "Accept", "application/json"); !strings.Contains(got.Text, `"acr":"eidas2"`) {
		t.Errorf("got %s", got.Text)
	}
}

func TestTheSessionCookie(t *testing.T) {
	for _, tt := range []struct{ name, scheme, want string }{
		{"on https", "https", "__Host-psc_session-"},
		{"on http, which only loopback may be", "http", "psc_session-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.start(func(c *auth.Config) { c.RedirectURL = tt.scheme + "://localhost/app/auth/callback" })
			direct := func(target string) *http.Response {
				rec := httptest.NewRecorder()
				r := httptest.NewRequest("GET", target, nil)
				r.Header.Set("Sec-Fetch-Mode", "navigate")
				w.rp.ServeHTTP(rec, r)
				return rec.Result()
			}
			resp := direct("/app/auth/login?return_to=/patients")
			if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
				t.Fatalf("got %s and %d cookies, want 303 and one", resp.Status, len(resp.Cookies()))
			}
			for _, c := range resp.Cookies() {
				if !strings.HasPrefix(c.Name, strings.Replace(tt.want, "session", "pending", 1)) ||
					c.Secure != (tt.scheme == "https") || !c.HttpOnly || c.Path != "/" || c.Domain != "" ||
					c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
					t.Errorf("got %s", c)
				}
			}
		})
	}
}

func TestTheAuthorizationRequest(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 3 {
		resp := w.get(stay(w.browser()), "/app/auth/login?return_to=/x&scope=evil&state=mine&nonce=mine&redirect_uri=https://evil.example&prompt=none&ui_locales=en&request=x&response_mode=fragment&foo=bar&max_age=300&login_hint=dr-dupont")
		u, err := url.Parse(resp.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for name, want := range map[string]string{
			"response_type": "code", "client_id": "carelink", "redirect_uri": w.cfg.RedirectURL,
			"scope": "openid scope_all", "acr_values": "eidas1", "code_challenge_method": "S256",
			"login_hint": "dr-dupont", "max_age": "300", "prompt": "",
		} {
			if got := q.Get(name); got != want || len(q[name]) > 1 {
				t.Errorf("%s: got %q, want %q", name, q[name], want)
			}
		}
		if got := strings.Join(slices.Sorted(maps.Keys(q)), " "); got != "acr_values client_id code_challenge code_challenge_method login_hint max_age nonce redirect_uri response_type scope state" {
			t.Errorf("PSC is sent %s", got)
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			v := q.Get(name)
			if len(v) != 43 || seen[v] {
				t.Errorf("%s: got %q, want 256 bits never seen before", name, v)
			}
			seen[v] = true
		}
	}
}

func TestAProgramGetsTheTokenAndNoCookie(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) {
		c.Authorize = func(_ context.Context, in auth.SignIn) (auth.Grant, error) {
			return auth.Grant{Roles: []string{"clinician"}, TenantID: "tilleuls", Claims: map[string]string{"desk": "4"}}, nil
		}
	})
	c := w.browser()
	callback := w.callbackURL(c, "dr-dupont")
	got := w.get(stay(c), strings.TrimPrefix(callback, w.url), "Accept", "application/json", "Sec-Fetch-Mode", "cors")
	if got.StatusCode != 200 || got.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %s %v: %s", got.Status, got.Header, got.Text)
	}
	a := decode[programAnswer](t, got.Text)
	if a.TokenType != "Bearer" || a.ExpiresIn != 1800 || *a.User.RPPS != "99999001011" || a.User.NationalID != "899999001011" ||
		a.User.FirstName != "Jean" || a.User.LastName != "DUPONT" || a.User.Email != nil ||
		a.User.Profession.Code != "10" || a.User.Profession.Label != "Médecin" ||
		a.User.Roles[0] != "clinician" || *a.User.TenantID != "tilleuls" || !a.User.First {
		t.Errorf("got %s", got.Text)
	}
	if w.cookie(c, "psc_session") != "" {
		t.Error("a program got a session cookie as well")
	}
	if got := w.get(program(), "/patients", "Authorization", "bearer "+a.AccessToken); got.StatusCode != 200 {
		t.Errorf("the bearer got %s", got.Status)
	}

	renewed := decode[programAnswer](t, w.do(program(), "POST", "/app/auth/session", "Authorization", "Bearer "+a.AccessToken).Text)
	if renewed.AccessToken == "" || renewed.AccessToken == a.AccessToken {
		t.Error("POST session did not renew the bearer")
	}
	out := w.do(program(), "POST", "/app/auth/logout", "Authorization", "Bearer "+a.AccessToken)
	if out.StatusCode != 200 || !strings.Contains(out.Text, "id_token_hint=") {
		t.Errorf("logout got %s %s", out.Status, out.Text)
	}
	for name, token := range map[string]string{"the first token": a.AccessToken, "the renewed one": renewed.AccessToken} {
		if got := w.get(program(), "/patients", "Authorization", "Bearer "+token); got.StatusCode != 401 {
			t.Errorf("%s after the sign-out got %s", name, got.Status)
		}
	}
}

func TestANavigationNeverGetsTheToken(t *testing.T) {
	w := newWorld(t)
	for _, headers := range [][]string{
		{"Accept", "application/json", "Sec-Fetch-Mode", "navigate"},
		{"Accept", "text/html,application/json", "Sec-Fetch-Mode", "cors"},
		{"Accept", "application/json, text/plain", "Sec-Fetch-Mode", "cors"},
	} {
		c := w.browser()
		callback := w.callbackURL(c, "dr-dupont")
		got := w.get(stay(c), strings.TrimPrefix(callback, w.url), headers...)
		if strings.Contains(got.Text, "access_token") || got.StatusCode != 303 {
			t.Errorf("%v got %s %s", headers, got.Status, got.Text)
		}
	}
}

// The order of the callback: who is in stays in, who did not begin here learns
// it, who waited too long begins again.
func TestTheOrderOfTheCallback(t *testing.T) {
	state43 := strings.Repeat("A", 43)
	for _, tt := range []struct {
		name    string
		query   string // STATE and CODE are those of a pending sign-in
		pending bool   // its cookie is there
		other   bool   // the cookie of another pending sign-in is there
		in      bool   // the browser has a session
		later   time.Duration
		status  int
		to      string // where a 303 leads
	}{
		{"an honest answer", "state=STATE&code=CODE&iss=ISS", true, false, false, 0, 303, "/patients?x=1"},
		{"an honest answer with another sign-in pending", "state=STATE&code=CODE&iss=ISS", true, true, false, 0, 303, "/patients?x=1"},
		{"an honest answer in a browser that has a session", "state=STATE&code=CODE&iss=ISS", true, false, true, 0, 303, "/patients?x=1"},
		{"an honest answer with a parameter nobody knows", "state=STATE&code=CODE&iss=ISS&foo=bar", true, false, false, 0, 303, "/patients?x=1"},
		{"after nine minutes", "state=STATE&code=CODE&iss=ISS", true, false, false, 9 * time.Minute, 401, ""}, // the code is too old

		{"no cookie, session there", "state=STATE&code=CODE&iss=ISS", false, false, true, 0, 303, "/"},
		{"no parameters, session there", "", false, false, true, 0, 303, "/"},

		{"no parameters", "", true, false, false, 0, 400, ""},
		{"no state", "code=CODE&iss=ISS", true, false, false, 0, 400, ""},
		{"an empty state", "state=&code=CODE&iss=ISS", true, false, false, 0, 400, ""},
		{"state in capitals", "STATE=STATE&code=CODE&iss=ISS", true, false, false, 0, 400, ""},
		{"state twice, the same", "state=STATE&state=STATE&code=CODE&iss=ISS", true, false, false, 0, 400, ""},
		{"state twice, one evil", "state=STATE&state=evil&code=CODE&iss=ISS", true, false, false, 0, 400, ""},
		{"code twice", "state=STATE&code=CODE&code=x&iss=ISS", true, false, false, 0, 400, ""},
		{"iss twice", "state=STATE&code=CODE&iss=ISS&iss=ISS", true, false, false, 0, 400, ""},
		{"a state with a blank", "state=STATE%20&code=CODE&iss=ISS", true, false, false, 0, 400, ""},
		{"a state with a NUL", "state=STATE%00&code=CODE&iss=ISS", true, false, false, 0, 400, ""},
		{"a state that is JSON", `state={"r":"/"}&code=CODE&iss=ISS`, true, false, false, 0, 400, ""},
		{"a state of a megabyte", "state=" + strings.Repeat("A", 1<<20-200) + "&code=CODE", true, false, false, 0, 400, ""},
		{"a malformed escape", "state=STATE&code=%zz", true, false, false, 0, 400, ""},
		{"a semicolon", "state=STATE;code=CODE", true, false, false, 0, 400, ""},
		{"twenty thousand parameters", strings.Repeat("a&", 20_000), true, false, false, 0, 400, ""},
		{"neither code nor error", "state=STATE&iss=ISS", true, false, false, 0, 400, ""},
		{"an ID token in the query", "state=STATE&code=CODE&iss=ISS&id_token=x", true, false, false, 0, 400, ""},
		{"an access token in the query", "state=STATE&code=CODE&iss=ISS&access_token=x", true, false, false, 0, 400, ""},
		{"another browser's state while one is pending", "state=" + state43 + "&code=CODE&iss=ISS", true, false, false, 0, 400, ""},

		{"another issuer", "state=STATE&code=CODE&iss=https%3A%2F%2Fevil.example", true, false, false, 0, 400, ""},
		{"an empty issuer", "state=STATE&code=CODE&iss=", true, false, false, 0, 400, ""},
		{"no issuer although it was announced", "state=STATE&code=CODE", true, false, false, 0, 400, ""},

		{"the person cancelled", "state=STATE&error=access_denied&iss=ISS", true, false, false, 0, 400, ""},
		{"an error with a script", "state=STATE&iss=ISS&error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%3Cb%3E", true, false, false, 0, 400, ""},
		{"an error and a code", "state=STATE&iss=ISS&error=access_denied&code=CODE", true, false, false, 0, 400, ""},
		{"an error without state", "error=access_denied", true, false, false, 0, 400, ""},
		{"an error of a line end", "state=STATE&iss=ISS&error=x%0d%0alevel=ERROR", true, false, false, 0, 400, ""},

		{"no cookie at all", "state=STATE&code=CODE&iss=ISS", false, false, false, 0, 303, "/app/auth/login?return_to=%2F"},
		{"after eleven minutes", "state=STATE&code=CODE&iss=ISS", true, false, false, 11 * time.Minute, 303, "/app/auth/login?return_to=%2F"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.browser()
			if tt.in {
				w.signIn(c, "dr-martin")
			}
			if tt.other {
				w.get(stay(c), "/app/auth/login?return_to=/other")
			}
			began := c
			if !tt.pending {
				began = w.browser()
			}
			u, _ := url.Parse(w.callbackFrom(began, "/app/auth/login?return_to=/patients%3Fx=1", "dr-dupont"))
			q := u.Query()
			issuer := url.QueryEscape(q.Get("iss"))
			query := strings.NewReplacer("=STATE", "="+q.Get("state"), "CODE", q.Get("code"), "ISS", issuer).Replace(tt.query)
			w.clock.Advance(tt.later)
			before := w.calls("/token")
			got := w.get(stay(c), "/app/auth/callback?"+query)

			if got.StatusCode != tt.status || got.Header.Get("Location") != tt.to {
				t.Fatalf("got %s to %q, want %d to %q\n%s", got.Status, got.Header.Get("Location"), tt.status, tt.to, got.Text)
			}
			if got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control: %q", got.Header.Get("Cache-Control"))
			}
			if honest := tt.to == "/patients?x=1"; honest {
				return
			}
			if !tt.in && w.cookie(c, "psc_session") != "" {
				t.Error("a session was opened")
			}
			if tt.status != 401 && w.calls("/token") != before {
				t.Error("the code was sent to PSC")
			}
			if tt.status >= 400 {
				if w.cookie(c, "psc_pending") != "" {
					t.Error("the pending cookie was left")
				}
				if !referenceForm.MatchString(got.Text) || strings.Contains(got.Text, "<script>alert") || strings.Contains(got.Text, "<b>") {
					t.Errorf("got the page %s", got.Text)
				}
				if csp := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
					t.Errorf("CSP %q", csp)
				}
				if strings.Contains(w.logs.String(), "\nlevel=ERROR") || strings.Contains(w.logs.String(), q.Get("code")) {
					t.Errorf("log: %s", w.logs)
				}
				reference := referenceForm.FindString(got.Text)
				if !strings.Contains(w.logs.String(), reference) {
					t.Errorf("the reference %s is not in the log", reference)
				}
			}
		})
	}
}

func TestOtherMethodsAndPathsAreNoCallback(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	callback := strings.TrimPrefix(w.callbackURL(c, "dr-dupont"), w.url)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"POST", callback, 405},
		{"HEAD", callback, 405},
		{"PUT", callback, 405},
		{"DELETE", callback, 405},
		{"OPTIONS", callback, 405},
		{"GET", strings.Replace(callback, "callback", "callback/", 1), 404},
		{"GET", strings.Replace(callback, "callback", "CALLBACK", 1), 404},
		{"GET", strings.Replace(callback, "callback", "callback;x=1", 1), 404},
	} {
		req, _ := http.NewRequest(tt.method, w.url+tt.path, nil)
		rec := httptest.NewRecorder()
		w.rp.ServeHTTP(rec, req)
		if rec.Code != tt.want || len(rec.Result().Cookies()) != 0 {
			t.Errorf("%s %.40s got %d and %d cookies, want %d and none", tt.method, tt.path, rec.Code, len(rec.Result().Cookies()), tt.want)
		}
	}
	if n := w.calls("/token"); n != 0 {
		t.Errorf("PSC was called %d times", n)
	}
}

func TestReloadAndBackButtonAfterASignIn(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	callback := strings.TrimPrefix(w.callbackURL(c, "dr-dupont"), w.url)
	for i, name := range []string{"first visit", "reload", "back button"} {
		if got := w.get(c, callback); got.StatusCode != 200 || got.Request.URL.RequestURI() != "/patients?x=1" {
			t.Errorf("%s ended with %s at %s", name, got.Status, got.Request.URL)
		}
		if n := w.calls("/token"); n != 1 {
			t.Errorf("after visit %d: %d exchanges, want 1", i+1, n)
		}
	}
}

func TestADoubleClickExchangesOnce(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	callback := strings.TrimPrefix(w.callbackURL(c, "dr-dupont"), w.url)
	u, _ := url.Parse(w.url)
	var cookies []string
	for _, k := range c.Jar.Cookies(u) {
		cookies = append(cookies, k.String())
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got := w.get(stay(&http.Client{Transport: navigating{}}), callback, "Cookie", strings.Join(cookies, "; "))
			if got.StatusCode != 303 || got.Header.Get("Location") != "/patients?x=1" {
				t.Errorf("got %s to %q", got.Status, got.Header.Get("Location"))
			}
			if len(got.Cookies()) == 0 {
				t.Error("no cookie: whichever answer the browser keeps must sign it in")
			}
		})
	}
	group.Wait()
	if n := w.calls("/token"); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
	// A minute later the same request is a replay.
	w.clock.Advance(2 * time.Minute)
	got := w.get(stay(&http.Client{Transport: navigating{}}), callback, "Cookie", strings.Join(cookies, "; "))
	if got.StatusCode != 400 || w.calls("/token") != 1 {
		t.Errorf("the replay got %s to %q", got.Status, got.Header.Get("Location"))
	}
}

func TestAStateIsSpentByAFailure(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	u, _ := url.Parse(w.callbackURL(c, "dr-dupont"))
	good := u.RequestURI()
	q := u.Query()
	q.Set("code", "wrong")
	origin, _ := url.Parse(w.url)
	var cookies []string
	for _, k := range c.Jar.Cookies(origin) {
		cookies = append(cookies, k.String())
	}
	replay := &http.Client{Transport: navigating{}}
	if got := w.get(stay(replay), "/app/auth/callback?"+q.Encode(), "Cookie", strings.Join(cookies, "; ")); got.StatusCode != 401 {
		t.Fatalf("a wrong code got %s", got.Status)
	}
	if got := w.get(stay(replay), good, "Cookie", strings.Join(cookies, "; ")); got.StatusCode != 401 || w.calls("/token") != 1 {
		t.Errorf("the good code after it got %s, and %d exchanges", got.Status, w.calls("/token"))
	}
}

func TestTwoTabs(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	one := w.callbackURL(c, "dr-dupont")
	two := w.callbackURL(c, "dr-dupont")
	for _, callback := range []string{two, one} {
		if got := w.get(c, strings.TrimPrefix(callback, w.url)); got.StatusCode != 200 || got.Request.URL.RequestURI() != "/patients?x=1" {
			t.Errorf("got %s at %s", got.Status, got.Request.URL)
		}
	}
}

func TestAtMostFiveSignInsArePending(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	u, _ := url.Parse(w.url)
	var states []string
	for range 8 {
		w.clock.Advance(time.Second)
		resp := w.get(stay(c), "/app/auth/login?return_to=/x")
		to, _ := url.Parse(resp.Header.Get("Location"))
		states = append(states, to.Query().Get("state"))
	}
	if n := len(c.Jar.Cookies(u)); n != 5 {
		t.Errorf("%d cookies, want 5", n)
	}
	for i, state := range states {
		got := w.get(stay(c), "/app/auth/callback?error=access_denied&iss="+url.QueryEscape(w.cfg.Provider.Issuer)+"&state="+state)
		if known := strings.Contains(got.Text, "Connexion annulée"); known != (i >= 3) {
			t.Errorf("sign-in %d: known %v", i, known)
		}
		if i < 3 { // an unknown state clears the rest: begin again for the next row
			c = w.browser()
			for j := range states[3:] {
				resp := w.get(stay(c), "/app/auth/login?return_to=/x")
				to, _ := url.Parse(resp.Header.Get("Location"))
				states[3+j] = to.Query().Get("state")
			}
		}
	}
}

func TestABrowserWithoutCookiesMeetsAnExplanation(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	callback := strings.TrimPrefix(w.callbackURL(w.browser(), "dr-dupont"), w.url)
	for i := range 3 {
		if got := w.get(stay(c), callback); got.StatusCode != 303 {
			t.Fatalf("restart %d got %s", i+1, got.Status)
		}
	}
	if got := w.get(stay(c), callback); got.StatusCode != 400 || !strings.Contains(got.Text, "ne garde pas nos cookies") {
		t.Errorf("the fourth got %s\n%s", got.Status, got.Text)
	}
	w.clock.Advance(11 * time.Minute)
	if got := w.get(stay(c), callback); got.StatusCode != 303 {
		t.Errorf("ten minutes later got %s", got.Status)
	}
}

func TestReturnTo(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ in, want string }{
		{"/", "/"},
		{"/patients", "/patients"},
		{"/patients/", "/patients/"},
		{"/a%20b", "/a%20b"},
		{"/a#frag", "/a#frag"},
		{"/a#b//c/../d", "/a#b//c/../d"}, // which http.Redirect would rewrite
		{"/d?u=https%3A%2F%2Fexample.org", "/d?u=https%3A%2F%2Fexample.org"},
		{"/d?q=1&q=2", "/d?q=1&q=2"},
		{"/@x;y", "/@x;y"},

		{"", "/"},
		{"//evil.com", "/"},
		{"///evil.com", "/"},
		{"/\\evil.com", "/"},
		{"\\/evil.com", "/"},
		{"/\t/evil.com", "/"},
		{"/\n/evil.com", "/"},
		{"/ /evil.com", "/"},
		{"/.//evil.com", "/"},
		{"/x/..//evil.com", "/"},
		{"/x/../\\evil.com", "/"},
		{"/./\\evil.com", "/"},
		{"/%2f/evil.com", "/"},
		{"/%2fevil.com", "/"},
		{"/%5cevil.com", "/"},
		{"/%09/evil.com", "/"},
		{"/.%2e//evil.com", "/"},
		{"/ok%0d%0aSet-Cookie:%20a=b", "/"},
		{"https://evil.com", "/"},
		{"https:evil.com", "/"},
		{"https:/evil.com", "/"},
		{"javascript:alert(1)", "/"},
		{"data:text/html,x", "/"},
		{"evil.com/x", "/"},
		{"?next=//evil.com", "/"},
		{"#//evil.com", "/"},
		{"../admin", "/"},
		{"/%zz", "/"},
		{"/\x00", "/"},
		{"/é", "/"},
		{"/／evil.com", "/"},
		{"/" + strings.Repeat("a", 8200), "/"},
		{"/app/auth/login?return_to=/app/auth/login", "/"},
		{"/app/auth/logout", "/"},
	} {
		t.Run(tt.in[:min(len(tt.in), 30)], func(t *testing.T) {
			c := w.browser()
			callback := w.callbackFrom(c, "/app/auth/login?return_to="+url.QueryEscape(tt.in), "dr-dupont")
			got := w.get(stay(c), strings.TrimPrefix(callback, w.url))
			if loc := got.Header.Get("Location"); got.StatusCode != 303 || loc != tt.want {
				t.Errorf("got %s to %q, want %q", got.Status, loc, tt.want)
			}
		})
	}
	if got := w.rp.LoginURL("//evil.com"); got != "/app/auth/login?return_to=%2F" {
		t.Errorf("LoginURL: %s", got)
	}
}

func TestALongReturnPathSurvives(t *testing.T) {
	w := newWorld(t)
	path := "/patients?q=" + strings.Repeat("a", 1200)
	if got := w.read(w.psc.SignIn(w.browser(), w.url+path, "dr-dupont")); got.Request.URL.RequestURI() != path {
		t.Errorf("ended at %.60s", got.Request.URL.RequestURI())
	}
	// Too long for a cookie: the sign-in works and ends at home.
	path = "/patients?q=" + strings.Repeat("a", 2030)
	if got := w.read(w.psc.SignIn(w.browser(), w.url+path, "dr-dupont")); got.StatusCode != 200 || got.Request.URL.RequestURI() != "/" {
		t.Errorf("ended with %s at %.60s", got.Status, got.Request.URL.RequestURI())
	}
}

func TestTheAppDecides(t *testing.T) {
	var seen auth.SignIn
	w := newWorld(t, func(c *auth.Config) {
		c.Authorize = func(_ context.Context, in auth.SignIn) (auth.Grant, error) {
			seen = in
			switch in.User.LastName {
			case "GIRARD":
				return auth.Grant{}, &auth.Refusal{French: "Réservé à l'équipe de <soins>.", English: "For the care team."}
			case "PETIT":
				return auth.Grant{}, errors.New("the directory is down: secret-detail")
			}
			return auth.Grant{Roles: []string{"clinician"}, TenantID: "tilleuls"}, nil
		}
	})
	c := w.browser()
	got := w.signIn(c, "pharma-girard")
	if got.StatusCode != 403 || !strings.Contains(got.Text, "Bonjour Paul GIRARD. Réservé à l&#39;équipe de &lt;soins&gt;.") || w.cookie(c, "psc_session") != "" {
		t.Errorf("a refusal got %s\n%s", got.Status, got.Text)
	}
	if !seen.First || seen.User.ID == "" || seen.UserInfo.Exercise().Profession != "21" || seen.ACR != "eidas1" || seen.AuthMode != "MOBILE" {
		t.Errorf("Authorize saw %+v", seen)
	}
	if w.isFirst("899999001086") {
		t.Error("the refused person's row is gone")
	}
	got = w.signIn(c, "sf-petit")
	if got.StatusCode != 503 || strings.Contains(got.Text, "secret-detail") || !strings.Contains(w.logs.String(), "secret-detail") {
		t.Errorf("a fault of the app got %s\n%s", got.Status, got.Text)
	}
	if got := w.signIn(c, "dr-dupont"); got.StatusCode != 200 {
		t.Errorf("a grant got %s", got.Status)
	}
	if got := w.get(c, "/tilleuls"); got.StatusCode != 200 {
		t.Errorf("InTenant got %s", got.Status)
	}
	if got := w.get(c, "/nowhere"); got.StatusCode != 403 {
		t.Errorf("InTenant of an empty id got %s", got.Status)
	}
}

func TestAPanicInTheAppLeavesNobodyWaiting(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) {
		c.Authorize = func(context.Context, auth.SignIn) (auth.Grant, error) { panic("boom") }
	})
	c := w.browser()
	callback := w.callbackURL(c, "dr-dupont")
	u, _ := url.Parse(callback)
	r := httptest.NewRequest("GET", u.RequestURI(), nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, k := range c.Jar.Cookies(u) {
		r.AddCookie(k)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed: net/http would not log it")
			}
		}()
		w.rp.ServeHTTP(httptest.NewRecorder(), r)
	}()
	rec := httptest.NewRecorder()
	w.rp.ServeHTTP(rec, r)
	if rec.Code != 503 || w.calls("/token") != 1 {
		t.Errorf("the second request got %d, after %d exchanges", rec.Code, w.calls("/token"))
	}
}

func TestASecondSignInEndsTheFirstSession(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	name, old := w.sessionCookieName(), w.cookie(c, "psc_session")
	w.read(w.psc.SignIn(c, w.url+"/app/auth/login?prompt=login&return_to=/patients", "dr-martin"))
	if now := w.cookie(c, "psc_session"); now == old || now == "" {
		t.Fatal("the cookie is the old one")
	}
	if got := w.get(program(), "/patients", "Cookie", name+"="+old); got.StatusCode != 401 {
		t.Errorf("the first session got %s", got.Status)
	}
}

func TestPSCIsDown(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	// A new process, for which nothing is cached, and a PSC that is gone.
	redirect := w.cfg.RedirectURL
	w.start(func(cfg *auth.Config) {
		cfg.RedirectURL = redirect
		cfg.HTTPClient = &http.Client{Transport: deadTransport{}}
	})
	direct := func(r *http.Request) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.rp.Handler(w.app()).ServeHTTP(rec, r)
		return rec
	}
	r := httptest.NewRequest("GET", "/patients", nil)
	u, _ := url.Parse(w.cfg.RedirectURL)
	for _, k := range c.Jar.Cookies(u) {
		r.AddCookie(k)
	}
	if rec := direct(r); rec.Code != 200 {
		t.Errorf("who was in got %d", rec.Code)
	}
	login := httptest.NewRequest("GET", "/app/auth/login", nil)
	login.Header.Set("Sec-Fetch-Mode", "navigate")
	if rec := direct(login); rec.Code != 503 || rec.Header().Get("Retry-After") == "" || !strings.Contains(rec.Body.String(), "Pro Santé Connect ne répond pas") {
		t.Errorf("a sign-in got %d %s", rec.Code, rec.Body)
	}
	out := httptest.NewRequest("POST", "/app/auth/logout", nil)
	out.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, k := range c.Jar.Cookies(u) {
		out.AddCookie(k)
	}
	if rec := direct(out); rec.Code != 200 || !strings.Contains(rec.Body.String(), "Nous n&#39;avons pas pu joindre") {
		t.Errorf("a sign-out got %d %s", rec.Code, rec.Body)
	}
	if rec := direct(r); rec.Code != 401 {
		t.Errorf("after the sign-out got %d", rec.Code)
	}
}

type deadTransport struct{}

func (deadTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

func TestPSCsSessionIsAboutToEnd(t *testing.T) {
	w := newWorld(t)
	first := w.browser()
	w.signIn(first, "dr-dupont") // PSC's session begins
	// Three hours, 59 minutes and a half later the person opens the app again;
	// PSC would still answer without asking.
	for range 8 {
		w.clock.Advance(29*time.Minute + 56*time.Second)
		resp, err := first.Get(w.url + "/app/auth/login?return_to=/patients")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	got := w.get(first, "/app/auth/login?return_to=/patients")
	if !strings.HasPrefix(got.Request.URL.String(), w.psc.URL) {
		t.Errorf("ended at %s, want PSC's page: less than a minute of the session was left", got.Request.URL)
	}
}

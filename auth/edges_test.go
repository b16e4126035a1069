package auth_test

import (
	"context"
	"crypto/rsa"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// The last value that is taken, and the first that is not.
func TestTheEdgesOfAnIDToken(t *testing.T) {
	sub := func(n int) string { return "f:x:" + strings.Repeat("9", n-4) }
	for _, tt := range []struct {
		name  string
		claim string
		value any
		in    bool
	}{
		{"a subject of 255 characters", "sub", sub(255), true},
		{"a subject of 256 characters", "sub", sub(256), false},
		{"a subject with the last printable character", "sub", "f:x:~", true},
		{"a subject with a delete character", "sub", "f:x:\x7f", false},
		{"a subject with the first printable character", "sub", "f:x:!", true},
		{"a subject with a blank", "sub", "f:x: ", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			h.claims[tt.claim] = tt.value
			h.userinfo = fmt.Sprintf(`{"sub":%q,"SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT"}`, tt.value)
			if rec, in := h.signIn(); in != tt.in {
				t.Errorf("in: %t, got %d %s", in, rec.Code, rec.Body)
			}
		})
	}
}

func TestTheEdgeOfAnIDTokensSize(t *testing.T) {
	const most = 32 << 10
	size := func(header, payload int) (n int, in bool) {
		h := newHostile(t)
		h.header["x"], h.claims["x"] = strings.Repeat("x", header), strings.Repeat("x", payload)
		h.mangle = func(token string) string { n = len(token); return token }
		_, in = h.signIn()
		return n, in
	}
	n, _ := size(0, 20_000)
	about := 20_000 + (most-n)*3/4
	seen := map[int]bool{}
	for header := range 3 {
		for payload := about - 2; payload <= about+2; payload++ {
			n, in := size(header, payload)
			if seen[n] = true; in != (n <= most) {
				t.Errorf("%d bytes: in %t", n, in)
			}
		}
	}
	if !seen[most] || !seen[most+1] {
		t.Errorf("tried %v", seen)
	}
}

// A token that is refused says to the operator which part of it is wrong, and to
// the person whether another means of sign-in would help.
func TestWhatARefusedIDTokenTells(t *testing.T) {
	h := newHostile(t)
	told := &logs{}
	h.restart(func(c *auth.Config) { c.Logger = textLogger(told) })
	const level = "Moyen de connexion insuffisant"
	h.mangle = func(token string) string { return "=" + token }
	rec, in := h.signIn()
	if in || !strings.Contains(told.String(), "part 1 is not canonical base64url") || strings.Contains(rec.Body.String(), level) {
		t.Errorf("a header that is none: in %t, %s\n%s", in, told, rec.Body)
	}
	h.mangle, h.claims["acr"] = nil, "0"
	if rec, in = h.signIn(); in || !strings.Contains(rec.Body.String(), level) {
		t.Errorf("a weak acr: in %t\n%s", in, rec.Body)
	}
}

// Keys serve an hour without a question and a day while PSC is down; after a
// reading that did not help the next waits ten seconds, or one if there are none.
func TestTheEdgesOfTheKeysTimes(t *testing.T) {
	h := newHostile(t)
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	step := func(name string, wait time.Duration, readings int, want bool) {
		t.Helper()
		h.clock.Advance(wait)
		before := h.count("certs")
		if _, in := h.signIn(); in != want || h.count("certs")-before != readings {
			t.Errorf("%s: in %t after %d readings, want %t after %d", name, in, h.count("certs")-before, want, readings)
		}
	}
	h.answers["certs"] = down
	step("no keys at first", 0, 1, false)
	step("almost a second later", time.Second-time.Nanosecond, 0, false)
	delete(h.answers, "certs")
	step("a second later", time.Nanosecond, 1, true)
	step("almost an hour later", time.Hour-time.Nanosecond, 0, true)
	step("an hour later", time.Nanosecond, 1, true)
	h.header["kid"] = "invented"
	step("an invented key", time.Minute, 1, false)
	step("almost ten seconds later", 10*time.Second-time.Nanosecond, 0, false)
	step("ten seconds later", time.Nanosecond, 1, false)
	h.header["kid"] = "k1"
	h.answers["certs"] = down
	step("keys of almost a day", 24*time.Hour-10*time.Second, 1, true)
	step("keys of a day", 10*time.Second, 1, false)
}

// A key of 4096 bits is taken, a longer one makes each signature cost too much.
func TestTheEdgeOfAKeysLength(t *testing.T) {
	for bits, want := range map[uint]int{4096: 2, 4097: 1} {
		h := newHostile(t)
		n := new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1)
		h.keys = keySet(jwk(&h.key.PublicKey, map[string]any{"kid": "k1"}), jwk(&rsa.PublicKey{N: n, E: 65537}, map[string]any{"kid": "k2"}))
		if _, in := h.signIn(); !in {
			t.Fatal("the honest sign-in was refused")
		}
		if keys := auth.Keys(h.rp); len(keys) != want {
			t.Errorf("with one of %d bits: %d keys", bits, len(keys))
		}
	}
}

// While somebody reads the keys anew, who knows theirs does not wait.
func TestAReadingOfTheKeysHoldsNobodyUp(t *testing.T) {
	h := newHostile(t)
	if _, in := h.signIn(); !in {
		t.Fatal("the honest sign-in was refused")
	}
	asked, answered := make(chan bool, 1), make(chan bool)
	h.answers["certs"] = func(w http.ResponseWriter, _ *http.Request) {
		asked <- true
		<-answered
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, h.keys)
	}
	h.clock.Advance(time.Hour)
	login, state := h.begin()
	first := navigation("/auth/callback?code=c&state=" + state)
	first.AddCookie(login.Result().Cookies()[0])
	done := make(chan bool)
	go func() { _, in := h.end(first); done <- in }()
	<-asked
	second := make(chan bool)
	go func() { _, in := h.signIn(); second <- in }()
	select {
	case in := <-second:
		if !in {
			t.Error("the second was refused")
		}
	case <-time.After(3 * time.Second): // before the first gives up
		t.Error("the second waited for the first")
	}
	close(answered)
	if in := <-done; !in {
		t.Error("the first was refused")
	}
}

func TestTheEdgesOfALogin(t *testing.T) {
	h := newHostile(t)
	for query, want := range map[string]string{
		"max_age=0": "", "max_age=1": "max_age=1", "max_age=-1": "", "max_age=2147483648": "",
		"login_hint=" + strings.Repeat("x", 128): "login_hint=" + strings.Repeat("x", 128),
		"login_hint=" + strings.Repeat("x", 129): "",
	} {
		h.loginQuery = "&" + query
		login, _ := h.begin()
		to := login.Header().Get("Location")
		if name, _, _ := strings.Cut(query, "="); want == "" && strings.Contains(to, name) || !strings.Contains(to, want) {
			t.Errorf("%.30s: leads to %s", query, to)
		}
	}
}

func TestTheEdgesOfACallback(t *testing.T) {
	for _, tt := range []struct {
		name   string
		later  time.Duration
		code   int // characters
		query  int // characters in all; 0 means as many as there are
		status int
		in     bool
	}{
		{"after ten minutes", 10 * time.Minute, 1, 0, 303, true},
		{"after more than ten minutes", 10*time.Minute + time.Second, 1, 0, 303, false}, // begins anew
		{"a code of 4096 characters", 0, 4096, 0, 303, true},
		{"a code of 4097 characters", 0, 4097, 0, 400, false},
		{"a query of 16 KiB", 0, 1, 16 << 10, 303, true},
		{"a query of more", 0, 1, 16<<10 + 1, 400, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			login, state := h.begin()
			h.clock.Advance(tt.later)
			query := "code=" + strings.Repeat("c", tt.code) + "&state=" + state
			if tt.query > 0 {
				query += "&x=" + strings.Repeat("x", tt.query-len(query)-3)
			}
			r := navigation("/auth/callback?" + query)
			r.AddCookie(login.Result().Cookies()[0])
			if rec, in := h.end(r); rec.Code != tt.status || in != tt.in {
				t.Errorf("got %d, in %t", rec.Code, in)
			}
		})
	}
}

// A second click lands where the first did, for a minute.
func TestTheEdgesOfASecondClick(t *testing.T) {
	for later, status := range map[time.Duration]int{time.Minute: 303, time.Minute + time.Nanosecond: 400} {
		h := newHostile(t)
		login, state := h.begin()
		click := func() (int, bool) {
			r := navigation("/auth/callback?code=c&state=" + state)
			r.AddCookie(login.Result().Cookies()[0])
			rec, in := h.end(r)
			return rec.Code, in
		}
		if code, in := click(); code != 303 || !in {
			t.Fatalf("the first got %d", code)
		}
		h.clock.Advance(later)
		if code, _ := click(); code != status {
			t.Errorf("after %v the second got %d, want %d", later, code, status)
		}
	}
}

// PSC's clock may be a minute behind ours, and no more.
func TestTheEdgesOfAStepUp(t *testing.T) {
	for age, want := range map[time.Duration]bool{6 * time.Minute: true, 6*time.Minute + time.Second: false} {
		h := newHostile(t)
		h.loginQuery = "&max_age=300"
		h.claims["auth_time"] = h.clock.Now().Add(-age).Unix()
		if rec, in := h.signIn(); in != want {
			t.Errorf("identified %v ago: in %t, got %d", age, in, rec.Code)
		}
	}
}

// A callback that says nothing, in a browser where somebody is in, takes what
// waits with it; one that belongs to no sign-in leaves that to its own callback.
func TestACallbackWhereSomebodyIsIn(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	w.get(stay(c), "/app/auth/login")
	if w.cookie(c, "psc_pending") == "" {
		t.Fatal("no sign-in is pending")
	}
	w.get(stay(c), "/app/auth/callback?code=c&state="+strings.Repeat("A", 43))
	if w.cookie(c, "psc_pending") == "" {
		t.Error("a callback of no sign-in took the pending one with it")
	}
	w.get(stay(c), "/app/auth/callback?code=c&code=d")
	if w.cookie(c, "psc_pending") != "" {
		t.Error("a callback that is none left the pending sign-in")
	}
}

// namelessUsers keeps nobody.
type namelessUsers struct{}

func (namelessUsers) SaveUser(_ context.Context, info psc.UserInfo, _ time.Time) (auth.User, bool, error) {
	return auth.User{NationalID: info.NationalID}, true, nil
}

func TestAUserWithoutIDGetsNoSession(t *testing.T) {
	h := newHostile(t)
	told := &logs{}
	h.restart(func(c *auth.Config) { c.Users, c.Logger = namelessUsers{}, textLogger(told) })
	if rec, in := h.signIn(); in || rec.Code != 503 || !strings.Contains(told.String(), "the UserStore returned a user without ID") {
		t.Errorf("in %t, got %d %s", in, rec.Code, told)
	}
}

// What a person has not is not in the answer about them, and what they have is.
func TestTheSessionAnswerOfAFirstAndALaterSignIn(t *testing.T) {
	w := newWorld(t)
	for i, first := range []bool{true, false} {
		got := w.get(program(), "/app/auth/session", "Authorization", "Bearer "+w.token("dr-moreau"))
		u := decode[programAnswer](t, got.Text).User
		if got.StatusCode != 200 || u.First != first || (u.LastLogin == nil) != first || u.Specialty == nil {
			t.Errorf("sign-in %d: %s", i, got.Text)
		}
		w.clock.Advance(time.Hour)
	}
	if got := w.get(program(), "/app/auth/session", "Authorization", "Bearer "+w.token("sec-andre")); decode[programAnswer](t, got.Text).User.Specialty != nil {
		t.Errorf("without a specialty: %s", got.Text)
	}
}

// A token just fits into a cookie, or the app is told.
func TestTheEdgeOfASessionToken(t *testing.T) {
	size := func(pad int) (int, bool) {
		h := newHostile(t)
		h.restart(func(c *auth.Config) {
			c.Authorize = func(context.Context, auth.SignIn) (auth.Grant, error) {
				return auth.Grant{Claims: map[string]string{"pad": strings.Repeat("x", pad)}}, nil
			}
		})
		rec, in := h.signIn()
		for _, k := range rec.Result().Cookies() {
			if strings.Contains(k.Name, "psc_session") {
				return len(k.Value), in
			}
		}
		return 0, in
	}
	largest := 0
	for pad := 1900; pad < 2700; pad++ {
		n, in := size(pad)
		if !in {
			break
		}
		largest = n
		if n < 3700 {
			pad += 60
		}
	}
	if largest < 3797 || largest > 3800 { // base64 does not come to every length
		t.Errorf("the largest token has %d bytes, want almost 3800", largest)
	}
}

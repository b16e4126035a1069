package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

// The fuzz targets of this file let the browser, or a program, send anything at
// one place.

// guardedPage is a page behind a relying party, and somebody's token for it.
type guardedPage struct {
	*hostile
	token  string
	cookie string // the name of the session cookie
	page   http.Handler
	seen   *auth.Session // what the page saw, nil if it was not reached
}

func newGuardedPage(f *testing.F) *guardedPage {
	f.Helper()
	h, _ := newDirect(f)
	g := &guardedPage{hostile: h}
	g.page = h.rp.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		g.seen = &s
	}))
	rec, in := h.signIn()
	if !in {
		f.Fatalf("the honest sign-in got %d", rec.Code)
	}
	for _, c := range rec.Result().Cookies() {
		if strings.Contains(c.Name, "psc_session") {
			g.cookie, g.token = c.Name, c.Value
		}
	}
	return g
}

// ask asks for the page with headers, and checks that it answers or refuses.
func (g *guardedPage) ask(t *testing.T, headers http.Header) *auth.Session {
	t.Helper()
	g.seen = nil
	r := httptest.NewRequest("GET", "/patients", nil)
	r.Header = headers
	rec := httptest.NewRecorder()
	since := time.Now()
	g.page.ServeHTTP(rec, r)
	if took := time.Since(since); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	want := 401
	if g.seen != nil {
		want = 200
	}
	if rec.Code != want || want == 401 && rec.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("got %d, want %d; %v", rec.Code, want, rec.Header())
	}
	return g.seen
}

// A session token that is not, byte for byte, one that was issued is refused;
// and one that was signed here, over any claims, says what its claims say.
func FuzzSessionToken(f *testing.F) {
	g := newGuardedPage(f)
	const claims = `{"iss":"APP","aud":"APP","sub":"1","sid":"s","jti":"j","iat":NOW,"exp":EXP,"auth_time":NOW,"national_id":"899999001011","given_name":"Jean","family_name":"DUPONT","roles":["clinician"],"tenant_id":"t","acr":"eidas1","verified_at":NOW}`
	f.Add(uint16(0), uint8(0), "", "")
	f.Add(uint16(0), uint8(0), "", claims)
	f.Add(uint16(0), uint8(0), "", strings.Replace(claims, `"aud":"APP",`, "", 1))
	f.Add(uint16(0), uint8(0), "", strings.Replace(claims, "EXP", "NOW", 1))
	f.Add(uint16(0), uint8(0), "", strings.Replace(claims, `"sub":"1"`, `"sub":"1","SUB":"2"`, 1))
	f.Add(uint16(0), uint8(0), "", strings.Replace(claims, `"sub":"1"`, `"sub":"1","sub":"2"`, 1))
	f.Add(uint16(0), uint8(0), "", strings.Replace(claims, `["clinician"]`, `null`, 1))
	f.Add(uint16(65535), uint8(0), "=", "")
	f.Add(uint16(65535), uint8(0), "\n", "")
	f.Add(uint16(100), uint8(1), "A", "")
	f.Add(uint16(0), uint8(255), "eyJhbGciOiJub25lIn0.", "")
	header, _, _ := strings.Cut(g.token, ".")
	now := g.clock.Now().Unix()
	const app = "https://app.example/auth"
	names := strings.NewReplacer("APP", app, "NOW", fmt.Sprint(now), "EXP", fmt.Sprint(now+1800))
	f.Fuzz(func(t *testing.T, at uint16, cut uint8, insert, claims string) {
		issued := g.token
		if claims = names.Replace(claims); claims != "" {
			text := header + "." + b64([]byte(claims))
			mac := hmac.New(sha256.New, auth.SessionKey(g.rp))
			mac.Write([]byte(text))
			issued = text + "." + b64(mac.Sum(nil))
		}
		token := splice(issued, at, cut, insert)
		s := g.ask(t, http.Header{"Authorization": {"Bearer " + token}})
		switch {
		case s == nil && token == g.token:
			t.Error("the genuine token was refused")
		case s == nil:
			return
		case token != issued:
			t.Errorf("%q was taken for %q", token, issued)
		}
		if claims == "" {
			return
		}
		m := members([]byte(claims))
		number := func(name string) int64 { n, _ := m[name].(float64); return int64(n) }
		roles, ok := m["roles"].([]any)
		if m["iss"] != app || m["aud"] != app || m["jti"] == nil || number("exp") <= now || number("iat") > now+60 || number("iat") <= 0 || number("auth_time") <= 0 ||
			m["sub"] != s.UserID || m["sid"] != s.ID || m["national_id"] != string(s.NationalID) || s.UserID == "" || s.ID == "" || s.NationalID == "" ||
			!ok || len(roles) != len(s.Roles) {
			t.Errorf("%s became %+v", claims, s)
		}
		for i, r := range roles {
			if r != s.Roles[i] {
				t.Errorf("roles %v became %q", roles, s.Roles)
			}
		}
	})
}

// A Cookie header admits only with the genuine token as the one value of the
// session cookie.
func FuzzSessionCookie(f *testing.F) {
	g := newGuardedPage(f)
	for _, s := range []string{
		"NAME=TOKEN", "a=b; NAME=TOKEN; c=d", "NAME=TOKEN; NAME=TOKEN", "NAME=x; NAME=TOKEN", `NAME="TOKEN"`, "NAME =TOKEN", "NAME=TOKEN,x",
		"$Version=1; NAME=TOKEN", "name=TOKEN", "NAME=TOKEN; NAME=\x80", "NAME= TOKEN", "NAME=TOK EN", strings.Repeat("a=b;", 100) + "NAME=TOKEN", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		header = strings.NewReplacer("NAME", g.cookie, "TOKEN", g.token).Replace(header)
		s := g.ask(t, http.Header{"Cookie": {header}})
		genuine, others := 0, 0
		for pair := range strings.SplitSeq(header, ";") {
			name, value, _ := strings.Cut(strings.Trim(pair, " \t\r\n"), "=")
			switch name = strings.Trim(name, " \t\r\n"); {
			case name != g.cookie:
			case value == g.token:
				genuine++
			case !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f || strings.ContainsRune(`",\`, r) }):
				others++ // a value that net/http lets pass
			}
		}
		if s != nil && (genuine != 1 || others != 0 || s.UserID != "1") {
			t.Errorf("%q admitted %+v", header, s)
		}
		if s == nil && header == g.cookie+"="+g.token {
			t.Error("the genuine cookie was refused")
		}
	})
}

// Authorization headers admit only with scheme Bearer, one blank and the genuine
// token; and a bearer that does not never falls back to the cookie.
func FuzzAuthorizationHeader(f *testing.F) {
	g := newGuardedPage(f)
	for _, s := range []string{"Bearer TOKEN", "bearer TOKEN", "Bearer  TOKEN", "Bearer TOKEN ", "Bearer", "Bearer\tTOKEN", "TOKEN", "Basic eDp5", "Bearer TOKEN, Bearer TOKEN", "DPoP TOKEN", "\u017fearer TOKEN", ""} {
		f.Add(s, "", false)
		f.Add(s, "", true)
		f.Add("Basic eDp5", s, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, cookie bool) {
		headers := http.Header{}
		bearers, genuine := 0, 0
		for _, h := range []string{first, second} {
			if h = strings.ReplaceAll(h, "TOKEN", g.token); h == "" {
				continue
			}
			headers.Add("Authorization", h)
			scheme, rest, _ := strings.Cut(h, " ")
			if strings.ToLower(scheme) == "bearer" {
				bearers++
				if rest == g.token {
					genuine++
				}
			}
		}
		if cookie {
			headers.Set("Cookie", g.cookie+"="+g.token)
		}
		want := cookie
		if bearers > 0 { // beside another header it could be read in two ways
			want = genuine == 1 && len(headers["Authorization"]) == 1
		}
		if s := g.ask(t, headers); (s != nil) != want {
			t.Errorf("%q, cookie %v: admitted %v, want %v", headers["Authorization"], cookie, s != nil, want)
		}
	})
}

// A callback opens a session only with the pending cookie that was set, under
// its own name. The sealed value has a second spelling in base64, and no other.
func FuzzPendingCookie(f *testing.F) {
	f.Add(uint16(0), uint8(0), "", "NAME")
	f.Add(uint16(30), uint8(1), "A", "NAME")
	f.Add(uint16(65535), uint8(1), "B", "NAME")
	f.Add(uint16(65535), uint8(0), "; NAME=x", "NAME")
	f.Add(uint16(0), uint8(255), "", "NAME")
	f.Add(uint16(0), uint8(0), "", "__Host-psc_pending-x")
	f.Add(uint16(0), uint8(0), "", "NAME=x; NAME")
	f.Fuzz(func(t *testing.T, at uint16, cut uint8, insert, name string) {
		h, _ := newDirect(t)
		since := time.Now()
		login, state := h.begin()
		pending := login.Result().Cookies()[0]
		name = strings.ReplaceAll(name, "NAME", pending.Name)
		value := splice(pending.Value, at, cut, strings.ReplaceAll(insert, "NAME", pending.Name))
		r := navigation("/auth/callback?code=c&state=" + state)
		r.Header["Cookie"] = []string{name + "=" + value}
		rec, in := h.end(r)
		h.hold(t, rec, in, since)
		header := name + "=" + value
		if !in {
			if h.count("token") != 0 || h.count("userinfo") != 0 {
				t.Errorf("%q: the code was redeemed", header)
			}
			if header == pending.Name+"="+pending.Value {
				t.Errorf("the genuine cookie got %d", rec.Code)
			}
			return
		}
		genuine := 0
		for pair := range strings.SplitSeq(header, ";") {
			n, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.TrimSpace(n) == pending.Name && sameSeal(v, pending.Value) {
				genuine++
			}
		}
		if genuine != 1 {
			t.Errorf("%q opened a session, where %s=%s was set", header, pending.Name, pending.Value)
		}
	})
}

// sameSeal reports whether two texts decode to the same bytes.
func sameSeal(a, b string) bool {
	x, err := base64.URLEncoding.DecodeString(a)
	y, other := base64.URLEncoding.DecodeString(b)
	return err == nil && other == nil && string(x) == string(y)
}

// A callback opens a session only if the cookie of its state came with it, and
// state, code and iss can be read in one way; it repeats nothing on its page.
func FuzzCallback(f *testing.F) {
	for _, s := range []string{
		"code=c&state=STATE", "code=c&state=STATE&iss=ISS&session_state=s", "state=STATE&error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E",
		"code=c&state=STATE&state=STATE", "code=c&code=d&state=STATE", "code=c&state=STATE&iss=https%3A%2F%2Fevil.example", "code=c&state=STATE&iss=",
		"code=c;state=STATE", "code=%zz&state=STATE", "code=c&state=", "code=c&STATE=STATE", "code=c&state=STATE&id_token=x", "code=c&state=STATE%00",
		"code=c&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "error=x%0d%0alevel=ERROR&state=STATE", "",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, query string, cookie bool) {
		h, _ := newDirect(t)
		since := time.Now()
		login, state := h.begin()
		query = strings.NewReplacer("STATE", state, "ISS", url.QueryEscape(h.cfg.Provider.Issuer)).Replace(query)
		r := navigation("/auth/callback")
		r.URL.RawQuery = query
		if cookie {
			r.AddCookie(login.Result().Cookies()[0])
		}
		rec, in := h.end(r)
		h.hold(t, rec, in, since)
		q, err := url.ParseQuery(query)
		for _, values := range q {
			for _, v := range values {
				if strings.Contains(v, "<") && len(v) > 10 && // longer than any tag of ours
					strings.Contains(rec.Body.String(), v) {
					t.Errorf("the page repeats %q", v)
				}
			}
		}
		if redeemed := h.count("token") > 0; !redeemed {
			if cookie && query == "code=c&state="+state {
				t.Errorf("the honest callback got %d", rec.Code)
			}
			return
		}
		one := func(name string) string {
			if len(q[name]) != 1 {
				return ""
			}
			return q[name][0]
		}
		if !cookie || err != nil || one("state") != state || one("code") == "" || q.Has("error") && one("error") != "" ||
			q.Has("iss") && one("iss") != h.cfg.Provider.Issuer || q.Has("id_token") || q.Has("access_token") ||
			slices.ContainsFunc([]string{"state", "code", "iss", "error"}, func(n string) bool { return len(q[n]) > 1 }) {
			t.Errorf("%q, cookie %v: the code was redeemed", query, cookie)
		}
	})
}

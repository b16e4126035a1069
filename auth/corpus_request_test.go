package auth_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// byPerson is a UserStore that tells people apart.
type byPerson struct{ *countingUsers }

func (u byPerson) SaveUser(c ctx, info psc.UserInfo, at time.Time) (auth.User, bool, error) {
	user, first, err := u.countingUsers.SaveUser(c, info, at)
	user.ID = "user-" + info.FamilyName
	return user, first, err
}

// crowd is a lab in which several people sign in.
func crowd(t *testing.T, c corpusCase, change ...func(*auth.Config)) *lab {
	users := &countingUsers{}
	l := newLab(t, c, append([]func(*auth.Config){func(cfg *auth.Config) { cfg.Users = byPerson{users} }}, change...)...)
	l.users = users
	return l
}

// enter signs in a person and returns the session cookie.
func (l *lab) enter(name string) *http.Cookie {
	l.t.Helper()
	id := map[string]string{"DUPONT": "899999001011", "MARTIN": "899999001029"}[name]
	l.claims["sub"], l.claims["SubjectNameID"] = "f:x:"+id, id
	l.userinfo = document(l, map[string]any{"sub": "f:x:" + id, "SubjectNameID": id, "family_name": name})
	b := l.begin()
	o := l.send(b.back(b.honest()))
	if o.session == nil {
		l.t.Fatalf("%s got %d: %s", name, o.rec.Code, l.lastLine())
	}
	return &http.Cookie{Name: o.session.Name, Value: o.session.Value}
}

// call is a program's request to a guarded page; headers are names and values in
// turn.
func call(headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/patients", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}

func withBearer(token string) *http.Request { return call("Authorization", "Bearer "+token) }

// denied checks that a request gains nothing, says nothing, and that the answer is
// one of those of the case.
func (l *lab) denied(r *http.Request) outcome {
	l.t.Helper()
	o := l.send(r)
	status := l.status
	if status == nil {
		status = l.c.Expect.HTTP
	}
	if !slices.Contains(status, o.rec.Code) || o.session != nil || strings.Contains(o.rec.Body.String(), "page for") {
		l.t.Errorf("got %d %s, want one of %v", o.rec.Code, o.rec.Body, status)
	}
	if o.rec.Header().Get("Cache-Control") != "no-store" {
		l.t.Errorf("Cache-Control %q", o.rec.Header().Get("Cache-Control"))
	}
	l.invariants(o)
	return o
}

func (l *lab) welcome(r *http.Request, name string) outcome {
	l.t.Helper()
	o := l.send(r)
	if o.rec.Code != 200 || o.rec.Body.String() != "page for "+name {
		l.t.Errorf("got %d %s, want the page for %s", o.rec.Code, o.rec.Body, name)
	}
	l.invariants(o)
	return o
}

// forge signs claims with the app's own session key: the genuine token's, changed.
func (l *lab) forge(genuine string, header map[string]any, claims map[string]any) string {
	l.t.Helper()
	parts := strings.Split(genuine, ".")
	var text string
	for i, changes := range []map[string]any{header, claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			l.t.Fatal(err)
		}
		if changes != nil { // a header that is unchanged stays so to the byte
			m := map[string]any{}
			if err := json.Unmarshal(raw, &m); err != nil {
				l.t.Fatal(err)
			}
			patch(m, changes)
			raw, _ = json.Marshal(m)
		}
		if text += b64(raw); i == 0 {
			text += "."
		}
	}
	return text + "." + b64(hmacOf(sha256.New, auth.SessionKey(l.rp), text))
}

// bearers runs a case once for each bearer that the session token of a person who
// is in can be turned into. The token itself is good, before and after.
func bearers(make func(l *lab, genuine string) []string) runner {
	return func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.welcome(withBearer(session.Value), "DUPONT")
		for _, token := range make(l, session.Value) {
			l.keep(token)
			l.denied(withBearer(token))
			l.denied(call("Cookie", session.Name+"="+token))
			l.denied(call("Authorization", "Bearer "+token, "Cookie", session.Name+"="+session.Value))
		}
		l.welcome(withBearer(session.Value), "DUPONT")
	}
}

func one(make func(l *lab, genuine string) string) runner {
	return bearers(func(l *lab, genuine string) []string { return []string{make(l, genuine)} })
}

func forged(header, claims map[string]any) runner {
	return one(func(l *lab, genuine string) string { return l.forge(genuine, header, claims) })
}

// requests runs a case once for each program's request that DUPONT's and MARTIN's
// tokens can be put into.
func requests(make func(l *lab, dupont, martin *http.Cookie) []*http.Request) runner {
	return func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		for _, r := range make(l, l.enter("DUPONT"), l.enter("MARTIN")) {
			if c.accepted() {
				l.welcome(r, "DUPONT")
			} else {
				l.denied(r)
			}
		}
	}
}

// Our session token, as cookie or bearer.
var _ = hand(map[string]runner{
	"BRR-001": one(func(l *lab, _ string) string { return l.tokenOf(map[string]any{}) }),
	"BRR-002": bearers(func(l *lab, _ string) []string {
		return []string{accessToken, l.tokenOf(map[string]any{"typ": "Bearer", "aud": "account", "nonce": nil})}
	}),
	"BRR-004": one(func(l *lab, _ string) string {
		l.header["typ"] = "logout+jwt"
		return l.tokenOf(map[string]any{"nonce": nil, "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, "jti": "j"})
	}),
	"BRR-006": one(func(l *lab, _ string) string { return l.begin().pending.Value }),
	"BRR-007": func(t *testing.T, c corpusCase) { sessionAsPending(t, c) },
	"BRR-009": all(
		forged(nil, map[string]any{"aud": "https://billing.example"}), forged(nil, map[string]any{"iss": "https://billing.example/auth"}),
		one(func(l *lab, _ string) string {
			kept := l.cfg
			l.renew(func(cfg *auth.Config) { cfg.RedirectURL = "https://billing.example/auth/callback" })
			token := l.enter("DUPONT").Value
			l.cfg = kept
			l.renew()
			return token
		}),
	),
	"BRR-011": forged(map[string]any{"typ": "JWT"}, nil),
	"BRR-012": bearers(func(l *lab, genuine string) (out []string) {
		for _, alg := range []string{"none", "None", "NONE", "nOnE", "nONE", "NoNe", "noNe", " none"} {
			token := l.forge(genuine, map[string]any{"alg": alg}, nil)
			out = append(out, token, token[:strings.LastIndex(token, ".")+1], token[:strings.LastIndex(token, ".")])
		}
		return out
	}),
	"BRR-014": one(func(_ *lab, genuine string) string {
		text := genuine[:strings.LastIndex(genuine, ".")]
		return text + "." + b64(hmacOf(sha256.New, nil, text))
	}),
	"BRR-016": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		token := l.enter("DUPONT").Value
		l.renew(func(cfg *auth.Config) { cfg.Secrets = [][]byte{bytes.Repeat([]byte("n"), 32)} })
		l.denied(withBearer(token))
	},
	"BRR-017": forged(map[string]any{"kid": "k1"}, nil),
	"BRR-019": all(forged(map[string]any{"crit": []string{"exp"}}, nil), forged(map[string]any{"crit": []string{}}, nil)),
	"BRR-021": forged(nil, map[string]any{"exp": nil}),
	"BRR-022": one(func(l *lab, genuine string) string {
		return l.forge(genuine, nil, map[string]any{"exp": l.clock.Now().Unix()})
	}),
	"BRR-024": one(func(l *lab, genuine string) string {
		return l.forge(genuine, nil, map[string]any{"iat": l.clock.Now().Add(2 * time.Minute).Unix()})
	}),
	"BRR-026": func(t *testing.T, c corpusCase) { // sessions are ended, by sid, with all tokens of theirs
		l := crowd(t, c)
		session := l.enter("DUPONT")
		r := call("Authorization", "Bearer "+session.Value)
		r.Method = "POST"
		r.URL.Path = "/auth/session"
		renewed := decode[programAnswer](t, l.serve(r).Body.String()).AccessToken
		l.keep(renewed)
		if renewed == "" || renewed == session.Value {
			t.Fatal("no second token")
		}
		l.leave(session)
		l.denied(withBearer(session.Value))
		l.denied(withBearer(renewed))
	},
	"BRR-031": one(func(l *lab, genuine string) string {
		changed := l.forge(genuine, nil, map[string]any{"sub": "user-MARTIN", "rpps": "99999001029", "national_id": "899999001029"})
		return changed[:strings.LastIndex(changed, ".")] + genuine[strings.LastIndex(genuine, "."):]
	}),
	"BRR-032": func(t *testing.T, c corpusCase) { replayAfterLogout(t, c) },
	"BRR-034": one(func(l *lab, genuine string) string {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(genuine, ".")[1])
		if err != nil {
			l.t.Fatal(err)
		}
		text := b64([]byte(`{"alg":"RS256","typ":"JWT","kid":"k1"}`)) + "." + b64(payload)
		return text + "." + b64(sign(l.key, text))
	}),
	"BRR-036": requests(func(_ *lab, dupont, _ *http.Cookie) []*http.Request {
		return []*http.Request{call("Authorization", "bearer "+dupont.Value), call("Authorization", "BEARER "+dupont.Value)}
	}),
	"BRR-037": requests(func(_ *lab, dupont, _ *http.Cookie) []*http.Request {
		return []*http.Request{call("Authorization", "Bearer  "+dupont.Value), call("Authorization", "Bearer\t"+dupont.Value), call("Authorization", " Bearer "+dupont.Value)}
	}),
	"BRR-039": requests(func(_ *lab, dupont, martin *http.Cookie) []*http.Request {
		return []*http.Request{call("Authorization", "Bearer "+dupont.Value+", Bearer "+martin.Value)}
	}),
	"BRR-041": requests(func(_ *lab, dupont, martin *http.Cookie) []*http.Request {
		return []*http.Request{
			call("Authorization", "Bearer "+dupont.Value, "Authorization", "Bearer "+martin.Value),
			call("Authorization", "Basic eDp5", "Authorization", "Bearer "+martin.Value),
		}
	}),
	"BRR-042": requests(func(_ *lab, dupont, _ *http.Cookie) []*http.Request {
		return []*http.Request{call("Authorization", "Bearer"), call("Authorization", "Bearer "), call("Authorization", "Bearer", "Cookie", dupont.String())}
	}),
	"BRR-044": requests(func(_ *lab, dupont, _ *http.Cookie) []*http.Request {
		return []*http.Request{call("Authorization", "DPoP "+dupont.Value)}
	}),
	"BRR-046": requests(func(_ *lab, dupont, _ *http.Cookie) []*http.Request {
		return []*http.Request{withBearer(strings.Repeat("A", 1<<20)), withBearer(dupont.Value + strings.Repeat("A", 1<<20))}
	}),
	"BRR-047": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		o := l.denied(httptest.NewRequest("GET", "/patients?access_token="+session.Value, nil))
		o.rec = httptest.NewRecorder() // see policies for the answer; log and audit must not have it
		l.silent(o)
	},
	"BRR-049": requests(func(_ *lab, dupont, _ *http.Cookie) []*http.Request {
		return []*http.Request{call("Authorization", "Bearer x", "Cookie", dupont.String()), call("Authorization", "Bearer "+dupont.Value[1:], "Cookie", dupont.String())}
	}),
	"BRR-051": requests(func(_ *lab, dupont, _ *http.Cookie) []*http.Request {
		return []*http.Request{call("Sec-Websocket-Protocol", dupont.Value, "Upgrade", "websocket", "Connection", "Upgrade")}
	}),
	"BRR-052": requests(func(_ *lab, dupont, martin *http.Cookie) []*http.Request {
		return []*http.Request{call("Authorization", "Bearer "+martin.Value, "Cookie", dupont.String())}
	}),
	"BRR-054": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		expired := l.forge(session.Value, nil, map[string]any{"exp": l.clock.Now().Unix() - 1})
		unknown := l.forge(session.Value, nil, map[string]any{"aud": "x", "sub": "nobody"})
		var first *httptest.ResponseRecorder
		for _, token := range []string{expired, session.Value + "A", unknown, "x"} {
			l.keep(token)
			rec := l.denied(withBearer(token)).rec
			if first == nil {
				first = rec
			}
			if rec.Body.String() != first.Body.String() || rec.Header().Get("WWW-Authenticate") != first.Header().Get("WWW-Authenticate") {
				t.Errorf("got %s and %s", rec.Body, first.Body)
			}
		}
	},
})

// leave signs a session out.
func (l *lab) leave(session *http.Cookie) outcome {
	l.t.Helper()
	r := httptest.NewRequest("POST", "/auth/logout", nil)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(session)
	o := l.send(r)
	if o.rec.Code != 200 || len(o.events) != 1 || o.events[0].Reason != "signed_out" {
		l.t.Errorf("the sign-out got %d, %+v", o.rec.Code, o.events)
	}
	return o
}

// sessionAsPending puts the session under the name of the pending cookie. Policy:
// that is a callback, and a broken one is a 400 page.
func sessionAsPending(t *testing.T, c corpusCase) {
	l := crowd(t, c)
	session := l.enter("DUPONT")
	b := l.begin()
	r := page("/auth/callback" + b.honest())
	r.AddCookie(&http.Cookie{Name: b.pending.Name, Value: session.Value})
	before := l.count("token")
	l.status = []int{400}
	if o := l.denied(r); o.session != nil || l.count("token") != before {
		t.Error("it passed for a pending sign-in")
	} else {
		l.cleared(o)
	}
}

func replayAfterLogout(t *testing.T, c corpusCase) {
	l := crowd(t, c)
	session := l.enter("DUPONT")
	l.leave(session)
	l.status = []int{401}
	l.denied(call("Cookie", session.String()))
	l.denied(withBearer(session.Value))
	// Nor in a process that starts afterwards.
	l.renew()
	l.denied(withBearer(session.Value))
}

// spoilt checks a Cookie header that is no session: a program gets 401, a page is
// sent to the sign-in, what came under our name is cleared, and signing in works.
func (l *lab) spoilt(name string, lines ...string) {
	l.t.Helper()
	for _, isPage := range []bool{false, true} {
		r := call()
		if isPage {
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}
		r.Header["Cookie"] = lines
		came := len(r.CookiesNamed(name)) > 0
		o := l.denied(r)
		if isPage != (o.rec.Code == 303) {
			l.t.Errorf("a page: %v, got %d", isPage, o.rec.Code)
		}
		if !came {
			continue
		}
		set := o.rec.Result().Cookies()
		if len(set) != 1 || set[0].Name != name || set[0].MaxAge >= 0 || set[0].Value != "" || set[0].Path != "/" || !set[0].Secure || !set[0].HttpOnly || set[0].SameSite != http.SameSiteLaxMode || set[0].Domain != "" {
			l.t.Errorf("cleared by %v", set)
		}
	}
}

// spoiling runs a case for the Cookie headers that a good session can be turned
// into.
func spoiling(make func(l *lab, session *http.Cookie) []string) runner {
	return func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		for _, line := range make(l, session) {
			l.spoilt(session.Name, line)
		}
		l.welcome(guarded(session), "DUPONT")
		l.welcome(guarded(l.enter("DUPONT")), "DUPONT")
	}
}

var _ = hand(map[string]runner{
	"CKY-001": spoiling(func(_ *lab, s *http.Cookie) (out []string) {
		for i := range s.Value {
			b := []byte(s.Value)
			b[i] ^= 1
			out = append(out, s.Name+"="+string(b))
		}
		return out
	}),
	"CKY-002": spoiling(func(_ *lab, s *http.Cookie) (out []string) {
		for bit := 0; bit < 8*len(s.Value); bit += scaled(1, 7) {
			b := []byte(s.Value)
			b[bit/8] ^= 1 << (bit % 8)
			if c := b[bit/8]; c > ' ' && c != ';' && c != '"' && c < 0x7f { // what ends a value or is no header
				out = append(out, s.Name+"="+string(b))
			}
		}
		return out
	}),
	"CKY-004": spoiling(func(_ *lab, s *http.Cookie) []string { return []string{s.Name + "=", s.Name} }),
	"CKY-006": spoiling(func(_ *lab, s *http.Cookie) []string {
		return []string{s.Name + "=" + strings.Repeat("A", 1<<20), s.String() + strings.Repeat("A", 1<<20)}
	}),
	"CKY-007": spoiling(func(_ *lab, s *http.Cookie) []string {
		return []string{s.Name + "=!!!!", s.Name + "=AAAA", s.Name + "=" + strings.Repeat("A.", 3), s.Name + "=%%%"}
	}),
	"CKY-009": spoiling(func(_ *lab, s *http.Cookie) (out []string) {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		parts := strings.Split(s.Value, ".")
		for i, part := range parts {
			for _, unused := range []int{1, 2, 3} {
				changed := slices.Clone(parts)
				changed[i] = part[:len(part)-1] + string(alphabet[strings.IndexByte(alphabet, part[len(part)-1])^unused])
				out = append(out, s.Name+"="+strings.Join(changed, "."))
			}
		}
		return out
	}),
	"CKY-011": func(t *testing.T, c corpusCase) { sessionAsPending(t, c) },
	"CKY-012": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.renew(func(cfg *auth.Config) { cfg.Secrets = [][]byte{bytes.Repeat([]byte("n"), 32)} })
		l.spoilt(session.Name, session.String())
	},
	"CKY-014": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.clock.Advance(30 * time.Minute)
		l.spoilt(session.Name, session.String())
		l.welcome(guarded(l.enter("DUPONT")), "DUPONT")
	},
	"CKY-016": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.clock.Advance(-2 * time.Minute)
		l.spoilt(session.Name, session.String())
	},
	"CKY-017": spoiling(func(_ *lab, s *http.Cookie) []string {
		return []string{s.Name + "=tossed; " + s.String(), s.String() + "; " + s.Name + "=tossed", s.String() + "; " + s.String()}
	}),
	"CKY-019": spoiling(func(_ *lab, s *http.Cookie) []string {
		bare := strings.TrimPrefix(s.Name, "__Host-")
		return []string{bare + "=" + s.Value, "__Secure-" + bare + "=" + s.Value, strings.ToLower(s.Name) + "=" + s.Value}
	}),
	"CKY-021": spoiling(func(_ *lab, s *http.Cookie) []string {
		return []string{s.Name + " =" + s.Value, s.Name + "\t=" + s.Value, "a=b; " + s.Name + " =" + s.Value}
	}),
	"CKY-022": spoiling(func(_ *lab, s *http.Cookie) []string {
		return []string{"\u2000" + s.String(), "\u00a0" + s.String(), "\x85" + s.String()}
	}),
	"CKY-024": spoiling(func(_ *lab, s *http.Cookie) []string { return []string{s.Name + `="` + s.Value + `"`} }),
	"CKY-026": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.spoilt(session.Name, session.Name+"=tossed", session.String())
		l.spoilt(session.Name, session.String(), session.Name+"=tossed")
		r := guarded() // HTTP/2 may split cookies of different names
		r.Header["Cookie"] = []string{"a=b", session.String()}
		l.welcome(r, "DUPONT")
	},
	"CKY-027": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.spoilt(session.Name, strings.Repeat("a=b; ", 3_001)+session.String())
		l.spoilt(session.Name, strings.Repeat("psc_pending-x=y; ", 10_000))
	},
	"CKY-029": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		b := l.begin()
		session := l.send(b.back(b.honest())).session
		jar, _ := cookiejar.New(nil)
		jar.SetCookies(&url.URL{Scheme: "https", Host: "app.example", Path: "/"}, []*http.Cookie{session})
		if n := len(jar.Cookies(&url.URL{Scheme: "https", Host: "app.example", Path: "/"})); n != 1 {
			t.Fatalf("%d cookies by https", n)
		}
		// Behind a proxy every request comes by http: what keeps the cookie off an
		// http origin is the browser.
		l.denied(guarded(jar.Cookies(&url.URL{Scheme: "http", Host: "app.example", Path: "/"})...))
	},
	"CKY-031": func(t *testing.T, c corpusCase) {
		spoiling(func(_ *lab, s *http.Cookie) []string {
			var b bytes.Buffer
			if err := gob.NewEncoder(&b).Encode(map[string]string{"sub": "user-DUPONT"}); err != nil {
				panic(err)
			}
			return []string{s.Name + "=" + base64.URLEncoding.EncodeToString(b.Bytes())}
		})(t, c)
		files, _ := filepath.Glob("*.go")
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil || !strings.HasSuffix(name, "_test.go") && bytes.Contains(text, []byte("encoding/gob")) {
				t.Errorf("%s reads gob, %v", name, err)
			}
		}
	},
	"CKY-032": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session, b := l.enter("DUPONT"), l.begin()
		l.renew(func(cfg *auth.Config) { cfg.Secrets = [][]byte{bytes.Repeat([]byte("n"), 32), testSecret} })
		l.welcome(guarded(session), "DUPONT")
		if o := l.send(b.back(b.honest())); o.session == nil {
			t.Errorf("a sign-in begun before the rotation got %d: %s", o.rec.Code, l.lastLine())
		}
	},
	"CKY-034": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		set := l.try().session
		var cleared *http.Cookie
		for _, k := range l.leave(&http.Cookie{Name: set.Name, Value: set.Value}).rec.Result().Cookies() {
			cleared = k
		}
		if cleared == nil || cleared.Name != set.Name || cleared.Path != set.Path || cleared.Secure != set.Secure || cleared.HttpOnly != set.HttpOnly || cleared.SameSite != set.SameSite || cleared.Domain != set.Domain || cleared.MaxAge >= 0 || cleared.Value != "" {
			t.Errorf("set %v, cleared %v", set, cleared)
		}
	},
	"CKY-036": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		b := l.begin()
		if k := b.pending; k.SameSite != http.SameSiteLaxMode || !k.Secure || !k.HttpOnly || k.Path != "/" || !strings.HasPrefix(k.Name, "__Host-") || b.to.Query().Has("response_mode") {
			t.Errorf("the pending cookie is %v", k)
		}
		r := b.back(b.honest())
		r.Header.Set("Sec-Fetch-Site", "cross-site") // as it comes back from PSC
		if o := l.send(r); o.session == nil {
			t.Errorf("got %d", o.rec.Code)
		}
	},
	"CKY-037": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		r := page("/open")
		o := l.send(r)
		if o.rec.Code != 200 || len(o.rec.Header()["Set-Cookie"]) != 0 || o.rec.Header().Get("Vary") != "" {
			t.Errorf("got %d with %v", o.rec.Code, o.rec.Header())
		}
		l.invariants(o)
	},
})

// toLogin checks that a request without a session is sent to the sign-in, and back.
func (l *lab) toLogin(r *http.Request, back string) {
	l.t.Helper()
	o := l.send(r)
	if want := l.rp.LoginURL(back); o.rec.Code != 303 || o.rec.Header().Get("Location") != want {
		l.t.Errorf("%s got %d to %q, want %q", r.URL.Path, o.rec.Code, o.rec.Header().Get("Location"), want)
	}
	l.invariants(o)
}

func navigation(target string, headers ...string) *http.Request {
	r := page(target)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// The middleware.
var _ = hand(map[string]runner{
	"MWR-001": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		l.toLogin(navigation("/patients", "X-Forwarded-Host", "evil.example"), "/patients")
		o := l.send(navigation("/auth/login", "X-Forwarded-Host", "evil.example"))
		if to := o.rec.Header().Get("Location"); strings.Contains(to, "evil") || !strings.Contains(to, url.QueryEscape("https://app.example/auth/callback")) {
			t.Errorf("sent to %s", to)
		}
	},
	"MWR-002": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		o := l.send(navigation("/auth/login", "X-Forwarded-Proto", "http", "Forwarded", "proto=http"))
		if k := o.rec.Result().Cookies(); len(k) != 1 || !k[0].Secure {
			t.Errorf("cookies %v", k)
		}
		b := l.begin()
		r := b.back(b.honest())
		r.Header.Set("X-Forwarded-Proto", "http")
		if s := l.send(r).session; s == nil || !s.Secure {
			t.Errorf("the session cookie is %v", s)
		}
	},
	"MWR-004": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		for _, name := range []string{"X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Prefix"} {
			l.toLogin(navigation("/patients", name, "/open"), "/patients")
		}
	},
	"MWR-006": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
			r := navigation("/patients", name, "GET", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
			r.Method = "POST"
			r.AddCookie(session)
			if o := l.send(r); o.rec.Code != 403 {
				t.Errorf("another site's POST got %d", o.rec.Code)
			}
		}
	},
	"MWR-007": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		names := []string{"X-Auth-Request-User", "X-User-Rpps", "X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Forwarded-Email"}
		for _, name := range names {
			l.toLogin(navigation("/patients", name, "user-MARTIN"), "/patients")
			r := guarded(session)
			r.Header.Set(name, "user-MARTIN")
			l.c.Expect.Inv = []string{"I5", "I6"} // this one is in
			l.welcome(r, "DUPONT")
		}
	},
	"MWR-009": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		for _, agent := range []string{"kube-probe/1.31", "GoogleHC/1.0", "ELB-HealthChecker/2.0"} {
			l.toLogin(navigation("/patients", "User-Agent", agent), "/patients")
			r := call("User-Agent", agent)
			l.status = []int{401}
			l.denied(r)
		}
	},
	"MWR-011": func(t *testing.T, c corpusCase) {
		paths(t, c, "/private#/public", "/private%23/public", "/private?x=/public", "/private;/public")
	},
	"MWR-012": func(t *testing.T, c corpusCase) {
		paths(t, c, "/public/../private", "/public/..%2fprivate", "/public/%2e%2e/private", "//private", "/private%00", "/PRIVATE", "/./private", "/private/", "/public/..;/private", `/public\..\private`)
	},
	"MWR-014": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		l.status = []int{401}
		l.denied(call("Upgrade", "websocket", "Connection", "Upgrade", "Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-Websocket-Version", "13", "Sec-Fetch-Mode", "websocket"))
	},
	"MWR-016": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		server := httptest.NewUnstartedServer(l.rp.Handler(l.rp.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("a secret of the app's")
			}
			io.WriteString(w, "well")
		}))))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.Start()
		defer server.Close()
		get := func(path string) (int, string) {
			r, _ := http.NewRequest("GET", server.URL+path, nil)
			r.AddCookie(session)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				return 0, ""
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, string(text)
		}
		// Policy: a panic of the app's is the app's and net/http's, which drops the
		// connection; auth neither hides it nor answers in its place.
		if status, text := get("/panic"); status != 0 && status != 500 || strings.Contains(text, "secret") {
			t.Errorf("got %d %s", status, text)
		}
		if status, text := get("/"); status != 200 || text != "well" {
			t.Errorf("afterwards: got %d %s", status, text)
		}
		if strings.Contains(l.logs.String(), "a secret of the app's") {
			t.Error("auth logs it")
		}
	},
	"MWR-017": func(t *testing.T, c corpusCase) {
		l := crowd(t, c, func(cfg *auth.Config) {
			cfg.Authorize = func(ctx, auth.SignIn) (auth.Grant, error) { panic("fault") }
		})
		b := l.begin()
		rec := httptest.NewRecorder()
		func() {
			defer func() { recover() }() // as net/http does
			l.app.ServeHTTP(rec, b.back(b.honest()))
		}()
		if o := l.send(b.back(b.honest())); o.session != nil || o.rec.Code != 503 || strings.Contains(rec.Header().Get("Set-Cookie"), "psc_session") {
			t.Errorf("got %d, %v", o.rec.Code, rec.Header())
		}
		// A store that panics when a session is looked up lets nobody through.
		l = crowd(t, c, func(cfg *auth.Config) { cfg.Sessions = panicking{cfg.Sessions} })
		session := l.enter("DUPONT")
		rec = httptest.NewRecorder()
		func() {
			defer func() { recover() }()
			l.app.ServeHTTP(rec, guarded(session))
		}()
		if strings.Contains(rec.Body.String(), "page for") {
			t.Error("a page in spite of it")
		}
	},
	"MWR-019": func(t *testing.T, c corpusCase) {
		l := crowd(t, c, func(cfg *auth.Config) {
			cfg.Authorize = func(ctx, auth.SignIn) (auth.Grant, error) {
				return auth.Grant{Roles: []string{"clinician"}, Claims: map[string]string{"k": "v"}}, nil
			}
		})
		session := l.enter("DUPONT")
		seen := ""
		app := l.rp.Handler(l.rp.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s, _ := auth.SessionFromContext(r.Context())
			s.Roles[0], s.Claims["k"], s.UserID = "admin", "changed", "user-MARTIN"
			again, _ := auth.SessionFromContext(r.Context())
			seen = fmt.Sprint(again.UserID, " ", again.Roles, " ", again.Claims)
		})))
		for range 2 {
			app.ServeHTTP(httptest.NewRecorder(), guarded(session))
			if seen != "user-DUPONT [clinician] map[k:v]" {
				t.Errorf("the session has become %s", seen)
			}
		}
	},
	"MWR-021": func(t *testing.T, c corpusCase) {
		if rp, err := auth.New(auth.Config{}); rp != nil || err == nil || !strings.Contains(err.Error(), "Users is nil") || !strings.Contains(err.Error(), "Provider") {
			t.Errorf("got %v", err)
		}
		l := crowd(t, c)
		cfg := l.cfg
		cfg.Users = nil
		if rp, err := auth.New(cfg); rp != nil || err == nil {
			t.Errorf("without users: %v", err)
		}
	},
	"MWR-022": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		for _, path := range []string{"/patients", "/auth/session", "/auth/login", "/auth/logout"} {
			for _, method := range []string{"GET", "OPTIONS", "POST"} {
				r := httptest.NewRequest(method, path, nil)
				r.Header.Set("Origin", "https://evil.example")
				r.Header.Set("Access-Control-Request-Method", "POST")
				r.AddCookie(session)
				rec := l.serve(r)
				for name := range rec.Header() {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s %s says %s", method, path, name)
					}
				}
			}
		}
	},
	"MWR-024": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		l.c.Expect.Inv = []string{"I5", "I6"}
		for _, r := range []*http.Request{guarded(session), withBearer(session.Value)} {
			h := l.welcome(r, "DUPONT").rec.Header()
			if h.Get("Cache-Control") != "private, no-store" || !strings.Contains(h.Get("Vary"), "Cookie") || !strings.Contains(h.Get("Vary"), "Authorization") {
				t.Errorf("Cache-Control %q, Vary %q", h.Get("Cache-Control"), h.Get("Vary"))
			}
		}
	},
	"MWR-026": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		l.status = []int{401}
		for _, headers := range [][]string{{}, {"Accept", "application/json"}, {"Sec-Fetch-Mode", "cors"}, {"X-Requested-With", "XMLHttpRequest"}} {
			o := l.denied(call(headers...))
			if a := decode[programAnswer](t, o.rec.Body.String()); a.Error != "sign_in" || a.LoginURL == "" || o.rec.Header().Get("Content-Type") != "application/json" || o.rec.Header().Get("Location") != "" {
				t.Errorf("got %s", o.rec.Body)
			}
		}
	},
	"MWR-027": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		l.toLogin(navigation("/patients?x=1"), "/patients?x=1")
		l.toLogin(navigation("/%2f%2fevil.com"), "/")
		r := navigation("/patients")
		r.Method = "POST"
		if o := l.send(r); o.rec.Code != 401 || o.rec.Header().Get("Location") != "" || strings.Contains(o.rec.Body.String(), "%2Fpatients") {
			t.Errorf("a POST got %d", o.rec.Code)
		}
	},
	"MWR-029": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range scaled(10_000, 400) / 8 {
					rec := httptest.NewRecorder()
					l.app.ServeHTTP(rec, guarded(session))
					if rec.Code != 200 || rec.Body.String() != "page for DUPONT" {
						t.Errorf("got %d %s", rec.Code, rec.Body)
						return
					}
				}
			})
		}
		for i := range 6 { // PSC's keys rotate meanwhile
			l.key, l.header["kid"] = []func() *rsa.PrivateKey{signingKey, otherKey}[i%2](), fmt.Sprint("r", i)
			l.keys = keySet(jwk(&l.key.PublicKey, map[string]any{"kid": l.header["kid"]}))
			l.enter("MARTIN")
		}
		all.Wait()
	},
})

// panicking is a SessionStore whose feed panics.
type panicking struct{ auth.SessionStore }

func (panicking) EndedSessions(ctx, time.Time) ([]auth.EndedSession, time.Time, error) {
	panic("fault")
}

// paths asks for spellings of a private path, in an app that has a public one
// beside it. Who is not in sees it under none.
func paths(t *testing.T, c corpusCase, targets ...string) {
	l := crowd(t, c)
	mux := http.NewServeMux()
	private := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page for nobody") })
	mux.Handle("/private", l.rp.Require(private))
	mux.Handle("/private/", l.rp.Require(private))
	mux.HandleFunc("/public/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "public") })
	l.app = l.rp.Handler(mux)
	for _, target := range targets {
		u, err := url.Parse("https://app.example" + strings.ReplaceAll(target, `\`, "%5c"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(target, "//") {
			u.Path = target
		}
		r := page("/")
		r.URL, r.RequestURI = u, u.RequestURI()
		o := l.send(r)
		if strings.Contains(o.rec.Body.String(), "page for") || o.session != nil {
			t.Errorf("%s got %d %s", target, o.rec.Code, o.rec.Body)
		}
		if to := o.rec.Header().Get("Location"); o.rec.Code == 303 && !strings.HasPrefix(to, "/auth/login?return_to=%2F") {
			t.Errorf("%s leads to %s", target, to)
		}
		if to := o.rec.Header().Get("Location"); browserOrigin(to) != "https://app.example" && to != "" {
			t.Errorf("I9: %s leads to %s", target, to)
		}
	}
}

// Signing out.
var _ = hand(map[string]runner{
	"LGO-001": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		r := httptest.NewRequest("GET", "/auth/logout", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "no-cors")
		r.AddCookie(session)
		o := l.send(r)
		if len(o.rec.Result().Cookies()) != 0 || len(o.events) != 0 {
			t.Errorf("it changed %v, %+v", o.rec.Result().Cookies(), o.events)
		}
		l.invariants(o)
		l.stillIn(session)
	},
	"LGO-002": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			r := navigation("/auth/logout", headers...)
			r.Method = "POST"
			r.AddCookie(session)
			o := l.send(r)
			if o.rec.Code != 403 || len(o.rec.Result().Cookies()) != 0 {
				t.Errorf("%v got %d", headers, o.rec.Code)
			}
			l.invariants(o)
			l.stillIn(session)
		}
	},
	"LGO-004": func(t *testing.T, c corpusCase) { replayAfterLogout(t, c) },
	"LGO-006": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		for range 2 {
			r := navigation("/auth/logout")
			r.Method = "POST"
			o := l.send(r)
			if o.rec.Code != 200 || strings.Contains(o.rec.Body.String(), l.server.URL) || len(o.events) != 0 {
				t.Errorf("got %d, %+v", o.rec.Code, o.events)
			}
			l.invariants(o)
		}
	},
	"LGO-007": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		id := ""
		l.mangle = func(token string) string { id = token; return token }
		o := l.leave(l.enter("DUPONT"))
		l.invariants(o)
		u, err := url.Parse(decode[struct {
			LogoutURL string `json:"logout_url"`
		}](t, o.rec.Body.String()).LogoutURL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if u.Path != "/auth/realms/esante-wallet/logout" || q.Get("id_token_hint") != id || q.Get("client_id") != "client" || q.Get("post_logout_redirect_uri") != "https://app.example/auth/signed-out" || len(q.Get("state")) < 22 {
			t.Errorf("sent to %s", u)
		}
	},
	"LGO-009": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		for _, query := range []string{"", "?state=never-sent", "?state=a&state=b", "?error=x"} {
			o := l.send(page("/auth/signed-out" + query))
			if o.rec.Code != 200 {
				t.Errorf("%q got %d", query, o.rec.Code)
			}
			l.invariants(o)
		}
	},
	"LGO-011": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		for _, name := range []string{"wallet-openid-configuration", "logout", "certs", "token"} {
			l.answers[name] = writes(asJSON, 503, "")
		}
		l.renew() // a process that has read no metadata
		o := l.leave(session)
		if !strings.Contains(o.rec.Body.String(), `"logout_url":null`) {
			t.Errorf("got %s", o.rec.Body)
		}
		l.invariants(o)
		if o := l.send(call("Cookie", session.String())); o.rec.Code != 401 {
			t.Errorf("afterwards: got %d", o.rec.Code)
		}
	},
	"LGO-012": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		r := navigation("/auth/logout", "Sec-Fetch-Site", "same-origin")
		r.Method = "POST"
		r.AddCookie(session)
		o := l.send(r)
		text := o.rec.Body.String()
		if o.rec.Code != 200 || !strings.Contains(text, "id_token_hint=") || o.rec.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("got %d, Referrer-Policy %q", o.rec.Code, o.rec.Header().Get("Referrer-Policy"))
		}
		if strings.Contains(l.logs.String(), "eyJ") || strings.Contains(o.rec.Header().Get("Location"), "eyJ") {
			t.Error("a token is in the log or in Location")
		}
		l.invariants(o)
	},
	"LGO-014": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		o := l.leave(l.enter("DUPONT"))
		if o.rec.Header().Get("Clear-Site-Data") != "" {
			t.Error("it is sent: change what the table chosen says")
		}
		l.invariants(o)
	},
	"LGO-016": func(t *testing.T, c corpusCase) {
		l := crowd(t, c)
		session := l.enter("DUPONT")
		o := l.send(guarded(session))
		if got := o.rec.Header().Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("a page of a person: Cache-Control %q", got)
		}
		l.invariants(l.leave(session))
		l.toLogin(guarded(session), "/patients")
	},
})

func (l *lab) stillIn(session *http.Cookie) {
	l.t.Helper()
	if rec := l.serve(guarded(session)); rec.Code != 200 || rec.Body.String() != "page for DUPONT" {
		l.t.Errorf("the session got %d", rec.Code)
	}
}

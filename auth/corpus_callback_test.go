package auth_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

// callbacks runs a case once for each query of a callback, in a browser of which a
// sign-in is pending. STATE and CODE are that sign-in's.
func callbacks(queries ...string) runner {
	return func(t *testing.T, c corpusCase) {
		for _, query := range queries {
			l := newLab(t, c)
			b := l.begin()
			query = strings.NewReplacer("STATE", b.state, "CODE", corpusCode, "ISS", url.QueryEscape(l.issuer())).Replace(query)
			r := b.back("")
			r.URL.RawQuery = query
			r.RequestURI = r.URL.RequestURI()
			o := l.send(r)
			l.judge(o)
			if c.Expect.Reason != "exchange_failed" && !c.accepted() && l.count("token") != 0 {
				t.Errorf("%.60q: the code was sent to PSC", query)
			}
			if strings.Contains(c.Expect.Reason, "op_error") {
				escaped(t, o)
			}
		}
	}
}

// escaped checks the page of an error of PSC's.
func escaped(t *testing.T, o outcome) {
	t.Helper()
	h, text := o.rec.Header(), o.rec.Body.String()
	for _, bad := range []string{"<script>alert", "<img src=x", "onerror", "fake", "\u202e", "invalid_scope", "access_denied"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if h.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header %v", h)
	}
}

// notACallback sends what looks like one. It must be refused without spending the
// pending sign-in, which the honest answer then completes.
func notACallback(method, path string) runner {
	return func(t *testing.T, c corpusCase) {
		for m := range strings.SplitSeq(method, "/") {
			l := newLab(t, c)
			b := l.begin()
			body := &counting{Reader: strings.NewReader("state=" + b.state + "&code=" + corpusCode)}
			r := httptest.NewRequest(m, path+b.honest(), body)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			r.AddCookie(b.pending)
			app := l.app
			l.app = l.rp // mounted alone; below, the app's guard answers
			l.says = "."
			o := l.send(r)
			if o.session != nil || !slices.Contains(c.Expect.HTTP, o.rec.Code) || len(o.rec.Result().Cookies()) != 0 || len(o.events) != 0 {
				t.Errorf("%s got %d, %d cookies, %d events", m, o.rec.Code, len(o.rec.Result().Cookies()), len(o.events))
			}
			if body.n != 0 {
				t.Errorf("%d bytes of the body were read", body.n)
			}
			l.invariants(o)
			l.app = app
			if path != "/auth/callback" {
				o = l.send(r)
				l.silent(o)
				if o.session != nil || l.count("token") != 0 {
					t.Errorf("below the app's guard: got %d", o.rec.Code)
				}
			}
			if got := l.send(b.back(b.honest())); got.session == nil {
				t.Errorf("%s: the honest answer then got %d", m, got.rec.Code)
			}
		}
	}
}

type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// strict makes the lab's token endpoint one that knows its codes: each is bound to
// the challenge of the request for which it was issued, and is good once.
func (l *lab) strict(challenges map[string]string) {
	honest := l.answers["token"]
	spent := map[string]bool{}
	l.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
		l.hear(r)
		code := r.PostForm.Get("code")
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if spent[code] || challenges[code] != b64(sum[:]) {
			writes(asJSON, 400, `{"error":"invalid_grant"}`)(w, r)
			return
		}
		spent[code] = true
		honest(w, r)
	}
}

func (b begun) challenge() string { return b.to.Query().Get("code_challenge") }

const honestQuery = "state=STATE&code=CODE"

var _ = hand(map[string]runner{
	"CBK-001": callbacks(""),
	"CBK-002": callbacks("code=CODE"),
	"CBK-004": callbacks("state=&code=CODE"),
	"CBK-006": callbacks("state=STATE&state=evil&code=CODE"),
	"CBK-007": callbacks("state=evil&state=STATE&code=CODE"),
	"CBK-009": callbacks(honestQuery+"&iss=ISS&iss=ISS", honestQuery+"&iss=ISS&iss=evil"),
	"CBK-011": callbacks("STATE=x&code=CODE", "State=x&code=CODE"),
	"CBK-012": callbacks("state=" + strings.Repeat("A", 1<<20) + "&code=CODE"),
	"CBK-014": callbacks("state=STATE%20&code=CODE", "state=STATE%00&code=CODE", "state=STATE%0A&code=CODE", "state=STATE+&code=CODE"),
	"CBK-016": func(t *testing.T, c corpusCase) {
		for _, n := range []int{1, 20, 42} {
			l := newLab(t, c)
			b := l.begin()
			l.judge(l.send(b.back("?state=" + b.state[:n] + "&code=" + corpusCode)))
		}
	},
	"CBK-017": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin()
		var kept []*http.Cookie
		l.status, l.says = []int{303}, "^$" // policy: three quiet restarts, and then words
		for range 3 {
			r := page("/auth/callback" + b.honest())
			for _, k := range kept {
				r.AddCookie(k)
			}
			o := l.send(r)
			l.judge(o)
			if to := o.rec.Header().Get("Location"); !strings.HasPrefix(to, "/auth/login?") || len(o.events) != 0 {
				t.Errorf("sent to %s, %d events", to, len(o.events))
			}
			kept = o.rec.Result().Cookies()
		}
		l.status, l.says = nil, `reason=state_expired `
		r := page("/auth/callback" + b.honest())
		for _, k := range kept {
			r.AddCookie(k)
		}
		o := l.send(r)
		l.judge(o)
		if len(o.events) != 1 || l.count("token") != 0 {
			t.Errorf("%d events, %d exchanges", len(o.events), l.count("token"))
		}
	},
	"CBK-019": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		attacker, victim := l.begin(), l.begin()
		l.judge(l.send(attacker.back(victim.honest())))
		// Nor under the name that the victim's state would have.
		r := page("/auth/callback" + victim.honest())
		r.AddCookie(&http.Cookie{Name: victim.pending.Name, Value: attacker.pending.Value})
		l.judge(l.send(r))
		if l.count("token") != 0 {
			t.Error("the code was sent to PSC")
		}
	},
	"CBK-021": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.answers["token"] = writes(asJSON, 400, `{"error":"invalid_grant"}`)
		l.says = says["exchange_failed"] // policy: the second click reads what the first did, and is not told again
		b := l.begin()
		l.judge(l.send(b.back(b.honest()))) // which sends it twice (I4), and finds one event
		again := l.send(b.back("?state=" + b.state + "&code=another-code"))
		if again.session != nil || again.rec.Code != 401 || len(again.events) != 0 || l.count("token") != 1 {
			t.Errorf("the state again with another code: got %d, %d exchanges", again.rec.Code, l.count("token"))
		}
	},
	"CBK-022": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin()
		l.clock.Advance(10*time.Minute + time.Second)
		l.status, l.says = []int{303}, "^$" // policy: a quiet restart
		o := l.send(b.back(b.honest()))
		l.judge(o)
		if to := o.rec.Header().Get("Location"); !strings.HasPrefix(to, "/auth/login?") || l.count("token") != 0 {
			t.Errorf("sent to %s, %d exchanges", to, l.count("token"))
		}
	},
	"CBK-024": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		a, b := l.begin(), l.begin()
		for _, tab := range []begun{a, b} {
			r := page("/auth/callback" + tab.honest())
			r.AddCookie(b.pending)
			r.AddCookie(a.pending)
			l.nonce = tab.nonce
			l.judge(l.send(r))
		}
	},
	"CBK-026": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		first, second := l.begin(), l.begin()
		l.strict(map[string]string{corpusCode: first.challenge()})
		l.nonce = first.nonce
		if o := l.send(first.back(first.honest())); o.session == nil {
			t.Fatalf("the first got %d", o.rec.Code)
		}
		l.judge(l.send(second.back(second.honest())))
	},
	"CBK-027": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin()
		l.renew(func(cfg *auth.Config) { cfg.Secrets = [][]byte{bytes.Repeat([]byte("fedcba9876543210"), 2)} })
		l.judge(l.send(b.back(b.honest())))
	},
	"CBK-029": callbacks(`state={"r":"/"}&code=CODE`, `state=%7B%22r%22%3A%22%2F%22%7D&code=CODE`),
	"CBK-031": callbacks("state=STATE&code=%zz", "state=STATE&code=CODE&x=%"),
	"CBK-032": all(
		because(`reason=too_large `, callbacks(strings.Repeat("a&", 20_000)+honestQuery)),
		because(`reason=duplicate_param `, callbacks(honestQuery+strings.Repeat("&a=1", 3_000))),
	),
	"CBK-034": notACallback("POST", "/auth/callback"),
	"CBK-036": notACallback("PUT/DELETE/PATCH/OPTIONS/TRACE", "/auth/callback"),
	"CBK-037": notACallback("HEAD", "/auth/callback"),
	"CBK-039": notACallback("GET", "/auth/callback/"),
	"CBK-041": notACallback("GET", "/auth/CALLBACK"),
	"CBK-042": notACallback("GET", "/auth/callback;x=1"),
	"CBK-044": because(`reason=missing_state `, callbacks("")),
	"CBK-046": notACallback("POST", "/auth/callback"), // the body is not read, so its size does not matter
	"CBK-047": callbacks("error=access_denied&state=STATE"),
	"CBK-049": callbacks("error=invalid_scope&state=STATE&error_description=%3Cscript%3Ealert(1)%3C/script%3E"),
	"CBK-051": callbacks("error=%3Cimg%20src=x%20onerror=alert(1)%3E&state=STATE"),
	"CBK-052": func(t *testing.T, c corpusCase) {
		because(`reason=missing_state `, callbacks("error=access_denied"))(t, c) // policy: whose it is comes first
	},
	"CBK-054": callbacks("error=access_denied&code=CODE&state=STATE"),
	"CBK-056": func(t *testing.T, c corpusCase) {
		callbacks("error=access_denied&state=STATE&error_description=x%0D%0Atime%3D2026%20level%3DERROR%20msg%3Dfake", "error=x%0D%0Alevel%3DERROR%20msg%3Dfake&state=STATE")(t, c)
		l := newLab(t, c)
		b := l.begin()
		l.send(b.back("?error=x%0D%0Alevel%3DERROR%20msg%3Dfake&state=" + b.state))
		if strings.Contains(l.logs.String(), "fake") {
			t.Errorf("the log holds %s", l.logs)
		}
	},
	"CBK-057": callbacks("error=access_denied&state=STATE&error_description=%E2%80%AEevil", "error=%E2%80%AEevil&state=STATE"),
	"CBK-059": callbacks(honestQuery+"&iss=https%3A%2F%2Fevil.example", honestQuery+"&iss=ISS%2F", "error=access_denied&state=STATE&iss=https%3A%2F%2Fevil.example"),
	"CBK-061": callbacks(honestQuery + "&iss="),
	"CBK-062": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.metadata["authorization_response_iss_parameter_supported"] = true
		l.try()
	},
	"CBK-064": callbacks(honestQuery),
	"CBK-066": callbacks(honestQuery + "&id_token=eyJhbGciOiJub25lIn0.e30."),
	"CBK-067": callbacks(honestQuery + "&access_token=x"),
	"CBK-069": callbacks(honestQuery + "&foo=bar&session_state=x"),
	"CBK-071": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		victim, attacker := l.begin(), l.begin()
		l.strict(map[string]string{"the-code-of-the-victim": victim.challenge()})
		l.judge(l.send(attacker.back("?state=" + attacker.state + "&code=the-code-of-the-victim")))
	},
	"CBK-072": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin()
		l.strict(map[string]string{corpusCode: b64(make([]byte, 32))})
		l.judge(l.send(b.back(b.honest())))
	},
	"CBK-074": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		for _, query := range []string{"", "&code_challenge_method=plain", "&code_challenge=x"} {
			l.loginQuery = query
			b := l.begin()
			q := b.to.Query()
			if q.Get("code_challenge_method") != "S256" || len(q["code_challenge_method"]) != 1 || len(q["code_challenge"]) != 1 || len(b.challenge()) != 43 {
				t.Errorf("sent %v", q)
			}
			l.judge(l.send(b.back(b.honest())))
		}
	},
	"CBK-076": func(t *testing.T, c corpusCase) {
		seen := map[string]bool{}
		for range 20 {
			l := newLab(t, c)
			b := l.begin()
			l.strict(map[string]string{corpusCode: b.challenge()})
			l.secrets = nil
			l.judge(l.send(b.back(b.honest())))
			verifier := l.secrets[0] // hear notes it first
			for _, v := range []string{b.state, b.nonce, verifier} {
				sum := sha256.Sum256([]byte(v))
				if len(v) != 43 || seen[v] || seen[b64(sum[:])] {
					t.Fatalf("a value of %d characters, seen before or derived", len(v))
				}
				seen[v], seen[b64(sum[:])] = true, true
			}
		}
	},
	"CBK-077": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.metadata["code_challenge_methods_supported"] = nil
		if b := l.begin(); b.challenge() == "" || b.to.Query().Get("code_challenge_method") != "S256" {
			t.Errorf("sent to %s", b.to.Path)
		}
		l.try()
		// What names methods, and not ours, is refused (DSC-014).
		l = newLab(t, c)
		l.metadata["code_challenge_methods_supported"] = []string{}
		if rec := l.serve(page("/auth/login")); rec.Code != 502 {
			t.Errorf("no method at all: got %d", rec.Code)
		}
	},

	"CBK-079": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		attacker := l.try().session
		if !strings.HasPrefix(attacker.Name, "__Host-") || !attacker.Secure || !attacker.HttpOnly || attacker.Path != "/" || attacker.Domain != "" || attacker.SameSite != http.SameSiteLaxMode {
			t.Errorf("the session cookie is %v", attacker)
		}
		o := l.send(guarded(&http.Cookie{Name: strings.TrimPrefix(attacker.Name, "__Host-"), Value: attacker.Value}))
		if o.rec.Code != 303 || strings.Contains(o.rec.Body.String(), "DUPONT") {
			t.Errorf("the name without prefix got %d", o.rec.Code)
		}
		// A session that was there before a sign-in does not survive it.
		b := l.begin()
		r := b.back(b.honest())
		r.AddCookie(attacker)
		if fresh := l.send(r).session; fresh == nil || fresh.Value == attacker.Value {
			t.Fatal("no new session")
		}
		if o := l.send(guarded(attacker)); o.rec.Code != 303 {
			t.Errorf("the session from before the sign-in got %d", o.rec.Code)
		}
	},
	"CBK-081": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		session := l.try().session
		r := page("/auth/login?return_to=/x")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.AddCookie(session)
		rec := l.serve(r)
		for _, k := range rec.Result().Cookies() {
			if !strings.Contains(k.Name, "psc_pending") {
				t.Errorf("it touched %s", k.Name)
			}
		}
		if rec := l.serve(guarded(session)); rec.Code != 200 || rec.Body.String() != "page for DUPONT" {
			t.Errorf("the session got %d %s", rec.Code, rec.Body)
		}
	},
	"CBK-082": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		attacker := l.begin()
		o := l.send(page("/auth/callback" + attacker.honest())) // in the victim's browser
		if o.session != nil || o.rec.Code != 303 || !strings.HasPrefix(o.rec.Header().Get("Location"), "/auth/login?") || l.count("token") != 0 {
			t.Errorf("got %d, %d exchanges", o.rec.Code, l.count("token"))
		}
		l.invariants(o)
	},
	"CBK-084": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin()
		session := l.send(b.back(b.honest())).session
		r := page("/auth/callback" + b.honest())
		r.AddCookie(session)
		o := l.send(r)
		if o.rec.Code != 303 || o.rec.Header().Get("Location") != "/x" || l.count("token") != 1 || len(o.events) != 0 {
			t.Errorf("got %d to %s, %d exchanges", o.rec.Code, o.rec.Header().Get("Location"), l.count("token"))
		}
		l.invariants(o)
	},
	"CBK-086": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		r := page("/auth/login")
		r.Host = "evil.example"
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "X-Original-Host"} {
			r.Header.Set(name, "evil.example")
		}
		r.Header.Set("Forwarded", "host=evil.example;proto=http")
		r.Header.Set("X-Forwarded-Proto", "http")
		o := l.send(r)
		to, _ := url.Parse(o.rec.Header().Get("Location"))
		if got := to.Query().Get("redirect_uri"); got != "https://app.example/auth/callback" || strings.Contains(to.String(), "evil") {
			t.Errorf("redirect_uri is %s in %s", got, to)
		}
		if k := o.rec.Result().Cookies(); len(k) != 1 || !k[0].Secure || k[0].Domain != "" {
			t.Errorf("cookies %v", k)
		}
		l.invariants(o)
	},
	"CBK-087": func(t *testing.T, c corpusCase) {
		for _, query := range []string{honestQuery, "", "state=STATE", "state=STATE&state=x", "error=access_denied&state=STATE", "state=STATE&code=%zz", honestQuery + "&iss=x", "state=" + strings.Repeat("A", 43)} {
			for _, lie := range []func(l *lab){
				func(*lab) {},
				func(l *lab) { l.answers["token"] = writes(asJSON, 500, "") },
				func(l *lab) { l.claims["acr"] = "eidas0" },
				func(l *lab) { l.answers["userinfo"] = writes(asJSON, 403, "") },
				func(l *lab) { l.clock.Advance(11 * time.Minute) },
			} {
				l := newLab(t, c)
				b := l.begin()
				lie(l)
				o := l.send(b.back("?" + strings.NewReplacer("STATE", b.state, "CODE", corpusCode).Replace(query)))
				if l.cleared(o); o.session == nil {
					l.consumed(o)
				}
			}
		}
	},
	"CBK-089": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin()
		l.clock.Advance(9 * time.Minute)
		l.judge(l.send(b.back(b.honest())))
		b = l.begin()
		l.clock.Advance(11 * time.Minute)
		o := l.send(b.back(b.honest()))
		if o.session != nil || o.rec.Code != 303 || !strings.HasPrefix(o.rec.Header().Get("Location"), "/auth/login?") {
			t.Errorf("after eleven minutes: got %d", o.rec.Code)
		}
		l.consumed(o)
		l.invariants(o)
	},
})

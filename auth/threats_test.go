package auth_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/store/sqlite"
)

// namedTest finds the tests that a document names: TestX of this package,
// folder.TestX of another, TestX/a row as its table has it.
var namedTest = regexp.MustCompile("`(?:([a-z]+)\\.)?((?:Test|Fuzz)[A-Z]\\w*)(?:/([^`]+))?`")

// sources returns the text of the Go files in a folder of that name.
func sources(t *testing.T, folder string) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range []string{"../%", "../auth/%", "../auth/internal/%", "../store/%", "../cmd/%", "../example/%", "../example/carelink/%"} {
		files, err := filepath.Glob(strings.Replace(pattern, "%", folder, 1) + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(b)
		}
	}
	return text.String()
}

// Every test that the documents name as a proof exists, and every threat of the
// model names one.
func TestTheDocumentsNameTestsThatExist(t *testing.T) {
	texts := map[string]string{}
	for _, doc := range []string{"threat-model.md", "security.md"} {
		b, err := os.ReadFile("../docs/" + doc)
		if err != nil {
			t.Fatal(err)
		}
		named, threats := 0, 0
		for line := range strings.Lines(string(b)) {
			found := namedTest.FindAllStringSubmatch(line, -1)
			named += len(found)
			for _, m := range found {
				folder, name, row := m[1], m[2], m[3]
				if folder == "" {
					folder = "auth"
				}
				if texts[folder] == "" {
					texts[folder] = sources(t, folder)
				}
				if !strings.Contains(texts[folder], "\nfunc "+name+"(") {
					t.Errorf("%s: no test is called %s.%s", doc, folder, name)
				}
				if row != "" && !strings.Contains(texts[folder], `"`+row+`"`) {
					t.Errorf("%s: %s.%s has no row %q", doc, folder, name, row)
				}
			}
			if doc != "threat-model.md" || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| threat") {
				continue
			}
			threats++
			cells := strings.Split(strings.TrimSpace(line), " | ")
			if len(cells) != 5 || !namedTest.MatchString(cells[3]) {
				t.Errorf("%s: a threat needs an attacker, what stops her, a test and what is left: %s", doc, line)
			}
		}
		if named < 10 || doc == "threat-model.md" && threats < 30 {
			t.Errorf("%s names %d tests and %d threats", doc, named, threats)
		}
	}
}

// The codes of two sign-ins, exchanged on the way back: each is bound to its own
// by PKCE, at PSC, and by the nonce, here.
func TestACodeOfAnotherSignInIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lax   bool // PSC does not look at the verifier
		calls int  // of the token endpoint that brought tokens
	}{
		{"by PSC, which sees another verifier", false, 0},
		{"by us, who see another nonce", true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line := &withoutPKCE{lax: tt.lax}
			w := newWorld(t, func(c *auth.Config) { c.HTTPClient = &http.Client{Transport: line} })
			w.psc.Lenient = func(string) {}
			thief, victim := w.browser(), w.browser()
			if tt.lax {
				thief.Transport, victim.Transport = line, line
			}
			one, _ := url.Parse(w.callbackThrough(thief, line, "dr-martin"))
			two, _ := url.Parse(w.callbackThrough(victim, line, "dr-dupont"))
			swap := func(state, code *url.URL) string {
				q := state.Query()
				q.Set("code", code.Query().Get("code"))
				return strings.TrimPrefix(state.Path, w.url) + "?" + q.Encode()
			}
			for c, address := range map[*http.Client]string{thief: swap(one, two), victim: swap(two, one)} {
				got := w.get(stay(&http.Client{Jar: c.Jar, Transport: navigating{}}), address)
				if got.StatusCode != 401 || w.cookie(c, "psc_session") != "" {
					t.Errorf("got %s, session %v", got.Status, w.cookie(c, "psc_session") != "")
				}
			}
			if line.tokens != tt.calls || w.calls("/userinfo") != 0 {
				t.Errorf("%d answers with tokens, want %d; userinfo was asked %d times", line.tokens, tt.calls, w.calls("/userinfo"))
			}
		})
	}
}

// withoutPKCE is a line to PSC, for browser and app, on which PKCE gets lost if it
// is lax.
type withoutPKCE struct {
	lax    bool
	tokens int
}

func (l *withoutPKCE) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if l.lax {
		if q := r.URL.Query(); q.Has("code_challenge") {
			q.Del("code_challenge")
			q.Del("code_challenge_method")
			r.URL.RawQuery = q.Encode()
		}
		if strings.HasSuffix(r.URL.Path, "/token") {
			body := new(bytes.Buffer)
			body.ReadFrom(r.Body)
			form, _ := url.ParseQuery(body.String())
			form.Del("code_verifier")
			again, err := http.NewRequestWithContext(r.Context(), "POST", r.URL.String(), strings.NewReader(form.Encode()))
			if err != nil {
				return nil, err
			}
			again.Header = r.Header
			r = again
		}
	}
	resp, err := navigating{}.RoundTrip(r)
	if err == nil && resp.StatusCode == 200 && strings.HasSuffix(r.URL.Path, "/token") {
		l.tokens++
	}
	return resp, err
}

// callbackThrough is callbackURL over another line.
func (w *world) callbackThrough(c *http.Client, line http.RoundTripper, persona string) string {
	w.t.Helper()
	hold := &holdingOver{holding{callback: w.cfg.RedirectURL}, line}
	resp, err := w.psc.SignIn(&http.Client{Jar: c.Jar, Transport: hold}, w.url+"/app/auth/login?return_to=/patients", persona)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if hold.held == "" {
		w.t.Fatalf("the sign-in did not come to the callback; it ended at %s with %s", resp.Request.URL, resp.Status)
	}
	return hold.held
}

type holdingOver struct {
	holding
	line http.RoundTripper
}

func (h *holdingOver) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.String(), h.callback) {
		return h.holding.RoundTrip(r)
	}
	return h.line.RoundTrip(r)
}

// Whoever reads the database, or a copy of it, finds names and no way in: no token
// of PSC's or ours, no secret.
func TestTheDatabaseHoldsNoToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *auth.Config) { c.Users, c.Sessions = db, db })
	c := w.browser()
	if got := w.signIn(c, "dr-dupont"); got.StatusCode != 200 {
		t.Fatalf("got %s", got.Status)
	}
	session := w.cookie(c, "psc_session")
	w.do(w.browser(), "POST", "/app/auth/logout")
	if err := db.Close(); err != nil { // which moves the log into the file
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("DUPONT")) {
		t.Fatal("the sign-in is not in the file")
	}
	for name, secret := range map[string]string{
		"a JWT": "eyJ", "the session token": session[len(session)-43:], "the client secret": "carelink-secret", "the app's secret": string(testSecret),
	} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the database holds %s", name)
		}
	}
}

// No page of ours can be framed, run a foreign script or be kept by a cache.
func TestPagesOfOursKeepToThemselves(t *testing.T) {
	w := newWorld(t)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	w.clock.Advance(6 * time.Minute)
	for _, tt := range []struct{ method, path string }{
		{"GET", "/app/auth/logout"}, {"GET", "/app/auth/signed-out"}, {"GET", "/app/auth/callback?state=x&code=y"},
		{"GET", "/sensitive"}, {"GET", "/team"}, {"POST", "/app/auth/logout"}, {"POST", "/patients"},
	} {
		got := w.do(stay(c), tt.method, tt.path)
		if got.StatusCode == 303 { // the callback, of somebody who is signed in
			got = w.do(stay(w.browser()), tt.method, tt.path)
		}
		h := got.Header
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s %s: CSP %q lacks %s", tt.method, tt.path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" ||
			h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s, %s: headers %v", tt.method, tt.path, got.Status, h)
		}
	}
}

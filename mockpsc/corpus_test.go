package mockpsc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// TestCorpus runs the adversarial cases that are about a mock provider, one
// subtest each. What a provider must never do is checked after each: an answer of
// 5xx, a redirect with a code where there must be none, a secret on a page.
func TestCorpus(t *testing.T) {
	text, err := os.ReadFile("testdata/adversarial.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		ID     string
		Expect struct{ Verdict string }
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != len(corpus) {
		t.Errorf("%d cases, and %d are known", len(cases), len(corpus))
	}
	count := map[string]int{}
	for _, c := range cases {
		run := corpus[c.ID]
		if run == nil {
			t.Errorf("%s: nobody knows how to run it", c.ID)
			continue
		}
		count[c.Expect.Verdict]++
		t.Run(c.ID, func(t *testing.T) {
			rp, now := twoClients(t)
			run(t, rp, now)
			if log := rp.mock.Requests(); len(log) == 0 && c.ID != "MOP-027" {
				t.Error("the mock was never asked")
			}
		})
	}
	t.Logf("corpus: MOP accepted %d, refused %d", count["accept"], count["reject"])
}

// refusedAt sends an authorization request that must not be answered by a code,
// and, when it is the return address that is bad, by no redirect at all.
func (rp *relyingParty) refusedAt(t *testing.T, change map[string]string, redirect bool) {
	t.Helper()
	resp, page := get(t, stay(newBrowser(t)), rp.authURL(change))
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Query().Has("code") || strings.Contains(to.Fragment, "token=") {
		t.Errorf("%v: sent to %s", change, to)
	}
	switch {
	case resp.StatusCode >= 500:
		t.Errorf("%v: got %d", change, resp.StatusCode)
	case redirect && (to.Query().Get("error") == "" || to.Query().Get("state") != "the-state"):
		t.Errorf("%v: got %d to %q, want an error", change, resp.StatusCode, to)
	case !redirect && (resp.StatusCode != 400 || to.String() != ""):
		t.Errorf("%v: got %d to %q, want a page", change, resp.StatusCode, to)
	}
	if strings.Contains(page, "carelink-secret") {
		t.Error("the page holds a secret")
	}
}

// code signs in by an authorization request and returns the code.
func (rp *relyingParty) code(t *testing.T, c *http.Client, change map[string]string) string {
	t.Helper()
	resp, err := rp.mock.SignIn(c, rp.authURL(change), "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, resp); got != "back" {
		t.Fatalf("the sign-in ended with %d %.300q", resp.StatusCode, got)
	}
	return rp.lastCallback().Get("code")
}

// refusedGrant exchanges a code that must not be accepted.
func (rp *relyingParty) refusedGrant(t *testing.T, form url.Values, errors ...string) {
	t.Helper()
	got := rp.exchange(t, form)
	known := false
	for _, e := range errors {
		known = known || got.Error == e
	}
	if got.Status != 400 || !known || got.AccessToken != "" || got.IDToken != "" {
		t.Errorf("got %d %s, want %v", got.Status, got.Body, errors)
	}
}

var corpus = map[string]func(*testing.T, *relyingParty, *clock){
	"MOP-001": func(t *testing.T, rp *relyingParty, _ *clock) {
		rp.refusedAt(t, map[string]string{"redirect_uri": "https://evil.example/callback"}, false)
	},
	"MOP-002": func(t *testing.T, rp *relyingParty, _ *clock) {
		good := rp.redirectURI()
		for _, uri := range []string{good + "?x=1", good + "/", strings.Replace(good, "callback", "Callback", 1), strings.Replace(good, "127.0.0.1", "127.0.0.1:1", 1), good + "#x", strings.Replace(good, "http:", "HTTP:", 1)} {
			rp.refusedAt(t, map[string]string{"redirect_uri": uri}, false)
		}
	},
	"MOP-004": func(t *testing.T, rp *relyingParty, _ *clock) {
		for _, kind := range []string{"token", "id_token", "id_token token", "code token", "none"} {
			rp.refusedAt(t, map[string]string{"response_type": kind}, true)
		}
	},
	"MOP-006": func(t *testing.T, rp *relyingParty, now *clock) {
		code := rp.code(t, newBrowser(t), nil)
		if got := rp.exchange(t, rp.form(code)); got.Status != 200 {
			t.Fatalf("the first time: got %d %s", got.Status, got.Body)
		}
		rp.refusedGrant(t, rp.form(code), "invalid_grant")
		now.advance(31 * time.Second)
		rp.refusedGrant(t, rp.form(code), "invalid_grant")
	},
	"MOP-007": func(t *testing.T, rp *relyingParty, _ *clock) {
		form := rp.form(rp.code(t, newBrowser(t), nil))
		form.Set("client_id", "other")
		form.Set("client_secret", "other-secret")
		rp.refusedGrant(t, form, "invalid_grant")
	},
	"MOP-009": func(t *testing.T, rp *relyingParty, _ *clock) {
		form := rp.form(rp.code(t, newBrowser(t), nil))
		form.Set("redirect_uri", rp.redirectURI()+"/")
		rp.refusedGrant(t, form, "invalid_grant")
	},
	"MOP-011": func(t *testing.T, rp *relyingParty, _ *clock) {
		form := rp.form(rp.code(t, newBrowser(t), map[string]string{"code_challenge": "", "code_challenge_method": ""}))
		rp.refusedGrant(t, form, "invalid_grant")
	},
	"MOP-012": func(t *testing.T, rp *relyingParty, _ *clock) {
		rp.refusedAt(t, map[string]string{"code_challenge_method": "plain", "code_challenge": verifier}, true)
	},
	"MOP-014": func(t *testing.T, rp *relyingParty, _ *clock) {
		if got := rp.exchange(t, rp.form(rp.code(t, newBrowser(t), nil))); got.Status != 200 {
			t.Errorf("post: got %d %s", got.Status, got.Body)
		}
		form := rp.form(rp.code(t, newBrowser(t), nil))
		form.Del("client_id")
		form.Del("client_secret")
		req, err := http.NewRequest("POST", rp.mock.URL+issuerPath+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", formType)
		req.SetBasicAuth("carelink", "carelink-secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := readTokens(t, resp); got.Status != 200 {
			t.Errorf("basic: got %d %s", got.Status, got.Body)
		}
	},
	"MOP-016": func(t *testing.T, rp *relyingParty, _ *clock) {
		resp, _ := get(t, stay(newBrowser(t)), rp.authURL(map[string]string{"prompt": "none"}))
		to, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || !strings.HasPrefix(to.String(), rp.redirectURI()) || to.Query().Get("error") != "login_required" || to.Query().Get("state") != "the-state" || to.Query().Has("code") {
			t.Errorf("sent to %s", to)
		}
	},
	"MOP-017": func(t *testing.T, rp *relyingParty, now *clock) {
		c := newBrowser(t)
		var times []float64
		for range 3 {
			tok := rp.exchange(t, rp.form(rp.code(t, c, map[string]string{"prompt": "login"})))
			claims, err := rp.verify(t, tok.IDToken)
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, claims["auth_time"].(float64))
			now.advance(time.Minute)
		}
		if times[1] != times[0]+60 || times[2] != times[1]+60 {
			t.Errorf("auth_time %v", times)
		}
	},
	"MOP-019": func(t *testing.T, rp *relyingParty, _ *clock) {
		if got := rp.exchange(t, rp.form(rp.code(t, newBrowser(t), map[string]string{"extra": "foobar"}))); got.Status != 200 || rp.lastCallback().Has("extra") {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	},
	// Policy: PSC's guide demands a nonce, so without one there is a page; a mild
	// mock takes the request, as PSC did in 2021.
	"MOP-021": func(t *testing.T, rp *relyingParty, _ *clock) {
		rp.refusedAt(t, map[string]string{"nonce": ""}, false)
		rule := ""
		rp.mock.Lenient = func(broken string) { rule = broken }
		tok := rp.exchange(t, rp.form(rp.code(t, newBrowser(t), map[string]string{"nonce": ""})))
		if claims, err := rp.verify(t, tok.IDToken); err != nil || claims["nonce"] != nil && claims["nonce"] != "" || !strings.Contains(rule, "nonce") {
			t.Errorf("got nonce %v, %v; told %q", claims["nonce"], err, rule)
		}
	},
	"MOP-022": func(t *testing.T, rp *relyingParty, _ *clock) {
		tok := rp.exchange(t, rp.form(rp.code(t, newBrowser(t), nil)))
		address := rp.mock.URL + issuerPath + "/protocol/openid-connect/userinfo"
		status, byGet := rp.userinfo(t, tok.AccessToken)
		if status != 200 {
			t.Errorf("GET: got %d", status)
		}
		req, _ := http.NewRequest("POST", address, nil)
		req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, resp); resp.StatusCode != 200 || text != byGet {
			t.Errorf("POST: got %d %s", resp.StatusCode, text)
		}
		if resp, text := submit(t, http.DefaultClient, address, "access_token", tok.AccessToken); resp.StatusCode != 200 || text != byGet {
			t.Errorf("POST with a body: got %d %s", resp.StatusCode, text)
		}
	},
	"MOP-024": func(t *testing.T, rp *relyingParty, _ *clock) {
		end := rp.mock.URL + issuerPath + "/protocol/openid-connect/logout?"
		for _, tt := range []struct {
			name, fault, uri string
			hint             bool
			status           int
		}{
			{"an undeclared return address", "", "https://evil.example/", true, 400},
			{"a query added", "", rp.URL + "/bye?x=1", true, 400},
			{"an unsigned hint", "alg-none", rp.URL + "/bye", true, 400},
			{"a foreign hint", "unknown-key", rp.URL + "/bye", true, 400},
			{"no hint, which is asked about", "", rp.URL + "/bye", false, 200},
		} {
			var faults []string
			if tt.fault != "" {
				faults = append(faults, tt.fault)
			}
			c, tok := rp.signIn(t, "dr-dupont", faults...)
			q := url.Values{"client_id": {"carelink"}, "post_logout_redirect_uri": {tt.uri}, "state": {"s"}}
			if tt.hint {
				q.Set("id_token_hint", tok.IDToken)
			}
			if resp, _ := get(t, stay(c), end+q.Encode()); resp.StatusCode != tt.status || resp.Header.Get("Location") != "" {
				t.Errorf("%s: got %d to %q", tt.name, resp.StatusCode, resp.Header.Get("Location"))
			}
		}
	},
	// The switch is the issuer: the mock listens beyond loopback only for who says
	// under which address it is reached (cmd/mockpsc refuses -addr otherwise), and
	// answers to no other host.
	"MOP-026": func(t *testing.T, rp *relyingParty, _ *clock) { rp.strangersHost(t, "") },
	"MOP-027": func(t *testing.T, _ *relyingParty, _ *clock) {
		for _, host := range []string{"auth.bas.psc.esante.gouv.fr", "auth.esw.esante.gouv.fr", "x.ESANTE.gouv.fr", "esante.gouv.fr.", "wallet.esw.esante.gouv.fr:8443"} {
			if err := (&mockpsc.Server{Issuer: "https://" + host + issuerPath}).Check(); err == nil || !strings.Contains(err.Error(), "real service") {
				t.Errorf("%s: got %v", host, err)
			}
		}
	},
	// Faults are data that a sign-in names: one door for people and programs.
	"MOP-029": func(t *testing.T, rp *relyingParty, _ *clock) {
		faults := mockpsc.Faults()
		for _, f := range faults {
			if resp, err := rp.mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-dupont", f.Name); err == nil {
				body(t, resp)
			} else if strings.Contains(err.Error(), "fault") {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
		if len(faults) < 20 {
			t.Errorf("%d faults", len(faults))
		}
		rp.strangersHost(t, "alg-none")
	},
	"MOP-031": func(t *testing.T, rp *relyingParty, _ *clock) {
		c, spy := newBrowser(t), &redirectsOfPosts{}
		c.Transport = spy
		rp.code(t, c, nil)
		if len(spy.statuses) == 0 {
			t.Error("no form was answered by a redirect")
		}
		for _, status := range spy.statuses {
			if status != http.StatusSeeOther && status != http.StatusFound {
				t.Errorf("a form was answered by %d", status)
			}
		}
	},
}

// strangersHost asks for the mock by a name that is no loopback host.
func (rp *relyingParty) strangersHost(t *testing.T, fault string) {
	t.Helper()
	for _, path := range []string{issuerPath + "/.well-known/wallet-openid-configuration", "/auth?client_id=carelink&fault=" + fault} {
		req, err := http.NewRequest("GET", rp.mock.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "psc.example"
		resp, err := stay(&http.Client{}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, resp); resp.StatusCode == 200 || resp.Header.Get("Location") != "" || strings.Contains(text, `"issuer"`) {
			t.Errorf("%s got %d %.300s", path, resp.StatusCode, text)
		}
	}
}

// redirectsOfPosts notes how forms are answered.
type redirectsOfPosts struct{ statuses []int }

func (s *redirectsOfPosts) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == "POST" && resp.Header.Get("Location") != "" {
		s.statuses = append(s.statuses, resp.StatusCode)
	}
	return resp, err
}

package mockpsc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// witness is all that an application sees of one sign-in, so that a fault can be
// shown to change what it says, and nothing else.
type witness struct {
	callback  url.Values
	tok       tokens
	header    map[string]any
	claims    map[string]any
	text      string // of the claims, for what a map hides
	verified  error
	userinfo  map[string]any
	userinfoS int
}

func observe(t *testing.T, rp *relyingParty, faults ...string) witness {
	t.Helper()
	_, tok := rp.signIn(t, "dr-dupont", faults...)
	w := witness{callback: rp.lastCallback(), tok: tok}
	if tok.IDToken != "" {
		w.text = payload(t, tok.IDToken)
		if err := json.Unmarshal([]byte(w.text), &w.claims); err != nil {
			t.Fatal(err)
		}
		header, _ := base64.RawURLEncoding.DecodeString(strings.Split(tok.IDToken, ".")[0])
		if err := json.Unmarshal(header, &w.header); err != nil {
			t.Fatal(err)
		}
		_, w.verified = rp.verify(t, tok.IDToken)
	}
	if tok.AccessToken != "" {
		status, text := rp.userinfo(t, tok.AccessToken)
		w.userinfoS = status
		if err := json.Unmarshal([]byte(text), &w.userinfo); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// differs lists the claims in which two maps differ, those of chance left out.
func differs(a, b map[string]any) []string {
	var names []string
	for name := range maps.Keys(mergedKeys(a, b)) {
		if slices.Contains([]string{"exp", "iat", "auth_time", "jti", "session_state", "sid", "at_hash"}, name) {
			continue
		}
		va, _ := json.Marshal(a[name])
		vb, _ := json.Marshal(b[name])
		if string(va) != string(vb) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func mergedKeys(a, b map[string]any) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

func TestFaultsSayExactlyWhatTheyChange(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	truth := observe(t, rp)
	if truth.verified != nil || truth.userinfoS != 200 || truth.claims["sub"] != truth.userinfo["sub"] {
		t.Fatalf("the truth does not hold: %+v", truth)
	}
	// What differs from the truth, per fault; a change that is not listed is a bug.
	type change struct {
		claims, userinfo []string
		header           string
		unverified       bool
		check            func(t *testing.T, w witness)
	}
	id := func(w witness) map[string]any { return w.claims }
	expected := map[string]change{
		"wrong-state": {check: func(t *testing.T, w witness) {
			if s := w.callback.Get("state"); s == "" || s == "the-state" || !w.callback.Has("code") {
				t.Errorf("got %v", w.callback)
			}
		}},
		"wrong-iss-parameter": {check: func(t *testing.T, w witness) {
			if i := w.callback.Get("iss"); i == "" || i == rp.mock.URL+issuerPath {
				t.Errorf("got %v", w.callback)
			}
		}},
		"wrong-nonce":    {claims: []string{"nonce"}},
		"missing-nonce":  {claims: []string{"nonce"}},
		"wrong-issuer":   {claims: []string{"iss"}},
		"wrong-audience": {claims: []string{"aud"}},
		"expired": {check: func(t *testing.T, w witness) {
			if late := id(w)["iat"].(float64) - id(w)["exp"].(float64); late != 600 {
				t.Errorf("expired %v s before it was issued", late)
			}
		}},
		"missing-exp": {check: func(t *testing.T, w witness) {
			if _, ok := id(w)["exp"]; ok {
				t.Error("exp is there")
			}
		}},
		"weak-acr":      {claims: []string{"acr"}},
		"wrong-at-hash": {check: func(t *testing.T, w witness) { checkAtHash(t, w, false) }},
		"duplicate-sub": {claims: []string{"sub"}, check: func(t *testing.T, w witness) {
			if strings.Count(w.text, `"sub":`) != 2 {
				t.Error(w.text)
			}
		}},
		"folded-sub":       {claims: []string{"Sub", "sub"}},
		"bad-signature":    {unverified: true},
		"unknown-key":      {unverified: true, header: "kid"},
		"alg-none":         {unverified: true, header: "alg"},
		"hs256-public-key": {unverified: true, header: "alg"},
		"other-sub":        {userinfo: []string{"sub"}},
		"no-id-token": {check: func(t *testing.T, w witness) {
			if w.tok.Status != 200 || w.tok.IDToken != "" || w.tok.AccessToken == "" {
				t.Errorf("got %d %s", w.tok.Status, w.tok.Body)
			}
		}},
		"token-500": {check: func(t *testing.T, w witness) {
			if w.tok.Status != 500 || w.tok.AccessToken != "" {
				t.Errorf("got %d %s", w.tok.Status, w.tok.Body)
			}
		}},
		"access-denied": {check: func(t *testing.T, w witness) {
			if w.callback.Get("error") != "access_denied" || w.callback.Has("code") || w.callback.Get("state") != "the-state" {
				t.Errorf("got %v", w.callback)
			}
		}},
	}
	described := 0
	for _, f := range mockpsc.Faults() {
		want, ok := expected[f.Name]
		if !ok {
			continue // TestAFaultStrikesWhereItSaysAndNowhereElse has them all
		}
		described++
		t.Run(f.Name, func(t *testing.T) {
			w := observe(t, rp, f.Name)
			if want.check != nil {
				want.check(t, w)
			}
			if w.tok.IDToken == "" {
				return
			}
			if got := differs(w.claims, truth.claims); !slices.Equal(got, want.claims) {
				t.Errorf("claims that differ: got %v, want %v", got, want.claims)
			}
			if got := differs(w.userinfo, truth.userinfo); !slices.Equal(got, want.userinfo) {
				t.Errorf("userinfo that differs: got %v, want %v", got, want.userinfo)
			}
			if (w.verified != nil) != want.unverified {
				t.Errorf("signature: %v", w.verified)
			}
			for _, name := range []string{"alg", "kid"} {
				if (w.header[name] != truth.header[name]) != (want.header == name) {
					t.Errorf("header %s: %v, truth %v", name, w.header[name], truth.header[name])
				}
			}
			if f.Name != "wrong-at-hash" {
				checkAtHash(t, w, true)
			}
			if f.Where != "callback" && (w.callback.Get("state") != "the-state" || w.callback.Get("iss") != rp.mock.URL+issuerPath) {
				t.Errorf("callback: %v", w.callback)
			}
		})
	}
	if described != len(expected) {
		t.Errorf("%d of the %d that are described here are no faults", len(expected)-described, len(expected))
	}
}

func TestFaultsAdd(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	w := observe(t, rp, "wrong-nonce", "weak-acr", "other-sub")
	if w.claims["nonce"] == "the-nonce" || w.claims["acr"] != "0" || w.claims["sub"] == w.userinfo["sub"] {
		t.Errorf("got %v and userinfo of %v", w.claims, w.userinfo["sub"])
	}
}

func TestFaultsHitOneSignInOnly(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	c, _ := rp.signIn(t, "dr-dupont", "bad-signature")
	if _, err := rp.mock.SignIn(c, rp.URL+"/login", "dr-dupont"); err != nil {
		t.Fatal(err)
	}
	tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
	if _, err := rp.verify(t, tok.IDToken); err != nil {
		t.Errorf("the next sign-in of the same browser: %v", err)
	}
}

func TestUnknownNamesAreRefusedLoudly(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for _, tt := range []struct {
		name, persona string
		faults        []string
		want          string
	}{
		{"an unknown persona", "dr-who", nil, `unknown persona "dr-who"`},
		{"an unknown fault", "dr-dupont", []string{"wrong-colour"}, `unknown fault "wrong-colour"`},
		{"an unknown means", "dr-dupont/finger", nil, `unknown means "finger"`},
		{"a means that does not work", "ret-garnier/card", nil, "expired"},
		{"a persona with no means that works", "pharma-costa", nil, "blocked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := mock.SignIn(newBrowser(t), rp.URL+"/login", tt.persona, tt.faults...)
			if err == nil {
				resp.Body.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "mockpsc: ") {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	t.Run("at the form too", func(t *testing.T) {
		p := begin(t, rp)
		resp, _ := submit(t, p.browser, mock.URL+"/auth/sign-in", "attempt", p.attempt, "persona", "dr-dupont", "fault", "wrong-colour")
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(resp.Header.Get("X-Mock-PSC-Error"), "wrong-colour") {
			t.Errorf("got %d %v", resp.StatusCode, resp.Header)
		}
		resp, _ = submit(t, p.browser, mock.URL+"/auth/sign-in", "attempt", p.attempt, "persona", "dr-who")
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(resp.Header.Get("X-Mock-PSC-Error"), "dr-who") {
			t.Errorf("got %d %v", resp.StatusCode, resp.Header)
		}
	})
}

// checkAtHash compares at_hash with the access token (OpenID Connect Core, section 3.1.3.6).
func checkAtHash(t *testing.T, w witness, want bool) {
	t.Helper()
	sum := sha256.Sum256([]byte(w.tok.AccessToken))
	if got := w.claims["at_hash"] == base64.RawURLEncoding.EncodeToString(sum[:16]); got != want {
		t.Errorf("at_hash belongs to the access token: %t, want %t", got, want)
	}
}

// A client that follows the token endpoint's redirect gets in, or the fault would
// catch nobody.
func TestWhoFollowsTheTokenRedirectGetsIn(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	if _, tok := rp.signIn(t, "dr-dupont", "token-redirected"); tok.IDToken == "" {
		t.Error("the honest answer did not come from elsewhere")
	}
}

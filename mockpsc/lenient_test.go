package mockpsc_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// passed collects what a lenient mock lets pass.
type passed struct {
	mu    sync.Mutex
	rules []string
}

func (l *passed) let(rule string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = append(l.rules, rule)
}

func (l *passed) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.rules, "\n")
}

func TestLenientLetsPassAndSaysWhat(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change map[string]string
		says   string
	}{
		{"no state", map[string]string{"state": ""}, "state is required"},
		{"no nonce", map[string]string{"nonce": ""}, "nonce is required"},
		{"acr for acr_values", map[string]string{"acr_values": "", "acr": "eidas1"}, "acr_values=eidas1 is required"},
		{"an old acr_values", map[string]string{"acr_values": "eidas2"}, `received "eidas2"`},
		{"scopes of Keycloak's", map[string]string{"scope": "openid profile email scope_all"}, "scope must be"},
		{"an unknown prompt", map[string]string{"prompt": "create"}, `unknown prompt "create"`},
		{"a max_age in words", map[string]string{"max_age": "soon"}, "max_age is a number"},
		{"a response_mode", map[string]string{"response_mode": "form_post"}, "response_mode=query"},
		{"a request object", map[string]string{"request": "e30.e30."}, "request objects"},
		{"plain PKCE", map[string]string{"code_challenge": verifier, "code_challenge_method": "plain"}, "code_challenge_method=S256"},
		{"PKCE without its method", map[string]string{"code_challenge": verifier, "code_challenge_method": ""}, "code_challenge_method=S256"},
		{"a verifier without a challenge", map[string]string{"code_challenge": "", "code_challenge_method": ""}, "code_verifier without code_challenge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mock, list := mockpsc.NewServer(t), new(passed)
			mock.Lenient = list.let
			rp := newRelyingParty(t, mock)
			resp, err := mock.SignIn(newBrowser(t), rp.authURL(tt.change), "dr-dupont")
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, resp); text != "back" {
				t.Fatalf("came to %.200q", text)
			}
			if rp.lastCallback().Has("state") == (tt.name == "no state") {
				t.Errorf("the answer is %v", rp.lastCallback())
			}
			tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
			if tok.Status != 200 {
				t.Errorf("the exchange: %s", tok.Body)
			}
			if !strings.Contains(list.all(), tt.says) {
				t.Errorf("told %q, want %q", list.all(), tt.says)
			}

			strict := newRelyingParty(t, mockpsc.NewServer(t))
			if resp, err := strict.mock.SignIn(newBrowser(t), strict.authURL(tt.change), "dr-dupont"); err == nil {
				body(t, resp)
				if tok := strict.exchange(t, strict.form(strict.lastCallback().Get("code"))); tok.Status == 200 {
					t.Error("the strict mock lets it pass too")
				}
			}
		})
	}
}

func TestLenientIsNotBlind(t *testing.T) {
	mock, list := mockpsc.NewServer(t), new(passed)
	mock.Lenient = list.let
	rp := newRelyingParty(t, mock)
	for name, change := range map[string]map[string]string{
		"another client":          {"client_id": "nobody"},
		"an undeclared address":   {"redirect_uri": "https://elsewhere.example/cb"},
		"the implicit flow":       {"response_type": "id_token"},
		"an unknown PKCE method":  {"code_challenge_method": "S512"},
		"a challenge cut short":   {"code_challenge": "short"},
		"a missing response_type": {"response_type": ""},
	} {
		resp, _ := get(t, newBrowser(t), rp.authURL(change))
		if resp.StatusCode == http.StatusOK && resp.Request.URL.Path != "/callback" {
			t.Errorf("%s: shown the sign-in page", name)
		}
	}
	if list.all() != "" {
		t.Errorf("told %q", list.all())
	}

	plain := map[string]string{"code_challenge": verifier, "code_challenge_method": "plain"}
	resp, err := mock.SignIn(newBrowser(t), rp.authURL(plain), "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	body(t, resp)
	form := rp.form(rp.lastCallback().Get("code"))
	form.Set("code_verifier", strings.Repeat("x", 50))
	if tok := rp.exchange(t, form); tok.Description != "PKCE verification failed" {
		t.Errorf("another verifier under plain: %s", tok.Body)
	}
}

func TestLenientTakesASecretTwice(t *testing.T) {
	mock, list := mockpsc.NewServer(t), new(passed)
	mock.Lenient = list.let
	rp := newRelyingParty(t, mock)
	resp, err := mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	body(t, resp)
	req, err := http.NewRequest("POST", mock.URL+issuerPath+"/protocol/openid-connect/token",
		strings.NewReader(rp.form(rp.lastCallback().Get("code")).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape("carelink"), url.QueryEscape("carelink-secret"))
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if tok := readTokens(t, resp); tok.Status != 200 || !strings.Contains(list.all(), "one way of client authentication") {
		t.Errorf("got %s, told %q", tok.Body, list.all())
	}
}

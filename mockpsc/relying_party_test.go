package mockpsc_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/pscauth/pscauth/mockpsc"
)

const (
	verifier = "a-code-verifier-of-at-least-forty-three-characters"
)

// relyingParty is an application that believes everything it is told, and
// shows it: what a fault changes is then seen, and what it must not change too.
type relyingParty struct {
	*httptest.Server
	mock  *mockpsc.Server
	pages string // base URL of the sign-in page; "": the mock's

	mu       sync.Mutex
	callback url.Values
}

func newRelyingParty(t *testing.T, mock *mockpsc.Server) *relyingParty {
	rp := &relyingParty{mock: mock}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, rp.authURL(nil), http.StatusFound)
	})
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		rp.mu.Lock()
		rp.callback = r.URL.Query()
		rp.mu.Unlock()
		fmt.Fprint(w, "back")
	})
	mux.HandleFunc("/bye", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "bye "+r.URL.RawQuery) })
	rp.Server = httptest.NewServer(mux)
	t.Cleanup(rp.Close)
	return rp
}

func (rp *relyingParty) redirectURI() string { return rp.URL + "/callback" }

// authURL is a correct authorization request, then changed: "" removes.
func (rp *relyingParty) authURL(change map[string]string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"carelink"}, "redirect_uri": {rp.redirectURI()},
		"scope": {"openid scope_all"}, "acr_values": {"eidas1"}, "state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for k, v := range change {
		if v == "" {
			q.Del(k)
		} else {
			q.Set(k, v)
		}
	}
	return cmp.Or(rp.pages, rp.mock.URL) + "/auth?" + q.Encode()
}

func (rp *relyingParty) lastCallback() url.Values {
	rp.mu.Lock()
	defer rp.mu.Unlock()
	return rp.callback
}

// tokens is the token endpoint's answer.
type tokens struct {
	Status       int
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
	Body         string
}

const issuerPath = "/auth/realms/esante-wallet"

func (rp *relyingParty) form(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {rp.redirectURI()}, "code_verifier": {verifier},
		"client_id": {"carelink"}, "client_secret": {"carelink-secret"},
	}
}

func (rp *relyingParty) exchange(t *testing.T, form url.Values) tokens {
	t.Helper()
	resp, err := http.PostForm(rp.mock.URL+issuerPath+"/protocol/openid-connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	return readTokens(t, resp)
}

func readTokens(t *testing.T, resp *http.Response) tokens {
	t.Helper()
	tok := tokens{Status: resp.StatusCode, Body: body(t, resp)}
	if err := json.Unmarshal([]byte(tok.Body), &tok); err != nil {
		t.Fatalf("token answer %q: %v", tok.Body, err)
	}
	return tok
}

// signIn goes all the way to the tokens.
func (rp *relyingParty) signIn(t *testing.T, persona string, faults ...string) (*http.Client, tokens) {
	t.Helper()
	c := newBrowser(t)
	resp, err := rp.mock.SignIn(c, rp.URL+"/login", persona, faults...)
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, resp); got != "back" {
		t.Fatalf("the application answered %d %q, want its callback", resp.StatusCode, got)
	}
	return c, rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
}

func (rp *relyingParty) userinfo(t *testing.T, accessToken string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", rp.mock.URL+issuerPath+"/protocol/openid-connect/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body(t, resp)
}

// keys fetches the published keys.
func (rp *relyingParty) keys(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	getJSON(t, rp.mock.URL+issuerPath+"/protocol/openid-connect/certs", &set)
	return set
}

// verify checks a JWT's signature against the published keys and returns its claims.
func (rp *relyingParty) verify(t *testing.T, token string) (map[string]any, error) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	set := rp.keys(t)
	found := set.Key(jws.Signatures[0].Header.KeyID)
	if len(found) != 1 {
		return nil, fmt.Errorf("%d keys with kid %q", len(found), jws.Signatures[0].Header.KeyID)
	}
	payload, err := jws.Verify(found[0])
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, json.Unmarshal(payload, &claims)
}

func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// stay makes a client that does not follow redirects, with the same cookies.
func stay(c *http.Client) *http.Client {
	return &http.Client{Jar: c.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func get(t *testing.T, c *http.Client, address string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body(t, resp)
}

func submit(t *testing.T, c *http.Client, address string, pairs ...string) (*http.Response, string) {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	resp, err := c.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body(t, resp)
}

func getJSON(t *testing.T, address string, into any) {
	t.Helper()
	resp, text := get(t, http.DefaultClient, address)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d: %s", address, resp.StatusCode, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("GET %s: %v", address, err)
	}
}

func payload(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in a token", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

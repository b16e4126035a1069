package mockpsc_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// clock is a time that only a test moves, so that a slow machine fails no test.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 22, 9, 5, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func newMockWithClock(t *testing.T) (*mockpsc.Server, *clock) {
	mock, c := mockpsc.NewServer(t), new(clock)
	mock.Now = c.now
	return mock, c
}

func TestMetadata(t *testing.T) {
	mock := mockpsc.NewServer(t)
	issuer := mock.URL + issuerPath
	_, text := get(t, http.DefaultClient, issuer+"/.well-known/wallet-openid-configuration")

	t.Run("members come in the real order, duplicates and oddities kept", func(t *testing.T) {
		for _, want := range []string{
			`{"issuer":"` + issuer + `","authorization_endpoint":"` + mock.URL + `/auth","token_endpoint":"` + issuer + `/protocol/openid-connect/token","introspection_endpoint":`,
			`"acr_values_supported":["0","0"]`,
			`"code_challenge_methods_supported":["plain","S256"]`,
			`},"authorization_response_iss_parameter_supported":true}`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("lacks %s", want)
			}
		}
	})
	t.Run("no placeholder is left", func(t *testing.T) {
		if strings.Contains(text, "{issuer}") || strings.Contains(text, "{base}") || strings.Contains(text, "psc.example") {
			t.Error(text)
		}
	})
	t.Run("the stock document differs in the authorization endpoint only", func(t *testing.T) {
		_, stock := get(t, http.DefaultClient, issuer+"/.well-known/openid-configuration")
		want := strings.Replace(text, `"`+mock.URL+`/auth"`, `"`+issuer+`/protocol/openid-connect/auth"`, 1)
		if stock != want {
			t.Errorf("got %s", stock)
		}
	})
	t.Run("one key to sign and one to encrypt", func(t *testing.T) {
		rp := newRelyingParty(t, mock)
		uses := map[string]string{}
		for _, k := range rp.keys(t).Keys {
			uses[k.Use] = k.Algorithm
			if !k.IsPublic() {
				t.Error("a private key is published")
			}
		}
		if uses["sig"] != "RS256" || uses["enc"] != "RSA-OAEP" || len(uses) != 2 {
			t.Errorf("got %v", uses)
		}
	})
	t.Run("what is advertised and not imitated says so", func(t *testing.T) {
		for _, path := range []string{"/auth/device", "/ext/par/request"} {
			resp, text := submit(t, http.DefaultClient, issuer+"/protocol/openid-connect"+path)
			if resp.StatusCode != http.StatusNotImplemented || !strings.Contains(text, `"error":"not_implemented"`) {
				t.Errorf("%s: got %d %s", path, resp.StatusCode, text)
			}
		}
	})
}

// The layouts of a real answer, of 2022 for the tokens.
func TestTokensHaveTheRealLayout(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	_, tok := rp.signIn(t, "dr-dupont")
	for _, tt := range []struct{ name, text, want string }{
		{"token answer", tok.Body, "access_token expires_in refresh_expires_in refresh_token token_type id_token not-before-policy session_state scope"},
		{"ID token", payload(t, tok.IDToken), "exp iat auth_time jti iss aud sub typ azp nonce session_state at_hash sid authMode acr SubjectNameID preferred_username given_name family_name"},
		{"access token", payload(t, tok.AccessToken), "exp iat auth_time jti iss sub typ azp nonce session_state preferred_username email_verified acr scope sid"},
	} {
		if got := memberNames(t, tt.text); got != tt.want {
			t.Errorf("%s: got members\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(tok.IDToken, ".")[0])
	if err != nil || !regexp.MustCompile(`^\{"alg":"RS256","typ" : "JWT","kid" : "[\w-]+"\}$`).Match(header) {
		t.Errorf("header %s, want Keycloak's spaces", header)
	}
	claims, err := rp.verify(t, tok.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"iss": rp.mock.URL + issuerPath, "aud": "carelink", "azp": "carelink", "nonce": "the-nonce", "typ": "ID", "acr": "eidas1", "authMode": "MOBILE",
		"sub": "f:00000000-0000-4000-8000-000000000001:899999001011", "SubjectNameID": "899999001011", "given_name": "Jean", "family_name": "DUPONT",
		"sid": rp.lastCallback().Get("session_state"), "session_state": rp.lastCallback().Get("session_state"),
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if life := claims["exp"].(float64) - claims["iat"].(float64); life != 120 {
		t.Errorf("the ID token lives %v s, want 120", life)
	}
	if access, err := rp.verify(t, tok.AccessToken); err != nil || access["typ"] != "Bearer" {
		t.Errorf("access token: %v, typ %v", err, access["typ"])
	}
	if n := len(tok.AccessToken); n < 200 || n > 2000 {
		t.Errorf("the access token has %d characters, ANS's schema allows 200 to 2,000", n)
	}
	if code := rp.lastCallback().Get("code"); !regexp.MustCompile(`^[0-9a-f-]{36}\.[0-9a-f-]{36}\.[0-9a-f-]{36}$`).MatchString(code) {
		t.Errorf("code %q, want Keycloak's form", code)
	}
}

func memberNames(t *testing.T, object string) string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(object))
	dec.Token()
	var names []string
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(names, " ")
}

func TestCallbackCarriesStateSessionCodeAndIssuer(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	rp.signIn(t, "dr-dupont")
	got := rp.lastCallback()
	if got.Get("state") != "the-state" || got.Get("iss") != rp.mock.URL+issuerPath || got.Get("session_state") == "" || len(got) != 4 {
		t.Errorf("got %v", got)
	}
}

func TestTokenEndpoint(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	for _, tt := range []struct {
		name      string
		authorize map[string]string
		change    map[string]string // of the form; "" removes
		wait      time.Duration
		status    int
		err       string
	}{
		{name: "a correct request", status: 200},
		{name: "a code 29 seconds old", wait: 29 * time.Second, status: 200},
		{name: "a code 31 seconds old", wait: 31 * time.Second, status: 400, err: "invalid_grant"},
		{name: "a code that was never issued", change: map[string]string{"code": "x"}, status: 400, err: "invalid_grant"},
		{name: "no code", change: map[string]string{"code": ""}, status: 400, err: "invalid_request"},
		{name: "another redirect URI than in the request", change: map[string]string{"redirect_uri": "http://localhost:1/callback"}, status: 400, err: "invalid_grant"},
		{name: "no redirect URI", change: map[string]string{"redirect_uri": ""}, status: 400, err: "invalid_grant"},
		{name: "a wrong secret", change: map[string]string{"client_secret": "x"}, status: 401, err: "unauthorized_client"},
		{name: "no secret", change: map[string]string{"client_secret": ""}, status: 401, err: "unauthorized_client"},
		{name: "an unknown client", change: map[string]string{"client_id": "x"}, status: 401, err: "invalid_client"},
		{name: "no grant type", change: map[string]string{"grant_type": ""}, status: 400, err: "invalid_request"},
		{name: "a refresh without a refresh token", change: map[string]string{"grant_type": "refresh_token"}, status: 400, err: "invalid_request"},
		{name: "a password", change: map[string]string{"grant_type": "password"}, status: 400, err: "unsupported_grant_type"},

		{name: "a wrong verifier", change: map[string]string{"code_verifier": strings.Repeat("x", 43)}, status: 400, err: "invalid_grant"},
		{name: "no verifier after a challenge", change: map[string]string{"code_verifier": ""}, status: 400, err: "invalid_grant"},
		{name: "a verifier without a challenge", authorize: map[string]string{"code_challenge": "", "code_challenge_method": ""}, status: 400, err: "invalid_grant"},
		{name: "neither challenge nor verifier", authorize: map[string]string{"code_challenge": "", "code_challenge_method": ""}, change: map[string]string{"code_verifier": ""}, status: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := mock.SignIn(newBrowser(t), rp.authURL(tt.authorize), "dr-dupont"); err != nil {
				t.Fatal(err)
			}
			form := rp.form(rp.lastCallback().Get("code"))
			for k, v := range tt.change {
				if v == "" {
					form.Del(k)
				} else {
					form.Set(k, v)
				}
			}
			now.advance(tt.wait)
			tok := rp.exchange(t, form)
			if tok.Status != tt.status || tok.Error != tt.err {
				t.Errorf("got %d %q (%s), want %d %q", tok.Status, tok.Error, tok.Description, tt.status, tt.err)
			}
		})
	}
}

func TestClientAuthenticationByBasic(t *testing.T) {
	// A secret that only form-urlencoding brings through (RFC 6749, section 2.3.1).
	const id, secret = "client:1", "s%3A+ %é"
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	mock.Clients = []mockpsc.Client{{ID: id, Secret: secret, RedirectURIs: []string{rp.redirectURI()}}}
	for _, tt := range []struct {
		name, user, password string
		change               map[string]string
		status               int
		err                  string
	}{
		{"form-urlencoded", url.QueryEscape(id), url.QueryEscape(secret), nil, 200, ""},
		{"with the same client_id in the form", url.QueryEscape(id), url.QueryEscape(secret), map[string]string{"client_id": id}, 200, ""},
		{"not encoded", id, secret, nil, 401, "invalid_client"},
		{"with another client_id in the form", url.QueryEscape(id), url.QueryEscape(secret), map[string]string{"client_id": "other"}, 401, "invalid_client"},
		{"with a secret in the form too", url.QueryEscape(id), url.QueryEscape(secret), map[string]string{"client_secret": secret}, 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := mock.SignIn(newBrowser(t), rp.authURL(map[string]string{"client_id": id}), "dr-dupont"); err != nil {
				t.Fatal(err)
			}
			form := rp.form(rp.lastCallback().Get("code"))
			form.Del("client_id")
			form.Del("client_secret")
			for k, v := range tt.change {
				form.Set(k, v)
			}
			req, err := http.NewRequest("POST", mock.URL+issuerPath+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.SetBasicAuth(tt.user, tt.password)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if tok := readTokens(t, resp); tok.Status != tt.status || tok.Error != tt.err {
				t.Errorf("got %d %q, want %d %q", tok.Status, tok.Error, tt.status, tt.err)
			}
		})
	}
}

func TestCodeReuseRevokesTheAccessToken(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	_, tok := rp.signIn(t, "dr-dupont")
	if status, _ := rp.userinfo(t, tok.AccessToken); status != 200 {
		t.Fatalf("userinfo before the reuse: %d", status)
	}
	if again := rp.exchange(t, rp.form(rp.lastCallback().Get("code"))); again.Error != "invalid_grant" || again.Description != "Code not valid" {
		t.Errorf("second exchange: got %d %s", again.Status, again.Body)
	}
	if status, text := rp.userinfo(t, tok.AccessToken); status != 401 || !strings.Contains(text, "invalid_token") {
		t.Errorf("userinfo after the reuse: got %d %s, want 401", status, text)
	}
}

func TestUserinfo(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	_, tok := rp.signIn(t, "dr-dupont")
	endpoint := mock.URL + issuerPath + "/protocol/openid-connect/userinfo"

	resp, text := submit(t, http.DefaultClient, endpoint, "access_token", tok.AccessToken)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(text, `"SubjectNameID":"899999001011"`) {
		t.Errorf("POST: got %d %s", resp.StatusCode, text)
	}
	for _, tt := range []struct{ name, token string }{
		{"an ID token", tok.IDToken}, {"a refresh token", tok.RefreshToken}, {"nonsense", "x"},
	} {
		if status, text := rp.userinfo(t, tt.token); status != 401 || !strings.Contains(text, "invalid_token") {
			t.Errorf("%s: got %d %s", tt.name, status, text)
		}
	}
	resp, _ = get(t, http.DefaultClient, endpoint+"?access_token="+tok.AccessToken)
	if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != `Bearer realm="esante-wallet"` {
		t.Errorf("a token in the query: got %d %q", resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
	}
	now.advance(119 * time.Second)
	if status, _ := rp.userinfo(t, tok.AccessToken); status != 200 {
		t.Errorf("after 119 s: got %d", status)
	}
	now.advance(2 * time.Second)
	if status, _ := rp.userinfo(t, tok.AccessToken); status != 401 {
		t.Errorf("after 121 s: got %d, want 401", status)
	}
}

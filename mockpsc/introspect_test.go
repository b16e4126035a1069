package mockpsc_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	asCarelink = "client_id=carelink&client_secret=carelink-secret"
	asOther    = "client_id=other&client_secret=other-secret"
)

// ask posts a form with a token, and pairs such as "client_id=x&client_secret=y".
func (rp *relyingParty) ask(t *testing.T, path, who, token string) (*http.Response, string) {
	t.Helper()
	pairs := []string{"token", token}
	for _, pair := range strings.Split(who, "&") {
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, name, value)
	}
	return submit(t, http.DefaultClient, rp.endpoint(path), pairs...)
}

func (rp *relyingParty) introspect(t *testing.T, who, token string) string {
	t.Helper()
	resp, text := rp.ask(t, "/token/introspect", who, token)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("introspection: got %d %v", resp.StatusCode, resp.Header)
	}
	return text
}

const inactive = `{"active":false}`

func TestIntrospectionRepeatsTheTokensClaims(t *testing.T) {
	rp, _ := twoClients(t)
	_, tok := rp.signIn(t, "dr-dupont")
	for _, tt := range []struct{ name, who, token, members, tail string }{
		{"an access token", asCarelink, tok.AccessToken,
			"exp iat auth_time jti iss sub typ azp nonce session_state preferred_username email_verified acr scope sid SubjectNameID client_id username active",
			`,"SubjectNameID":"899999001011","client_id":"carelink","username":"899999001011","active":true}`},
		{"an access token, to an API that was handed it", asOther, tok.AccessToken,
			"exp iat auth_time jti iss sub typ azp nonce session_state preferred_username email_verified acr scope sid SubjectNameID client_id username active",
			`,"SubjectNameID":"899999001011","client_id":"carelink","username":"899999001011","active":true}`},
		{"a refresh token, without SubjectNameID", asCarelink, tok.RefreshToken,
			"exp iat jti iss aud sub typ azp nonce session_state scope sid client_id username active",
			`,"client_id":"carelink","username":"899999001011","active":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := rp.introspect(t, tt.who, tt.token)
			if got := memberNames(t, text); got != tt.members {
				t.Errorf("got members\n%s, want\n%s", got, tt.members)
			}
			if want := strings.TrimSuffix(payload(t, tt.token), "}") + tt.tail; text != want {
				t.Errorf("got\n%s, want\n%s", text, want)
			}
		})
	}
}

func TestIntrospectionOfADeadOrForeignTokenSaysOnlyThatItIsInactive(t *testing.T) {
	access := func(tok tokens) string { return tok.AccessToken }
	renewal := func(tok tokens) string { return tok.RefreshToken }
	for _, tt := range []struct {
		name    string
		token   func(tokens) string
		persona string
		before  func(t *testing.T, rp *relyingParty, now *clock, tok tokens)
	}{
		{name: "nonsense", token: func(tokens) string { return "x" }},
		{name: "an ID token", token: func(tok tokens) string { return tok.IDToken }},
		{name: "an access token with another's signature", token: func(tok tokens) string {
			return tok.AccessToken[:strings.LastIndex(tok.AccessToken, ".")] + tok.IDToken[strings.LastIndex(tok.IDToken, "."):]
		}},
		{name: "a token from before a reset", token: access, before: func(t *testing.T, rp *relyingParty, now *clock, tok tokens) {
			rp.mock.Reset()
		}},
		{name: "an access token after two minutes", token: access, before: func(t *testing.T, rp *relyingParty, now *clock, tok tokens) {
			now.advance(2 * time.Minute)
		}},
		{name: "a refresh token after 30 minutes", token: renewal, before: func(t *testing.T, rp *relyingParty, now *clock, tok tokens) {
			now.advance(30 * time.Minute)
		}},
		{name: "a refresh token that was exchanged", token: renewal, before: func(t *testing.T, rp *relyingParty, now *clock, tok tokens) {
			rp.refresh(t, tok.RefreshToken)
		}},
		{name: "an access token after the sign-out", token: access, before: signOut},
		{name: "a refresh token after the sign-out", token: renewal, before: signOut},
		{name: "an access token of a person struck off", token: access, persona: "dr-lambert", before: func(t *testing.T, rp *relyingParty, now *clock, tok tokens) {
			if err := rp.mock.Change("dr-lambert", "struck-off"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rp, now := twoClients(t)
			if tt.persona == "" {
				tt.persona = "dr-dupont"
			}
			_, tok := rp.signIn(t, tt.persona)
			if tt.before != nil {
				tt.before(t, rp, now, tok)
			}
			if text := rp.introspect(t, asCarelink, tt.token(tok)); text != inactive {
				t.Errorf("got %s", text)
			}
		})
	}
}

func TestAnotherMocksTokensAreForeign(t *testing.T) {
	here, _ := twoClients(t)
	there, _ := twoClients(t)
	_, tok := there.signIn(t, "dr-dupont")
	for name, token := range map[string]string{"access": tok.AccessToken, "refresh": tok.RefreshToken} {
		if text := here.introspect(t, asCarelink, token); text != inactive {
			t.Errorf("introspection of a foreign %s token: %s", name, text)
		}
		if resp, _ := here.ask(t, "/revoke", asCarelink, token); resp.StatusCode != 200 {
			t.Errorf("revocation of a foreign %s token: %d", name, resp.StatusCode)
		}
	}
	if got := here.refresh(t, tok.RefreshToken); !got.refused(400, "invalid_grant", "Invalid refresh token") {
		t.Errorf("refresh: %s", got.Body)
	}
	if got := there.refresh(t, tok.RefreshToken); got.Status != 200 {
		t.Errorf("refresh where it belongs: %s", got.Body)
	}
}

func signOut(t *testing.T, rp *relyingParty, _ *clock, tok tokens) {
	get(t, newBrowser(t), rp.endpoint("/logout")+"?id_token_hint="+tok.IDToken)
}

func TestIntrospectionAndRevocationAreForClientsOnly(t *testing.T) {
	rp, _ := twoClients(t)
	_, tok := rp.signIn(t, "dr-dupont")
	for _, path := range []string{"/token/introspect", "/revoke"} {
		for _, tt := range []struct {
			name, who, token string
			status           int
			code             string
		}{
			{"nobody", "x=y", tok.AccessToken, 401, "invalid_client"},
			{"a client without its secret", "client_id=carelink", tok.AccessToken, 401, "unauthorized_client"},
			{"a client with a wrong secret", "client_id=carelink&client_secret=x", tok.AccessToken, 401, "unauthorized_client"},
			{"an unknown client", "client_id=x&client_secret=x", tok.AccessToken, 401, "invalid_client"},
			{"a client without a token", asCarelink, "", 400, "invalid_request"},
			{"a client with two tokens", asCarelink + "&token=x", tok.AccessToken, 400, "invalid_request"},
		} {
			t.Run(path+" by "+tt.name, func(t *testing.T) {
				resp, text := rp.ask(t, path, tt.who, tt.token)
				if resp.StatusCode != tt.status || !strings.Contains(text, `{"error":"`+tt.code+`"`) {
					t.Errorf("got %d %s", resp.StatusCode, text)
				}
			})
		}
	}
	if status, _ := rp.userinfo(t, tok.AccessToken); status != 200 {
		t.Errorf("a refused request revoked the token: userinfo %d", status)
	}
}

func TestRevocation(t *testing.T) {
	for _, tt := range []struct {
		name, who string
		token     func(tokens) string
		status    int
		body      string
		access    bool // lives afterwards
		refresh   bool // likewise
	}{
		{"a refresh token takes the access token along", asCarelink, func(tok tokens) string { return tok.RefreshToken }, 200, "", false, false},
		{"an access token goes alone", asCarelink, func(tok tokens) string { return tok.AccessToken }, 200, "", false, true},
		{"with a hint that is wrong", asCarelink + "&token_type_hint=refresh_token", func(tok tokens) string { return tok.AccessToken }, 200, "", false, true},
		{"an unknown token is as good as revoked", asCarelink, func(tokens) string { return "x" }, 200, `{"error":"invalid_token","error_description":"Invalid token"}`, true, true},
		{"a refresh token by another client is refused", asOther, func(tok tokens) string { return tok.RefreshToken }, 400, `{"error":"invalid_request","error_description":"Unmatching clients"}`, true, true},
		{"an access token by another client is refused", asOther, func(tok tokens) string { return tok.AccessToken }, 400, `{"error":"invalid_request","error_description":"Unmatching clients"}`, true, true},
		{"an ID token is not a thing to revoke", asCarelink, func(tok tokens) string { return tok.IDToken }, 400, `{"error":"unsupported_token_type","error_description":"Unsupported token type"}`, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rp, _ := twoClients(t)
			c, tok := rp.signIn(t, "dr-dupont")
			resp, text := rp.ask(t, "/revoke", tt.who, tt.token(tok))
			if resp.StatusCode != tt.status || text != tt.body {
				t.Errorf("got %d %s", resp.StatusCode, text)
			}
			if tt.status == 200 {
				if resp, _ := rp.ask(t, "/revoke", tt.who, tt.token(tok)); resp.StatusCode != 200 {
					t.Errorf("the second time: %d", resp.StatusCode)
				}
			}
			if status, _ := rp.userinfo(t, tok.AccessToken); (status == 200) != tt.access {
				t.Errorf("userinfo: %d", status)
			}
			if text := rp.introspect(t, asCarelink, tok.AccessToken); (text != inactive) != tt.access {
				t.Errorf("introspection of the access token: %s", text)
			}
			if text := rp.introspect(t, asCarelink, tok.RefreshToken); (text != inactive) != tt.refresh {
				t.Errorf("introspection of the refresh token: %s", text)
			}
			if got := rp.refresh(t, tok.RefreshToken); (got.Status == 200) != tt.refresh || !tt.refresh && got.Description != "Token is not active" {
				t.Errorf("refresh: %s", got.Body)
			}
			if got := rp.signInAgain(t, c, "carelink"); got.Status != 200 {
				t.Errorf("the session did not go on: %s", got.Body)
			}
		})
	}
}

package mockpsc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// twoClients declares carelink and a second application beside it, both at the
// addresses of one relying party.
func twoClients(t *testing.T) (*relyingParty, *clock) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	for _, id := range []string{"carelink", "other"} {
		mock.Clients = append(mock.Clients, mockpsc.Client{
			ID: id, Secret: id + "-secret",
			RedirectURIs: []string{rp.redirectURI()}, PostLogoutURIs: []string{rp.URL + "/bye"},
		})
	}
	return rp, now
}

func (rp *relyingParty) refreshForm(token string) url.Values {
	return url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token},
		"client_id": {"carelink"}, "client_secret": {"carelink-secret"},
	}
}

func (rp *relyingParty) refresh(t *testing.T, token string) tokens {
	t.Helper()
	return rp.exchange(t, rp.refreshForm(token))
}

// endpoint is an address below the realm's OpenID Connect path.
func (rp *relyingParty) endpoint(path string) string {
	return rp.mock.URL + issuerPath + "/protocol/openid-connect" + path
}

func (tok tokens) refused(status int, code, description string) bool {
	return tok.Status == status && tok.Error == code && tok.Description == description && tok.AccessToken == ""
}

func TestRefreshGivesThreeNewTokensOfTheSameSignIn(t *testing.T) {
	rp, now := twoClients(t)
	_, first := rp.signIn(t, "dr-dupont")
	now.advance(10 * time.Minute)
	second := rp.refresh(t, first.RefreshToken)
	if second.Status != 200 {
		t.Fatalf("got %d %s", second.Status, second.Body)
	}
	if got, want := memberNames(t, second.Body), memberNames(t, first.Body); got != want {
		t.Errorf("got members %s, want %s", got, want)
	}
	for _, tt := range []struct{ name, before, after string }{
		{"ID token", first.IDToken, second.IDToken},
		{"access token", first.AccessToken, second.AccessToken},
		{"refresh token", first.RefreshToken, second.RefreshToken},
	} {
		var a, b map[string]any
		for text, into := range map[string]*map[string]any{payload(t, tt.before): &a, payload(t, tt.after): &b} {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := memberNames(t, payload(t, tt.after)), memberNames(t, payload(t, tt.before)); got != want {
			t.Errorf("%s: got members %s, want %s", tt.name, got, want)
		}
		for _, name := range []string{"iss", "sub", "sid", "session_state", "auth_time", "nonce", "azp", "acr", "scope"} {
			if a[name] != b[name] {
				t.Errorf("%s: %s was %v and is %v", tt.name, name, a[name], b[name])
			}
		}
		for _, name := range []string{"iat", "exp"} {
			if d := b[name].(float64) - a[name].(float64); d != 600 {
				t.Errorf("%s: %s moved by %v s, want 600", tt.name, name, d)
			}
		}
		if a["jti"] == b["jti"] {
			t.Errorf("%s: the same jti twice", tt.name)
		}
	}
	for _, token := range []string{second.IDToken, second.AccessToken} {
		if _, err := rp.verify(t, token); err != nil {
			t.Error(err)
		}
	}
	if status, text := rp.userinfo(t, second.AccessToken); status != 200 {
		t.Errorf("userinfo: %d %s", status, text)
	}
}

// The conformance suite's oidcc-refresh-token, and ASVS 10.4.5.
func TestRefreshIsRefused(t *testing.T) {
	const dead, over = "Token is not active", "Session not active"
	for _, tt := range []struct {
		name        string
		change      map[string]string // of the form; "" removes
		token       func(tokens) string
		wait        time.Duration
		status      int
		code, words string
	}{
		{name: "never, for a correct request", status: 200},
		{name: "never, when the scope is that of the sign-in in another order", change: map[string]string{"scope": "scope_all openid"}, status: 200},
		{name: "never, after 29 minutes and 59 seconds", wait: 30*time.Minute - time.Second, status: 200},
		{name: "after 30 minutes", wait: 30 * time.Minute, status: 400, code: "invalid_grant", words: dead},
		{name: "after 4 hours", wait: 4 * time.Hour, status: 400, code: "invalid_grant", words: over},
		{name: "after 10 hours", wait: 10 * time.Hour, status: 400, code: "invalid_grant", words: over},
		{name: "with a wider scope", change: map[string]string{"scope": "openid scope_all offline_access"}, status: 400, code: "invalid_scope", words: "Invalid scopes: openid scope_all offline_access"},
		{name: "without a token", change: map[string]string{"refresh_token": ""}, status: 400, code: "invalid_request", words: "No refresh token"},
		{name: "with nonsense", token: func(tokens) string { return "x" }, status: 400, code: "invalid_grant", words: "Invalid refresh token"},
		{name: "with an access token", token: func(tok tokens) string { return tok.AccessToken }, status: 400, code: "invalid_grant", words: "Invalid refresh token"},
		{name: "with a changed token", token: func(tok tokens) string { return tok.RefreshToken + "AAAA" }, status: 400, code: "invalid_grant", words: "Invalid refresh token"},
		{name: "to another client", change: map[string]string{"client_id": "other", "client_secret": "other-secret"}, status: 400, code: "invalid_grant", words: "Invalid refresh token. Token client and authorized client don't match"},
		{name: "with a wrong secret", change: map[string]string{"client_secret": "x"}, status: 401, code: "unauthorized_client", words: "Invalid client or Invalid client credentials"},
		{name: "without a secret", change: map[string]string{"client_secret": ""}, status: 401, code: "unauthorized_client", words: "Invalid client or Invalid client credentials"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rp, now := twoClients(t)
			_, tok := rp.signIn(t, "dr-dupont")
			token := tok.RefreshToken
			if tt.token != nil {
				token = tt.token(tok)
			}
			form := rp.refreshForm(token)
			for k, v := range tt.change {
				if v == "" {
					form.Del(k)
				} else {
					form.Set(k, v)
				}
			}
			now.advance(tt.wait)
			if got := rp.exchange(t, form); tt.status == 200 && got.Status != 200 || tt.status != 200 && !got.refused(tt.status, tt.code, tt.words) {
				t.Errorf("got %d %s", got.Status, got.Body)
			}
			if tt.status != 200 && tt.wait == 0 {
				if got := rp.refresh(t, tok.RefreshToken); got.Status != 200 {
					t.Errorf("the refusal spent the token: %s", got.Body)
				}
			}
		})
	}
}

func TestRefreshingSlidesUpToFourHours(t *testing.T) {
	rp, now := twoClients(t)
	c, tok := rp.signIn(t, "dr-dupont")
	for elapsed := 25 * time.Minute; elapsed < 4*time.Hour; elapsed += 25 * time.Minute {
		now.advance(25 * time.Minute)
		if tok = rp.refresh(t, tok.RefreshToken); tok.Status != 200 {
			t.Fatalf("after %v: %s", elapsed, tok.Body)
		}
	}
	// 3 h 45 min have passed.
	if resp, _ := get(t, stay(c), rp.authURL(map[string]string{"prompt": "none"})); resp.Header.Get("Location") == "" || rp.codeOf(resp.Header.Get("Location")) == "" {
		t.Errorf("refreshing does not keep the SSO session alive: %s", resp.Header.Get("Location"))
	}
	var answer struct {
		RefreshExpiresIn int `json:"refresh_expires_in"`
	}
	if err := json.Unmarshal([]byte(tok.Body), &answer); err != nil || answer.RefreshExpiresIn != 15*60 {
		t.Errorf("refresh_expires_in %d, want the 900 s that the session has left", answer.RefreshExpiresIn)
	}
	now.advance(15 * time.Minute)
	if got := rp.refresh(t, tok.RefreshToken); !got.refused(400, "invalid_grant", "Session not active") {
		t.Errorf("after four hours: %d %s", got.Status, got.Body)
	}
}

func (rp *relyingParty) codeOf(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	return u.Query().Get("code")
}

func TestRefreshTokenReuseTakesBackAllThatTheClientHoldsOfTheSession(t *testing.T) {
	rp, _ := twoClients(t)
	c, first := rp.signIn(t, "dr-dupont")
	other := rp.signInAgain(t, c, "other") // the same session, another client
	second := rp.refresh(t, first.RefreshToken)
	if got := rp.refresh(t, first.RefreshToken); !got.refused(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded") {
		t.Errorf("the reuse: %d %s", got.Status, got.Body)
	}
	if got := rp.refresh(t, second.RefreshToken); !got.refused(400, "invalid_grant", "Token is not active") {
		t.Errorf("the successor after the reuse: %d %s", got.Status, got.Body)
	}
	for name, token := range map[string]string{"first": first.AccessToken, "second": second.AccessToken} {
		if status, _ := rp.userinfo(t, token); status != 401 {
			t.Errorf("the %s access token after the reuse: %d", name, status)
		}
	}
	if status, _ := rp.userinfo(t, other.AccessToken); status != 200 {
		t.Errorf("the other client's access token: %d", status)
	}
	if got := rp.signInAgain(t, c, "carelink"); got.Status != 200 {
		t.Errorf("a new sign-in from the session, which goes on: %s", got.Body)
	}
}

// signInAgain is what SSO answers: no page, and tokens for a client.
func (rp *relyingParty) signInAgain(t *testing.T, c *http.Client, client string) tokens {
	t.Helper()
	resp, _ := get(t, stay(c), rp.authURL(map[string]string{"client_id": client}))
	form := rp.form(rp.codeOf(resp.Header.Get("Location")))
	form.Set("client_id", client)
	form.Set("client_secret", client+"-secret")
	return rp.exchange(t, form)
}

func TestOneOfManyRefreshesAtOnceSucceeds(t *testing.T) {
	rp, _ := twoClients(t)
	_, tok := rp.signIn(t, "dr-dupont")
	answers := make([]tokens, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = rp.refresh(t, tok.RefreshToken) })
	}
	wg.Wait()
	good := 0
	for _, got := range answers {
		switch {
		case got.Status == 200:
			good++
		case got.Error != "invalid_grant":
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	}
	if good > 1 {
		t.Errorf("%d refreshes with one token", good)
	}
}

func TestRefreshAfterTheSessionIsOver(t *testing.T) {
	for _, tt := range []struct {
		name, persona string
		end           func(t *testing.T, rp *relyingParty, tok tokens)
	}{
		{"a sign-out", "dr-dupont", func(t *testing.T, rp *relyingParty, tok tokens) {
			get(t, newBrowser(t), rp.endpoint("/logout")+"?id_token_hint="+tok.IDToken)
		}},
		{"a person struck off", "dr-lambert", func(t *testing.T, rp *relyingParty, _ tokens) {
			if err := rp.mock.Change("dr-lambert", "struck-off"); err != nil {
				t.Fatal(err)
			}
		}},
		{"a reset of the mock", "dr-dupont", func(t *testing.T, rp *relyingParty, _ tokens) { rp.mock.Reset() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rp, _ := twoClients(t)
			_, tok := rp.signIn(t, tt.persona)
			tt.end(t, rp, tok)
			if got := rp.refresh(t, tok.RefreshToken); !got.refused(400, "invalid_grant", "Session not active") {
				t.Errorf("got %d %s", got.Status, got.Body)
			}
		})
	}
}

// The conformance suite's oidcc-codereuse-30seconds, after a refresh.
func TestCodeReuseTakesBackWhatARefreshGave(t *testing.T) {
	for _, wait := range []time.Duration{30 * time.Second, 20 * time.Minute} {
		t.Run("after "+wait.String(), func(t *testing.T) {
			rp, now := twoClients(t)
			_, tok := rp.signIn(t, "dr-dupont")
			code := rp.lastCallback().Get("code")
			now.advance(wait)
			second := rp.refresh(t, tok.RefreshToken)
			if got := rp.exchange(t, rp.form(code)); !got.refused(400, "invalid_grant", "Code not valid") {
				t.Errorf("the reuse: %d %s", got.Status, got.Body)
			}
			if got := rp.refresh(t, second.RefreshToken); !got.refused(400, "invalid_grant", "Token is not active") {
				t.Errorf("a refresh after the reuse: %d %s", got.Status, got.Body)
			}
			if status, _ := rp.userinfo(t, second.AccessToken); status != 401 {
				t.Errorf("userinfo after the reuse: %d", status)
			}
		})
	}
}

func TestFaultsOfASignInDoNotComeBackWithARefresh(t *testing.T) {
	rp, _ := twoClients(t)
	_, tok := rp.signIn(t, "dr-dupont", "wrong-nonce")
	second := rp.refresh(t, tok.RefreshToken)
	if claims, err := rp.verify(t, second.IDToken); err != nil || claims["nonce"] != "the-nonce" {
		t.Errorf("got %v, %v", claims, err)
	}
}

package mockpsc_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestLifetimesAreTheServersOrTheClients(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	mock.Lifetimes = mockpsc.Lifetimes{Code: 60 * time.Second, IDToken: 5 * time.Minute, AccessToken: time.Minute}
	mock.Clients = []mockpsc.Client{{
		ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{rp.redirectURI()},
		Lifetimes: mockpsc.Lifetimes{AccessToken: 10 * time.Second, RefreshToken: time.Hour},
	}}
	c := newBrowser(t)
	resp, err := mock.SignIn(c, rp.URL+"/login", "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	body(t, resp)

	now.advance(60 * time.Second) // the code's last moment
	tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
	if tok.Status != 200 {
		t.Fatalf("a code of 60 seconds: %s", tok.Body)
	}
	for _, tt := range []struct {
		name, token string
		want        float64
	}{
		{"the ID token has the server's", tok.IDToken, 300},
		{"the access token has the client's, not the server's", tok.AccessToken, 10},
		{"the refresh token has the client's, not the default", tok.RefreshToken, 3600},
	} {
		var claims struct{ Exp, Iat float64 }
		if err := json.Unmarshal([]byte(payload(t, tt.token)), &claims); err != nil || claims.Exp-claims.Iat != tt.want {
			t.Errorf("%s: got %v s, want %v (%v)", tt.name, claims.Exp-claims.Iat, tt.want, err)
		}
	}
	if !strings.Contains(tok.Body, `"expires_in":10,"refresh_expires_in":3600,`) {
		t.Error(tok.Body)
	}
	now.advance(10 * time.Second)
	if status, _ := rp.userinfo(t, tok.AccessToken); status != 401 {
		t.Errorf("userinfo after the access token's ten seconds: %d, want 401", status)
	}
}

func TestLifetimesOfASession(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	mock.Lifetimes = mockpsc.Lifetimes{Session: time.Hour, SessionIdle: 10 * time.Minute}
	c, tok := rp.signIn(t, "dr-dupont")
	asks := func() bool {
		_, page := get(t, c, rp.authURL(nil))
		return strings.Contains(page, "Connectez-vous")
	}
	for range 5 {
		now.advance(9 * time.Minute)
		if asks() {
			t.Fatal("asked although there was activity")
		}
	}
	tok = rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
	if !strings.Contains(tok.Body, `"refresh_expires_in":900,`) {
		t.Errorf("a refresh token outlives its session: %s", tok.Body)
	}
	now.advance(10 * time.Minute)
	if !asks() {
		t.Error("did not ask after ten idle minutes")
	}
}

func TestAnotherProofDoesNotBeginASessionAnew(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	c, _ := rp.signIn(t, "dr-dupont")
	var sid string
	for range 8 {
		now.advance(29 * time.Minute)
		get(t, c, rp.authURL(nil))
		sid = rp.lastCallback().Get("session_state")
	}
	_, page := get(t, c, rp.authURL(map[string]string{"prompt": "login"}))
	if _, text := submit(t, c, mock.URL+"/auth/sign-in", "attempt", attempt(t, page), "persona", "dr-dupont"); text != "back" {
		t.Fatalf("the proof: %.200q", text)
	}
	if got := rp.lastCallback().Get("session_state"); got != sid {
		t.Fatalf("session %q after the proof, want %q", got, sid)
	}
	tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
	if !strings.Contains(tok.Body, `"refresh_expires_in":480,`) { // 4 h less 8 × 29 min
		t.Errorf("the four hours were begun anew: %s", tok.Body)
	}
	now.advance(9 * time.Minute)
	if _, page := get(t, c, rp.authURL(nil)); !strings.Contains(page, "Connectez-vous") {
		t.Error("the session outlived its four hours")
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}, "client_id": {"carelink"}, "client_secret": {"carelink-secret"}}
	if late := rp.exchange(t, form); late.Description != "Session not active" {
		t.Errorf("a refresh after the four hours: %s", late.Body)
	}
}

func TestCheckNamesBadLifetimes(t *testing.T) {
	s := &mockpsc.Server{
		Lifetimes: mockpsc.Lifetimes{Code: -time.Second, IDToken: 1500 * time.Millisecond},
		Clients: []mockpsc.Client{{
			ID: "agenda", Secret: "a-secret", RedirectURIs: []string{"http://localhost/cb"},
			Lifetimes: mockpsc.Lifetimes{AccessToken: -1, Session: time.Hour},
		}},
	}
	err := s.Check()
	for _, want := range []string{
		"mockpsc: Lifetimes.Code is -1s", "Lifetimes.IDToken is 1.5s",
		`client "agenda", Lifetimes.AccessToken is -1ns`, `client "agenda": Session and SessionIdle are the Server's`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
}

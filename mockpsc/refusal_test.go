package mockpsc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What is refused is refused in Keycloak's words, and the header names the rule.
func TestTheTokenEndpointRefusesInKeycloaksWords(t *testing.T) {
	const (
		grant  = `{"error":"invalid_grant","error_description":"`
		client = `"error_description":"Invalid client or Invalid client credentials"}`
	)
	twice := func(name string) func(url.Values, *clock) {
		return func(f url.Values, _ *clock) { f.Add(name, f.Get(name)) }
	}
	set := func(pairs ...string) func(url.Values, *clock) {
		return func(f url.Values, _ *clock) {
			for i := 0; i < len(pairs); i += 2 {
				if f.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
					f.Del(pairs[i])
				}
			}
		}
	}
	for _, tt := range []struct {
		name       string
		change     func(url.Values, *clock)
		status     int
		body, rule string
	}{
		{"no grant_type", set("grant_type", ""), 400, `{"error":"invalid_request","error_description":"Missing form parameter: grant_type"}`, "grant_type"},
		{"a password", set("grant_type", "password"), 400, `{"error":"unsupported_grant_type","error_description":"Unsupported grant_type"}`, "not 'password'"},
		{"a parameter twice", twice("code"), 400, `{"error":"invalid_request","error_description":"duplicated parameter"}`, "parameter code is given twice"},
		{"an unknown client", set("client_id", "nobody"), 401, `{"error":"invalid_client",` + client, "'nobody' is unknown; declared: carelink"},
		{"a wrong secret", set("client_secret", "guess"), 401, `{"error":"unauthorized_client",` + client, "client_secret of carelink"},
		{"no secret", set("client_secret", ""), 401, `{"error":"unauthorized_client",` + client, "client_secret of carelink"},
		{"an invented code", set("code", "x"), 400, grant + `Code not valid"}`, "unknown"},
		{"a code that is 31 seconds old", func(_ url.Values, c *clock) { c.advance(31 * time.Second) }, 400, grant + `Code not valid"}`, "expired: it lives 30 seconds"},
		{"another redirect_uri", set("redirect_uri", "http://127.0.0.1/cb"), 400, grant + `Incorrect redirect_uri"}`, "to the letter"},
		{"no code_verifier", set("code_verifier", ""), 400, grant + `PKCE code verifier not specified"}`, "code_verifier is required"},
		{"a short code_verifier", set("code_verifier", "short"), 400, grant + `PKCE invalid code verifier"}`, "43 to 128"},
		{"a code_verifier with a blank", set("code_verifier", strings.Repeat("a b", 20)), 400, grant + `PKCE invalid code verifier"}`, "unreserved"},
		{"another code_verifier", set("code_verifier", strings.Repeat("a", 43)), 400, grant + `PKCE verification failed"}`, "not that of the code_challenge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mock, now := newMockWithClock(t)
			rp := newRelyingParty(t, mock)
			resp, err := mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-dupont")
			if err != nil {
				t.Fatal(err)
			}
			body(t, resp)
			form := rp.form(rp.lastCallback().Get("code"))
			tt.change(form, now)
			resp, err = http.PostForm(mock.URL+issuerPath+"/protocol/openid-connect/token", form)
			if err != nil {
				t.Fatal(err)
			}
			rule := resp.Header.Get("X-Mock-PSC-Error")
			if text := body(t, resp); resp.StatusCode != tt.status || text != tt.body || !strings.Contains(rule, tt.rule) {
				t.Errorf("got %d %s, rule %q", resp.StatusCode, text, rule)
			}
		})
	}
}

func TestUserinfoNamesTheRule(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*relyingParty, *clock, tokens)
		rule   string
	}{
		{"an expired token", func(_ *relyingParty, c *clock, _ tokens) { c.advance(2 * time.Minute) }, "expired: it lives 120 seconds"},
		{"a revoked token", func(rp *relyingParty, _ *clock, tok tokens) { rp.exchange(t, rp.form(rp.lastCallback().Get("code"))) }, "revoked"},
		{"an ended session", func(rp *relyingParty, _ *clock, tok tokens) {
			get(t, http.DefaultClient, rp.mock.URL+issuerPath+"/protocol/openid-connect/logout?id_token_hint="+tok.IDToken)
		}, "the session has ended"},
	} {
		mock, now := newMockWithClock(t)
		rp := newRelyingParty(t, mock)
		_, tok := rp.signIn(t, "dr-dupont")
		tt.change(rp, now, tok)
		req, err := http.NewRequest("GET", mock.URL+issuerPath+"/protocol/openid-connect/userinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body(t, resp)
		if rule := resp.Header.Get("X-Mock-PSC-Error"); resp.StatusCode != 401 || !strings.Contains(rule, tt.rule) {
			t.Errorf("%s: got %d, rule %q", tt.name, resp.StatusCode, rule)
		}
	}
}

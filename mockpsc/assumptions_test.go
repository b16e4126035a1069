package mockpsc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func assuming(t *testing.T, as mockpsc.Assumptions) *relyingParty {
	mock := mockpsc.NewServer(t)
	mock.Assume = as
	return newRelyingParty(t, mock)
}

func TestAssumeRequirePKCE(t *testing.T) {
	without := map[string]string{"code_challenge": "", "code_challenge_method": ""}
	for _, required := range []bool{false, true} {
		rp := assuming(t, mockpsc.Assumptions{RequirePKCE: required})
		resp, _ := get(t, newBrowser(t), rp.authURL(without))
		refused := resp.Request.URL.Query().Get("error") == "invalid_request"
		if refused != required {
			t.Errorf("required %t: no code_challenge ended at %s", required, resp.Request.URL)
		}
		if resp, _ := get(t, newBrowser(t), rp.authURL(nil)); resp.Request.URL.Path != "/auth" {
			t.Errorf("required %t: a code_challenge ended at %s", required, resp.Request.URL)
		}
	}
}

func TestAssumeOmitIss(t *testing.T) {
	rp := assuming(t, mockpsc.Assumptions{OmitIss: true})
	rp.signIn(t, "dr-dupont")
	if q := rp.lastCallback(); q.Has("iss") || !q.Has("code") || !q.Has("session_state") {
		t.Errorf("the answer is %v", q)
	}
	get(t, newBrowser(t), rp.authURL(map[string]string{"prompt": "none"}))
	if q := rp.lastCallback(); q.Has("iss") || q.Get("error") != "login_required" {
		t.Errorf("the refusal is %v", q)
	}
}

func TestAssumeOmitLogoutState(t *testing.T) {
	rp := assuming(t, mockpsc.Assumptions{OmitLogoutState: true})
	c, tok := rp.signIn(t, "dr-dupont")
	q := url.Values{"id_token_hint": {tok.IDToken}, "post_logout_redirect_uri": {rp.URL + "/bye"}, "state": {"s1"}}
	if _, page := get(t, c, rp.mock.URL+issuerPath+"/protocol/openid-connect/logout?"+q.Encode()); page != "bye " {
		t.Errorf("came to %q", page)
	}
}

func TestAssumeReuseRefreshTokens(t *testing.T) {
	mock, now := newMockWithClock(t)
	mock.Assume.ReuseRefreshTokens = true
	rp := newRelyingParty(t, mock)
	_, tok := rp.signIn(t, "dr-dupont")
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}, "client_id": {"carelink"}, "client_secret": {"carelink-secret"}}
	for range 3 {
		if again := rp.exchange(t, form); again.Status != 200 {
			t.Fatalf("the same refresh token again: %s", again.Body)
		}
	}
	now.advance(30 * time.Minute)
	if late := rp.exchange(t, form); late.Description != "Token is not active" {
		t.Errorf("after its 30 minutes: %s", late.Body)
	}
}

func TestAssumeClaims(t *testing.T) {
	const uuid = "0a1b2c3d-0000-4000-8000-00000000cafe"
	rp := assuming(t, mockpsc.Assumptions{ACR: "eidas3", AuthMode: "SECURITY_KEY", Federation: uuid})
	_, tok := rp.signIn(t, "dr-dupont/card")
	for _, want := range []string{`"acr":"eidas3"`, `"authMode":"SECURITY_KEY"`, `"sub":"f:` + uuid + `:899999001011"`} {
		if got := payload(t, tok.IDToken); !strings.Contains(got, want) {
			t.Errorf("the ID token lacks %s: %s", want, got)
		}
		if got := payload(t, tok.AccessToken); !strings.Contains(got, want) {
			t.Errorf("the access token lacks %s: %s", want, got)
		}
	}
	if _, info := rp.userinfo(t, tok.AccessToken); !strings.Contains(info, `"sub":"f:`+uuid+`:899999001011"`) {
		t.Errorf("userinfo has another sub: %s", info)
	}

	rp = assuming(t, mockpsc.Assumptions{ACR: "none", AuthMode: "none"})
	_, tok = rp.signIn(t, "dr-dupont/card")
	for _, token := range []string{tok.IDToken, tok.AccessToken} {
		if got := payload(t, token); strings.Contains(got, "acr") || strings.Contains(got, "authMode") {
			t.Errorf("not absent: %s", got)
		}
	}
}

func TestAssumeLayout(t *testing.T) {
	read := func(persona string, as mockpsc.Assumptions) (string, map[string]any) {
		t.Helper()
		rp := assuming(t, as)
		_, tok := rp.signIn(t, persona)
		_, text := rp.userinfo(t, tok.AccessToken)
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		return text, doc
	}
	record := func(doc map[string]any) map[string]any { r, _ := doc["SubjectRefPro"].(map[string]any); return r }

	for _, p := range mockpsc.Personas() {
		if !p.ECPS.Works() {
			continue
		}
		t.Run(p.ID, func(t *testing.T) {
			asIs, before := read(p.ID, mockpsc.Assumptions{})
			newer, doc := read(p.ID, mockpsc.Assumptions{Layout: "newer"})
			if r := record(doc); r != nil && (doc["codeCivilite"] == nil && record(before)["codeCivilite"] != nil || len(r) != 1) {
				t.Errorf("newer: %s", newer)
			}
			older, doc := read(p.ID, mockpsc.Assumptions{Layout: "older"})
			if r := record(doc); r != nil && (doc["codeCivilite"] != nil || doc["codeGenreActivite"] != nil) {
				t.Errorf("older: %s", older)
			}
			if asIs != newer && asIs != older {
				t.Errorf("neither layout is the persona's:\n%s\n%s\n%s", asIs, newer, older)
			}
			none, doc := read(p.ID, mockpsc.Assumptions{Layout: "none"})
			if record(doc) != nil || doc["SubjectRole"] != nil || doc["otherIds"] != nil || doc["SubjectNameID"] != p.NationalID {
				t.Errorf("none: %s", none)
			}
		})
	}
	t.Run("there and back is the same document", func(t *testing.T) {
		const activity = `"codeGenreActivite":"GENR01"`
		newer, _ := read("dr-martin", mockpsc.Assumptions{Layout: "newer"})
		if !strings.HasPrefix(newer, `{"Secteur_Activite":`) || !strings.Contains(newer, `"codeCivilite":"MME","given_name"`) || strings.Count(newer, activity) > 2 {
			t.Errorf("newer: %s", newer)
		}
	})
	t.Run("email_verified is after sub, once", func(t *testing.T) {
		for _, persona := range []string{"dr-dupont", "edit-prototype"} {
			text, _ := read(persona, mockpsc.Assumptions{EmailVerified: true})
			if strings.Count(text, `"email_verified":false`) != 1 {
				t.Errorf("%s: %s", persona, text)
			}
		}
	})
}

func TestAssumeSigningKeys(t *testing.T) {
	rp := assuming(t, mockpsc.Assumptions{SigningKeys: 3})
	_, tok := rp.signIn(t, "dr-dupont")
	if _, err := rp.verify(t, tok.IDToken); err != nil {
		t.Error(err)
	}
	var signing []string
	for _, k := range rp.keys(t).Keys {
		if k.Use == "sig" {
			signing = append(signing, k.KeyID)
		}
	}
	if len(signing) != 3 || headerOf(t, tok.IDToken)["kid"] != signing[2] || signing[0] == signing[1] {
		t.Errorf("keys %v, the token is by %v", signing, headerOf(t, tok.IDToken)["kid"])
	}
}

func TestWithdrawKeys(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	c, tok := rp.signIn(t, "dr-dupont")
	mock.RotateKeys()
	if _, err := rp.verify(t, tok.IDToken); err != nil {
		t.Fatalf("within the grace: %v", err)
	}
	mock.WithdrawKeys()
	if _, err := rp.verify(t, tok.IDToken); err == nil {
		t.Error("a withdrawn key still verifies")
	}
	if _, err := rp.verify(t, rp.exchange(t, rp.form(freshCode(t, rp, c))).IDToken); err != nil {
		t.Errorf("the key in use: %v", err)
	}
	end := mock.URL + issuerPath + "/protocol/openid-connect/logout?" + url.Values{"id_token_hint": {tok.IDToken}}.Encode()
	if resp, _ := get(t, http.DefaultClient, end); resp.StatusCode != 200 {
		t.Errorf("a hint signed by a withdrawn key: %d, want the sign-out", resp.StatusCode)
	}
}

// freshCode asks for another code in a browser that is signed in.
func freshCode(t *testing.T, rp *relyingParty, c *http.Client) string {
	t.Helper()
	get(t, c, rp.authURL(nil))
	return rp.lastCallback().Get("code")
}

func TestCheckNamesBadAssumptions(t *testing.T) {
	s := &mockpsc.Server{Assume: mockpsc.Assumptions{Layout: "old", Federation: "x", SigningKeys: 9}}
	err := s.Check()
	for _, want := range []string{`Assume.Layout "old"`, `Assume.Federation "x"`, "Assume.SigningKeys 9"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
}

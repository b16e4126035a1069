package mockpsc_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pscauth/pscauth/mockpsc"
)

const (
	apiPath       = "/auth/realms/api"
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	tokenType     = "urn:ietf:params:oauth:token-type:"
)

// exchangeForm is a correct request, then changed: "" removes.
func exchangeForm(subjectToken string, change map[string]string) url.Values {
	form := url.Values{
		"grant_type": {exchangeGrant}, "subject_token": {subjectToken}, "subject_token_type": {tokenType + "access_token"},
		"subject_issuer": {"psc"}, "scope": {"dossier:lire dossier:ecrire"},
		"client_id": {"carelink"}, "client_secret": {"carelink-secret"},
	}
	for k, v := range change {
		if v == "" {
			form.Del(k)
		} else {
			form.Set(k, v)
		}
	}
	return form
}

type apiToken struct {
	AccessToken string `json:"access_token"`
	Type        string `json:"issued_token_type"`
	Error       string `json:"error"`
}

func exchangeToken(t *testing.T, c *http.Client, base string, form url.Values) (int, apiToken, string) {
	t.Helper()
	resp, err := c.PostForm(base+apiPath+"/protocol/openid-connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	var tok apiToken
	text := body(t, resp)
	if err := json.Unmarshal([]byte(text), &tok); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return resp.StatusCode, tok, text
}

func TestTokenExchange(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	_, psc := rp.signIn(t, "dr-dupont")
	api := mock.URL + apiPath

	var meta struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
		JWKS   string `json:"jwks_uri"`
	}
	getJSON(t, api+"/.well-known/openid-configuration", &meta)
	if meta.Issuer != api || meta.Token != api+"/protocol/openid-connect/token" || meta.JWKS != api+"/protocol/openid-connect/certs" {
		t.Fatalf("metadata: %+v", meta)
	}
	for _, kind := range []string{"access_token", "jwt"} {
		status, tok, text := exchangeToken(t, http.DefaultClient, mock.URL, exchangeForm(psc.AccessToken, map[string]string{"subject_token_type": tokenType + kind}))
		if status != 200 || memberNames(t, text) != "access_token issued_token_type token_type expires_in scope" || tok.Type != tokenType+"access_token" {
			t.Fatalf("%s: got %d %s", kind, status, text)
		}
		claims := payload(t, tok.AccessToken)
		if got, want := memberNames(t, claims), "exp iat jti iss aud sub typ azp scope"; got != want {
			t.Errorf("got members %s, want %s", got, want)
		}
		start := now.now().Unix()
		for _, want := range []string{
			fmt.Sprintf(`"exp":%d,"iat":%d,`, start+4*3600, start), `"iss":"` + api + `","aud":"` + api + `","sub":"899999001011"`,
			`"azp":"carelink","scope":"dossier:lire dossier:ecrire"`,
		} {
			if !strings.Contains(claims, want) {
				t.Errorf("the token lacks %s: %s", want, claims)
			}
		}
		var set jose.JSONWebKeySet
		getJSON(t, meta.JWKS, &set)
		jws, err := jose.ParseSignedCompact(tok.AccessToken, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		key := set.Key(jws.Signatures[0].Header.KeyID)
		if len(key) != 1 || !key[0].IsPublic() {
			t.Fatalf("%d keys of that kid", len(key))
		}
		if _, err := jws.Verify(key[0]); err != nil {
			t.Error(err)
		}
		if _, err := rp.verify(t, tok.AccessToken); err == nil {
			t.Error("PSC's keys verify the API's token")
		}
		if status, _ := rp.userinfo(t, tok.AccessToken); status != 401 {
			t.Errorf("PSC's userinfo takes the API's token: %d", status)
		}
		if status, _, text := exchangeToken(t, http.DefaultClient, mock.URL, exchangeForm(tok.AccessToken, nil)); status != 400 {
			t.Errorf("the API's token is exchanged again: %s", text)
		}
	}
}

func TestTokenExchangeRefuses(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	_, psc := rp.signIn(t, "dr-dupont")
	for _, tt := range []struct {
		name   string
		change map[string]string
		status int
		err    string
	}{
		{"a wrong secret", map[string]string{"client_secret": "x"}, 401, "unauthorized_client"},
		{"an unknown client", map[string]string{"client_id": "x"}, 401, "invalid_client"},
		{"no grant type", map[string]string{"grant_type": ""}, 400, "invalid_request"},
		{"another grant type", map[string]string{"grant_type": "authorization_code"}, 400, "unsupported_grant_type"},
		{"no token", map[string]string{"subject_token": ""}, 400, "invalid_request"},
		{"nonsense", map[string]string{"subject_token": "x"}, 400, "invalid_request"},
		{"an ID token", map[string]string{"subject_token": psc.IDToken}, 400, "invalid_request"},
		{"a refresh token", map[string]string{"subject_token": psc.RefreshToken}, 400, "invalid_request"},
		{"no token type", map[string]string{"subject_token_type": ""}, 400, "invalid_request"},
		{"another token type", map[string]string{"subject_token_type": tokenType + "id_token"}, 400, "invalid_request"},
		{"no issuer", map[string]string{"subject_issuer": ""}, 400, "invalid_request"},
		{"another issuer", map[string]string{"subject_issuer": "franceconnect"}, 400, "invalid_request"},
		{"no scope", map[string]string{"scope": ""}, 400, "invalid_scope"},
		{"an impossible scope", map[string]string{"scope": "é"}, 400, "invalid_scope"},
		{"an actor", map[string]string{"actor_token": "x"}, 400, "invalid_request"},
		{"another API", map[string]string{"resource": "https://other.example"}, 400, "invalid_target"},
		{"another audience", map[string]string{"audience": "other"}, 400, "invalid_target"},
		{"another token wanted", map[string]string{"requested_token_type": tokenType + "saml2"}, 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, tok, text := exchangeToken(t, http.DefaultClient, mock.URL, exchangeForm(psc.AccessToken, tt.change))
			if status != tt.status || tok.Error != tt.err {
				t.Errorf("got %d %s, want %d %s", status, text, tt.status, tt.err)
			}
		})
	}
	t.Run("a parameter twice", func(t *testing.T) {
		form := exchangeForm(psc.AccessToken, nil)
		form.Add("scope", "more")
		if status, tok, text := exchangeToken(t, http.DefaultClient, mock.URL, form); status != 400 || tok.Error != "invalid_request" {
			t.Errorf("got %d %s", status, text)
		}
	})
	t.Run("at PSC itself", func(t *testing.T) {
		if tok := rp.exchange(t, exchangeForm(psc.AccessToken, nil)); tok.Error != "unsupported_grant_type" {
			t.Errorf("got %s", tok.Body)
		}
	})
	t.Run("an expired token", func(t *testing.T) {
		now.advance(120 * time.Second)
		if status, tok, text := exchangeToken(t, http.DefaultClient, mock.URL, exchangeForm(psc.AccessToken, nil)); status != 400 || tok.Error != "invalid_request" {
			t.Errorf("got %d %s", status, text)
		}
	})
	t.Run("a token of an ended session", func(t *testing.T) {
		_, psc := rp.signIn(t, "dr-dupont")
		submit(t, http.DefaultClient, mock.URL+issuerPath+"/protocol/openid-connect/logout", "id_token_hint", psc.IDToken)
		if status, tok, text := exchangeToken(t, http.DefaultClient, mock.URL, exchangeForm(psc.AccessToken, nil)); status != 400 || tok.Error != "invalid_request" {
			t.Errorf("got %d %s", status, text)
		}
	})
}

// The thumbprint has ANS's form, which is not RFC 8705's.
func TestTokenExchangeBindsToTheCertificate(t *testing.T) {
	mock := new(mockpsc.Server)
	srv := httptest.NewUnstartedServer(mock)
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	defer srv.Close()
	c := srv.Client()
	own := srv.TLS.Certificates[0] // any will do
	c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{own}

	oidc := srv.URL + issuerPath + "/protocol/openid-connect"
	secret := []string{"client_id", "carelink", "client_secret", "carelink-secret"}
	_, text := submit(t, c, oidc+"/ext/ciba/auth", append(secret, "scope", "openid scope_all", "acr_values", "eidas1",
		"login_hint", dupont, "binding_message", "42", "channel", "MOBILE")...)
	if err := mock.AnswerCIBA(dupont, "1234"); err != nil {
		t.Fatal(err)
	}
	var began struct {
		ID string `json:"auth_req_id"`
	}
	if err := json.Unmarshal([]byte(text), &began); err != nil {
		t.Fatal(err)
	}
	_, text = submit(t, c, oidc+"/token", append(secret, "grant_type", cibaGrant, "auth_req_id", began.ID)...)
	var psc tokens
	if err := json.Unmarshal([]byte(text), &psc); err != nil || psc.AccessToken == "" {
		t.Fatal(text, err)
	}
	status, tok, text := exchangeToken(t, c, srv.URL, exchangeForm(psc.AccessToken, nil))
	if status != 200 {
		t.Fatal(text)
	}
	sum := sha256.Sum256(own.Certificate[0])
	want := `"cnf":{"x5t#S256":"` + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%x", sum)) + `"}`
	if claims := payload(t, tok.AccessToken); !strings.Contains(claims, want) {
		t.Errorf("got %s, want %s", claims, want)
	}
}

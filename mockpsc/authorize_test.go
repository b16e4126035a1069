package mockpsc_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestAuthorizeRefusesOnAPage(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	mock.Clients = []mockpsc.Client{{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{rp.redirectURI()}}}
	for _, tt := range []struct {
		name   string
		change map[string]string
		want   string // of what the developer reads
	}{
		{"an unknown client", map[string]string{"client_id": "x"}, "<code>client_id</code> « <code>x</code> » inconnu. Clients déclarés : <code>carelink</code>."},
		{"no client", map[string]string{"client_id": ""}, "inconnu"},
		{"a redirect URI with a final slash more", map[string]string{"redirect_uri": rp.redirectURI() + "/"}, "Reçue : <code>" + rp.redirectURI() + "/</code> – Déclarée(s) : <code>" + rp.redirectURI() + "</code>"},
		{"a redirect URI with a query more", map[string]string{"redirect_uri": rp.redirectURI() + "?a=b"}, "non déclarée"},
		{"a redirect URI elsewhere", map[string]string{"redirect_uri": "https://evil.example/"}, "https://evil.example/"},
		{"no redirect URI", map[string]string{"redirect_uri": ""}, "Reçue : <code>–</code>"},
		{"no state", map[string]string{"state": ""}, "<code>state</code> est obligatoire et absent."},
		{"no nonce", map[string]string{"nonce": ""}, "<code>nonce</code> est obligatoire et absent."},
		{"no acr_values", map[string]string{"acr_values": ""}, "<code>acr_values=eidas1</code> est obligatoire. Reçu : <code>–</code>."},
		{"acr instead of acr_values", map[string]string{"acr_values": "", "acr": "eidas1"}, "coquille fréquente"},
		{"another acr", map[string]string{"acr_values": "eidas2"}, "Reçu : <code>eidas2</code>"},
		{"markup in a parameter", map[string]string{"client_id": "<script>"}, "&lt;script&gt;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, page := get(t, stay(newBrowser(t)), rp.authURL(tt.change))
			page = strings.ReplaceAll(html.UnescapeString(strings.ReplaceAll(page, "&lt;", "&amp;lt;")), "\u00a0", " ")
			page = strings.ReplaceAll(page, "&gt;", ">")
			want := strings.ReplaceAll(tt.want, "&gt;", ">")
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, want) {
				t.Errorf("got %d, page lacks %q", resp.StatusCode, want)
			}
			if resp.Header.Get("Location") != "" || resp.Header.Get("X-Mock-PSC-Error") == "" {
				t.Errorf("headers: %v", resp.Header)
			}
		})
	}
	t.Run("a parameter given twice", func(t *testing.T) {
		resp, page := get(t, stay(newBrowser(t)), rp.authURL(nil)+"&state=other")
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, "<code>state</code>") {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
}

func TestAuthorizeRefusesByRedirect(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	for _, tt := range []struct {
		name   string
		change map[string]string
		want   string
	}{
		{"no response type", map[string]string{"response_type": ""}, "invalid_request"},
		{"the implicit flow", map[string]string{"response_type": "id_token"}, "unsupported_response_type"},
		{"a scope too few", map[string]string{"scope": "openid"}, "invalid_scope"},
		{"a scope too many", map[string]string{"scope": "openid scope_all email"}, "invalid_scope"},
		{"plain PKCE", map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		{"PKCE without a method, which means plain", map[string]string{"code_challenge_method": ""}, "invalid_request"},
		{"a method without a challenge", map[string]string{"code_challenge": ""}, "invalid_request"},
		{"a challenge too short", map[string]string{"code_challenge": "x"}, "invalid_request"},
		{"a request object", map[string]string{"request": "x"}, "request_not_supported"},
		{"a request URI", map[string]string{"request_uri": "https://a.example"}, "request_uri_not_supported"},
		{"form_post", map[string]string{"response_mode": "form_post"}, "invalid_request"},
		{"an unknown prompt", map[string]string{"prompt": "please"}, "invalid_request"},
		{"prompt none and login", map[string]string{"prompt": "none login"}, "invalid_request"},
		{"max_age in words", map[string]string{"max_age": "soon"}, "invalid_request"},
		{"prompt none when nobody is signed in", map[string]string{"prompt": "none"}, "login_required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, _ := get(t, stay(newBrowser(t)), rp.authURL(tt.change))
			back, err := resp.Location()
			if err != nil {
				t.Fatalf("status %d: %v", resp.StatusCode, err)
			}
			q := back.Query()
			if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(back.String(), rp.redirectURI()+"?") {
				t.Errorf("got %d to %s", resp.StatusCode, back)
			}
			if q.Get("error") != tt.want || q.Get("error_description") == "" || q.Get("state") != "the-state" || q.Get("iss") != rp.mock.URL+issuerPath || q.Has("code") {
				t.Errorf("got %v, want error %q", q, tt.want)
			}
		})
	}
}

func TestAuthorizeAccepts(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	for _, tt := range []struct {
		name   string
		change map[string]string
	}{
		{"scopes in another order", map[string]string{"scope": "scope_all openid"}},
		{"parameters it does not know", map[string]string{"foo": "bar", "display": "page", "claims_locales": "fr"}},
		{"kc_idp_hint", map[string]string{"kc_idp_hint": "OKTA_x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if resp, page := get(t, newBrowser(t), rp.authURL(tt.change)); resp.StatusCode != 200 || !strings.Contains(page, "Connectez-vous") {
				t.Errorf("got %d", resp.StatusCode)
			}
		})
	}
	t.Run("a request by POST", func(t *testing.T) {
		address, query, _ := strings.Cut(rp.authURL(nil), "?")
		form, _ := url.ParseQuery(query)
		resp, err := newBrowser(t).PostForm(address, form)
		if err != nil {
			t.Fatal(err)
		}
		if page := body(t, resp); resp.StatusCode != 200 || !strings.Contains(page, "Connectez-vous") {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	t.Run("the stock authorization endpoint", func(t *testing.T) {
		address := strings.Replace(rp.authURL(nil), "/auth?", issuerPath+"/protocol/openid-connect/auth?", 1)
		if resp, _ := get(t, newBrowser(t), address); resp.StatusCode != 200 {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	t.Run("login_hint fills the identifier in", func(t *testing.T) {
		for _, hint := range []string{"dr-martin", "899999001029", "99999001029"} {
			if _, page := get(t, newBrowser(t), rp.authURL(map[string]string{"login_hint": hint})); !strings.Contains(page, `name="identifier" value="899999001029"`) {
				t.Errorf("%s: not filled in", hint)
			}
		}
	})
	t.Run("the default client comes back to any loopback address, and no other", func(t *testing.T) {
		for uri, want := range map[string]int{
			"http://localhost:3000/cb": 200, "http://127.0.0.1/x/y?z=1": 200, "http://[::1]:8/": 200, "https://localhost:8443/cb": 200,
			"http://localhost.evil.example/": 400, "http://evil.example/": 400, "http://user@localhost/": 400, "http://localhost/#f": 400,
			"//localhost/": 400, "javascript:alert(1)//localhost": 400, "http://0.0.0.0/": 400, "http://localhost:80@evil.example/": 400,
		} {
			if resp, _ := get(t, stay(newBrowser(t)), rp.authURL(map[string]string{"redirect_uri": uri})); resp.StatusCode != want {
				t.Errorf("%s: got %d, want %d", uri, resp.StatusCode, want)
			}
		}
	})
	t.Run("a query in the redirect URI is kept", func(t *testing.T) {
		resp, _ := get(t, stay(newBrowser(t)), rp.authURL(map[string]string{"redirect_uri": rp.redirectURI() + "?a=b", "prompt": "none"}))
		if back, _ := resp.Location(); back.Query().Get("a") != "b" || back.Query().Get("error") != "login_required" {
			t.Errorf("got %s", back)
		}
	})
}

func TestSSO(t *testing.T) {
	// silent asks for authorization in a browser and reports whether it was answered at once.
	silent := func(t *testing.T, rp *relyingParty, c *http.Client, change map[string]string) bool {
		t.Helper()
		resp, _ := get(t, stay(c), rp.authURL(change))
		back, err := resp.Location()
		return err == nil && back.Query().Has("code")
	}
	setup := func(t *testing.T) (*relyingParty, *clock, *http.Client, tokens) {
		mock, now := newMockWithClock(t)
		rp := newRelyingParty(t, mock)
		c, tok := rp.signIn(t, "dr-dupont")
		return rp, now, c, tok
	}
	t.Run("a second request is answered without asking", func(t *testing.T) {
		rp, now, c, tok := setup(t)
		now.advance(time.Minute)
		if _, page := get(t, c, rp.authURL(nil)); page != "back" {
			t.Fatal("asked again")
		}
		again := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
		first, _ := rp.verify(t, tok.IDToken)
		second, err := rp.verify(t, again.IDToken)
		if err != nil || first["sid"] != second["sid"] || first["auth_time"] != second["auth_time"] || first["iat"] == second["iat"] {
			t.Errorf("got %v after %v, want the same session and auth_time", second, first)
		}
	})
	t.Run("after half an hour without use it asks", func(t *testing.T) {
		rp, now, c, _ := setup(t)
		now.advance(31 * time.Minute)
		if silent(t, rp, c, nil) {
			t.Error("did not ask")
		}
	})
	t.Run("with use it goes on, but not beyond four hours", func(t *testing.T) {
		rp, now, c, _ := setup(t)
		for range 9 {
			now.advance(26 * time.Minute)
			if !silent(t, rp, c, nil) {
				t.Fatal("asked")
			}
		}
		now.advance(10 * time.Minute)
		if silent(t, rp, c, nil) {
			t.Error("did not ask")
		}
	})
	t.Run("prompt=login asks, prompt=none does not", func(t *testing.T) {
		rp, _, c, _ := setup(t)
		if silent(t, rp, c, map[string]string{"prompt": "login"}) || !silent(t, rp, c, map[string]string{"prompt": "none"}) {
			t.Error("the other way round")
		}
	})
	t.Run("max_age asks when the sign-in is older", func(t *testing.T) {
		rp, now, c, _ := setup(t)
		now.advance(time.Minute)
		if silent(t, rp, c, map[string]string{"max_age": "30"}) || silent(t, rp, c, map[string]string{"max_age": "0"}) || !silent(t, rp, c, map[string]string{"max_age": "90"}) {
			t.Error("wrong age")
		}
	})
	t.Run("an id_token_hint of somebody else asks", func(t *testing.T) {
		rp, _, c, tok := setup(t)
		_, other := rp.signIn(t, "dr-martin")
		if !silent(t, rp, c, map[string]string{"id_token_hint": tok.IDToken}) || silent(t, rp, c, map[string]string{"id_token_hint": other.IDToken}) {
			t.Error("the other way round")
		}
	})
	t.Run("another browser is asked", func(t *testing.T) {
		rp, _, _, _ := setup(t)
		if silent(t, rp, newBrowser(t), nil) {
			t.Error("did not ask")
		}
	})
	t.Run("a sign-in with a fault is not remembered", func(t *testing.T) {
		rp, _, _, _ := setup(t)
		c, _ := rp.signIn(t, "dr-dupont", "wrong-nonce")
		if silent(t, rp, c, nil) {
			t.Error("did not ask")
		}
	})
	t.Run("somebody struck off the register is asked", func(t *testing.T) {
		rp, _, _, _ := setup(t)
		c, _ := rp.signIn(t, "dr-lambert")
		if err := rp.mock.Change("dr-lambert", "struck-off"); err != nil {
			t.Fatal(err)
		}
		if silent(t, rp, c, nil) {
			t.Error("did not ask")
		}
	})
	t.Run("the cookie is host-only, HttpOnly and Lax", func(t *testing.T) {
		rp, _, _, _ := setup(t)
		c := stay(newBrowser(t))
		_, page := get(t, c, rp.authURL(nil))
		resp, err := c.PostForm(rp.mock.URL+"/auth/sign-in", url.Values{"attempt": {attempt(t, page)}, "persona": {"dr-dupont"}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
			t.Fatalf("got %d with %v", resp.StatusCode, resp.Cookies())
		}
		if k := resp.Cookies()[0]; !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Domain != "" || k.Path != "/" || !strings.HasPrefix(k.Name, "mockpsc_sso_") {
			t.Errorf("got %s", k)
		}
	})
}

func TestIssuer(t *testing.T) {
	const configured = "https://psc.test.example" + issuerPath
	for _, tt := range []struct {
		name   string
		server *mockpsc.Server
		host   string
		status int
		want   string
	}{
		{"the zero value on localhost", &mockpsc.Server{}, "localhost:9090", 200, `"issuer":"http://localhost:9090` + issuerPath + `"`},
		{"the zero value on 127.0.0.1", &mockpsc.Server{}, "127.0.0.1", 200, `"issuer":"http://127.0.0.1` + issuerPath + `"`},
		{"the zero value on ::1", &mockpsc.Server{}, "[::1]:9090", 200, `"issuer":"http://[::1]:9090` + issuerPath + `"`},
		{"the zero value on another host", &mockpsc.Server{}, "psc.test.example", 500, "issuer_not_configured"},
		{"the zero value on a name that only begins with localhost", &mockpsc.Server{}, "localhost.evil.example", 500, "issuer_not_configured"},
		{"a configured issuer, whatever the host", &mockpsc.Server{Issuer: configured}, "10.0.0.7:80", 200, `"issuer":"` + configured + `"`},
		{"an issuer of the real service", &mockpsc.Server{Issuer: "https://auth.bas.psc.esante.gouv.fr" + issuerPath}, "localhost", 500, "real service"},
		{"an issuer of the real service in capitals", &mockpsc.Server{Issuer: "https://X.ESANTE.GOUV.FR." + issuerPath}, "localhost", 500, "real service"},
		{"an issuer with another path", &mockpsc.Server{Issuer: "https://psc.test.example"}, "localhost", 500, "must be scheme"},
		{"a client without a secret", &mockpsc.Server{Clients: []mockpsc.Client{{ID: "a", RedirectURIs: []string{"https://a.example/cb"}}}}, "localhost", 500, "no Secret"},
		{"a client with a clear-text address", &mockpsc.Server{Clients: []mockpsc.Client{{ID: "a", Secret: "b", RedirectURIs: []string{"http://a.example/cb"}}}}, "localhost", 500, "loopback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "http://"+tt.host+issuerPath+"/.well-known/wallet-openid-configuration", nil)
			tt.server.ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %.200s, want %d with %s", w.Code, w.Body, tt.status, tt.want)
			}
			if w.Header().Get("X-Mock-PSC") != "1" {
				t.Error("no X-Mock-PSC")
			}
			if err := tt.server.Check(); (err != nil) != (tt.status == 500 && tt.want != "issuer_not_configured") {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestEveryAnswerSaysThatItIsTheMock(t *testing.T) {
	mock := mockpsc.NewServer(t)
	for _, path := range []string{"/", "/nowhere", "/auth", "/auth/data", "/auth/wait", "/auth/status", issuerPath, issuerPath + "/protocol/openid-connect/token", issuerPath + "/protocol/openid-connect/certs", "/_mock/phone/x", "//auth"} {
		if resp, _ := get(t, stay(newBrowser(t)), mock.URL+path); resp.Header.Get("X-Mock-PSC") != "1" {
			t.Errorf("%s: no X-Mock-PSC", path)
		}
	}
}

package mockpsc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pscauth/pscauth/mockpsc"
)

// oidcc-basic-certification-test-plan, response_type=code, client_secret_basic,
// static client: 38 modules.
func TestConformanceBasicOP(t *testing.T) {
	userinfo := func(send func(w *walk, endpoint, token string) *http.Request) func(*testing.T) {
		return module(func(w *walk) {
			tok, claims := w.passes(w.url())
			resp, err := http.DefaultClient.Do(send(w, w.rp.endpoint("/userinfo"), tok.AccessToken))
			if err != nil {
				w.Fatal(err)
			}
			text := body(w.T, resp)
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(text, fmt.Sprintf(`"sub":%q`, claims["sub"])) {
				w.Errorf("got %d %s", resp.StatusCode, text)
			}
		})
	}
	request := func(w *walk, method, address, body string) *http.Request {
		req, err := http.NewRequest(method, address, strings.NewReader(body))
		if err != nil {
			w.Fatal(err)
		}
		return req
	}
	// PSC knows one business scope, scope_all, and everybody asks for exactly
	// "openid scope_all". The suite would want the standard scopes either granted
	// or, being announced, at least not refused; the mock refuses them, so that
	// nobody waits for an e-mail address that PSC will never give.
	scope := func(scopes string) func(*testing.T) {
		return module(func(w *walk) {
			w.refused(w.url("scope", "openid "+scopes), "invalid_scope")
			w.refused(w.url("scope", "openid scope_all "+scopes), "invalid_scope")
		})
	}
	accepts := func(pairs ...string) func(*testing.T) {
		return module(func(w *walk) { w.passes(w.url(pairs...)) })
	}

	runPlan(t, `
		oidcc-server
		oidcc-response-type-missing
		oidcc-idtoken-signature
		oidcc-idtoken-unsigned
		oidcc-userinfo-get
		oidcc-userinfo-post-header
		oidcc-userinfo-post-body
		oidcc-ensure-request-without-nonce-succeeds-for-code-flow
		oidcc-scope-profile
		oidcc-scope-email
		oidcc-scope-address
		oidcc-scope-phone
		oidcc-scope-all
		oidcc-alternate-happy-flow
		oidcc-display-page
		oidcc-display-popup
		oidcc-prompt-login
		oidcc-prompt-none-not-logged-in
		oidcc-prompt-none-logged-in
		oidcc-max-age-1
		oidcc-max-age-10000
		oidcc-ensure-request-with-unknown-parameter-succeeds
		oidcc-id-token-hint
		oidcc-login-hint
		oidcc-ui-locales
		oidcc-claims-locales
		oidcc-ensure-request-with-acr-values-succeeds
		oidcc-codereuse
		oidcc-codereuse-30seconds
		oidcc-ensure-registered-redirect-uri
		oidcc-ensure-post-request-succeeds
		oidcc-server-client-secret-post
		oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported
		oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported
		oidcc-claims-essential
		oidcc-ensure-request-object-with-redirect-uri
		oidcc-refresh-token
		oidcc-ensure-request-with-valid-pkce-succeeds
	`, map[string]func(*testing.T){
		"oidcc-server": module(func(w *walk) {
			back := w.login(w.url())
			if back.Get("state") != "the-state" || back.Get("iss") != w.rp.mock.URL+issuerPath || back.Has("error") || back.Has("access_token") || back.Has("id_token") {
				w.Errorf("back with %v", back)
			}
			w.check(w.redeem(back))
		}),
		"oidcc-response-type-missing": module(func(w *walk) {
			w.refused(w.url("response_type", ""), "invalid_request")
		}),
		"oidcc-idtoken-signature": module(func(w *walk) {
			tok, _ := w.passes(w.url())
			if h := headerOf(w.T, tok.IDToken); h["alg"] != "RS256" || h["kid"] == nil || h["kid"] == "" {
				w.Errorf("header %v", h)
			}
		}),
		// The suite registers a client with id_token_signed_response_alg none. There
		// is no registration here, none is not announced, and every ID token is
		// signed; the fault alg-none is a lie for tests.
		"oidcc-idtoken-unsigned": module(func(w *walk) {
			var metadata map[string]any
			getJSON(w.T, w.rp.mock.URL+issuerPath+"/.well-known/openid-configuration", &metadata)
			if slices.Contains(strs(w.T, metadata, "id_token_signing_alg_values_supported"), "none") {
				w.Error("none is announced")
			}
			tok, _ := w.passes(w.url("id_token_signed_response_alg", "none"))
			if h := headerOf(w.T, tok.IDToken); h["alg"] != "RS256" {
				w.Errorf("header %v", h)
			}
		}),
		"oidcc-userinfo-get": userinfo(func(w *walk, endpoint, token string) *http.Request {
			req := request(w, "GET", endpoint, "")
			req.Header.Set("Authorization", "Bearer "+token)
			return req
		}),
		"oidcc-userinfo-post-header": userinfo(func(w *walk, endpoint, token string) *http.Request {
			req := request(w, "POST", endpoint, "")
			req.Header.Set("Authorization", "Bearer "+token)
			return req
		}),
		"oidcc-userinfo-post-body": userinfo(func(w *walk, endpoint, token string) *http.Request {
			req := request(w, "POST", endpoint, "access_token="+token)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return req
		}),
		// PSC demands a nonce: the suite's success is the mock's refusal, on a page,
		// because it is the developer who forgot it.
		"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": module(func(w *walk) {
			w.shown(w.url("nonce", ""), "nonce is required")
		}),
		"oidcc-scope-profile": module(func(w *walk) {
			scope("profile")(w.T)
			// What profile would give comes with scope_all.
			tok, _ := w.passes(w.url())
			_, text := w.rp.userinfo(w.T, tok.AccessToken)
			for _, want := range []string{`"given_name":"Jean"`, `"family_name":"DUPONT"`, `"preferred_username":"899999001011"`} {
				if !strings.Contains(text, want) {
					w.Errorf("userinfo lacks %s: %s", want, text)
				}
			}
		}),
		"oidcc-scope-email":   scope("email"),
		"oidcc-scope-address": scope("address"),
		"oidcc-scope-phone":   scope("phone"),
		"oidcc-scope-all":     scope("profile email address phone"),
		"oidcc-alternate-happy-flow": module(func(w *walk) {
			address, query, _ := strings.Cut(w.url("scope", "scope_all openid"), "?")
			parameters := strings.Split(query, "&")
			slices.Reverse(parameters)
			w.passes(address + "?" + strings.Join(parameters, "&"))
		}),
		"oidcc-display-page":  accepts("display", "page"),
		"oidcc-display-popup": accepts("display", "popup"),
		"oidcc-prompt-login": module(func(w *walk) {
			_, first := w.passes(w.url())
			w.now.advance(2 * time.Second)
			w.later(first, w.url("prompt", "login"))
		}),
		"oidcc-prompt-none-not-logged-in": module(func(w *walk) {
			w.refused(w.url("prompt", "none", "state", strings.Repeat("0a-_.~Zz", 16)), "login_required")
		}),
		"oidcc-prompt-none-logged-in": module(func(w *walk) {
			_, first := w.passes(w.url())
			w.now.advance(2 * time.Second)
			w.same(first, w.url("prompt", "none"))
		}),
		"oidcc-max-age-1": module(func(w *walk) {
			_, first := w.passes(w.url())
			w.now.advance(2 * time.Second)
			w.later(first, w.url("max_age", "1"))
		}),
		"oidcc-max-age-10000": module(func(w *walk) {
			_, first := w.passes(w.url())
			w.now.advance(2 * time.Second)
			w.same(first, w.url("max_age", "10000"))
		}),
		"oidcc-ensure-request-with-unknown-parameter-succeeds": accepts("extra", "foobar"),
		"oidcc-id-token-hint": module(func(w *walk) {
			tok, first := w.passes(w.url())
			w.now.advance(2 * time.Second)
			w.same(first, w.url("prompt", "none", "id_token_hint", tok.IDToken))
			w.now.advance(10 * time.Minute) // the hint has expired, the session has not
			w.same(first, w.url("prompt", "none", "id_token_hint", tok.IDToken))
		}),
		"oidcc-login-hint":     accepts("login_hint", "buffy@example.com"),
		"oidcc-ui-locales":     accepts("ui_locales", "se"),
		"oidcc-claims-locales": accepts("claims_locales", "se"),
		// The suite asks for what is announced, which at PSC is "0" twice, and wants
		// no error. PSC demands eidas1, announced nowhere, and gives it back.
		"oidcc-ensure-request-with-acr-values-succeeds": module(func(w *walk) {
			w.shown(w.url("acr_values", "0 0"), "acr_values=eidas1 is required")
			_, claims := w.passes(w.url("acr_values", "eidas1"))
			if claims["acr"] != "eidas1" {
				w.Errorf("acr %v", claims["acr"])
			}
		}),
		"oidcc-codereuse":           module(func(w *walk) { reuse(w, 0) }),
		"oidcc-codereuse-30seconds": module(func(w *walk) { reuse(w, 30*time.Second) }),
		"oidcc-ensure-registered-redirect-uri": module(func(w *walk) {
			w.shown(w.url("redirect_uri", w.rp.redirectURI()+"/vG7oVeR4hZ"), "is not declared")
		}),
		"oidcc-ensure-post-request-succeeds": module(func(w *walk) {
			address, query, _ := strings.Cut(w.url(), "?")
			form, err := url.ParseQuery(query)
			if err != nil {
				w.Fatal(err)
			}
			resp, err := w.browser.PostForm(address, form)
			if err != nil {
				w.Fatal(err)
			}
			w.check(w.redeem(w.identify(body(w.T, resp))))
		}),
		"oidcc-server-client-secret-post": module(func(w *walk) {
			form := w.rp.form(w.login(w.url()).Get("code"))
			form.Del("code_verifier")
			w.check(w.rp.exchange(w.T, form))
		}),
		// Not even fetched, and never ignored: not for a browser that is signed in either.
		"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": module(func(w *walk) {
			var fetched atomic.Int32
			app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
			w.Cleanup(app.Close)
			w.refused(w.url("request_uri", app.URL+"/request.jwt"), "request_uri_not_supported")
			w.passes(w.url())
			w.refused(w.url("request_uri", app.URL+"/request.jwt", "prompt", "none"), "request_uri_not_supported")
			if n := fetched.Load(); n > 0 {
				w.Errorf("fetched %d times", n)
			}
		}),
		"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": module(func(w *walk) {
			object := requestObject(w, w.rp.redirectURI())
			w.refused(w.url("request", object), "request_not_supported")
			w.passes(w.url())
			w.refused(w.url("request", object, "prompt", "none"), "request_not_supported")
		}),
		// The parameter is announced and has no effect: PSC gives everybody the same
		// document, which has no member name. The suite would warn.
		"oidcc-claims-essential": module(func(w *walk) {
			tok, claims := w.passes(w.url("claims", `{"userinfo":{"name":{"essential":true}}}`))
			if _, text := w.rp.userinfo(w.T, tok.AccessToken); strings.Contains(text, `"name":`) || claims["name"] != nil {
				w.Errorf("name in %s or %v", text, claims)
			}
		}),
		// The suite has a server prefer the object's redirect_uri. Here there is no
		// request object that could name one, so that the parameter's is the only one.
		"oidcc-ensure-request-object-with-redirect-uri": module(func(w *walk) {
			w.shown(w.url("request", requestObject(w, w.rp.redirectURI()), "redirect_uri", w.rp.redirectURI()+"/other"), "is not declared")
			w.refused(w.url("request", requestObject(w, w.rp.redirectURI()+"/other")), "request_not_supported")
		}),
		"oidcc-refresh-token": module(func(w *walk) {
			tok, first := w.passes(w.url())
			if !regexp.MustCompile(`^[ -~]+$`).MatchString(tok.RefreshToken) { // RFC 6749, appendix A.17
				w.Fatalf("refresh token %q", tok.RefreshToken)
			}
			w.now.advance(time.Minute)
			refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}}
			if got := w.token("other", refresh); !got.refused(400, "invalid_grant", "Invalid refresh token. Token client and authorized client don't match") {
				w.Errorf("another client: %d %s", got.Status, got.Body)
			}
			again := w.token("carelink", refresh)
			second := w.check(again) // iss, aud and userinfo with the new access token
			if second["sub"] != first["sub"] || second["auth_time"] != first["auth_time"] || number(second, "iat") <= number(first, "iat") || again.AccessToken == tok.AccessToken {
				w.Errorf("%v after %v", second, first)
			}
		}),
		"oidcc-ensure-request-with-valid-pkce-succeeds": module(func(w *walk) {
			w.check(w.redeem(w.login(w.rp.authURL(nil)), "code_verifier", verifier))
		}),
	})
}

// reuse sends a code again, some time after its first use, and tries what it gave.
func reuse(w *walk, after time.Duration) {
	w.Helper()
	back := w.login(w.url())
	tok := w.redeem(back)
	w.check(tok)
	w.now.advance(after)
	if again := w.redeem(back); !again.refused(400, "invalid_grant", "Code not valid") {
		w.Errorf("a second time: %d %s", again.Status, again.Body)
	}
	if status, text := w.rp.userinfo(w.T, tok.AccessToken); status != 401 {
		w.Errorf("userinfo: %d %s, want 401", status, text)
	}
}

// requestObject is an unsigned one with all that the suite puts into it.
func requestObject(w *walk, redirectURI string) string {
	w.Helper()
	claims, err := json.Marshal(map[string]any{
		"iss": "carelink", "aud": w.rp.mock.URL + issuerPath, "client_id": "carelink", "response_type": "code",
		"redirect_uri": redirectURI, "scope": "openid scope_all", "acr_values": "eidas1", "state": "another-state", "nonce": "another-nonce",
	})
	if err != nil {
		w.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims) + "."
}

// oidcc-config-certification-test-plan: 1 module.
func TestConformanceConfigOP(t *testing.T) {
	runPlan(t, `oidcc-discovery-endpoint-verification`, map[string]func(*testing.T){
		"oidcc-discovery-endpoint-verification": overTLS(func(t *testing.T, p *mockpsc.Server, metadata map[string]any) {
			if metadata["issuer"] != p.URL+issuerPath || !strings.HasPrefix(p.URL, "https://") {
				t.Errorf("issuer %v, found below %s", metadata["issuer"], p.URL+issuerPath)
			}
			for name, want := range map[string]string{
				"response_types_supported": "code", "grant_types_supported": "authorization_code", "subject_types_supported": "public",
				"id_token_signing_alg_values_supported": "RS256", "userinfo_signing_alg_values_supported": "RS256",
				"request_object_signing_alg_values_supported": "RS256", "scopes_supported": "openid", "claims_supported": "sub",
				"code_challenge_methods_supported": "S256", "token_endpoint_auth_methods_supported": "client_secret_basic",
			} {
				if list := strs(t, metadata, name); !slices.Contains(list, want) {
					t.Errorf("%s: %v lacks %s", name, list, want)
				}
			}
			for _, s := range strs(t, metadata, "scopes_supported") {
				if !regexp.MustCompile(`^[!#-\[\]-~]+$`).MatchString(s) { // RFC 6749, section 3.3
					t.Errorf("scope %q", s)
				}
			}
			for _, s := range strs(t, metadata, "subject_types_supported") {
				if s != "public" && s != "pairwise" {
					t.Errorf("subject type %q", s)
				}
			}
			for _, name := range []string{
				"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint", "end_session_endpoint",
				"introspection_endpoint", "revocation_endpoint", "backchannel_authentication_endpoint", "mtls_endpoint_aliases",
			} {
				if metadata[name] == nil {
					t.Errorf("no %s", name)
				}
			}
			endpoints(t, p, metadata)
			publicKeys(t, p, metadata)
		}),
	})
}

// endpoints checks that every address of the metadata is absolute, on the issuer's
// own origin, and answered by something.
func endpoints(t *testing.T, p *mockpsc.Server, metadata map[string]any) {
	t.Helper()
	for name, value := range metadata {
		if aliases, ok := value.(map[string]any); ok {
			endpoints(t, p, aliases)
			continue
		}
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" && name != "check_session_iframe" {
			continue
		}
		u, err := url.Parse(fmt.Sprint(value))
		if err != nil || u.Scheme+"://"+u.Host != p.URL || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%s is %v", name, value)
			continue
		}
		getStatus, _ := get(t, p.HTTPClient(), u.String())
		postStatus, _ := submit(t, p.HTTPClient(), u.String())
		if getStatus.StatusCode == 404 && postStatus.StatusCode == 404 {
			t.Errorf("%s: nothing is at %s", name, u)
		}
	}
}

// publicKeys checks that the key set holds nothing but public keys, each with a
// use, an algorithm and a kid of its own.
func publicKeys(t *testing.T, p *mockpsc.Server, metadata map[string]any) {
	t.Helper()
	resp, text := get(t, p.HTTPClient(), fmt.Sprint(metadata["jwks_uri"]))
	var raw struct{ Keys []map[string]any }
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(text), &raw); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d: %v", resp.StatusCode, err)
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil || len(set.Keys) < 2 || len(set.Keys) != len(raw.Keys) {
		t.Fatalf("%d keys of %d: %v", len(set.Keys), len(raw.Keys), err)
	}
	seen := map[any]bool{}
	for i, k := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, has := k[private]; has {
				t.Errorf("key %v has %s", k["kid"], private)
			}
		}
		if k["kty"] != "RSA" || k["kid"] == nil || seen[k["kid"]] || k["use"] == nil || k["alg"] == nil || !set.Keys[i].Valid() || !set.Keys[i].IsPublic() {
			t.Errorf("key %v", k)
		}
		seen[k["kid"]] = true
	}
}

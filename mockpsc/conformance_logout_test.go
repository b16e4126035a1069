package mockpsc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pscauth/pscauth/mockpsc"
)

var confirmField = regexp.MustCompile(`name="confirm" value="([^"]+)"`)

// logout asks the end_session_endpoint and returns its answer.
func (w *walk) logout(parameters url.Values) (*http.Response, string) {
	w.Helper()
	return get(w.T, stay(w.browser), w.rp.endpoint("/logout")+"?"+parameters.Encode())
}

// isOut and isIn say whether the browser's session is over, by asking with
// prompt=none.
func (w *walk) isOut() { w.Helper(); w.refused(w.url("prompt", "none"), "login_required") }
func (w *walk) isIn() {
	w.Helper()
	if back, _ := w.ask(w.url("prompt", "none")); !back.Has("code") {
		w.Errorf("signed out: back with %v", back)
	}
}

// atLogout is a module that begins with a sign-in and a correct logout request,
// whose hint has expired, as it always has when people sign out.
func atLogout(test func(w *walk, request url.Values)) func(*testing.T) {
	return module(func(w *walk) {
		tok, _ := w.passes(w.url())
		w.now.advance(10 * time.Minute)
		test(w, url.Values{"id_token_hint": {tok.IDToken}, "post_logout_redirect_uri": {w.rp.URL + "/bye"}, "state": {"s+ &="}})
	})
}

// leadsNowhere expects a page that explains itself, never a redirect.
func (w *walk) leadsNowhere(request url.Values, rule string) {
	w.Helper()
	resp, page := w.logout(request)
	if got := resp.Header.Get("X-Mock-PSC-Error"); resp.StatusCode != 400 || resp.Header.Get("Location") != "" || !strings.Contains(got, rule) || !strings.Contains(page, "<h1") {
		w.Errorf("%d to %q with %q, want a page about %q", resp.StatusCode, resp.Header.Get("Location"), got, rule)
	}
}

// asksFirst expects the question whether to sign out, and answers yes. It
// returns where that leads: without a hint nobody is signed out unasked, and the
// suite is content, for a person sits in front of it.
func (w *walk) asksFirst(request url.Values) (*http.Response, string) {
	w.Helper()
	resp, page := w.logout(request)
	if resp.StatusCode != 200 || resp.Header.Get("Location") != "" || !strings.Contains(page, "Se déconnecter de Pro Santé Connect") {
		w.Fatalf("got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	w.isIn()
	pairs := []string{"confirm", only(w.T, confirmField, page)}
	for name := range request {
		pairs = append(pairs, name, request.Get(name))
	}
	return submit(w.T, stay(w.browser), w.rp.endpoint("/logout"), pairs...)
}

// saysOver expects the page that says so, and a session that is over.
func (w *walk) saysOver(resp *http.Response, page string) {
	w.Helper()
	if resp.StatusCode != 200 || resp.Header.Get("Location") != "" || !strings.Contains(page, "Session fermée") {
		w.Errorf("got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	w.isOut()
}

// oidcc-rp-initiated-logout-certification-test-plan: 11 modules.
func TestConformanceRPInitiatedOP(t *testing.T) {
	runPlan(t, `
		oidcc-rp-initiated-logout-discovery-endpoint-verification
		oidcc-rp-initiated-logout
		oidcc-rp-initiated-logout-bad-post-logout-redirect-uri
		oidcc-rp-initiated-logout-modified-id-token-hint
		oidcc-rp-initiated-logout-no-id-token-hint
		oidcc-rp-initiated-logout-no-params
		oidcc-rp-initiated-logout-no-post-logout-redirect-uri
		oidcc-rp-initiated-logout-no-state
		oidcc-rp-initiated-logout-only-state
		oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri
		oidcc-rp-initiated-logout-bad-id-token-hint
	`, map[string]func(*testing.T){
		"oidcc-rp-initiated-logout-discovery-endpoint-verification": overTLS(func(t *testing.T, p *mockpsc.Server, metadata map[string]any) {
			if got, want := metadata["end_session_endpoint"], p.URL+issuerPath+"/protocol/openid-connect/logout"; got != want {
				t.Errorf("end_session_endpoint %v, want %s", got, want)
			}
		}),
		"oidcc-rp-initiated-logout": func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} { // RP-Initiated Logout, section 2: both
				t.Run(method, atLogout(func(w *walk, request url.Values) {
					ask := func() (*http.Response, error) { return stay(w.browser).PostForm(w.rp.endpoint("/logout"), request) }
					if method == "GET" {
						ask = func() (*http.Response, error) {
							return stay(w.browser).Get(w.rp.endpoint("/logout") + "?" + request.Encode())
						}
					}
					resp, err := ask()
					if err != nil {
						w.Fatal(err)
					}
					resp.Body.Close()
					if got, want := resp.Header.Get("Location"), w.rp.URL+"/bye?state=s%2B+%26%3D"; resp.StatusCode != 303 || got != want {
						w.Errorf("%d to %q, want %q", resp.StatusCode, got, want)
					}
					w.isOut()
				}))
			}
		},
		// Whether the session ends is left open by the specification; here it does,
		// because that much was asked by somebody who holds the ID token.
		"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": atLogout(func(w *walk, request url.Values) {
			request.Set("post_logout_redirect_uri", w.rp.URL+"/bye/SaXKhbYzZc")
			w.leadsNowhere(request, "is not declared")
			w.isOut()
		}),
		"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": atLogout(func(w *walk, request url.Values) {
			request.Set("post_logout_redirect_uri", w.rp.URL+"/bye?foo=bar")
			w.leadsNowhere(request, "is not declared")
			w.isOut()
		}),
		"oidcc-rp-initiated-logout-modified-id-token-hint": atLogout(func(w *walk, request url.Values) {
			parts := strings.Split(request.Get("id_token_hint"), ".")
			none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
			for _, hint := range []string{none + "." + parts[1] + ".", none + "." + parts[1] + "." + parts[2], parts[0] + "." + parts[1] + "."} {
				request.Set("id_token_hint", hint)
				w.leadsNowhere(request, "id_token_hint")
			}
			w.isIn()
		}),
		"oidcc-rp-initiated-logout-bad-id-token-hint": atLogout(func(w *walk, request url.Values) {
			hint := request.Get("id_token_hint")
			request.Set("id_token_hint", signedBySomebodyElse(w.T, payload(w.T, hint), headerOf(w.T, hint)["kid"].(string)))
			w.leadsNowhere(request, "id_token_hint")
			w.isIn()
		}),
		"oidcc-rp-initiated-logout-no-id-token-hint": atLogout(func(w *walk, request url.Values) {
			request.Del("id_token_hint")
			resp, _ := w.asksFirst(request)
			if resp.StatusCode != 400 || resp.Header.Get("Location") != "" { // no client is known, so that no address is declared
				w.Errorf("after the confirmation: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
			}
			w.isOut()
		}),
		"oidcc-rp-initiated-logout-no-params": atLogout(func(w *walk, _ url.Values) {
			w.saysOver(w.asksFirst(nil))
		}),
		"oidcc-rp-initiated-logout-only-state": atLogout(func(w *walk, _ url.Values) {
			w.saysOver(w.asksFirst(url.Values{"state": {"s"}}))
		}),
		"oidcc-rp-initiated-logout-no-post-logout-redirect-uri": atLogout(func(w *walk, request url.Values) {
			request.Del("post_logout_redirect_uri")
			w.saysOver(w.logout(request))
		}),
		"oidcc-rp-initiated-logout-no-state": atLogout(func(w *walk, request url.Values) {
			request.Del("state")
			if resp, _ := w.logout(request); resp.StatusCode != 303 || resp.Header.Get("Location") != w.rp.URL+"/bye" {
				w.Errorf("%d to %q, want the address as it is", resp.StatusCode, resp.Header.Get("Location"))
			}
			w.isOut()
		}),
	})
}

// signedBySomebodyElse signs claims with a key of nobody's, under the kid of another.
func signedBySomebodyElse(t *testing.T, claims, kid string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// oidcc-backchannel-rp-initiated-logout-certification-test-plan: 2 modules.
func TestConformanceBackChannelOP(t *testing.T) {
	runPlan(t, `
		oidcc-backchannel-logout-discovery-endpoint-verification
		oidcc-backchannel-rp-initiated-logout
	`, map[string]func(*testing.T){
		"oidcc-backchannel-logout-discovery-endpoint-verification": overTLS(func(t *testing.T, _ *mockpsc.Server, metadata map[string]any) {
			for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported"} {
				if metadata[name] != true {
					t.Errorf("%s is %v", name, metadata[name])
				}
			}
		}),
		"oidcc-backchannel-rp-initiated-logout": module(func(w *walk) {
			heard := listeners(w.T, w.rp)
			tok, claims := w.passes(w.url())
			if claims["sid"] == nil || claims["sid"] == "" {
				w.Errorf("sid %v", claims["sid"])
			}
			w.now.advance(time.Minute)
			resp, _ := w.logout(url.Values{"id_token_hint": {tok.IDToken}, "post_logout_redirect_uri": {w.rp.URL + "/bye"}, "state": {"s"}})
			if resp.Header.Get("Location") != w.rp.URL+"/bye?state=s" {
				w.Errorf("%d to %q", resp.StatusCode, resp.Header.Get("Location"))
			}
			checkLogoutToken(w.T, w.rp, hear(w.T, heard, 1)[0], tok)
			w.isOut()
		}),
	})
}

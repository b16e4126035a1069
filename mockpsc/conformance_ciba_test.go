package mockpsc_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// fapi-ciba-id1-test-plan, the 43 modules that belong to no country's profile,
// as far as they apply: PSC takes plain form parameters, poll mode, and clients
// with a secret or a certificate. The suite's own requests are signed objects in
// poll or ping mode, from clients with a private key or a certificate.
func TestConformanceFAPICIBA(t *testing.T) {
	ciba := func(test func(c *thickClient)) func(*testing.T) {
		return func(t *testing.T) { test(twoThickClients(t)) }
	}
	succeeds := func(pairs ...string) func(*testing.T) {
		return ciba(func(c *thickClient) { c.approve(c.begin(changes(pairs))) })
	}
	fails := func(status int, code string, pairs ...string) func(*testing.T) {
		return ciba(func(c *thickClient) {
			if got, text := c.ask(changes(pairs)); got != status || !strings.Contains(text, `{"error":"`+code+`"`) {
				c.t.Errorf("got %d %s, want %d %s", got, text, status, code)
			}
		})
	}
	// No request object is good at PSC, so that none is read: whatever is wrong
	// with it, or nothing, the answer is the same.
	object := fails(400, "invalid_request", "request", "eyJhbGciOiJub25lIn0.e30.")
	// No client authenticates by an assertion, so that one proves nothing.
	assertion := fails(401, "unauthorized_client", "client_secret", "",
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", "eyJhbGciOiJSUzI1NiJ9.e30.eA")
	assertionForToken := ciba(func(c *thickClient) {
		id := c.begin(nil)
		rp := &relyingParty{mock: c.mock}
		tok := rp.exchange(c.t, map[string][]string{
			"grant_type": {cibaGrant}, "auth_req_id": {id}, "client_id": {"carelink"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {"eyJhbGciOiJSUzI1NiJ9.e30.eA"},
		})
		if tok.Status != 401 || tok.Error != "unauthorized_client" {
			c.t.Errorf("got %d %s", tok.Status, tok.Body)
		}
		c.approve(id) // the request itself is untouched
	})
	// Ping is announced, as by the real service, and there is none: a client that
	// sends a notification token is served in poll mode. No client can declare an
	// endpoint, so that what it would answer never matters.
	ping := ciba(func(c *thickClient) {
		status, text := c.ask(map[string]string{"client_notification_token": "8d67dc78-7faa-4d41-aabd-67707b374255"})
		var ans struct {
			ID       string `json:"auth_req_id"`
			Interval int    `json:"interval"`
		}
		if err := json.Unmarshal([]byte(text), &ans); status != 200 || err != nil || ans.Interval != 1 {
			c.t.Fatalf("got %d %s", status, text)
		}
		if tok := c.poll(ans.ID); tok.Error != "authorization_pending" {
			c.t.Errorf("got %s", tok.Body)
		}
		c.approve(ans.ID)
	})

	runPlan(t, `
		fapi-ciba-id1-discovery-end-point-verification
		fapi-ciba-id1
		fapi-ciba-id1-user-rejects-authentication
		fapi-ciba-id1-multiple-call-to-token-endpoint
		fapi-ciba-id1-auth-req-id-expired
		fapi-ciba-id1-ensure-authorization-request-with-binding-message-succeeds
		fapi-ciba-id1-ensure-other-scope-order-succeeds
		fapi-ciba-id1-ensure-requested-expiry-as-string-succeeds
		fapi-ciba-id1-ensure-authorization-request-with-potentially-bad-binding-message
		fapi-ciba-id1-ensure-request-object-missing-aud-fails
		fapi-ciba-id1-ensure-request-object-bad-aud-fails
		fapi-ciba-id1-ensure-request-object-missing-iss-fails
		fapi-ciba-id1-ensure-request-object-bad-iss-fails
		fapi-ciba-id1-ensure-request-object-missing-exp-fails
		fapi-ciba-id1-ensure-request-object-expired-exp-fails
		fapi-ciba-id1-ensure-request-object-exp-is-70-minutes-in-future-fails
		fapi-ciba-id1-ensure-request-object-missing-iat-fails
		fapi-ciba-id1-ensure-request-object-missing-nbf-fails
		fapi-ciba-id1-ensure-request-object-nbf-is-10-minutes-in-future-fails
		fapi-ciba-id1-ensure-request-object-nbf-is-70-minutes-in-past-fails
		fapi-ciba-id1-ensure-request-object-missing-jti-fails
		fapi-ciba-id1-ensure-request-object-signature-algorithm-is-none-fails
		fapi-ciba-id1-ensure-request-object-signature-algorithm-is-bad-fails
		fapi-ciba-id1-ensure-request-object-signature-algorithm-is-RS256-fails
		fapi-ciba-id1-ensure-request-object-signed-by-other-client-fails
		fapi-ciba-id1-ensure-authorization-request-with-multiple-hints-fails
		fapi-ciba-id1-ensure-wrong-auth-req-id-in-token-endpoint-request
		fapi-ciba-id1-ensure-different-client-id-and-issuer-in-backchannel-authorization-request
		fapi-ciba-id1-ensure-wrong-client-id-in-token-endpoint-request
		fapi-ciba-id1-ensure-wrong-client-id-in-backchannel-authorization-request
		fapi-ciba-id1-ensure-without-client-assertion-in-token-endpoint-request
		fapi-ciba-id1-ensure-without-client-assertion-in-backchannel-authorization-request
		fapi-ciba-id1-ensure-client-assertion-signature-algorithm-in-backchannel-authorization-request-is-RS256-fails
		fapi-ciba-id1-ensure-client-assertion-signature-algorithm-in-token-endpoint-request-is-RS256-fails
		fapi-ciba-id1-ensure-client-assertion-with-iss-aud-to-token-endpoint-succeeds
		fapi-ciba-id1-ping-backchannel-notification-endpoint-response-has-body
		fapi-ciba-id1-ping-backchannel-notification-endpoint-response-401
		fapi-ciba-id1-ping-backchannel-notification-endpoint-response-403
		fapi-ciba-id1-ping-with-mtls-ciba-notification-endpoint-response-401-and-require-server-does-not-retry
		fapi-ciba-id1-ping-backchannel-notification-endpoint-return-redirect-request
		fapi-ciba-id1-ensure-unsigned-backchannel-authorization-request-fails
		fapi-ciba-id1-refresh-token
		fapi-ciba-id1-ensure-mtls-holder-of-key-required
	`, map[string]func(*testing.T){
		// backchannel_user_code_parameter_supported is not in the real document; its
		// default is false, and no user code is ever asked.
		"fapi-ciba-id1-discovery-end-point-verification": overTLS(func(t *testing.T, p *mockpsc.Server, metadata map[string]any) {
			if got, want := metadata["backchannel_authentication_endpoint"], p.URL+issuerPath+"/protocol/openid-connect/ext/ciba/auth"; got != want {
				t.Errorf("backchannel_authentication_endpoint %v, want %s", got, want)
			}
			if list := strs(t, metadata, "backchannel_token_delivery_modes_supported"); !slices.Contains(list, "poll") {
				t.Errorf("delivery modes %v", list)
			}
			if list := strs(t, metadata, "grant_types_supported"); !slices.Contains(list, cibaGrant) {
				t.Errorf("grant types %v", list)
			}
			if metadata["backchannel_user_code_parameter_supported"] == true || metadata["tls_client_certificate_bound_access_tokens"] != true {
				t.Errorf("user code %v, bound tokens %v", metadata["backchannel_user_code_parameter_supported"], metadata["tls_client_certificate_bound_access_tokens"])
			}
		}),
		"fapi-ciba-id1": ciba(func(c *thickClient) {
			for _, client := range []string{"carelink", "other"} {
				id := c.begin(map[string]string{"client_id": client, "client_secret": client + "-secret"})
				if err := c.mock.AnswerCIBA(dupont, "1234"); err != nil {
					c.t.Fatal(err)
				}
				tok := c.pollAs(client, id)
				rp := &relyingParty{mock: c.mock}
				claims, err := rp.verify(c.t, tok.IDToken)
				if err != nil || claims["aud"] != client || claims["acr"] != "eidas1" || claims["iss"] != c.mock.URL+issuerPath {
					c.t.Errorf("%s: %v %v", client, claims, err)
				}
				if status, text := rp.userinfo(c.t, tok.AccessToken); status != 200 || !strings.Contains(text, claims["sub"].(string)) {
					c.t.Errorf("%s: userinfo %d %s", client, status, text)
				}
				c.now.advance(time.Second)
				if again := c.pollAs(client, id); again.Status != 400 || again.Error != "invalid_grant" {
					c.t.Errorf("%s, again: %d %s", client, again.Status, again.Body)
				}
			}
		}),
		"fapi-ciba-id1-user-rejects-authentication": ciba(func(c *thickClient) {
			id := c.begin(nil)
			if err := c.mock.AnswerCIBA(dupont, ""); err != nil {
				c.t.Fatal(err)
			}
			if tok := c.poll(id); tok.Status != 400 || tok.Error != "access_denied" {
				c.t.Errorf("got %d %s", tok.Status, tok.Body)
			}
		}),
		"fapi-ciba-id1-multiple-call-to-token-endpoint": ciba(func(c *thickClient) {
			id := c.begin(nil)
			for i := range 20 {
				want := "slow_down"
				if i == 0 {
					want = "authorization_pending"
				}
				if tok := c.pollAs("carelink", id); tok.Status != 400 || tok.Error != want {
					c.t.Errorf("call %d: %d %s, want %s", i+1, tok.Status, tok.Body, want)
				}
			}
		}),
		// The suite asks for 30 seconds. PSC answers 120 whatever was asked.
		"fapi-ciba-id1-auth-req-id-expired": ciba(func(c *thickClient) {
			id := c.begin(map[string]string{"requested_expiry": "30"})
			c.now.advance(119 * time.Second)
			if tok := c.pollAs("carelink", id); tok.Error != "authorization_pending" {
				c.t.Errorf("after 119 s: %s", tok.Body)
			}
			c.now.advance(2 * time.Second)
			if tok := c.pollAs("carelink", id); tok.Status != 400 || tok.Error != "expired_token" {
				c.t.Errorf("after 121 s: %d %s", tok.Status, tok.Body)
			}
		}),
		// The suite's message is 1234. PSC's is two digits, and compulsory.
		"fapi-ciba-id1-ensure-authorization-request-with-binding-message-succeeds": func(t *testing.T) {
			succeeds("binding_message", "12")(t)
			fails(400, "invalid_binding_message", "binding_message", "1234")(t)
		},
		"fapi-ciba-id1-ensure-authorization-request-with-potentially-bad-binding-message": fails(400, "invalid_binding_message",
			"binding_message", "1234 \U0001F44D\U0001F3FF Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt"),
		"fapi-ciba-id1-ensure-other-scope-order-succeeds":          succeeds("scope", "scope_all openid"),
		"fapi-ciba-id1-ensure-requested-expiry-as-string-succeeds": succeeds("requested_expiry", "300"), // a form has only text

		"fapi-ciba-id1-ensure-request-object-missing-aud-fails":                  object,
		"fapi-ciba-id1-ensure-request-object-bad-aud-fails":                      object,
		"fapi-ciba-id1-ensure-request-object-missing-iss-fails":                  object,
		"fapi-ciba-id1-ensure-request-object-bad-iss-fails":                      object,
		"fapi-ciba-id1-ensure-request-object-missing-exp-fails":                  object,
		"fapi-ciba-id1-ensure-request-object-expired-exp-fails":                  object,
		"fapi-ciba-id1-ensure-request-object-exp-is-70-minutes-in-future-fails":  object,
		"fapi-ciba-id1-ensure-request-object-missing-iat-fails":                  object,
		"fapi-ciba-id1-ensure-request-object-missing-nbf-fails":                  object,
		"fapi-ciba-id1-ensure-request-object-nbf-is-10-minutes-in-future-fails":  object,
		"fapi-ciba-id1-ensure-request-object-nbf-is-70-minutes-in-past-fails":    object,
		"fapi-ciba-id1-ensure-request-object-missing-jti-fails":                  object,
		"fapi-ciba-id1-ensure-request-object-signature-algorithm-is-none-fails":  object,
		"fapi-ciba-id1-ensure-request-object-signature-algorithm-is-bad-fails":   object,
		"fapi-ciba-id1-ensure-request-object-signature-algorithm-is-RS256-fails": object,
		"fapi-ciba-id1-ensure-request-object-signed-by-other-client-fails":       object,

		"fapi-ciba-id1-ensure-authorization-request-with-multiple-hints-fails": func(t *testing.T) {
			fails(400, "invalid_request", "id_token_hint", "x")(t)
			fails(400, "invalid_request", "login_hint_token", "x")(t)
		},
		"fapi-ciba-id1-ensure-wrong-auth-req-id-in-token-endpoint-request": ciba(func(c *thickClient) {
			id := c.begin(nil)
			if tok := c.pollAs("carelink", id+"x"); tok.Status != 400 || tok.Error != "invalid_grant" {
				c.t.Errorf("got %d %s", tok.Status, tok.Body)
			}
			c.approve(id)
		}),
		// The issuer of a request without an object is whoever authenticates.
		"fapi-ciba-id1-ensure-different-client-id-and-issuer-in-backchannel-authorization-request": fails(401, "unauthorized_client", "client_id", "other"),
		"fapi-ciba-id1-ensure-wrong-client-id-in-token-endpoint-request": ciba(func(c *thickClient) {
			id := c.begin(nil)
			rp := &relyingParty{mock: c.mock}
			tok := rp.exchange(c.t, map[string][]string{"grant_type": {cibaGrant}, "auth_req_id": {id}, "client_id": {"other"}, "client_secret": {"carelink-secret"}})
			if tok.Status != 401 || tok.Error != "unauthorized_client" {
				c.t.Errorf("got %d %s", tok.Status, tok.Body)
			}
			if tok := c.pollAs("other", id); tok.Status != 400 || tok.Error != "invalid_grant" { // itself, but not the asker
				c.t.Errorf("another client: %d %s", tok.Status, tok.Body)
			}
			c.approve(id)
		}),
		"fapi-ciba-id1-ensure-wrong-client-id-in-backchannel-authorization-request":                                     fails(401, "invalid_client", "client_id", "nobody"),
		"fapi-ciba-id1-ensure-without-client-assertion-in-backchannel-authorization-request":                            fails(401, "unauthorized_client", "client_secret", ""),
		"fapi-ciba-id1-ensure-client-assertion-signature-algorithm-in-backchannel-authorization-request-is-RS256-fails": assertion,
		"fapi-ciba-id1-ensure-without-client-assertion-in-token-endpoint-request": ciba(func(c *thickClient) {
			rp := &relyingParty{mock: c.mock}
			tok := rp.exchange(c.t, map[string][]string{"grant_type": {cibaGrant}, "auth_req_id": {c.begin(nil)}, "client_id": {"carelink"}})
			if tok.Status != 401 || tok.Error != "unauthorized_client" {
				c.t.Errorf("got %d %s", tok.Status, tok.Body)
			}
		}),
		"fapi-ciba-id1-ensure-client-assertion-signature-algorithm-in-token-endpoint-request-is-RS256-fails": assertionForToken,
		"fapi-ciba-id1-ensure-client-assertion-with-iss-aud-to-token-endpoint-succeeds":                      assertionForToken, // it does not

		"fapi-ciba-id1-ping-backchannel-notification-endpoint-response-has-body":                                 ping,
		"fapi-ciba-id1-ping-backchannel-notification-endpoint-response-401":                                      ping,
		"fapi-ciba-id1-ping-backchannel-notification-endpoint-response-403":                                      ping,
		"fapi-ciba-id1-ping-with-mtls-ciba-notification-endpoint-response-401-and-require-server-does-not-retry": ping,
		"fapi-ciba-id1-ping-backchannel-notification-endpoint-return-redirect-request":                           ping,

		// FAPI wants every request signed. PSC wants none signed.
		"fapi-ciba-id1-ensure-unsigned-backchannel-authorization-request-fails": succeeds(),
		"fapi-ciba-id1-refresh-token": ciba(func(c *thickClient) {
			tok := c.approve(c.begin(nil))
			rp := &relyingParty{mock: c.mock}
			form := rp.refreshForm(tok.RefreshToken)
			form.Set("client_id", "other")
			form.Set("client_secret", "other-secret")
			if got := rp.exchange(c.t, form); got.Status != 400 || got.Error != "invalid_grant" {
				c.t.Errorf("another client: %d %s", got.Status, got.Body)
			}
			first, _ := rp.verify(c.t, tok.IDToken)
			second, err := rp.verify(c.t, rp.refresh(c.t, tok.RefreshToken).IDToken)
			if err != nil || second["sub"] != first["sub"] || second["aud"] != first["aud"] || second["iss"] != first["iss"] {
				c.t.Errorf("%v after %v: %v", second, first, err)
			}
		}),
		"fapi-ciba-id1-ensure-mtls-holder-of-key-required": holderOfKey,
	})
}

func changes(pairs []string) map[string]string {
	change := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		change[pairs[i]] = pairs[i+1]
	}
	return change
}

func twoThickClients(t *testing.T) *thickClient {
	rp, now := twoClients(t)
	return &thickClient{t, rp.mock, now}
}

// approve has the person say yes, and returns the tokens.
func (c *thickClient) approve(id string) tokens {
	c.t.Helper()
	if err := c.mock.AnswerCIBA(dupont, "1234"); err != nil {
		c.t.Fatal(err)
	}
	tok := c.poll(id)
	if tok.Status != 200 || tok.IDToken == "" || tok.RefreshToken == "" {
		c.t.Fatalf("got %d %s", tok.Status, tok.Body)
	}
	return tok
}

// A client with a certificate must show it at every step, and so must whoever
// uses its tokens if they are bound to it.
func holderOfKey(t *testing.T) {
	p := newTLSParty(t)
	cert, other := p.ClientCertificate("bound"), p.ClientCertificate("by-dn")
	mine, theirs, bare := p.presenting(&cert), p.presenting(&other), p.presenting(nil)
	at := p.URL + issuerPath + "/protocol/openid-connect"
	ask := []string{"client_id", "bound", "scope", "openid scope_all", "acr_values", "eidas1", "login_hint", dupont, "binding_message", "07", "channel", "MOBILE"}
	for _, c := range []*http.Client{bare, theirs} {
		if resp, text := submit(t, c, at+"/ext/ciba/auth", ask...); resp.StatusCode != 401 {
			t.Errorf("without the certificate: %d %s", resp.StatusCode, text)
		}
	}
	resp, text := submit(t, mine, at+"/ext/ciba/auth", ask...)
	var begun struct {
		ID string `json:"auth_req_id"`
	}
	if err := json.Unmarshal([]byte(text), &begun); resp.StatusCode != 200 || err != nil {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	if err := p.AnswerCIBA(dupont, "1234"); err != nil {
		t.Fatal(err)
	}
	poll := []string{"client_id", "bound", "grant_type", cibaGrant, "auth_req_id", begun.ID}
	for _, c := range []*http.Client{bare, theirs} {
		if resp, text := submit(t, c, at+"/token", poll...); resp.StatusCode != 401 {
			t.Errorf("tokens without the certificate: %d %s", resp.StatusCode, text)
		}
	}
	resp, text = submit(t, mine, at+"/token", poll...)
	var tok tokens
	if err := json.Unmarshal([]byte(text), &tok); resp.StatusCode != 200 || err != nil {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	for _, tt := range []struct {
		c    *http.Client
		want int
	}{{mine, 200}, {theirs, 401}, {bare, 401}} {
		if resp, _ := submit(t, tt.c, at+"/userinfo", "access_token", tok.AccessToken); resp.StatusCode != tt.want {
			t.Errorf("userinfo: %d, want %d", resp.StatusCode, tt.want)
		}
	}
}

package mockpsc

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An issued token is good until it expires, and as long as its grant and its
// session are.
type issued struct {
	grant   *grant
	expires time.Time
}

// refresh exchanges a refresh token for three new tokens (RFC 6749, section 6).
//
// That it lives 30 minutes from the last exchange, and no longer than the four
// hours of the SSO session, is ANS's. The rest is what Keycloak does, inferred
// for PSC: each exchange gives a new refresh token and spends the old one; one
// that comes back takes back all that this client holds of the session (RFC
// 9700, section 4.14.2); sub, sid, auth_time and nonce stay as they were at the
// sign-in. The words are Keycloak's.
//
// A sign-in's faults do not come back here: they hit that sign-in only.
func (s *Server) refresh(a *answer, r *http.Request, client *Client, form url.Values) {
	token := form.Get("refresh_token")
	if token == "" {
		a.fail(http.StatusBadRequest, "invalid_request", "No refresh token")
		return
	}
	s.mu.Lock()
	g, ref := s.spendRefreshToken(client, token, s.issuer(r), client.boundTo(r), form)
	s.mu.Unlock()
	if ref != nil {
		a.refuse(http.StatusBadRequest, ref)
		return
	}
	s.issueTokens(a, g, nil, "Token is not active")
}

// spendRefreshToken returns the grant that a refresh token goes on with. Called
// with s.mu held.
func (s *Server) spendRefreshToken(client *Client, token, issuer, thumbprint string, form url.Values) (*grant, *refusal) {
	refuse := func(words, rule string) (*grant, *refusal) {
		return nil, &refusal{code: "invalid_grant", words: words, rule: rule}
	}
	now := s.now()
	claims, ok := readRefreshToken(token)
	if !ok || claims.Iss != issuer {
		return refuse("Invalid refresh token", "it is no refresh token of this server and process")
	}
	if claims.Azp != client.ID {
		return refuse("Invalid refresh token. Token client and authorized client don't match", "the refresh token was given to another client")
	}
	ses := s.sessions[claims.Sid]
	if ses == nil || !ses.open(now) {
		return refuse("Session not active", "the session has ended: by a sign-out, by its age, or because the person's means was revoked")
	}
	known := s.refreshes[claims.Jti]
	switch {
	case known.grant == nil || !now.Before(known.expires):
		return refuse("Token is not active", "the refresh token has expired")
	case known.grant.revoked:
		return refuse("Token is not active", "the refresh token has been revoked")
	case known.grant.refresh != claims.Jti && !s.Assume.ReuseRefreshTokens:
		s.takeBack(ses, client)
		return refuse("Maximum allowed refresh token reuse exceeded", "the refresh token comes a second time; all that the client holds of the session is revoked (RFC 9700, section 4.14.2)")
	case known.grant.thumbprint != thumbprint: // stricter than RFC 8705, section 4, asks
		return refuse(badThumbprint, "the refresh token is bound to the certificate that it was asked for with (RFC 8705, section 3)")
	case !sameScope(form, known.grant.scope): // the token is not spent: nothing was given for it
		return nil, &refusal{code: "invalid_scope", words: "Invalid scopes: " + form.Get("scope"), rule: "a refresh has the scope that was granted, or none"}
	}
	known.grant.refresh = "" // until the next one is signed, none is good
	return known.grant, nil
}

const badThumbprint = "Client certificate missing, or its thumbprint and one in the refresh token did NOT match"

// sameScope reports whether a refresh asks for what was granted; to leave it
// out is to ask for the same.
func sameScope(form url.Values, granted string) bool {
	if !form.Has("scope") {
		return true
	}
	asked, had := strings.Fields(form.Get("scope")), strings.Fields(granted)
	slices.Sort(asked)
	slices.Sort(had)
	return slices.Equal(asked, had)
}

// takeBack revokes every token that a client holds of a session, as Keycloak
// does when it detaches the client from the session; the session and its other
// clients go on. Called with s.mu held.
func (s *Server) takeBack(ses *session, client *Client) {
	ses.leaves(client)
	for _, tokens := range []map[string]issued{s.access, s.refreshes} {
		for _, t := range tokens {
			if t.grant.session == ses && t.grant.client == client {
				t.grant.revoked = true
			}
		}
	}
}

// refreshClaims are those of a refresh token that the mock reads again.
type refreshClaims struct {
	Jti, Iss, Typ, Azp, Sid string
}

// readRefreshToken verifies that a refresh token is of this process's making.
func readRefreshToken(token string) (refreshClaims, bool) {
	var c refreshClaims
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return c, false
	}
	payload, err := jws.Verify(refreshKey())
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return c, false
	}
	return c, c.Typ == "Refresh"
}

// forgetAfter is how long a dead token is remembered, so that whoever shows it
// can be told that it has expired.
const forgetAfter = 5 * time.Minute

// sweepTokens drops what has expired a while ago. Called with s.mu held.
func (s *Server) sweepTokens(now time.Time) {
	for _, tokens := range []map[string]issued{s.access, s.refreshes} {
		for id, t := range tokens {
			if now.Sub(t.expires) >= forgetAfter {
				delete(tokens, id)
			}
		}
	}
}

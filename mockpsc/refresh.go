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
	g, code, problem := s.spendRefreshToken(client, token, s.issuer(r), client.boundTo(r), form)
	s.mu.Unlock()
	if problem != "" {
		a.fail(http.StatusBadRequest, code, problem)
		return
	}
	s.issueTokens(a, g, nil, "Token is not active")
}

// spendRefreshToken returns the grant that a refresh token goes on with. Called
// with s.mu held.
func (s *Server) spendRefreshToken(client *Client, token, issuer, thumbprint string, form url.Values) (g *grant, code, problem string) {
	now := s.now()
	claims, ok := readRefreshToken(token)
	if !ok || claims.Iss != issuer {
		return nil, "invalid_grant", "Invalid refresh token"
	}
	if claims.Azp != client.ID {
		return nil, "invalid_grant", "Invalid refresh token. Token client and authorized client don't match"
	}
	ses := s.sessions[claims.Sid]
	if ses == nil || !ses.open(now) {
		return nil, "invalid_grant", "Session not active"
	}
	known := s.refreshes[claims.Jti]
	switch {
	case known.grant == nil || known.grant.revoked || !now.Before(known.expires):
		return nil, "invalid_grant", "Token is not active"
	case known.grant.refresh != claims.Jti && !s.Assume.ReuseRefreshTokens:
		s.takeBack(ses, client)
		return nil, "invalid_grant", "Maximum allowed refresh token reuse exceeded"
	case known.grant.thumbprint != thumbprint: // stricter than RFC 8705, section 4, asks
		return nil, "invalid_grant", "Client certificate missing, or its thumbprint and one in the refresh token did NOT match"
	case !sameScope(form, known.grant.scope): // the token is not spent: nothing was given for it
		return nil, "invalid_scope", "Invalid scopes: " + form.Get("scope")
	}
	known.grant.refresh = "" // until the next one is signed, none is good
	return known.grant, "", ""
}

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

// sweepTokens drops what has expired. Called with s.mu held.
func (s *Server) sweepTokens(now time.Time) {
	for _, tokens := range []map[string]issued{s.access, s.refreshes} {
		for id, t := range tokens {
			if !now.Before(t.expires) {
				delete(tokens, id)
			}
		}
	}
}

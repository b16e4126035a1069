package mockpsc

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// introspect says what a token is worth (RFC 7662) to any declared client, its
// own or another's: that is how an API behind an application checks the token it
// is handed.
//
// For an access token that lives, the answer is its claims in their order, then
// SubjectNameID, client_id, username and active: the members are those of real
// answers of 2021 and 2022 and of ANS's introspection page, the place of
// SubjectNameID is assumed. ANS says that SubjectNameID is had for an access
// token; a refresh token's answer therefore lacks it, and is otherwise inferred
// from Keycloak. Everything else, an ID token too, is exactly {"active":false}.
func (s *Server) introspect(a *answer, r *http.Request) {
	client, form := s.clientForm(a, r)
	if client == nil {
		return
	}
	token := form.Get("token")
	if token == "" {
		a.fail(http.StatusBadRequest, "invalid_request", "Token not provided.")
		return
	}
	s.mu.Lock()
	g, isAccess := s.living(token, s.issuer(r))
	s.mu.Unlock()
	if g == nil || len(payloadOf(token)) == 0 {
		a.json(http.StatusOK, []byte(`{"active":false}`))
		return
	}
	var more object
	if isAccess {
		more = append(more, member{"SubjectNameID", g.who.NationalID})
	}
	more = append(more, member{"client_id", g.client.ID}, member{"username", g.who.NationalID}, member{"active", true})
	body := payloadOf(token)
	body[len(body)-1] = ',' // the claims go on
	a.json(http.StatusOK, append(body, more.text()[1:]...))
}

// payloadOf returns the claims of a token, as they were written.
func payloadOf(token string) []byte {
	_, rest, _ := strings.Cut(token, ".")
	claims, _, _ := strings.Cut(rest, ".")
	body, err := base64.RawURLEncoding.DecodeString(claims)
	if err != nil {
		return nil
	}
	return body
}

// living returns the grant of an access or refresh token that is good now, or
// nil. Called with s.mu held.
func (s *Server) living(token, issuer string) (g *grant, isAccess bool) {
	known, isAccess := s.access[digest(token)]
	if !isAccess {
		claims, ok := readRefreshToken(token)
		if !ok {
			return nil, false
		}
		if known = s.refreshes[claims.Jti]; known.grant == nil || known.grant.refresh != claims.Jti && !s.Assume.ReuseRefreshTokens {
			return nil, false
		}
	}
	now := s.now()
	g = known.grant
	if g.issuer != issuer || g.revoked || !now.Before(known.expires) || !g.session.open(now) {
		return nil, false
	}
	return g, isAccess
}

// revoke takes a token back (RFC 7009). With a refresh token goes all that the
// client holds of the session; an access token goes alone. The session itself
// goes on. PSC advertises the endpoint and nobody has published a use of it:
// this is Keycloak's way, in Keycloak's words, inferred.
//
// A token that the mock does not know, or no longer, is as good as revoked and
// gets 200; one of another client is refused and stays good. token_type_hint
// changes nothing.
func (s *Server) revoke(a *answer, r *http.Request) {
	client, form := s.clientForm(a, r)
	if client == nil {
		return
	}
	token := form.Get("token")
	if token == "" {
		a.fail(http.StatusBadRequest, "invalid_request", "Token not provided")
		return
	}
	if _, err := s.readHint(token); err == nil {
		a.refuse(http.StatusBadRequest, &refusal{code: "unsupported_token_type", words: "Unsupported token type", rule: "an ID token cannot be revoked; it only expires"})
		return
	}
	known, owner := s.takeBackToken(client, token, s.issuer(r))
	switch {
	case !known:
		a.refuse(http.StatusOK, &refusal{code: "invalid_token", words: "Invalid token", rule: "the token is unknown, which is as good as revoked (RFC 7009, section 2.2)"})
	case owner != client:
		a.refuse(http.StatusBadRequest, &refusal{code: "invalid_request", words: "Unmatching clients", rule: "the token was given to another client"})
	default:
		a.Header().Set("Cache-Control", "no-store")
		a.WriteHeader(http.StatusOK)
	}
}

// takeBackToken revokes a token if it is the client's, and returns whose it is.
func (s *Server) takeBackToken(client *Client, token, issuer string) (known bool, owner *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, isAccess := s.access[digest(token)]
	if !isAccess {
		if claims, ok := readRefreshToken(token); ok {
			t = s.refreshes[claims.Jti]
		}
	}
	switch g := t.grant; {
	case g == nil || g.issuer != issuer:
		return false, nil
	case g.client != client:
	case isAccess:
		delete(s.access, digest(token))
	default:
		s.takeBack(g.session, client)
	}
	return true, t.grant.client
}

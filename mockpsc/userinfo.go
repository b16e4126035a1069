package mockpsc

import (
	"fmt"
	"net/http"
	"strings"
)

// userinfo serves the person's document, byte for byte, to the bearer of a
// living access token (OpenID Connect Core, section 5.3; RFC 6750).
func (s *Server) userinfo(a *answer, r *http.Request) {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
		if r.Method == http.MethodPost && r.Header.Get("Authorization") == "" {
			bearer = r.PostFormValue("access_token") // RFC 6750, section 2.2; never the query
		}
	}
	if scheme != "" && r.Method == http.MethodPost && r.PostFormValue("access_token") != "" {
		a.refuse(http.StatusBadRequest, &refusal{code: "invalid_request", words: "Token not provided", rule: "one way to present the token per request (RFC 6750, section 2)"})
		return
	}
	if bearer == "" {
		a.Header().Set("WWW-Authenticate", `Bearer realm="esante-wallet"`)
		a.fail(http.StatusUnauthorized, "invalid_token", "Missing token")
		return
	}
	s.mu.Lock()
	known := s.access[digest(bearer)]
	g := known.grant
	ref := &refusal{code: "invalid_token", words: "Token verification failed", rule: "it is no access token of this server and process, or one that is long forgotten"}
	if g != nil {
		switch {
		case !s.now().Before(known.expires):
			ref.rule = fmt.Sprintf("the access token has expired: it lives %d seconds", int(g.lives.AccessToken.Seconds()))
		case g.revoked:
			ref.rule = "the access token has been revoked"
		case !g.session.open(s.now()):
			ref.words, ref.rule = "User session not found or doesn't have client attached on it", "the session has ended"
		case g.thumbprint != "" && g.thumbprint != thumbprint(r):
			ref.words, ref.rule = badThumbprint, "the access token is bound to the certificate that it was asked for with (RFC 8705, section 3)"
		default:
			ref = nil
		}
	}
	s.mu.Unlock()
	if g != nil {
		a.belongsTo(g.client)
	}
	if ref != nil {
		a.Header().Set("WWW-Authenticate", `Bearer realm="esante-wallet", error="invalid_token", error_description="`+ref.words+`"`)
		a.refuse(http.StatusUnauthorized, ref)
		return
	}
	out := &outgoing{issuer: g.issuer, grant: g, status: http.StatusOK, document: s.document(g), sub: g.sub, other: s.somebodyElse(g)}
	bend(g.faults, "userinfo", out)
	a.told(g.faults, "userinfo")
	a.send(r, out)
}

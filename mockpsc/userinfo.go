package mockpsc

import (
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
	if bearer == "" {
		a.Header().Set("WWW-Authenticate", `Bearer realm="esante-wallet"`)
		a.fail(http.StatusUnauthorized, "invalid_token", "Missing token")
		return
	}
	s.mu.Lock()
	known := s.access[digest(bearer)]
	g := known.grant
	problem := "Token verification failed"
	if g != nil {
		switch {
		case g.revoked || !s.now().Before(known.expires):
		case g.session.ended:
			problem = "User session not found or doesn't have client attached on it"
		case g.thumbprint != "" && g.thumbprint != thumbprint(r): // RFC 8705, section 3
			problem = "Client certificate missing, or its thumbprint and one in the refresh token did NOT match"
		default:
			problem = ""
		}
	}
	s.mu.Unlock()
	if g != nil {
		a.belongsTo(g.client)
	}
	if problem != "" {
		a.Header().Set("WWW-Authenticate", `Bearer realm="esante-wallet", error="invalid_token", error_description="`+problem+`"`)
		a.fail(http.StatusUnauthorized, "invalid_token", problem)
		return
	}
	out := &outgoing{status: http.StatusOK, document: g.who.userinfo(g.mode), sub: g.who.sub()}
	bend(g.faults, "userinfo", out)
	a.json(out.status, out.document)
}

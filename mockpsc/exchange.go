package mockpsc

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// apiRealm is the path of a second authorization server: not PSC's, but that
	// of an API in the Espace de Confiance.
	apiRealm    = "/auth/realms/api"
	apiTokenTTL = 4 * time.Hour

	exchangeGrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccessToken   = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT           = "urn:ietf:params:oauth:token-type:jwt"
)

// apiKey signs for the API's server only: a token of the one is worth nothing at
// the other.
var apiKey = sync.OnceValue(newKey)

func (s *Server) apiIssuer(r *http.Request) string { return s.base(r) + apiRealm }

// apiMetadata says no more than what this server does (RFC 8414).
func (s *Server) apiMetadata(a *answer, r *http.Request) {
	issuer := s.apiIssuer(r)
	a.json(http.StatusOK, object{
		{"issuer", issuer},
		{"token_endpoint", issuer + "/protocol/openid-connect/token"},
		{"jwks_uri", issuer + "/protocol/openid-connect/certs"},
		{"grant_types_supported", []string{exchangeGrantType}},
		{"response_types_supported", []string{}},
		{"token_endpoint_auth_methods_supported", []string{"client_secret_basic", "client_secret_post", "tls_client_auth"}},
	}.text())
}

func (s *Server) apiCerts(a *answer, r *http.Request) {
	key := apiKey()
	body, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &key.private.PublicKey, KeyID: key.kid, Algorithm: "RS256", Use: "sig"},
	}})
	if err != nil {
		panic("mockpsc: publishing the API's key: " + err.Error())
	}
	a.json(http.StatusOK, body)
}

// exchange turns a living access token of PSC into one of the API (RFC 8693).
//
// From ANS's documents: the grant, subject_token_type, subject_issuer=psc, the
// four hours, and the form of cnf, which is there if the client came with a
// certificate. Assumed: the applications declared at PSC are known here with the
// same secrets; any of them may exchange any token of PSC; scope is compulsory
// and every scope is granted; aud is this server's issuer; the claims and their
// order; no refresh token; actor_token, resource and audience are refused.
func (s *Server) exchange(a *answer, r *http.Request) {
	client, form := s.clientForm(a, r)
	if client == nil {
		return
	}
	if ref := checkExchange(form); ref != nil {
		a.fail(http.StatusBadRequest, ref.code, ref.rule)
		return
	}
	now := s.now()
	s.mu.Lock()
	known := s.access[digest(form.Get("subject_token"))]
	g := known.grant
	alive := g != nil && !g.revoked && now.Before(known.expires) && g.session.open(now)
	s.mu.Unlock()
	if !alive { // RFC 8693, section 2.2.2: not invalid_grant
		a.fail(http.StatusBadRequest, "invalid_request", "subject_token is no active access token of PSC")
		return
	}
	issuer, scope := s.apiIssuer(r), strings.Join(strings.Fields(form.Get("scope")), " ")
	claims := object{
		{"exp", now.Add(apiTokenTTL).Unix()},
		{"iat", now.Unix()},
		{"jti", newUUID()},
		{"iss", issuer},
		{"aud", issuer},
		{"sub", g.who.NationalID},
		{"typ", "Bearer"},
		{"azp", client.ID},
		{"scope", scope},
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		// ANS's thumbprint is not RFC 8705's: padded base64 of the hexadecimal text.
		sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
		thumbprint := base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
		claims = append(claims, member{"cnf", map[string]string{"x5t#S256": thumbprint}})
	}
	a.json(http.StatusOK, object{
		{"access_token", compactJWS("RS256", apiKey().kid, claims, apiKey().sign)},
		{"issued_token_type", typeAccessToken},
		{"token_type", "Bearer"},
		{"expires_in", int(apiTokenTTL.Seconds())},
		{"scope", scope},
	}.text())
}

// checkExchange finds what is wrong with a request, whatever the token is worth.
func checkExchange(form url.Values) *refusal {
	switch t := form.Get("subject_token_type"); {
	case form.Get("grant_type") == "":
		return &refusal{code: "invalid_request", rule: "Missing form parameter: grant_type"}
	case form.Get("grant_type") != exchangeGrantType:
		return &refusal{code: "unsupported_grant_type", rule: "this server answers " + exchangeGrantType + " only"}
	case form.Get("subject_token") == "":
		return &refusal{code: "invalid_request", rule: "subject_token is required and missing"}
	case t != typeAccessToken && t != typeJWT:
		return &refusal{code: "invalid_request", rule: "subject_token_type must be " + typeAccessToken + " or " + typeJWT}
	case form.Get("subject_issuer") != "psc":
		return &refusal{code: "invalid_request", rule: "subject_issuer=psc is required"}
	case form.Has("actor_token") || form.Has("actor_token_type"):
		return &refusal{code: "invalid_request", rule: "this server takes no actor_token"}
	case form.Has("resource") || form.Has("audience"):
		return &refusal{code: "invalid_target", rule: "this server issues tokens for its own API only: neither resource nor audience"}
	}
	if t := form.Get("requested_token_type"); t != "" && t != typeAccessToken && t != typeJWT {
		return &refusal{code: "invalid_request", rule: "this server issues access tokens only, which are JWTs"}
	}
	scope := form.Get("scope")
	bad := func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' } // RFC 6749, section 3.3
	if strings.TrimSpace(scope) == "" || strings.ContainsFunc(scope, bad) {
		return &refusal{code: "invalid_scope", rule: "scope must name the scopes of the API that are needed"}
	}
	return nil
}

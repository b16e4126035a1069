package mockpsc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// A grant is what an authorization code stands for. Guarded by Server.mu.
type grant struct {
	issued      time.Time
	client      *Client
	issuer      string
	redirectURI string
	nonce       string
	scope       string
	challenge   string
	session     *session
	authTime    time.Time
	who         *situation
	mode        authMode
	faults      []Fault

	thumbprint string // of the client's certificate; "" if it has a secret
	spent      bool
	refresh    string // jti of the only refresh token that is still good
	revoked    bool   // and with it every token that came of it
}

// token exchanges an authorization code (RFC 6749, section 4.1.3) or a refresh
// token, with Keycloak's words where it refuses.
func (s *Server) token(a *answer, r *http.Request) {
	client, form := s.clientForm(a, r)
	if client == nil {
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
	case cibaGrantType:
		s.cibaToken(a, r, client, form)
		return
	case "refresh_token":
		s.refresh(a, r, client, form)
		return
	case "":
		a.fail(http.StatusBadRequest, "invalid_request", "Missing form parameter: grant_type")
		return
	default:
		a.fail(http.StatusBadRequest, "unsupported_grant_type",
			fmt.Sprintf("Unsupported grant_type: this mock answers authorization_code, refresh_token and CIBA, not %q", form.Get("grant_type")))
		return
	}
	g, problem := s.redeem(client, form)
	if problem != "" {
		a.fail(http.StatusBadRequest, "invalid_grant", problem)
		return
	}
	g.thumbprint = client.boundTo(r)
	s.issueTokens(a, g, g.faults, "Code not valid") // if the code comes again while we sign
}

// issueTokens makes the three tokens of a grant and answers with them. If they
// were taken back while they were being signed, late is what is said instead.
func (s *Server) issueTokens(a *answer, g *grant, faults []Fault, late string) {
	now := s.now()
	accessToken := s.accessToken(g, now)
	idToken := s.idToken(g, now, accessToken, faults)
	jti := newUUID()

	s.mu.Lock()
	if g.revoked || g.session.ended {
		if g.session.ended {
			late = "Session not active"
		}
		s.mu.Unlock()
		a.fail(http.StatusBadRequest, "invalid_grant", late)
		return
	}
	// A refresh token never outlives the session. (Keycloak's; inferred.)
	refreshExpires := now.Add(refreshTTL)
	if end := g.session.authTime.Add(ssoMax); end.Before(refreshExpires) {
		refreshExpires = end
	}
	g.refresh, g.session.used = jti, now
	g.session.joins(g)
	s.access[digest(accessToken)] = issued{g, now.Add(tokenTTL)}
	s.refreshes[jti] = issued{g, refreshExpires}
	s.mu.Unlock()

	out := &outgoing{status: http.StatusOK, members: object{
		{"access_token", accessToken},
		{"expires_in", int(tokenTTL.Seconds())},
		{"refresh_expires_in", int(refreshExpires.Sub(now).Seconds())},
		{"refresh_token", s.refreshToken(g, jti, now, refreshExpires)},
		{"token_type", "Bearer"},
		{"id_token", idToken},
		{"not-before-policy", 0},
		{"session_state", g.session.sid},
		{"scope", g.scope},
	}}
	bend(faults, "token", out)
	a.json(out.status, out.members.text())
}

// clientForm reads the form of a request by an application and proves which one
// it is, or answers and returns nil.
func (s *Server) clientForm(a *answer, r *http.Request) (*Client, url.Values) {
	if err := r.ParseForm(); err != nil {
		a.fail(http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return nil, nil
	}
	form := r.PostForm // never the query: it ends up in logs
	for name, values := range form {
		if len(values) > 1 {
			a.fail(http.StatusBadRequest, "invalid_request", "duplicated parameter "+name)
			return nil, nil
		}
	}
	client := s.authenticate(a, r, form)
	if client != nil {
		a.belongsTo(client)
	}
	return client, form
}

// authenticate proves who the client is, by client_secret_basic or
// client_secret_post, or by the certificate of the connection, or answers and
// returns nil.
func (s *Server) authenticate(a *answer, r *http.Request, form url.Values) *Client {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		if form.Has("client_secret") {
			a.fail(http.StatusBadRequest, "invalid_request", "one way of client authentication per request (RFC 6749, section 2.3)")
			return nil
		}
		// Both parts are form-urlencoded first (RFC 6749, section 2.3.1).
		basicID, err1 := url.QueryUnescape(user)
		basicSecret, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || id != "" && id != basicID {
			basicID, basicSecret = "", ""
		}
		id, secret = basicID, basicSecret
		a.Header().Set("WWW-Authenticate", `Basic realm="esante-wallet"`)
	}
	client := s.client(id)
	const text = "Invalid client or Invalid client credentials"
	if client == nil {
		a.fail(http.StatusUnauthorized, "invalid_client", text)
		return nil
	}
	a.belongsTo(client)
	if client.TLSClientAuth {
		if !s.authenticateByCertificate(a, r, client, form) {
			return nil
		}
		return client
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1 {
		a.fail(http.StatusUnauthorized, "unauthorized_client", text)
		return nil
	}
	a.Header().Del("WWW-Authenticate")
	return client
}

// redeem spends a code. Whatever goes wrong after the code was found, it stays
// spent: a second try with a better verifier would be a second guess.
func (s *Server) redeem(client *Client, form url.Values) (*grant, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants[digest(form.Get("code"))]
	if g == nil {
		return nil, "Code not valid"
	}
	if g.spent {
		g.revoked = true // RFC 6749, section 4.1.2: what the code gave is taken back
		return nil, "Code not valid"
	}
	g.spent = true
	verifier := form.Get("code_verifier")
	switch {
	case g.client != client:
		return nil, "Code not valid"
	case s.now().Sub(g.issued) > codeTTL:
		return nil, "Code not valid"
	case form.Get("redirect_uri") != g.redirectURI:
		return nil, "Incorrect redirect_uri"
	case g.session.ended:
		return nil, "Session not active"
	case g.challenge == "" && verifier != "": // RFC 9700, section 4.8.2: else a stolen code could be slipped in
		return nil, "PKCE verification failed: code_verifier without code_challenge"
	case g.challenge != "" && !verifies(verifier, g.challenge):
		return nil, "PKCE verification failed"
	}
	g.redirectURI, g.challenge = "", "" // have served
	return g, ""
}

// verifies checks a code_verifier (RFC 7636, sections 4.1 and 4.6).
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// acr is the claim for the way in which the person signed in; nil if there is none.
func (g *grant) acr() *string {
	if g.mode == byDelegation {
		asked := "eidas1"
		return &asked
	}
	return g.who.ACR[string(g.mode)]
}

// idToken writes all claims of a real one, in their order.
func (s *Server) idToken(g *grant, now time.Time, accessToken string, faults []Fault) string {
	half := sha256.Sum256([]byte(accessToken))
	claims := object{
		{"exp", now.Add(tokenTTL).Unix()},
		{"iat", now.Unix()},
		{"auth_time", g.authTime.Unix()},
		{"jti", newUUID()},
		{"iss", g.issuer},
		{"aud", g.client.ID},
		{"sub", g.who.sub()},
		{"typ", "ID"},
		{"azp", g.client.ID},
		{"nonce", g.nonce},
		{"session_state", g.session.sid},
		{"at_hash", base64.RawURLEncoding.EncodeToString(half[:16])},
		{"sid", g.session.sid},
		{"authMode", string(g.mode)},
		{"acr", g.acr()},
		{"SubjectNameID", g.who.NationalID},
		{"preferred_username", g.who.NationalID},
		{"given_name", g.who.GivenName},
		{"family_name", g.who.FamilyName},
	}
	if g.acr() == nil {
		claims.del("acr")
	}
	if g.mode == byDelegation {
		claims.del("authMode")
	}
	g.dropNonce(&claims)
	k := s.signing()
	out := &outgoing{alg: "RS256", kid: k.kid, claims: claims, sign: k.sign, key: k}
	bend(faults, "id_token", out)
	return compactJWS(out.alg, out.kid, out.claims, out.sign)
}

// accessToken is of the same family. It has no aud.
func (s *Server) accessToken(g *grant, now time.Time) string {
	claims := object{
		{"exp", now.Add(tokenTTL).Unix()},
		{"iat", now.Unix()},
		{"auth_time", g.authTime.Unix()},
		{"jti", newUUID()},
		{"iss", g.issuer},
		{"sub", g.who.sub()},
		{"typ", "Bearer"},
		{"azp", g.client.ID},
		{"nonce", g.nonce},
		{"session_state", g.session.sid},
		{"preferred_username", g.who.NationalID},
		{"email_verified", false},
		{"acr", g.acr()},
	}
	if g.acr() == nil {
		claims.del("acr")
	}
	g.dropNonce(&claims)
	if g.mode == byCard {
		claims = append(claims, member{"authMode", string(g.mode)}, member{"auth_level", "1"})
	}
	claims = append(claims, member{"scope", g.scope}, member{"sid", g.session.sid})
	if g.thumbprint != "" {
		claims = append(claims, member{"cnf", map[string]string{"x5t#S256": g.thumbprint}})
	}
	k := s.signing()
	return compactJWS("RS256", k.kid, claims, k.sign)
}

// refreshToken is opaque to clients: an HS256 JWT of Keycloak's own.
func (s *Server) refreshToken(g *grant, jti string, now, expires time.Time) string {
	claims := object{
		{"exp", expires.Unix()},
		{"iat", now.Unix()},
		{"jti", jti},
		{"iss", g.issuer},
		{"aud", g.issuer},
		{"sub", g.who.sub()},
		{"typ", "Refresh"},
		{"azp", g.client.ID},
		{"nonce", g.nonce},
		{"session_state", g.session.sid},
		{"scope", g.scope},
		{"sid", g.session.sid},
	}
	g.dropNonce(&claims)
	return compactJWS("HS256", "refresh", claims, func(text string) []byte { return hs256(refreshKey(), text) })
}

// compactJWS signs claims in the compact form (RFC 7515, section 7.1), under a
// header with Keycloak's odd spaces.
func compactJWS(alg, kid string, claims object, sign func(string) []byte) string {
	return compactTyped("JWT", alg, kid, claims, sign)
}

func compactTyped(typ, alg, kid string, claims object, sign func(string) []byte) string {
	quotedKid, err := json.Marshal(kid)
	if err != nil {
		panic(err) // a string always marshals
	}
	header := `{"alg":"` + alg + `","typ" : "` + typ + `","kid" : ` + string(quotedKid) + `}`
	payload := claims.text()
	text := make([]byte, 0, 4*(len(header)+len(payload)+256)/3+8) // room for an RSA signature of 256 bytes
	text = base64.RawURLEncoding.AppendEncode(text, []byte(header))
	text = append(text, '.')
	text = base64.RawURLEncoding.AppendEncode(text, payload)
	signature := sign(string(text))
	text = append(text, '.')
	return string(base64.RawURLEncoding.AppendEncode(text, signature))
}

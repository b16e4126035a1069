package mockpsc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
	plain       bool
	session     *session
	authTime    time.Time
	who         *situation
	sub         string
	acr         string // "" if there is none
	authMode    string // likewise
	mode        authMode
	lives       Lifetimes
	faults      []Fault

	ciba       bool   // there was no authorization request
	thumbprint string // of the client's certificate; "" if it has a secret
	spent      bool
	refresh    string // jti of the only refresh token that is still good
	revoked    bool   // and with it every token that came of it
}

// newGrant begins what a client is given of a session. Called with s.mu held.
func (s *Server) newGrant(at *attempt, ses *session, code string) *grant {
	who := ses.person.now
	if s.armedBy == at.client {
		s.armed = nil
	}
	g := &grant{
		issued:      s.now(),
		client:      at.client,
		issuer:      at.issuer,
		redirectURI: at.redirectURI,
		nonce:       at.nonce,
		scope:       at.scope,
		challenge:   at.challenge,
		plain:       at.plain,
		session:     ses,
		authTime:    ses.authTime,
		who:         who,
		sub:         s.sub(who),
		acr:         s.acr(who, ses.mode),
		authMode:    s.authMode(ses.mode),
		mode:        ses.mode,
		lives:       s.lifetimes(at.client),
	}
	s.grants[digest(code)] = g
	return g
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
		a.refuse(http.StatusBadRequest, &refusal{code: "unsupported_grant_type", words: "Unsupported grant_type",
			rule: fmt.Sprintf("this endpoint answers authorization_code, refresh_token and CIBA, not %q", form.Get("grant_type"))})
		return
	}
	if !form.Has("code") {
		a.fail(http.StatusBadRequest, "invalid_request", "Missing parameter: code")
		return
	}
	g, tolerated, ref := s.redeem(client, form)
	if tolerated != "" {
		s.lenient(tolerated)
	}
	if ref != nil {
		a.refuse(http.StatusBadRequest, ref)
		return
	}
	g.thumbprint = client.boundTo(r)
	s.issueTokens(a, r, g, g.faults, "Code not valid") // if the code comes again while we sign
}

// issueTokens makes the three tokens of a grant and answers with them. If they
// were taken back while they were being signed, late is what is said instead.
func (s *Server) issueTokens(a *answer, r *http.Request, g *grant, faults []Fault, late string) {
	now := s.now()
	accessToken := s.accessToken(g, now)
	idToken := s.idToken(g, now, accessToken, faults)
	jti := newUUID()

	s.mu.Lock()
	if open := g.session.open(now); g.revoked || !open {
		if !open {
			late = "Session not active"
		}
		s.mu.Unlock()
		a.fail(http.StatusBadRequest, "invalid_grant", late)
		return
	}
	// A refresh token never outlives the session. (Keycloak's; inferred.)
	refreshExpires := now.Add(g.lives.RefreshToken)
	if end := g.session.ends(); end.Before(refreshExpires) {
		refreshExpires = end
	}
	g.refresh, g.session.used = jti, now
	g.session.joins(g)
	s.access[digest(accessToken)] = issued{g, now.Add(g.lives.AccessToken)}
	s.refreshes[jti] = issued{g, refreshExpires}
	s.mu.Unlock()

	out := &outgoing{issuer: g.issuer, secret: g.client.Secret, grant: g, status: http.StatusOK, members: object{
		{"access_token", accessToken},
		{"expires_in", int(g.lives.AccessToken.Seconds())},
		{"refresh_expires_in", int(refreshExpires.Sub(now).Seconds())},
		{"refresh_token", s.refreshToken(g, jti, now, refreshExpires)},
		{"token_type", "Bearer"},
		{"id_token", idToken},
		{"not-before-policy", 0},
		{"session_state", g.session.sid},
		{"scope", g.scope},
	}}
	bend(faults, "token", out)
	a.told(faults, "id_token", "keys", "token")
	access := out.members.words("access_token")
	a.shows(tracedToken{what: "id_token", text: out.members.words("id_token"), issuer: g.issuer, client: g.client.ID, nonce: g.nonce, sub: g.sub, access: access, at: now})
	a.shows(tracedToken{what: "access_token", text: access})
	a.send(r, out)
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
			a.refuse(http.StatusBadRequest, &refusal{code: "invalid_request", words: "duplicated parameter", rule: "parameter " + name + " is given twice (RFC 6749, section 3.2)"})
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
		if rule := "one way of client authentication per request (RFC 6749, section 2.3)"; form.Has("client_secret") && !s.lenient(rule) {
			a.fail(http.StatusBadRequest, "invalid_request", rule)
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
	if client == nil {
		a.refuse(http.StatusUnauthorized, &refusal{code: "invalid_client", words: badClient, rule: fmt.Sprintf("client_id %q is unknown; declared: %s", id, s.clientIDs())})
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
		a.refuse(http.StatusUnauthorized, &refusal{code: "unauthorized_client", words: badClient, rule: "the client_secret of " + client.ID + " is missing or wrong"})
		return nil
	}
	a.Header().Del("WWW-Authenticate")
	return client
}

const badClient = "Invalid client or Invalid client credentials"

// redeem spends a code. Whatever goes wrong after the code was found, it stays
// spent: a second try with a better verifier would be a second guess.
//
// tolerated is a rule that the request breaks and that lenience lets pass.
func (s *Server) redeem(client *Client, form url.Values) (g *grant, tolerated string, ref *refusal) {
	refuse := func(words, rule string) (*grant, string, *refusal) {
		return nil, "", &refusal{code: "invalid_grant", words: words, rule: rule}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g = s.grants[digest(form.Get("code"))]
	if g == nil {
		return refuse("Code not valid", "the code is unknown, or so old that it is forgotten")
	}
	if g.spent {
		g.revoked = true // RFC 6749, section 4.1.2: what the code gave is taken back
		return refuse("Code not valid", "the code comes a second time; what it gave is revoked (RFC 6749, section 4.1.2)")
	}
	g.spent = !g.comesAgain()
	verifier := form.Get("code_verifier")
	switch {
	case g.client != client:
		return refuse("Auth error", "the code was given to another client")
	case s.now().Sub(g.issued) > g.lives.Code:
		return refuse("Code not valid", fmt.Sprintf("the code has expired: it lives %d seconds", int(g.lives.Code.Seconds())))
	case form.Get("redirect_uri") != g.redirectURI:
		return refuse("Incorrect redirect_uri", "redirect_uri must be that of the authorization request, to the letter (RFC 6749, section 4.1.3)")
	case !g.session.open(s.now()):
		return refuse("Session not active", "the session has ended meanwhile")
	case g.challenge == "" && verifier != "": // RFC 9700, section 4.8.2: else a stolen code could be slipped in
		if tolerated = "code_verifier without code_challenge (RFC 9700, section 4.8.2)"; s.Lenient == nil {
			return refuse("PKCE code verifier specified but challenge not present in authorization", tolerated)
		}
	case g.challenge == "":
	case verifier == "":
		return refuse("PKCE code verifier not specified", "code_verifier is required: the authorization request had a code_challenge")
	case !isPKCE(verifier):
		return refuse("PKCE invalid code verifier", "a code_verifier has 43 to 128 characters, unreserved ones (RFC 7636, section 4.1)")
	case !verifies(verifier, g.challenge, g.plain):
		return refuse("PKCE verification failed", "the code_verifier is not that of the code_challenge")
	}
	if g.spent {
		g.redirectURI, g.challenge = "", "" // have served
	}
	return g, tolerated, nil
}

// comesAgain reports whether whoever follows the redirect of a fault brings the
// code once more, and must be let in there: else that fault would catch nobody.
func (g *grant) comesAgain() bool {
	return slices.ContainsFunc(g.faults, func(f Fault) bool { return f.Name == "token-redirected" })
}

// isPKCE reports whether a verifier or a challenge has the form of one (RFC 7636,
// section 4.1); plain base64 has other characters.
func isPKCE(s string) bool {
	return 43 <= len(s) && len(s) <= 128 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// verifies checks a code_verifier (RFC 7636, section 4.6).
func verifies(verifier, challenge string, plain bool) bool {
	if plain {
		return subtle.ConstantTimeCompare([]byte(verifier), []byte(challenge)) == 1
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// idToken writes all claims of a real one, in their order.
func (s *Server) idToken(g *grant, now time.Time, accessToken string, faults []Fault) string {
	half := sha256.Sum256([]byte(accessToken))
	claims := object{
		{"exp", now.Add(g.lives.IDToken).Unix()},
		{"iat", now.Unix()},
		{"auth_time", g.authTime.Unix()},
		{"jti", newUUID()},
		{"iss", g.issuer},
		{"aud", g.client.ID},
		{"sub", g.sub},
		{"typ", "ID"},
		{"azp", g.client.ID},
		{"nonce", g.nonce},
		{"session_state", g.session.sid},
		{"at_hash", base64.RawURLEncoding.EncodeToString(half[:16])},
		{"sid", g.session.sid},
		{"authMode", g.authMode},
		{"acr", g.acr},
		{"SubjectNameID", g.who.NationalID},
		{"preferred_username", g.who.NationalID},
		{"given_name", g.who.GivenName},
		{"family_name", g.who.FamilyName},
	}
	if g.acr == "" {
		claims.del("acr")
	}
	if g.authMode == "" {
		claims.del("authMode")
	}
	g.dropNonce(&claims)
	keys := s.keysInUse()
	k := keys.signing
	out := &outgoing{
		issuer: g.issuer, secret: g.client.Secret, grant: g, other: s.somebodyElse(g),
		header: tokenHeader("RS256", "JWT", k.kid), claims: claims, sign: k.sign, key: k, enc: keys.encryption,
	}
	bend(faults, "id_token", out)
	s.armKeys(g, faults)
	return out.compact()
}

// accessToken is of the same family. It has no aud.
func (s *Server) accessToken(g *grant, now time.Time) string {
	claims := object{
		{"exp", now.Add(g.lives.AccessToken).Unix()},
		{"iat", now.Unix()},
		{"auth_time", g.authTime.Unix()},
		{"jti", newUUID()},
		{"iss", g.issuer},
		{"sub", g.sub},
		{"typ", "Bearer"},
		{"azp", g.client.ID},
		{"nonce", g.nonce},
		{"session_state", g.session.sid},
		{"preferred_username", g.who.NationalID},
		{"email_verified", false},
		{"acr", g.acr},
	}
	if g.acr == "" {
		claims.del("acr")
	}
	g.dropNonce(&claims)
	if g.mode == byCard {
		if g.authMode != "" {
			claims = append(claims, member{"authMode", g.authMode})
		}
		claims = append(claims, member{"auth_level", "1"})
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
		{"sub", g.sub},
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
	return (&outgoing{header: tokenHeader(alg, "JWT", kid), claims: claims, sign: sign}).compact()
}

func tokenHeader(alg, typ, kid string) object {
	return object{{"alg", alg}, {"typ", typ}, {"kid", kid}}
}

// compact writes a token as it leaves.
func (o *outgoing) compact() string {
	header, payload := o.header.oddText(), o.payload
	if payload == nil {
		payload = o.claims.text()
	}
	text := make([]byte, 0, 4*(len(header)+len(payload)+256)/3+8) // room for an RSA signature of 256 bytes
	text = base64.RawURLEncoding.AppendEncode(text, header)
	text = append(text, '.')
	text = base64.RawURLEncoding.AppendEncode(text, payload)
	signature := o.sign(string(text))
	text = append(text, '.')
	token := string(base64.RawURLEncoding.AppendEncode(text, signature))
	for _, f := range o.finish {
		token = f(token)
	}
	return token
}

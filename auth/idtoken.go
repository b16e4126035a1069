package auth

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pscauth/pscauth/auth/internal/strictjson"
)

const (
	maxIDToken = 32 << 10
	maxKeys    = 32               // keys of one set that are looked at
	leeway     = 60 * time.Second // between PSC's clock and ours
	maxIssued  = 10 * time.Minute // an ID token older than that was kept by somebody
)

// signingAlgorithm is the one that PSC registers for its clients. A token does
// not get to choose another (RFC 8725 3.1).
const signingAlgorithm = jose.RS256

// idToken is what we use of a verified ID token.
type idToken struct {
	Subject    string
	NationalID string // SubjectNameID; also in userinfo, where it is required
	SessionID  string // sid: PSC's session
	ACR        string
	AuthMode   string
	AuthTime   time.Time
	Assumed    bool // there was no auth_time: AuthTime is iat
}

// idTokenError is a refused ID token. Reason is a stable word for the log.
type idTokenError struct {
	reason string
	err    error
}

func (e *idTokenError) Error() string { return "auth: ID token: " + e.reason + ": " + e.err.Error() }
func (e *idTokenError) Unwrap() error { return e.err }

func badIDToken(reason, format string, args ...any) error {
	return &idTokenError{reason, fmt.Errorf(format, args...)}
}

// verifyIDToken checks an ID token in the order of OIDC Core 3.1.3.7, tightened
// by RFC 8725: legal form, algorithm, signature, and only then claims. It does
// not check max_age; complete does.
func (p *provider) verifyIDToken(ctx context.Context, m metadata, raw, access, nonce string) (idToken, error) {
	kid, err := parseHeader(raw)
	if err != nil {
		return idToken{}, err
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{signingAlgorithm})
	if err != nil {
		// go-jose's words would repeat the header in the log.
		return idToken{}, badIDToken("malformed", "the header holds a key or certificate that is none")
	}
	keys, err := p.keysFor(ctx, m, kid)
	if err != nil {
		return idToken{}, err
	}
	if len(keys) == 0 {
		return idToken{}, badIDToken("unknown_kid", "no key of PSC's fits")
	}
	for _, key := range keys {
		payload, err := jws.Verify(key.public)
		if err == nil {
			return p.checkClaims(payload, access, nonce)
		}
	}
	return idToken{}, badIDToken("bad_signature", "no key of PSC's verifies it")
}

// parseHeader checks the form of a compact token and its header, and returns the
// kid, empty when there is none. go-jose alone lets line ends, unused bits, any
// typ and an empty crit pass.
func parseHeader(raw string) (kid string, err error) {
	if len(raw) > maxIDToken {
		return "", badIDToken("too_large", "%d bytes", len(raw))
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", badIDToken("malformed", "%d parts", len(parts))
	}
	var header []byte
	for i, part := range parts {
		b, err := base64URL.DecodeString(part)
		if err != nil || part == "" || strings.ContainsAny(part, "\r\n") {
			return "", badIDToken("malformed", "part %d is not canonical base64url", i+1)
		}
		if i == 0 {
			header = b
		}
	}
	var alg, typ string
	err = strictjson.Object(header, func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "alg":
			return d.String(&alg)
		case "typ":
			return d.String(&typ)
		case "kid":
			if err := d.String(&kid); err != nil {
				return err
			}
			if kid == "" || len(kid) > 256 {
				return errors.New("empty or very long")
			}
			return nil
		case "crit", "b64", "cty", "zip":
			return errors.New("not supported")
		}
		return d.Skip() // jwk, jku, x5c, x5u: never a source of keys
	})
	if err != nil {
		return "", badIDToken("malformed_header", "%w", err)
	}
	if alg != string(signingAlgorithm) {
		return "", badIDToken("alg_not_allowed", "alg is not %s", signingAlgorithm)
	}
	if typ != "" && !strings.EqualFold(typ, "JWT") {
		return "", badIDToken("wrong_typ", "typ is not JWT")
	}
	return kid, nil
}

// levels orders the values of acr. Card users who asked for eidas1 come back
// with eidas2.
var levels = []string{"eidas1", "eidas2", "eidas3"}

// checkClaims reads the payload of a token whose signature holds.
func (p *provider) checkClaims(payload []byte, access, nonce string) (idToken, error) {
	var (
		t                       idToken
		issuer, kind, gotNonce  string
		audience                []string
		azp, atHash             *string
		exp, iat, nbf, authTime int64
		present                 = func(s *string, d *strictjson.Decoder) (*string, error) { err := d.String(s); return s, err }
	)
	err := strictjson.Object(payload, func(d *strictjson.Decoder, name []byte) (err error) {
		switch string(name) {
		case "iss":
			return d.String(&issuer)
		case "sub":
			return d.String(&t.Subject)
		case "aud":
			if d.IsString() {
				audience = []string{""}
				return d.String(&audience[0])
			}
			return d.Strings(&audience)
		case "azp":
			azp, err = present(new(string), d)
			return err
		case "at_hash":
			atHash, err = present(new(string), d)
			return err
		case "exp":
			return d.Int(&exp)
		case "iat":
			return d.Int(&iat)
		case "nbf":
			return d.Int(&nbf)
		case "auth_time":
			return d.Int(&authTime)
		case "nonce":
			return d.String(&gotNonce)
		case "acr":
			return d.String(&t.ACR)
		case "typ":
			return d.String(&kind)
		case "sid":
			return d.String(&t.SessionID)
		case "authMode":
			return d.String(&t.AuthMode)
		case "SubjectNameID":
			return d.String(&t.NationalID)
		}
		return d.Skip()
	})
	if err != nil {
		return idToken{}, badIDToken("malformed_claims", "%w", err)
	}

	now := p.now()
	issued := time.Unix(iat, 0)
	if issuer != p.env.Issuer {
		return idToken{}, badIDToken("wrong_iss", "iss is not %q", p.env.Issuer)
	}
	if len(audience) != 1 || audience[0] != p.clientID {
		// We trust no further audience, so a token for us and others is not ours.
		return idToken{}, badIDToken("wrong_aud", "aud is not this client alone")
	}
	if azp != nil && *azp != p.clientID {
		return idToken{}, badIDToken("wrong_azp", "azp is not this client")
	}
	if kind != "" && kind != "ID" {
		return idToken{}, badIDToken("wrong_kind", "its typ claim is not ID")
	}
	if exp <= 0 || !now.Before(time.Unix(exp, 0).Add(leeway)) {
		return idToken{}, badIDToken("bad_exp", "exp is missing or %v behind our clock", now.Sub(time.Unix(exp, 0)).Round(time.Second))
	}
	if iat <= 0 || issued.After(now.Add(leeway)) {
		return idToken{}, badIDToken("bad_iat", "iat is missing or %v ahead of our clock", issued.Sub(now).Round(time.Second))
	}
	if issued.Before(now.Add(-maxIssued)) {
		return idToken{}, badIDToken("bad_iat", "iat is %v old", now.Sub(issued).Round(time.Second))
	}
	if nbf != 0 && time.Unix(nbf, 0).After(now.Add(leeway)) {
		return idToken{}, badIDToken("bad_nbf", "nbf lies ahead")
	}
	if nonce == "" || subtle.ConstantTimeCompare([]byte(gotNonce), []byte(nonce)) != 1 {
		return idToken{}, badIDToken("nonce_mismatch", "nonce is not this sign-in's")
	}
	if t.Subject == "" || len(t.Subject) > 255 || strings.ContainsFunc(t.Subject, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return idToken{}, badIDToken("bad_sub", "sub is missing or not printable ASCII of at most 255")
	}
	if authTime < 0 || time.Unix(authTime, 0).After(now.Add(leeway)) {
		return idToken{}, badIDToken("stale_auth", "auth_time lies ahead")
	}
	if atHash != nil {
		sum := sha256.Sum256([]byte(access))
		want := base64URL.EncodeToString(sum[:16])
		if subtle.ConstantTimeCompare([]byte(*atHash), []byte(want)) != 1 {
			return idToken{}, badIDToken("at_hash_mismatch", "the access token is another")
		}
	}
	if t.ACR == "" && p.acceptNoACR {
		t.ACR = levels[0]
	}
	if !slices.Contains(levels, t.ACR) {
		return idToken{}, badIDToken("acr_too_low", "acr is missing or not at least %s", levels[0])
	}
	if authTime == 0 {
		authTime, t.Assumed = iat, true
	}
	t.AuthTime = time.Unix(authTime, 0).UTC()
	return t, nil
}

// verificationKey is a public key of PSC's that may verify ID tokens.
type verificationKey struct {
	kid    string
	public *rsa.PublicKey
}

// keysFor returns the keys that a token with that kid may be signed with, in the
// order of the set: those of that kid, or all when the token names none (OIDC
// Core 10.1.1 lets it when there is one key).
//
// An unknown kid causes one reading of the set; after one that did not help, the
// next waits ten seconds. So a flood of invented kids costs PSC little, and a
// rotation is followed at once. While PSC is down the last set is used, for a day at most; a set that was
// read again replaces it whole, so a key that PSC withdrew is refused.
func (p *provider) keysFor(ctx context.Context, m metadata, kid string) ([]verificationKey, error) {
	known := func() (fit []verificationKey, enough bool, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		now := p.now()
		age := now.Sub(p.keysRead)
		usable := !p.keysRead.IsZero() && age < keepAtMost
		if usable {
			fit = matching(p.keys, kid)
		}
		fresh := usable && age.Abs() < refreshAfter && len(fit) > 0
		justTried := !p.keysTry.IsZero() && now.Sub(p.keysTry).Abs() < retryAfter
		if !usable && justTried {
			err = p.keysErr
			justTried = now.Sub(p.keysTry).Abs() < time.Second // one try a second while there are none
		}
		return fit, fresh || justTried, err
	}
	fit, enough, err := known()
	if enough {
		return fit, err
	}
	if len(fit) == 0 {
		p.fetching.Lock()
	} else if !p.fetching.TryLock() {
		return fit, nil // somebody is reading them
	}
	defer p.fetching.Unlock()
	if fit, enough, err = known(); enough {
		return fit, err
	}
	keys, readErr := p.readKeys(ctx, m)

	p.mu.Lock()
	defer p.mu.Unlock()
	if readErr == nil {
		p.keys, p.keysRead = keys, p.now()
		fit = matching(keys, kid)
	}
	p.keysErr = readErr
	if readErr != nil || len(fit) == 0 {
		p.keysTry = p.now() // a reading that helped does not delay the next one
	}
	if readErr == nil {
		return fit, nil
	}
	if len(fit) == 0 {
		return nil, readErr
	}
	p.logger.Warn("auth: cannot read PSC's keys again; going on with those known", "error", readErr)
	return fit, nil
}

func matching(keys []verificationKey, kid string) []verificationKey {
	if kid == "" {
		return keys
	}
	var fit []verificationKey
	for _, k := range keys {
		if k.kid == kid {
			fit = append(fit, k)
		}
	}
	return fit
}

// readKeys reads PSC's key set, key by key: one that is unknown or broken does
// not take the good ones down, as it would in go-jose.
func (p *provider) readKeys(ctx context.Context, m metadata) ([]verificationKey, error) {
	body, err := p.get(ctx, "keys", m.Keys, maxKeySet)
	if err != nil {
		return nil, err
	}
	var keys []verificationKey
	seen := 0
	err = strictjson.Object(body, func(d *strictjson.Decoder, name []byte) error {
		if string(name) != "keys" {
			return d.Skip()
		}
		return d.Array(func(d *strictjson.Decoder) error {
			raw, err := d.Raw()
			if err != nil {
				return err
			}
			if seen++; seen > maxKeys {
				return nil
			}
			if key, ok := readKey(raw); ok {
				keys = append(keys, key)
			}
			return nil
		})
	})
	if err == nil && len(keys) == 0 {
		err = errors.New("no key that may verify " + string(signingAlgorithm))
	}
	if err != nil {
		return nil, &callError{what: "keys", err: fmt.Errorf("%w: %w", errBadAnswer, err)}
	}
	return keys, nil
}

// readKey returns the key of one JWK if it may verify RS256: an RSA key of 2048
// to 4096 bits with a sound exponent, meant for signatures (RFC 7517 4.2 to 4.4).
func readKey(raw []byte) (verificationKey, bool) {
	var kty, use, alg, kid string
	var ops []string
	private := false
	err := strictjson.Object(raw, func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "kty":
			return d.String(&kty)
		case "use":
			return d.String(&use)
		case "alg":
			return d.String(&alg)
		case "kid":
			return d.String(&kid)
		case "key_ops":
			return d.Strings(&ops)
		case "d", "k":
			private = true
		}
		return d.Skip()
	})
	another := use != "" && use != "sig" || alg != "" && alg != string(signingAlgorithm) || ops != nil && !slices.Contains(ops, "verify")
	if err != nil || private || kty != "RSA" || len(kid) > 256 || another {
		return verificationKey{}, false
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return verificationKey{}, false
	}
	public, ok := jwk.Key.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < 2048 || public.N.BitLen() > 4096 || public.E < 3 || public.E%2 == 0 {
		return verificationKey{}, false
	}
	return verificationKey{kid, public}, true
}

package mockpsc

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

// A tokenView is a token taken apart.
type tokenView struct {
	What   string          `json:"what"`   // "id_token", "access_token", "id_token_hint"
	Header json.RawMessage `json:"header"` // null if it is none
	Claims json.RawMessage `json:"claims"` // likewise
	Text   string          `json:"text"`   // of the claims, if they are no JSON object
	Checks []checkView     `json:"checks"`
}

// A checkView is one check that a client must make of an ID token.
type checkView struct {
	Rule string `json:"rule"` // where it is demanded
	OK   bool   `json:"ok"`
	Why  string `json:"why"` // what was found
}

// explainToken takes a token apart and makes the checks of a correct client, in
// the order of OpenID Connect Core, section 3.1.3.7, whatever else may be wrong.
func (s *Server) explainToken(t tracedToken) tokenView {
	v := tokenView{What: t.what, Header: raw("null"), Claims: raw("null"), Checks: []checkView{}}
	check := func(rule string, ok bool, format string, args ...any) bool {
		v.Checks = append(v.Checks, checkView{rule, ok, clipped(fmt.Sprintf(format, args...))})
		return ok
	}
	parts := strings.Split(t.text, ".")
	if !check("form (RFC 7515, section 7.1)", len(parts) == 3, "%d parts", len(parts)) {
		return v
	}
	header, err1 := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	payload, err2 := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	_, err3 := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	err := errors.Join(err1, err2, err3)
	if strings.ContainsAny(t.text, "\r\n") { // which encoding/base64 skips
		err = errors.New("a line feed is inside")
	}
	check("base64url without padding (RFC 7515, section 2)", err == nil, "%s", orWell(err))
	if isObject(header) {
		v.Header = header
	}
	if !isObject(payload) {
		v.Text = clipped(string(payload))
		check("claims are a JSON object (RFC 7519, section 7.2)", false, "they are not")
		return v
	}
	v.Claims = payload
	check("UTF-8 (RFC 7519, section 7.2)", utf8.Valid(header) && utf8.Valid(payload), "%d bytes of claims", len(payload))
	if name := twice(payload); name != "" {
		check("each claim once (RFC 7519, section 4)", false, "%s is there twice", name)
	}
	var head struct {
		Alg, Kid, Typ string
		Crit, Zip     any
	}
	json.Unmarshal(header, &head) // what is missing is ""
	check("alg (3.1.3.7, rule 7)", head.Alg == "RS256", "%s; RS256 is what the client registered", orDash(head.Alg))
	ok, why := s.signedByUs(t.text, head.Kid)
	check("signature (3.1.3.7, rule 6)", ok, "%s", why)
	if t.what == "access_token" {
		return v
	}
	check("typ (RFC 8725, section 3.11)", head.Typ == "" || strings.EqualFold(head.Typ, "JWT"), "%s, expected JWT or nothing", orDash(head.Typ))
	check("crit and zip (RFC 7515, section 4.1.11)", head.Crit == nil && head.Zip == nil, "%s", map[bool]string{true: "absent", false: "present: what they demand is not understood here"}[head.Crit == nil && head.Zip == nil])
	if t.what != "id_token" {
		return v
	}
	var c map[string]any
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	dec.Decode(&c) // it is an object
	text := func(name string) string { s, _ := c[name].(string); return s }
	found := func(name string) string {
		if value, there := c[name]; there {
			b, _ := json.Marshal(value) // it was JSON
			return string(b)
		}
		return "absent"
	}
	check("iss (3.1.3.7, rule 2)", text("iss") == t.issuer, "%s, expected %q", found("iss"), t.issuer)
	aud, _ := c["aud"].([]any)
	one := text("aud") == t.client || len(aud) == 1 && aud[0] == t.client
	check("aud (3.1.3.7, rule 3)", one, "%s, expected %q alone", found("aud"), t.client)
	_, hasAzp := c["azp"]
	check("azp (3.1.3.7, rules 4 and 5)", !hasAzp || text("azp") == t.client, "%s, expected %q", found("azp"), t.client)
	exp, expOK := seconds(c["exp"])
	check("exp (3.1.3.7, rule 9)", expOK && t.at.Before(exp), "%s, when the answer left it was %d", found("exp"), t.at.Unix())
	iat, iatOK := seconds(c["iat"])
	age := t.at.Sub(iat)
	check("iat (3.1.3.7, rule 10)", iatOK && age < 5*time.Minute && age > -time.Minute, "%s, when the answer left it was %d", found("iat"), t.at.Unix())
	nbf, nbfOK := seconds(c["nbf"])
	if _, there := c["nbf"]; there {
		check("nbf (RFC 7519, section 4.1.5)", nbfOK && !nbf.After(t.at.Add(time.Minute)), "%s, when the answer left it was %d", found("nbf"), t.at.Unix())
	}
	_, hasNonce := c["nonce"]
	check("nonce (3.1.3.7, rule 11)", text("nonce") == t.nonce && (hasNonce || t.nonce == ""), "%s, sent %q", found("nonce"), t.nonce)
	check("acr (3.1.3.7, rule 12)", slices.Contains([]string{"eidas1", "eidas2", "eidas3"}, text("acr")), "%s, asked for \"eidas1\" or more", found("acr"))
	authTime, authOK := seconds(c["auth_time"])
	check("auth_time (3.1.3.7, rule 13)", authOK && !authTime.After(t.at.Add(time.Minute)), "%s", found("auth_time"))
	half := sha256.Sum256([]byte(t.access))
	hash := base64.RawURLEncoding.EncodeToString(half[:16])
	_, hasHash := c["at_hash"]
	check("at_hash (3.1.3.8)", !hasHash || text("at_hash") == hash, "%s, of the access token beside it: %q", found("at_hash"), hash)
	check("sub (2 and 5.3.2)", text("sub") == t.sub, "%s, that of userinfo is %q", found("sub"), t.sub)
	return v
}

// signedByUs verifies a signature with the key that a token names, of those
// published lately.
func (s *Server) signedByUs(token, kid string) (bool, string) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return false, "no RS256 signature"
	}
	named := false
	for _, k := range s.hintKeys() {
		if _, err := jws.Verify(&k.signing.private.PublicKey); err == nil {
			if kid == k.signing.kid {
				return true, "verifies with the published key " + kid
			}
			return false, "verifies, but kid " + strconv.Quote(kid) + " is not that key's"
		}
		named = named || k.signing.kid == kid
	}
	if named {
		return false, "does not verify with the published key " + kid
	}
	return false, "no published key has the kid " + strconv.Quote(kid) + ", and none verifies it"
}

func isObject(text []byte) bool {
	return json.Valid(text) && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{"))
}

// twice returns the name of a member that an object has twice, at its top.
func twice(text []byte) string {
	seen := map[string]bool{}
	for _, m := range membersOf(text) {
		if seen[m.name] {
			return m.name
		}
		seen[m.name] = true
	}
	return ""
}

// seconds reads a NumericDate.
func seconds(value any) (time.Time, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

func orWell(err error) string {
	if err == nil {
		return "well formed"
	}
	return err.Error()
}

package auth_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
)

// oversize is a policy: what is larger than a whole token answer may be is refused
// as such, before anybody knows that it was an ID token, and PSC is at fault.
var oversize = []int{400, 401, 502}

// runToken interprets the small language of token cases.
func runToken(t *testing.T, c corpusCase) {
	if raw, ok := c.Input["raw"].(string); ok {
		runRaw(t, c, raw)
		return
	}
	sig, _ := c.Input["sig"].(string)
	if sig == "attacker_or_empty_key" {
		for _, by := range []string{"attacker_rsa", "hmac:empty_key"} {
			l := tokenLab(t, c, by)
			l.try()
			kid := l.header["kid"].(string)
			if len(kid) > 4 && strings.Contains(l.logs.String(), kid) {
				t.Errorf("the log repeats the kid %q", kid)
			}
			if n := l.count("certs"); n > 2 {
				t.Errorf("the keys were read %d times", n)
			}
		}
		return
	}
	l := tokenLab(t, c, sig)
	if payload, ok := c.Input["payload"].(string); ok {
		l.payloads(payload)
		return
	}
	if raw, _ := c.Input["raw_header"].(string); strings.Contains(raw, "10^5 deep") {
		deep := func(n int) { l.rawHead = `{"alg":"RS256","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
		deep(5_000)
		l.try()
		deep(100_000)
		l.status, l.says = oversize, says["too_large"]
		l.try()
		return
	}
	switch sig {
	case "one bit flipped in each of the 2048 bits (loop)":
		for bit := 0; bit < 2048; bit += scaled(1, 61) {
			l.forget()
			l.mangle = func(token string) string {
				text, sig := parted(token)
				sig[bit/8] ^= 1 << (bit % 8)
				return text + "." + b64(sig)
			}
			l.try()
		}
		return
	case "truncated to 0..255 bytes (loop)":
		for n := 0; n < 256; n += scaled(1, 17) {
			l.forget()
			l.mangle = func(token string) string {
				text, sig := parted(token)
				return text + "." + b64(sig[:n])
			}
			if l.says = ""; n == 0 {
				l.says = says["malformed"] // an empty part
			}
			l.try()
		}
		return
	case "salt length 0/20/31/33/64/max":
		for _, salt := range []int{0, 20, 31, 33, 64, rsa.PSSSaltLengthAuto} {
			l.mangle = resigned(func(text string) []byte { return pss(l.key, text, crypto.SHA256, salt) })
			l.try()
		}
		return
	}
	if sig == "empty" {
		// Policy: form before content, so a token without signature falls there.
		// With a signature it falls with its alg.
		l.says = says["malformed"]
		l.try()
		l.mangle, l.says = nil, ""
	}
	if kid, _ := l.header["kid"].(string); len(kid) > 128<<10 {
		l.status = oversize
	}
	o := l.try()
	if c.accepted() && len(o.events) == 1 && o.events[0].NationalID != "899999001011" {
		t.Errorf("signed in %s", o.events[0].NationalID)
	}
	if l.count("meta-data")+l.count("redirect")+l.count("evil") > 0 {
		t.Error("an address of the header was visited")
	}
}

// tokenLab applies the patches of a case to what the provider will issue.
func tokenLab(t *testing.T, c corpusCase, sig string) *lab {
	t.Helper()
	l := newLab(t, c)
	for name, v := range object(c.Input["header"]) {
		l.header[name] = l.value(v)
	}
	for _, name := range texts(c.Input["del_header"]) {
		delete(l.header, name)
	}
	if raw, ok := c.Input["raw_header"].(string); ok {
		l.rawHead = raw
	}
	for name, v := range object(c.Input["claims"]) {
		switch {
		case name == "requested_max_age":
			l.loginQuery = fmt.Sprint("&max_age=", v)
		case v == "missing":
			l.claims[name] = nil
		case name == "iss" && v != nil && v != "":
			l.claims[name] = l.deviate(v.(string))
		case name == "nonce":
			l.nonces(v)
		default:
			l.claims[name] = l.value(v)
		}
	}
	for _, name := range texts(c.Input["del_claims"]) {
		l.claims[name] = nil
	}
	if alg, ok := c.Input["op_alg"].(string); ok {
		// Policy: RS256 and nothing else, so a flawed signature of another
		// algorithm falls with its alg.
		l.header["alg"] = alg
		l.says = says["alg_not_allowed"]
	}
	if jwks, ok := c.Input["jwks"]; ok && jwks != "single matching key" {
		t.Fatalf("an unknown key set: %v", jwks)
	}
	if l.mangle == nil {
		l.mangle = l.signature(sig)
	}
	return l
}

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }

func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, e := range list {
		out = append(out, e.(string))
	}
	return out
}

var symbol = regexp.MustCompile(`^now(-skew)?(?:([+-])(skew\+)?(\d+)([smhd]?))?$`)

// value translates a value: symbols of time, repetitions, texts in angle brackets.
func (l *lab) value(v any) any {
	s, ok := v.(string)
	if list, ok := v.([]any); ok {
		out := []any{}
		for _, e := range list {
			out = append(out, l.value(e))
		}
		return out
	}
	if v == nil || s == "null" {
		return json.RawMessage("null")
	} else if !ok {
		return v
	}
	if m := symbol.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[4])
		d := time.Duration(n) * map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[5]]
		if m[2] == "-" {
			d = -d
		}
		const skew = time.Minute
		if m[1] != "" {
			d -= skew
		}
		if m[3] != "" {
			d += skew
		}
		return l.clock.Now().Add(d).Unix()
	}
	if text, times, found := strings.Cut(s, "*"); found && regexp.MustCompile(`^\d+$`).MatchString(times) {
		n, _ := strconv.Atoi(times)
		return strings.Repeat(text, n)
	}
	switch s {
	case "1e10 literal":
		return json.RawMessage("1e10")
	case "hash of another access token":
		sum := sha256.Sum256([]byte("another-access-token"))
		return b64(sum[:16])
	case "<attacker public JWK>":
		return json.RawMessage(jwk(&otherKey().PublicKey, map[string]any{"kid": "k1"}))
	case "<OP's own public key JWK>":
		return json.RawMessage(jwk(&l.key.PublicKey, map[string]any{"kid": "k1"}))
	case "<self-signed attacker cert>":
		return attackerCertificate()
	}
	if strings.HasPrefix(s, "<") {
		return "c29tZSBjZXJ0aWZpY2F0ZQ"
	}
	return s
}

// attackerCertificate returns a certificate as x5c holds it.
func attackerCertificate() string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &otherKey().PublicKey, otherKey())
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// deviate puts our issuer in the place of the sandbox's, and keeps the deviation.
func (l *lab) deviate(iss string) string {
	const root = "https://auth.bas.psc.esante.gouv.fr"
	switch {
	case strings.HasPrefix(iss, "HTTPS:"):
		return strings.ToUpper(l.issuer())
	case strings.HasPrefix(iss, "http:"): // the other scheme
		return "https" + strings.TrimPrefix(l.issuer(), "http")
	case strings.HasPrefix(iss, root+"."):
		return strings.Replace(l.issuer(), "127.0.0.1", "127.0.0.1.", 1)
	}
	if !strings.Contains(iss, root) {
		l.t.Fatalf("an unknown issuer: %q", iss)
	}
	return strings.Replace(iss, root, l.server.URL, 1)
}

// nonces makes a nonce that depends on the expected one.
func (l *lab) nonces(v any) {
	first := l.nonce
	if v == "expected of an already used transaction" {
		b := l.begin()
		if l.send(b.back(b.honest())).session == nil {
			l.t.Fatal("no first sign-in")
		}
		first = b.nonce
	}
	issue := l.tokenOf
	l.mangle = func(string) string {
		claims := map[string]any{"nonce": v}
		switch v {
		case "EXPECTED (case changed)":
			claims["nonce"] = changeCase(l.nonce)
		case "expected of an already used transaction":
			claims["nonce"] = first
		}
		if list, ok := v.([]any); ok && len(list) == 1 && list[0] == "expected" {
			claims["nonce"] = []string{l.nonce}
		}
		return issue(claims)
	}
}

func changeCase(s string) string {
	if up := strings.ToUpper(s); up != s {
		return up
	}
	return strings.ToLower(s)
}

// tokenOf issues a genuine token with some claims replaced.
func (l *lab) tokenOf(claims map[string]any) string {
	kept, mangle := l.claims, l.mangle
	l.claims, l.mangle = claims, nil
	defer func() { l.claims, l.mangle = kept, mangle }()
	return l.idToken(l.issuer())
}

func parted(token string) (text string, sig []byte) {
	i := strings.LastIndex(token, ".")
	sig, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil {
		panic(err)
	}
	return token[:i], sig
}

// resigned replaces the signature of a token.
func resigned(by func(text string) []byte) func(string) string {
	return func(token string) string {
		text := token[:strings.LastIndex(token, ".")]
		return text + "." + b64(by(text))
	}
}

func pss(key *rsa.PrivateKey, text string, h crypto.Hash, salt int) []byte {
	d := h.New()
	d.Write([]byte(text))
	sig, err := rsa.SignPSS(rand.Reader, key, h, d.Sum(nil), &rsa.PSSOptions{SaltLength: salt, Hash: h})
	if err != nil {
		panic(err)
	}
	return sig
}

func pkcs1(key *rsa.PrivateKey, text string, h crypto.Hash) []byte {
	d := h.New()
	d.Write([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, key, h, d.Sum(nil))
	if err != nil {
		panic(err)
	}
	return sig
}

func hmacOf(h func() hash.Hash, key []byte, text string) []byte {
	mac := hmac.New(h, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

var ec384Key = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func ecJWK(key *ecdsa.PublicKey, crv string) string {
	point, err := key.Bytes()
	if err != nil {
		panic(err)
	}
	n := (len(point) - 1) / 2
	return fmt.Sprintf(`{"kty":"EC","crv":%q,"kid":"k1","use":"sig","x":%q,"y":%q}`, crv, b64(point[1:1+n]), b64(point[1+n:]))
}

// fixed writes r and s of an ECDSA signature at a fixed width.
func fixed(width int, numbers ...*big.Int) []byte {
	var out []byte
	for _, n := range numbers {
		out = append(out, n.FillBytes(make([]byte, width))...)
	}
	return out
}

func ecdsaSign(key *ecdsa.PrivateKey, digest []byte) (r, s *big.Int) {
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		panic(err)
	}
	return r, s
}

// signature returns what makes the third part.
func (l *lab) signature(how string) func(string) string {
	sum := func(text string) []byte { s := sha256.Sum256([]byte(text)); return s[:] }
	n, p := elliptic.P256().Params().N, elliptic.P256().Params().P
	one := big.NewInt(1)
	es256 := func(make func(digest []byte) []byte) func(string) string {
		l.keys = keySet(ecJWK(&ecKey().PublicKey, "P-256"), jwk(&l.key.PublicKey, map[string]any{"kid": "k1"}))
		return resigned(func(text string) []byte { return make(sum(text)) })
	}
	spki, _ := x509.MarshalPKIXPublicKey(&l.key.PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	der := x509.MarshalPKCS1PublicKey(&l.key.PublicKey)
	secret, isMAC := map[string][]byte{
		"hmac:pubkey_pem_spki":                  bytes.TrimSpace(public),
		"hmac:pubkey_pem_spki_trailing_newline": public,
		"hmac:pubkey_pem_pkcs1":                 pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der}),
		"hmac:pubkey_der_pkcs1":                 der,
		"hmac:modulus_bytes":                    l.key.N.Bytes(),
		"hmac:jwks_document_bytes":              []byte(l.keys),
		"hmac:client_id":                        []byte("client"),
		"hmac:empty_key":                        {},
		"hmac:kid_string":                       []byte("k1"),
	}[how]
	if isMAC {
		return resigned(func(text string) []byte { return hmacOf(sha256.New, secret, text) })
	}
	switch how {
	case "", "op_rs256":
		return nil
	case "empty":
		return func(token string) string { return token[:strings.LastIndex(token, ".")+1] }
	case "absent_no_trailing_dot":
		return func(token string) string { return token[:strings.LastIndex(token, ".")] }
	case "unchanged":
		return func(token string) string {
			_, sig := parted(l.tokenOf(map[string]any{}))
			text, _ := parted(token)
			return text + "." + b64(sig)
		}
	case "attacker_rsa":
		return resigned(func(text string) []byte { return sign(otherKey(), text) })
	case "op_genuine_for_RS384":
		return resigned(func(text string) []byte { return pkcs1(l.key, text, crypto.SHA384) })
	case "op_genuine_for_RS512":
		return resigned(func(text string) []byte { return pkcs1(l.key, text, crypto.SHA512) })
	case "op_genuine_for_PS384":
		return resigned(func(text string) []byte { return pss(l.key, text, crypto.SHA384, rsa.PSSSaltLengthEqualsHash) })
	case "op_genuine_for_ES256":
		return es256(func(digest []byte) []byte { r, s := ecdsaSign(ecKey(), digest); return fixed(32, r, s) })
	case "op_genuine_for_ES384", "signed by P-384 key present in JWKS with same kid":
		l.keys = keySet(ecJWK(&ec384Key().PublicKey, "P-384"), jwk(&l.key.PublicKey, map[string]any{"kid": "k1"}))
		return resigned(func(text string) []byte {
			digest := sha512.Sum384([]byte(text))
			r, s := ecdsaSign(ec384Key(), digest[:])
			return fixed(48, r, s)
		})
	case "op_genuine_for_Ed25519":
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		l.keys = keySet(fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"k1","x":%q}`, b64(public)), jwk(&l.key.PublicKey, map[string]any{"kid": "k1"}))
		return resigned(func(text string) []byte { return ed25519.Sign(private, []byte(text)) })
	case "op_genuine_for_HS384": // a provider's symmetric key is the client secret
		return resigned(func(text string) []byte { return hmacOf(sha512.New384, []byte(corpusSecret), text) })
	case "op_genuine_for_HS512":
		return resigned(func(text string) []byte { return hmacOf(sha512.New, []byte(corpusSecret), text) })
	case "r=0,s=1":
		return es256(func([]byte) []byte { return fixed(32, new(big.Int), one) })
	case "r=n,s=1":
		return es256(func([]byte) []byte { return fixed(32, n, one) })
	case "r=1,s=n":
		return es256(func([]byte) []byte { return fixed(32, one, n) })
	case "r=p-n (wraps)":
		return es256(func([]byte) []byte { return fixed(32, new(big.Int).Sub(p, n), one) })
	case "63 bytes (leading zero stripped)":
		return es256(func(digest []byte) []byte { r, s := ecdsaSign(ecKey(), digest); return fixed(32, r, s)[1:] })
	case "65 bytes (leading zero added)":
		return es256(func(digest []byte) []byte {
			r, s := ecdsaSign(ecKey(), digest)
			return append([]byte{0}, fixed(32, r, s)...)
		})
	case "s and r swapped":
		return es256(func(digest []byte) []byte { r, s := ecdsaSign(ecKey(), digest); return fixed(32, s, r) })
	case "e=3 cube-root forgery (Bleichenbacher 2006), OP key with e=3":
		return l.cubeRoot()
	case "one bit flipped in each of the 2048 bits (loop)", "truncated to 0..255 bytes (loop)", "salt length 0/20/31/33/64/max":
		return nil // runToken loops
	}
	l.t.Fatalf("an unknown signature: %s", how)
	return nil
}

// cubeRoot publishes a key with exponent 3 and forges a signature whose cube
// begins with a good padding and hash, and goes on with rubbish.
func (l *lab) cubeRoot() func(string) string {
	var public rsa.PublicKey
	for public.N == nil || public.N.BitLen() != 2048 {
		p, err := rand.Prime(rand.Reader, 1024)
		if err != nil {
			panic(err)
		}
		q, err := rand.Prime(rand.Reader, 1024)
		if err != nil {
			panic(err)
		}
		public.N = new(big.Int).Mul(p, q)
	}
	l.keys = keySet(jwk(&public, map[string]any{"kid": "k1", "e": "Aw"}))
	info := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	return resigned(func(text string) []byte {
		digest := sha256.Sum256([]byte(text))
		block := append([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, info...)
		block = append(append(block, digest[:]...), bytes.Repeat([]byte{0xff}, 256-len(block)-32)...)
		target := new(big.Int).SetBytes(block)
		low, high := big.NewInt(0), new(big.Int).Lsh(big.NewInt(1), 700)
		for new(big.Int).Sub(high, low).Cmp(big.NewInt(1)) > 0 {
			mid := new(big.Int).Rsh(new(big.Int).Add(low, high), 1)
			if new(big.Int).Exp(mid, big.NewInt(3), nil).Cmp(target) <= 0 {
				low = mid
			} else {
				high = mid
			}
		}
		cube := new(big.Int).Exp(low, big.NewInt(3), nil).FillBytes(make([]byte, 256))
		if !bytes.Equal(cube[:62], block[:62]) {
			panic("the forgery is none")
		}
		return low.FillBytes(make([]byte, 256))
	})
}

// payloads replaces the payload and signs it.
func (l *lab) payloads(payload string) {
	l.t.Helper()
	const whole = `{"iss":"ISS","aud":"client","azp":"client","sub":"f:x:899999001011","exp":EXP,"iat":NOW,"nonce":"NONCE","acr":"eidas1"`
	put := func(text string) { l.payload = text }
	if alg := l.header["cty"]; alg != nil && payload == "<genuine inner JWS as payload>" {
		l.mangle = func(string) string {
			text := b64([]byte(`{"alg":"RS256","kid":"k1","cty":"JWT"}`)) + "." + b64([]byte(l.tokenOf(map[string]any{})))
			return text + "." + b64(sign(l.key, text))
		}
		l.try()
		return
	}
	switch payload {
	case "[]", "null", "123":
		put(payload)
	case "{}":
		put(payload)
		l.says = says["wrong_iss"] // an object without anything falls with the first check
	case "{...}{...}":
		put(whole + `}` + whole + `}`)
	case "UTF-16LE JSON":
		l.mangle = func(token string) string {
			honest, err := base64.RawURLEncoding.DecodeString(strings.Split(l.tokenOf(map[string]any{}), ".")[1])
			if err != nil {
				panic(err)
			}
			var wide []byte
			for _, u := range utf16.Encode([]rune(string(honest))) {
				wide = binary.LittleEndian.AppendUint16(wide, u)
			}
			text := strings.Split(token, ".")[0] + "." + b64(wide)
			return text + "." + b64(sign(l.key, text))
		}
	case "depth 10^5 nested arrays":
		deep := func(n int) { put(whole + `,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`) }
		deep(5_000)
		l.try()
		deep(100_000)
		l.status, l.says = oversize, says["too_large"]
	case "10^5 distinct claims":
		many := func(n int) {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `,"c%d":1`, i)
			}
			put(whole + b.String() + `}`)
		}
		many(1_000)
		l.try()
		many(100_000)
		l.status, l.says = oversize, says["too_large"]
	case "{...\"sub\":\"A\",\"SUB\":\"B\",\"ſub\":\"C\"...}":
		put(whole + `,"SUB":"f:x:899999001029","ſub":"f:x:899999001037"}`)
		if o := l.try(); len(o.events) != 1 || o.events[0].NationalID != "899999001011" {
			l.t.Errorf("signed in %+v", o.events)
		}
		return
	default:
		l.t.Fatalf("an unknown payload: %s", payload)
	}
	l.try()
}

// runRaw operates on the finished compact string.
func runRaw(t *testing.T, c corpusCase, raw string) {
	l := newLab(t, c)
	jwe := func(alg, enc, rest string) func(string) string {
		return func(string) string { return b64([]byte(`{"alg":"`+alg+`","enc":"`+enc+`","zip":"DEF"}`)) + rest }
	}
	insert := func(what string) func(string) string {
		return func(s string) string { i := strings.Index(s, ".") + 20; return s[:i] + what + s[i:] }
	}
	grow := func(n int) func(string) string {
		return func(string) string {
			return l.tokenOf(map[string]any{"x": strings.Repeat("a", n*3/4)})
		}
	}
	switch raw {
	case "suffix \\n":
		l.mangle = func(s string) string { return s + "\n" }
	case "\\r\\n inserted inside payload part":
		l.mangle = insert("\r\n")
	case "standard base64 alphabet +/":
		l.mangle = func(s string) string {
			out := strings.NewReplacer("-", "+", "_", "/").Replace(s)
			if out == s {
				panic("nothing to replace")
			}
			return out
		}
	case "payload trailing unused bits flipped and re-signed":
		l.mangle = func(s string) string {
			for pad := ""; ; pad += "a" { // until the last character has unused bits
				parts := strings.Split(l.tokenOf(map[string]any{"pad": pad}), ".")
				payload := []byte(parts[1])
				if len(payload)%4 == 0 {
					continue
				}
				const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
				last := &payload[len(payload)-1]
				*last = alphabet[strings.IndexByte(alphabet, *last)^1]
				text := parts[0] + "." + string(payload)
				return text + "." + b64(sign(l.key, text))
			}
		}
	case "non-ASCII character U+00A0 inside":
		l.mangle = insert("\u00a0")
	case "part 2 empty":
		l.mangle = func(s string) string { p := strings.Split(s, "."); return p[0] + ".." + p[2] }
	case "4 parts":
		l.mangle = func(s string) string { return s + ".x" }
	case "5 parts (JWE shape)":
		l.mangle = func(s string) string { return s + ".x.y" }
	case "JWS JSON general, 1 good + 1 bad signature":
		l.mangle = func(s string) string {
			p := strings.Split(s, ".")
			return `{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"},{"protected":"` + p[0] + `","signature":"AAAA"}]}`
		}
	case "Bearer prefix kept in the string":
		l.mangle = func(s string) string { return "Bearer " + s }
	case "surrounding double quotes":
		l.mangle = func(s string) string { return `"` + s + `"` }
	case "10^6 '.' characters":
		l.says = says["malformed"]
		l.mangle = func(string) string { return strings.Repeat(".", 30_000) }
		l.try()
		l.status, l.says = oversize, ""
		l.mangle = func(string) string { return strings.Repeat(".", 1_000_000) }
	case "valid-looking token of 1 MiB":
		l.mangle = grow(100 << 10)
		l.try()
		l.status = oversize
		l.mangle = grow(1 << 20)
	case "valid-looking token of 10 MiB":
		l.status = oversize
		l.mangle = grow(10 << 20)
	case "valid token of 12 KiB (many activities)":
		l.mangle = grow(11 << 10)
	case "JWE alg=A128KW enc=A128GCM: empty encrypted_key":
		l.mangle = jwe("A128KW", "A128GCM", "..AAAA.AAAA.AAAA")
	case "JWE alg=dir enc=A128CBC-HS256: empty ciphertext":
		l.mangle = jwe("dir", "A128CBC-HS256", "..AAAA..AAAA")
	case "JWE alg=RSA-OAEP enc=A256GCM: zip=DEF 250 KB -> 1 GB bomb":
		// As much of it as fits an ID token, and then the whole.
		l.mangle = jwe("RSA-OAEP", "A256GCM", ".AAAA.AAAA."+strings.Repeat("A", 30<<10)+".AAAA")
		l.try()
		l.status, l.says = oversize, says["too_large"]
		l.mangle = jwe("RSA-OAEP", "A256GCM", ".AAAA.AAAA."+strings.Repeat("A", 250<<10)+".AAAA")
	default:
		t.Fatalf("an unknown operation: %s", raw)
	}
	l.try()
	if strings.HasPrefix(raw, "JWE") {
		neverDecrypts(t)
	}
}

// neverDecrypts looks for JWE in the sources: the surest bound on what it costs.
func neverDecrypts(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		if text, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if !strings.HasSuffix(name, "_test.go") && regexp.MustCompile(`ParseEncrypted|\.Decrypt\(|ParseSigned\(`).Match(text) {
			t.Errorf("%s reads JWE", name)
		}
	}
}

// Other tokens in the place of the ID token. Each falls with the first check that
// tells it apart, and that need not be its kind.
var _ = hand(map[string]runner{
	"JWT-306": func(t *testing.T, c corpusCase) { // an access token, as Keycloak makes them
		l := newLab(t, c)
		l.claims = map[string]any{"typ": "Bearer", "aud": "account", "nonce": nil}
		l.says = says["wrong_aud"]
		l.try()
		l.claims["aud"] = "client" // and one that is for us
		l.says = `reason=wrong_kind `
		l.try()
	},
	"JWT-307": func(t *testing.T, c corpusCase) { // a refresh token
		l := newLab(t, c)
		l.claims["typ"], l.header["alg"], l.says = "Refresh", "HS512", says["alg_not_allowed"]
		l.mangle = l.signature("op_genuine_for_HS512")
		l.try()
		l.header["alg"], l.mangle, l.says = "RS256", nil, `reason=wrong_kind `
		l.try()
	},
	"JWT-309": func(t *testing.T, c corpusCase) { // of another client
		l := newLab(t, c)
		l.claims["aud"], l.claims["azp"], l.says = "other", "other", says["wrong_aud"]
		l.try()
	},
	"JWT-311": func(t *testing.T, c corpusCase) { // our session token
		l := newLab(t, c)
		b := l.begin()
		session := l.send(b.back(b.honest())).session.Value
		l.mangle = func(string) string { return session }
		l.says = says["alg_not_allowed"]
		l.try()
	},
	"JWT-312": func(t *testing.T, c corpusCase) { // of the mock, to an app of production
		l := newLab(t, c)
		l.header["kid"], l.claims["iss"], l.says = "mock", "http://127.0.0.1:1/auth/realms/esante-wallet", says["unknown_kid"]
		l.mangle = l.signature("attacker_rsa")
		l.try()
		l.header["kid"], l.says, l.mangle = "k1", says["wrong_iss"], nil // even if the keys were the same
		l.try()
	},
	"JWT-314": func(t *testing.T, c corpusCase) { // of the same person, from an earlier sign-in
		l := newLab(t, c)
		old := ""
		l.mangle = func(s string) string { old = s; return s }
		b := l.begin()
		if l.send(b.back(b.honest())).session == nil {
			t.Fatal("no first sign-in")
		}
		l.mangle = func(string) string { return old }
		l.says = says["nonce_mismatch"]
		l.try()
	},
})

// What go-jose says of a header that it cannot read must not reach the log: it
// repeats the header.
func TestABrokenCertificateInTheHeaderIsNotLogged(t *testing.T) {
	l := newLab(t, corpusCase{})
	l.header["x5c"] = []string{"not base64 at all"}
	b := l.begin()
	if o := l.send(b.back(b.honest())); o.session != nil || o.rec.Code != 401 {
		t.Errorf("got %d", o.rec.Code)
	}
	if text := l.logs.String(); strings.Contains(text, "not base64") || !strings.Contains(text, "reason=malformed ") {
		t.Errorf("the log says %s", text)
	}
}

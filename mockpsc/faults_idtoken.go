package mockpsc

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

// Faults of the ID token's claims.
func claimFaults() []Fault {
	row := func(name, severity, summary string, bend func(*outgoing)) Fault {
		return Fault{Name: name, Where: "id_token", Severity: severity, Expect: refuseToken, Summary: "the ID token " + summary, bend: bend}
	}
	return []Fault{
		row("wrong-issuer", critical, "was issued by another issuer", with("iss", otherIssuer)),
		row("issuer-with-slash", minor, "names the issuer with a slash behind it", func(o *outgoing) { o.claims.set("iss", o.issuer+"/") }),
		row("issuer-in-capitals", minor, "names the issuer in capitals", func(o *outgoing) { o.claims.set("iss", upper(o.issuer)) }),
		row("issuer-of-another-realm", critical, "was issued by another realm of the same host", func(o *outgoing) {
			o.claims.set("iss", strings.Replace(o.issuer, "/realms/", "/realms/other-", 1))
		}),
		row("missing-issuer", serious, "has no iss", without("iss")),
		row("null-issuer", serious, "has an iss that is null", with("iss", nil)),
		row("issuer-in-a-list", minor, "has an iss that is a list", func(o *outgoing) { o.claims.set("iss", []string{o.issuer}) }),
		row("second-issuer", minor, "has two members iss, the second another issuer", again("iss", otherIssuer)),

		row("wrong-audience", critical, "is meant for another client", with("aud", "another-client")),
		row("audience-in-capitals", serious, "is meant for the client's name in capitals", func(o *outgoing) { o.claims.set("aud", exchangeCase(o.claims.words("aud"))) }),
		row("audience-longer", serious, "is meant for a client whose name begins like this one's", func(o *outgoing) { o.claims.set("aud", o.claims.words("aud")+"-2") }),
		row("missing-audience", critical, "has no aud", without("aud")),
		row("null-audience", critical, "has an aud that is null", with("aud", nil)),
		row("empty-audience", critical, "has an empty aud", with("aud", "")),
		row("audience-of-nobody", critical, "has an aud that is an empty list", with("aud", []string{})),
		row("several-audiences", serious, "is meant for this client and for another that nobody declared", func(o *outgoing) {
			o.claims.set("aud", []string{o.claims.words("aud"), "another-client"})
		}),
		row("audience-a-number", minor, "has an aud that is a number", with("aud", 1)),
		row("second-audience", minor, "has two members aud, the second another client's", again("aud", "another-client")),
		row("wrong-azp", serious, "was given to another client (azp)", with("azp", "another-client")),
		row("azp-in-a-list", minor, "has an azp that is a list", func(o *outgoing) { o.claims.set("azp", []string{o.claims.words("azp")}) }),

		row("expired", serious, "expired ten minutes before it was issued", later("exp", -int64((10*time.Minute).Seconds()))),
		row("missing-exp", serious, "never expires: it has no exp", without("exp")),
		row("null-exp", serious, "has an exp that is null", with("exp", nil)),
		row("exp-a-text", minor, "has an exp that is a text", asText("exp")),
		row("exp-zero", serious, "expired in 1970", with("exp", 0)),
		row("exp-negative", serious, "has an exp before 1970", with("exp", -1)),
		row("exp-out-of-range", minor, "has an exp that no clock reaches, 1e300", with("exp", raw("1e300"))),
		row("second-exp", minor, "has two members exp, the second long past", again("exp", 1)),
		row("missing-iat", minor, "has no iat", without("iat")),
		row("iat-a-text", minor, "has an iat that is a text", asText("iat")),
		row("iat-next-week", serious, "was issued next week", later("iat", 7*24*3600)),
		row("iat-last-week", serious, "was issued last week", later("iat", -7*24*3600)),
		row("not-yet-valid", serious, "is not valid yet: its nbf is in an hour", later("nbf", 3600)),
		row("auth-time-a-text", minor, "has an auth_time that is a text", asText("auth_time")),

		row("wrong-nonce", critical, "carries another nonce than the one sent", func(o *outgoing) { o.claims.put("nonce", newHandle()) }),
		row("missing-nonce", critical, "has no nonce", without("nonce")),
		row("empty-nonce", critical, "has an empty nonce", with("nonce", "")),
		row("null-nonce", critical, "has a nonce that is null", with("nonce", nil)),
		row("nonce-a-number", serious, "has a nonce that is a number", with("nonce", 0)),
		row("nonce-in-a-list", minor, "has a nonce in a list", func(o *outgoing) { o.claims.set("nonce", []string{o.claims.words("nonce")}) }),
		row("nonce-in-capitals", serious, "carries the nonce with small letters and capitals exchanged", func(o *outgoing) { o.claims.set("nonce", exchangeCase(o.claims.words("nonce"))) }),
		row("nonce-cut-short", serious, "carries the first half of the nonce", func(o *outgoing) {
			n := o.claims.words("nonce")
			o.claims.set("nonce", n[:len(n)/2])
		}),
		row("second-nonce", minor, "has two members nonce, the second another one", again("nonce", "another-nonce")),
		row("folded-nonce", serious, "spells nonce as Nonce, which a reader that ignores case takes for the same", renamed("nonce", "Nonce")),

		row("missing-sub", critical, "has no sub", without("sub")),
		row("empty-sub", critical, "has an empty sub", with("sub", "")),
		row("null-sub", critical, "has a sub that is null", with("sub", nil)),
		row("sub-a-number", serious, "has a sub that is a number", with("sub", 899999001011)),
		row("sub-in-a-list", minor, "has a sub in a list", func(o *outgoing) { o.claims.set("sub", []string{o.claims.words("sub")}) }),
		row("sub-too-long", minor, "has a sub of 300 characters", func(o *outgoing) {
			sub := o.claims.words("sub")
			o.claims.set("sub", sub+strings.Repeat("0", max(1, 300-len(sub))))
		}),
		row("duplicate-sub", critical, "has two members sub, the second another person's", again("sub", otherSub)),
		row("folded-sub", critical, "spells sub as Sub, which a reader that ignores case takes for the same", renamed("sub", "Sub")),
		row("sub-with-a-long-s", critical, "spells sub with the letter ſ, which folds to s", renamed("sub", "ſub")),
		{Name: "sub-of-another", Where: "id_token", Severity: critical,
			Summary: "the ID token is about another person than userinfo",
			Expect:  "refuse the sign-in, for userinfo is about somebody else",
			bend: func(o *outgoing) {
				o.claims.set("sub", o.other().sub)
				o.claims.set("SubjectNameID", o.other().nationalID)
				o.claims.set("preferred_username", o.other().nationalID)
			}},

		row("weak-acr", serious, "has acr 0, weaker than eidas1", with("acr", "0")),
		row("missing-acr", serious, "has no acr", without("acr")),
		row("empty-acr", serious, "has an empty acr", with("acr", "")),
		row("null-acr", serious, "has an acr that is null", with("acr", nil)),
		row("acr-a-number", minor, "has an acr that is a number", with("acr", 1)),
		row("acr-in-a-list", minor, "has an acr in a list", with("acr", []string{"eidas1"})),
		row("acr-in-capitals", minor, "has acr EIDAS1", with("acr", "EIDAS1")),
		row("acr-longer", serious, "has acr eidas1-low", with("acr", "eidas1-low")),
		row("second-acr", minor, "has two members acr, the second 0", again("acr", "0")),

		row("wrong-at-hash", serious, "has an at_hash that belongs to another access token", with("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")),
		row("empty-at-hash", minor, "has an empty at_hash", with("at_hash", "")),
		row("at-hash-a-number", minor, "has an at_hash that is a number", with("at_hash", 0)),

		row("logout-token-for-id-token", serious, "is a logout token: it has events, and no nonce", func(o *outgoing) {
			o.claims.del("nonce")
			o.claims.put("events", map[string]struct{}{logoutEvent: {}})
			o.claims.set("typ", "Logout")
		}),

		row("payload-a-list", minor, "has a payload that is a list", saying(`[]`)),
		row("payload-null", minor, "has a payload that is null", saying(`null`)),
		row("payload-no-json", minor, "has a payload that is no JSON", saying(`sub=899999001011`)),
		row("payload-empty", minor, "has an empty payload", saying(``)),
		row("payload-with-more", minor, "has a payload with a second object behind the first", func(o *outgoing) { o.payload = append(o.claims.text(), "{}"...) }),
		row("payload-bad-utf8", minor, "has a payload that is not UTF-8", func(o *outgoing) {
			o.claims.put("given_name", raw("\"JEAN\xff\""))
		}),
		row("payload-deep", minor, "has a claim that is nested a hundred thousand deep", func(o *outgoing) { o.claims.put("deep", deep()) }),
		row("payload-huge", minor, "is two megabytes long", func(o *outgoing) { o.claims.put("padding", strings.Repeat("A", 2<<20)) }),
	}
}

func deep() json.RawMessage {
	return raw(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000))
}

// Faults of the ID token's header, signature and form.
func signatureFaults() []Fault {
	row := func(name, severity, summary string, bend func(*outgoing)) Fault {
		return Fault{Name: name, Where: "id_token", Severity: severity, Expect: refuseToken, Summary: "the ID token " + summary, bend: bend}
	}
	alg := func(alg string, sign func(*outgoing, string) []byte) func(*outgoing) {
		return func(o *outgoing) {
			o.header.set("alg", alg)
			o.sign = func(text string) []byte { return sign(o, text) }
		}
	}
	mac := func(secret func(*outgoing) []byte) func(*outgoing) {
		return alg("HS256", func(o *outgoing, text string) []byte { return hs256(secret(o), text) })
	}
	nothing := func(*outgoing, string) []byte { return nil }
	// stranger signs with a key that is not published, under what the header says.
	stranger := func(header func(*object)) func(*outgoing) {
		return func(o *outgoing) {
			header(&o.header)
			o.sign = foreignKey().sign
		}
	}
	heading := func(name string, value any) func(*outgoing) {
		return func(o *outgoing) { o.header.put(name, value) }
	}
	return []Fault{
		row("bad-signature", critical, "has a signature that does not fit", func(o *outgoing) {
			sign := o.sign
			o.sign = func(text string) []byte { return spoiled(sign(text)) }
		}),
		row("empty-signature", critical, "says RS256 and has an empty signature", func(o *outgoing) { o.sign = func(string) []byte { return nil } }),
		row("signature-cut-short", critical, "has the first half of its signature", func(o *outgoing) {
			sign := o.sign
			o.sign = func(text string) []byte { sig := sign(text); return sig[:len(sig)/2] }
		}),
		row("signature-of-another-text", critical, "has the signature of another ID token", func(o *outgoing) {
			sign := o.sign
			o.sign = func(string) []byte { return sign("another.text") }
		}),
		row("unknown-key", critical, "is signed by a key that is not published, under that key's kid", stranger(func(h *object) { h.set("kid", foreignKey().kid) })),
		row("stolen-kid", critical, "is signed by a key that is not published, under the published key's kid", stranger(func(*object) {})),
		row("no-kid", critical, "is signed by a key that is not published, and has no kid", stranger(func(h *object) { h.del("kid") })),
		row("kid-a-number", minor, "is signed by a key that is not published, and its kid is a number", stranger(func(h *object) { h.set("kid", 1) })),
		row("kid-a-path", critical, "is signed by a key that is not published, and its kid is a path to an empty file", stranger(func(h *object) { h.set("kid", "../../../../../../dev/null") })),
		row("kid-a-query", critical, "is signed by a key that is not published, and its kid is SQL", stranger(func(h *object) { h.set("kid", "x' UNION SELECT 'key' -- ") })),
		row("kid-huge", minor, "is signed by a key that is not published, and its kid has 64 KiB", stranger(func(h *object) { h.set("kid", strings.Repeat("k", 64<<10)) })),
		row("second-kid", minor, "is signed by a key that is not published, and has two members kid", stranger(func(h *object) { *h = append(*h, member{"kid", foreignKey().kid}) })),

		row("alg-none", critical, "has alg none and an empty signature", alg("none", nothing)),
		row("alg-none-in-capitals", critical, "has alg nOnE and an empty signature", alg("nOnE", nothing)),
		row("alg-none-with-signature", critical, "has alg none and a genuine RS256 signature", heading("alg", "none")),
		row("alg-missing", serious, "has no alg", func(o *outgoing) { o.header.del("alg") }),
		row("alg-null", serious, "has an alg that is null", heading("alg", nil)),
		row("alg-in-small-letters", minor, "has alg rs256", heading("alg", "rs256")),
		row("second-alg", serious, "has two members alg, the second none", func(o *outgoing) { o.header = append(o.header, member{"alg", "none"}) }),
		row("hs256-public-key", critical, "has alg HS256, with the published RSA key (PEM) as the secret", mac(func(o *outgoing) []byte { return o.key.publicPEM() })),
		row("hs256-public-der", critical, "has alg HS256, with the published RSA key (DER) as the secret", mac(func(o *outgoing) []byte { return o.key.publicDER() })),
		row("hs256-modulus", critical, "has alg HS256, with the modulus of the published RSA key as the secret", mac(func(o *outgoing) []byte { return o.key.private.N.Bytes() })),
		row("hs256-empty-key", critical, "has alg HS256, with an empty secret", mac(func(*outgoing) []byte { return nil })),
		row("hs256-client-id", critical, "has alg HS256, with the client's name as the secret", mac(func(o *outgoing) []byte { return []byte(o.claims.words("azp")) })),
		row("hs256-client-secret", serious, "has alg HS256, with the client's secret, where RS256 is registered", mac(func(o *outgoing) []byte { return []byte(o.secret) })),
		row("rs512", minor, "has alg RS512, by the published key, which is for RS256", alg("RS512", func(o *outgoing, text string) []byte {
			sum := sha512.Sum512([]byte(text))
			return must(rsa.SignPKCS1v15(nil, o.key.private, crypto.SHA512, sum[:]))
		})),
		row("ps256", minor, "has alg PS256, by the published key, which is for RS256", alg("PS256", func(o *outgoing, text string) []byte {
			sum := sha256.Sum256([]byte(text))
			return must(rsa.SignPSS(rand.Reader, o.key.private, crypto.SHA256, sum[:], nil))
		})),
		row("signed-by-encryption-key", critical, "is signed by the published key that is to encrypt (use enc)", func(o *outgoing) {
			o.header.set("kid", o.enc.kid)
			o.sign = o.enc.sign
		}),

		row("embedded-jwk", critical, "brings the key that verifies it along, in jwk", stranger(func(h *object) { h.put("jwk", foreignKey().jwk()) })),
		row("embedded-x5c", critical, "brings a certificate of its key along, in x5c", stranger(func(h *object) { h.put("x5c", []string{base64.StdEncoding.EncodeToString(foreignCertificate())}) })),
		row("jku-elsewhere", critical, "says in jku where the key that verifies it can be had", stranger(func(h *object) { h.put("jku", "https://psc.invalid/certs") })),
		row("x5u-elsewhere", critical, "says in x5u where the certificate that verifies it can be had", stranger(func(h *object) { h.put("x5u", "https://psc.invalid/cert.pem") })),
		row("unknown-crit", minor, "has an extension that must be understood (crit), and that nobody knows", func(o *outgoing) {
			o.header = append(o.header, member{"crit", []string{"urn:mockpsc"}}, member{"urn:mockpsc", true})
		}),
		row("typ-of-an-access-token", minor, "has typ at+jwt", heading("typ", "at+jwt")),
		row("typ-of-a-logout-token", minor, "has typ logout+jwt", heading("typ", "logout+jwt")),
		row("compressed", minor, "has a compressed payload and says so (zip), as only an encrypted token may", func(o *outgoing) {
			heading("zip", "DEF")(o)
			o.payload = deflated(o.claims.text())
		}),

		row("two-parts", minor, "has no third part", finished(func(t string) string {
			head, rest, _ := strings.Cut(t, ".")
			payload, _, _ := strings.Cut(rest, ".")
			return head + "." + payload
		})),
		row("four-parts", minor, "has a fourth part", finished(func(t string) string { return t + ".AAAA" })),
		row("five-parts", minor, "has five parts, as an encrypted one", finished(func(t string) string { return t + ".AAAA.AAAA" })),
		row("dots-only", minor, "is a megabyte of dots", finished(func(string) string { return strings.Repeat(".", 1<<20) })),
		row("newline-inside", minor, "has a line feed in its payload", finished(func(t string) string {
			head, rest, _ := strings.Cut(t, ".")
			i := min(5, len(rest))
			return head + "." + rest[:i] + "\n" + rest[i:]
		})),
		row("space-around", minor, "has a blank before and behind it", finished(func(t string) string { return " " + t + " " })),
		row("padded-base64", minor, "has parts with = behind them", finished(func(t string) string { return strings.ReplaceAll(t, ".", "=.") + "==" })),
		row("other-base64-bits", minor, "ends in a character whose unused bits are set", finished(func(t string) string {
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			if t == "" {
				return t
			}
			last := max(0, strings.IndexByte(alphabet, t[len(t)-1])) // or = or a blank, of another fault
			return t[:len(t)-1] + string(alphabet[last^1])
		})),
	}
}

// Faults that put another kind of token in the place of the ID token.
func confusedFaults() []Fault {
	return []Fault{
		{Name: "access-token-for-id-token", Where: "token", Severity: serious, Expect: refuseToken,
			Summary: "the token answer has the access token in the place of the ID token",
			bend:    func(o *outgoing) { o.members.set("id_token", o.members.words("access_token")) }},
		{Name: "refresh-token-for-id-token", Where: "token", Severity: serious, Expect: refuseToken,
			Summary: "the token answer has the refresh token in the place of the ID token",
			bend:    func(o *outgoing) { o.members.set("id_token", o.members.words("refresh_token")) }},
	}
}

// spoiled is a signature with a bit turned, if there is one.
func spoiled(sig []byte) []byte {
	if len(sig) > 0 {
		sig[len(sig)/2] ^= 1
	}
	return sig
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic("mockpsc: " + err.Error()) // a 2048-bit key always holds the hash
	}
	return b
}

// publicDER is the published key in the form of a certificate's.
func (k key) publicDER() []byte {
	return must(x509.MarshalPKIXPublicKey(&k.private.PublicKey))
}

// jwk is the public key as a member of a JWKS.
func (k key) jwk() object {
	return object{
		{"kid", k.kid}, {"kty", "RSA"}, {"alg", "RS256"}, {"use", "sig"},
		{"n", base64.RawURLEncoding.EncodeToString(k.private.N.Bytes())},
		{"e", base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.private.E)).Bytes())},
	}
}

// deflated is a text in the form of zip DEF (RFC 7516, section 4.1.3).
func deflated(text []byte) []byte {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.DefaultCompression)
	must(nil, err) // the level is one that there is
	z.Write(text)  // into memory
	z.Close()
	return b.Bytes()
}

// foreignCertificate certifies the key that is never published, by itself.
func foreignCertificate() []byte {
	k := foreignKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	return must(x509.CreateCertificate(rand.Reader, template, template, &k.private.PublicKey, k.private))
}

// MarshalJSON has an object stand inside another.
func (o object) MarshalJSON() ([]byte, error) { return o.text(), nil }

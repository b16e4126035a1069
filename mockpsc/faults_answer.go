package mockpsc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Faults of the token answer, but for how it travels.
func tokenFaults() []Fault {
	row := func(name, severity, expect, summary string, bend func(*outgoing)) Fault {
		return Fault{Name: name, Where: "token", Severity: severity, Expect: expect, Summary: "the token answer " + summary, bend: bend}
	}
	set := func(name string, value any) func(*outgoing) {
		return func(o *outgoing) { o.members.put(name, value) }
	}
	drop := func(name string) func(*outgoing) { return func(o *outgoing) { o.members.del(name) } }
	return []Fault{
		row("no-id-token", critical, refuseToken, "has no id_token", drop("id_token")),
		row("id-token-null", critical, refuseToken, "has an id_token that is null", set("id_token", nil)),
		row("id-token-empty", critical, refuseToken, "has an empty id_token", set("id_token", "")),
		row("id-token-a-number", serious, refuseToken, "has an id_token that is a number", set("id_token", 1)),
		row("id-token-folded", minor, refuseToken, "spells id_token as ID_TOKEN, which a reader that ignores case takes for the same", func(o *outgoing) { o.members.rename("id_token", "ID_TOKEN") }),
		row("second-id-token", serious, refuseToken, "has two members id_token, the second about another person and signed by nobody known", func(o *outgoing) {
			forged := compactJWS("RS256", foreignKey().kid, object{{"iss", o.issuer}, {"sub", otherSub}}, foreignKey().sign)
			o.members = append(o.members, member{"id_token", forged})
		}),
		row("no-access-token", minor, refuseAnswer, "has no access_token", drop("access_token")),
		row("access-token-empty", minor, refuseAnswer, "has an empty access_token", set("access_token", "")),
		row("access-token-a-number", minor, refuseAnswer, "has an access_token that is a number", set("access_token", 1)),
		row("no-token-type", minor, refuseAnswer, "has no token_type", drop("token_type")),
		row("wrong-token-type", minor, refuseAnswer, "has token_type MAC", set("token_type", "MAC")),
	}
}

// Faults of userinfo, but for how it travels.
func userinfoFaults() []Fault {
	row := func(name, severity, summary string, bend func(*object)) Fault {
		return Fault{Name: name, Where: "userinfo", Severity: severity, Expect: refuseUserinfo, Summary: "userinfo " + summary, bend: editDocument(bend)}
	}
	set := func(name string, value any) func(*object) { return func(o *object) { o.put(name, value) } }
	const id = "SubjectNameID"
	return []Fault{
		row("other-sub", critical, "carries another sub than the ID token", set("sub", otherSub)),
		{Name: "userinfo-of-another", Where: "userinfo", Severity: critical, Expect: refuseUserinfo,
			Summary: "userinfo is the whole document of another person",
			bend:    func(o *outgoing) { o.document = o.other().userinfo }},
		{Name: "record-of-another", Where: "userinfo", Severity: critical,
			Summary: "userinfo has the right sub, and otherwise the document of another person",
			Expect:  "refuse the sign-in, for SubjectNameID is not that of the ID token",
			bend: func(o *outgoing) {
				sub := o.sub
				o.document = o.other().userinfo
				editDocument(func(doc *object) { doc.set("sub", sub) })(o)
			}},
		row("userinfo-without-sub", critical, "has no sub", func(o *object) { o.del("sub") }),
		row("userinfo-empty-sub", critical, "has an empty sub", set("sub", "")),
		row("userinfo-null-sub", critical, "has a sub that is null", set("sub", nil)),
		row("userinfo-sub-a-number", serious, "has a sub that is a number", set("sub", 1)),
		row("userinfo-sub-in-a-list", minor, "has a sub in a list", func(o *object) { o.set("sub", []string{o.words("sub")}) }),
		row("userinfo-second-sub", critical, "has two members sub, the second another person's", func(o *object) { *o = append(*o, member{"sub", otherSub}) }),
		row("userinfo-folded-sub", critical, "spells sub as SUB, which a reader that ignores case takes for the same", func(o *object) { o.rename("sub", "SUB") }),
		row("userinfo-without-identifier", serious, "has no SubjectNameID", func(o *object) { o.del(id) }),
		row("userinfo-empty-identifier", critical, "has an empty SubjectNameID", set(id, "")),
		row("userinfo-null-identifier", serious, "has a SubjectNameID that is null", set(id, nil)),
		row("userinfo-identifier-null-text", critical, "has the SubjectNameID \"null\"", set(id, "null")),
		row("userinfo-identifier-blank", critical, "has a SubjectNameID of blanks", set(id, "   ")),
		row("userinfo-identifier-a-number", serious, "has a SubjectNameID that is a number", set(id, 899999001011)),
		row("userinfo-identifier-with-wrong-key", serious, "has a SubjectNameID whose RPPS key does not fit", set(id, "899999001012")),
		row("userinfo-second-identifier", critical, "has two members SubjectNameID, the second another person's", func(o *object) { *o = append(*o, member{id, "899999009998"}) }),
		row("userinfo-folded-identifier", critical, "has a member subjectnameid of another person's beside none of the right spelling", func(o *object) {
			o.del(id)
			*o = append(*o, member{"subjectnameid", "899999009998"})
		}),
		{Name: "userinfo-a-token", Where: "userinfo", Severity: serious, Expect: refuseUserinfo,
			Summary: "userinfo is a token without a signature (application/jwt), which nobody registered",
			bend: func(o *outgoing) {
				o.document = []byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(o.document) + ".")
				o.wire.contentType = "application/jwt"
			}},
		{Name: "userinfo-refused", Where: "userinfo", Severity: minor, Expect: refuseUserinfo,
			Summary: "userinfo refuses the access token that was just issued",
			bend: func(o *outgoing) {
				o.status, o.document = http.StatusUnauthorized, []byte(`{"error":"invalid_token","error_description":"Token verification failed"}`)
			}},
	}
}

// Faults of the metadata, but for how they travel.
func metadataFaults() []Fault {
	row := func(name, severity, summary string, bend func(*object)) Fault {
		return Fault{Name: name, Where: "metadata", Severity: severity, Expect: refuseMetadata, Summary: "the metadata " + summary,
			bend: editDocument(bend)}
	}
	set := func(name string, value any) func(*object) { return func(o *object) { o.put(name, value) } }
	elsewhere := func(name string) func(*object) {
		return func(o *object) {
			if _, path, ok := strings.Cut(o.words(name), "/auth"); ok {
				o.set(name, "https://psc.invalid/auth"+path)
			}
		}
	}
	return []Fault{
		row("metadata-of-another-issuer", critical, "are of another issuer", set("issuer", otherIssuer)),
		row("metadata-issuer-with-slash", minor, "name the issuer with a slash behind it", func(o *object) { o.set("issuer", o.words("issuer")+"/") }),
		row("metadata-issuer-in-capitals", minor, "name the issuer in capitals", func(o *object) { o.set("issuer", upper(o.words("issuer"))) }),
		row("metadata-without-issuer", serious, "have no issuer", func(o *object) { o.del("issuer") }),
		row("metadata-second-issuer", minor, "have two members issuer, the second another one", func(o *object) { *o = append(*o, member{"issuer", otherIssuer}) }),
		row("metadata-folded-issuer", minor, "spell issuer as Issuer", func(o *object) { o.rename("issuer", "Issuer") }),
		row("metadata-authorization-elsewhere", serious, "lead the person to a sign-in page on a host that nobody configured", elsewhere("authorization_endpoint")),
		row("metadata-token-elsewhere", serious, "have codes and the client's secret sent to a host that nobody configured", elsewhere("token_endpoint")),
		row("metadata-keys-elsewhere", serious, "have the keys read from a host that nobody configured", elsewhere("jwks_uri")),
		row("metadata-userinfo-elsewhere", serious, "have userinfo read from a host that nobody configured", elsewhere("userinfo_endpoint")),
		row("metadata-without-authorization", minor, "have no authorization_endpoint", func(o *object) { o.del("authorization_endpoint") }),
		row("metadata-without-token", minor, "have no token_endpoint", func(o *object) { o.del("token_endpoint") }),
		row("metadata-without-keys", minor, "have no jwks_uri", func(o *object) { o.del("jwks_uri") }),
		row("metadata-script-endpoint", serious, "have an authorization_endpoint that is a script", set("authorization_endpoint", "javascript:alert(document.domain)")),
		row("metadata-endpoint-a-number", minor, "have a token_endpoint that is a number", set("token_endpoint", 1)),
	}
}

// weakKey is too short to be believed; never published but by a fault.
var weakKey = sync.OnceValue(func() key { return newKeyOf(1024) })

// Faults of the keys, but for how they travel. Each also signs the ID token so
// that the keys must be read, and that what is wrong with them matters.
func keyFaults() []Fault {
	row := func(name, severity, summary string, token func(*outgoing), bend func([]object) []object) Fault {
		return Fault{Name: name, Where: "keys", Severity: severity, Expect: refuseKeys, Summary: summary, token: token,
			bend: func(o *outgoing) { o.document = editKeys(o.document, bend) }}
	}
	// publish adds a key to the genuine ones.
	publish := func(k func() object) func([]object) []object {
		return func(list []object) []object { return append([]object{k()}, list...) }
	}
	changed := func(k func() key, change func(*object)) func() object {
		return func() object { o := k().jwk(); change(&o); return o }
	}
	return []Fault{
		row("no-keys", minor, "no key is published", by(foreignKey, "RS256"), func([]object) []object { return []object{} }),
		row("keys-of-another", critical, "other keys are published than the one that signs, under its kid", by(spareKeys[0], "RS256"), func(list []object) []object {
			other := foreignKey().jwk()
			other.set("kid", spareKeys[0]().kid)
			return append(list, other)
		}),
		row("key-to-encrypt", critical, "the key that signs is published to encrypt (use enc)", by(foreignKey, "RS256"),
			publish(changed(foreignKey, func(o *object) { o.set("use", "enc") }))),
		row("key-for-other-operations", serious, "the key that signs is published to encrypt only (key_ops)", by(foreignKey, "RS256"),
			publish(changed(foreignKey, func(o *object) { o.del("use"); *o = append(*o, member{"key_ops", []string{"encrypt"}}) }))),
		row("key-for-another-alg", serious, "the key that signs is published for RS512", by(foreignKey, "RS256"),
			publish(changed(foreignKey, func(o *object) { o.set("alg", "RS512") }))),
		row("key-too-short", critical, "the key that signs has 1024 bits", by(weakKey, "RS256"), publish(func() object { return weakKey().jwk() })),
		row("key-with-exponent-one", critical, "the key that signs has the exponent 1, so that anybody can sign", func(o *outgoing) {
			o.header.set("kid", "exponent-one")
			o.sign = func(text string) []byte { return paddedDigest(text, 256) }
		}, publish(changed(foreignKey, func(o *object) { o.set("kid", "exponent-one"); o.set("e", "AQ") }))),
		row("key-symmetric", critical, "a secret key is published, and signs with HS256", func(o *outgoing) {
			o.header.set("kid", "symmetric")
			o.header.set("alg", "HS256")
			o.sign = func(text string) []byte { return hs256([]byte("published-to-everybody-who-asks!"), text) }
		}, publish(func() object {
			return object{{"kid", "symmetric"}, {"kty", "oct"}, {"alg", "HS256"}, {"use", "sig"}, {"k", base64.RawURLEncoding.EncodeToString([]byte("published-to-everybody-who-asks!"))}}
		})),
		row("key-without-modulus", minor, "the key that signs is published without its modulus", by(foreignKey, "RS256"),
			publish(changed(foreignKey, func(o *object) { o.del("n") }))),
		row("key-of-unknown-type", minor, "the key that signs is published with a type that nobody knows", by(foreignKey, "RS256"),
			publish(changed(foreignKey, func(o *object) { o.set("kty", "AKP") }))),
		{Name: "keys-not-a-list", Where: "keys", Severity: minor, Expect: refuseKeys, Summary: "the published keys are no list", token: by(foreignKey, "RS256"),
			bend: func(o *outgoing) { o.document = []byte(`{"keys":{}}`) }},
		{Name: "keys-without-member", Where: "keys", Severity: minor, Expect: refuseKeys, Summary: "the document of the keys has no member keys", token: by(foreignKey, "RS256"),
			bend: func(o *outgoing) { o.document = []byte(`{}`) }},
	}
}

// by has another key sign, under its kid, so that the keys must be read.
func by(k func() key, alg string) func(*outgoing) {
	return func(o *outgoing) {
		o.header.set("kid", k().kid)
		o.header.set("alg", alg)
		o.sign = k().sign
	}
}

// editKeys changes a JWKS key by key, if another fault has left one.
func editKeys(document []byte, f func([]object) []object) []byte {
	var set struct{ Keys []json.RawMessage }
	if json.Unmarshal(document, &set) != nil {
		return document
	}
	var list []object
	for _, k := range set.Keys {
		o, err := readMembers(k)
		if err != nil {
			continue
		}
		for i := range o { // as plain texts, so that they can be compared and set
			var text string
			if json.Unmarshal(o[i].value.(json.RawMessage), &text) == nil {
				o[i].value = text
			}
		}
		list = append(list, o)
	}
	var b bytes.Buffer
	for i, k := range f(list) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(k.text())
	}
	return []byte(`{"keys":[` + b.String() + `]}`)
}

// paddedDigest is what an RS256 signature is to the power of the exponent (RFC
// 8017, section 9.2): with exponent 1, the signature itself.
func paddedDigest(text string, size int) []byte {
	full := foreignKey().sign(text)
	k := foreignKey().private
	m := new(big.Int).Exp(new(big.Int).SetBytes(full), big.NewInt(int64(k.E)), k.N)
	return m.FillBytes(make([]byte, size))
}

// allFaults is the one table, in the order in which a sign-in meets them.
var allFaults = sync.OnceValue(func() []Fault {
	return slices.Concat(
		metadataFaults(), wireFaults("metadata", refuseMetadata, "the metadata document"),
		callbackFaults(),
		tokenFaults(), confusedFaults(), wireFaults("token", refuseAnswer, "the token answer"),
		claimFaults(), signatureFaults(),
		keyFaults(), wireFaults("keys", refuseKeys, "the document of the keys"),
		userinfoFaults(), wireFaults("userinfo", refuseUserinfo, "userinfo"),
		logoutFaults(),
	)
})

var faultsByName = sync.OnceValue(func() map[string]Fault {
	byName := map[string]Fault{}
	for _, f := range allFaults() {
		byName[f.Name] = f
	}
	return byName
})

package mockpsc

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is one way in which the mock lies. It is chosen at the sign-in form,
// or with [Server.SignIn], and hits that sign-in only.
type Fault struct {
	Name    string // such as "wrong-nonce"
	Summary string // what is wrong, in one sentence
	Where   string // where it strikes: "callback", "token", "id_token" or "userinfo"
	Expect  string // what a correct client does, in one sentence

	// MayRestart says that a correct client may also begin the sign-in again,
	// without a word, instead of refusing it.
	MayRestart bool

	bend func(*outgoing)
}

// Faults returns every fault that the mock can commit, each once.
func Faults() []Fault { return slices.Clone(faults) }

// An outgoing is an answer about to leave, in the parts that faults bend. Each
// place fills its own.
type outgoing struct {
	params []param // callback: the redirect's parameters

	alg, kid string // id_token
	claims   object
	sign     func(string) []byte
	key      key // the published one, whatever signs

	status   int    // token, userinfo
	members  object // token
	document []byte // userinfo
	sub      string // userinfo: whose it is
}

// bend applies the faults of a sign-in at one place. It is the only place that lies.
func bend(chosen []Fault, where string, out *outgoing) {
	for _, f := range chosen {
		if f.Where == where {
			f.bend(out)
		}
	}
}

// findFaults turns names into faults; an unknown one is an error, never ignored.
func findFaults(names []string) ([]Fault, error) {
	var list []Fault
	for _, name := range names {
		if name == "" { // "none" in the form's list
			continue
		}
		i := slices.IndexFunc(faults, func(f Fault) bool { return f.Name == name })
		if i < 0 {
			var known []string
			for _, f := range faults {
				known = append(known, f.Name)
			}
			return nil, fmt.Errorf("mockpsc: unknown fault %q; known: %s", name, strings.Join(known, ", "))
		}
		list = append(list, faults[i])
	}
	return list, nil
}

const (
	// otherSub belongs to a valid number of nobody.
	otherSub    = federation + "899999009998"
	otherIssuer = "https://psc.invalid" + realmPath
)

const refuseToken = "refuse the sign-in before asking for userinfo"

var faults = []Fault{
	{Name: "wrong-state", Where: "callback",
		Summary: "the callback carries another state than the one sent",
		Expect:  "refuse the sign-in and redeem no code", MayRestart: true,
		bend: func(o *outgoing) { o.param("state", newHandle()) }},
	{Name: "wrong-iss-parameter", Where: "callback",
		Summary: "the callback names another issuer in iss",
		Expect:  "refuse the sign-in and redeem no code",
		bend:    func(o *outgoing) { o.param("iss", otherIssuer) }},
	{Name: "access-denied", Where: "callback",
		Summary: "the person cancelled: the callback carries error=access_denied and no code",
		Expect:  "say that the sign-in was cancelled and open no session",
		bend: func(o *outgoing) {
			kept := slices.DeleteFunc(o.params, func(p param) bool { return p.name == "code" || p.name == "session_state" })
			o.params = append([]param{{"error", "access_denied"}, {"error_description", "User denied access"}}, kept...)
		}},

	{Name: "token-500", Where: "token",
		Summary: "the token endpoint answers 500",
		Expect:  "say that Pro Santé Connect does not answer and open no session",
		bend: func(o *outgoing) {
			o.status, o.members = http.StatusInternalServerError, object{{"error", "unknown_error"}}
		}},
	{Name: "no-id-token", Where: "token",
		Summary: "the token endpoint answers without an id_token",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.members.del("id_token") }},

	{Name: "wrong-nonce", Where: "id_token",
		Summary: "the ID token carries another nonce than the one sent",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims.set("nonce", newHandle()) }},
	{Name: "missing-nonce", Where: "id_token",
		Summary: "the ID token has no nonce",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims.del("nonce") }},
	{Name: "wrong-issuer", Where: "id_token",
		Summary: "the ID token was issued by another issuer",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims.set("iss", otherIssuer) }},
	{Name: "wrong-audience", Where: "id_token",
		Summary: "the ID token is meant for another client",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims.set("aud", "another-client") }},
	{Name: "expired", Where: "id_token",
		Summary: "the ID token expired ten minutes before it was issued",
		Expect:  refuseToken,
		bend: func(o *outgoing) {
			o.claims.set("exp", o.claims.number("iat")-int64((10*time.Minute).Seconds()))
		}},
	{Name: "missing-exp", Where: "id_token",
		Summary: "the ID token never expires: it has no exp",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims.del("exp") }},
	{Name: "weak-acr", Where: "id_token",
		Summary: "the ID token has acr 0, weaker than eidas1",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims.set("acr", "0") }},
	{Name: "wrong-at-hash", Where: "id_token",
		Summary: "the ID token's at_hash belongs to another access token",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims.set("at_hash", newHandle()) }},
	{Name: "duplicate-sub", Where: "id_token",
		Summary: "the ID token has two members sub, the second another person's",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.claims = append(o.claims, member{"sub", otherSub}) }},
	{Name: "folded-sub", Where: "id_token",
		Summary: "the ID token spells sub as Sub, which a reader that ignores case takes for the same",
		Expect:  refuseToken,
		bend: func(o *outgoing) {
			for i := range o.claims {
				if o.claims[i].name == "sub" {
					o.claims[i].name = "Sub"
				}
			}
		}},
	{Name: "bad-signature", Where: "id_token",
		Summary: "the ID token's signature does not fit",
		Expect:  refuseToken,
		bend: func(o *outgoing) {
			sign := o.sign
			o.sign = func(text string) []byte { sig := sign(text); sig[len(sig)/2] ^= 1; return sig }
		}},
	{Name: "unknown-key", Where: "id_token",
		Summary: "the ID token is signed by a key that is not published, under that key's kid",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.kid, o.sign = foreignKey().kid, foreignKey().sign }},
	{Name: "alg-none", Where: "id_token",
		Summary: "the ID token has alg none and an empty signature",
		Expect:  refuseToken,
		bend:    func(o *outgoing) { o.alg, o.sign = "none", func(string) []byte { return nil } }},
	{Name: "hs256-public-key", Where: "id_token",
		Summary: "the ID token has alg HS256, with the published RSA key (PEM) as the secret",
		Expect:  refuseToken,
		bend: func(o *outgoing) {
			o.alg = "HS256"
			o.sign = func(text string) []byte { return hs256(o.key.publicPEM(), text) }
		}},

	{Name: "other-sub", Where: "userinfo",
		Summary: "userinfo carries another sub than the ID token",
		Expect:  "refuse the sign-in and use nothing of userinfo",
		bend: func(o *outgoing) {
			o.document = bytes.Replace(o.document, []byte(`"`+o.sub+`"`), []byte(`"`+otherSub+`"`), 1)
		}},
}

func (o *outgoing) param(name, value string) {
	for i := range o.params {
		if o.params[i].name == name {
			o.params[i].value = value
		}
	}
}

func (o object) number(name string) int64 {
	for _, m := range o {
		if n, ok := m.value.(int64); ok && m.name == name {
			return n
		}
	}
	return 0
}

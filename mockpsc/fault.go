package mockpsc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Fault is one way in which the mock lies. Chosen at the sign-in form or with
// [Server.SignIn] it hits that sign-in only. It is also an address: behind a
// tilde in the path of the issuer, "…/realms/esante-wallet~expired+wrong-nonce",
// the names of faults make a provider that always lies so.
type Fault struct {
	Name    string // such as "wrong-nonce"
	Summary string // what is wrong, in one sentence
	Where   string // where it strikes: "metadata", "keys", "callback", "token", "id_token", "userinfo" or "logout_token"
	Expect  string // what a correct client does, in one sentence

	// Severity says what is at stake for an application that does not see it:
	// "critical" if a stranger gets in or gets in as somebody else, "serious" if
	// one lock of several is missing, "minor" if the application only takes what
	// no honest provider sends.
	Severity string

	// MayRestart says that a correct client may also begin the sign-in again,
	// without a word, instead of refusing it.
	MayRestart bool

	bend  func(*outgoing)
	token func(*outgoing) // of a fault in the keys: what it does to the ID token, so that the keys matter
}

// Faults returns every fault that the mock can commit, each once.
func Faults() []Fault { return slices.Clone(allFaults()) }

// An outgoing is an answer about to leave, in the parts that faults bend. Each
// place fills its own.
type outgoing struct {
	issuer string
	secret string         // the client's; "" if it has none
	grant  *grant         // nil for metadata and keys
	other  func() persona // somebody else than who signs in

	params   []param // callback: the redirect's parameters
	fragment bool    // callback: behind a # instead of a ?

	header  object // of a token
	claims  object
	payload []byte // in place of the claims
	sign    func(string) []byte
	key     key // the published one, whatever signs
	enc     key // the published one to encrypt
	finish  []func(string) string

	status   int
	members  object // metadata, token
	document []byte // keys, userinfo, and in place of members
	sub      string // userinfo: whose it is
	rewrite  []func([]byte) []byte
	wire     wire
}

// persona is what a lie about somebody else is made of.
type persona struct {
	sub, nationalID string
	userinfo        []byte
}

// bend applies faults at one place. It is the only place that lies. Each fault
// bends what those before it have left, which may be no JSON any more.
func bend(chosen []Fault, where string, out *outgoing) {
	for _, f := range chosen {
		switch {
		case f.Where == where:
			f.bend(out)
		case where == "id_token" && f.token != nil:
			f.token(out)
		}
	}
}

// body is what leaves, as far as it is JSON.
func (o *outgoing) body() []byte {
	text := o.document
	if text == nil {
		text = o.members.text()
	}
	for _, f := range o.rewrite {
		text = f(text)
	}
	return text
}

// maxFaults is how many can be chosen at once. Each makes an answer longer, and an
// address is anybody's to write.
const maxFaults = 16

// findFaults turns names into faults; an unknown one is an error, never ignored.
func findFaults(names []string) ([]Fault, error) {
	var list []Fault
	for _, name := range names {
		if name == "" { // "none" in the form's list
			continue
		}
		f, ok := faultsByName()[name]
		if !ok {
			return nil, fmt.Errorf("mockpsc: unknown fault %q; the command mockpsc faults and the address /_mock/api/faults list them all", name)
		}
		if slices.ContainsFunc(list, func(other Fault) bool { return other.Name == name }) {
			return nil, fmt.Errorf("mockpsc: fault %q is named twice", name)
		}
		if list = append(list, f); len(list) > maxFaults {
			return nil, fmt.Errorf("mockpsc: more than %d faults at once", maxFaults)
		}
	}
	return list, nil
}

// The words of many rows.
const (
	critical = "critical"
	serious  = "serious"
	minor    = "minor"

	refuseToken    = "refuse the sign-in before asking for userinfo"
	refuseCallback = "refuse the sign-in and redeem no code"
	refuseUserinfo = "refuse the sign-in and use nothing of userinfo"
	refuseAnswer   = "say that Pro Santé Connect does not answer properly and open no session"
	refuseKeys     = "refuse the ID token, for no published key that may sign verifies it"
	refuseMetadata = "ask for no authorization, and say that Pro Santé Connect cannot be reached"
	refuseLogout   = "answer 400 and end no session"
)

const (
	// otherSub belongs to a valid number of nobody.
	otherSub    = federation + "899999009998"
	otherIssuer = "https://psc.invalid" + realmPath
)

// Verbs of the rows. Each is what one fault does.

// with sets a member of the claims.
func with(name string, value any) func(*outgoing) {
	return func(o *outgoing) { o.claims.put(name, value) }
}

// without removes one.
func without(name string) func(*outgoing) { return func(o *outgoing) { o.claims.del(name) } }

// again adds a second one of that name.
func again(name string, value any) func(*outgoing) {
	return func(o *outgoing) { o.claims = append(o.claims, member{name, value}) }
}

// asText turns a number into a text.
func asText(name string) func(*outgoing) {
	return func(o *outgoing) { o.claims.set(name, fmt.Sprint(o.claims.number(name))) }
}

// later moves a time by some seconds from iat.
func later(name string, seconds int64) func(*outgoing) {
	return func(o *outgoing) { o.claims.put(name, o.claims.number("iat")+seconds) }
}

// renamed gives a claim another name.
func renamed(name, to string) func(*outgoing) {
	return func(o *outgoing) { o.claims.rename(name, to) }
}

// saying replaces the whole payload.
func saying(payload string) func(*outgoing) {
	return func(o *outgoing) { o.payload = []byte(payload) }
}

// finished changes the compact token.
func finished(f func(string) string) func(*outgoing) {
	return func(o *outgoing) { o.finish = append(o.finish, f) }
}

// texting changes the text of an answer.
func texting(f func([]byte) []byte) func(*outgoing) {
	return func(o *outgoing) { o.rewrite = append(o.rewrite, f) }
}

func (o *outgoing) param(name, value string) {
	for i := range o.params {
		if o.params[i].name == name {
			o.params[i].value = value
		}
	}
}

func (o *outgoing) dropParam(name string) {
	o.params = slices.DeleteFunc(o.params, func(p param) bool { return p.name == name })
}

// put sets a member, or adds it.
func (o *object) put(name string, value any) {
	if o.index(name) < 0 {
		*o = append(*o, member{name, value})
		return
	}
	o.set(name, value)
}

func (o object) number(name string) int64 {
	if i := o.index(name); i >= 0 {
		n, _ := o[i].value.(int64)
		return n
	}
	return 0
}

// words is a member that is a text; "" if it is none.
func (o object) words(name string) string {
	i := o.index(name)
	if i < 0 {
		return ""
	}
	switch v := o[i].value.(type) {
	case string:
		return v
	case json.RawMessage:
		var text string
		if json.Unmarshal(v, &text) == nil {
			return text
		}
	}
	return ""
}

// rename gives a member another name, if it is there.
func (o object) rename(name, to string) {
	if i := o.index(name); i >= 0 {
		o[i].name = to
	}
}

// editDocument changes a JSON document member by member, unless another fault has
// already put something in its place that has none.
func editDocument(f func(*object)) func(*outgoing) {
	return func(o *outgoing) {
		if doc, err := readMembers(o.document); err == nil {
			f(&doc)
			o.document = doc.text()
		}
	}
}

// upper is a URL with its host in capitals; with its scheme so, if the host is
// an address of digits, which has none.
func upper(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	if capitals := strings.ToUpper(host); capitals != host {
		return scheme + "://" + capitals + "/" + path
	}
	return strings.ToUpper(scheme) + "://" + rest
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

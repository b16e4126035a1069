package mockpsc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Assumptions are answers to what is not known of the real service, or has
// changed there over the years. The zero value is what the mock assumes; each
// field is another possibility, for those who want to know that their
// application bears that too. docs/fidelity.md has the sources.
type Assumptions struct {
	// RequirePKCE refuses an authorization request without a code_challenge. The
	// default accepts one: public clients still sent none in 2026.
	RequirePKCE bool

	// OmitIss leaves the iss of RFC 9207 out of the authorization answer,
	// although the metadata announces it. No real answer that has it is public.
	OmitIss bool

	// OmitLogoutState leaves state out of the return from a sign-out, for which
	// ANS's own connector is prepared.
	OmitLogoutState bool

	// ReuseRefreshTokens keeps a refresh token good until it expires. The default
	// spends it at each exchange, and takes everything back if it comes again.
	ReuseRefreshTokens bool

	// DiscreetIdentifiers takes somebody who types an identifier that nobody has,
	// or whose e-CPS does not work, to the waiting page like anybody else, with a
	// number and nobody to answer, as a service that gives nothing away would. The
	// default says what is wrong.
	DiscreetIdentifiers bool

	// ACR is the acr of every token, such as "eidas1", "eidas2" or "eidas3", or
	// "none" for no such claim. If empty, it is the persona's for the means.
	ACR string

	// AuthMode is the authMode of every token, which is "MOBILE" or "CARD" at the
	// real service as far as known, or "none" for no such claim. If empty, it is
	// that of the means.
	AuthMode string

	// Layout has every userinfo document in one layout: "newer" with codeCivilite
	// at the top (November 2023), "older" with it in SubjectRefPro (May 2023), or
	// "none" without any professional record. If empty, each document is the
	// persona's, byte for byte.
	Layout string

	// EmailVerified adds "email_verified":false to userinfo, as older documents
	// have it.
	EmailVerified bool

	// Federation is the UUID in sub, "f:<uuid>:<national identifier>". If empty,
	// it is the mock's own; production's is not known.
	Federation string

	// SigningKeys is how many keys to sign the JWKS publishes, 1 to 8, beside those
	// that a rotation has left; kid says which one signed. If 0, one.
	SigningKeys int
}

const none = "none" // of ACR, AuthMode and Layout

// isUUID compiles its pattern each time: few ask for a Federation, and the others
// need not hold it.
func isUUID(s string) bool {
	return regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(s)
}

func (as *Assumptions) check() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("mockpsc: invalid Assume."+format, args...))
	}
	if !slices.Contains([]string{"", "newer", "older", none}, as.Layout) {
		bad("Layout %q: newer, older or none", as.Layout)
	}
	if as.Federation != "" && !isUUID(as.Federation) {
		bad("Federation %q: a UUID in lower case is required", as.Federation)
	}
	if as.SigningKeys < 0 || as.SigningKeys > maxSigningKeys {
		bad("SigningKeys %d: 1 to %d", as.SigningKeys, maxSigningKeys)
	}
	return errors.Join(errs...)
}

// sub is the subject identifier of a person.
func (s *Server) sub(who *situation) string {
	if s.Assume.Federation != "" {
		return "f:" + s.Assume.Federation + ":" + who.NationalID
	}
	return who.sub()
}

// acr is the claim for a way of signing in; "" if there is none.
func (s *Server) acr(who *situation, mode authMode) string {
	acr := s.Assume.ACR
	if acr == "" {
		switch byMeans, known := who.ACR[string(mode)]; {
		case !known:
			acr = "eidas1" // what was asked: by delegation, or by an e-CPS that was activated here
		case byMeans != nil:
			acr = *byMeans
		}
	}
	if acr == none {
		return ""
	}
	return acr
}

// authMode is the claim for a way of signing in; "" if there is none.
func (s *Server) authMode(mode authMode) string {
	switch {
	case s.Assume.AuthMode == none, s.Assume.AuthMode == "" && mode == byDelegation:
		return ""
	case s.Assume.AuthMode != "":
		return s.Assume.AuthMode
	}
	return string(mode)
}

// document is the userinfo document of a grant: the persona's, byte for byte,
// unless something else is assumed.
func (s *Server) document(g *grant) []byte {
	text := g.who.userinfo(g.mode)
	as := &s.Assume
	if as.Layout == "" && as.Federation == "" && !as.EmailVerified {
		return text
	}
	doc := membersOf(text)
	doc.set("sub", g.sub)
	switch as.Layout {
	case "newer":
		doc.toNewerLayout()
	case "older":
		doc.toOlderLayout()
	case none:
		doc = slices.DeleteFunc(doc, func(m member) bool { return !slices.Contains(withoutRecord, m.name) })
	}
	if as.EmailVerified && doc.index("email_verified") < 0 {
		doc.insertAfter("sub", member{"email_verified", false})
	}
	return doc.text()
}

// withoutRecord are the members of a document without a professional record.
var withoutRecord = []string{"sub", "preferred_username", "codeCivilite", "given_name", "SubjectNameID", "family_name"}

// toNewerLayout has codeCivilite and the first activity's codeGenreActivite at
// the top, and SubjectRefPro with exercices only.
func (o *object) toNewerLayout() {
	i := o.index("SubjectRefPro")
	if i < 0 || o.index("codeCivilite") >= 0 {
		return
	}
	record := membersOf((*o)[i].value.(json.RawMessage))
	if c := record.index("codeCivilite"); c >= 0 {
		o.insertAfter("preferred_username", record[c])
		record.del("codeCivilite")
	}
	o.set("SubjectRefPro", json.RawMessage(record.text()))
	var typed struct {
		Exercices []struct {
			Activities []struct {
				CodeGenreActivite json.RawMessage `json:"codeGenreActivite"`
			} `json:"activities"`
		} `json:"exercices"`
	}
	if err := json.Unmarshal(record.text(), &typed); err != nil {
		panic("mockpsc: " + err.Error()) // it was written a moment ago
	}
	for _, e := range typed.Exercices {
		if len(e.Activities) == 0 {
			continue
		}
		if first := e.Activities[0].CodeGenreActivite; first != nil {
			o.insertAfter("sub", member{"codeGenreActivite", first})
		}
		return
	}
}

// toOlderLayout is the contrary. A document without a record stays as it is.
func (o *object) toOlderLayout() {
	i, c := o.index("SubjectRefPro"), o.index("codeCivilite")
	if i < 0 || c < 0 {
		return
	}
	record := append(object{(*o)[c]}, membersOf((*o)[i].value.(json.RawMessage))...)
	o.set("SubjectRefPro", json.RawMessage(record.text()))
	o.del("codeCivilite")
	o.del("codeGenreActivite")
}

// membersOf takes a JSON object apart that has been read before.
func membersOf(text []byte) object {
	o, err := readMembers(text)
	if err != nil {
		panic("mockpsc: userinfo: " + err.Error())
	}
	return o
}

// readMembers takes a JSON object apart, in its order.
func readMembers(text []byte) (o object, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if brace, err := dec.Token(); err != nil || brace != json.Delim('{') {
		return nil, errors.New("no JSON object")
	}
	for err == nil && dec.More() {
		var name json.Token
		var escaped []byte
		var value json.RawMessage
		if name, err = dec.Token(); err == nil {
			err = dec.Decode(&value)
		}
		if err == nil {
			escaped, err = json.Marshal(name)
			o = append(o, member{string(escaped[1 : len(escaped)-1]), value})
		}
	}
	return o, err
}

func (o object) index(name string) int {
	return slices.IndexFunc(o, func(m member) bool { return m.name == name })
}

// insertAfter puts a member behind the one of that name, or first.
func (o *object) insertAfter(name string, m member) {
	*o = slices.Insert(*o, o.index(name)+1, m)
}

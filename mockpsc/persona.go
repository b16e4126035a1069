package mockpsc

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// A Persona is a fictional professional whom the mock knows. Nobody here
// exists; the numbers lie in ranges that are never attributed.
type Persona struct {
	ID         string // such as "dr-dupont"
	Name       string // for people, such as "Dr Jean DUPONT"
	Profession string // in French, such as "médecin généraliste"
	Place      string // where the person works, in French; several are separated by commas; "" if nowhere
	NationalID string // SubjectNameID, such as "899999001011"
	ECPS       Means  // the e-CPS, on the person's phone
	Card       Means  // the smart card
	Changes    []Change
}

// A Means is a way to sign in, in the state it has when a [Server] starts.
type Means struct {
	// State is "active", "not-activated", "blocked" or "revoked" for an e-CPS;
	// "valid", "expired", "blocked", "revoked" or "none" for a card.
	State string `json:"state"`
	PIN   string `json:"pin"`  // four digits, as text: it may begin with 0; "" without a means
	Type  string `json:"type"` // of a card: CPS, CPE, CPA, CPF
}

// Works reports whether one can sign in with it.
func (m Means) Works() bool { return m.State == "active" || m.State == "valid" }

// A Change is something that may happen to a persona; see [Server.Change].
type Change struct {
	ID    string // such as "moves"
	Label string // in French
}

// Personas returns the people of the mock as they are at the start of a
// [Server], the doctor of every example first.
func Personas() []Persona {
	var list []Persona
	for _, d := range roster() {
		p := Persona{
			ID: d.ID, Name: d.Name, Profession: d.Profession, Place: d.Place,
			NationalID: d.NationalID, ECPS: d.ECPS, Card: d.Card,
		}
		for _, t := range d.Then {
			p.Changes = append(p.Changes, Change{t.ID, t.Label})
		}
		list = append(list, p)
	}
	return list
}

//go:embed personas/*.json
var personaFiles embed.FS

// A document is the file of one persona.
type document struct {
	ID  string `json:"id"`
	Why string `json:"why"` // for the reader of the file
	situation
	Then []struct {
		ID    string `json:"id"`
		Label string `json:"label"`
		situation
	} `json:"then"`
}

// A situation is what PSC knows about a person at one time. It does not change;
// a person changes from one to another.
type situation struct {
	Name         string             `json:"name"`
	Profession   string             `json:"profession"`
	Place        string             `json:"place"`
	GivenName    string             `json:"given_name"`
	FamilyName   string             `json:"family_name"`
	NationalID   string             `json:"national_id"`
	ECPS         Means              `json:"ecps"`
	Card         Means              `json:"card"`
	ACR          map[string]*string `json:"acr"`           // by authMode; null: no claim
	Userinfo     json.RawMessage    `json:"userinfo"`      // served byte for byte
	UserinfoCard json.RawMessage    `json:"userinfo_card"` // likewise, when signed in by card; default: Userinfo
}

// federation is the identifier of the user federation in sub; the mock's own,
// the real service's is different.
const federation = "f:00000000-0000-4000-8000-000000000001:"

func (d *situation) sub() string { return federation + d.NationalID }

func (d *situation) userinfo(mode authMode) []byte {
	if mode == byCard && d.UserinfoCard != nil {
		return d.UserinfoCard
	}
	return d.Userinfo
}

func (d *document) changeIDs() string {
	var ids []string
	for _, t := range d.Then {
		ids = append(ids, t.ID)
	}
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}

// roster reads the embedded people once; a fault in them is the programmer's.
var roster = sync.OnceValue(func() []*document {
	list, err := readPersonas(personaFiles, "personas")
	if err != nil {
		panic(err)
	}
	return list
})

func personaIDs() string {
	var ids []string
	for _, d := range roster() {
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, ", ")
}

func readPersonas(files fs.FS, dir string) ([]*document, error) {
	entries, err := fs.ReadDir(files, dir) // sorted: the number before the name gives the order
	if err != nil {
		return nil, fmt.Errorf("mockpsc: reading personas: %w", err)
	}
	var list []*document
	ids := map[string]bool{}
	for _, e := range entries {
		text, err := fs.ReadFile(files, dir+"/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("mockpsc: reading personas: %w", err)
		}
		d := new(document)
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(d); err != nil {
			return nil, fmt.Errorf("mockpsc: persona %s: %w", e.Name(), err)
		}
		if err := d.check(); err != nil {
			return nil, fmt.Errorf("mockpsc: persona %s: %w", e.Name(), err)
		}
		for _, id := range []string{d.ID, d.NationalID} {
			if ids[id] {
				return nil, fmt.Errorf("mockpsc: persona %s: %q is taken", e.Name(), id)
			}
			ids[id] = true
		}
		list = append(list, d)
	}
	return list, nil
}

func (d *document) check() error {
	if d.ID == "" {
		return errors.New("id is missing")
	}
	errs := []error{d.situation.check()}
	for _, t := range d.Then {
		if t.ID == "" || t.Label == "" {
			errs = append(errs, errors.New("a change needs an id and a label"))
		}
		errs = append(errs, t.situation.check())
	}
	return errors.Join(errs...)
}

func (d *situation) check() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	need(d.Name != "" && d.GivenName != "" && d.FamilyName != "", "a name is missing")
	need(d.NationalID != "", "national_id is missing")
	if n, ok := strings.CutPrefix(d.NationalID, "8"); ok {
		need(strings.HasPrefix(n, "99999") && len(n) == 11, "RPPS numbers of personas are 99999 and six digits")
		need(luhn(n), "the key of the RPPS number is wrong")
	}
	need(slices.Contains([]string{"active", "not-activated", "blocked", "revoked"}, d.ECPS.State), "unknown state of the e-CPS")
	need(slices.Contains([]string{"valid", "expired", "blocked", "revoked", "none"}, d.Card.State), "unknown state of the card")
	for _, m := range []Means{d.ECPS, d.Card} {
		need(!m.Works() || pinForm(m.PIN), "a PIN has four digits")
	}
	for _, doc := range []json.RawMessage{d.Userinfo, d.UserinfoCard} {
		if doc == nil {
			continue
		}
		var u struct{ Sub, SubjectNameID string }
		need(json.Unmarshal(doc, &u) == nil, "userinfo is not an object")
		need(u.Sub == d.sub() && u.SubjectNameID == d.NationalID, "userinfo is somebody else's: sub or SubjectNameID differs")
	}
	need(d.Userinfo != nil, "userinfo is missing")
	return errors.Join(errs...)
}

// luhn checks the key over all digits of an RPPS number.
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		c := number[len(number)-1-i]
		if c < '0' || c > '9' {
			return false
		}
		n := int(c - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return number != "" && sum%10 == 0
}

func pinForm(pin string) bool {
	return len(pin) == 4 && strings.Trim(pin, "0123456789") == ""
}

// A person is a persona as one server knows it now. Guarded by Server.mu.
type person struct {
	original *document
	now      *situation
	ecps     lock
	card     lock
}

// A lock is a means with a code, which three wrong tries in a row block.
type lock struct {
	Means
	wrong int
}

const maxTries = 3

func (p *person) become(s *situation) {
	p.now = s
	p.ecps = lock{Means: s.ECPS}
	p.card = lock{Means: s.Card}
}

// try tells whether the PIN is right. Only a means that works can be tried.
func (l *lock) try(pin string) bool {
	if !l.Works() {
		return false
	}
	if pin == l.PIN {
		l.wrong = 0
		return true
	}
	if l.wrong++; l.wrong >= maxTries {
		l.State = "blocked"
	}
	return false
}

func (l *lock) left() int { return maxTries - l.wrong }

// unblock undoes what wrong tries did; a stolen card stays stolen.
func (l *lock) unblock(working string) {
	if l.State == "blocked" {
		l.State, l.wrong = working, 0
	}
}

// means is the person's lock for a mode.
func (p *person) means(mode authMode) *lock {
	if mode == byCard {
		return &p.card
	}
	return &p.ecps
}

// defaultMode is the e-CPS if it works, otherwise the card.
func (p *person) defaultMode() authMode {
	if !p.ecps.Works() && p.card.Works() {
		return byCard
	}
	return byPhone
}

// An authMode is how somebody proved to be himself, in PSC's word.
type authMode string

const (
	byPhone authMode = "MOBILE"
	byCard  authMode = "CARD"
)

// find returns the person with a persona id, a national identifier or an RPPS
// number without its prefix. Called with s.mu held.
func (s *Server) find(who string) *person {
	if p, ok := s.people[who]; ok {
		return p
	}
	for _, p := range s.people {
		if p.now.NationalID == who || len(who) == 11 && p.now.NationalID == "8"+who {
			return p
		}
	}
	return nil
}

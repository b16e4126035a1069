package mockpsc

import (
	"embed"
	"encoding/json"
	"strconv"
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
	return personas(roster())
}

// Personas returns the people of this server as they are at its start: those of
// the function of that name, changed and completed by PersonaFiles.
func (s *Server) Personas() []Persona {
	s.once.Do(s.init)
	return personas(s.docs)
}

func personas(docs []*document) []Persona {
	var list []Persona
	for _, d := range docs {
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

func (d *document) changeIDs() (ids []string) {
	for _, t := range d.Then {
		ids = append(ids, t.ID)
	}
	return ids
}

// roster reads the embedded people once; a fault in them is the programmer's.
var roster = sync.OnceValue(func() []*document {
	list, err := readPersonas(personaFiles, "personas", nil)
	if err != nil {
		panic(err)
	}
	return list
})

func personaIDs(docs []*document) string {
	var ids []string
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, ", ")
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
	own   bool // the code was chosen at an activation, and is shown nowhere
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

// enter tries the code that a person typed and returns what to tell them, in the
// words of an e-CPS ("pin") or of a card ("card"). It returns nothing when the
// code is right, and nothing when it was the one wrong code too many: the means
// works no longer then.
func (l *lock) enter(pin, words string) notice {
	switch {
	case pin == "":
		return notice{Key: "pin_empty", Field: "pin"}
	case !pinForm(pin):
		return notice{Key: "pin_form", Field: "pin"}
	case l.try(pin), !l.Works():
		return notice{}
	case l.left() == 1:
		return notice{Key: words + "_last", Field: "pin"}
	}
	return notice{Key: words + "_wrong", Field: "pin", Args: []string{"essais", strconv.Itoa(l.left())}}
}

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

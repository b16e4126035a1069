package mockpsc

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// known are the people of this server now, in order.
func (s *Server) known() []*document {
	if list := s.driven.people.Load(); list != nil {
		return *list
	}
	return s.docs
}

type meansView struct {
	State string `json:"state"`
	PIN   string `json:"pin"`
	Type  string `json:"type,omitempty"`
}

type changeView struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

// A personaView is a person as the API tells of one.
type personaView struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Profession string       `json:"profession"`
	Place      string       `json:"place"`
	NationalID string       `json:"national_id"`
	ECPS       meansView    `json:"ecps"`
	Card       meansView    `json:"card"`
	Changes    []changeView `json:"changes"`
}

// apiView is the person as now. A code that was chosen at an activation is the
// person's own: it is told nowhere. Called with Server.mu held.
func (p *person) apiView() personaView {
	v := personaView{
		ID: p.original.ID, Name: p.now.Name, Profession: p.now.Profession, Place: p.now.Place, NationalID: p.now.NationalID,
		ECPS:    meansView{p.ecps.State, p.ecps.PIN, ""},
		Card:    meansView{p.card.State, p.card.PIN, p.card.Type},
		Changes: []changeView{},
	}
	if p.ecps.own {
		v.ECPS.PIN = ""
	}
	for _, t := range p.original.Then {
		v.Changes = append(v.Changes, changeView{t.ID, t.Label})
	}
	return v
}

func (s *Server) apiPersonas(a *answer, r *http.Request) {
	s.mu.Lock()
	var list []personaView
	for _, d := range s.known() {
		list = append(list, s.people[d.ID].apiView())
	}
	s.mu.Unlock()
	a.document(http.StatusOK, list)
}

func (s *Server) apiPutPersona(a *answer, r *http.Request) {
	text, ok := a.body(r)
	if !ok {
		return
	}
	v, added, err := s.putPersona(r.PathValue("id"), text)
	if err != nil {
		a.bad(strings.ReplaceAll(err.Error(), "mockpsc: ", ""))
		return
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	a.document(status, v)
}

// putPersona adds a person, or gives the one with that id another document. The
// checks are those of PersonaFiles; whoever is signed in as that person stays so.
func (s *Server) putPersona(id string, text []byte) (v personaView, added bool, err error) {
	file := docFile{"document", text}
	d, err := file.read()
	if err == nil {
		err = errors.Join(file.names()...)
	}
	if err != nil {
		return v, false, err
	}
	if id != "" && d.ID != id {
		return v, false, file.fault(docFault{fmt.Sprintf("id is %q, but the address says %q", d.ID, id), []string{"id"}})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.known())
	for _, other := range list {
		if other.ID != d.ID && s.people[other.ID].hasNumber(d) {
			return v, false, file.fault(docFault{fmt.Sprintf("national_id %q is taken by %s", d.NationalID, other.ID), []string{"national_id"}})
		}
	}
	p := s.people[d.ID]
	if added = p == nil; added {
		if len(list) >= maxPeople {
			return v, false, fmt.Errorf("mockpsc: %d people are enough", maxPeople)
		}
		p = new(person)
		s.people[d.ID] = p
		list = append(list, d)
	} else {
		list[slices.IndexFunc(list, func(other *document) bool { return other.ID == d.ID })] = d
	}
	p.original = d
	p.become(&d.situation)
	s.driven.people.Store(&list)
	return p.apiView(), added, nil
}

// maxPeople bounds what fits on a page.
const maxPeople = 500

// hasNumber reports whether a person has the national identifier of a document,
// now or at the start.
func (p *person) hasNumber(d *document) bool {
	return p.now.NationalID == d.NationalID || p.original.NationalID == d.NationalID
}

func (s *Server) apiChangePersona(a *answer, r *http.Request) {
	var ask struct {
		Change string `json:"change"`
		ECPS   string `json:"ecps"`
		Card   string `json:"card"`
	}
	if !a.read(r, &ask) {
		return
	}
	v, err := s.changePersona(r.PathValue("id"), ask.Change, ask.ECPS, ask.Card)
	switch why := strings.TrimPrefix(fmt.Sprint(err), "mockpsc: "); {
	case errors.Is(err, errUnknownPersona):
		a.fail(http.StatusNotFound, "not_found", why)
	case err != nil:
		a.bad(why)
	case ask.Change == "" && ask.ECPS == "" && ask.Card == "":
		a.bad(`want {"change":…}, {"ecps":…} or {"card":…}`)
	default:
		a.document(http.StatusOK, v)
	}
}

var errUnknownPersona = errors.New("unknown persona")

// changePersona applies a change of situation and gives the means other states;
// "" leaves what it is. With an error, nothing has changed.
func (s *Server) changePersona(id, change, ecps, card string) (personaView, error) {
	s.once.Do(s.init)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people[id]
	if p == nil {
		return personaView{}, fmt.Errorf("mockpsc: %w %q; known: %s", errUnknownPersona, id, personaIDs(s.known()))
	}
	next := *p
	if change != "" {
		i := slices.Index(p.original.changeIDs(), change)
		if i < 0 {
			return personaView{}, fmt.Errorf("mockpsc: persona %q has no change %q; known: %s", id, change, cmp.Or(strings.Join(p.original.changeIDs(), ", "), "none"))
		}
		next.become(&p.original.Then[i].situation)
	}
	if err := errors.Join(next.setMeans(byPhone, ecps), next.setMeans(byCard, card)); err != nil {
		return personaView{}, err
	}
	*p = next
	return p.apiView(), nil
}

// meansStates are the states of a means, in documents too.
var meansStates = map[authMode][]string{
	byPhone: {"active", "not-activated", "blocked", "revoked"},
	byCard:  {"valid", "expired", "blocked", "revoked", "none"},
}

// setMeans gives a means another state; "" leaves it as it is.
func (p *person) setMeans(mode authMode, state string) error {
	if state == "" {
		return nil
	}
	if !slices.Contains(meansStates[mode], state) {
		return fmt.Errorf("unknown state %q; known: %s", state, strings.Join(meansStates[mode], ", "))
	}
	l := p.means(mode)
	if (Means{State: state}).Works() && l.PIN == "" {
		return fmt.Errorf("%s has no code for that means; put a document that gives one", p.original.ID)
	}
	l.State, l.wrong = state, 0
	return nil
}

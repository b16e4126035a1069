package mockpsc

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A queued is faults that wait for the next sign-ins of a client, or for the next
// readings of a document. Guarded by Server.mu.
type queued struct {
	client *Client
	state  string // only for the sign-in with that state; "" for any
	where  string // "metadata" or "keys": for readings, by anybody; "" for sign-ins
	faults []Fault
	left   int
}

const (
	maxQueued = 1000 // entries
	maxCount  = 1000 // of one entry
	maxState  = 4 << 10
)

// Queue has the next sign-in of a client lie, however it is made, once for each
// call: by the page, by SignIn, at once because of Auto. Faults of the metadata
// and of the keys wait for the next reading of these documents, by anybody. An
// unknown client or fault is an error. Reset empties the queue.
func (s *Server) Queue(client string, faults ...string) error {
	s.once.Do(s.init)
	return s.enqueue(client, "", faults, 1)
}

func (s *Server) enqueue(client, state string, names []string, count int) error {
	c := s.client(client)
	if c == nil {
		return fmt.Errorf("mockpsc: unknown client %q; declared: %s", client, s.clientIDs())
	}
	chosen, err := findFaults(names)
	switch {
	case err != nil:
		return err
	case len(chosen) == 0:
		return errors.New("mockpsc: no fault is named")
	case len(state) > maxState:
		return fmt.Errorf("mockpsc: a state of %d characters; at most %d wait", len(state), maxState)
	case count < 1 || count > maxCount:
		return fmt.Errorf("mockpsc: count must be 1 to %d; received %d", maxCount, count)
	}
	byPlace := map[string][]Fault{}
	for _, f := range chosen {
		switch f.Where {
		case "metadata":
			byPlace["metadata"] = append(byPlace["metadata"], f)
		case "keys":
			// The ID token needs it too, or a client that has read the keys would not
			// read them again.
			byPlace["keys"] = append(byPlace["keys"], f)
			byPlace[""] = append(byPlace[""], f)
		default:
			byPlace[""] = append(byPlace[""], f)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.driven.queue)+len(byPlace) > maxQueued {
		return fmt.Errorf("mockpsc: %d entries wait already", len(s.driven.queue))
	}
	for _, where := range []string{"metadata", "keys", ""} {
		if list := byPlace[where]; list != nil {
			s.driven.queue = append(s.driven.queue, &queued{c, state, where, list, count})
		}
	}
	return nil
}

// takeQueued takes what waits for a sign-in: what waits for its state before what
// waits for any. Called with s.mu held.
func (s *Server) takeQueued(c *Client, state string) []Fault {
	for _, wanted := range []string{state, ""} {
		if list := s.takeFirst(func(q *queued) bool { return q.where == "" && q.client == c && q.state == wanted }); list != nil {
			return list
		}
	}
	return nil
}

// takeReading takes what waits for a reading of the metadata or the keys. Called
// with s.mu held.
func (s *Server) takeReading(where string) []Fault {
	return s.takeFirst(func(q *queued) bool { return q.where == where })
}

func (s *Server) takeFirst(wanted func(*queued) bool) []Fault {
	i := slices.IndexFunc(s.driven.queue, wanted)
	if i < 0 {
		return nil
	}
	q := s.driven.queue[i]
	if q.left--; q.left == 0 {
		s.driven.queue = slices.Delete(s.driven.queue, i, i+1)
	}
	return q.faults
}

// unqueue empties the queue of a client. Called with s.mu held.
func (s *Server) unqueue(c *Client) {
	s.driven.queue = slices.DeleteFunc(s.driven.queue, func(q *queued) bool { return q.client == c })
}

func (s *Server) apiFaults(a *answer, r *http.Request) {
	type fault struct {
		Name       string `json:"name"`
		Summary    string `json:"summary"`
		Where      string `json:"where"`
		Expect     string `json:"expect"`
		Severity   string `json:"severity"`
		MayRestart bool   `json:"may_restart"`
	}
	var list []fault
	for _, f := range allFaults() {
		list = append(list, fault{f.Name, f.Summary, f.Where, f.Expect, f.Severity, f.MayRestart})
	}
	a.document(http.StatusOK, list)
}

func (s *Server) apiQueue(a *answer, r *http.Request) {
	ask := struct {
		Client string   `json:"client"`
		State  string   `json:"state"`
		Faults []string `json:"faults"`
		Count  int      `json:"count"`
	}{Count: 1}
	if !a.read(r, &ask) {
		return
	}
	if err := s.enqueue(ask.Client, strings.Clone(ask.State), ask.Faults, ask.Count); err != nil {
		a.bad(strings.TrimPrefix(err.Error(), "mockpsc: "))
		return
	}
	a.nothing()
}

func (s *Server) apiUnqueue(a *answer, r *http.Request) {
	c, ok := s.clientOf(a, r)
	if !ok {
		return
	}
	if c == nil {
		a.bad("client is missing; declared: " + s.clientIDs())
		return
	}
	s.mu.Lock()
	s.unqueue(c)
	s.mu.Unlock()
	a.nothing()
}

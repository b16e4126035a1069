package mockpsc

import (
	"net/http"
	"net/url"
	"time"
)

// A ticket is what a phone is asked about: by the QR code, which anybody may
// scan, or by a notification, which goes to one person's phone. It lets a phone
// approve; it never lets a browser in. Guarded by Server.mu.
type ticket struct {
	id     string
	number string // two digits, on screen and phone
	made   time.Time
	state  ticketState
	who    *person // whose phone it is: chosen after a scan, known from the start if typed
	typed  bool
	to     string // the identifier that was typed, in full
	lost   bool   // no phone will ever hear of it
	same   bool   // the person has compared the number
}

type ticketState string

const (
	waiting  ticketState = "waiting"
	scanned  ticketState = "scanned"
	approved ticketState = "approved"
	refused  ticketState = "refused"
	expired  ticketState = "expired"
	blocked  ticketState = "blocked"
)

func (t *ticket) fresh(now time.Time) bool { return t.id != "" && now.Sub(t.made) < ticketTTL }

// at returns the state as time has it: only an open question expires.
func (t *ticket) at(now time.Time) ticketState {
	if (t.state == waiting || t.state == scanned) && !t.fresh(now) {
		return expired
	}
	return t.state
}

// newTicket replaces the ticket of an attempt; the old one is worth nothing
// from then on. Called with s.mu held.
//
// to is the identifier that was typed, "" for a QR code; it may be nobody's.
func (s *Server) newTicket(at *attempt, to string, typed *person) {
	delete(s.tickets, at.ticket.id)
	at.ticket = ticket{
		id: newHandle(), number: twoDigits(), made: s.now(), state: waiting,
		who: typed, typed: to != "", to: to,
	}
	s.delivered(at)
}

// delivered lets a phone be asked about a ticket, if nothing keeps it from that.
// Called with s.mu held.
func (s *Server) delivered(at *attempt) {
	if d := s.underway(); d != nil && d.ticket != nil {
		d.ticket(&at.ticket)
	}
	if !at.ticket.lost {
		s.tickets[at.ticket.id] = at
	}
}

// wait shows the browser how the phone is getting on, and takes it back to the
// application once the phone has approved.
func (s *Server) wait(a *answer, r *http.Request) {
	if r.Method == http.MethodGet && s.usedPage(a, r) {
		return
	}
	at := s.resume(a, r)
	if at == nil {
		return
	}
	s.mu.Lock()
	state := at.ticket.at(s.now())
	if state == approved {
		location := s.complete(a, r, at, at.ticket.who, byPhone, nil)
		s.mu.Unlock()
		a.redirect(location)
		return
	}
	if state == "" { // the card tab was used: there is no ticket yet
		s.mu.Unlock()
		a.redirect("/auth?attempt=" + url.QueryEscape(at.id))
		return
	}
	v := s.view(a, r, "wait")
	v.Heading = "wait"
	v.ofAttempt(at)
	v.ofTicket(s, at)
	if v.Open {
		v.Frame = phonePath + at.ticket.id + "?panel=1"
	}
	s.mu.Unlock()
	v.Self = "/auth/wait?attempt=" + url.QueryEscape(at.id)
	if r.Method == http.MethodPost && v.Open {
		v.StateKey = "not_yet"
	}
	a.page(http.StatusOK, v)
}

// usedPage tells a second look at the waiting page that the sign-in is over, and
// reports whether it did. The button there is answered as a double click is: the
// application must not be sent the same code for a page that was merely reloaded.
func (s *Server) usedPage(a *answer, r *http.Request) bool {
	id := r.FormValue("attempt") // reads the body, before the lock
	s.mu.Lock()
	at := s.attempt(id)
	used := at != nil && at.browser == s.cookie(r, "browser") && at.done != ""
	s.mu.Unlock()
	if !used {
		return false
	}
	a.belongsTo(at.client)
	v := s.view(a, r, "wait")
	v.Heading, v.StateKey, v.Back = "wait", "used", at.client.StartURL
	v.ofAttempt(at)
	a.page(http.StatusOK, v)
	return true
}

// status is wait for the page's script.
func (s *Server) status(a *answer, r *http.Request) {
	id := r.FormValue("attempt")
	s.mu.Lock()
	at := s.attempt(id)
	state, number, service := expired, "", ""
	if at != nil && at.browser == s.cookie(r, "browser") {
		state, number, service = at.ticket.at(s.now()), at.ticket.number, at.client.service()
		if at.done != "" {
			state = "used"
		}
	}
	s.mu.Unlock()
	v := s.view(a, r, "")
	next := ""
	switch state {
	case scanned, approved, refused, blocked, "used":
		next = "/auth/wait?attempt=" + url.QueryEscape(id)
	}
	a.json(http.StatusOK, object{
		{"state", string(state)},
		{"text", v.plain(string(state), "nombre", number, "service", service)},
		{"next", next},
	}.text())
}

// phone is the simulated phone: whose is it, is the number the same, what is
// the code. Each answer of the person is a post to the same address.
func (s *Server) phone(a *answer, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.fail(http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	v := s.phoneView(a, r, "phone")
	v.Heading = "phone_request"

	s.mu.Lock()
	at := s.tickets[r.PathValue("ticket")]
	if at == nil || s.wantsCard(at) { // used up, replaced by a newer one, or never made; or for the reader
		s.mu.Unlock()
		v.Heading, v.Step, v.StateKey = "phone_over", "over", "phone_used"
		a.page(http.StatusGone, v)
		return
	}
	t := &at.ticket
	if r.Method == http.MethodPost {
		v.Notice = s.phoneAnswer(t, r, v)
	}
	v.Service, v.Number = at.client.service(), t.number
	if !v.chosen && at.lang != "" {
		v.Lang = at.lang
	}
	switch state := t.at(s.now()); {
	case t.typed && t.who == nil:
		v.Heading, v.Step, v.StateKey = "phone_over", "over", "phone_nobody"
	case v.Step == "impostor":
		v.Heading = "phone_none"
	case state == approved:
		v.Heading, v.Step = "phone_done", "done"
		if at.browser != "" && !v.Bare && at.browser == s.cookie(r, "browser") {
			v.Back = "/auth/wait?attempt=" + url.QueryEscape(at.id) // the phone is the computer
		}
	case state == blocked, t.who != nil && t.who.ecps.State == "blocked":
		v.Heading, v.Step, v.StateKey = "phone_over", "blocked", "phone_blocked"
	case t.who != nil && !t.who.ecps.Works():
		v.Heading, v.Step, v.StateKey = "phone_over", "over", stateKey(byPhone, t.who.ecps.State)
	case state == refused, state == expired:
		v.Heading, v.Step, v.StateKey = "phone_over", "over", "phone_"+string(state)
	case t.who == nil:
		v.Heading, v.Step = "phone_whose", "whose"
		v.People = s.peopleViews(at.hint)
	case !t.same:
		v.Step = "compare"
	default:
		v.Heading, v.Step = "phone_code", "code"
	}
	if t.who != nil {
		v.Person = t.who.now.Name
	}
	a.entry.ClientID = at.client.ID
	s.mu.Unlock()
	status := http.StatusOK
	if v.Notice.Key != "" {
		status = http.StatusBadRequest
	}
	a.page(status, v)
}

// phoneView begins a page of the phone: one of its own, one in a frame beside the
// sign-in page, or one that PhoneHandler serves.
func (s *Server) phoneView(a *answer, r *http.Request, page string) *view {
	v := s.view(a, r, page)
	v.Apart = apart(r)
	v.Bare = !v.Apart && r.URL.Query().Get("panel") != ""
	v.Self = r.URL.Path
	return v
}

// phoneAnswer takes one answer of the person at the phone. Called with s.mu held.
func (s *Server) phoneAnswer(t *ticket, r *http.Request, v *view) notice {
	if r.Form.Has("unblock") && t.who != nil && !v.Apart { // the mock's own button
		t.who.ecps.unblock("active")
		if t.state == blocked {
			t.state = refused // the blocked request itself stays dead
		}
		return notice{}
	}
	if state := t.at(s.now()); state != waiting && state != scanned {
		return notice{}
	}
	switch {
	case t.typed && t.who == nil: // nobody was asked
	case r.Form.Has("phone"):
		who := r.Form.Get("phone")
		p := s.people[who]
		switch {
		case t.who != nil && p != t.who:
			return notice{Key: "phone_other"}
		case who == "none":
			v.Step = "impostor" // a phone without an e-CPS has no say: nothing changes
		case p == nil:
			return notice{Key: "phone_choose", Field: "phone"}
		default:
			t.who, t.state = p, scanned
		}
	case t.who == nil:
		return notice{Key: "phone_choose", Field: "phone"}
	case r.Form.Get("same") == "yes":
		t.same = true
	case r.Form.Get("same") == "no", r.Form.Has("refuse"):
		t.state = refused
	case r.Form.Has("pin") && t.same && t.who.ecps.Works():
		return t.enter(&t.who.ecps, r.Form.Get("pin"), "pin")
	}
	return notice{}
}

// enter takes the code that answers the question, by the means that it is asked
// of. Called with s.mu held.
func (t *ticket) enter(l *lock, pin, words string) notice {
	n := l.enter(pin, words)
	switch {
	case n.Key != "":
	case l.Works():
		t.state = approved
	default:
		t.state = blocked
	}
	return n
}

package mockpsc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A consoleView is what the console shows beside what every page has. It does
// what its API does, by the same functions.
type consoleView struct {
	Client   string // whose requests and sessions alone are shown; "" for all
	Latest   int64  // the newest request that is kept
	Requests []loggedView
	People   []consolePerson
	Apps     []Client
	Sessions []sessionView
	Queue    []queuedView
	Drills   []consoleDrill
	Keys     []consoleKey
	Now      time.Time
	Frozen   bool
	Document string // of a person, to be edited

	Request *loggedView // of the page of one request
}

// A loggedView is a request with what is wrong in it, counted.
type loggedView struct {
	requestView
	Failing int // checks that a client must make
}

type consolePerson struct {
	personView
	ECPSBlocked, CardBlocked bool
	Changes                  []changeView
}

type consoleDrill struct {
	Name, Key string
	On        bool
}

type consoleKey struct {
	Kid  string
	Used bool
}

type queuedView struct {
	Client, State, Where string
	Names                string
	Left                 int
}

// shownRequests is how many the console lists; the API has them all.
const shownRequests = 50

func (s *Server) console(a *answer, r *http.Request) { s.consolePage(a, r, notice{}, "") }

// consolePage shows the console, after a form that came back with what was wrong
// and what was typed.
func (s *Server) consolePage(a *answer, r *http.Request, n notice, document string) {
	v := s.view(a, r, "console")
	v.Heading, v.Notice = "con", n
	c := &consoleView{Apps: s.clients(), Now: s.now(), Frozen: s.isFrozen(), Document: document}
	v.Console = c
	client := s.client(r.URL.Query().Get("client"))
	if client != nil {
		c.Client = client.ID
	}
	list := s.requestViews(client.after(0), false)
	if len(list) > 0 {
		c.Latest = list[len(list)-1].ID
	}
	list = s.requestViews(client.after(beforeLast(list, shownRequests)), true)
	slices.Reverse(list)
	for _, l := range list {
		c.Requests = append(c.Requests, logged(l))
	}
	c.Sessions = s.sessionViews(client)
	for _, k := range s.keysOf(func(f formerKeys) bool { return c.Now.Before(f.until) }) {
		c.Keys = append(c.Keys, consoleKey{k.signing.kid, len(c.Keys) == 0})
	}
	drill := s.drillName()
	for _, d := range drills {
		c.Drills = append(c.Drills, consoleDrill{d.name, "drill_" + strings.ReplaceAll(d.name, "-", "_"), d.name == drill})
	}
	edited := r.URL.Query().Get("edit")
	s.mu.Lock()
	for i, pv := range s.peopleViews("") {
		d := s.known()[i]
		p := s.people[d.ID]
		cp := consolePerson{personView: pv, ECPSBlocked: p.ecps.State == "blocked", CardBlocked: p.card.State == "blocked"}
		for _, t := range d.Then {
			cp.Changes = append(cp.Changes, changeView{t.ID, t.Label})
		}
		c.People = append(c.People, cp)
		if d.ID == edited && document == "" {
			c.Document = d.indented()
		}
	}
	for _, q := range s.driven.queue {
		var names []string
		for _, f := range q.faults {
			names = append(names, f.Name)
		}
		c.Queue = append(c.Queue, queuedView{q.client.service(), clipped(q.state), q.where, strings.Join(names, ", "), q.left})
	}
	s.mu.Unlock()
	for _, app := range c.Apps { // a form may lead there in the end
		if app.StartURL != "" {
			v.FormTarget = strings.TrimSpace(v.FormTarget + " " + origin(app.StartURL))
		}
	}
	status := http.StatusOK
	if n.Key != "" {
		status = http.StatusBadRequest
	}
	a.page(status, v)
}

// beforeLast is the id behind which the last n of a list are.
func beforeLast(list []requestView, n int) int64 {
	if len(list) <= n {
		return 0
	}
	return list[len(list)-n-1].ID
}

func logged(r requestView) loggedView {
	v := loggedView{requestView: r}
	for _, t := range r.Tokens {
		for _, c := range t.Checks {
			if !c.OK {
				v.Failing++
			}
		}
	}
	return v
}

// indented is the document for the eye. Its userinfo is as before, but for blanks.
func (d *document) indented() string {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic("mockpsc: writing a persona: " + err.Error()) // it was read from JSON
	}
	return string(text)
}

// consoleRequest shows one request, with its tokens taken apart.
func (s *Server) consoleRequest(a *answer, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	list := s.requestViews(func(_ string, t *trace) bool { return t.id == id }, true)
	if err != nil || len(list) == 0 {
		a.fail(http.StatusNotFound, "not_found", "this request is unknown, or so old that it is forgotten")
		return
	}
	v := s.view(a, r, "request")
	v.Heading = "con_request"
	one := logged(list[0])
	v.Console = &consoleView{Request: &one}
	a.page(http.StatusOK, v)
}

// consoleForm does what a form of the console asks for, and leads back to where
// the form is.
func (s *Server) consoleForm(a *answer, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if errors.As(err, new(*http.MaxBytesError)) {
			status = http.StatusRequestEntityTooLarge
		}
		a.fail(status, "invalid_request", "the form cannot be read, or is too long")
		return
	}
	form := r.PostForm
	section, location, err := "", "", error(nil)
	switch do := form.Get("do"); do {
	case "queue", "start":
		section = "faults"
		count, bad := strconv.Atoi(form.Get("count"))
		if bad != nil {
			count = 0
		}
		err = s.enqueue(form.Get("client"), strings.Clone(form.Get("state")), form["fault"], count)
		if c := s.client(form.Get("client")); err == nil && do == "start" && c.StartURL != "" {
			location = c.StartURL
		}
	case "unqueue":
		section = "faults"
		s.mu.Lock()
		s.driven.queue = nil
		s.mu.Unlock()
	case "change":
		section = "people"
		err = s.Change(form.Get("persona"), form.Get("value"))
	case "ecps":
		section = "people"
		_, err = s.changePersona(form.Get("persona"), "", form.Get("value"), "")
	case "card":
		section = "people"
		_, err = s.changePersona(form.Get("persona"), "", "", form.Get("value"))
	case "document":
		section = "people"
		_, _, err = s.putPersona("", bytes.ReplaceAll([]byte(form.Get("document")), []byte("\r\n"), []byte("\n")))
	case "end":
		section = "sessions"
		s.endSession(form.Get("value")) // if it is over already, so much the better
	case "freeze":
		section = "clock"
		s.freeze()
	case "resume":
		section = "clock"
		s.resumeClock()
	case "advance":
		section = "clock"
		d, bad := time.ParseDuration(form.Get("value"))
		if bad != nil || !s.advance(d) {
			err = fmt.Errorf("%q is no time to advance by", form.Get("value"))
		}
	case "rotate":
		section = "keys"
		s.RotateKeys()
	case "withdraw":
		section = "keys"
		s.WithdrawKeys()
	case "drill":
		section = "drills"
		err = s.Drill(form.Get("value"))
	case "reset":
		s.Reset()
	default:
		err = fmt.Errorf("unknown do %q", do)
	}
	if err != nil {
		why := strings.ReplaceAll(err.Error(), "mockpsc: ", "")
		a.explain(why)
		s.consolePage(a, r, notice{Key: "con_refused", Args: []string{"x", clipped(why)}}, form.Get("document"))
		return
	}
	if location == "" {
		location = consolePath
		if client := form.Get("only"); client != "" {
			location += "?client=" + url.QueryEscape(client)
		}
		if section != "" {
			location += "#" + section
		}
	}
	a.redirect(location)
}

// AllFaultGroups are all faults, by where they strike.
func (v *view) AllFaultGroups() []faultGroup { return groupedFaults(allFaults()) }

// ConsoleStartable reports whether a sign-in can begin from the console.
func (v *view) ConsoleStartable() bool {
	return slices.ContainsFunc(v.Console.Apps, func(c Client) bool { return c.StartURL != "" })
}

// A deed is a button of the console for one person.
type deed struct {
	Do, Persona, Value string
	Text               template.HTML
}

// Deed is for templates.
func (v *view) Deed(do, persona, value string, text template.HTML) deed {
	return deed{do, persona, value, text}
}

// SummaryOf says what a fault does.
func (v *view) SummaryOf(fault string) string { return faultsByName()[fault].Summary }

// HasECPSCode reports whether there is a code to unblock an e-CPS with.
func (p consolePerson) HasECPSCode() bool { return p.ECPSPIN != "" || p.OwnPIN }

// Clock writes a time of day.
func (v *view) Clock(t time.Time) string { return t.Local().Format("15:04:05") }

// Moment writes a time with its day.
func (v *view) Moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// JSON writes a part of a token for the eye.
func (v *view) JSON(text json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return string(text)
	}
	return b.String()
}

// CallOf is what a token is called.
func (v *view) CallOf(what string) string {
	return map[string]string{"id_token": "ID token", "access_token": "Access token", "id_token_hint": "id_token_hint"}[what]
}

package mockpsc

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"
)

const (
	activationPath      = "/_mock/activation"
	activationPhonePath = phonePath + "activation/"

	scanTTL = 90 * time.Second // the QR code of an activation
)

// An activation makes an e-CPS from a card: the browser proves to have the card,
// a phone scans the QR code that it shows then, and a code is chosen on that
// phone. Guarded by Server.mu.
//
// The QR code alone is worth nothing: what the phone chose counts once the
// browser with the card has said that this phone is the holder's.
type activation struct {
	id      string // unguessable; in the browser's page and nowhere else
	browser string // the cookie of the browser that read the card
	started time.Time
	who     *person

	state activationState
	scan  string    // in the QR code; "" once it was scanned
	shown time.Time // when the QR code was
	phone string    // known to the phone that scanned, and to nobody else
	pin   string    // chosen there, until it is the e-CPS's
}

type activationState string

const (
	unscanned activationState = "scan"
	choosing  activationState = "choose"
	chosen    activationState = "confirm"
	activated activationState = "done"
	late      activationState = "late"
)

// at returns the state as time has it: only a QR code that nobody scanned expires.
func (act *activation) at(now time.Time) activationState {
	if act.state == unscanned && now.Sub(act.shown) >= scanTTL {
		return late
	}
	return act.state
}

// show makes another QR code; the one before is worth nothing from then on.
// Called with s.mu held.
func (s *Server) showActivation(act *activation) {
	delete(s.activatePhones, act.scan)
	act.scan, act.shown, act.state = newHandle(), s.now(), unscanned
	s.activatePhones[act.scan] = act
}

// drop ends an activation. Called with s.mu held.
func (s *Server) dropActivation(act *activation) {
	delete(s.activations, act.id)
	delete(s.activatePhones, act.scan)
	delete(s.activatePhones, act.phone)
}

// activation returns the one that a form or a link belongs to, in the browser
// that began it, or nil. Called with s.mu held.
func (s *Server) activation(r *http.Request) *activation {
	act := s.activations[r.Form.Get("activation")]
	if act == nil || subtle.ConstantTimeCompare([]byte(act.browser), []byte(s.cookie(r, "browser"))) != 1 ||
		s.now().Sub(act.started) > attemptTTL {
		return nil
	}
	return act
}

// cannotActivate is the text for somebody who has nothing to activate, or "".
func (p *person) cannotActivate() string {
	switch {
	case !p.card.Works():
		return stateKey(byCard, p.card.State)
	case p.ecps.State == "revoked":
		return "ecps_revoked"
	case p.ecps.Works():
		return "act_active"
	}
	return ""
}

// activate is the browser's side: the card and its code, the QR code, and the
// last word once a phone has chosen a code.
func (s *Server) activate(a *answer, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.fail(http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	v := s.view(a, r, "activation")
	v.Heading, v.Step = "act", "card"
	v.Self = activationPath

	browser := ""
	if r.Method == http.MethodPost && !r.Form.Has("activation") {
		browser = s.browser(a, r)
	}
	s.mu.Lock()
	act, location := s.activation(r), ""
	switch {
	case r.Method == http.MethodPost && act != nil:
		act, location = s.activationAnswer(act, r.PostForm, v)
	case r.Form.Has("activation") && act == nil: // never made, too old, or another browser's: the answer is the same
		v.Notice = notice{Key: "act_expired"}
	case r.Method == http.MethodPost:
		act, v.Notice = s.readCard(browser, r.PostForm, v)
		if act != nil {
			location = act.address()
		}
	}
	if act == nil {
		v.People = s.peopleViews("")
	} else {
		state := act.at(s.now())
		v.Self, v.Attempt, v.Step, v.Person = act.address(), act.id, string(state), act.who.now.Name
		v.Open = state == unscanned
		if v.Open {
			v.Seconds = int((scanTTL - s.now().Sub(act.shown) + time.Second - 1) / time.Second)
			v.ofPhone(s.phoneBase(s.base(r)), activationPhonePath+act.scan)
			v.QR = qrCode(v.PhoneURL, v.plain("act_qr"))
		}
		if v.StateKey == "" {
			v.StateKey = "act_is_" + string(state)
		}
	}
	s.mu.Unlock()
	if location != "" {
		a.redirect(location)
		return
	}
	status := http.StatusOK
	if v.Notice.Key != "" {
		status = http.StatusBadRequest
	}
	a.page(status, v)
}

func (act *activation) address() string {
	return activationPath + "?activation=" + url.QueryEscape(act.id)
}

// readCard begins an activation if the card and its code are right. Nothing is
// said of the e-CPS before. Called with s.mu held.
func (s *Server) readCard(browser string, form url.Values, v *view) (*activation, notice) {
	v.Identifier = form.Get("card")
	p := s.people[v.Identifier]
	if p == nil {
		return nil, notice{Key: "card_none", Field: "card"}
	}
	if form.Has("unblock") { // the mock's own button
		p.card.unblock("valid")
		return nil, notice{}
	}
	if p.card.Works() {
		if n := p.card.enter(form.Get("pin"), "card"); n.Key != "" {
			return nil, n
		}
	}
	if p.card.State == "blocked" {
		v.Step = "blocked"
		return nil, notice{Key: "card_blocked", Field: "card"}
	}
	if key := p.cannotActivate(); key != "" {
		return nil, notice{Key: key, Field: "card"}
	}
	act := &activation{id: newHandle(), browser: browser, started: s.now(), who: p}
	s.activations[act.id] = act
	s.showActivation(act)
	return act, notice{}
}

// activationAnswer takes one answer of the person at the browser. It returns the
// activation if it goes on, and where to look at it again. Called with s.mu held.
func (s *Server) activationAnswer(act *activation, form url.Values, v *view) (*activation, string) {
	state := act.at(s.now())
	switch {
	case state == activated:
	case form.Has("drop"):
		s.dropActivation(act)
		v.StateKey = "act_dropped"
		return nil, ""
	case form.Has("renew") && (state == unscanned || state == late):
		s.showActivation(act)
	case form.Has("confirm") && state == chosen:
		if key := act.who.cannotActivate(); key != "" { // something happened meanwhile
			s.dropActivation(act)
			v.Notice = notice{Key: key, Field: "card"}
			return nil, ""
		}
		act.who.ecps = lock{Means: Means{State: "active", PIN: act.pin}, own: true}
		act.state, act.pin = activated, ""
	case state == unscanned || state == choosing:
		v.StateKey = "act_not_yet"
		return act, ""
	}
	return act, act.address()
}

// activationStatus is activate for the page's script.
func (s *Server) activationStatus(a *answer, r *http.Request) {
	r.ParseForm() // what cannot be read names no activation
	state, next := activationState("over"), ""
	s.mu.Lock()
	if act := s.activation(r); act != nil {
		state, next = act.at(s.now()), act.address()
	}
	s.mu.Unlock()
	v := s.view(a, r, "")
	if state == late || state == "over" {
		next = ""
	}
	a.json(http.StatusOK, object{{"state", string(state)}, {"text", v.plain("act_is_" + string(state))}, {"next", next}}.text())
}

// activationPhone is the phone's side. Until a code is chosen it says nothing of
// the person: whoever scans is not known to be the holder.
func (s *Server) activationPhone(a *answer, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.fail(http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	v := s.phoneView(a, r, "activation-phone")
	v.Heading, v.Step = "act_phone", "scan"

	s.mu.Lock()
	key, now, location := r.PathValue("ticket"), s.now(), ""
	act := s.activatePhones[key]
	status := http.StatusOK
	switch {
	case act == nil || now.Sub(act.started) > attemptTTL:
		v.Heading, v.Step, v.StateKey = "phone_over", "over", "act_gone"
		status = http.StatusGone
	case act.at(now) == late:
		v.Heading, v.Step, v.StateKey = "phone_over", "over", "act_late"
		status = http.StatusGone
	case key == act.scan && r.Method == http.MethodPost: // the first phone is the phone
		delete(s.activatePhones, act.scan)
		act.scan, act.phone, act.state = "", newHandle(), choosing
		s.activatePhones[act.phone] = act
		location = activationPhonePath + act.phone
	case key == act.scan:
	default:
		if r.Method == http.MethodPost && act.state == choosing {
			if v.Notice = chooseCode(r.PostForm); v.Notice.Key == "" {
				act.pin, act.state = r.PostForm.Get("pin"), chosen
			} else {
				status = http.StatusBadRequest
			}
		}
		v.Step = string(act.state)
		v.Heading = map[activationState]string{choosing: "act_choose", chosen: "act_finish", activated: "act_done"}[act.state]
		if act.state == activated {
			v.Person = act.who.now.Name
		}
	}
	s.mu.Unlock()
	if location != "" {
		a.redirect(location)
		return
	}
	a.page(status, v)
}

// chooseCode finds what is wrong with a code that was typed twice. A bad one is
// advised against and not refused.
func chooseCode(form url.Values) notice {
	pin := form.Get("pin")
	switch {
	case pin == "":
		return notice{Key: "pin_empty", Field: "pin"}
	case !pinForm(pin):
		return notice{Key: "pin_form", Field: "pin"}
	case form.Get("again") != pin:
		return notice{Key: "act_differ", Field: "again"}
	}
	return notice{}
}

// sweepActivations is called with s.mu held.
func (s *Server) sweepActivations(now time.Time) {
	for _, act := range s.activations {
		if now.Sub(act.started) > attemptTTL {
			s.dropActivation(act)
		}
	}
}

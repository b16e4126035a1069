package mockpsc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	cibaGrantType = "urn:openid:params:grant-type:ciba"
	cibaInterval  = time.Second     // as the real service answered in ANS's tests
	cibaSlowDown  = 5 * time.Second // what a hasty client is made to wait more, each time

	readerPath = "/_mock/card/"
)

// A cibaRequest is a sign-in without a browser: the client names the person, the
// person answers at the phone or at the card reader, and the client asks until
// there is an answer. Guarded by Server.mu.
//
// It has the ticket of a sign-in, so that the phone is the same phone. There is
// no browser in it: nothing of an attempt's way back is filled in.
type cibaRequest struct {
	attempt
	authReqID string
	channel   authMode
	interval  time.Duration
	polled    time.Time // last; zero if never
	spent     bool
}

func (q *cibaRequest) expired(now time.Time) bool { return !q.ticket.fresh(now) }

// open reports whether the person can still answer.
func (q *cibaRequest) open(now time.Time) bool {
	state := q.ticket.at(now)
	return !q.spent && (state == waiting || state == scanned)
}

// path is where the person answers.
func (q *cibaRequest) path() string {
	if q.channel == byCard {
		return readerPath + q.ticket.id
	}
	return phonePath + q.ticket.id
}

// ciba takes a backchannel authentication request (CIBA Core, section 7.1), in
// poll mode. Assumed, because no answer of the real service is known: the words
// of the refusals, and that somebody whose means does not work is refused at
// once, with the 403 access_denied of section 13.
func (s *Server) ciba(a *answer, r *http.Request) {
	client, form := s.clientForm(a, r)
	if client == nil {
		return
	}
	if ref := checkCIBA(form); ref != nil {
		a.fail(http.StatusBadRequest, ref.code, ref.rule)
		return
	}
	q := &cibaRequest{channel: authMode(form.Get("channel")), interval: cibaInterval}
	q.client, q.issuer, q.base = client, s.issuer(r), s.wallet(r)
	q.scope = "openid scope_all"

	s.mu.Lock()
	now := s.now()
	p := s.findNationalID(form.Get("login_hint"))
	state := ""
	if p != nil && !p.means(q.channel).Works() {
		state = p.means(q.channel).State
	}
	if p != nil && state == "" {
		q.ticket = ticket{id: newHandle(), number: form.Get("binding_message"), made: now, state: waiting, who: p, typed: true}
		q.authReqID = compactJWS("HS256", "refresh", object{
			{"exp", now.Add(ticketTTL).Unix()},
			{"iat", now.Unix()},
			{"jti", newUUID()},
			{"iss", q.issuer},
			{"aud", q.issuer},
			{"azp", client.ID},
		}, func(text string) []byte { return hs256(refreshKey(), text) })
		s.cibaRequests = append(s.cibaRequests, q)
		s.delivered(&q.attempt)
	}
	s.mu.Unlock()

	switch {
	case p == nil:
		a.fail(http.StatusBadRequest, "unknown_user_id", "login_hint is nobody's national identifier")
	case state != "":
		what := "e-CPS"
		if q.channel == byCard {
			what = "card"
		}
		a.fail(http.StatusForbidden, "access_denied", "the person's "+what+" is in state "+state)
	default:
		a.json(http.StatusOK, object{
			{"auth_req_id", q.authReqID},
			{"expires_in", int(ticketTTL.Seconds())},
			{"interval", int(cibaInterval.Seconds())},
		}.text())
	}
}

// checkCIBA finds what is wrong with a request, whoever it is about.
func checkCIBA(form url.Values) *refusal {
	refuse := func(code, format string, args ...any) *refusal {
		return &refusal{code: code, rule: fmt.Sprintf(format, args...)}
	}
	for _, name := range []string{"request", "request_uri"} {
		if form.Has(name) {
			return refuse("invalid_request", "request objects are not used at PSC")
		}
	}
	scope := strings.Fields(form.Get("scope"))
	slices.Sort(scope)
	if !slices.Equal(scope, []string{"openid", "scope_all"}) {
		return refuse("invalid_scope", "scope must be 'openid scope_all'; received %q", form.Get("scope"))
	}
	if acr := form.Get("acr_values"); acr != "eidas1" {
		return refuse("invalid_request", "acr_values=eidas1 is required; received %q", acr)
	}
	if form.Get("login_hint") == "" || form.Has("login_hint_token") || form.Has("id_token_hint") {
		return refuse("invalid_request", "exactly one hint is required (CIBA Core, section 7.1), and here it is login_hint")
	}
	if m := form.Get("binding_message"); len(m) != 2 || strings.Trim(m, "0123456789") != "" {
		return refuse("invalid_binding_message", "binding_message must be two digits, 00 to 99; received %q", m)
	}
	if c := authMode(form.Get("channel")); c != byCard && c != byPhone {
		return refuse("invalid_request", "channel must be CARD or MOBILE; received %q", string(c))
	}
	if e := form.Get("requested_expiry"); e != "" { // a wish, which the service need not grant
		if n, err := strconv.Atoi(e); err != nil || n < 1 {
			return refuse("invalid_request", "requested_expiry is a positive number of seconds; received %q", e)
		}
	}
	return nil
}

// cibaToken answers a client that asks whether the person has answered (CIBA
// Core, section 10.1). The first question may come at once; each question that
// comes too early is told so, whatever the person did, and makes the interval
// longer.
func (s *Server) cibaToken(a *answer, r *http.Request, client *Client, form url.Values) {
	s.mu.Lock()
	g, ref := s.poll(client, form.Get("auth_req_id"))
	s.mu.Unlock()
	if ref != nil {
		a.refuse(http.StatusBadRequest, ref)
		return
	}
	g.thumbprint = client.boundTo(r)
	s.issueTokens(a, r, g, slices.Concat(liesOf(r).faults, g.faults), "Session not active")
}

// poll is called with s.mu held.
func (s *Server) poll(client *Client, id string) (*grant, *refusal) {
	refuse := func(code, words, format string, args ...any) (*grant, *refusal) {
		return nil, &refusal{code: code, words: words, rule: fmt.Sprintf(format, args...)}
	}
	i := slices.IndexFunc(s.cibaRequests, func(q *cibaRequest) bool { return q.authReqID == id })
	if i < 0 || s.cibaRequests[i].client != client || s.cibaRequests[i].spent {
		return refuse("invalid_grant", "Invalid Auth Req ID", "auth_req_id is unknown, another client's, or already answered")
	}
	q, now := s.cibaRequests[i], s.now()
	early := !q.polled.IsZero() && now.Sub(q.polled) < q.interval
	q.polled = now
	switch {
	case q.expired(now):
		return refuse("expired_token", "authentication timed out", "the person had %d seconds to answer", int(ticketTTL.Seconds()))
	case early:
		q.interval += cibaSlowDown
		return refuse("slow_down", "too early to access", "a poll before the interval has passed; it is %d seconds now (CIBA Core, section 11)", int(q.interval.Seconds()))
	case q.open(now):
		return refuse("authorization_pending", "", "The authorization request is still pending as the end-user hasn't yet been authenticated.")
	}
	q.spent = true
	delete(s.tickets, q.ticket.id)
	if q.ticket.state != approved {
		return refuse("access_denied", "not authorized", "the person refused, or the means was blocked")
	}
	g := s.newGrant(&q.attempt, s.newSession(q.ticket.who, q.channel, client), newHandle())
	g.faults = s.takeQueued(client, "")
	g.spent = true // the code, which nobody ever sees
	g.ciba = true
	return g, nil
}

// reader is the simulated card reader for a request without a browser.
func (s *Server) reader(a *answer, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.fail(http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	v := s.view(a, r, "reader")
	v.Self = r.URL.Path
	v.Heading, v.Step = "card_code", "code"

	s.mu.Lock()
	at := s.tickets[r.PathValue("ticket")]
	if at == nil || !s.wantsCard(at) {
		s.mu.Unlock()
		v.Heading, v.Step, v.StateKey = "phone_over", "over", "phone_used"
		a.page(http.StatusGone, v)
		return
	}
	t := &at.ticket
	if r.Method == http.MethodPost {
		v.Notice = s.readerAnswer(t, r.PostForm)
	}
	v.Service, v.Number, v.Person = at.client.service(), t.number, t.who.now.Name
	switch state := t.at(s.now()); {
	case state == approved:
		v.Heading, v.Step = "phone_done", "done"
	case t.who.card.State == "blocked":
		v.Heading, v.Step, v.StateKey = "phone_over", "blocked", "card_blocked"
	case !t.who.card.Works():
		v.Heading, v.Step, v.StateKey = "phone_over", "over", stateKey(byCard, t.who.card.State)
	case state == refused, state == expired:
		v.Heading, v.Step, v.StateKey = "phone_over", "over", "phone_"+string(state)
	}
	a.entry.ClientID = at.client.ID
	s.mu.Unlock()
	status := http.StatusOK
	if v.Notice.Key != "" {
		status = http.StatusBadRequest
	}
	a.page(status, v)
}

// wantsCard reports whether a ticket is of a request that a card must answer: a
// code typed on the phone proves no card. Called with s.mu held.
func (s *Server) wantsCard(at *attempt) bool {
	return slices.ContainsFunc(s.cibaRequests, func(q *cibaRequest) bool { return &q.attempt == at && q.channel == byCard })
}

// readerAnswer takes one answer of the person at the reader. Called with s.mu held.
func (s *Server) readerAnswer(t *ticket, form url.Values) notice {
	lock := &t.who.card
	if form.Has("unblock") { // the mock's own button
		lock.unblock("valid")
		if t.state == blocked {
			t.state = refused // the blocked request itself stays dead
		}
		return notice{}
	}
	if t.at(s.now()) != waiting || !lock.Works() {
		return notice{}
	}
	if form.Has("refuse") {
		t.state = refused
		return notice{}
	}
	return t.enter(lock, form.Get("pin"), "card")
}

// AnswerCIBA answers, as the person with that national identifier, the latest
// CIBA request that waits for an answer: with the code of the e-CPS or of the
// card, whichever the request asks for, or with "" to refuse. It does what the
// person would do at the simulated phone or card reader, so that a wrong code is
// an error and the third one blocks.
func (s *Server) AnswerCIBA(nationalID, pin string) error {
	s.once.Do(s.init)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.findNationalID(nationalID) == nil {
		return fmt.Errorf("mockpsc: nobody has the national identifier %q", nationalID)
	}
	now := s.now()
	for _, q := range slices.Backward(s.cibaRequests) {
		t := &q.ticket
		if t.who.now.NationalID != nationalID || !q.open(now) {
			continue
		}
		enter := func(form url.Values) notice {
			if q.channel == byCard {
				return s.readerAnswer(t, form)
			}
			return s.phoneAnswer(t, &http.Request{Form: form}, &view{})
		}
		if pin == "" {
			enter(url.Values{"refuse": {"1"}})
			return nil
		}
		if q.channel == byPhone {
			enter(url.Values{"same": {"yes"}})
		}
		if n := enter(url.Values{"pin": {pin}}); n.Key != "" {
			return errors.New("mockpsc: " + (&view{Lang: "en"}).plain(n.Key, n.Args...))
		}
		if t.state != approved {
			return fmt.Errorf("mockpsc: the means of %s (%s) is in state %s", nationalID, q.channel, t.who.means(q.channel).State)
		}
		return nil
	}
	return fmt.Errorf("mockpsc: no CIBA request waits for an answer of %s", nationalID)
}

// findNationalID knows a person by the whole identifier only: at the real
// service the mock's names mean nothing. Called with s.mu held.
func (s *Server) findNationalID(id string) *person {
	for _, p := range s.people {
		if p.now.NationalID == id {
			return p
		}
	}
	return nil
}

// sweepCIBA keeps a request for a while after its end, so that the client hears
// that it has expired. Called with s.mu held.
func (s *Server) sweepCIBA(now time.Time) {
	s.cibaRequests = slices.DeleteFunc(s.cibaRequests, func(q *cibaRequest) bool {
		if now.Sub(q.ticket.made) < 2*ticketTTL {
			return false
		}
		delete(s.tickets, q.ticket.id)
		return true
	})
}

// A pendingView is a CIBA request on the start page.
type pendingView struct{ Service, Person, Path, Key string }

// pendingViews is called with s.mu held.
func (s *Server) pendingViews() []pendingView {
	var list []pendingView
	now := s.now()
	for _, q := range s.cibaRequests {
		if q.open(now) {
			key := "sim_phone"
			if q.channel == byCard {
				key = "ciba_reader"
			}
			list = append(list, pendingView{q.client.service(), q.ticket.who.now.Name, q.path(), key})
		}
	}
	return list
}

// dropNonce leaves out the nonce of a CIBA request, which carries none. That the
// member is absent there is assumed; of an authorization request without a nonce,
// which only lenience lets pass, PSC was seen to write an empty one.
func (g *grant) dropNonce(claims *object) {
	if g.ciba {
		claims.del("nonce")
	}
}

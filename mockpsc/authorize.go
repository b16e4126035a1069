package mockpsc

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An attempt is one sign-in under way: from an accepted authorization request
// to the redirect that answers it. Guarded by Server.mu.
type attempt struct {
	id      string // unguessable; in the browser's page and nowhere else
	browser string // the cookie of the browser that began it
	started time.Time

	client      *Client
	issuer      string
	omitIss     bool
	base        string // of the pages
	redirectURI string
	state       string
	nonce       string
	scope       string
	challenge   string  // PKCE; "" if the client sent none
	plain       bool    // the challenge is the verifier itself (lenient)
	hint        string  // login_hint
	faults      []Fault // of the address
	lang        string  // ui_locales, if it names a language we have

	ticket ticket
	card   *person  // whose card is in the reader
	ask    *session // who is asked whether to go on; nil: nobody
	guest  *person  // likewise, after a sign-in at the hospital
	done   string   // where the browser was sent, once it is over
}

// A refusal says why a request is refused. Of an authorization request it goes
// back to the redirect URI if it has a code; without one the developer reads it
// here.
type refusal struct {
	code  string // RFC 6749, sections 4.1.2.1 and 5.2; "" means a page
	rule  string // in English, for programs
	words string // Keycloak's, in JSON; "" means that they are the rule
	key   string // of the page's text
	args  []string
}

// authorize answers the authorization request (OpenID Connect Core, section 3.1.2).
func (s *Server) authorize(a *answer, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.refusePage(a, r, nil, refusal{rule: "the parameters cannot be read: " + err.Error(), key: "a8_unreadable"})
		return
	}
	if r.Form.Has("attempt") && !r.Form.Has("client_id") { // a tab, or the way back from another page
		if at := s.resume(a, r); at != nil {
			s.signInPage(a, r, at, notice{})
		}
		return
	}
	client, at, ref := s.newAttempt(r)
	if client != nil {
		a.belongsTo(client)
	}
	if at == nil {
		s.refusePage(a, r, client, *ref)
		return
	}
	if ref != nil {
		a.refuseAt(at, ref.code, ref.rule)
		return
	}
	if s.cookielessPost(r, "browser") {
		a.redirect(r.URL.Path + "?" + r.Form.Encode())
		return
	}
	if s.zeroTouch(a, r, at) {
		return
	}
	if s.askToGoOn(a, r, at) {
		return
	}
	if s.answerFromSSO(a, r, at) {
		return
	}
	if r.Form.Get("prompt") == "none" {
		a.refuseAt(at, "login_required", nobodyHere)
		return
	}
	at.browser = s.browser(a, r)
	s.mu.Lock()
	s.remember(at)
	s.mu.Unlock()
	if s.hinted(a, r, at) {
		return
	}
	s.signInPage(a, r, at, notice{})
}

const nobodyHere = "prompt=none, and nobody is signed in in this browser"

// newAttempt checks an authorization request. Without an attempt the refusal is
// for a page; with one it goes back to the redirect URI.
func (s *Server) newAttempt(r *http.Request) (client *Client, at *attempt, ref *refusal) {
	client, ref = s.checkReturn(r.Form)
	if ref == nil {
		ref = s.checkLesson(r.Form)
	}
	if ref != nil {
		return client, nil, ref
	}
	issuer := own(s.issuer(r))
	at = &attempt{
		id:          newHandle(),
		started:     s.now(),
		client:      client,
		issuer:      issuer,
		base:        own(s.wallet(r)),
		omitIss:     s.Assume.OmitIss,
		redirectURI: own(r.Form.Get("redirect_uri")),
		state:       strings.Clone(r.Form.Get("state")),
		nonce:       strings.Clone(r.Form.Get("nonce")),
		scope:       "openid scope_all",
		challenge:   strings.Clone(r.Form.Get("code_challenge")),
		plain:       r.Form.Get("code_challenge_method") != "S256",
		hint:        strings.Clone(r.Form.Get("login_hint")),
		faults:      liesOf(r).faults,
		lang:        language(r.Form.Get("ui_locales")),
	}
	return client, at, s.checkRequest(r.Form)
}

// checkReturn settles whether there is a place to return to. Until there is,
// nothing is ever redirected (RFC 6749, section 4.1.2.1).
func (s *Server) checkReturn(form url.Values) (*Client, *refusal) {
	for name, values := range form {
		if len(values) > 1 {
			return nil, &refusal{rule: fmt.Sprintf("parameter %s is given twice (RFC 6749, section 3.1)", name), key: "a8_duplicate", args: []string{"x", name}}
		}
	}
	id, uri := form.Get("client_id"), form.Get("redirect_uri")
	client := s.client(id)
	if client == nil {
		list := s.clientIDs()
		return nil, &refusal{rule: fmt.Sprintf("client_id %q is unknown; declared: %s", id, list), key: "a8_client", args: []string{"x", id, "liste", list}}
	}
	if uri == "" || !client.allows(client.RedirectURIs, uri) {
		list := client.describe(client.RedirectURIs)
		return client, &refusal{rule: fmt.Sprintf("redirect_uri %q is not declared; declared: %s", uri, list), key: "a8_redirect", args: []string{"x", orDash(uri), "liste", list}}
	}
	return client, nil
}

// checkLesson refuses on a page what a redirect would hide: those who forget
// state, nonce or acr_values also forget to show the errors that come back.
func (s *Server) checkLesson(form url.Values) *refusal {
	var list []refusal
	for _, name := range []string{"state", "nonce"} {
		if form.Get(name) == "" {
			list = append(list, refusal{rule: name + " is required and missing", key: "a8_missing", args: []string{"x", name}})
		}
	}
	if acr := form.Get("acr_values"); acr != "eidas1" {
		list = append(list, refusal{rule: fmt.Sprintf("acr_values=eidas1 is required; received %q", acr), key: "a8_acr", args: []string{"x", orDash(acr)}})
	}
	return s.strictly(list)
}

// checkRequest finds what the client hears about at its redirect URI.
func (s *Server) checkRequest(form url.Values) *refusal {
	refuse := func(code, format string, args ...any) *refusal {
		return &refusal{code: code, rule: fmt.Sprintf(format, args...)}
	}
	var list []refusal // what lenience lets pass
	mind := func(code, format string, args ...any) { list = append(list, *refuse(code, format, args...)) }

	switch rt := form.Get("response_type"); {
	case rt == "":
		return refuse("invalid_request", "response_type is missing; only code is used")
	case rt != "code":
		return refuse("unsupported_response_type", "only response_type=code is used; received %q", rt)
	}
	// The order of scopes has no meaning (RFC 6749, section 3.3); their set has.
	scope := strings.Fields(form.Get("scope"))
	slices.Sort(scope)
	if !slices.Equal(scope, []string{"openid", "scope_all"}) {
		mind("invalid_scope", "scope must be 'openid scope_all'; received %q", form.Get("scope"))
	}
	if form.Has("request") {
		mind("request_not_supported", "request objects are not used at PSC")
	}
	if form.Has("request_uri") {
		mind("request_uri_not_supported", "request objects are not used at PSC")
	}
	if m := form.Get("response_mode"); m != "" && m != "query" {
		mind("invalid_request", "only response_mode=query is answered; received %q", m)
	}
	prompt := strings.Fields(form.Get("prompt"))
	for _, p := range prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			mind("invalid_request", "unknown prompt %q", p)
		}
		if p == "none" && len(prompt) > 1 {
			mind("invalid_request", "prompt=none goes with no other prompt")
		}
	}
	if m := form.Get("max_age"); m != "" {
		if n, err := strconv.Atoi(m); err != nil || n < 0 {
			mind("invalid_request", "max_age is a number of seconds; received %q", m)
		}
	}
	challenge, method := form.Get("code_challenge"), form.Get("code_challenge_method")
	switch {
	case challenge == "" && method != "":
		mind("invalid_request", "code_challenge_method without code_challenge")
	case challenge == "" && s.Assume.RequirePKCE:
		return refuse("invalid_request", "code_challenge is required and missing (Assume.RequirePKCE)")
	case challenge == "":
	case method == "" || method == "plain": // the default (RFC 7636, section 4.3), which protects nothing
		mind("invalid_request", "only code_challenge_method=S256 is accepted; received %q", method)
	case method != "S256":
		return refuse("invalid_request", "unknown code_challenge_method %q; only S256 is accepted", method)
	case len(challenge) != 43:
		return refuse("invalid_request", "an S256 code_challenge has 43 characters; received %d", len(challenge))
	case !isPKCE(challenge):
		return refuse("invalid_request", "an S256 code_challenge is base64url without padding (RFC 7636, section 4.2)")
	}
	return s.strictly(list)
}

// answerFromSSO answers at once if this browser is signed in already and the
// client does not ask for more.
func (s *Server) answerFromSSO(a *answer, r *http.Request, at *attempt) bool {
	prompt := strings.Fields(r.Form.Get("prompt"))
	if slices.Contains(prompt, "login") || slices.Contains(prompt, "select_account") {
		return false
	}
	s.mu.Lock()
	location := ""
	if ses := s.ssoSession(r); ses != nil && s.enough(ses, r.Form) {
		ses.used = s.now()
		location = s.issueCode(a, at, ses, s.takeQueued(at.client, at.state))
	}
	s.mu.Unlock()
	if location == "" {
		return false
	}
	a.redirect(location)
	return true
}

// enough reports whether a session satisfies max_age and id_token_hint. Called
// with s.mu held.
func (s *Server) enough(ses *session, form url.Values) bool {
	if m := form.Get("max_age"); m != "" {
		seconds, err := strconv.ParseInt(m, 10, 32) // in vain only if lenience let it pass
		if err != nil || seconds < 0 {
			seconds = math.MaxInt32
		}
		if age := s.now().Sub(ses.authTime); seconds == 0 || age > time.Duration(seconds)*time.Second {
			return false
		}
	}
	if hint := form.Get("id_token_hint"); hint != "" {
		if h, err := s.readHint(hint); err != nil || h.Sub != s.sub(ses.person.now) {
			return false
		}
	}
	return true
}

// complete ends an attempt well: somebody has proved who he is. It returns
// where the browser goes, with a code. Called with s.mu held.
//
// A sign-in with faults leaves no SSO session in the browser, so that the lie
// hits that sign-in only, and the next one asks again.
func (s *Server) complete(a *answer, r *http.Request, at *attempt, p *person, mode authMode, faults []Fault) string {
	if at.done != "" { // two clicks at the same time
		return at.done
	}
	faults = slices.Concat(faults, s.takeQueued(at.client, at.state))
	ses := s.ssoSession(r)
	if ses != nil && ses.person == p && len(faults) == 0 {
		// Proved again: the session goes on, as at Keycloak, with a later auth_time.
		ses.mode, ses.authTime, ses.used = mode, s.now(), s.now()
	} else {
		if ses != nil && len(faults) == 0 {
			s.end(ses)
		}
		ses = s.newSession(p, mode, at.client)
		if len(faults) == 0 {
			s.setCookie(a, r, "sso", ses.sid+"."+ses.secret, 0)
		}
	}
	s.finish(at, s.issueCode(a, at, ses, faults))
	return at.done
}

// issueCode makes an authorization code and returns where the browser takes it.
// Called with s.mu held.
func (s *Server) issueCode(a *answer, at *attempt, ses *session, faults []Fault) string {
	clientUUID := sha256.Sum256([]byte(at.client.ID))
	code := newUUID() + "." + ses.sid + "." + formatUUID(clientUUID[:16])
	g := s.newGrant(at, ses, code)
	g.faults = slices.Concat(at.faults, faults)
	out := &outgoing{issuer: at.issuer, grant: g, other: s.somebodyElse(g)}
	if at.state != "" { // lenient
		out.params = append(out.params, param{"state", at.state})
	}
	out.params = append(out.params, param{"session_state", ses.sid}, param{"code", code})
	if !at.omitIss {
		out.params = append(out.params, param{"iss", at.issuer})
	}
	bend(g.faults, "callback", out)
	a.told(g.faults, "callback")
	location := at.back(out.params)
	if out.fragment {
		location = strings.Replace(location, "?", "#", 1)
	}
	return location
}

// refuseAt sends the browser back to the client with an error.
func (a *answer) refuseAt(at *attempt, code, rule string) {
	a.explain(rule)
	a.redirect(at.refuse(code, rule))
}

// refuse returns the redirect that tells the client of an error.
func (at *attempt) refuse(code, description string) string {
	params := []param{{"error", code}, {"error_description", asciiText(description)}}
	if at.state != "" {
		params = append(params, param{"state", at.state})
	}
	if !at.omitIss {
		params = append(params, param{"iss", at.issuer}) // RFC 9207: in errors too
	}
	return at.back(params)
}

type param struct{ name, value string }

// back appends parameters to the redirect URI, keeping its query (RFC 6749, section 3.1.2).
func (at *attempt) back(params []param) string {
	b := make([]byte, 0, 512)
	b = append(b, at.redirectURI...)
	sep := "?"
	if strings.Contains(at.redirectURI, "?") {
		sep = "&"
	}
	for _, p := range params {
		b = append(b, sep+p.name+"="+url.QueryEscape(p.value)...)
		sep = "&"
	}
	return string(b)
}

// resume finds the attempt that a form or a link belongs to, in the browser
// that began it. Otherwise it answers and returns nil.
func (s *Server) resume(a *answer, r *http.Request) *attempt {
	id := r.FormValue("attempt") // reads the body, which may be slow, before the lock
	s.mu.Lock()
	at := s.attempt(id)
	ok := at != nil && subtle.ConstantTimeCompare([]byte(at.browser), []byte(s.cookie(r, "browser"))) == 1
	late := ok && s.now().Sub(at.started) > attemptTTL
	done := ""
	if ok && !late {
		done = at.done
	}
	s.mu.Unlock()
	switch {
	case !ok: // never made, swept long ago, or begun in another browser: the answer is the same
		s.expiredPage(a, r, nil)
		return nil
	case late:
		a.belongsTo(at.client)
		s.expiredPage(a, r, at)
		return nil
	case done != "": // a double click: the same answer, not a second one
		a.belongsTo(at.client)
		a.redirect(done)
		return nil
	}
	a.belongsTo(at.client)
	return at
}

// twoDigits is the number that screen and phone both show.
func twoDigits() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprintf("%02d", n)
}

func orDash(s string) string { return cmp.Or(s, "–") }

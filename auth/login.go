package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// login begins a sign-in, and nothing else: GET …/login?return_to=/path. The
// parameters max_age (seconds) and prompt=login demand that the person proves
// again who they are; login_hint is passed on; any other is ignored.
func (rp *RelyingParty) login(w http.ResponseWriter, r *http.Request) {
	if !allowMethods(w, r, http.MethodGet) {
		return
	}
	meta, err := rp.provider.metadata(r.Context())
	if err != nil {
		rp.fail(w, r, providerFailure(err))
		return
	}
	query := r.URL.Query()
	p := pendingSignIn{
		State:    randomID(),
		Nonce:    randomID(),
		Verifier: oauth2.GenerateVerifier(),
		ReturnTo: rp.returnTarget(query.Get("return_to")),
		Begun:    rp.cfg.Now().Unix(),
		Login:    query.Get("prompt") == "login",
	}
	extra := url.Values{}
	if p.Login {
		extra.Set("prompt", "login")
	}
	if n, err := strconv.ParseInt(query.Get("max_age"), 10, 32); err == nil && n > 0 {
		p.MaxAge = n
		extra.Set("max_age", strconv.FormatInt(n, 10))
	}
	if hint := query.Get("login_hint"); hint != "" && len(hint) <= 128 {
		extra.Set("login_hint", hint)
	}
	if err := rp.cookies.addPending(w, r, p); err != nil {
		rp.fail(w, r, &failure{page: "invalid", status: http.StatusInternalServerError, reason: "pending_cookie", err: err})
		return
	}
	redirect(w, rp.provider.authorizeURL(meta, p, extra))
}

// callback ends a sign-in. The order matters: who is in stays in, who did not
// begin a sign-in here learns it, and who waited too long begins again unasked.
func (rp *RelyingParty) callback(w http.ResponseWriter, r *http.Request) {
	if !allowMethods(w, r, http.MethodGet) {
		return
	}
	answer, bad := readCallback(r)
	p, pending := pendingSignIn{}, false
	if answer.state != "" {
		p, pending = rp.cookies.openPending(r, rp.cookies.pendingName(answer.state))
	}

	// A reload or the back button after a sign-in: the session is there, and
	// nothing waits for this answer.
	if !pending {
		if id := rp.identify(r); id.state == signedIn {
			if bad != nil {
				rp.cookies.clearPending(w, r)
			}
			redirect(w, rp.attempts.returnTo(answer.state))
			return
		}
	}

	if bad != nil {
		rp.cookies.clearPending(w, r)
		rp.fail(w, r, bad)
		return
	}
	if !pending && len(rp.cookies.pendingNames(r)) > 0 {
		rp.cookies.clearPending(w, r)
		rp.fail(w, r, &failure{page: "not_yours", status: http.StatusBadRequest, reason: "state_mismatch", err: errors.New("auth: the state belongs to no sign-in of this browser")})
		return
	}
	expired := pending && rp.cfg.Now().Sub(time.Unix(p.Begun, 0)).Abs() > pendingTTL
	if !pending || expired {
		rp.cookies.clearPending(w, r)
		rp.restart(w, r)
		return
	}

	// The cookie opened, so this browser began the sign-in. It is spent now,
	// whatever becomes of it.
	rp.cookies.set(w, rp.cookies.pendingName(p.State), "", 0)
	a, first := rp.attempts.begin(p)
	if first {
		// The person may double-click or leave: the code is spent either way, so
		// the exchange goes on without the request.
		rp.attempt(a, r, answer, p)
	} else if !a.wait(r.Context()) {
		return // the browser has left
	}
	rp.land(w, r, p, a, first)
}

// attempt completes the sign-in and finishes a, even when the app's store or its
// Authorize panics: nobody waits for ever.
func (rp *RelyingParty) attempt(a *attempt, r *http.Request, answer callbackAnswer, p pendingSignIn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), signInTimeout)
	defer cancel()
	s, token, f := Session{}, "", &failure{page: "store_down", status: http.StatusServiceUnavailable, reason: "panic", err: errors.New("auth: a panic during the sign-in")}
	defer func() {
		if f != nil {
			f.returnTo, f.reference = p.ReturnTo, newReference()
		}
		a.finish(s, token, f)
	}()
	s, token, f = rp.complete(ctx, r, answer, p)
}

// restart begins the sign-in anew without a word, at most three times.
func (rp *RelyingParty) restart(w http.ResponseWriter, r *http.Request) {
	if !rp.cookies.restart(w, r, rp.cfg.Now()) {
		rp.fail(w, r, &failure{page: "restarted_too_often", status: http.StatusBadRequest, reason: "state_expired", err: errors.New("auth: the pending sign-in's cookie did not come back")})
		return
	}
	redirect(w, rp.LoginURL(home))
}

// land answers the browser whose sign-in has ended.
func (rp *RelyingParty) land(w http.ResponseWriter, r *http.Request, p pendingSignIn, a *attempt, first bool) {
	if a.failure != nil && a.failure.identifyAgain {
		// PSC's session is about to end: identify once more, and only once.
		redirect(w, rp.base+"/login?"+url.Values{"return_to": {p.ReturnTo}, "prompt": {"login"}}.Encode())
		return
	}
	if a.failure != nil {
		f := *a.failure
		f.told = !first
		rp.fail(w, r, &f)
		return
	}
	if rp.cfg.Now().Sub(a.finished).Abs() > time.Minute || rp.revoked.known(a.session.ID) {
		rp.fail(w, r, &failure{page: "not_yours", status: http.StatusBadRequest, reason: "state_replayed", err: errors.New("auth: this sign-in has ended before")})
		return
	}
	if wantsToken(r) {
		answer := rp.answer(a.session, a.token, rp.cfg.Now())
		writeJSON(w, http.StatusOK, answer)
		return
	}
	rp.cookies.set(w, rp.cookies.session, a.token, a.session.ExpiresAt.Sub(rp.cfg.Now()))
	rp.cookies.set(w, rp.cookies.restarts, "", 0)
	redirect(w, rp.returnTarget(p.ReturnTo))
}

// wantsToken reports whether a program asked for the session token itself: an
// Accept of exactly application/json that is no navigation, so no link or form of
// another site can ask.
func wantsToken(r *http.Request) bool {
	return r.Header.Get("Accept") == "application/json" && !isPage(r)
}

// callbackAnswer is what came back from PSC.
type callbackAnswer struct {
	state, code, iss, err string
	hasIss                bool
}

// readCallback reads the callback's parameters, and says what is wrong with
// them: one that is doubled could be read in two ways, and a token has no
// business in an address (RFC 9700 4.3.2).
func readCallback(r *http.Request) (callbackAnswer, *failure) {
	refuse := func(reason, why string) (callbackAnswer, *failure) {
		return callbackAnswer{}, &failure{page: "not_yours", status: http.StatusBadRequest, reason: reason, err: errors.New("auth: callback: " + why)}
	}
	if len(r.URL.RawQuery) > 16<<10 {
		return refuse("too_large", "the query is too long")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse("bad_query", "the query is malformed")
	}
	for _, values := range query {
		if len(values) > 1 {
			return refuse("duplicate_param", "a parameter is doubled")
		}
	}
	for _, name := range []string{"id_token", "access_token", "refresh_token", "token_type"} {
		if query.Has(name) {
			return refuse("unexpected_param", "a token in the query")
		}
	}
	a := callbackAnswer{
		state: query.Get("state"), code: query.Get("code"), err: query.Get("error"),
		iss: query.Get("iss"), hasIss: query.Has("iss"),
	}
	if a.state == "" {
		return refuse("missing_state", "no state")
	}
	if !wellFormedState(a.state) {
		return refuse("state_mismatch", "the state is not one of ours")
	}
	if a.code == "" && a.err == "" {
		return refuse("missing_code", "neither code nor error")
	}
	if len(a.code) > 4<<10 {
		return refuse("too_large", "the code is too long")
	}
	return a, nil
}

func wellFormedState(s string) bool {
	b, err := base64URL.DecodeString(s)
	return err == nil && len(s) == 43 && len(b) == 32
}

// complete does what a good callback stands for, in this order: code, ID token,
// userinfo, user, the app's decision, session.
func (rp *RelyingParty) complete(ctx context.Context, r *http.Request, answer callbackAnswer, p pendingSignIn) (Session, string, *failure) {
	none := func(f *failure) (Session, string, *failure) { return Session{}, "", f }
	// openPending has compared already, by the cookie's name and its seal; a
	// second look costs nothing and does not rely on either.
	if p.State == "" || subtle.ConstantTimeCompare([]byte(p.State), []byte(answer.state)) != 1 {
		return none(&failure{page: "not_yours", status: http.StatusBadRequest, reason: "state_mismatch", err: errors.New("auth: state")})
	}
	meta, err := rp.provider.metadata(ctx)
	if err != nil {
		return none(providerFailure(err))
	}
	// RFC 9207 2.4: before anything else, who speaks.
	missingAllowed := !meta.IssAnnounced || rp.cfg.Provider.IssMayBeMissing
	if answer.hasIss && answer.iss != rp.cfg.Provider.Issuer || !answer.hasIss && !missingAllowed {
		return none(&failure{page: "invalid", status: http.StatusBadRequest, reason: "mixup", err: errors.New("auth: callback: iss is not PSC's")})
	}
	if answer.err != "" {
		return none(callbackError(answer.err))
	}
	got, err := rp.provider.exchange(ctx, meta, answer.code, p.Verifier)
	if err != nil {
		return none(providerFailure(err))
	}
	id, err := rp.provider.verifyIDToken(ctx, meta, got.ID, got.Access, p.Nonce)
	if err != nil {
		return none(providerFailure(err))
	}
	if f := rp.checkAuthTime(id, p); f != nil {
		return none(f)
	}
	info, err := rp.provider.userInfo(ctx, meta, got.Access, id)
	if err != nil {
		return none(providerFailure(err))
	}

	now := rp.cfg.Now()
	user, first, err := rp.cfg.Users.SaveUser(ctx, info, now)
	if err == nil && user.ID == "" {
		err = errors.New("auth: the UserStore returned a user without ID")
	}
	if err == nil && user.NationalID != info.NationalID {
		err = errors.New("auth: the UserStore returned another person")
	}
	if err != nil {
		return none(&failure{page: "store_down", status: http.StatusServiceUnavailable, reason: "user_store", err: err})
	}
	grant, err := rp.cfg.Authorize(ctx, SignIn{
		UserInfo: info, User: user, First: first,
		ACR: id.ACR, AuthMode: id.AuthMode, AuthTime: id.AuthTime,
	})
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return none(&failure{page: "not_authorised", status: http.StatusForbidden, reason: "refused_by_app", err: err, user: user, french: greet("Bonjour", user, refusal.French), english: greet("Hello", user, refusal.English)})
	} else if err != nil {
		return none(&failure{page: "store_down", status: http.StatusServiceUnavailable, reason: "authorize", err: err, user: user})
	}

	s := Session{
		ID: randomID(), UserID: user.ID, NationalID: user.NationalID, RPPS: user.NationalID.RPPS(),
		Title: user.Title, FirstName: user.FirstName, LastName: user.LastName, Email: user.Email,
		Profession: user.Profession, Category: user.Category, Specialty: user.Specialty,
		Roles: grant.Roles, TenantID: grant.TenantID, TenantName: grant.TenantName, Claims: grant.Claims,
		ACR: id.ACR, AuthMode: id.AuthMode, FirstSignIn: first, LastSignIn: user.LastSignIn,
		VerifiedAt: now, AuthTime: id.AuthTime,
	}
	s, token, err := rp.renew(s, now)
	if err != nil {
		return none(&failure{page: "store_down", status: http.StatusServiceUnavailable, reason: "token", err: err, user: user})
	}
	err = rp.cfg.Sessions.SaveSession(ctx, SessionRecord{
		ID: s.ID, UserID: s.UserID, PSCSession: id.SessionID,
		IDToken:   rp.vault.seal(got.ID, s.ID),
		CreatedAt: now, ExpiresAt: rp.sessionEnd(s),
	})
	if err != nil {
		return none(&failure{page: "store_down", status: http.StatusServiceUnavailable, reason: "session_store", err: err, user: user})
	}
	// A sign-in leaves no session behind in the same browser (ASVS 7.2.4).
	if old := rp.identify(r); old.state == signedIn && old.cookie {
		if err := rp.revoked.end(ctx, old.session.ID, rp.sessionEnd(old.session)); err != nil {
			rp.cfg.Logger.Error("auth: cannot end the session before this one", "error", err)
		}
		rp.audit(r, Event{Kind: SessionEnded, Reason: "replaced"}.of(old.session))
	}
	rp.cfg.Logger.Info("auth: signed in", "user", user.ID, "first", first, "acr", id.ACR, "mode", id.AuthMode)
	rp.audit(r, Event{Kind: SignedIn, PSCSession: id.SessionID, First: first}.of(s))
	return s, token, nil
}

// greet puts the person's name before the app's words, so that they see which
// account was turned away.
func greet(hello string, u User, words string) string {
	if words == "" {
		return ""
	}
	name := Session{Title: u.Title, FirstName: u.FirstName, LastName: u.LastName}.Name()
	return strings.TrimSpace(hello+" "+name) + ". " + words
}

// checkAuthTime compares when the person proved who they are with what was
// asked. When less than a minute is left of PSC's session, one identification more
// would mend that.
func (rp *RelyingParty) checkAuthTime(id idToken, p pendingSignIn) *failure {
	now := rp.cfg.Now()
	stale := &failure{page: "invalid", status: http.StatusUnauthorized, reason: "stale_auth", err: errors.New("auth: ID token: stale_auth: the identification is older than was asked")}
	missing := (p.MaxAge > 0 || p.Login) && id.Assumed // OIDC Core 2: auth_time is required then
	tooOld := p.MaxAge > 0 && now.Sub(id.AuthTime) > time.Duration(p.MaxAge)*time.Second+leeway
	before := p.Login && id.AuthTime.Before(time.Unix(p.Begun, 0).Add(-leeway))
	ends := now.Add(time.Minute).After(id.AuthTime.Add(rp.cfg.SessionMax))
	if missing || tooOld || before || ends && p.Login {
		return stale
	}
	if ends {
		return &failure{identifyAgain: true}
	}
	return nil
}

// callbackError turns PSC's error answer into a page. Nothing of it is shown,
// and only words that are known reach the log (OIDC Core 3.1.2.6).
func callbackError(code string) *failure {
	f := &failure{page: "invalid", status: http.StatusBadRequest, reason: "op_error"}
	switch code {
	case "access_denied", "login_required", "interaction_required":
		f.page = "cancelled"
	case "temporarily_unavailable", "server_error":
		f.page, f.status = "psc_down", http.StatusServiceUnavailable
	case "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type", "invalid_request_object", "request_not_supported", "unmet_authentication_requirements":
	default:
		code = "unknown error"
	}
	f.err = errors.New("auth: callback: PSC answered " + code)
	return f
}

// providerFailure turns an error of provider.go into what the person reads.
func providerFailure(err error) *failure {
	var bad *idTokenError
	if errors.As(err, &bad) {
		f := &failure{page: "invalid", status: http.StatusUnauthorized, reason: bad.reason, err: err}
		if bad.reason == "acr_too_low" {
			f.page = "level"
		}
		return f
	}
	f := &failure{page: "invalid", status: http.StatusBadGateway, reason: "upstream", err: err}
	var call *callError
	if !errors.As(err, &call) {
		return f
	}
	f.reason = call.what
	if call.slow() {
		f.page, f.status = "psc_slow", http.StatusGatewayTimeout
	} else if call.down() {
		f.page, f.status = "psc_down", http.StatusServiceUnavailable
	} else if call.what == "token" {
		switch call.code {
		case "invalid_grant":
			f.page, f.status, f.reason = "code_refused", http.StatusUnauthorized, "exchange_failed"
		case "invalid_client", "unauthorized_client":
			f.reason = "misconfigured" // Config.ClientID or ClientSecret
		}
	}
	return f
}

const (
	signInTimeout = 25 * time.Second
	maxAttempts   = 10_000
)

// attempts remembers, for ten minutes, the sign-ins whose callback came, so that
// a double click does not exchange a code twice: the second request waits for
// the first and lands on the same page. Only a request that brought the pending
// cookie of its state gets here; the oldest are forgotten beyond ten thousand.
type attempts struct {
	now   func() time.Time
	mu    sync.Mutex
	byID  map[string]*attempt
	order []string // oldest first
}

type attempt struct {
	begun    time.Time
	returnTo string
	done     chan struct{}
	now      func() time.Time

	// set before done is closed
	session  Session
	token    string
	failure  *failure
	finished time.Time
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, byID: map[string]*attempt{}}
}

// begin returns the attempt for p's state, and whether the caller is the first
// and must finish it.
func (as *attempts) begin(p pendingSignIn) (*attempt, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	now := as.now()
	for len(as.order) > 0 {
		oldest := as.byID[as.order[0]]
		if len(as.order) < maxAttempts && now.Sub(oldest.begun).Abs() <= pendingTTL {
			break
		}
		delete(as.byID, as.order[0])
		as.order = as.order[1:]
	}
	if a, ok := as.byID[p.State]; ok {
		return a, false
	}
	a := &attempt{begun: now, returnTo: p.ReturnTo, done: make(chan struct{}), now: as.now}
	as.byID[p.State] = a
	as.order = append(as.order, p.State)
	return a, true
}

// returnTo returns where the sign-in of that state landed, or home.
func (as *attempts) returnTo(state string) string {
	as.mu.Lock()
	defer as.mu.Unlock()
	if a, ok := as.byID[state]; ok {
		return safeReturn(a.returnTo)
	}
	return home
}

func (a *attempt) finish(s Session, token string, f *failure) {
	a.session, a.token, a.failure, a.finished = s, token, f, a.now()
	close(a.done)
}

// wait waits until the attempt is finished, and reports whether it is.
func (a *attempt) wait(ctx context.Context) bool {
	select {
	case <-a.done:
		return true
	case <-ctx.Done():
		return false
	}
}

package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// identity is what a request's credentials say, found out once per request.
type identity struct {
	state   identityState
	session Session
	cookie  bool // by cookie, so that other sites' pages can cause the request
	stale   bool // a session cookie came that is good for nothing
	err     error
}

type identityState int

const (
	anonymous   identityState = iota // no credentials
	refused                          // credentials that are not good
	unavailable                      // cannot tell whether the session was ended
	signedIn
)

// identify verifies the credentials of r: a bearer token if there is one, else
// the cookie. A bearer that is not good never falls back to the cookie, and a
// bearer and a cookie of two people are refused together.
func (rp *RelyingParty) identify(r *http.Request) *identity {
	bearer, hasBearer := bearerToken(r)
	cookie, hasCookie := rp.cookies.get(r, rp.cookies.session)
	switch {
	case hasBearer:
		id := rp.check(r.Context(), bearer)
		if id.state == signedIn && cookie != "" {
			if other := rp.check(r.Context(), cookie); other.state == signedIn && other.session.UserID != id.session.UserID {
				return &identity{state: refused, err: errors.New("auth: bearer and cookie of two people")}
			}
		}
		return id
	case hasCookie:
		id := rp.check(r.Context(), cookie)
		id.cookie = true
		id.stale = id.state == refused
		return id
	}
	return &identity{state: anonymous}
}

// check verifies one session token.
func (rp *RelyingParty) check(ctx context.Context, token string) *identity {
	s, err := rp.tokens.verify(token, rp.cfg.Now())
	if err != nil {
		return &identity{state: refused, session: s, err: err} // s only of one that has expired
	}
	switch ended, err := rp.revoked.isEnded(ctx, s.ID); {
	case err != nil:
		return &identity{state: unavailable, session: s, err: err}
	case ended:
		return &identity{state: refused, err: errors.New("auth: session was ended")}
	}
	return &identity{state: signedIn, session: s}
}

// bearerToken returns the token of an Authorization header of scheme Bearer
// (RFC 6750 2.1), and whether there was such a header. Other schemes are not
// ours. A header that is doubled or malformed yields a token that never verifies.
func bearerToken(r *http.Request) (token string, ok bool) {
	headers := r.Header.Values("Authorization")
	for _, h := range headers {
		scheme, rest, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if len(headers) > 1 {
			return "", true
		}
		return rest, true
	}
	return "", false
}

// identified returns r with the identity in its context, and renews the cookie
// of a session whose token is older than a tenth of SessionTTL.
func (rp *RelyingParty) identified(w http.ResponseWriter, r *http.Request) *http.Request {
	ctx := r.Context()
	if id, ok := ctx.Value(rp).(*identity); ok { // below our own Handler
		return r.WithContext(context.WithValue(ctx, contextKey{}, id))
	}
	id := rp.identify(r)
	if id.state == signedIn {
		// What follows is for this person's eyes. The app may say otherwise.
		w.Header().Set("Cache-Control", "private, no-store")
		w.Header().Add("Vary", "Cookie, Authorization")
	}
	if now := rp.cfg.Now(); id.state == signedIn && id.cookie && !subresource(r) && now.Sub(id.session.IssuedAt) >= rp.cfg.SessionTTL/10 {
		if s, token, err := rp.renew(id.session, now); err != nil {
			rp.cfg.Logger.Error("auth: cannot renew a session", "error", err)
		} else {
			id.session = s
			rp.cookies.set(w, rp.cookies.session, token, s.ExpiresAt.Sub(now))
		}
	}
	// Once under our own address, for an app with two RelyingParties, and once
	// for SessionFromContext.
	ctx = context.WithValue(ctx, rp, id)
	return r.WithContext(context.WithValue(ctx, contextKey{}, id))
}

// subresource reports whether a part of a page is asked for. Such a part is often
// marked public, as style sheets are, and must not carry a session into a cache.
func subresource(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "empty":
		return false
	}
	return true
}

// Require lets only requests with a session that meets all rules reach next.
//
// Without a session a page is sent to the sign-in and comes back (GET, HEAD), or
// is answered 401 with an explanation (any other method: what was typed is not
// replayed); a program gets a JSON 401 with a login_url. A broken rule is 403, in
// words; a broken [Fresh] shows a page that leads to PSC again. A request that changes something,
// carries the cookie, and comes from another site is 403
// ([http.CrossOriginProtection]). While the store has never told which sessions
// were ended, it is 503.
//
// It does not answer CORS preflights: an app that serves other origins wraps its
// CORS handler around this one.
func (rp *RelyingParty) Require(next http.Handler, rules ...Rule) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = rp.identified(w, r)
		id := r.Context().Value(contextKey{}).(*identity)
		if !rp.admit(w, r, id) {
			return
		}
		for _, rule := range rules {
			if rule.maxAge > 0 {
				if rp.cfg.Now().Sub(id.session.AuthTime) > rule.maxAge {
					rp.audit(r, Event{Kind: AccessRefused, Reason: "step_up"}.of(id.session))
					rp.stepUp(w, r, rule)
					return
				}
			} else if rule.allow == nil || !rule.allow(id.session) {
				rp.fail(w, r, &failure{page: "forbidden", status: http.StatusForbidden, reason: "rule", kind: AccessRefused, session: id.session, french: rule.french, english: rule.english})
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// admit answers a request that may not go on, and reports whether it may.
func (rp *RelyingParty) admit(w http.ResponseWriter, r *http.Request, id *identity) bool {
	switch id.state {
	case unavailable:
		rp.fail(w, r, &failure{page: "store_down", status: http.StatusServiceUnavailable, reason: "store", err: id.err, kind: AccessRefused, session: id.session})
		return false
	case anonymous, refused:
		rp.unauthenticated(w, r, id)
		return false
	}
	if id.cookie {
		if err := rp.csrf.Check(r); err != nil {
			rp.fail(w, r, &failure{page: "cross_site", status: http.StatusForbidden, reason: "cross_site", err: err, kind: AccessRefused, session: id.session})
			return false
		}
	}
	return true
}

func (rp *RelyingParty) unauthenticated(w http.ResponseWriter, r *http.Request, id *identity) {
	if id.stale {
		rp.cookies.set(w, rp.cookies.session, "", 0)
		if errors.Is(id.err, errTokenExpired) {
			rp.audit(r, Event{Kind: SessionEnded, Reason: "timed_out"}.of(id.session))
		}
	}
	noStore(w)
	back := rp.comeBack(r)
	switch {
	case !isPage(r):
		challenge := "Bearer"
		if id.state == refused {
			challenge = `Bearer error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		rp.writeError(w, r, http.StatusUnauthorized, errorAnswer{Error: "sign_in", LoginURL: rp.LoginURL(back)})
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		redirect(w, rp.LoginURL(back))
	default:
		rp.writePage(w, r, http.StatusUnauthorized, pageData{Key: "post_401", Action: rp.LoginURL(home)})
	}
}

// comeBack returns where a sign-in that r causes leads back to: the page that was
// asked for, by the address that the browser sent, whatever was cut from it since.
// What a POST was sent to is no page to come back to.
func (rp *RelyingParty) comeBack(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return home
	}
	if strings.HasPrefix(r.RequestURI, "/") {
		return rp.returnTarget(r.RequestURI)
	}
	return rp.returnTarget(r.URL.RequestURI()) // the absolute form, to a proxy
}

// stepUp answers a request whose person must prove again who they are.
func (rp *RelyingParty) stepUp(w http.ResponseWriter, r *http.Request, rule Rule) {
	noStore(w)
	back := rp.comeBack(r)
	maxAge := strconv.FormatInt(int64(rule.maxAge/time.Second), 10)
	login := rp.base + "/login?" + url.Values{"return_to": {back}, "max_age": {maxAge}}.Encode()
	if isPage(r) {
		rp.writePage(w, r, http.StatusForbidden, pageData{Key: "step_up", Action: login, french: rule.french, english: rule.english})
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", max_age=`+maxAge) // RFC 9470 3
	rp.writeError(w, r, http.StatusUnauthorized, errorAnswer{Error: "step_up", LoginURL: login, french: rule.french, english: rule.english})
}

// isPage tells a navigation of a browser from a program's call.
func isPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	for _, accept := range r.Header.Values("Accept") {
		for element := range strings.SplitSeq(accept, ",") {
			if value, q := weighed(element); value == "text/html" && q > 0 {
				return true
			}
		}
	}
	return false
}

// redirect sends 303 to a path of ours or an address of PSC. It does not use
// http.Redirect, which rewrites what was checked.
func redirect(w http.ResponseWriter, location string) {
	noStore(w)
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	noStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	body, err := json.Marshal(v)
	if err != nil {
		panic("auth: " + err.Error()) // our own types always encode
	}
	w.WriteHeader(status)
	w.Write(body)
}

func allowMethods(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	noStore(w) // a cache may keep a 405 unasked (RFC 9110 15.5.6)
	w.Header().Set("Allow", strings.Join(methods, ", "))
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}

package auth

import (
	"context"
	"errors"
	"net/http"
)

// logout ends the session here and at PSC. GET asks first, so that an image on
// somebody's page signs nobody out. POST ends it here, and then sends the person
// to PSC to end it there: a person who clicks leaves both, while a time-out ends
// the session only here (and never comes this way).
//
// The page that answers POST continues by itself and by a link. It is no
// redirect, because browsers apply the form-action of the app's page to
// redirects that follow a form.
func (rp *RelyingParty) logout(w http.ResponseWriter, r *http.Request) {
	if !allowMethods(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	id := rp.identify(r)
	if r.Method != http.MethodPost {
		if id.state == signedIn {
			rp.writePage(w, r, http.StatusOK, pageData{Key: "sign_out", Action: rp.LogoutURL()})
		} else {
			rp.writePage(w, r, http.StatusOK, pageData{Key: "signed_out_local", Action: rp.LoginURL(home)})
		}
		return
	}
	if err := rp.csrf.Check(r); err != nil {
		rp.fail(w, r, &failure{page: "cross_site", status: http.StatusForbidden, reason: "cross_site", err: err, kind: AccessRefused, session: id.session})
		return
	}
	if _, any := rp.cookies.get(r, rp.cookies.session); any {
		rp.cookies.set(w, rp.cookies.session, "", 0)
	}
	// All that the request shows is ended, also what admits nobody: a cookie
	// beside a bearer, or a session of which the store cannot tell.
	for _, s := range rp.shown(r) {
		if err := rp.revoked.end(r.Context(), s.ID, rp.sessionEnd(s)); err != nil {
			rp.cfg.Logger.Error("auth: a session was ended in this process only", "error", err)
		}
		rp.cfg.Logger.Info("auth: signed out", "user", s.UserID)
		rp.audit(r, Event{Kind: SessionEnded, Reason: "signed_out"}.of(s))
	}
	leave := ""
	if id.state == signedIn {
		leave = rp.leaveURL(r.Context(), id.session.ID)
	}
	switch {
	case !isPage(r):
		writeJSON(w, http.StatusOK, struct {
			LogoutURL *string `json:"logout_url"` // where to send the browser, to leave PSC too
		}{orNull(leave)})
	case leave != "":
		rp.writePage(w, r, http.StatusOK, pageData{Key: "signing_out", Action: leave, Refresh: true})
	case id.state == signedIn || id.state == unavailable:
		rp.writePage(w, r, http.StatusOK, pageData{Key: "signed_out_here", Action: rp.LoginURL(home)})
	default:
		rp.writePage(w, r, http.StatusOK, pageData{Key: "signed_out_local", Action: rp.LoginURL(home)})
	}
}

// shown returns the sessions whose tokens r carries, as bearer and as cookie.
func (rp *RelyingParty) shown(r *http.Request) []Session {
	bearer, _ := bearerToken(r)
	cookie, _ := rp.cookies.get(r, rp.cookies.session)
	var all []Session
	for _, token := range []string{bearer, cookie} {
		if s, err := rp.tokens.verify(token, rp.cfg.Now()); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// leaveURL returns the address that ends PSC's session, or "" when PSC cannot be
// asked now. Without the ID token PSC would ask the person to confirm.
func (rp *RelyingParty) leaveURL(ctx context.Context, sessionID string) string {
	meta, err := rp.provider.metadata(ctx)
	if err != nil || meta.EndSession == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	hint := ""
	rec, err := rp.cfg.Sessions.Session(ctx, sessionID)
	if err == nil {
		hint, err = rp.vault.open(rec.IDToken, sessionID)
	}
	if err != nil && !errors.Is(err, ErrNoSession) {
		rp.cfg.Logger.Error("auth: no ID token for the sign-out at PSC", "error", err)
	}
	return rp.provider.logoutURL(meta, hint, rp.origin+rp.base+"/signed-out")
}

// signedOut is where PSC sends the person after its own sign-out.
func (rp *RelyingParty) signedOut(w http.ResponseWriter, r *http.Request) {
	if !allowMethods(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	rp.writePage(w, r, http.StatusOK, pageData{Key: "signed_out", Action: rp.LoginURL(home)})
}

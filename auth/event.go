package auth

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
)

// An EventKind says what happened. The words are stable: filters may rely on them.
type EventKind string

const (
	SignedIn      EventKind = "signed_in"       // somebody is in
	SignInRefused EventKind = "sign_in_refused" // by a check, by the app, or because the person cancelled
	SignInFailed  EventKind = "sign_in_failed"  // PSC or the app's store did not do its part
	SessionEnded  EventKind = "session_ended"   // Reason: signed_out, replaced, timed_out
	AccessRefused EventKind = "access_refused"  // to somebody who is signed in; Reason: rule, step_up, cross_site, store
)

// An Event is something for which the operator of a health application must be
// able to answer: who came in and how, who was turned away and why, and how a
// session ended. It holds no token, code, secret or cookie. It names people, by
// their national identifier, once PSC has vouched for it: keep it where a health
// application keeps its journal, not among technical logs.
//
// A sign-in has exactly one event, at its end, and one more if it replaces a
// session of the same browser; a second click has none. The renewal of a session has none. A session
// whose time is over ends without a word; when its browser comes back, that is
// told as timed_out.
type Event struct {
	Kind      EventKind
	Reason    string    // a stable word, such as bad_nonce; empty for SignedIn
	Time      time.Time // by Config.Now
	Reference string    // on the page that the person saw, if there was one

	UserID     string         // empty until the store has told it
	NationalID psc.NationalID // likewise
	TenantID   string
	SessionID  string // ours
	PSCSession string // PSC's sid, of SignedIn
	ACR        string
	AuthMode   string
	First      bool // SignedIn: the user was created

	ClientID   string // Config.ClientID
	Method     string // of the request
	Path       string // without the query, which may hold codes
	RemoteAddr string // of the connection: a proxy's, if there is one
	UserAgent  string // at most 200 bytes, as the browser says
}

// An AuditLog keeps events.
type AuditLog interface {
	// Audit is called while the request waits, so that no answer leaves before
	// its event is kept; it should be quick. ctx does not end with the request.
	// An error is logged and changes nothing: who is allowed in gets in.
	Audit(ctx context.Context, e Event) error
}

// audit hands an event on, with what the request tells.
func (rp *RelyingParty) audit(r *http.Request, e Event) {
	if rp.cfg.Audit == nil {
		return
	}
	e.Time, e.ClientID = rp.cfg.Now(), rp.cfg.ClientID
	e.Method, e.Path, e.RemoteAddr = r.Method, r.URL.Path, r.RemoteAddr
	e.UserAgent = r.UserAgent()
	e.UserAgent = e.UserAgent[:min(len(e.UserAgent), 200)]
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), feedTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			// A value that somebody panicked with may hold anything; errors are
			// made to be logged.
			err, ok := p.(error)
			if !ok {
				err = fmt.Errorf("a %T", p)
			}
			rp.cfg.Logger.Error("auth: AuditLog panicked", "kind", e.Kind, "reason", e.Reason, "panic", err)
		}
	}()
	if err := rp.cfg.Audit.Audit(ctx, e); err != nil {
		rp.cfg.Logger.Error("auth: an event was not kept", "kind", e.Kind, "reason", e.Reason, "reference", e.Reference, "error", err)
	}
}

// of fills in whose session an event is about.
func (e Event) of(s Session) Event {
	e.UserID, e.NationalID, e.TenantID, e.SessionID = s.UserID, s.NationalID, s.TenantID, s.ID
	e.ACR, e.AuthMode = s.ACR, s.AuthMode
	return e
}

// event is how a failure is told.
func (f *failure) event(reference string) Event {
	e := Event{Kind: f.kind, Reason: f.reason, Reference: reference, UserID: f.user.ID, NationalID: f.user.NationalID}
	if f.session.ID != "" {
		e = e.of(f.session)
	}
	switch {
	case e.Kind != "":
	case f.status >= 500:
		e.Kind = SignInFailed
	default:
		e.Kind = SignInRefused
	}
	return e
}

// Package auth signs French health professionals in with Pro Santé Connect.
//
// PSC says who a person is; the app decides what they may do. After one sign-in
// the app lives on its own short session token, checked locally on every
// request, never on PSC's two-minute tokens.
//
// The first three names to know are [Config], [New] and [RelyingParty.Require].
package auth

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
)

// Config is what [New] needs. The first group is required.
type Config struct {
	Provider     psc.Environment // psc.Production, psc.Sandbox, or psc.At for the mock
	ClientID     string          // given by ANS
	ClientSecret string          // given by ANS
	RedirectURL  string          // public address of the callback, as registered at PSC to the letter
	Secrets      [][]byte        // ≥ 32 random bytes each; the first signs, all verify
	Users        UserStore       // where users are kept

	// ServiceName is what the pages call the app. Empty means the host of
	// RedirectURL.
	ServiceName string

	// Sessions keeps sign-ins and which sessions were ended. Nil means in memory:
	// a restart then signs everybody out.
	Sessions SessionStore

	// Authorize decides what a person may do, or turns them away with a
	// *Refusal. Any other error is taken for a fault of the app: the person is
	// asked to try again later. Nil lets every PSC user in, with no role and no
	// tenant.
	Authorize func(context.Context, SignIn) (Grant, error)

	// SessionTTL is how long a session token lasts without a request. Zero means
	// 30 minutes.
	SessionTTL time.Duration

	// SessionMax is how long after PSC identified the person a session ends,
	// whatever happens. Zero means 4 hours, the length of PSC's own session.
	SessionMax time.Duration

	// RevocationLag bounds how long another process may still take a session
	// that was ended in this one. Zero means 5 seconds.
	RevocationLag time.Duration

	// AcceptMissingACR takes an ID token without acr for eidas1. PSC sent such
	// tokens in 2023. False refuses them.
	AcceptMissingACR bool

	// HTTPClient is used for all calls to PSC. Nil means one with time-outs that
	// follows no redirect.
	HTTPClient *http.Client

	// Logger receives what operators should know, without secrets and without
	// names. Nil means slog.Default().
	Logger *slog.Logger

	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// A RelyingParty signs people in and guards handlers. It is safe for concurrent
// use.
type RelyingParty struct{}

// New checks cfg and returns a RelyingParty. It reports every fault of the
// configuration at once, and touches no network.
func New(cfg Config) (*RelyingParty, error) { panic("skeleton") }

// ServeHTTP answers login, callback, logout, signed-out and session, all beside
// the callback's path; 404 for any other.
func (rp *RelyingParty) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// Handler answers the paths of ServeHTTP and passes every other request to next,
// with the session in its context where there is one.
func (rp *RelyingParty) Handler(next http.Handler) http.Handler { return next }

// Require lets only requests with a session that meets all rules reach next.
// Others get a redirect to the sign-in (pages) or a JSON 401 or 403.
func (rp *RelyingParty) Require(next http.Handler, rules ...Rule) http.Handler { return next }

// LoginURL returns the path that starts a sign-in and comes back to returnTo.
func (rp *RelyingParty) LoginURL(returnTo string) string { return "" }

// LogoutURL returns the path of the sign-out: POST ends the session, GET asks
// first.
func (rp *RelyingParty) LogoutURL() string { return "" }

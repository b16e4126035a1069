// Package auth signs French health professionals in with Pro Santé Connect.
//
// PSC says who a person is; the app decides what they may do. After one sign-in
// the app lives on its own short session token, checked locally on every
// request, never on PSC's two-minute tokens.
//
// The first three names to know are [Config], [New] and [RelyingParty.Require].
// A whole program:
//
//	db, err := sqlite.Open(ctx, "app.db")
//	rp, err := auth.New(auth.Config{
//		Provider:     psc.Sandbox,
//		ClientID:     os.Getenv("PSC_CLIENT_ID"),
//		ClientSecret: os.Getenv("PSC_CLIENT_SECRET"),
//		RedirectURL:  "https://app.example/auth/callback",
//		Secrets:      [][]byte{secret},
//		Users:        db,
//		Sessions:     db,
//	})
//	mux.Handle("/patients", rp.Require(patients))
//	http.ListenAndServe(addr, rp.Handler(mux))
//
// # Paths
//
// The parent of RedirectURL's path is ours: with …/auth/callback these are
// /auth/login, /auth/callback, /auth/logout, /auth/signed-out and /auth/session.
// [RelyingParty.Handler] answers exactly those and passes all else on. A
// RelyingParty may be mounted on a mux instead, but then
// mux.Handle("/auth/", rp) panics beside a pattern such as "GET /", because
// neither is more specific: write "/" there.
//
// At PSC two addresses are registered: RedirectURL, and the one that ends in
// signed-out.
//
// # Pages and programs
//
// A request is taken for a page when it says Sec-Fetch-Mode: navigate or, without
// that header, when its Accept names text/html. Everything else is a program and
// gets JSON.
//
// # Growing
//
// Several processes need nothing but the same Secrets and one shared SessionStore.
// The states of pending sign-ins that were spent are remembered in each process:
// across processes PSC's single-use code is what stops a replay.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
)

// Config is what [New] needs. The first group is required.
type Config struct {
	Provider     psc.Environment // psc.Production, psc.Sandbox, or psc.At for the mock
	ClientID     string          // given by ANS
	ClientSecret string          // given by ANS; keep it on the server (requirement EXI PSC 22); or ClientCertificate
	RedirectURL  string          // public address of the callback, as registered at PSC to the letter
	Secrets      [][]byte        // at least 32 random bytes each; the first signs, all verify
	Users        UserStore       // where users are kept

	// ClientCertificate authenticates the app by TLS instead of ClientSecret
	// (tls_client_auth, RFC 8705; requirement EXI PSC 24; the only way in the
	// Espace de Confiance). It is asked for each new connection, so that it may
	// change, and must be quick; the private key may be any crypto.Signer, also
	// one in hardware. [CertificateFile] reads PEM files. The log warns 30 days
	// before the certificate ends. Nil means ClientSecret.
	ClientCertificate func() (*tls.Certificate, error)

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
	// 30 minutes. The cookie is renewed once a tenth of it has passed, so a person
	// who does nothing is out after 27 to 30 minutes.
	SessionTTL time.Duration

	// SessionMax is how long after PSC identified the person a session ends,
	// whatever happens. Zero means 4 hours, the length of PSC's own session.
	SessionMax time.Duration

	// RevocationLag bounds how long another process may still take a session
	// that was ended in this one. Zero means 5 seconds.
	RevocationLag time.Duration

	// TrustedOrigins are the origins of your own front ends, such as
	// "http://localhost:5173", whose pages may change things with the session
	// cookie. The app's own origin always may. Nil means no other.
	TrustedOrigins []string

	// Audit is told of every sign-in done, refused or failed, of every end of a
	// session, and of every refused right. Nil means nobody; the Logger hears of
	// them all the same, without names.
	Audit AuditLog

	// AcceptMissingACR takes an ID token without acr for eidas1. PSC sent such
	// tokens in 2023. False refuses them.
	AcceptMissingACR bool

	// HTTPClient makes all calls to PSC. Its redirects are not followed. Nil means
	// one with a time-out of ten seconds, TLS 1.2 at least.
	HTTPClient *http.Client

	// Logger receives what operators should know, without secrets and without
	// names. Nil means slog.Default().
	Logger *slog.Logger

	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// A RelyingParty signs people in and guards handlers. It is safe for concurrent
// use, starts no goroutine that outlives a request, and needs no Close.
type RelyingParty struct {
	cfg      Config
	origin   string // scheme://host of RedirectURL
	base     string // parent of the callback's path, without final slash
	landing  string // the callback's path
	secure   bool   // https: cookies get __Host- and Secure
	cookies  cookieJar
	tokens   tokenKeys
	vault    vault
	provider *provider
	revoked  *revocations
	attempts *attempts
	csrf     *http.CrossOriginProtection
	handlers map[string]http.HandlerFunc
}

// New checks cfg and returns a RelyingParty. It reports every fault of the
// configuration at once, each with the name of its field, and touches no network:
// PSC's metadata and keys are fetched when first needed.
func New(cfg Config) (*RelyingParty, error) {
	redirect, err := cfg.check()
	if err != nil {
		return nil, err
	}
	setDefault(&cfg.ServiceName, redirect.Hostname())
	setDefault(&cfg.SessionTTL, 30*time.Minute)
	setDefault(&cfg.SessionMax, 4*time.Hour)
	setDefault(&cfg.RevocationLag, 5*time.Second)
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	cfg.Now = func() time.Time { return now().UTC() } // what is stored or told is UTC, wherever the server stands
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Authorize == nil {
		cfg.Authorize = func(context.Context, SignIn) (Grant, error) { return Grant{}, nil }
	}
	process := ""
	if cfg.Sessions == nil {
		// Ended sessions would be forgotten at a restart, and live again. Keys
		// that die with the process sign everybody out instead.
		cfg.Sessions = newMemorySessions()
		process = rand.Text()
	}

	rp := &RelyingParty{
		cfg:      cfg,
		origin:   redirect.Scheme + "://" + redirect.Host,
		base:     path.Dir(redirect.Path),
		landing:  redirect.Path,
		secure:   redirect.Scheme == "https",
		provider: newProvider(cfg),
		revoked:  newRevocations(cfg),
		attempts: newAttempts(cfg.Now),
		csrf:     http.NewCrossOriginProtection(),
	}
	// Our own origin too: a proxy may rewrite Host, which is what
	// CrossOriginProtection compares with.
	for _, origin := range append([]string{rp.origin}, cfg.TrustedOrigins...) {
		if err := rp.csrf.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("auth: RedirectURL or TrustedOrigins: %w", err) // check has looked at them
		}
	}
	keys := keyMaker{cfg: cfg}
	rp.cookies = newCookieJar(keys, rp.secure)
	rp.tokens = newTokenKeys(keys, process, rp.origin+rp.base)
	rp.vault = newVault(keys, process)
	rp.handlers = map[string]http.HandlerFunc{
		redirect.Path:           rp.callback,
		rp.base + "/login":      rp.login,
		rp.base + "/logout":     rp.logout,
		rp.base + "/signed-out": rp.signedOut,
		rp.base + "/session":    rp.session,
	}
	return rp, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check reports all faults of cfg at once, and returns RedirectURL parsed.
func (cfg Config) check() (*url.URL, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("auth: "+format, args...)) }

	if _, err := secureURL(cfg.Provider.Issuer); err != nil {
		fault("Provider.Issuer %q: %w", cfg.Provider.Issuer, err)
	}
	if cfg.Provider.Discovery != "" {
		if _, err := secureURL(cfg.Provider.Discovery); err != nil {
			fault("Provider.Discovery %q: %w", cfg.Provider.Discovery, err)
		}
	}
	if cfg.ClientID == "" {
		fault("ClientID is empty: it is given by ANS with the access to the sandbox")
	}
	var transport http.RoundTripper
	if cfg.HTTPClient != nil {
		transport = cfg.HTTPClient.Transport
	}
	faults = append(faults, newClientAuth(cfg).check(transport)...)
	redirect, err := secureURL(cfg.RedirectURL)
	switch {
	case err != nil:
		fault("RedirectURL %q: %w", cfg.RedirectURL, err)
	case redirect.RawQuery != "" || redirect.ForceQuery:
		fault("RedirectURL %q: a callback with a query cannot be told from its parameters", cfg.RedirectURL)
	case redirect.Path != path.Clean(redirect.Path) || redirect.EscapedPath() != redirect.Path || path.Dir(redirect.Path) == "/" || path.Dir(redirect.Path) == ".":
		fault("RedirectURL %q: the path must be clean and have a parent, such as /auth/callback, because the other paths are made beside it", cfg.RedirectURL)
	case reserved(path.Base(redirect.Path)):
		fault("RedirectURL %q: its last part is the name of another path of ours; call it callback", cfg.RedirectURL)
	}
	if len(cfg.Secrets) == 0 {
		fault("Secrets is empty: give at least one secret of 32 random bytes, for instance from: openssl rand -base64 32")
	}
	for i, s := range cfg.Secrets {
		if len(s) < 32 {
			fault("Secrets[%d] has %d bytes: at least 32 random ones are needed", i, len(s))
		}
	}
	if cfg.Users == nil {
		fault("Users is nil: sqlite.Open makes a store")
	}
	for _, origin := range cfg.TrustedOrigins {
		if err := http.NewCrossOriginProtection().AddTrustedOrigin(origin); err != nil {
			fault("TrustedOrigins: %w", err)
		} else if _, err := secureURL(origin); err != nil {
			fault("TrustedOrigins %q: %w", origin, err)
		}
	}
	if cfg.SessionTTL < 0 || cfg.SessionTTL > 0 && cfg.SessionTTL < time.Minute {
		fault("SessionTTL %v: at least a minute", cfg.SessionTTL)
	}
	if cfg.SessionMax < 0 || cfg.SessionMax > 0 && cfg.SessionMax < 5*time.Minute {
		fault("SessionMax %v: at least five minutes, because a sign-in with less than one left begins anew", cfg.SessionMax)
	}
	if cfg.RevocationLag < 0 {
		fault("RevocationLag %v: not negative", cfg.RevocationLag)
	}
	return redirect, errors.Join(faults...)
}

func reserved(name string) bool {
	switch name {
	case "login", "logout", "signed-out", "session", "token", "jwks.json", "backchannel-logout":
		return true
	}
	return false
}

// secureURL parses an absolute address that is https, or http on loopback.
func secureURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("not an address")
	case u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "":
		return nil, errors.New("an absolute address without user and fragment is needed")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("it must be https; http is for loopback only")
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ServeHTTP answers login, callback, logout, signed-out and session, all beside
// the callback's path; 404 for any other.
func (rp *RelyingParty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := rp.handlers[r.URL.Path]; ok {
		h(w, r)
		return
	}
	noStore(w) // a cache may keep a 404 unasked, and this one may be a callback's misspelt (RFC 9110 15.5.5)
	http.NotFound(w, r)
}

// Handler answers the paths of [RelyingParty.ServeHTTP] and passes every other
// request to next, with the session in its context where there is one
// ([SessionFromContext]). It lets everybody through: [RelyingParty.Require] is
// what guards.
//
// What a person who is signed in receives is marked private, no-store. A handler
// may say otherwise for what is the same for everybody, such as style sheets, but
// not for a page: its answer may carry the person's renewed cookie.
func (rp *RelyingParty) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := rp.handlers[r.URL.Path]; ok {
			h(w, r)
			return
		}
		next.ServeHTTP(w, rp.identified(w, r))
	})
}

// LoginURL returns the path that starts a sign-in and then comes back to
// returnTo, a path of the app. Anything that leads elsewhere becomes "/".
func (rp *RelyingParty) LoginURL(returnTo string) string {
	return rp.base + "/login?" + url.Values{"return_to": {safeReturn(returnTo)}}.Encode()
}

// LogoutURL returns the path of the sign-out: a POST ends the session here and
// at PSC, a GET asks first.
func (rp *RelyingParty) LogoutURL() string { return rp.base + "/logout" }

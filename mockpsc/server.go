package mockpsc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// realmPath is the path of PSC's only realm; an issuer is a base URL followed
// by it, and the wallet's /auth lies directly under the base URL.
const realmPath = "/auth/realms/esante-wallet"

const (
	ticketTTL  = 2 * time.Minute  // a QR code or a notification
	attemptTTL = 15 * time.Minute // a sign-in page left open
)

const (
	maxRequests = 10_000  // bounds the log of a server that runs for weeks
	maxPath     = 512     // of each, in bytes
	maxBody     = 1 << 16 // no form here is near as long
	maxAttempts = 10_000  // sign-ins under way; the oldest goes for the next

	phonePath = "/_mock/phone/"
)

// A Server is a mock Pro Santé Connect. It is an [http.Handler], and its zero
// value works: it answers requests to a loopback host, with the default client
// and the 24 personas.
//
// Fields must not be changed after the first request. A Server must not be
// copied after first use. All methods are safe for concurrent use.
type Server struct {
	// Issuer is the issuer identifier, "<scheme>://<host>/auth/realms/esante-wallet".
	// The mock must be served at the root of that host. If empty, it is built
	// from the Host of each request, provided that is a loopback host; any
	// other Host is answered 500 with an explanation, because an issuer guessed
	// from what a stranger sends is no issuer. One under esante.gouv.fr is refused.
	Issuer string

	// WalletURL is the base URL of a second host for the pages, as the real service
	// has one: its sign-in page is on “wallet”, all the rest, issuer included, on
	// “auth”. It is scheme://host without a path, such as "http://localhost:9090"
	// beside an Issuer on 127.0.0.1:9090: the mock must be served at both, and
	// answers at each only what belongs there; the front page and the phone are at
	// both. It needs an Issuer of the same
	// scheme. If empty, the pages are on the issuer's host.
	WalletURL string

	// TrustForwarded builds the issuer from X-Forwarded-Proto and X-Forwarded-Host
	// where a request has them, which may then name any host. It is for a mock
	// behind a proxy that sets both itself, and excludes Issuer. The default
	// ignores these headers: anybody can send them.
	TrustForwarded bool

	// Lenient, if not nil, is told of each rule that a request breaks and that a
	// milder provider would not mind, and the request passes: a missing state or
	// nonce, another acr_values or scope, an unknown or contradictory prompt, a bad
	// max_age, request objects and response_mode (ignored), PKCE with plain, a
	// code_verifier without a challenge, a secret given twice. A CIBA request is
	// never let pass. It is called while a request waits, with a sentence that
	// holds no secret, and may call methods of the Server. The default refuses.
	Lenient func(rule string)

	// Clients are the declared applications. If empty, there is one, "carelink"
	// with the secret "carelink-secret", whose redirect and post-logout
	// addresses may be any http or https URL of a loopback host.
	Clients []Client

	// Now tells the time. If nil, time.Now.
	Now func() time.Time

	// CA issues and recognises certificates; see NewCA. If nil, one made once per
	// process, which is what tests want. Its Leaf must be set.
	CA *tls.Certificate

	// URL is the base URL without a final slash, such as
	// "http://127.0.0.1:41234". NewServer and NewTLSServer set it; nothing reads it.
	URL string

	// HidePersonas hides the panel of personas beside the sign-in page, for
	// screenshots and demonstrations; the phone stays. The default shows it.
	HidePersonas bool

	// Lifetimes are those of what the mock gives out. Each client may have its own.
	Lifetimes Lifetimes

	// Assume chooses among what the real service may do where nobody knows.
	Assume Assumptions

	// PersonaFiles holds the documents of more people: every *.json at its root,
	// in the form of mockpsc/personas in this module. One whose id is that of a
	// built-in persona takes that one's place; the others come after them. A bad
	// document is a fault of the configuration; see Check.
	PersonaFiles fs.FS

	// ConfirmSSO asks a person who is signed in already whether to go on to the
	// next application, so that nobody goes on as a colleague on a shared
	// computer. Whether the real service asks is not known; the default goes on.
	ConfirmSSO bool

	// Delegation shows the third tab of the sign-in page, « Délégation », by which
	// somebody signs in at the identity provider of a simulated hospital; a
	// kc_idp_hint, whatever its value, leads there at once. The real service
	// shows the tab only where it is enabled.
	Delegation bool

	// Auto signs people in without a page, for programs. It is a persona, such
	// as "dr-dupont" or "dr-dupont/card": whoever asks is signed in as that one.
	// Or it is "login_hint": who is named by the request's login_hint, as a
	// persona or by an identifier, is signed in; an unknown one is refused on a
	// page for the developer, and a request without a hint is shown the sign-in
	// page. prompt=none is answered as ever: with login_required if nobody is
	// signed in. The default shows the sign-in page.
	Auto string

	// PhoneURL is the base URL without a final slash, such as
	// "http://192.168.1.20:9091", at which a real phone reaches PhoneHandler: the
	// QR codes lead there. If empty, they lead to the mock itself, which on a
	// loopback host no phone can reach; the page says so. One under
	// esante.gouv.fr is refused.
	PhoneURL string

	// OpenConsole opens the console, /_mock/, and its API, /_mock/api/, to more
	// than this machine: to whoever reaches a mock whose Issuer is not on a
	// loopback host, or that stands behind a proxy. Whoever opens them changes the
	// clock, the keys, the people and the lies. The default answers on a loopback
	// host to a loopback address only.
	OpenConsole bool

	once sync.Once
	mux  *http.ServeMux
	err  error       // what Check found
	docs []*document // the people at the start, in order
	keys keyring

	written writtenPages

	telling telling

	mu         sync.Mutex
	people     map[string]*person  // by persona id
	attempts   map[string]*attempt // sign-ins under way, by handle
	endings    map[string]ending   // those that are over
	tickets    map[string]*attempt // attempts, by what the phone was shown
	sessions   map[string]*session // SSO sessions, by sid
	grants     map[string]*grant   // by the digest of the authorization code
	access     map[string]issued   // by the digest of the access token
	refreshes  map[string]issued   // by the refresh token's jti, those already spent too
	requests   []*Request
	lastSweep  time.Time
	drill      *drill // under way; see Drill
	drillSince time.Time
	armed      []Fault // of the keys, for whoever reads them next
	armedBy    *Client // whose sign-in did

	driven driven // by the console and its API

	cibaRequests []*cibaRequest // oldest first

	activations    map[string]*activation // by handle
	activatePhones map[string]*activation // by what a phone was shown
}

// A Request is one request that a [Server] has seen. It holds no secret: no
// query, no body, no header.
type Request struct {
	Time     time.Time
	Method   string
	Path     string // without the query
	ClientID string // the declared client that the request named or belonged to; "" if none
	Status   int    // 0 while the request is being answered
}

// ServeHTTP answers at the paths of the real service. See the package comment
// for what is refused and how.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.admit(w, r)
	if a == nil {
		return
	}
	if isDriving(r) {
		if s.closed(a, r) {
			return
		}
	} else {
		a.trace = &trace{r: r}
		defer a.keepTrace() // of an answer that never came
	}
	if problem := s.checkHost(r); problem != "" {
		a.fail(http.StatusInternalServerError, "issuer_not_configured", problem)
		return
	}
	r, err := lying(r)
	if err != nil {
		a.fail(http.StatusNotFound, "not_found", err.Error())
		return
	}
	if a.trace != nil {
		a.trace.r = r // whose form will be read
	}
	if s.misplaced(a, r) {
		return
	}
	if s.drilled(a, r) {
		return
	}
	s.mux.ServeHTTP(a, r)
}

// admit notes a request and bounds it. It answers and returns nil if this server
// cannot serve.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) *answer {
	s.once.Do(s.init)
	w.Header().Set("X-Mock-PSC", "1")

	s.mu.Lock()
	driving := isDriving(r)
	entry := &Request{Time: s.now(), Method: own(r.Method), Path: own(shortPath(r))}
	if strings.HasPrefix(entry.Path, phonePath) {
		entry.Path = phonePath + "{ticket}" // the rest is a secret
	} else if strings.HasPrefix(entry.Path, readerPath) {
		entry.Path = readerPath + "{ticket}"
	}
	if !driving {
		s.note(entry)
	}
	s.sweep()
	s.mu.Unlock()

	a := &answer{ResponseWriter: w, server: s, entry: entry}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if s.err != nil {
		a.fail(http.StatusInternalServerError, "invalid_configuration", s.err.Error())
		return nil
	}
	return a
}

// shortPath is the path of a request as it is noted: clean, so that
// "//_mock/phone/x" does not escape the mask, and not as long as strangers like.
func shortPath(r *http.Request) string {
	p := path.Clean(r.URL.Path)
	return p[:min(len(p), maxPath)]
}

// note keeps a request. Called with s.mu held.
func (s *Server) note(entry *Request) {
	if len(s.requests) >= maxRequests {
		s.requests = slices.Delete(s.requests, 0, maxRequests/10)
	}
	s.requests = append(s.requests, entry)
}

// Check reports every fault of the configuration at once, each with the field
// it is in; nil means that the server can serve. ServeHTTP answers 500 with the
// same text, so that a program may call Check before it listens or not at all.
func (s *Server) Check() error {
	errs := []error{s.checkAddresses(), s.checkPhoneURL(), s.checkCA(), s.checkClients(), s.Lifetimes.check("Lifetimes"), s.Assume.check()}
	if docs, err := s.documents(); err != nil {
		errs = append(errs, err)
	} else if err := s.checkAuto(docs); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Requests returns every request seen since the start or the last Reset, in the
// order of their arrival, but for those to the console and its API; of more than
// 10,000 only the latest are kept.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.requests))
	for i, r := range s.requests {
		list[i] = *r
	}
	return list
}

// Change applies a change of situation to a persona, such as "moves" to
// "inf-roux": from the next sign-in on, the provider knows the person as
// changed. The changes of each are in [Persona].Changes. An unknown persona or
// change is an error.
func (s *Server) Change(persona, change string) error {
	if change == "" {
		return fmt.Errorf("mockpsc: no change of persona %q is named", persona)
	}
	_, err := s.changePersona(persona, change, "", "")
	return err
}

// Reset forgets sign-ins, sessions, tokens, blocked cards and e-CPS, activations
// of e-CPS, changes of situation, people added by the console, queued faults, a
// drill and the requests seen, and time is that of Now again. The keys stay.
func (s *Server) Reset() {
	s.once.Do(s.init)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset()
}

func (s *Server) init() {
	s.err = s.Check()
	if s.docs, _ = s.documents(); s.docs == nil { // a fault, which Check has found
		s.docs = roster()
	}
	s.mux = http.NewServeMux()
	s.routes()
	s.reset()
	go warmKeys() // so that the first sign-in does not wait for RSA keys
}

func (s *Server) reset() {
	s.people = map[string]*person{}
	for _, d := range s.docs {
		p := &person{original: d}
		p.become(&d.situation)
		s.people[d.ID] = p
	}
	s.driven.reset()
	s.armed, s.armedBy, s.lastSweep = nil, nil, time.Time{}
	s.keys.onTime(s.now())
	s.attempts = map[string]*attempt{}
	s.endings = map[string]ending{}
	s.tickets = map[string]*attempt{}
	s.sessions = map[string]*session{}
	s.grants = map[string]*grant{}
	s.cibaRequests = nil
	s.activations = map[string]*activation{}
	s.activatePhones = map[string]*activation{}
	s.access = map[string]issued{}
	s.refreshes = map[string]issued{}
	s.requests = nil
	s.drill = nil
}

// routes lists every door of the mock, in the order in which a sign-in passes them.
func (s *Server) routes() {
	oidc := realmPath + "/protocol/openid-connect"
	handle := func(pattern string, h func(*answer, *http.Request)) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h(w.(*answer), r) })
	}
	handle("GET /{$}", s.start)
	handle("GET /auth/data", s.dataPage)

	handle("GET "+realmPath+"/.well-known/wallet-openid-configuration", s.metadata)
	handle("GET "+realmPath+"/.well-known/openid-configuration", s.metadata)
	handle("GET "+oidc+"/certs", s.certs)

	handle("GET /auth", s.authorize)
	handle("POST /auth", s.authorize)
	handle("GET "+oidc+"/auth", s.authorize)
	handle("POST "+oidc+"/auth", s.authorize)
	handle("POST /auth/sign-in", s.signInDoor)
	handle("POST /auth/ecps", s.ecps)
	handle("GET /auth/wait", s.wait)
	handle("POST /auth/wait", s.wait)
	handle("GET /auth/status", s.status)
	handle("GET /auth/card", s.card)
	handle("POST /auth/card", s.card)
	handle("GET /auth/delegation", s.delegation)
	handle("POST /auth/delegation", s.delegation)
	handle("GET /auth/confirm", s.confirm)
	handle("POST /auth/confirm", s.confirm)
	handle("POST /auth/cancel", s.cancel)
	handle("GET "+phonePath+"{ticket}", s.phone)
	handle("POST "+phonePath+"{ticket}", s.phone)
	handle("GET "+readerPath+"{ticket}", s.reader)
	handle("POST "+readerPath+"{ticket}", s.reader)
	handle("GET "+activationPath, s.activate)
	handle("POST "+activationPath, s.activate)
	handle("GET "+activationPath+"/status", s.activationStatus)
	handle("GET "+phonePath+"activation/{ticket}", s.activationPhone)
	handle("POST "+phonePath+"activation/{ticket}", s.activationPhone)

	handle("POST "+oidc+"/token", s.token)
	handle("POST "+oidc+"/ext/ciba/auth", s.ciba)
	handle("POST "+oidc+"/token/introspect", s.introspect)
	handle("POST "+oidc+"/revoke", s.revoke)
	handle("GET "+oidc+"/userinfo", s.userinfo)
	handle("POST "+oidc+"/userinfo", s.userinfo)
	handle("GET "+oidc+"/logout", s.logout)
	handle("POST "+oidc+"/logout", s.logout)

	for _, path := range []string{
		"/auth/device", "/ext/par/request", "/login-status-iframe.html",
	} {
		handle(oidc+path, s.notImitated)
	}
	handle(realmPath+"/clients-registrations/openid-connect", s.notImitated)

	handle("GET "+apiRealm+"/.well-known/openid-configuration", s.apiMetadata)
	handle("GET "+apiRealm+"/protocol/openid-connect/certs", s.apiCerts)
	handle("POST "+apiRealm+"/protocol/openid-connect/token", s.exchange)
	for _, d := range doors() {
		handle(d.method+" "+d.path, func(a *answer, r *http.Request) {
			if !s.closed(a, r) { // once more: ServeMux may read a path otherwise than isDriving
				d.open(s, a, r)
			}
		})
	}
	handle("/", s.notFound)
}

// notImitated answers at endpoints that the metadata advertises, because the
// real document does, and that this mock does not have: an honest 501 rather
// than an answer that only looks right.
func (s *Server) notImitated(a *answer, r *http.Request) {
	a.fail(http.StatusNotImplemented, "not_implemented", "this mock does not imitate "+r.URL.Path)
}

// notFound answers where nothing is, and where something is for another method.
func (s *Server) notFound(a *answer, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := *r
		other.Method = method
		if _, pattern := s.mux.Handler(&other); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
		}
	}
	asked := strings.Replace(r.Method, http.MethodHead, http.MethodGet, 1) // a HEAD is a GET here
	if len(allowed) > 0 && !slices.Contains(allowed, asked) {
		a.Header().Set("Allow", strings.Join(allowed, ", "))
		a.fail(http.StatusMethodNotAllowed, "method_not_allowed", a.entry.Path+" is not for "+r.Method)
		return
	}
	a.fail(http.StatusNotFound, "not_found", "no such path at this mock: "+a.entry.Path+"; the issuer's path is "+realmPath)
}

func (s *Server) now() time.Time {
	return s.driven.clock.Load().shift(s.trueNow())
}

func (s *Server) trueNow() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// sweep drops what has expired, once a minute. Called with s.mu held.
func (s *Server) sweep() {
	now := s.now()
	if now.Sub(s.lastSweep) < time.Minute {
		return
	}
	s.lastSweep = now
	s.sweepCIBA(now)
	s.sweepActivations(now)
	for id, at := range s.attempts {
		if now.Sub(at.started) > 2*attemptTTL { // the second half lets the page say what has expired
			delete(s.attempts, id)
			delete(s.tickets, at.ticket.id)
		}
	}
	for id, e := range s.endings {
		if now.Sub(e.started) > 2*attemptTTL {
			delete(s.endings, id)
		}
	}
	for id, at := range s.tickets { // one that was made while its attempt ended
		if now.Sub(at.ticket.made) > 2*attemptTTL {
			delete(s.tickets, id)
		}
	}
	for sid, ses := range s.sessions {
		if now.After(ses.ends()) {
			delete(s.sessions, sid)
		}
	}
	s.sweepTokens(now)
	for code, g := range s.grants {
		_, renewable := s.refreshes[g.refresh]
		if now.Sub(g.issued) > g.lives.Code+g.lives.AccessToken && !renewable { // until then a code that comes back takes its tokens along
			delete(s.grants, code)
		}
	}
	s.giveBack()
}

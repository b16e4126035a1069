// Package check tries an application of any language that is configured with the
// mock, as a browser does: an honest sign-in shows what “signed in” looks like,
// and then every fault of the mock and every rule of Pro Santé Connect's is
// tried. It speaks HTTP only, to the mock and to the application.
package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// Options say what to try. Mock, App and SignedIn are required.
type Options struct {
	Mock     string // base URL
	App      string // where a person begins to sign in
	SignedIn string // a page that wants a sign-in: a path at App, or an address

	Persona     string                  // who signs in; "" means dr-dupont
	Logout      string                  // path; "" means the one that the page of SignedIn names, if any
	ReturnParam string                  // of App, with the way back; "" means that it is looked for
	Restart     string                  // shell command that restarts the application; "" means that it keeps what it has read
	Parallel    int                     // browsers at a time; 0 means 4
	Timeout     time.Duration           // of one step; 0 means 15 seconds
	Quick       bool                    // leave out what takes a minute
	Roots       *x509.CertPool          // beside the system's; for a mock or an application with a CA of its own
	Only        func(fault string) bool // by name; nil means all
}

// A Case is one thing tried.
type Case struct {
	ID       string `json:"id"` // such as "fault:expired" or "rule:state-missing"
	Group    string `json:"group"`
	Status   string `json:"status"` // "passed", "failed" or "skipped"
	Rule     string `json:"rule,omitempty"`
	Severity string `json:"severity,omitempty"`
	Seen     words  `json:"seen"` // of what failed: what was seen; of what was skipped: why
	How      string `json:"how,omitempty"`

	hindered bool // skipped because something went wrong, not by choice
	another  bool // another person's session was opened
}

const (
	passed  = "passed"
	failed  = "failed"
	skipped = "skipped"
)

type checker struct {
	opt      Options
	http     *http.Client
	once     *http.Client // that keeps no connection
	app      *url.URL
	signedIn *url.URL
	begin    *url.URL // which of the two leads to the mock
	base     *url.URL // of the mock
	mocks    map[string]bool
	hosts    map[string]bool
	like     likeness
	client   string // id
	issuer   string
	patience *patience

	running sync.RWMutex  // held alone by who has the application started again
	dead    bool          // it did not come back; guarded by running
	startup time.Duration // how long it took to start, if it was seen to

	silence  time.Duration // how long it bears a connection that says nothing; guarded by running
	measured bool

	mu       sync.Mutex
	cases    []Case
	requests []*url.URL // honest authorization requests
	urls     []*url.URL // all that the application had the browser visit
	unwell   []string   // faults after which an honest sign-in failed
	recent   []mockpsc.Fault
	silent   int // faults in a row that the application did not even begin a sign-in for in time
}

// Run tries everything. An error says that nothing can be said about the
// application, and why.
func Run(ctx context.Context, opt Options) (*Report, error) {
	started := time.Now()
	c, err := newChecker(ctx, opt)
	if err != nil {
		return nil, err
	}
	if err := c.greet(ctx); err != nil {
		return nil, err
	}
	if err := c.honest(ctx); err != nil {
		return nil, err
	}
	defer c.unqueue(context.WithoutCancel(ctx))   // what nobody came to fetch
	if c.requests[0].Query().Get("state") == "" { // then faults wait for whoever comes next
		c.opt.Parallel = 1
	}
	c.watched(ctx, "request", c.request, 0)
	c.watched(ctx, "callback", c.binding, 0)
	c.watched(ctx, "session", c.cookies, 0)
	c.watched(ctx, "return", c.returnPath, 0)
	c.watched(ctx, "logout", c.logout, aWhile) // or a fault is blamed for what these did
	c.faults(ctx)
	c.drills(ctx)
	c.secrets()
	return c.report(time.Since(started)), nil
}

func newChecker(ctx context.Context, opt Options) (*checker, error) {
	if opt.Persona == "" {
		opt.Persona = "dr-dupont"
	}
	if opt.Parallel < 1 {
		opt.Parallel = 4
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 15 * time.Second
	}
	c := &checker{opt: opt, mocks: map[string]bool{}, hosts: map[string]bool{}, silence: 2 * time.Second}
	var err error
	if c.base, err = url.Parse(opt.Mock); err != nil || c.base.Host == "" {
		return nil, fmt.Errorf("check: -mock %q is no address; want such as http://127.0.0.1:9090", opt.Mock)
	}
	if c.app, err = url.Parse(opt.App); err != nil || c.app.Host == "" {
		return nil, fmt.Errorf("check: the application %q is no address; want such as http://localhost:8080/auth/login", opt.App)
	}
	if c.signedIn, err = c.app.Parse(opt.SignedIn); err != nil || opt.SignedIn == "" {
		return nil, fmt.Errorf("check: -signed-in %q is no path; want a page that only shows to who is signed in", opt.SignedIn)
	}
	if c.app.Host == c.base.Host {
		return nil, fmt.Errorf("check: the application and the mock have one host, %s, and cannot be told apart; give one of them another name or port", c.app.Host)
	}
	c.mocks[c.base.Host] = true
	c.hosts[c.app.Hostname()], c.hosts[c.signedIn.Hostname()] = true, true
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 16
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	if opt.Roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: opt.Roots}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.patience = &patience{run: ctx, step: opt.Timeout}
	c.http = &http.Client{Transport: c.patience.with(transport), CheckRedirect: stay}
	transport = transport.Clone()
	transport.DisableKeepAlives = true
	c.once = &http.Client{Transport: c.patience.with(transport), CheckRedirect: stay}
	return c, nil
}

// Patience waits where the application says 429 (RFC 6585 4): else most of the
// check would be answered with that, and nothing tried.
type patience struct {
	run    context.Context // a step's own has no time to wait
	step   time.Duration
	waited atomic.Bool
	spent  atomic.Bool // the application wants more of it: nothing waits any more
}

// longest is what one request waits for at most.
const longest = time.Minute

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (p *patience) with(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		for began := time.Now(); err == nil && resp.StatusCode == http.StatusTooManyRequests && p.wait(resp, began); {
			resp.Body.Close()
			limit, cancel := context.WithTimeout(p.run, p.step)
			context.AfterFunc(limit, cancel) // the body is still to be read
			again := req.Clone(limit)
			if req.GetBody != nil {
				if again.Body, err = req.GetBody(); err != nil {
					return nil, err
				}
			}
			resp, err = next.RoundTrip(again)
		}
		return resp, err
	})
}

// wait waits as long as the answer says, and reports whether to ask again.
func (p *patience) wait(resp *http.Response, began time.Time) bool {
	if p.spent.Load() || resp.Header.Get("X-Mock-PSC") != "" {
		return false
	}
	delay := 5 * time.Second
	said := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(said); err == nil {
		delay = time.Duration(min(max(n, 1), 3600)) * time.Second
	} else if at, err := http.ParseTime(said); err == nil {
		delay = max(time.Until(at), time.Second)
	}
	if time.Since(began)+delay > longest {
		p.spent.Store(true)
		return false
	}
	p.waited.Store(true)
	select {
	case <-time.After(delay):
		return true
	case <-p.run.Done():
		return false
	}
}

// greet finds the mock's doors.
func (c *checker) greet(ctx context.Context) error {
	b := c.browser()
	p := b.step(ctx, http.MethodGet, c.base.ResolveReference(&url.URL{Path: realmPath + "/.well-known/wallet-openid-configuration"}), nil)
	var doc struct {
		Issuer        string `json:"issuer"`
		Authorization string `json:"authorization_endpoint"`
	}
	if p.err != nil {
		return noAnswer("mock", p.err)
	}
	if err := json.Unmarshal(p.body, &doc); err != nil || !p.fromMock() {
		return fmt.Errorf("check: at %s there is no mockpsc, or a drill is on", c.base)
	}
	u, err := url.Parse(doc.Authorization)
	if err != nil || u.Host == "" {
		return fmt.Errorf("check: the mock's metadata name no sign-in page: %q", doc.Authorization)
	}
	c.mocks[u.Host], c.issuer = true, doc.Issuer
	if err := c.call(ctx, http.MethodGet, "/_mock/api/faults", nil); err != nil {
		return fmt.Errorf("%w; it is needed to choose what the mock does", err)
	}
	return nil
}

const realmPath = "/auth/realms/esante-wallet"

// honest learns what “signed in” looks like.
func (c *checker) honest(ctx context.Context) error {
	outs := []sight{c.browser().look(ctx), c.browser().look(ctx)} // twice, for what changes by itself
	if err := outs[0].page.err; err != nil {
		return noAnswer("application", err)
	}
	var ends []*page
	for _, at := range []*url.URL{c.app, c.signedIn} {
		auth, p := c.browser().begin(ctx, at)
		if auth != nil {
			c.begin, c.client = at, auth.Query().Get("client_id")
			break
		}
		ends = append(ends, p)
	}
	if c.begin == nil {
		return c.whyNoWay(ends[0], ends[1])
	}
	enter := func(persona string) (sight, error) {
		b := c.browser()
		way, err := b.signIn(ctx, c.begin, persona)
		c.note(b)
		switch {
		case err != nil:
			return sight{}, err
		case way.callback == nil:
			hint := ""
			if strings.Contains(way.rule, " is required") {
				hint = " (with mockpsc -lenient it lets that pass, and the rest can be tried)"
			}
			return sight{}, fmt.Errorf("check: the mock refuses the sign-in: %s%s", way.rule, hint)
		}
		c.hosts[way.callback.Hostname()] = true
		c.requests = append(c.requests, way.auth)
		return b.look(ctx), nil
	}
	in, err := enter(c.opt.Persona)
	if err != nil {
		return err
	}
	again, err := enter(c.opt.Persona)
	if err != nil {
		return err
	}
	// Others whom the application may let in, or not. Whom the faults slip in is
	// among the first of the mock's list.
	self, _, _ := strings.Cut(c.opt.Persona, "/")
	people := mockpsc.Personas()
	named := slices.ContainsFunc(people, func(p mockpsc.Persona) bool { return p.ID == self && in.names(p) })
	var others []sight
	for _, p := range people[:min(5, len(people))] {
		if p.ID == self || !p.ECPS.Works() {
			continue
		}
		s, err := enter(p.ID)
		if err == nil && s.status == in.status && (s.path == in.path && !named || s.names(p) && apart(s.path, in.path) >= -1) {
			others = append(others, s)
		}
	}
	if c.like, err = learn(outs, in, again, others...); err != nil {
		return err
	}
	// Can it serve several at a time?
	if c.opt.Parallel > 1 {
		var wg sync.WaitGroup
		var refused bool
		for range c.opt.Parallel {
			wg.Go(func() {
				if !c.enters(ctx) {
					c.mu.Lock()
					refused = true
					c.mu.Unlock()
				}
			})
		}
		wg.Wait()
		if refused || c.patience.waited.Load() {
			c.opt.Parallel = 1
		}
	}
	if !c.enters(ctx) {
		if c.patience.spent.Load() {
			return errors.New("check: " + tooMany.EN)
		}
		return errors.New("check: an honest sign-in succeeds only sometimes")
	}
	// Who was refused may be shown something else than a stranger is. Last, for an
	// application may not recover from it; if that looks like being in, the faults
	// will tell.
	if refused, ok := c.refused(ctx); ok {
		if like, err := learn(append(outs, refused), in, again, others...); err == nil {
			c.like = like
		}
	}
	return nil
}

// refused is what somebody sees who has turned back at the mock's door.
func (c *checker) refused(ctx context.Context) (sight, bool) {
	b := c.browser()
	auth, _ := b.begin(ctx, c.begin)
	if auth == nil {
		return sight{}, false
	}
	back, err := url.Parse(auth.Query().Get("redirect_uri"))
	if err != nil || !c.known(back) || c.ofMock(back) {
		return sight{}, false
	}
	q := back.Query()
	q.Set("error", "access_denied")
	q.Set("iss", c.issuer)
	if state := auth.Query().Get("state"); state != "" {
		q.Set("state", state)
	}
	back.RawQuery = q.Encode()
	b.finish(ctx, back)
	return b.look(ctx), true
}

// whyNoWay says where the two addresses lead, if not to the mock.
func (c *checker) whyNoWay(app, signedIn *page) error {
	for _, p := range []*page{app, signedIn} {
		switch {
		case p.err != nil:
			return noAnswer("application", p.err)
		case p.status == http.StatusTooManyRequests:
			return errors.New("check: " + tooMany.EN)
		case p.to != nil:
			return fmt.Errorf("check: the application leads to %s, which is not the mock at %s; configure it with this mock", cleaned(p.to), c.base)
		case p.fromMock():
			return fmt.Errorf("check: the application leads to another mock, %s, than %s; configure it with this mock", cleaned(p.url), c.base)
		}
	}
	return fmt.Errorf("check: neither %s (status %d) nor %s (status %d) leads to the mock; give the address where a person begins to sign in",
		c.app, app.status, c.signedIn, signedIn.status)
}

// noAnswer says who does not answer, and what to do if nobody vouches for him.
func noAnswer(who string, err error) error {
	if authority := (x509.UnknownAuthorityError{}); errors.As(err, &authority) {
		return fmt.Errorf("check: nobody vouches for the certificate of the %s: %w; give the CA with -ca", who, err)
	}
	return fmt.Errorf("check: the %s does not answer: %w", who, err)
}

// enters reports whether an honest sign-in of a new browser succeeds.
func (c *checker) enters(ctx context.Context) bool {
	b := c.browser()
	_, err := b.signIn(ctx, c.begin, c.opt.Persona)
	return err == nil && c.like.isIn(b.look(ctx))
}

// in is an honest sign-in in a browser of its own; nil if it fails.
func (c *checker) in(ctx context.Context) (*browser, passage) {
	b := c.browser()
	way, err := b.signIn(ctx, c.begin, c.opt.Persona)
	if err != nil || way.callback == nil || !c.like.isIn(b.look(ctx)) {
		return nil, way
	}
	return b, way
}

// note keeps the addresses that a browser visited.
func (c *checker) note(b *browser) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.urls = append(c.urls, b.visited...)
}

// add keeps a case, unless the check was interrupted: what is seen then is not the
// application's doing.
func (c *checker) add(k Case) {
	if c.patience.run.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cases = append(c.cases, k)
}

// tried adds a case about a rule: broken says what was seen, if anything was.
func (c *checker) tried(group, id string, broken bool, fr, en, how string) {
	k := Case{ID: "rule:" + id, Group: group, Status: passed}
	if broken {
		k.Status, k.Rule, k.Severity, k.Seen, k.How = failed, id, ruleByID[id].severity, words{fr, en}, how
	}
	c.add(k)
}

func (c *checker) skip(group, id, fr, en string) {
	c.add(Case{ID: id, Group: group, Status: skipped, Seen: words{fr, en}})
}

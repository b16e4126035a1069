// Package check tries an application of any language that is configured with the
// mock, as a browser does: an honest sign-in shows what “signed in” looks like,
// and then every fault of the mock and every rule of Pro Santé Connect's is
// tried. It speaks HTTP only, to the mock and to the application.
package check

import (
	"bytes"
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
	"strings"
	"sync"
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
	hosts    hostSet
	like     likeness
	api      bool
	client   string // id

	running sync.RWMutex // held alone by who has the application started again
	dead    bool         // it did not come back; guarded by running

	mu       sync.Mutex
	cases    []Case
	requests []*url.URL // honest authorization requests
	urls     []*url.URL // all that the application had the browser visit
	unwell   []string   // faults after which an honest sign-in failed
}

type hostSet map[string]bool

func (s hostSet) has(host string) bool { return s[host] }

// Run tries everything. An error says that nothing can be said about the
// application, and why.
func Run(ctx context.Context, opt Options) (*Report, error) {
	started := time.Now()
	c, err := newChecker(opt)
	if err != nil {
		return nil, err
	}
	if err := c.greet(ctx); err != nil {
		return nil, err
	}
	if err := c.honest(ctx); err != nil {
		return nil, err
	}
	c.request(ctx)
	c.binding(ctx)
	c.cookies(ctx)
	c.returnPath(ctx)
	c.logout(ctx)
	c.faults(ctx)
	if !c.dead {
		c.drills(ctx)
	}
	c.secrets()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return c.report(time.Since(started)), nil
}

func newChecker(opt Options) (*checker, error) {
	if opt.Persona == "" {
		opt.Persona = "dr-dupont"
	}
	if opt.Parallel < 1 {
		opt.Parallel = 4
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 15 * time.Second
	}
	c := &checker{opt: opt, mocks: map[string]bool{}, hosts: hostSet{}}
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
	c.http = &http.Client{Transport: transport, CheckRedirect: stay}
	transport = transport.Clone()
	transport.DisableKeepAlives = true
	c.once = &http.Client{Transport: transport, CheckRedirect: stay}
	return c, nil
}

// greet finds the mock's doors.
func (c *checker) greet(ctx context.Context) error {
	b := c.browser()
	p := b.step(ctx, http.MethodGet, c.base.ResolveReference(&url.URL{Path: realmPath + "/.well-known/wallet-openid-configuration"}), nil)
	var doc struct {
		Authorization string `json:"authorization_endpoint"`
	}
	if p.err != nil {
		return fmt.Errorf("check: the mock does not answer: %w", p.err)
	}
	if err := json.Unmarshal(p.body, &doc); err != nil || !p.fromMock() {
		return fmt.Errorf("check: at %s there is no mockpsc, or a drill is on", c.base)
	}
	u, err := url.Parse(doc.Authorization)
	if err != nil || u.Host == "" {
		return fmt.Errorf("check: the mock's metadata name no sign-in page: %q", doc.Authorization)
	}
	c.mocks[u.Host] = true
	c.api = b.step(ctx, http.MethodGet, c.base.ResolveReference(&url.URL{Path: "/_mock/api/faults"}), nil).status == http.StatusOK
	return nil
}

const realmPath = "/auth/realms/esante-wallet"

// honest learns what “signed in” looks like.
func (c *checker) honest(ctx context.Context) error {
	out := c.browser().look(ctx)
	if out.page.err != nil {
		return fmt.Errorf("check: the application does not answer: %w", out.page.err)
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
			return sight{}, fmt.Errorf("check: the mock refuses the request of the application: %s (with mockpsc -lenient it lets that pass, and the rest can be tried)", way.rule)
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
	var other *sight
	for _, p := range mockpsc.Personas() { // somebody else whom the application may let in, or not
		if p.ID == c.opt.Persona || !p.ECPS.Works() {
			continue
		}
		if s, err := enter(p.ID); err == nil && s.status == in.status && s.path == in.path {
			other = &s
			break
		}
		if p.ID == "inf-roux" {
			break
		}
	}
	if c.like, err = learn(out, in, again, other); err != nil {
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
		if refused {
			c.opt.Parallel = 1
		}
	}
	if !c.enters(ctx) {
		return errors.New("check: an honest sign-in succeeds only sometimes")
	}
	return nil
}

// whyNoWay says where the two addresses lead, if not to the mock.
func (c *checker) whyNoWay(app, signedIn *page) error {
	for _, p := range []*page{app, signedIn} {
		switch {
		case p.err != nil:
			return fmt.Errorf("check: the application does not answer: %w", p.err)
		case p.to != nil:
			return fmt.Errorf("check: the application leads to %s, which is not the mock at %s; configure it with this mock", cleaned(p.to), c.base)
		case p.fromMock():
			return fmt.Errorf("check: the application leads to another mock, %s, than %s; configure it with this mock", cleaned(p.url), c.base)
		}
	}
	return fmt.Errorf("check: neither %s (status %d) nor %s (status %d) leads to the mock; give the address where a person begins to sign in",
		c.app, app.status, c.signedIn, signedIn.status)
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

func (c *checker) add(k Case) {
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

// faults tries every fault that a sign-in can have, several at a time, and the
// keys one by one, for they are the same to everybody.
func (c *checker) faults(ctx context.Context) {
	var slow, swift, keys, metadata []mockpsc.Fault
	for _, f := range mockpsc.Faults() {
		late := strings.HasSuffix(f.Name, "-hanging") || strings.HasSuffix(f.Name, "-dripping")
		switch {
		case c.opt.Only != nil && !c.opt.Only(f.Name):
		case f.Where == "logout_token":
			c.skip(f.Where, "fault:"+f.Name, "les jetons de déconnexion ne sont pas essayés", "logout tokens are not tried")
		case late && c.opt.Quick:
			c.skip(f.Where, "fault:"+f.Name, "-quick", "-quick")
		case f.Where == "metadata":
			metadata = append(metadata, f)
		case f.Where == "keys":
			keys = append(keys, f)
		case late:
			slow = append(slow, f)
		default:
			swift = append(swift, f)
		}
	}
	var wg sync.WaitGroup
	if c.opt.Parallel > 1 {
		for _, f := range slow {
			wg.Go(func() { c.fault(ctx, f) })
		}
	} else {
		swift = append(swift, slow...)
	}
	next := make(chan mockpsc.Fault)
	for range c.opt.Parallel {
		wg.Go(func() {
			for f := range next {
				c.fault(ctx, f)
			}
		})
	}
	for _, f := range swift {
		if ctx.Err() != nil {
			break
		}
		next <- f
	}
	close(next)
	wg.Wait()
	if c.dead {
		for _, f := range slices.Concat(keys, metadata) {
			c.skip(f.Where, "fault:"+f.Name, "l'application s'est arrêtée", "the application has stopped")
		}
		return
	}
	c.recovers(ctx)
	c.keys(ctx, keys)
	c.metadata(ctx, metadata)
}

// fault tries one. If the application is gone afterwards, it tries that one once
// more and alone, to know whether it was the cause.
func (c *checker) fault(ctx context.Context, f mockpsc.Fault) {
	c.running.RLock()
	if c.dead {
		c.running.RUnlock()
		c.skip(f.Where, "fault:"+f.Name, "l'application s'est arrêtée", "the application has stopped")
		return
	}
	k, ok := c.faultOnce(ctx, f)
	gone := ok && k.Status != passed && !c.listens()
	c.running.RUnlock()
	if gone {
		c.running.Lock()
		defer c.running.Unlock()
		if c.revive(ctx) {
			if k, ok = c.faultOnce(ctx, f); ok && c.listens() {
				c.add(k)
				return
			}
			c.revive(ctx)
		}
		k.Status, k.Rule, k.Severity, k.How = failed, "crashes", serious, f.Name
		k.Seen = words{"l'application s'est arrêtée", "the application has stopped"}
	}
	if ok {
		c.add(k)
	}
}

// faultOnce tries a fault in a new browser, and then an honest sign-in in the same.
func (c *checker) faultOnce(ctx context.Context, f mockpsc.Fault) (Case, bool) {
	b := c.browser()
	way, err := b.signIn(ctx, c.begin, c.opt.Persona, f.Name)
	k, ok := c.judge(ctx, b, f, way, err)
	_, err = b.signIn(ctx, c.begin, c.opt.Persona)
	if err != nil || !c.like.isIn(b.look(ctx)) {
		c.mu.Lock()
		c.unwell = append(c.unwell, f.Name)
		c.mu.Unlock()
	}
	return k, ok
}

// listens reports whether anything is at the application's address.
func (c *checker) listens() bool {
	port := c.app.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[c.app.Scheme]
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(c.app.Hostname(), port), 2*time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// revive waits for the application to come back, started by -restart or by
// whoever watches over it. Called with c.running held.
func (c *checker) revive(ctx context.Context) bool {
	if c.listens() { // another has waited already
		return true
	}
	if c.opt.Restart != "" {
		c.dead = c.restart(ctx) != nil
		return !c.dead
	}
	for range 50 {
		if c.listens() {
			return true
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
	c.dead = true
	return false
}

const markup = `<script>document.title="mockpsc"</script>`

// judge says what became of a sign-in with a fault.
func (c *checker) judge(ctx context.Context, b *browser, f mockpsc.Fault, way passage, err error) (Case, bool) {
	k := Case{ID: "fault:" + f.Name, Group: f.Where, Status: passed, How: f.Name}
	switch {
	case ctx.Err() != nil:
		return k, false
	case errors.Is(err, errNoWay):
		k.Status, k.Seen = skipped, words{"l'application ne mène plus au simulateur", "the application no longer leads to the mock"}
		if f.Where == "metadata" {
			k.Status = passed // as it should
			c.broken(&k, way.end)
		}
		return k, true
	case err != nil || way.callback == nil:
		k.Status = skipped
		k.Seen = words{"le simulateur ne connaît pas ce défaut, ou refuse la demande", "the mock does not know this fault, or refuses the request"}
		return k, true
	}
	seen := b.look(ctx)
	switch {
	case c.like.isIn(seen):
		k.Status, k.Rule, k.Severity = failed, kinOf(f.Name, f.Where).rule, f.Severity
		k.Seen = words{"une session s'est ouverte", "a session was opened"}
		if c.like.another(seen) {
			k.Seen = words{"la session d'une autre personne s'est ouverte", "another person's session was opened"}
		}
	case f.Name == "error-with-markup" && (way.end.err == nil && strings.Contains(string(way.end.body), markup)):
		k.Status, k.Rule, k.Severity = failed, "script-in-error", f.Severity
		k.Seen = words{"le script est dans la page", "the script is in the page"}
	case way.again && !f.MayRestart:
		k.Status, k.Rule, k.Severity = failed, "begins-again", advice
		k.Seen = words{"la connexion a recommencé", "the sign-in began again"}
	default:
		c.broken(&k, way.end)
	}
	return k, true
}

// broken looks whether the application broke down rather than refuse.
func (c *checker) broken(k *Case, end *page) {
	switch {
	case end == nil:
	case end.err != nil && isTimeout(end.err):
		k.Status, k.Rule, k.Severity = failed, "hangs", minor
		k.Seen = words{fmt.Sprint("pas de réponse en ", c.opt.Timeout), fmt.Sprint("no answer within ", c.opt.Timeout)}
	case end.err != nil && c.ofMock(end.url):
	case end.err != nil:
		k.Status, k.Rule, k.Severity = failed, "breaks-down", minor
		k.Seen = words{"la connexion a été coupée", "the connection was broken"}
	case end.status == http.StatusInternalServerError:
		k.Status, k.Rule, k.Severity = failed, "breaks-down", minor
		k.Seen = words{"réponse 500", "answer 500"}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// recovers tries again, in peace, where an honest sign-in failed.
func (c *checker) recovers(ctx context.Context) {
	if len(c.unwell) == 0 {
		c.tried("after", "does-not-recover", false, "", "", "")
		return
	}
	well := c.enters(ctx)
	if !well { // it may have been told to wait
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return
		}
		well = c.enters(ctx)
	}
	list := strings.Join(c.unwell, ", ")
	c.tried("after", "does-not-recover", !well, "une connexion honnête a échoué après : "+list, "an honest sign-in failed after: "+list, c.unwell[0])
}

// keys tries the lies about the keys. An application that keeps those it has
// read never sees them, unless it is restarted.
func (c *checker) keys(ctx context.Context, list []mockpsc.Fault) {
	for _, f := range list {
		if c.opt.Restart != "" {
			if err := c.restart(ctx); err != nil {
				c.skip(f.Where, "fault:"+f.Name, err.Error(), err.Error())
				continue
			}
		}
		b := c.browser()
		way, err := b.signIn(ctx, c.begin, c.opt.Persona, f.Name)
		k, ok := c.judge(ctx, b, f, way, err)
		if !ok {
			return
		}
		if k.Status == passed && c.opt.Restart == "" {
			k.Status = skipped
			k.Seen = words{"refusé, mais peut-être parce que l'application garde les clés qu'elle a lues : essayer avec -restart",
				"refused, but perhaps because the application keeps the keys that it has read: try with -restart"}
		}
		c.add(k)
	}
	if len(list) > 0 && c.opt.Restart == "" {
		c.patient(ctx)
	}
}

// patient waits until an application that was lied to about the keys has read
// them again.
func (c *checker) patient(ctx context.Context) {
	for range 14 {
		if c.enters(ctx) {
			return
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return
		}
	}
	c.tried("after", "does-not-recover", true, "une connexion honnête échoue encore une minute après des mensonges sur les clés",
		"an honest sign-in still fails a minute after lies about the keys", "keys-500")
}

// readings is how often the mock remembers that its metadata were read.
func (c *checker) readings(ctx context.Context) int {
	p := c.browser().step(ctx, http.MethodGet, c.base.ResolveReference(&url.URL{Path: "/_mock/api/requests"}), nil)
	return bytes.Count(p.body, []byte("openid-configuration"))
}

// metadata tries the lies about the metadata, which an application reads when it
// starts.
func (c *checker) metadata(ctx context.Context, list []mockpsc.Fault) {
	for _, f := range list {
		if c.opt.Restart == "" || !c.api {
			c.skip(f.Where, "fault:"+f.Name, "l'application garde ce qu'elle a lu : il faut -restart, et un simulateur avec l'API /_mock/api",
				"the application keeps what it has read: -restart is needed, and a mock with the API /_mock/api")
			continue
		}
		before := c.readings(ctx)
		queue := map[string]any{"client": c.client, "faults": []string{f.Name}, "count": 100}
		if err := c.call(ctx, http.MethodPost, "/_mock/api/faults", queue); err != nil {
			c.skip(f.Where, "fault:"+f.Name, err.Error(), err.Error())
			continue
		}
		if err := c.restart(ctx); err != nil {
			// It reads them when it starts, and rightly does not.
			c.add(Case{ID: "fault:" + f.Name, Group: f.Where, Status: passed})
		} else {
			b := c.browser()
			way, err := b.signIn(ctx, c.begin, c.opt.Persona)
			k, ok := c.judge(ctx, b, f, way, err)
			if !ok {
				return
			}
			if c.readings(ctx) == before {
				k = Case{ID: k.ID, Group: k.Group, Status: skipped, Seen: words{"l'application ne lit pas les métadonnées", "the application does not read the metadata"}}
			}
			c.add(k)
		}
		if err := c.call(ctx, http.MethodDelete, "/_mock/api/faults?client="+url.QueryEscape(c.client), nil); err != nil {
			c.skip(f.Where, "fault:"+f.Name, err.Error(), err.Error())
			return
		}
	}
	if c.opt.Restart != "" && len(list) > 0 && c.api {
		if err := c.restart(ctx); err != nil || !c.enters(ctx) {
			c.tried("after", "does-not-recover", true, "l'application ne repart pas après les métadonnées fausses", "the application does not start again after false metadata", c.opt.Restart)
		}
	}
}

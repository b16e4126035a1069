package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
	"github.com/pscauth/pscauth/mockpsc/clients"
)

// A tried is what one client does about the faults that reach it, and why.
type tried struct {
	mu      sync.Mutex
	results map[string]clients.Result
	reasons map[string]string
}

func (t *tried) put(fault string, r clients.Result, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.results == nil {
		t.results, t.reasons = map[string]clients.Result{}, map[string]string{}
	}
	t.results[fault], t.reasons[fault] = r, why
}

// tryAll tries every fault that reaches a site and that ok chooses. Those of an
// address are tried several at once.
func (s *site) tryAll(d *driver, base string, into *tried, ok func(mockpsc.Fault) bool) {
	var all sync.WaitGroup
	few := make(chan struct{}, s.atOnce)
	for _, f := range mockpsc.Faults() {
		if !clients.Reaches(s.column, f) || !ok(f) {
			continue
		}
		try := func() {
			r, why := s.tryFault(d.browser(f), base, f, d.heard)
			into.put(f.Name, r, why)
		}
		if s.atOnce == 1 {
			try()
			continue
		}
		all.Go(func() {
			switch {
			case clients.Heavy(f):
				d.heavy.Lock()
				defer d.heavy.Unlock()
			case !clients.Slow(f):
				few <- struct{}{}
				defer func() { <-few }()
			}
			try()
		})
	}
	all.Wait()
}

// tryFault tries one fault, in a browser that has been nowhere.
func (s *site) tryFault(b *browser, base string, f mockpsc.Fault, heard <-chan int) (clients.Result, string) {
	start, chosen := base+s.start, f.Name
	if s.lies {
		start, chosen = start+"?lies=~"+url.QueryEscape(f.Name), ""
	}
	if f.Where == "metadata" {
		switch p, err := b.look(start); {
		case err != nil:
			return clients.Breaks, err.Error()
		case p.to == "" && s.broke(p):
			return clients.Breaks, p.short()
		case p.to == "":
			return clients.Refuses, p.short()
		case clients.Misleads(f) || !strings.HasPrefix(p.to, b.mock+"/"):
			return clients.Passes, "leads to " + p.to
		}
	}
	last, err := b.signIn(start, "dr-dupont", "ecps", chosen)
	if err != nil {
		return clients.Breaks, err.Error()
	}
	if s.broke(last) {
		return clients.Breaks, last.short()
	}
	in, userinfo, err := s.signedIn(b, base)
	switch {
	case err != nil:
		return clients.Breaks, err.Error()
	case f.Where == "logout_token":
		if !in {
			return clients.Breaks, "not signed in: " + last.short()
		}
		return s.tryLogout(b, base, heard)
	case !in:
		return clients.Refuses, last.short()
	case !userinfo:
		return clients.Drops, last.short()
	}
	return clients.Passes, last.short()
}

// tryLogout ends the session at PSC, not at the application, and has the
// application told so.
func (s *site) tryLogout(b *browser, base string, heard <-chan int) (clients.Result, string) {
	var told struct{ Hint string }
	p, err := b.look(base + s.show)
	if err == nil {
		err = json.Unmarshal(p.text, &told)
	}
	for len(heard) > 0 {
		<-heard
	}
	if err == nil {
		_, err = b.get(b.mock+"/auth/realms/esante-wallet/protocol/openid-connect/logout?id_token_hint="+told.Hint, nil)
	}
	if err != nil {
		return clients.Breaks, err.Error()
	}
	select {
	case status := <-heard:
		in, _, err := s.signedIn(b, base)
		switch {
		case err != nil || status == 0:
			return clients.Breaks, fmt.Sprint("status ", status, ", ", err)
		case in && status >= http.StatusBadRequest:
			return clients.Refuses, fmt.Sprint("status ", status)
		}
		return clients.Passes, fmt.Sprint("status ", status)
	case <-time.After(5 * time.Second):
		return clients.Breaks, "not told"
	}
}

// signedIn asks whether somebody is signed in, and whether the application has
// userinfo. What they say does not matter here: it may be anything.
func (s *site) signedIn(b *browser, base string) (in, userinfo bool, err error) {
	p, err := b.look(base + s.show)
	if err != nil || p.status != http.StatusOK {
		return false, false, err
	}
	var who struct {
		Userinfo json.RawMessage `json:"userinfo"`
	}
	if s.apart && json.Unmarshal(p.text, &who) == nil && string(who.Userinfo) == "null" {
		return true, false, nil
	}
	return true, true, nil
}

// broke reports whether a page is no refusal, but an accident.
func (s *site) broke(p page) bool { return s.accident && p.status == http.StatusInternalServerError }

var blanks = regexp.MustCompile(`\s+|<(style|script)[^>]*>(?s:.*?)</(style|script)>|<[^>]*>`)

func (p page) short() string {
	text := strings.TrimSpace(string(blanks.ReplaceAll(p.text, []byte(" "))))
	return fmt.Sprintf("%d %.200s", p.status, text)
}

// relay is Apache's back-channel address as the mock knows it: it hands on what
// it is told, so that the moment is known from which the session must be over.
func relay(to string, heard chan<- int, transport http.RoundTripper) http.Handler {
	c := &http.Client{Transport: transport, Timeout: 2 * time.Second}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := 0
		if err := r.ParseForm(); err == nil {
			if resp, err := c.PostForm(to, r.PostForm); err == nil {
				resp.Body.Close()
				status = resp.StatusCode
			}
		}
		select {
		case heard <- status:
		default: // nobody waits: a sign-out at the application
		}
	})
}

// A proxy is oauth2-proxy. It reads metadata when it starts, so that each fault of
// metadata or keys has a process of its own.
type proxy struct {
	program, secret, ca, issuer string
	ports                       []string
}

// start runs oauth2-proxy until stop is called. It returns an error, with what the
// program said, if it ends by itself before it listens.
func (p *proxy) start(port, lies string) (stop func(), err error) {
	var said bytes.Buffer
	cmd := exec.Command(p.program,
		"--provider=oidc", "--oidc-issuer-url="+p.issuer+lies, "--provider-ca-file="+p.ca,
		"--client-id=oauth2-proxy-"+port, "--client-secret="+p.secret, "--redirect-url=http://localhost:"+port+"/oauth2/callback",
		"--scope=openid scope_all", "--acr-values=eidas1", "--code-challenge-method=S256", "--insecure-oidc-skip-nonce=false",
		"--oidc-email-claim=SubjectNameID", "--oidc-groups-claim=SubjectOrganization", "--insecure-oidc-allow-unverified-email", "--email-domain=*",
		"--http-address=127.0.0.1:"+port, "--upstream=static://202", "--skip-provider-button",
		"--cookie-secret="+p.secret, "--cookie-secure=false")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() { cmd.Process.Kill(); <-ended }
	for give := time.After(70 * time.Second); ; {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return stop, nil
		}
		select {
		case <-ended:
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			if strings.Contains(said.String(), "panic:") {
				return nil, errPanic
			}
			return nil, errors.New(lines[len(lines)-1])
		case <-give:
			stop()
			return nil, errPanic
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errPanic = errors.New("it panics, or starts for more than a minute")

// stillThere signs somebody in without a fault: what a client does about faults
// tells nothing if it does the same about the truth.
func (s *site) stillThere(d *driver, base string) error {
	b := d.browser(mockpsc.Fault{})
	last, err := b.signIn(base+s.start, "dr-dupont", "ecps", "")
	if err != nil {
		return fmt.Errorf("%s after the faults: %w", s.column, err)
	}
	if in, _, err := s.signedIn(b, base); err != nil || !in {
		return fmt.Errorf("%s refuses the truth: %s, %w", s.column, last.short(), err)
	}
	return nil
}

// tryProxy tries every fault at oauth2-proxy.
func tryProxy(d *driver, p *proxy, into *tried) error {
	s := &site{column: "oauth2-proxy", start: "/", show: "/oauth2/userinfo", atOnce: 4}
	base := func(port string) string { return "http://localhost:" + port }
	read := func(f mockpsc.Fault) bool { return f.Where == "metadata" || f.Where == "keys" }

	stop, err := p.start(p.ports[0], "")
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	var failed error
	all.Go(func() {
		defer stop()
		if failed = s.stillThere(d, base(p.ports[0])); failed != nil {
			return
		}
		s.tryAll(d, base(p.ports[0]), into, func(f mockpsc.Fault) bool { return !read(f) })
		failed = s.stillThere(d, base(p.ports[0]))
	})
	next := make(chan mockpsc.Fault)
	for _, port := range p.ports[1:] {
		all.Go(func() {
			for f := range next {
				switch stop, err := p.start(port, "~"+f.Name); {
				case errors.Is(err, errPanic):
					into.put(f.Name, clients.Breaks, err.Error())
				case err != nil:
					into.put(f.Name, clients.Refuses, err.Error())
				default:
					r, why := (&site{column: s.column, start: s.start, show: s.show}).tryFault(d.browser(f), base(port), mockpsc.Fault{Where: f.Where, Name: f.Name}, nil)
					into.put(f.Name, r, why)
					stop()
				}
			}
		})
	}
	slow := func(want bool) {
		for _, f := range mockpsc.Faults() {
			if read(f) && clients.Slow(f) == want {
				next <- f
			}
		}
	}
	slow(true)
	slow(false)
	close(next)
	all.Wait()
	return failed
}

// tryLibraries tries the faults at the libraries written in Go, on a mock of
// their own.
func tryLibraries() map[string]*tried {
	mock := &mockpsc.Server{}
	srv := httptest.NewServer(mock)
	defer srv.Close()
	mock.URL = srv.URL
	results, why := clients.TryLibraries(mock)
	all := map[string]*tried{}
	for library, byFault := range results {
		all[library] = new(tried)
		for fault, r := range byFault {
			all[library].put(fault, r, why(library, fault))
		}
	}
	return all
}

// A table is the committed one, which is compared or written.
type table struct {
	root     string // of the repository
	write    bool
	versions map[string]string // of the clients at hand
	explain  bool
}

func (t *table) paths() (matrix, document string) {
	return filepath.Join(t.root, "mockpsc/clients/testdata/matrix.txt"), filepath.Join(t.root, "docs/what-clients-catch.md")
}

// settle compares what was tried with the table, or writes it. It returns how
// many clients were as expected and how many not.
func (t *table) settle(all map[string]*tried) (passed, failed int, err error) {
	matrix, document := t.paths()
	if t.write {
		m := &clients.Matrix{Versions: t.versions, Results: map[string]map[string]clients.Result{}}
		for client, tried := range all {
			for fault, r := range tried.results {
				m.Put(fault, client, r)
			}
		}
		if missing := m.Missing(); len(missing) > 0 {
			return 0, 0, fmt.Errorf("the table is not written: nothing is known of %s", strings.Join(missing, ", "))
		}
		if err := os.WriteFile(matrix, []byte(m.Text()), 0o644); err != nil {
			return 0, 0, err
		}
		return len(all), 0, os.WriteFile(document, []byte(m.Document()), 0o644)
	}
	text, err := os.ReadFile(matrix)
	if err != nil {
		return 0, 0, err
	}
	m, err := clients.ReadMatrix(string(text))
	if err != nil {
		return 0, 0, err
	}
	for client, tried := range all {
		differences := m.Compare(client, tried.results)
		verdict := "FAIL "
		switch {
		case len(differences) == 0:
			passed++
			fmt.Printf("ok    %s: %d faults as in the table\n", client, len(tried.results))
			continue
		case m.Versions[client] != "" && t.versions[client] != "" && m.Versions[client] != t.versions[client]:
			verdict = "note " // another release may do otherwise
			fmt.Printf("note  %s: the table is of version %s, here is %s\n", client, m.Versions[client], t.versions[client])
		default:
			failed++
		}
		for _, difference := range differences {
			name, _, _ := strings.Cut(difference, ":")
			fmt.Printf("%s %s: %s: %s\n", verdict, client, difference, tried.reasons[name])
		}
	}
	return passed, failed, nil
}

// driver makes browsers.
type driver struct {
	mock      string
	transport http.RoundTripper
	heard     chan int // the status of each back-channel logout
	heavy     sync.Mutex
}

// browser is a new one, patient enough for a fault.
func (d *driver) browser(f mockpsc.Fault) *browser {
	jar, _ := cookiejar.New(nil) // never fails
	b := &browser{mock: d.mock, transport: d.transport, jar: jar, patience: 20 * time.Second}
	if clients.Slow(f) || clients.Heavy(f) {
		b.patience = 70 * time.Second
	}
	return b
}

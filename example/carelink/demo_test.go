package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// A demo is a CareLink that runs, with its mock, on free ports.
type demo struct {
	t    *testing.T
	url  string
	db   string
	mock *mockpsc.Server
	out  *buffer // the terminal
	log  *buffer
	stop func()
}

// start runs CareLink until the test ends or stop is called.
func start(t *testing.T, now func() time.Time, args ...string) *demo {
	t.Helper()
	d, err := tryStart(t, program{now: now}, nil, args...)
	if err != nil {
		t.Fatalf("CareLink does not start: %v", err)
	}
	return d
}

func tryStart(t *testing.T, p program, env map[string]string, args ...string) (*demo, error) {
	t.Helper()
	d := &demo{t: t, out: new(buffer), log: new(buffer)}
	if p.now == nil {
		p.now = time.Now
	}
	if p.stdin == nil {
		p.stdin = strings.NewReader("")
	}
	p.stdout, p.stderr = d.out, d.log
	p.getenv = func(name string) string { return env[name] }
	ready := make(chan running, 1)
	p.ready = func(r running) { ready <- r }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx, args) }()
	select {
	case err := <-ended:
		cancel()
		return nil, err
	case r := <-ready:
		d.url, d.db, d.mock = r.url, r.db, r.mock
	}
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("CareLink stopped with: %v", err)
		}
	})
	t.Cleanup(d.stop)
	return d, nil
}

// somewhere are the flags of a CareLink that disturbs no other.
func somewhere(t *testing.T) []string {
	return []string{"-addr", "localhost:0", "-mock-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "carelink.db")}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// clock is a time that a test moves. It starts now, because the database has a
// clock of its own.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// row reads one value of CareLink's database.
func (d *demo) row(query string, args ...any) (n int) {
	d.t.Helper()
	db, err := sql.Open("sqlite", dsn(d.db, url.Values{}))
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// A browser is a person's browser: it has cookies and asks for pages.
type browser struct {
	*demo
	client *http.Client
}

func (d *demo) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return &browser{d, &http.Client{Jar: jar, Transport: asPages{}}}
}

// signedIn is the browser of somebody who has just signed in and seen a page.
func (d *demo) signedIn(persona string) (*browser, answer) {
	d.t.Helper()
	b := d.browser()
	return b, b.signIn(persona, "/patients")
}

// asPages asks for pages unless a request asks for something else.
type asPages struct{}

func (asPages) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Accept") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Accept", "text/html")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// An answer is the last answer to a request, after its redirects.
type answer struct {
	t      *testing.T
	status int
	path   string
	header http.Header
	body   string
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(resp)
}

func (b *browser) read(resp *http.Response) answer {
	b.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{b.t, resp.StatusCode, resp.Request.URL.RequestURI(), resp.Header, string(body)}
}

func (b *browser) request(method, path, body string, header ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(b.request("GET", path, ""))
}

func (b *browser) post(path string, form url.Values) answer {
	b.t.Helper()
	return b.do(b.request("POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Origin", b.url))
}

// api calls the API as the script of a page would: with the cookie.
func (b *browser) api(method, path, body string) answer {
	b.t.Helper()
	return b.do(b.request(method, path, body, "Accept", "application/json", "Content-Type", "application/json", "Origin", b.url))
}

func (b *browser) signIn(persona, returnTo string) answer {
	b.t.Helper()
	resp, err := b.mock.SignIn(b.client, b.url+"/api/v1/auth/login?return_to="+url.QueryEscape(returnTo), persona)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(resp)
}

// signOut presses the button and follows the page on to PSC and back.
func (b *browser) signOut() answer {
	b.t.Helper()
	page := b.post("/api/v1/auth/logout", nil)
	next := regexp.MustCompile(`content="0; url=([^"]+)"`).FindStringSubmatch(page.body)
	if next == nil {
		b.t.Fatalf("the sign-out leads nowhere: %d %s", page.status, page.text())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), "GET", html.UnescapeString(next[1]), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

var (
	tags   = regexp.MustCompile(`(?s)<(style|title).*?</(style|title)>|<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// text is what a person reads.
func (a answer) text() string {
	spaced := regexp.MustCompile(`</(p|h\d|li|td|th|dt|dd|div|a|button|caption)>`).ReplaceAllString(a.body, " ")
	return strings.TrimSpace(blanks.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(spaced, "")), " "))
}

func (a answer) wantStatus(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %.400s", a.path, a.status, status, a.text())
	}
	return a
}

func (a answer) want(words ...string) answer {
	a.t.Helper()
	text := a.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			a.t.Errorf("%s does not say %q:\n%s", a.path, w, text)
		}
	}
	return a
}

func (a answer) wantNot(words ...string) answer {
	a.t.Helper()
	text := a.text()
	for _, w := range words {
		if strings.Contains(text, w) {
			a.t.Errorf("%s says %q:\n%s", a.path, w, text)
		}
	}
	return a
}

// json reads the body of an answer of the API.
func (a answer) json(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%s: %v: %s", a.path, err, a.body)
	}
}

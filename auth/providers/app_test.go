package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

const (
	clientID = "agenda"
	// Every character that Basic authentication must escape (RFC 6749 2.3.1).
	clientSecret = "a secret: 100 % + more/less"
)

// An app is one that signs people in with auth.
type app struct {
	t      *testing.T
	server *httptest.Server
	url    string // on another host than the providers', because cookies know no ports
	logs   logs

	mu     sync.Mutex
	signIn auth.SignIn // the latest one that Authorize was asked about
	events []auth.Event
}

// newApp returns an app that has its address, but does not serve yet: a provider
// wants to know the address first.
func newApp(t *testing.T) *app {
	a := &app{t: t, server: httptest.NewUnstartedServer(nil)}
	_, port, _ := strings.Cut(a.server.Listener.Addr().String(), ":")
	a.url = "http://localhost:" + port
	t.Cleanup(a.server.Close)
	return a
}

func (a *app) callback() string  { return a.url + "/auth/callback" }
func (a *app) signedOut() string { return a.url + "/auth/signed-out" }

// start serves the app, whose every page tells who is there.
func (a *app) start(issuer string, change ...func(*auth.Config)) {
	a.t.Helper()
	cfg := auth.Config{
		Provider:     psc.Environment{Issuer: issuer, Discovery: issuer + "/.well-known/openid-configuration"},
		ClientID:     clientID,
		ClientSecret: clientSecret,
		RedirectURL:  a.callback(),
		Secrets:      [][]byte{bytes.Repeat([]byte("0123456789abcdef"), 2)},
		Users:        users{},
		ServiceName:  "Agenda",
		Logger:       slog.New(slog.NewTextHandler(&a.logs, nil)),
		Audit:        a,
		Authorize: func(_ context.Context, s auth.SignIn) (auth.Grant, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.signIn = s
			return auth.Grant{}, nil
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	rp, err := auth.New(cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	a.server.Config.Handler = rp.Handler(rp.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		fmt.Fprintf(w, "%s, %s, RPPS %s, by %s at %s", s.Name(), s.Profession.Label(), s.RPPS, s.AuthMode, s.ACR)
	})))
	a.server.Start()
}

// Audit makes the app its own journal.
func (a *app) Audit(_ context.Context, e auth.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
	return nil
}

func (a *app) lastSignIn() auth.SignIn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.signIn
}

// lastEvent is the latest one as a kind and a reason.
func (a *app) lastEvent() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.events) == 0 {
		return "none"
	}
	e := a.events[len(a.events)-1]
	return strings.TrimSpace(string(e.Kind) + " " + e.Reason)
}

// users takes everybody for somebody new.
type users struct{}

func (users) SaveUser(_ context.Context, info psc.UserInfo, at time.Time) (auth.User, bool, error) {
	e := info.Exercise()
	return auth.User{
		ID: "user of " + string(info.NationalID), NationalID: info.NationalID,
		Title: e.Title, FirstName: info.GivenName, LastName: info.FamilyName,
		Profession: e.Profession, Category: e.Category, Specialty: e.Specialty, CreatedAt: at,
	}, true, nil
}

// logs is what a program says.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A browser keeps cookies, follows redirects, and says that it navigates.
type browser struct {
	t *testing.T
	c *http.Client
}

// newBrowser returns one that nobody has used; transport may be nil.
func newBrowser(t *testing.T, transport http.RoundTripper) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &browser{t, &http.Client{Jar: jar, Transport: navigating{transport}}}
}

type navigating struct{ http.RoundTripper }

func (n navigating) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", "en")
	if origin := r.URL.Scheme + "://" + r.URL.Host; r.Method == http.MethodPost {
		r.Header.Set("Origin", origin)
	}
	return n.RoundTripper.RoundTrip(r)
}

// A page is where a browser has come to.
type page struct {
	b       *browser
	status  int
	address *url.URL
	text    string
}

func (b *browser) get(address string) *page {
	b.t.Helper()
	return b.read(b.c.Get(address))
}

func (b *browser) post(address string, fields url.Values) *page {
	b.t.Helper()
	return b.read(b.c.PostForm(address, fields))
}

func (b *browser) read(resp *http.Response, err error) *page {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &page{b, resp.StatusCode, resp.Request.URL, string(text)}
}

var (
	formAction  = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	button      = regexp.MustCompile(`<a class="button" href="([^"]+)"`)
	heading     = regexp.MustCompile(`<h1>([^<]+)</h1>`)
)

// submit sends the page's form: its hidden fields, and what a person fills in.
func (p *page) submit(fields url.Values) *page {
	p.b.t.Helper()
	form := url.Values{}
	for _, hidden := range hiddenField.FindAllStringSubmatch(p.text, -1) {
		form.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	for name, values := range fields {
		form[name] = values
	}
	return p.b.post(p.address.ResolveReference(p.link(formAction)).String(), form)
}

// link is the address that re finds on the page.
func (p *page) link(re *regexp.Regexp) *url.URL {
	p.b.t.Helper()
	found := re.FindStringSubmatch(p.text)
	if found == nil {
		p.b.t.Fatalf("no %s on %s", re, p)
	}
	u, err := url.Parse(html.UnescapeString(found[1]))
	if err != nil {
		p.b.t.Fatal(err)
	}
	return u
}

// title is the heading of one of auth's pages.
func (p *page) title() string {
	if found := heading.FindStringSubmatch(p.text); found != nil {
		return html.UnescapeString(found[1])
	}
	return "a page without heading"
}

var markup = regexp.MustCompile(`(?s)<style.*?</style>|<[^>]*>`)

func (p *page) String() string {
	words := strings.Fields(html.UnescapeString(markup.ReplaceAllString(p.text, " ")))
	return fmt.Sprintf("%s, status %d: %s", p.address, p.status, strings.Join(words, " "))
}

// The one person of these tests.
const (
	doctor     = "Dr Jean DUPONT, Médecin, RPPS 99999001011, by MOBILE at eidas1"
	doctorFile = "../../mockpsc/personas/01-dr-dupont.json"
)

// newer is userinfo as Pro Santé Connect writes it today.
func newer(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(doctorFile)
	if err != nil {
		t.Fatal(err)
	}
	var persona struct{ Userinfo map[string]any }
	if err := json.Unmarshal(text, &persona); err != nil {
		t.Fatal(err)
	}
	return persona.Userinfo
}

// older is userinfo of the same person as it was until 2023.
func older(t *testing.T) map[string]any {
	t.Helper()
	u := newer(t)
	u["SubjectRefPro"].(map[string]any)["codeCivilite"] = u["codeCivilite"]
	delete(u, "codeCivilite")
	delete(u, "codeGenreActivite")
	u["authMode"] = "MOBILE"
	return u
}

// inIDToken are the claims of the ID token that are Pro Santé Connect's own.
func inIDToken(userinfo map[string]any) map[string]any {
	return map[string]any{
		"authMode":           "MOBILE",
		"SubjectNameID":      userinfo["SubjectNameID"],
		"preferred_username": userinfo["preferred_username"],
	}
}

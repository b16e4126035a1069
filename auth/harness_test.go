package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
	"github.com/pscauth/pscauth/store"
	"github.com/pscauth/pscauth/store/sqlite"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// logs collects what the app logs.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// journal is an AuditLog that a test reads.
type journal struct {
	mu     sync.Mutex
	events []auth.Event
}

func (j *journal) Audit(_ ctx, e auth.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

// take returns the events since it was last asked.
func (j *journal) take() []auth.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	events := j.events
	j.events = nil
	return events
}

type ctx = context.Context

func textLogger(l *logs) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

var testSecret = bytes.Repeat([]byte("0123456789abcdef"), 2)

// world is an app behind auth, its store, and the PSC it signs in at.
type world struct {
	t     testing.TB
	psc   *mockpsc.Server
	clock *clock
	logs  *logs
	audit *journal
	store *store.Store
	rp    *auth.RelyingParty
	cfg   auth.Config
	url   string // of the app; on another site than the mock, as in life
}

// newWorld starts an app whose every page is guarded but "/", which tells who is
// there. change may alter the configuration.
func newWorld(t testing.TB, change ...func(*auth.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), logs: &logs{}, audit: &journal{}}
	w.psc = mockpsc.NewServer(t)
	w.psc.Now = w.clock.Now
	db, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.store = db
	w.start(change...)
	return w
}

// start starts one process of the app, on w's store and PSC.
func (w *world) start(change ...func(*auth.Config)) {
	w.t.Helper()
	server := httptest.NewUnstartedServer(nil)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	w.url = "http://localhost:" + port
	w.cfg = auth.Config{
		Provider:     psc.At(w.psc.URL),
		ClientID:     "carelink",
		ClientSecret: "carelink-secret",
		RedirectURL:  w.url + "/app/auth/callback",
		Secrets:      [][]byte{testSecret},
		Users:        w.store,
		Sessions:     w.store,
		ServiceName:  "CareLink",
		Logger:       textLogger(w.logs),
		Audit:        w.audit,
		Now:          w.clock.Now,
	}
	for _, c := range change {
		c(&w.cfg)
	}
	rp, err := auth.New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rp = rp
	server.Config.Handler = rp.Handler(w.app())
	server.Start()
	w.t.Cleanup(server.Close)
}

func (w *world) app() http.Handler {
	mux := http.NewServeMux()
	who := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		s, ok := auth.SessionFromContext(r.Context())
		if !ok {
			io.WriteString(out, "nobody")
			return
		}
		io.WriteString(out, s.Name()+" "+s.RPPS+" at "+r.URL.RequestURI())
	})
	mux.Handle("/{$}", who)
	mux.Handle("/", w.rp.Require(who))
	mux.Handle("/doctors", w.rp.Require(who, auth.HasProfession(psc.Physician)))
	mux.Handle("/team", w.rp.Require(who, auth.HasRole("clinician", "trainee").Explain("Réservé à l'équipe de soins.", "For the care team.")))
	mux.Handle("/tilleuls", w.rp.Require(who, auth.InTenant("tilleuls")))
	mux.Handle("/nowhere", w.rp.Require(who, auth.InTenant("")))
	mux.Handle("/sensitive", w.rp.Require(who, auth.Fresh(5*time.Minute)))
	return mux
}

// browser behaves like a person's: it keeps cookies, follows redirects, and says
// that it navigates.
func (w *world) browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Transport: navigating{}}
}

type navigating struct{}

// ownTransport is not the default one, whose connections every httptest.Server
// closes when it ends, those of others too.
var ownTransport = http.DefaultTransport.(*http.Transport).Clone()

func (navigating) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Header.Get("Sec-Fetch-Mode") == "" {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	}
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	}
	return ownTransport.RoundTrip(r)
}

// stay returns the browser c without following redirects.
func stay(c *http.Client) *http.Client {
	copied := *c
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}

// program is a client that says it is none.
func program() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// signIn signs a persona in from the page /patients, and returns the answer.
func (w *world) signIn(c *http.Client, persona string, faults ...string) *answer {
	w.t.Helper()
	return w.read(w.psc.SignIn(c, w.url+"/patients", persona, faults...))
}

// answer is a response whose body was read.
type answer struct {
	*http.Response
	Text string
}

func (w *world) read(resp *http.Response, err error) *answer {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return &answer{resp, string(body)}
}

func (w *world) get(c *http.Client, path string, headers ...string) *answer {
	w.t.Helper()
	return w.do(c, http.MethodGet, path, headers...)
}

// do sends a request to the app; headers are names and values in turn.
func (w *world) do(c *http.Client, method, path string, headers ...string) *answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return w.read(c.Do(req))
}

// cookie returns the value of the app's cookie whose name holds part, or "".
func (w *world) cookie(c *http.Client, part string) string {
	u, _ := url.Parse(w.url)
	for _, k := range c.Jar.Cookies(u) {
		if strings.Contains(k.Name, part) {
			return k.Value
		}
	}
	return ""
}

func (w *world) sessionCookieName() string {
	u, _ := url.Parse(w.url)
	c := w.browser()
	w.signIn(c, "dr-dupont")
	for _, k := range c.Jar.Cookies(u) {
		if strings.Contains(k.Name, "psc_session") {
			return k.Name
		}
	}
	w.t.Fatal("no session cookie after a sign-in")
	return ""
}

// users counts the rows of users by the only door that a store has: the first
// sign-in of a person says so. It uses a person nobody else signs in.
func (w *world) isFirst(nationalID string) bool {
	w.t.Helper()
	info, err := psc.ParseUserInfo([]byte(`{"sub":"f:x:` + nationalID + `","SubjectNameID":"` + nationalID + `"}`))
	if err != nil {
		w.t.Fatal(err)
	}
	_, first, err := w.store.SaveUser(context.Background(), info, w.clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return first
}

// callbackURL runs a sign-in from the page /patients?x=1 up to the redirect to
// the callback and returns that address, unvisited.
func (w *world) callbackURL(c *http.Client, persona string, faults ...string) string {
	w.t.Helper()
	return w.callbackFrom(c, "/patients?x=1", persona, faults...)
}

func (w *world) callbackFrom(c *http.Client, path, persona string, faults ...string) string {
	w.t.Helper()
	hold := &holding{callback: w.cfg.RedirectURL}
	held := &http.Client{Jar: c.Jar, Transport: hold}
	resp, err := w.psc.SignIn(held, w.url+path, persona, faults...)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if hold.held == "" {
		w.t.Fatalf("the sign-in did not come to the callback; it ended at %s with %s", resp.Request.URL, resp.Status)
	}
	return hold.held
}

// holding is a browser whose last step does not leave it.
type holding struct{ callback, held string }

func (h *holding) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.String(), h.callback) {
		h.held = r.URL.String()
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
	}
	return navigating{}.RoundTrip(r)
}

// calls counts the mock's requests whose path ends in suffix.
func (w *world) calls(suffix string) int {
	n := 0
	for _, r := range w.psc.Requests() {
		if strings.HasSuffix(r.Path, suffix) {
			n++
		}
	}
	return n
}

var referenceForm = regexp.MustCompile(`[A-Z2-7]{4}-[A-Z2-7]{4}`)

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

type programAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	User        struct {
		ID         string
		RPPS       *string
		NationalID string `json:"national_id"`
		FirstName  string `json:"first_name"`
		LastName   string `json:"last_name"`
		Email      *string
		Profession *struct{ Code, Label string }
		Roles      []string
		TenantID   *string `json:"tenant_id"`
		First      bool    `json:"first_sign_in"`
		LastLogin  *string `json:"last_login"`
		Specialty  *struct{ Code string }
	}
	Error     string
	Message   string
	Reference string
	LoginURL  string `json:"login_url"`
}

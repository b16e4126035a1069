package mockpsc

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rsc.io/qr"
)

//go:embed pages
var pageFiles embed.FS

var (
	pageStyle  = pageText("pages/style.css")
	pageScript = pageText("pages/page.js")
	pageSet    = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(pageFiles, "pages/*.html")) })

	// Style and script are part of the page, and allowed by their hash: nothing
	// else may style it or run in it.
	styleHash  = cspHash(pageStyle)
	scriptHash = cspHash(pageScript)

	// The console has more of both, with which no other page is burdened.
	consoleStyle      = pageStyle + pageText("pages/console.css")
	consoleScript     = pageScript + pageText("pages/console.js")
	consoleStyleHash  = cspHash(consoleStyle)
	consoleScriptHash = cspHash(consoleScript)
)

func pageText(name string) string {
	b, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // embedded
	}
	return string(b)
}

func cspHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// A view is what a page shows. Each page uses the fields it needs.
type view struct {
	Page    string // the template
	Lang    string // "fr" or "en"
	chosen  bool   // by the person
	Heading string // key of the h1
	Service string // the client's name
	Self    string // where the language switch leads; "" hides it
	Notice  notice

	// FormTarget is the origin to which a form of this page may lead in the end.
	FormTarget string

	Attempt string
	Means   string

	Delegation bool // whether there is a third tab
	Step       string
	Back       string // the application's start address, or the page to go back to

	// of a ticket
	PhoneURL, PhoneHost string
	PhoneNear           bool // no real phone can reach it
	QR                  template.HTML
	Number              string
	StateKey            string
	State               ticketState
	Open                bool // still waiting for the phone
	Typed               bool
	Masked              string
	Seconds             int

	Identifier string
	Remember   bool
	Person     string
	Panel      bool
	Frame      string // the phone's address in the panel beside this page
	Bare       bool   // this page is in that panel
	Apart      bool   // the phone's pages are all there is
	People     []personView
	AllFaults  bool

	Rule    template.HTML // for the developer
	Confirm string
	Hidden  []field

	// of the start page
	Issuer, Discovery string
	Near              bool // only this machine reads it: it may show secrets
	Clients           []Client
	Pending           []pendingView

	Console *consoleView
}

// A notice is a fault of a form: the key of its text, and the field it is about.
type notice struct {
	Key, Field string
	Args       []string
}

type field struct{ Name, Value string }

type personView struct {
	ID, Name, Profession, Place, NationalID string
	ECPSPIN, CardPIN, CardType              string
	Works, ECPS, Card, CardWorks, OwnPIN    bool
	ECPSState                               string // key; "" while it works
	CardState                               string // likewise
	Hinted                                  bool
}

// view begins a page in the language of the person.
func (s *Server) view(a *answer, r *http.Request, page string) *view {
	v := &view{Page: page, Lang: "fr"}
	if l := language(s.cookie(r, "lang")); l != "" {
		v.Lang, v.chosen = l, true
	}
	if l := language(r.URL.Query().Get("lang")); l != "" {
		v.Lang, v.chosen = l, true
		s.setCookie(a, r, "lang", l, 365*24*3600)
	}
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		q.Del("lang")
		v.Self = r.URL.Path
		if len(q) > 0 {
			v.Self += "?" + q.Encode()
		}
	}
	return v
}

func language(list string) string {
	for _, tag := range strings.Fields(list) {
		if tag, _, _ = strings.Cut(strings.ToLower(tag), "-"); tag == "fr" || tag == "en" {
			return tag
		}
	}
	return ""
}

func (v *view) ofAttempt(at *attempt) {
	v.Attempt, v.Service, v.FormTarget = at.id, at.client.service(), origin(at.redirectURI)
	if !v.chosen && at.lang != "" {
		v.Lang = at.lang
	}
}

// ofTicket is called with s.mu held.
func (v *view) ofTicket(s *Server, at *attempt) {
	t, now := &at.ticket, s.now()
	v.Number, v.Typed = t.number, t.typed
	v.State = t.at(now)
	v.StateKey = string(v.State)
	v.Open = v.State == waiting || v.State == scanned
	v.Seconds = int((ticketTTL - now.Sub(t.made) + time.Second - 1) / time.Second)
	v.ofPhone(s.phoneBase(at.base), phonePath+t.id)
	if t.typed {
		v.Masked = mask(t.to)
		if t.who != nil && !s.Assume.DiscreetIdentifiers {
			v.Person = t.who.now.Name
		}
	} else if v.Open {
		v.QR = qrCode(v.PhoneURL, v.plain("qr_name"))
	}
}

// peopleViews lists the personas as they are now. Called with s.mu held.
func (s *Server) peopleViews(hint string) []personView {
	hinted := s.find(hint)
	docs := s.known()
	list := make([]personView, 0, len(docs))
	for _, d := range docs {
		p := s.people[d.ID]
		pv := personView{
			ID: d.ID, Name: p.now.Name, Profession: p.now.Profession, Place: p.now.Place, NationalID: p.now.NationalID,
			CardType: p.card.Type, Works: p.ecps.Works() || p.card.Works(),
			ECPS: p.ecps.State != "not-activated", Card: p.card.State != "none", CardWorks: p.card.Works(),
			Hinted: p == hinted,
		}
		if pv.OwnPIN = p.ecps.own; pv.ECPS && !pv.OwnPIN {
			pv.ECPSPIN = p.ecps.PIN
		}
		if pv.Card {
			pv.CardPIN = p.card.PIN
		}
		if !p.ecps.Works() {
			pv.ECPSState = "state_ecps_" + strings.ReplaceAll(p.ecps.State, "-", "_")
		}
		if !p.card.Works() {
			pv.CardState = "state_card_" + p.card.State
		}
		list = append(list, pv)
	}
	return list
}

// pageBuffers are lent to page: a page has some thirty kilobytes.
var pageBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// page sends a page under a policy that lets it do nothing it does not need.
func (a *answer) page(status int, v *view) {
	if status >= http.StatusBadRequest && a.Header().Get("X-Mock-PSC-Error") == "" {
		key, args := v.Notice.Key, v.Notice.Args
		if key == "" {
			key = v.StateKey
		}
		if key != "" {
			a.explain((&view{Lang: "en"}).plain(key, append(args, "service", v.Service)...))
		}
	}
	b := pageBuffers.Get().(*bytes.Buffer)
	defer pageBuffers.Put(b)
	b.Reset()
	if err := a.server.write(b, v); err != nil {
		panic("mockpsc: page " + v.Page + ": " + err.Error()) // a fault of the embedded template
	}
	// Chromium applies form-action to the redirects after a form's post as well:
	// without the application's origin the way back would be cut.
	formAction := "'self'"
	if v.FormTarget != "" {
		formAction += " " + v.FormTarget
	}
	h := a.Header()
	frames := "; frame-ancestors 'none'"
	if v.Frame != "" {
		frames += "; frame-src 'self'"
	}
	if v.Bare {
		frames = "; frame-ancestors 'self'"
	} else {
		h.Set("X-Frame-Options", "DENY")
	}
	style, script := styleHash, scriptHash
	if v.Console != nil {
		style, script = consoleStyleHash, consoleScriptHash
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+style+"; script-src "+script+
		"; connect-src 'self'; img-src data:; form-action "+formAction+frames+"; base-uri 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	a.WriteHeader(status)
	a.Write(b.Bytes())
}

func (s *Server) write(b *bytes.Buffer, v *view) error {
	if v.Page == "signin" {
		return s.written.write(b, v)
	}
	return pageSet().ExecuteTemplate(b, "layout", v)
}

// refusePage shows why a request is refused, received beside declared.
func (s *Server) refusePage(a *answer, r *http.Request, client *Client, ref refusal) {
	a.explain(ref.rule)
	v := s.view(a, r, "error")
	v.Heading, v.Step = "a8", "a8_text"
	if strings.HasSuffix(r.URL.Path, "/logout") {
		v.Heading, v.Step = "a10_refused", "a10_refused_tx"
	}
	v.Rule = v.T(ref.key, ref.args...)
	if client != nil {
		a.belongsTo(client)
		v.Service = client.service()
	}
	a.page(http.StatusBadRequest, v)
}

// expiredPage says that a sign-in is too old or not this browser's.
func (s *Server) expiredPage(a *answer, r *http.Request, at *attempt) {
	a.explain("the sign-in has expired, or was begun in another browser: the mock's cookies must come back to it")
	v := s.view(a, r, "expired")
	v.Heading = "a9"
	v.Self = ""
	if at != nil {
		v.Service, v.Back = at.client.service(), at.client.StartURL
	}
	a.page(http.StatusBadRequest, v)
}

// start is the front page: how to plug an application in.
func (s *Server) start(a *answer, r *http.Request) {
	v := s.view(a, r, "start")
	v.Heading = "a1"
	v.Issuer = s.issuer(r)
	v.Discovery = v.Issuer + "/.well-known/wallet-openid-configuration"
	v.Clients, v.Near = s.clients(), loopbackHost(hostIn(s.base(r)))
	s.mu.Lock()
	v.People = s.peopleViews("")
	v.Pending = s.pendingViews()
	s.mu.Unlock()
	a.page(http.StatusOK, v)
}

func (s *Server) dataPage(a *answer, r *http.Request) {
	v := s.view(a, r, "data")
	v.Heading = "a14"
	a.page(http.StatusOK, v)
}

// origin returns the source expression of an address for form-action. The
// grammar knows no IPv6 literal, so that such a host is allowed by its scheme.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	if strings.Contains(u.Host, "[") {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// hostIn is the host, with its port, of a base URL.
func hostIn(base string) string {
	_, host, _ := strings.Cut(base, "://")
	return host
}

// mask hides the middle of an identifier.
func mask(id string) string {
	if len(id) < 8 {
		return "•••••"
	}
	return id[:4] + "•••••" + id[len(id)-3:]
}

// qrCode draws an address as an SVG picture, one path for all dark cells.
func qrCode(address, name string) template.HTML {
	code, err := qr.Encode(address, qr.M)
	if err != nil {
		return "" // too long for a QR code; the link beside it remains
	}
	const quiet = 4 // cells, as the standard demands
	size := code.Size + 2*quiet
	b := make([]byte, 0, 4<<10) // about what it takes
	b = fmt.Appendf(b, `<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %d %d" shape-rendering="crispEdges">`,
		template.HTMLEscapeString(name), size, size)
	b = fmt.Appendf(b, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, size, size)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for code.Black(x+run, y) { // false beyond the edge
				run++
			}
			if run > 0 {
				b = append(b, 'M')
				b = strconv.AppendInt(b, int64(x+quiet), 10)
				b = append(b, ' ')
				b = strconv.AppendInt(b, int64(y+quiet), 10)
				b = append(b, 'h')
				b = strconv.AppendInt(b, int64(run), 10)
				b = append(b, "v1h-"...)
				b = strconv.AppendInt(b, int64(run), 10)
				b = append(b, 'z')
				x += run
			}
		}
	}
	return template.HTML(append(b, `"/></svg>`...))
}

// Templates call the methods below.

// States are the keys of what does not work.
func (p personView) States() (keys []string) {
	for _, key := range []string{p.ECPSState, p.CardState} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// Style and Script are all that a page has of these.
func (v *view) Style() template.CSS {
	if v.Console != nil {
		return template.CSS(consoleStyle)
	}
	return template.CSS(pageStyle)
}

func (v *view) Script() template.JS {
	if v.Console != nil {
		return template.JS(consoleScript)
	}
	return template.JS(pageScript)
}

// Title is the page's name before the service's, with « Erreur : » in front of a
// form that came back.
func (v *view) Title() string {
	title := v.plain(v.Heading, "service", v.Service) + " – "
	if v.Notice.Key != "" {
		title = v.plain("error_prefix") + title
	}
	if v.Service != "" {
		return title + v.Service
	}
	return title + v.plain("product")
}

// LangURL is this page in another language.
func (v *view) LangURL(lang string) string {
	sep := "?"
	if strings.Contains(v.Self, "?") {
		sep = "&"
	}
	return v.Self + sep + "lang=" + lang
}

// NoticeText is the text of the form's fault.
func (v *view) NoticeText() template.HTML { return v.T(v.Notice.Key, v.Notice.Args...) }

// Faulty reports whether the form's fault is about this field.
func (v *view) Faulty(field string) bool { return v.Notice.Key != "" && v.Notice.Field == field }

// Digits are the two digits of the number, apart.
func (v *view) Digits() []string { return strings.Split(v.Number, "") }

// Spoken is the number digit by digit, for screen readers.
func (v *view) Spoken() string { return strings.Join(v.Digits(), " ") }

// Remaining writes the time left.
func (v *view) Remaining() string {
	return v.plain("remaining", "min", fmt.Sprint(v.Seconds/60), "s", fmt.Sprint(v.Seconds%60))
}

// Grouped writes an identifier for the eye: an RPPS number in groups, whose blanks
// are not copied.
func (v *view) Grouped(id string) template.HTML {
	if len(id) == 12 && strings.Trim(id, "0123456789") == "" && id[0] == '8' {
		return template.HTML("<span>" + id[1:6] + "</span><span>" + id[6:9] + "</span><span>" + id[9:12] + "</span>")
	}
	return template.HTML(template.HTMLEscapeString(id))
}

// Redirects lists a client's declared addresses.
func (v *view) Redirects(c Client) string { return c.describe(c.RedirectURIs) }

// Startable lists the clients at which a person can begin.
func (v *view) Startable() []Client {
	return slices.DeleteFunc(slices.Clone(v.Clients), func(c Client) bool { return c.StartURL == "" })
}

// ClientName is what people read.
func (v *view) ClientName(c Client) string { return c.service() }

package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A failure is why a request was not granted: what the person reads (page,
// status), and what the operator reads (reason, err) under the same reference.
type failure struct {
	page   string // a key of texts
	status int
	reason string // a stable word
	err    error  // without secrets

	french, english string // the words of a rule or of the app, in place of the page's
	returnTo        string // where a second try of the sign-in leads; empty means home
	identifyAgain   bool   // no page: the person identifies once more

	kind      EventKind // empty for a sign-in
	user      User      // who was turned away, once the store has told it
	session   Session   // of who is signed in
	reference string    // made when the failure is told
	told      bool      // to the audit and the log: this is a second click
}

// fail answers a request with a failure. The cause goes to the log; the person,
// or the program, gets words and a reference.
func (rp *RelyingParty) fail(w http.ResponseWriter, r *http.Request, f *failure) {
	reference := f.reference
	if reference == "" {
		reference = newReference()
	}
	level := slog.LevelWarn
	if f.status >= 500 {
		level = slog.LevelError
		w.Header().Set("Retry-After", "30")
	}
	if !f.told {
		rp.cfg.Logger.Log(r.Context(), level, "auth: refused", "reference", reference, "reason", f.reason, "page", f.page, "status", f.status, "error", f.err)
		rp.audit(r, f.event(reference))
	}
	if !isPage(r) {
		rp.writeError(w, r, f.status, errorAnswer{Error: f.page, Reference: reference, french: f.french, english: f.english})
		return
	}
	rp.writePage(w, r, f.status, pageData{Key: f.page, Action: rp.LoginURL(f.returnTo), Reference: reference, french: f.french, english: f.english})
}

// newReference makes the word by which a person and an operator speak of one
// event: forty random bits, easy to say on the telephone.
func newReference() string {
	s := rand.Text()
	return s[:4] + "-" + s[4:8]
}

// errorAnswer is what a program reads.
type errorAnswer struct {
	Error     string `json:"error"`   // a stable key
	Message   string `json:"message"` // for a person
	Reference string `json:"reference,omitempty"`
	LoginURL  string `json:"login_url,omitempty"`

	french, english string
}

func (rp *RelyingParty) writeError(w http.ResponseWriter, r *http.Request, status int, a errorAnswer) {
	a.Message = pick(language(r), a.french, a.english)
	if a.Message == "" {
		a.Message = texts[language(r)][a.Error].in(rp.cfg).body
	}
	writeJSON(w, status, a)
}

// pageData is what a page shows beside its texts.
type pageData struct {
	Key       string // of texts
	Action    string // where the main link leads, or the form posts
	Reference string // of a failure
	Refresh   bool   // go on to Action without a click

	french, english string // in place of the page's text
}

//go:embed pages/page.html
var pageSource string

//go:embed pages/style.css
var pageStyle string

// pageScript takes the address of the callback out of the browser's bar, so that
// a reload of an error begins a new sign-in instead of repeating the failure.
//
//go:embed pages/elsewhere.js
var pageScript string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

var pagePolicy = fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", cspHash(pageStyle), cspHash(pageScript))

func cspHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// writePage writes one of our pages. It loads nothing from anywhere, may be put
// into no frame, and is kept by no cache.
func (rp *RelyingParty) writePage(w http.ResponseWriter, r *http.Request, status int, p pageData) {
	lang := language(r)
	t := texts[lang][p.Key].in(rp.cfg)
	text := pick(lang, p.french, p.english)
	if text == "" {
		text = t.body
	}
	view := struct {
		pageData
		Lang, Title, Text, Service, Do, Back, Home, When string
		Post, PSC, NewTab, Alert                         bool
		Style                                            template.CSS
		Script                                           template.JS
		Elsewhere                                        string
		T                                                frame
	}{
		pageData: p, Lang: lang, Title: t.title, Text: text, Service: rp.cfg.ServiceName,
		Do: t.do, Back: t.back, Home: home, Post: t.post, PSC: t.psc, NewTab: t.newTab, Alert: p.Reference != "" && p.Key != "cancelled", // which the person chose
		Style: template.CSS(pageStyle), T: frames[lang],
	}
	if p.Reference != "" {
		view.When = moment(rp.cfg.Now(), lang)
	}
	if r.URL.Path == rp.landing {
		view.Elsewhere, view.Script = p.Action, template.JS(pageScript)
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, view); err != nil {
		panic("auth: page: " + err.Error()) // our own template and types
	}
	noStore(w)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Language", lang)
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body.Bytes())
	}
}

// language is French unless the browser prefers English to it.
func language(r *http.Request) string {
	weight := map[string]float64{}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, q := weighed(part)
		lang, _, _ := strings.Cut(tag, "-")
		weight[lang] = max(weight[lang], q)
	}
	if weight["en"] > weight["fr"] {
		return "en"
	}
	return "fr"
}

// weighed splits one element of an Accept header into its value, in lower case,
// and its weight (RFC 9110 12.4.2).
func weighed(element string) (value string, q float64) {
	value, params, _ := strings.Cut(element, ";")
	q = 1
	for param := range strings.SplitSeq(params, ";") {
		if text, found := strings.CutPrefix(strings.TrimSpace(param), "q="); found {
			q, _ = strconv.ParseFloat(text, 64) // 0, not acceptable, when it is no number
		}
	}
	return strings.ToLower(strings.TrimSpace(value)), q
}

func pick(lang, french, english string) string {
	if lang == "en" && english != "" {
		return english
	}
	return french
}

var paris = func() *time.Location {
	if l, err := time.LoadLocation("Europe/Paris"); err == nil {
		return l
	}
	return time.UTC // a machine without time zones; moment says which it is
}()

// moment writes a time as people read it: « 22 novembre 2026 à 9 h 05 ».
func moment(t time.Time, lang string) string {
	t = t.In(paris)
	if lang == "en" {
		return t.Format("2 January 2006, 15:04 MST")
	}
	months := [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
	day := fmt.Sprint(t.Day())
	if day == "1" {
		day = "1er"
	}
	zone := ""
	if t.Location() == time.UTC {
		zone = " UTC"
	}
	return fmt.Sprintf("%s\u00a0%s\u00a0%d à\u00a0%d\u00a0h\u00a0%02d%s", day, months[t.Month()-1], t.Year(), t.Hour(), t.Minute(), zone)
}

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/style.css
var styleSheet []byte

//go:embed static/icon.svg
var icon []byte

// staticFiles are what pages load, under names that change with the content, so
// that browsers may keep them for ever.
var staticFiles = map[string]struct {
	content     []byte
	contentType string
}{
	hashed("style", styleSheet, ".css"): {styleSheet, "text/css; charset=utf-8"},
	hashed("icon", icon, ".svg"):        {icon, "image/svg+xml"},
}

func hashed(name string, content []byte, ext string) string {
	sum := sha256.Sum256(content)
	return name + "-" + hex.EncodeToString(sum[:6]) + ext
}

// pages are the templates by the name of their file.
type pages map[string]*template.Template

// newPages reads the templates; a fault in them is the programmer's.
func newPages() pages {
	functions := template.FuncMap{
		"age":        age,
		"day":        frenchDay,
		"time":       timeHTML,
		"grouped":    grouped,
		"plural":     plural,
		"or_":        or,
		"inc":        func(n int) int { return n + 1 },
		"join":       func(words ...string) string { return strings.TrimSpace(strings.Join(words, " ")) },
		"kinds":      func() any { return kinds },
		"means":      means,
		"kindWord":   kindWord,
		"titleWord":  titleWord,
		"roleWord":   roleWord,
		"profession": professionLabel,
		"styleURL":   func() string { return "/static/" + hashed("style", styleSheet, ".css") },
		"iconURL":    func() string { return "/static/" + hashed("icon", icon, ".svg") },
	}
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html"))
	p := pages{}
	for _, name := range []string{"home", "patients", "patient", "me", "message", "accessibility", "legal"} {
		t := template.Must(layout.Clone())
		p[name] = template.Must(t.ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return p
}

// A page is what every template is given.
type page struct {
	Title     string // of the page, and its h1
	Fault     bool   // a form came back with a fault
	Path      string // of the entry of the navigation that is current
	Person    *person
	Greeting  *greeting // once after a sign-in
	LoginURL  string    // starts a sign-in and comes back to the page, or to the patients
	LogoutURL string
	Mock      bool
	Now       time.Time
	Content   any
}

// A person is who is signed in, for the head of every page.
type person struct {
	Name       string
	Tenant     string
	Locum      bool
	Profession string
	RPPS       string
}

// A greeting is the banner after a sign-in. It says what happened: an account
// was made, or found by the identifier.
type greeting struct {
	Name       string
	UserID     string
	First      bool
	RPPS       string
	LastSignIn time.Time
	visit
	Tenant string
}

// show writes a page. Everything is written at once or not at all.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Mock = s.mock
	p.Now = s.now()
	p.LogoutURL = s.auth.LogoutURL()
	if p.LoginURL == "" {
		p.LoginURL = s.auth.LoginURL("/patients")
	}
	if session, ok := auth.SessionFromContext(r.Context()); ok {
		p.Person = &person{
			Name:       session.Name(),
			Tenant:     session.TenantName,
			Locum:      session.Claims[locumClaim] == "1",
			Profession: professionOf(session),
			RPPS:       session.RPPS,
		}
		if r.Method == http.MethodGet {
			var err error
			if p.Greeting, err = s.greeting(r, session); err != nil {
				s.broken(w, r, err)
				return
			}
		}
	}
	s.write(w, r, status, name, p)
}

func (s *site) write(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout.html", p); err != nil {
		s.log.ErrorContext(r.Context(), "carelink: a page cannot be written", "page", name, "error", err)
		http.Error(w, "Un incident empêche d'afficher cette page.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// greeting returns the banner if this page is the first since the sign-in.
func (s *site) greeting(r *http.Request, session auth.Session) (*greeting, error) {
	due, err := s.data.greet(r.Context(), session)
	if err != nil || !due {
		return nil, err
	}
	v, err := s.data.visit(r.Context(), session)
	if err != nil {
		return nil, err
	}
	return &greeting{
		Name:       session.Name(),
		UserID:     session.UserID,
		First:      session.FirstSignIn,
		RPPS:       session.RPPS,
		LastSignIn: session.LastSignIn,
		visit:      v,
		Tenant:     session.TenantName,
	}, nil
}

// A message is a page that only says something, and where to go from there.
type message struct {
	Text      string
	Reference string
	Link      string
	LinkText  string
}

// broken answers when something of ours fails. The cause goes to the log, under
// the reference that the person reads.
func (s *site) broken(w http.ResponseWriter, r *http.Request, err error) {
	reference := rand.Text()[:8]
	s.log.ErrorContext(r.Context(), "carelink: request failed", "reference", reference, "method", r.Method, "pattern", r.Pattern, "error", err)
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeError(w, r, http.StatusInternalServerError, apiError{Error: "internal", Reference: reference,
			french: "Un incident de notre côté empêche de répondre.", english: "Something failed on our side."})
		return
	}
	s.write(w, r, http.StatusInternalServerError, "message", page{
		Title: "Un incident est survenu", LoginURL: s.auth.LoginURL("/patients"), LogoutURL: s.auth.LogoutURL(), Mock: s.mock, Now: s.now(),
		Content: message{
			Text:      "Un incident de notre côté empêche d'afficher cette page. Réessayez dans quelques minutes.",
			Reference: reference, Link: "/", LinkText: "Retour à l'accueil",
		},
	})
}

func (s *site) notFound(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusNotFound, "message", page{Title: "Page introuvable", Content: message{
		Text: "Cette adresse ne mène à aucune page de CareLink.", Link: "/", LinkText: "Retour à l'accueil",
	}})
}

// home invites people in; whoever is in goes on to the patients.
func (s *site) home(w http.ResponseWriter, r *http.Request) {
	if _, ok := auth.SessionFromContext(r.Context()); ok {
		w.Header().Set("Location", "/patients")
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	s.show(w, r, http.StatusOK, "home", page{Title: "CareLink, le suivi partagé de vos patients", Path: "/"})
}

func (s *site) accessibility(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "accessibility", page{Title: "Accessibilité", LoginURL: s.auth.LoginURL(r.URL.Path)})
}

func (s *site) legal(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "legal", page{Title: "Mentions", LoginURL: s.auth.LoginURL(r.URL.Path)})
}

func (s *site) static(w http.ResponseWriter, r *http.Request) {
	file, ok := staticFiles[r.PathValue("file")]
	if !ok {
		s.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(file.content)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(file.content)
}

// professionOf writes the profession of a session in French, empty for somebody
// without one. A person in training is not called a member of it.
func professionOf(s auth.Session) string {
	return professionLabel(s.Profession, s.Category)
}

func professionLabel(p psc.Profession, c psc.Category) string {
	if p == "" {
		return ""
	}
	label := or(p.Label(), "profession "+string(p))
	if c == psc.Student {
		label += " en formation"
	}
	return label
}

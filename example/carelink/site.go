package main

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/store"
)

// The two addresses that are registered at Pro Santé Connect. The first says
// where package auth answers: beside it.
const (
	callbackPath  = "/api/v1/auth/callback"
	signedOutPath = "/api/v1/auth/signed-out"
)

// A site is CareLink as an http.Handler.
type site struct {
	http.Handler
	auth   *auth.RelyingParty
	data   *data
	pages  pages
	admins []psc.NationalID
	mock   bool // whether the mock runs beside it, so that visitors may be told a PIN
	now    func() time.Time
	log    *slog.Logger
}

// newSite puts package auth in front of CareLink. This function is all that an
// app has to write for it, the rules of Authorize apart.
func newSite(cfg config, users *store.Store, d *data, now func() time.Time, log *slog.Logger) (*site, error) {
	s := &site{data: d, pages: newPages(), admins: cfg.admins, mock: cfg.mock, now: now, log: log}
	var err error
	s.auth, err = auth.New(auth.Config{
		Provider:     cfg.provider,
		ClientID:     cfg.clientID,
		ClientSecret: cfg.clientSecret,
		RedirectURL:  cfg.url + callbackPath,
		Secrets:      [][]byte{cfg.secret},
		Users:        users,
		Sessions:     users,
		ServiceName:  "CareLink",
		Authorize:    s.Authorize,
		SessionTTL:   cfg.sessionTTL,
		Logger:       log,
		Now:          now,
	})
	if err != nil {
		return nil, err
	}

	signedIn := func(h http.HandlerFunc) http.Handler { return s.auth.Require(h) }
	inside := auth.HasRole(insiders...).Explain(insideFrench, insideEnglish)
	caring := auth.HasRole(caregivers...).Explain(careOnlyFrench, careOnlyEnglish)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /accessibilite", s.accessibility)
	mux.HandleFunc("GET /mentions", s.legal)
	mux.HandleFunc("GET /static/{file}", s.static)
	mux.Handle("GET /me", signedIn(s.me))
	mux.Handle("GET /patients", signedIn(s.patientList))
	mux.Handle("GET /patients/{id}", signedIn(s.patientPage))
	mux.Handle("GET /patients/{id}/evaluations", signedIn(s.evaluationsPage))
	mux.Handle("POST /patients/{id}/evaluations", signedIn(s.evaluationForm))

	mux.Handle("GET /api/v1/patients", s.auth.Require(http.HandlerFunc(s.apiPatients), inside))
	mux.Handle("GET /api/v1/patients/{id}/evaluations", s.auth.Require(http.HandlerFunc(s.apiEvaluations), caring))
	mux.Handle("GET /api/v1/patients/{id}/evaluations/{evaluation}", s.auth.Require(http.HandlerFunc(s.apiEvaluation), caring))
	mux.Handle("POST /api/v1/patients/{id}/evaluations", s.auth.Require(http.HandlerFunc(s.apiAddEvaluation), caring))
	mux.HandleFunc("/api/", apiNotFound)
	mux.HandleFunc("/", s.notFound)

	s.Handler = oneName(cfg.url, s.auth.Handler(guarded(cfg.url, mux)))
	return s, nil
}

// oneName sends a visit by another name of this machine to the name that
// CareLink goes by, for the same page: cookies belong to a name, and a sign-in
// begun at 127.0.0.1 would not be known at localhost. Requests that carry their
// own proof need no cookie, and what was typed into a form is not replayed.
func oneName(base string, next http.Handler) http.Handler {
	u, err := url.Parse(base)
	if err != nil || !loopbackHost(u.Hostname()) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit := (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Authorization") == ""
		host := (&url.URL{Host: r.Host}).Hostname()
		if visit && loopbackHost(host) && host != u.Hostname() {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Location", base+r.URL.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guarded sets what browsers should know of every answer of CareLink: nothing
// from elsewhere is loaded or run, nobody frames a page, and nothing personal is
// kept. form-action may be so narrow because the sign-out answers its form with
// a page and does not redirect to the provider.
func guarded(base string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "+
			"base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if strings.HasPrefix(base, "https://") {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

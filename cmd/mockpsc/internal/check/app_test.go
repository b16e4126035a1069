package check_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pscauth/pscauth/mockpsc"
)

const realm = "/auth/realms/esante-wallet"

// Most of these tests wait: for a time-out, for an application to start again.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set("4")
	}
	m.Run()
}

// An app is a small application that does everything right, but for one weakness.
type app struct {
	*httptest.Server
	mock    *mockpsc.Server
	weak    string // "" is none
	refused func(why string)
	http    *http.Client

	mu       sync.Mutex
	pending  map[string]pending // by state
	sessions map[string]session
	done     map[string]session // by state
	keys     map[string]*rsa.PublicKey
	ill      bool
	started  string // a file that whoever starts the application anew writes to
	start    string // what it held
}

type pending struct{ nonce, verifier, returnTo string }

type session struct{ name, idToken, access, sid, id string }

// is reports whether this weakness is among those of the application.
func (a *app) is(weak string) bool { return slices.Contains(strings.Split(a.weak, ", "), weak) }

func newApp(t *testing.T, mock *mockpsc.Server, weak string) *app {
	t.Helper()
	a := &app{mock: mock, weak: weak, started: filepath.Join(t.TempDir(), "started"), pending: map[string]pending{}, sessions: map[string]session{}, done: map[string]session{}}
	a.http = &http.Client{Timeout: 4 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	switch weak {
	case "waits for ever":
		a.http.Timeout = 0
	case "follows redirects":
		a.http.CheckRedirect = nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("GET /me", a.me)
	mux.HandleFunc("GET /open", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Bonjour à tous") })
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("POST /ended", a.ended)
	if a.is("signs out by GET") {
		mux.HandleFunc("GET /logout", a.logout)
	}
	if a.is("asks before it signs out") {
		mux.HandleFunc("GET /logout", a.askBeforeLogout)
	}
	mux.HandleFunc("POST /quit", a.logout)
	if weak == "cookie without Secure" {
		a.Server = httptest.NewTLSServer(mux)
	} else {
		a.Server = httptest.NewUnstartedServer(mux)
		if a.is("closes what is silent") {
			a.Config.ReadHeaderTimeout = 400 * time.Millisecond
		}
		a.Start()
	}
	t.Cleanup(a.Close)
	return a
}

func (a *app) setCookie(w http.ResponseWriter, name, value string, age int) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	switch a.weak {
	case "cookie without HttpOnly":
		c.HttpOnly = name != "session"
	case "remembers who was in, for scripts too":
		c.HttpOnly = name != "remember"
	case "signs out by GET, strict session":
		if name == "session" {
			c.SameSite = http.SameSiteStrictMode
		}
	case "cookie without SameSite":
		c.SameSite = 0
	case "cookie without Secure":
		c.Secure = false
	}
	http.SetCookie(w, c)
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("return_to")
	if a.is("calls the way back zurueck") {
		to = r.URL.Query().Get("zurueck")
	}
	u, err := url.Parse(to)
	local := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.ContainsAny(to, "\\\t\r\n")
	switch {
	case a.is("returns anywhere"):
	case a.is("returns behind its own name") && strings.HasPrefix(to, a.URL):
	case a.is("appends the way back"):
		to = a.URL + to
	case a.weak == "returns behind two slashes" && strings.HasPrefix(to, "/"):
	case a.weak == "returns behind a backslash" && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//"):
	case !local:
		to = "/me"
	}
	if a.is("has nobody sign in twice") && a.isIn(r) {
		http.Redirect(w, r, "/me", http.StatusSeeOther)
		return
	}
	if a.is("returns whoever is in anywhere") && a.isIn(r) {
		w.Header().Set("Location", r.URL.Query().Get("return_to"))
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	state, p := rand.Text(), pending{rand.Text(), rand.Text() + rand.Text(), to}
	if a.weak == "short state" {
		state = state[:8]
	}
	if a.is("counts its sign-ins") {
		a.mu.Lock()
		state = fmt.Sprintf("carelink-login-request-number-%08d", len(a.sessions)+len(a.pending)+1)
		a.mu.Unlock()
	}
	if a.is("one sign-in of a browser") {
		if state = cookie(r, "browser"); state == "" {
			state = rand.Text()
		}
		a.setCookie(w, "browser", state, 600)
		p.nonce, p.verifier = "nonce-"+state, state+state
	}
	if a.is("keeps the state in a token") {
		state = "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+state+`"}`)) + ".AAAA"
	}
	if given := r.URL.Query().Get("state"); a.weak == "state of the link" && given != "" {
		state = given
	}
	a.mu.Lock()
	a.pending[state] = p
	a.mu.Unlock()
	a.setCookie(w, "pending", state, 600)
	if a.is("talks to strangers") {
		a.setCookie(w, "lang", "fr", 600)
	}
	if (a.is("keeps the session cookie") || a.is("keeps the old session too") || a.is("talks to strangers")) && cookie(r, "session") == "" {
		a.setCookie(w, "session", rand.Text(), 0)
	}
	sum := sha256.Sum256([]byte(p.verifier))
	q := url.Values{
		"client_id": {"carelink"}, "redirect_uri": {a.URL + "/callback"}, "response_type": {"code"}, "scope": {"openid scope_all"}, "acr_values": {"eidas1"},
		"state": {state}, "nonce": {p.nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	switch a.weak {
	case "no state":
		q.Del("state")
	case "no nonce":
		q.Del("nonce")
	case "no PKCE":
		q.Del("code_challenge")
		q.Del("code_challenge_method")
	case "plain PKCE":
		q.Set("code_challenge", p.verifier)
		q.Set("code_challenge_method", "plain")
	case "no acr_values":
		q.Del("acr_values")
	case "another scope":
		q.Set("scope", "openid")
	case "return path in redirect_uri":
		q.Set("redirect_uri", a.URL+"/callback?to="+url.QueryEscape(to))
	case "secret in the address":
		q.Set("client_secret", "carelink-secret")
	}
	switch at := a.mock.URL + "/auth?" + q.Encode(); {
	case a.is("refreshes by its header"):
		w.Header().Set("Refresh", "0; url="+at)
	case a.is("refreshes by its page"):
		fmt.Fprintf(w, `<meta charset="utf-8"><meta content="0;url='%s'" http-equiv="refresh">`, html.EscapeString(at))
	default:
		http.Redirect(w, r, at, http.StatusFound)
	}
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	state := cookie(r, "pending")
	if a.weak == "state of anybody" {
		state = r.FormValue("state")
	}
	a.mu.Lock()
	p, ok := a.pending[state]
	before, again := a.done[state]
	ill := a.ill
	delete(a.pending, state)
	a.mu.Unlock()
	a.setCookie(w, "pending", "", -1)
	if a.is("remembers the answer") && again {
		a.enter(w, r, state, before, "/me")
		return
	}
	if a.is("takes no state for no state") && state == "" && r.FormValue("state") == "" {
		ok = true
	}
	s, err := session{}, errors.New("no sign-in is pending")
	if ok {
		s, err = a.check(r, state, p)
	}
	if ill {
		err = errors.New("ill")
	}
	if err != nil && err.Error() == "exp unread" && a.weak == "stops" {
		a.Listener.Close()
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		a.refuse(w, r, err)
		if a.refused != nil {
			a.refused(err.Error())
		}
		return
	}
	a.enter(w, r, state, s, p.returnTo)
}

func (a *app) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch a.weak {
	case "falls ill":
		a.mu.Lock()
		a.ill = true
		a.mu.Unlock()
	case "breaks down":
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	case "panics":
		panic(http.ErrAbortHandler)
	case "begins again":
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	said := html.EscapeString(r.FormValue("error_description"))
	if a.weak == "shows markup" {
		said = r.FormValue("error_description")
	}
	fmt.Fprint(w, "<p>La connexion a échoué. ", said)
}

func (a *app) enter(w http.ResponseWriter, r *http.Request, state string, s session, to string) {
	switch {
	case a.is("keeps the previous session") && a.isIn(r):
		http.Redirect(w, r, "/me", http.StatusSeeOther)
		return
	case a.is("refuses who comes while another is in") && a.isIn(r):
		http.Error(w, "Vous êtes déjà connecté", http.StatusConflict)
		return
	}
	id := rand.Text()
	old := cookie(r, "session")
	if a.is("keeps the session cookie") && old != "" || a.is("takes a given session") && old != "" {
		id = old
	}
	a.mu.Lock()
	if a.is("one session of a person") {
		maps.DeleteFunc(a.sessions, func(_ string, other session) bool { return other.name == s.name })
	}
	if s.id == "" || !a.is("lands on the one session") || a.is("while it lasts") && a.sessions[s.id].id == "" {
		s.id = id
	}
	id = s.id
	a.sessions[id] = s
	if a.is("keeps the old session too") && old != "" {
		a.sessions[old] = s
	}
	a.done[state] = s
	a.mu.Unlock()
	a.setCookie(w, "session", id, 0)
	if a.is("remembers who was in") {
		a.setCookie(w, "remember", id, 600)
	}
	switch {
	case a.is("shows the token behind a hash"):
		to += "#access_token=" + s.access
	case a.is("shows the token"):
		to += "?ticket=" + s.idToken
	case a.is("shows the token to another site"):
		to = "https://stats.example/?next=" + url.QueryEscape(to) + "&ticket=" + s.idToken
	}
	if a.is("refreshes by its header") {
		w.Header().Set("Refresh", "0; url="+to)
		return
	}
	w.Header().Set("Location", to) // as it is: http.Redirect would tidy it up
	w.WriteHeader(http.StatusSeeOther)
}

func (a *app) me(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	s, ok := a.sessions[cookie(r, "session")]
	if !ok && a.is("remembers who was in") {
		s, ok = a.sessions[cookie(r, "remember")]
	}
	a.mu.Unlock()
	if ok && a.weak == "lives on the provider's token" {
		_, err := a.ask(r.Context(), "GET", "/userinfo", nil, s.access)
		ok = err == nil
	}
	if !ok && a.is("calls the way back zurueck") {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	if !ok {
		http.Redirect(w, r, "/login?return_to=/me", http.StatusFound)
		return
	}
	if a.is("renews its cookie at each request") {
		id := rand.Text()
		a.mu.Lock()
		delete(a.sessions, cookie(r, "session"))
		a.sessions[id] = s
		a.mu.Unlock()
		a.setCookie(w, "session", id, 0)
	}
	if a.weak != "no Cache-Control" {
		w.Header().Set("Cache-Control", "no-store")
	}
	if a.is("asks before it signs out") {
		fmt.Fprintf(w, `<p>Bonjour %s <a href="/logout">Se déconnecter</a>`, html.EscapeString(s.name))
		return
	}
	if a.is("calls it quit") {
		fmt.Fprintf(w, `<p>Bonjour %s <form method="post" action="/quit"><input type="hidden" name="csrf" value="%s"><button>Quitter</button></form>`, html.EscapeString(s.name), s.id)
		return
	}
	if a.is("shows no logout") {
		fmt.Fprintf(w, `<p>Bonjour %s, votre espace`, html.EscapeString(s.name))
		return
	}
	fmt.Fprintf(w, `<p>Bonjour %s <form method="post" action="/logout"><button>Se déconnecter</button></form>`, html.EscapeString(s.name))
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	id := cookie(r, "session")
	if (a.is("asks before it signs out") || a.is("calls it quit")) && r.FormValue("csrf") != id {
		http.Error(w, "csrf", http.StatusForbidden)
		return
	}
	a.mu.Lock()
	s := a.sessions[id]
	if !a.is("forgets only the cookie") && !a.is("signs nobody out") {
		delete(a.sessions, id)
	}
	a.mu.Unlock()
	if !a.is("signs nobody out") {
		a.setCookie(w, "session", "", -1)
		a.setCookie(w, "remember", "", -1)
	}
	q := url.Values{"post_logout_redirect_uri": {a.URL + "/bye"}, "client_id": {"carelink"}}
	if a.weak != "signs out without a hint" {
		q.Set("id_token_hint", s.idToken)
	}
	if a.weak == "signs out here only" {
		fmt.Fprint(w, "Au revoir")
		return
	}
	http.Redirect(w, r, a.mock.URL+realm+"/protocol/openid-connect/logout?"+q.Encode(), http.StatusSeeOther)
}

// ended is told by a logout token that a session is over.
func (a *app) ended(w http.ResponseWriter, r *http.Request) {
	sid, err := a.readLogoutToken(r.Context(), r.PostFormValue("logout_token"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, s := range a.sessions {
		if s.sid == sid && a.weak != "reads no logout token" {
			delete(a.sessions, id)
		}
	}
}

func (a *app) readLogoutToken(ctx context.Context, token string) (sid string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("no token")
	}
	var decoded [3][]byte
	for i := range parts {
		if decoded[i], err = decode(parts[i]); err != nil {
			return "", err
		}
	}
	if a.weak == "any logout token" {
		var claims struct{ Sid string }
		err = json.Unmarshal(decoded[1], &claims)
		return claims.Sid, err
	}
	if err := a.verifySignature(ctx, "logout+jwt", decoded[0], parts[0]+"."+parts[1], decoded[2]); err != nil {
		return "", err
	}
	claims, err := a.object(decoded[1])
	if err != nil {
		return "", err
	}
	exp, expOK := a.time(claims, "exp")
	iat, iatOK := a.time(claims, "iat")
	var events map[string]struct{}
	_, nonce := claims["nonce"]
	switch {
	case a.text(claims, "iss") != a.mock.URL+realm || a.text(claims, "aud") != "carelink" || a.text(claims, "jti") == "" || a.text(claims, "sid") == "":
		return "", errors.New("claims")
	case !expOK || !exp.After(time.Now()) || !iatOK || time.Since(iat).Abs() > 5*time.Minute:
		return "", errors.New("times")
	case nonce && a.weak != "ID token for logout token":
		return "", errors.New("nonce")
	case json.Unmarshal(claims["events"], &events) != nil || len(events) != 1:
		return "", errors.New("events")
	}
	if _, ok := events["http://schemas.openid.net/event/backchannel-logout"]; !ok {
		return "", errors.New("event")
	}
	return a.text(claims, "sid"), nil
}

// check goes through the callback, the ID token and userinfo.
func (a *app) check(r *http.Request, state string, p pending) (session, error) {
	q := r.URL.Query()
	for name, values := range q {
		if len(values) > 1 && a.weak != "takes doubles" {
			return session{}, errors.New("twice: " + name)
		}
	}
	switch {
	case q.Get("state") != state && a.weak != "no state" && a.weak != "state not compared":
		return session{}, errors.New("state")
	case q.Has("error") && a.weak != "ignores errors":
		return session{}, errors.New("error")
	case q.Get("iss") != a.mock.URL+realm && a.weak != "iss of the callback unread":
		return session{}, errors.New("iss")
	case q.Get("code") == "":
		return session{}, errors.New("code")
	}
	redirectURI := a.URL + "/callback"
	if to := q.Get("to"); a.weak == "return path in redirect_uri" {
		redirectURI += "?to=" + url.QueryEscape(to)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {redirectURI},
		"client_id": {"carelink"}, "client_secret": {"carelink-secret"}, "code_verifier": {p.verifier}}
	if a.weak == "no PKCE" {
		form.Del("code_verifier")
	}
	answer, err := a.ask(r.Context(), "POST", "/token", form, "")
	if err != nil {
		return session{}, err
	}
	access, idToken, kind := a.text(answer, "access_token"), a.text(answer, "id_token"), a.text(answer, "token_type")
	if access == "" || kind != "Bearer" {
		return session{}, errors.New("token answer")
	}
	claims := map[string]json.RawMessage{}
	if idToken != "" || a.weak != "needs no ID token" {
		if claims, err = a.verify(r.Context(), idToken, access, p.nonce); err != nil {
			return session{}, err
		}
	}
	if a.weak == "reads no userinfo" {
		return session{name: a.text(claims, "family_name"), idToken: idToken, access: access, sid: a.text(claims, "sid")}, nil
	}
	info, err := a.ask(r.Context(), "GET", "/userinfo", nil, access)
	if a.weak == "takes any userinfo" {
		if name := a.text(info, "family_name"); err == nil && name != "" {
			claims["family_name"], _ = json.Marshal(name)
		}
		return session{name: a.text(claims, "family_name"), idToken: idToken, access: access, sid: a.text(claims, "sid")}, nil
	}
	if err != nil {
		return session{}, err
	}
	without := len(claims) == 0 // only where no ID token is needed
	switch {
	case !without && a.weak != "sub of userinfo not compared" && (a.weak != "sub not required" || a.text(claims, "sub") != "") && (a.text(info, "sub") == "" || a.text(info, "sub") != a.text(claims, "sub")):
		return session{}, errors.New("sub")
	case !without && a.weak != "identifier not compared" && (a.text(info, "SubjectNameID") == "" || a.text(info, "SubjectNameID") != a.text(claims, "SubjectNameID")):
		return session{}, errors.New("SubjectNameID")
	}
	return session{name: a.text(info, "family_name"), idToken: idToken, access: access, sid: a.text(claims, "sid")}, nil
}

// ask calls the provider.
func (a *app) ask(ctx context.Context, method, path string, form url.Values, bearer string) (map[string]json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.mock.URL+realm+"/protocol/openid-connect"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20+1))
	if err != nil || len(text) > 1<<20 {
		return nil, errors.New("too long, or cut")
	}
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return nil, errors.New(resp.Status)
	}
	var first json.RawMessage
	if a.weak == "reads the first object" && json.NewDecoder(bytes.NewReader(text)).Decode(&first) == nil {
		text = first
	}
	return a.object(text)
}

// object reads one JSON object, and nothing beside it.
func (a *app) object(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(text) {
		return nil, errors.New("no object")
	}
	m := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string)
		if _, twice := m[name]; twice && a.weak != "takes doubles" {
			return nil, errors.New("twice: " + name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		m[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more behind it")
	}
	return m, nil
}

func (a *app) raw(m map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	v, ok := m[name]
	if !ok && a.weak == "folds case" {
		for other := range m {
			if strings.EqualFold(other, name) {
				return m[other], true
			}
		}
	}
	return v, ok
}

// text is a member that is a text; "" if it is none.
func (a *app) text(m map[string]json.RawMessage, name string) string {
	v, _ := a.raw(m, name)
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// time is a member that is a time.
func (a *app) time(m map[string]json.RawMessage, name string) (time.Time, bool) {
	v, _ := a.raw(m, name)
	var n *int64
	if json.Unmarshal(v, &n) != nil || n == nil {
		return time.Time{}, false
	}
	return time.Unix(*n, 0), true
}

func decode(part string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err == nil && base64.RawURLEncoding.EncodeToString(b) != part {
		err = errors.New("not canonical")
	}
	return b, err
}

func (a *app) verify(ctx context.Context, token, access, nonce string) (map[string]json.RawMessage, error) {
	parts := strings.Split(token, ".")
	if len(token) > 64<<10 || len(parts) != 3 {
		return nil, errors.New("no token")
	}
	var decoded [3][]byte
	for i := range parts {
		var err error
		if decoded[i], err = decode(parts[i]); err != nil && a.weak != "no signature" {
			return nil, err
		}
	}
	if a.weak != "no signature" {
		if err := a.verifySignature(ctx, "JWT", decoded[0], parts[0]+"."+parts[1], decoded[2]); err != nil {
			return nil, err
		}
	}
	claims, err := a.object(decoded[1])
	if err != nil {
		return nil, err
	}
	now := time.Now()
	has := func(name string) bool { _, ok := a.raw(claims, name); return ok }
	exp, expOK := a.time(claims, "exp")
	iat, iatOK := a.time(claims, "iat")
	authTime, authOK := a.time(claims, "auth_time")
	hash := sha256.Sum256([]byte(access))
	sub := a.text(claims, "sub")
	for _, rule := range []struct {
		weak   string // who does not mind
		broken bool
	}{
		{"iss unread", a.text(claims, "iss") != a.mock.URL+realm},
		{"aud unread", a.text(claims, "aud") != "carelink"},
		{"azp unread", has("azp") && a.text(claims, "azp") != "carelink"},
		{"exp unread", !expOK || !exp.After(now)},
		{"iat unread", !iatOK || now.Sub(iat).Abs() > 5*time.Minute || has("nbf") && iat.Before(now.Add(time.Hour)) || !authOK || authTime.After(now.Add(time.Minute))},
		{"nonce unread", a.weak != "no nonce" && !(nonce == "" && a.is("minds no nonce where there is none")) && a.text(claims, "nonce") != nonce},
		{"sub not required", sub == "" || len(sub) > 255},
		{"acr unread", a.text(claims, "acr") != "eidas1" && a.text(claims, "acr") != "eidas2"},
		{"at_hash unread", has("at_hash") && a.text(claims, "at_hash") != base64.RawURLEncoding.EncodeToString(hash[:16])},
		{"any typ", a.text(claims, "typ") != "ID" || has("events")},
	} {
		if rule.broken && a.weak != rule.weak {
			return nil, errors.New(rule.weak)
		}
	}
	return claims, nil
}

func (a *app) verifySignature(ctx context.Context, typ string, head []byte, text string, signature []byte) error {
	header, err := a.object(head)
	if err != nil {
		return err
	}
	for name := range header {
		if name != "alg" && name != "kid" && name != "typ" {
			return errors.New("header: " + name)
		}
	}
	alg := a.text(header, "alg")
	switch {
	case a.text(header, "typ") != typ && a.weak != "any typ":
		return errors.New("typ")
	case a.weak == "alg none" && strings.EqualFold(alg, "none"):
		return nil
	case a.weak == "alg HS256" && alg == "HS256":
		mac := hmac.New(sha256.New, []byte("carelink-secret"))
		mac.Write([]byte(text))
		if !hmac.Equal(mac.Sum(nil), signature) {
			return errors.New("HS256")
		}
		return nil
	case alg != "RS256":
		return errors.New("alg")
	}
	k, err := a.key(ctx, a.text(header, "kid"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(text))
	return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature)
}

// key reads the published keys once.
func (a *app) key(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if started, err := os.ReadFile(a.started); err == nil && string(started) != a.start {
		a.keys, a.start = nil, string(started)
	}
	lax := strings.HasPrefix(a.weak, "any key")
	if a.keys == nil || a.weak == "any key" {
		doc, err := a.ask(ctx, "GET", "/certs", nil, "")
		if err != nil {
			return nil, err
		}
		var list []struct{ Kid, Kty, Use, Alg, N, E string }
		if err := json.Unmarshal(doc["keys"], &list); err != nil {
			return nil, err
		}
		keys := map[string]*rsa.PublicKey{}
		for _, k := range list {
			n, err1 := decode(k.N)
			e, err2 := decode(k.E)
			if (k.Use == "sig" || lax) && k.Kty == "RSA" && errors.Join(err1, err2) == nil && len(n) > 0 {
				keys[k.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
			}
		}
		a.keys = keys
	}
	k := a.keys[kid]
	if k == nil {
		return nil, errors.New("kid")
	}
	return k, nil
}

package mockpsc

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// apiSignIn is a sign-in without a browser: what a person would do with the
// address to which an application sends them, and where that leads them. The
// request passes every check of the sign-in page's own, by the same code. It
// needs no cookie and leaves none, so that each is a sign-in of its own; Auto,
// ConfirmSSO and whoever is signed in in some browser do not matter.
//
// What goes back to the application goes back here too: a request that it would
// hear is refused at its redirect URI leads there, with the error.
func (s *Server) apiSignIn(a *answer, r *http.Request) {
	var ask struct {
		Address string   `json:"authorization_url"`
		Persona string   `json:"persona"`
		Means   string   `json:"means"`
		Faults  []string `json:"faults"`
	}
	if !a.read(r, &ask) {
		return
	}
	chosen, err := findFaults(ask.Faults)
	if err != nil {
		a.bad(strings.TrimPrefix(err.Error(), "mockpsc: "))
		return
	}
	if ask.Means != "" && ask.Means != "ecps" && ask.Means != "card" {
		a.bad(fmt.Sprintf("unknown means %q: ecps or card", ask.Means))
		return
	}
	browser, why := s.asBrowser(r, ask.Address)
	if why != "" {
		a.bad("authorization_url: " + why)
		return
	}
	page := s.unseenAnswer(browser)
	if s.drilled(page, browser) {
		a.fail(http.StatusServiceUnavailable, "drill", page.Header().Get("X-Mock-PSC-Error"))
		return
	}
	if err := browser.ParseForm(); err != nil {
		page.WriteHeader(http.StatusBadRequest)
		a.bad("authorization_url: the parameters cannot be read: " + err.Error())
		return
	}
	client, at, ref := s.newAttempt(browser)
	if client != nil {
		page.belongsTo(client)
	}
	if ref == nil && browser.Form.Get("prompt") == "none" {
		ref = &refusal{code: "login_required", rule: nobodyHere}
	}
	if ref != nil {
		page.explain(ref.rule)
		if at == nil {
			page.WriteHeader(http.StatusBadRequest)
			a.bad(ref.rule)
			return
		}
		location := at.refuse(ref.code, ref.rule)
		page.redirect(location)
		a.explain(ref.rule)
		a.signedIn(location)
		return
	}
	s.mu.Lock()
	p := s.people[ask.Persona]
	if p == nil {
		s.mu.Unlock()
		page.WriteHeader(http.StatusBadRequest)
		a.bad(fmt.Sprintf("unknown persona %q; known: %s", ask.Persona, personaIDs(s.known())))
		return
	}
	mode := p.chosenMode(ask.Means)
	if !p.means(mode).Works() {
		why := p.cannot(ask.Persona, mode)
		s.mu.Unlock()
		page.explain(why)
		page.WriteHeader(http.StatusBadRequest)
		a.fail(http.StatusConflict, "means_does_not_work", why)
		return
	}
	location := s.complete(page, browser, at, p, mode, chosen)
	s.mu.Unlock()
	page.redirect(location)
	a.signedIn(location)
}

func (a *answer) signedIn(location string) {
	a.json(http.StatusOK, object{{"redirect_to", location}}.text())
}

// asBrowser is the request that a browser makes of an authorization URL, without
// a cookie. It says why not if the URL is not this mock's.
func (s *Server) asBrowser(r *http.Request, address string) (*http.Request, string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, "an absolute URL is required"
	}
	browser := r.Clone(r.Context())
	browser.Method, browser.Host, browser.Body, browser.ContentLength = http.MethodGet, u.Host, http.NoBody, 0
	browser.URL = &url.URL{Path: u.Path, RawQuery: u.RawQuery}
	browser.Form, browser.PostForm = nil, nil
	for _, name := range []string{"Cookie", "Content-Type", "Content-Length"} {
		browser.Header.Del(name)
	}
	if browser, err = lying(browser); err != nil {
		return nil, strings.TrimPrefix(err.Error(), "mockpsc: ")
	}
	isPage := browser.URL.Path == "/auth"
	if !isPage && browser.URL.Path != realmPath+"/protocol/openid-connect/auth" {
		return nil, fmt.Sprintf("%s is not the path of an authorization endpoint", path.Clean(u.Path))
	}
	there := u.Scheme + "://" + u.Host
	_, port, _ := net.SplitHostPort(u.Host)
	_, ownPort, _ := net.SplitHostPort(r.Host)
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	switch {
	case there == s.base(r) && !(isPage && s.WalletURL != ""), there == s.wallet(r): // configured, or by the same name
	case s.Issuer == "" && !s.TrustForwarded && loopbackHost(u.Host) && port == ownPort && u.Scheme == scheme: // by another name of this machine
	default:
		return nil, fmt.Sprintf("%s is not this mock, which is %s", there, s.wallet(r))
	}
	return browser, ""
}

// unseenAnswer is the answer to a request that only the log sees.
func (s *Server) unseenAnswer(r *http.Request) *answer {
	a := &answer{ResponseWriter: unseen{}, server: s, entry: &Request{Time: s.now(), Method: r.Method, Path: own(path.Clean(r.URL.Path))}}
	a.trace = &trace{r: r}
	s.mu.Lock()
	s.note(a.entry)
	s.mu.Unlock()
	return a
}

// unseen is nobody's answer.
type unseen http.Header

func (u unseen) Header() http.Header         { return http.Header(u) }
func (u unseen) Write(b []byte) (int, error) { return len(b), nil }
func (u unseen) WriteHeader(int)             {}

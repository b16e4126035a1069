package mockpsc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// NewServer starts a mock with the default client on a free port of 127.0.0.1,
// for one test, and stops it when the test ends. Its URL is the base URL to
// give to the application. It fails the test if it cannot listen.
func NewServer(t testing.TB) *Server {
	t.Helper()
	return serve(t, nil)
}

func serve(t testing.TB, config *tls.Config) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("mockpsc: listening for a test: %v", err)
	}
	s := &Server{URL: "http://" + l.Addr().String()}
	if config != nil {
		s.URL = "https://" + l.Addr().String()
	}
	srv := &http.Server{Handler: s, TLSConfig: config.Clone(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if config != nil {
			srv.ServeTLS(l, "", "") // ends with ErrServerClosed, as the next
			return
		}
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-served
		s.hush()
	})
	return s
}

// SignIn walks through a real sign-in at the application, as a browser does: it
// asks for loginURL, follows the redirect to the mock's sign-in form, posts
// the persona and the faults to that form, and follows the way back. It returns
// the application's last answer, of whatever status, with its body open.
//
// The persona signs in with the e-CPS if it works, otherwise with the card;
// "dr-dupont/card" and "dr-dupont/ecps" choose. Faults are names from [Faults].
//
// A client without a cookie jar is given one; redirects are followed whatever
// its CheckRedirect says. Whoever was signed in at the mock with that jar is
// forgotten first, so that the sign-in is the persona's.
//
// An unknown persona or fault, a means that does not work, and a loginURL that
// does not lead to the mock are errors. An application that refuses the sign-in
// is not: that is its answer. If it begins the sign-in again, the answer is the
// mock's page.
func (s *Server) SignIn(c *http.Client, loginURL, persona string, faults ...string) (*http.Response, error) {
	s.once.Do(s.init)
	if s.Auto != "" && s.Auto != autoHint {
		return nil, fmt.Errorf("mockpsc: sign-in: Auto is %q, so that nobody is asked who he is; ask for the page itself", s.Auto)
	}
	persona, means, _ := strings.Cut(persona, "/")
	s.mu.Lock()
	known := s.people[persona] != nil
	s.mu.Unlock()
	if !known {
		return nil, fmt.Errorf("mockpsc: unknown persona %q; known: %s", persona, personaIDs(s.known()))
	}
	if _, err := findFaults(faults); err != nil {
		return nil, err
	}
	if means != "" && means != "ecps" && means != "card" {
		return nil, fmt.Errorf("mockpsc: unknown means %q: ecps or card", means)
	}
	if c.Jar == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, fmt.Errorf("mockpsc: %w", err)
		}
		c.Jar = jar
	}
	browser := *c
	browser.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("mockpsc: stopped after 10 redirects")
		}
		if next.URL.Query().Has("client_id") { // about to ask for authorization
			forget(browser.Jar, next.URL)
		}
		return nil
	}
	if first, err := url.Parse(loginURL); err == nil && first.Query().Has("client_id") {
		forget(browser.Jar, first)
	}
	resp, err := browser.Get(loginURL)
	if err != nil {
		return nil, fmt.Errorf("mockpsc: sign-in: %w", err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("mockpsc: sign-in: %w", err)
	}
	if resp.Header.Get("X-Mock-PSC") == "" {
		return nil, fmt.Errorf("mockpsc: sign-in: %s did not lead to the mock but to %s, status %d",
			loginURL, resp.Request.URL.Redacted(), resp.StatusCode)
	}
	found := attemptField().FindSubmatch(page)
	if found == nil {
		return nil, fmt.Errorf("mockpsc: sign-in: no sign-in form, but status %d: %s", resp.StatusCode, resp.Header.Get("X-Mock-PSC-Error"))
	}
	door := resp.Request.URL.ResolveReference(&url.URL{Path: "/auth/sign-in"})
	form := url.Values{"attempt": {html.UnescapeString(string(found[1]))}, "persona": {persona}, "fault": faults}
	if means != "" {
		form.Set("means", means)
	}
	resp, err = browser.PostForm(door.String(), form)
	if err != nil {
		return nil, fmt.Errorf("mockpsc: sign-in: %w", err)
	}
	if resp.Request.URL.Path == door.Path && resp.Header.Get("X-Mock-PSC") != "" { // it went nowhere
		resp.Body.Close()
		return nil, fmt.Errorf("mockpsc: sign-in: status %d: %s", resp.StatusCode, resp.Header.Get("X-Mock-PSC-Error"))
	}
	return resp, nil
}

var attemptField = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`name="attempt" value="([^"]+)"`) })

// forget drops the SSO cookie that a jar holds for a mock.
func forget(jar http.CookieJar, mock *url.URL) {
	for _, c := range jar.Cookies(mock) {
		if strings.Contains(c.Name, "mockpsc_sso_") {
			jar.SetCookies(mock, []*http.Cookie{{Name: c.Name, Path: "/", MaxAge: -1}})
		}
	}
}

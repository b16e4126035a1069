// Command drive plays the browser for the clients of .ci/clients: programs that
// are not Go, each around a foreign OpenID Connect client. It signs people in at
// each of them through a running mockpsc, and reads what the application then
// knows; it has the mock commit its faults; it signs out. One line is printed for
// each thing tried, and a count; it fails if one of them was not as expected.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func main() {
	mock := flag.String("mock", "", "base `URL` of mockpsc")
	ca := flag.String("ca", "", "`file` with its CA")
	echo := flag.String("echo", "", "`host:port` for the application behind Apache")
	given := map[string]*string{}
	for _, s := range sites {
		if given[s.server] == nil {
			given[s.server] = flag.String(s.server, "", "base `URL`; without it that client is left out")
		}
	}
	flag.Parse()
	passed, failed, err := run(*mock, *ca, *echo, given)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drive:", err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func run(mock, ca, echo string, given map[string]*string) (passed, failed int, err error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return 0, 0, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return 0, 0, errors.New("no certificate in " + ca)
	}
	// A connection for each request: after an error page of its own
	// mod_auth_openidc lets Apache send the answer of the application as well.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	l, err := net.Listen("tcp", echo)
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	go http.Serve(l, http.HandlerFunc(headers))

	for _, s := range sites {
		base := *given[s.server]
		if base == "" {
			continue
		}
		for _, t := range s.trials() {
			b := &browser{mock: mock, transport: transport}
			if b.jar, err = cookiejar.New(nil); err != nil {
				return passed, failed, err
			}
			if err := t.try(b, base+s.path); err != nil {
				failed++
				fmt.Printf("FAIL  %s: %s: %v\n", s.name, t.name, err)
				continue
			}
			passed++
			fmt.Printf("ok    %s: %s\n", s.name, t.name)
		}
	}
	return passed, failed, nil
}

// headers is the application behind Apache: it shows what it is told.
func headers(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	told := map[string]json.RawMessage{}
	for name, header := range map[string]string{"idToken": "OIDC_id_token_payload", "userinfo": "OIDC_userinfo_json"} {
		document, err := base64.RawURLEncoding.DecodeString(r.Header.Get(header))
		if err != nil || len(document) == 0 {
			document = []byte("null")
		}
		told[name] = document
	}
	json.NewEncoder(w).Encode(told)
}

// A browser is a person's, for one trial.
type browser struct {
	mock      string
	transport http.RoundTripper
	jar       http.CookieJar
}

type page struct {
	url    *url.URL
	status int
	text   []byte
}

// get asks for an address, or posts a form to it, and follows redirects.
func (b *browser) get(address string, form url.Values) (page, error) {
	return b.ask(address, form, nil)
}

// look asks for an address and follows nothing: whoever is sent away is not
// signed in.
func (b *browser) look(address string) (page, error) {
	return b.ask(address, nil, func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })
}

func (b *browser) ask(address string, form url.Values, redirected func(*http.Request, []*http.Request) error) (page, error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, err
	}
	r.Header.Set("Accept", "text/html,*/*") // else it is no page that is asked for, but data
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	c := &http.Client{Transport: b.transport, Jar: b.jar, Timeout: 20 * time.Second, CheckRedirect: redirected}
	resp, err := c.Do(r)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return page{resp.Request.URL, resp.StatusCode, text}, err
}

var attemptField = regexp.MustCompile(`name="attempt" value="([^"]+)"`)

// form asks for an address that leads to the mock's sign-in page. It returns what
// the application asked for, and the attempt that the page belongs to.
func (b *browser) form(address string) (asked url.Values, attempt string, err error) {
	p, err := b.get(address, nil)
	if err != nil {
		return nil, "", err
	}
	found := attemptField.FindSubmatch(p.text)
	if found == nil || p.url.Scheme+"://"+p.url.Host != b.mock {
		return nil, "", fmt.Errorf("no sign-in page at %s%s, status %d: %.200s", p.url.Host, p.url.Path, p.status, p.text)
	}
	return p.url.Query(), string(found[1]), nil
}

// signIn walks from the application to the mock's page, signs in there and
// walks back. It returns the application's answer, whatever that is.
func (b *browser) signIn(address, persona, means, fault string) (page, error) {
	_, attempt, err := b.form(address)
	if err != nil {
		return page{}, err
	}
	if means != "delegation" {
		return b.get(b.mock+"/auth/sign-in", url.Values{"attempt": {attempt}, "persona": {persona}, "means": {means}, "fault": {fault}})
	}
	if _, err := b.get(b.mock+"/auth/delegation", url.Values{"attempt": {attempt}, "account": {persona}}); err != nil {
		return page{}, err
	}
	return b.get(b.mock+"/auth/confirm", url.Values{"attempt": {attempt}, "answer": {"yes"}})
}

// A person is what an application knows after a sign-in, from each source.
type person struct {
	IDToken  *claims `json:"idToken"`
	Userinfo *claims `json:"userinfo"`
}

type claims struct {
	SubjectNameID string
	AuthMode      string `json:"authMode"`
	ACR           string `json:"acr"`
	FamilyName    string `json:"family_name"`
	SubjectRefPro *struct {
		Civility *string `json:"codeCivilite"` // here in the older layout
	}
}

// layout is that of a userinfo document.
func (c *claims) layout() string {
	switch {
	case c.SubjectRefPro == nil:
		return "no record"
	case c.SubjectRefPro.Civility != nil:
		return "older layout"
	}
	return "newer layout"
}

// whois asks the application who is signed in; nil is nobody.
func (s *site) whois(b *browser, base string) (*person, error) {
	p, err := b.look(base + s.show)
	if err != nil || p.status != http.StatusOK {
		return nil, err
	}
	who, err := s.read(p.text)
	if err == nil && who.IDToken == nil {
		return nil, nil
	}
	return who, err
}

// A trial is one thing tried at a site, in a browser of its own.
type trial struct {
	name string
	try  func(b *browser, base string) error
}

func (s *site) trials() []trial {
	pkce := " with PKCE"
	if !s.pkce {
		pkce = " without PKCE"
	}
	list := []trial{{"asks for eidas1" + pkce, s.asks}}
	for _, v := range visits {
		accepts := s.accepts == nil || slices.Contains(s.accepts, v.acr)
		name := fmt.Sprintf("%s by %s, %s", v.persona, v.means, v.layout)
		if !accepts {
			name += fmt.Sprintf(" is refused for acr %q", v.acr)
		}
		list = append(list, trial{name, func(b *browser, base string) error { return s.visit(b, base, v, accepts) }})
	}
	if s.refresh != "" {
		list = append(list, trial{"refresh", s.renew})
	}
	list = append(list, trial{"sign-out", s.signOut})
	if !s.faults {
		return list
	}
	for _, f := range mockpsc.Faults() {
		want := "refuses"
		if slices.Contains(s.passes, f.Name) {
			want = "does not see"
		} else if slices.Contains(s.drops, f.Name) {
			want = "uses no userinfo after"
		}
		list = append(list, trial{want + " " + f.Name, func(b *browser, base string) error {
			if _, err := b.signIn(base+s.start, "dr-dupont", "ecps", f.Name); err != nil {
				return err
			}
			who, err := s.whois(b, base)
			if err != nil {
				return err
			}
			got := "refuses"
			if who != nil && who.Userinfo != nil {
				got = "does not see"
			} else if who != nil {
				got = "uses no userinfo after"
			}
			if got != want {
				return fmt.Errorf("it %s it: %s", got, f.Summary)
			}
			return nil
		}})
	}
	return list
}

// asks looks at the authorization request; what is not looked at here, the mock
// itself insists on.
func (s *site) asks(b *browser, base string) error {
	asked, _, err := b.form(base + s.start)
	if err != nil {
		return err
	}
	if method := asked.Get("code_challenge_method"); asked.Get("acr_values") != "eidas1" || (method == "S256") != s.pkce || asked.Has("code_challenge") != s.pkce {
		return fmt.Errorf("acr_values %q, code_challenge_method %q", asked.Get("acr_values"), method)
	}
	return nil
}

// visit signs a person in and compares what the application knows with what it
// should.
func (s *site) visit(b *browser, base string, v visit, accepted bool) error {
	last, err := b.signIn(base+s.start, v.persona, v.means, "")
	if err != nil {
		return err
	}
	who, err := s.whois(b, base)
	switch {
	case err != nil:
		return err
	case who == nil && !accepted && bytes.Contains(last.text, []byte(s.refusal)):
		return nil
	case who == nil:
		return fmt.Errorf("not signed in: %d %.300s", last.status, last.text)
	case !accepted:
		return errors.New("signed in")
	case who.Userinfo == nil:
		return errors.New("signed in without userinfo")
	}
	people := mockpsc.Personas()
	want := people[slices.IndexFunc(people, func(p mockpsc.Persona) bool { return p.ID == v.persona })].NationalID
	if who.IDToken.SubjectNameID != want || who.Userinfo.SubjectNameID != want {
		return fmt.Errorf("SubjectNameID is %q in the ID token, %q in userinfo, want %q", who.IDToken.SubjectNameID, who.Userinfo.SubjectNameID, want)
	}
	if mode := map[string]string{"ecps": "MOBILE", "card": "CARD"}[v.means]; who.IDToken.AuthMode != mode || who.IDToken.ACR != v.acr {
		return fmt.Errorf("authMode %q, acr %q, want %q, %q", who.IDToken.AuthMode, who.IDToken.ACR, mode, v.acr)
	}
	if who.Userinfo.layout() != v.layout || who.Userinfo.FamilyName != who.IDToken.FamilyName || v.family != "" && v.family != who.Userinfo.FamilyName {
		return fmt.Errorf("userinfo has %s and the name %q, want %s and %q", who.Userinfo.layout(), who.Userinfo.FamilyName, v.layout, v.family)
	}
	return nil
}

func (s *site) renew(b *browser, base string) error {
	if _, err := b.signIn(base+s.start, "dr-dupont", "ecps", ""); err != nil {
		return err
	}
	if p, err := b.get(base+s.refresh, nil); err != nil || p.status != http.StatusOK {
		return fmt.Errorf("status %d, %v: %.300s", p.status, err, p.text)
	}
	who, err := s.whois(b, base)
	if err != nil || who == nil || who.Userinfo == nil || who.Userinfo.SubjectNameID != "899999001011" {
		return fmt.Errorf("after the refresh: %+v, %v", who, err)
	}
	return nil
}

// signOut is at the application and, by way of its redirect, at PSC: the next
// sign-in asks again.
func (s *site) signOut(b *browser, base string) error {
	if _, err := b.signIn(base+s.start, "dr-dupont", "ecps", ""); err != nil {
		return err
	}
	if who, err := s.whois(b, base); err != nil || who == nil {
		return fmt.Errorf("not signed in: %v", err)
	}
	p, err := b.get(base+s.logout(base), nil)
	if err != nil {
		return err
	}
	if p.url.String() != base+s.bye {
		return fmt.Errorf("ended at %s, status %d, want %s", p.url, p.status, base+s.bye)
	}
	if who, err := s.whois(b, base); err != nil || who != nil {
		return fmt.Errorf("still signed in: %t, %v", who != nil, err)
	}
	_, _, err = b.form(base + s.start)
	return err
}

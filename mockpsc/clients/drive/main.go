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
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
	"github.com/pscauth/pscauth/mockpsc/clients"
)

func main() {
	mock := flag.String("mock", "", "base `URL` of mockpsc")
	ca := flag.String("ca", "", "`file` with its CA")
	echo := flag.String("echo", "", "`host:port` for the application behind Apache")
	t := table{versions: map[string]string{}}
	flag.StringVar(&t.root, "root", ".", "`directory` of the repository")
	flag.BoolVar(&t.write, "write", false, "write the table of faults and clients anew, in place of comparing it")
	flag.BoolVar(&t.explain, "explain", false, "print for each fault what each client did")
	flag.Func("version", "`client=version`, as in the table; repeatable", func(text string) error {
		client, version, ok := strings.Cut(text, "=")
		t.versions[client] = version
		if !ok || version == "" {
			return errors.New("client=version is needed")
		}
		return nil
	})
	var p proxy
	flag.StringVar(&p.program, "oauth2-proxy", "", "`program`; without it that client is left out")
	flag.StringVar(&p.secret, "oauth2-proxy-secret", "", "its client_secret, of 32 characters")
	ports := flag.String("oauth2-proxy-ports", "", "`ports` for it, with a comma between them; the client at each is oauth2-proxy-<port>")
	given := map[string]*string{}
	for _, s := range sites {
		if given[s.server] == nil {
			given[s.server] = flag.String(s.server, "", "base `URL`; without it that client is left out")
		}
	}
	flag.Parse()
	p.ca, p.issuer, p.ports = *ca, *mock+"/auth/realms/esante-wallet", strings.Split(*ports, ",")
	passed, failed, err := run(*mock, *ca, *echo, given, &p, &t)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drive:", err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func run(mock, ca, echo string, given map[string]*string, p *proxy, t *table) (passed, failed int, err error) {
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
	d := &driver{mock: mock, transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}, heard: make(chan int, 8)}
	l, err := net.Listen("tcp", echo)
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	behind := http.NewServeMux()
	behind.HandleFunc("/", headers)
	behind.Handle("POST /backchannel", relay(*given["apache-secret"]+"/secure/psc/redirect?logout=backchannel", d.heard, d.transport))
	go http.Serve(l, behind)

	all := map[string]*tried{}
	var here []*site
	for _, s := range sites {
		if *given[s.server] == "" {
			continue
		}
		here = append(here, s)
		if s.column != "" && all[s.column] == nil {
			all[s.column] = new(tried)
		}
	}
	// A sign-in that has the mock lie about its keys has it lie to whoever reads
	// them next. So the others wait.
	for _, s := range here {
		if !s.lies && s.column != "" {
			s.tryAll(d, *given[s.server]+s.path, all[s.column], func(f mockpsc.Fault) bool { return f.Where == "keys" })
		}
	}
	var mu sync.Mutex
	var work sync.WaitGroup
	fail := func(problem error) {
		mu.Lock()
		defer mu.Unlock()
		err = errors.Join(err, problem)
	}
	if t.write {
		work.Go(func() {
			libraries := tryLibraries()
			versions, problem := clients.LibraryVersions()
			fail(problem)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(all, libraries)
			maps.Copy(t.versions, versions)
		})
	}
	if p.program != "" {
		found := new(tried)
		all["oauth2-proxy"] = found
		work.Go(func() { fail(tryProxy(d, p, found)) })
	}
	for _, s := range here {
		base := *given[s.server] + s.path
		var found *tried
		if s.column != "" {
			found = all[s.column]
		}
		work.Go(func() {
			var out bytes.Buffer
			ok, bad := 0, 0
			for _, t := range s.trials() {
				if err := t.try(d.browser(mockpsc.Fault{}), base); err != nil {
					bad++
					fmt.Fprintf(&out, "FAIL  %s: %s: %v\n", s.name, t.name, err)
					continue
				}
				ok++
				fmt.Fprintf(&out, "ok    %s: %s\n", s.name, t.name)
			}
			if found != nil {
				s.tryAll(d, base, found, func(f mockpsc.Fault) bool {
					return (s.lies || f.Where != "keys") && (s.slow == nil || *s.slow == clients.Slow(f))
				})
				fail(s.stillThere(d, base))
			}
			mu.Lock()
			defer mu.Unlock()
			passed, failed = passed+ok, failed+bad
			os.Stdout.Write(out.Bytes())
		})
	}
	work.Wait()
	if err != nil {
		return passed, failed, err
	}
	if t.explain {
		for _, f := range mockpsc.Faults() {
			for _, client := range slices.Sorted(maps.Keys(all)) {
				if r, ok := all[client].results[f.Name]; ok {
					fmt.Printf("%s %s %c %q\n", f.Name, client, r, all[client].reasons[f.Name])
				}
			}
		}
	}
	ok, bad, err := t.settle(all)
	return passed + ok, failed + bad, err
}

// headers is the application behind Apache: it shows what it is told.
func headers(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	token, _ := base64.RawURLEncoding.DecodeString(r.Header.Get("OIDC_id_token"))
	told := map[string]any{"hint": string(token)}
	for name, header := range map[string]string{"idToken": "OIDC_id_token_payload", "userinfo": "OIDC_userinfo_json"} {
		document, err := base64.RawURLEncoding.DecodeString(r.Header.Get(header))
		if err != nil || len(document) == 0 {
			document = []byte("null")
		}
		told[name] = json.RawMessage(document)
	}
	json.NewEncoder(w).Encode(told)
}

// A browser is a person's, for one trial.
type browser struct {
	mock      string
	transport http.RoundTripper
	jar       http.CookieJar
	patience  time.Duration
}

type page struct {
	url    *url.URL
	status int
	to     string // where it leads, if that was not followed
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
	c := &http.Client{Transport: b.transport, Jar: b.jar, Timeout: b.patience, CheckRedirect: redirected}
	resp, err := c.Do(r)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return page{resp.Request.URL, resp.StatusCode, resp.Header.Get("Location"), text}, err
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

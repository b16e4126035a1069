package clients

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// start runs an app until the test ends.
func start(t *testing.T, p party, make func(party) (client, error), declare func(redirectURI string)) (url string) {
	url, stop := app(p, make, declare, nil)
	t.Cleanup(stop)
	return url
}

func signIn(t *testing.T, mock *mockpsc.Server, app, persona string) (int, string) {
	t.Helper()
	return text(t)(mock.SignIn(new(http.Client), app+"/login", persona))
}

// text reads an answer.
func text(t *testing.T) func(*http.Response, error) (int, string) {
	return func(resp *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.TrimSpace(string(body))
	}
}

func TestForeignClientsSignIn(t *testing.T) {
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			app := start(t, bySecret(mock), lib.make, nil)
			for _, p := range mockpsc.Personas() {
				for means, m := range map[string]mockpsc.Means{"ecps": p.ECPS, "card": p.Card} {
					if !m.Works() {
						continue
					}
					if status, who := signIn(t, mock, app, p.ID+"/"+means); status != http.StatusOK || who != p.NationalID {
						t.Errorf("%s by %s: got %d %q, want %q", p.ID, means, status, who, p.NationalID)
					}
				}
			}
		})
	}
}

func TestForeignClientsSignInByDelegation(t *testing.T) {
	attempt := regexp.MustCompile(`name="attempt" value="([^"]+)"`)
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			mock.Delegation = true
			app := start(t, bySecret(mock), lib.make, nil)
			for _, p := range mockpsc.Personas()[:2] { // one of each layout of userinfo
				jar, err := cookiejar.New(nil)
				if err != nil {
					t.Fatal(err)
				}
				browser := &http.Client{Jar: jar}
				_, page := text(t)(browser.Get(app + "/login"))
				found := attempt.FindStringSubmatch(page)
				if found == nil {
					t.Fatalf("no sign-in page: %.300s", page)
				}
				text(t)(browser.PostForm(mock.URL+"/auth/delegation", url.Values{"attempt": {found[1]}, "account": {p.ID}}))
				status, who := text(t)(browser.PostForm(mock.URL+"/auth/confirm", url.Values{"attempt": {found[1]}, "answer": {"yes"}}))
				if status != http.StatusOK || who != p.NationalID {
					t.Errorf("%s: got %d %q, want %q", p.ID, status, who, p.NationalID)
				}
			}
		})
	}
}

func TestForeignClientsSignInWithACertificate(t *testing.T) {
	for _, bound := range []bool{false, true} {
		for _, lib := range libraries {
			t.Run(fmt.Sprintf("%s, bound %t", lib.name, bound), func(t *testing.T) {
				mock := mockpsc.NewTLSServer(t)
				p := party{issuer: mock.URL + issuerPath, id: "agenda", http: mock.HTTPClient(mock.ClientCertificate("agenda"))}
				app := start(t, p, lib.make, func(redirectURI string) {
					mock.Clients = []mockpsc.Client{{ID: "agenda", TLSClientAuth: true, CertificateBoundTokens: bound, RedirectURIs: []string{redirectURI}}}
				})
				for _, persona := range mockpsc.Personas()[:2] {
					for _, means := range []string{"/ecps", "/card"} {
						status, who := text(t)(mock.SignIn(mock.HTTPClient(), app+"/login", persona.ID+means))
						if status != http.StatusOK || who != persona.NationalID {
							t.Errorf("%s%s: got %d %q, want %q", persona.ID, means, status, who, persona.NationalID)
						}
					}
				}
			})
		}
	}
}

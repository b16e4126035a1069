package providers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// A foreign provider, and what a person does on its pages.
type foreign struct {
	name     string
	start    func(t *testing.T, a *app, acr string, userinfo map[string]any) (issuer string, ended func() []string)
	identify url.Values // on the page of the sign-in
	leave    url.Values // on the page of the sign-out; nil where there is none
	knows    bool       // it knows a person again until they sign out
}

var oidcProvider = foreign{
	name: "npm's oidc-provider",
	start: func(t *testing.T, a *app, acr string, userinfo map[string]any) (string, func() []string) {
		issuer, _ := startOIDCProvider(t, bySecret(a, acr, userinfo))
		return issuer, nil // whether a session has ended is seen from outside
	},
	identify: url.Values{"answer": {"yes"}},
	leave:    url.Values{"logout": {"yes"}},
	knows:    true,
}

var zitadel = foreign{
	name: "zitadel's provider",
	start: func(t *testing.T, a *app, acr string, userinfo map[string]any) (string, func() []string) {
		issuer, s := startZitadel(t, a, acr, userinfo)
		return issuer, s.endedSessions
	},
	identify: url.Values{"username": {"dr-dupont"}, "password": {"1234"}},
}

var foreigners = []foreign{oidcProvider, zitadel}

func TestSignInUserinfoAndSignOut(t *testing.T) {
	for _, f := range foreigners {
		for _, row := range []struct {
			name     string
			userinfo func(*testing.T) map[string]any
		}{
			{"userinfo of today", newer},
			{"userinfo of 2023", older},
		} {
			t.Run(f.name+", "+row.name, func(t *testing.T) {
				a := newApp(t)
				userinfo := row.userinfo(t)
				issuer, ended := f.start(t, a, "eidas1", userinfo)
				a.start(issuer)
				b := newBrowser(t, nil)

				asked := b.get(a.url + "/patients?x=1")
				if !strings.HasPrefix(asked.address.String(), issuer) || asked.status != 200 {
					t.Fatalf("want the provider's page, got %s", asked)
				}
				in := asked.submit(f.identify)
				if in.status != 200 || in.address.String() != a.url+"/patients?x=1" || in.text != doctor {
					t.Fatalf("want to be in, got %s\n%s", in, &a.logs)
				}
				sameUserInfo(t, a.lastSignIn(), userinfo)

				again := b.get(a.url + "/auth/login?prompt=login&return_to=/patients")
				if !strings.HasPrefix(again.address.String(), issuer) {
					t.Fatalf("prompt=login: want the provider's page, got %s", again)
				}
				if in = again.submit(f.identify); in.text != doctor {
					t.Fatalf("prompt=login: want to be in, got %s\n%s", in, &a.logs)
				}

				leaving := b.post(a.url+"/auth/logout", nil)
				if leaving.status != 200 || leaving.title() != "Signing out" {
					t.Fatalf("want the page that leads to the provider, got %s", leaving)
				}
				if f.knows {
					// Left here but not there: the provider does not ask.
					if in = b.get(a.url + "/patients"); in.text != doctor {
						t.Fatalf("want to be in without a page of the provider, got %s", in)
					}
					leaving = b.post(a.url+"/auth/logout", nil)
				} else if out := b.get(a.url + "/patients"); !strings.HasPrefix(out.address.String(), issuer) {
					t.Fatalf("want to be out, got %s", out)
				}
				end := leaving.link(button)
				if !strings.HasPrefix(end.String(), issuer) || !end.Query().Has("id_token_hint") {
					t.Fatalf("want the provider's own address with a hint, got %s", end)
				}
				out := b.get(end.String())
				if f.leave != nil {
					out = out.submit(f.leave)
				}
				if out.status != 200 || out.address.Path != "/auth/signed-out" || out.address.Host != strings.TrimPrefix(a.url, "http://") || out.title() != "You are signed out" {
					t.Fatalf("want the app's page after a sign-out, got %s", out)
				}
				if ended != nil {
					if got, want := ended(), []string{userinfo["sub"].(string) + " at " + clientID}; !slices.Equal(got, want) {
						t.Errorf("the provider has ended the sessions %q, want %q", got, want)
					}
				}
				if asked = b.get(a.url + "/patients"); !strings.HasPrefix(asked.address.String(), issuer) {
					t.Errorf("want the provider to ask again, got %s", asked)
				}
			})
		}
	}
}

// sameUserInfo reports whether the app was told all that the document says.
func sameUserInfo(t *testing.T, s auth.SignIn, document map[string]any) {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	want, err := psc.ParseUserInfo(text)
	if err != nil {
		t.Fatal(err)
	}
	got := s.UserInfo
	got.Raw, want.Raw = nil, nil // a provider may order members as it likes
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the app was told\n%+v\nnot\n%+v", got, want)
	}
}

func TestForeignProvidersAreRefused(t *testing.T) {
	for _, f := range foreigners {
		for _, row := range []struct {
			name, acr string
			change    func(*auth.Config)
			status    int
			title     string
			event     string
		}{
			{"when they issue a lower level", "eidas0", nil, 401, "Means of sign-in not sufficient", "sign_in_refused acr_too_low"},
			{"when they issue no level", "", nil, 401, "Means of sign-in not sufficient", "sign_in_refused acr_too_low"},
			{"when they do not know the app's secret", "eidas1", func(c *auth.Config) { c.ClientSecret = "another" }, 502, "Answer from Pro Santé Connect refused", "sign_in_failed misconfigured"},
		} {
			t.Run(f.name+" "+row.name, func(t *testing.T) {
				a := newApp(t)
				issuer, _ := f.start(t, a, row.acr, newer(t))
				if row.change == nil {
					row.change = func(*auth.Config) {}
				}
				a.start(issuer, row.change)
				b := newBrowser(t, nil)
				refused(t, a, b.get(a.url+"/patients").submit(f.identify), row.status, row.title, row.event)
			})
		}
	}
}

// refused checks how a sign-in ended that must not succeed.
func refused(t *testing.T, a *app, p *page, status int, title, event string) {
	t.Helper()
	if p.status != status || p.title() != title || a.lastEvent() != event {
		t.Errorf("want %d %q and the event %q, got %q and %s\n%s", status, title, event, a.lastEvent(), p, &a.logs)
	}
	program := &http.Client{Jar: p.b.c.Jar} // it is told, and not sent to the provider
	resp, err := program.Get(a.url + "/auth/session")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("the session is answered with %s: somebody is in", resp.Status)
	}
}

func TestCancelledAtOIDCProvider(t *testing.T) {
	a := newApp(t)
	issuer, _ := startOIDCProvider(t, bySecret(a, "eidas1", newer(t)))
	a.start(issuer)
	p := newBrowser(t, nil).get(a.url + "/patients").submit(url.Values{"answer": {"no"}})
	refused(t, a, p, 400, "Sign-in cancelled", "sign_in_refused op_error")
}

package mockpsc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestLenientMayAskTheServer(t *testing.T) {
	mock := mockpsc.NewServer(t)
	asked := 0
	mock.Lenient = func(string) { asked += len(mock.Requests()) }
	rp := newRelyingParty(t, mock)
	resp, err := mock.SignIn(newBrowser(t), rp.authURL(map[string]string{"code_challenge": "", "code_challenge_method": "", "nonce": ""}), "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	body(t, resp)
	tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code"))) // a code_verifier without a challenge
	if tok.Status != 200 || asked == 0 {
		t.Errorf("got %s, asked %d", tok.Body, asked)
	}
	for _, token := range []string{tok.IDToken, tok.AccessToken} {
		if claims := payload(t, token); !strings.Contains(claims, `"nonce":""`) {
			t.Errorf("without a nonce PSC writes an empty one: %s", claims)
		}
	}
}

// A session that is over gives nothing more, whatever was got of it before.
func TestASessionThatIsOverGivesNothing(t *testing.T) {
	for name, end := range map[string]func(*mockpsc.Server, *clock){
		"by its age":                       func(_ *mockpsc.Server, c *clock) { c.advance(10 * time.Second) },
		"because the person is struck off": func(s *mockpsc.Server, _ *clock) { s.Change("dr-lambert", "struck-off") },
	} {
		t.Run(name, func(t *testing.T) {
			mock, now := newMockWithClock(t)
			mock.Lifetimes.Session = 10 * time.Second
			rp := newRelyingParty(t, mock)
			c, tok := rp.signIn(t, "dr-lambert")
			get(t, c, rp.authURL(nil))
			code := rp.lastCallback().Get("code")
			end(mock, now)

			if status, text := rp.userinfo(t, tok.AccessToken); status != 401 || !strings.Contains(text, "User session not found") {
				t.Errorf("userinfo: %d %s", status, text)
			}
			if late := rp.exchange(t, rp.form(code)); late.Description != "Session not active" {
				t.Errorf("a code: %s", late.Body)
			}
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}, "client_id": {"carelink"}, "client_secret": {"carelink-secret"}}
			if late := rp.exchange(t, form); late.Description != "Session not active" {
				t.Errorf("a refresh: %s", late.Body)
			}
			if status, _, text := exchangeToken(t, http.DefaultClient, mock.URL, exchangeForm(tok.AccessToken, nil)); status != 400 {
				t.Errorf("an exchange: %d %s", status, text)
			}
		})
	}
}

func TestASignOutForAnotherClientThanTheHints(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	c, tok := rp.signIn(t, "dr-dupont")
	resp, page := get(t, c, mock.URL+issuerPath+"/protocol/openid-connect/logout?client_id=bogus&id_token_hint="+tok.IDToken)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, "Déconnexion impossible") {
		t.Errorf("got %d", resp.StatusCode)
	}
	if _, page := get(t, c, rp.authURL(nil)); page != "back" {
		t.Error("signed out all the same")
	}
}

func TestEachRefusalNamesItsRule(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	p := begin(t, rp)
	stays := stay(p.browser)
	for name, ask := range map[string]func() (*http.Response, error){
		"an identifier that nobody has": func() (*http.Response, error) {
			return stays.PostForm(mock.URL+"/auth/ecps", url.Values{"attempt": {p.attempt}, "identifier": {"99999009998"}})
		},
		"no card": func() (*http.Response, error) {
			return stays.PostForm(mock.URL+"/auth/card", url.Values{"attempt": {p.attempt}, "card": {""}})
		},
		"a telephone's old request": func() (*http.Response, error) { return stays.Get(mock.URL + "/_mock/phone/x") },
		"an old activation":         func() (*http.Response, error) { return stays.Get(mock.URL + "/_mock/activation?activation=x") },
		"nobody signed in": func() (*http.Response, error) {
			return stay(newBrowser(t)).Get(rp.authURL(map[string]string{"prompt": "none"}))
		},
		"an unknown means": func() (*http.Response, error) {
			return stays.PostForm(mock.URL+"/auth/sign-in", url.Values{"attempt": {p.attempt}, "persona": {"dr-dupont"}, "means": {"finger"}})
		},
	} {
		resp, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		body(t, resp)
		if resp.Header.Get("X-Mock-PSC-Error") == "" || resp.StatusCode == http.StatusOK {
			t.Errorf("%s: %d, rule %q", name, resp.StatusCode, resp.Header.Get("X-Mock-PSC-Error"))
		}
	}
	resp, err := stays.PostForm(mock.URL+"/auth/cancel", url.Values{"attempt": {p.attempt}})
	if err != nil {
		t.Fatal(err)
	}
	if body(t, resp); resp.Header.Get("X-Mock-PSC-Error") != "the person cancelled" {
		t.Errorf("cancelled: %q", resp.Header.Get("X-Mock-PSC-Error"))
	}
}

func TestTheFrontPageKeepsSecretsFromTheNetwork(t *testing.T) {
	for _, tt := range []struct {
		issuer, want string
		client       mockpsc.Client
	}{
		{"", "PSC_CLIENT_SECRET=s3cret", mockpsc.Client{ID: "app", Secret: "s3cret"}},
		{"https://psc.test" + issuerPath, "PSC_CLIENT_SECRET=…", mockpsc.Client{ID: "app", Secret: "s3cret"}},
		{"", "# mockpsc ca -client app > client.pem", mockpsc.Client{ID: "app", TLSClientAuth: true}},
	} {
		mock := mockpsc.NewServer(t)
		tt.client.RedirectURIs = []string{"http://localhost/cb"}
		mock.Issuer, mock.Clients = tt.issuer, []mockpsc.Client{tt.client}
		_, page := get(t, http.DefaultClient, mock.URL+"/")
		expect(t, page, tt.want)
		if tt.issuer != "" && strings.Contains(page, "s3cret") {
			t.Error("the secret is on a page of the network")
		}
	}
}

func TestWaitingSignInsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand pages; runs without -short")
	}
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	first := begin(t, rp)
	address := rp.authURL(nil)
	for range 10_000 {
		now.advance(time.Millisecond)
		rec := &discard{header: http.Header{}}
		req, err := http.NewRequest("GET", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		mock.ServeHTTP(rec, req)
	}
	if kept := mock.Kept(); kept["attempts"] > 10_000 || kept["tickets"] > 10_000 {
		t.Errorf("kept %v", kept)
	}
	if _, page := get(t, first.browser, mock.URL+"/auth?attempt="+first.attempt); !strings.Contains(page, "Votre demande a expiré") {
		t.Error("the oldest is still there")
	}
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func TestALongPathIsNotedShort(t *testing.T) {
	mock := mockpsc.NewServer(t)
	get(t, http.DefaultClient, mock.URL+"/"+strings.Repeat("x", 4000))
	if n := len(mock.Requests()[0].Path); n != 512 {
		t.Errorf("noted with %d bytes", n)
	}
}

package mockpsc_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// told is one request at an application's back-channel address.
type told struct {
	client, method, contentType string
	form                        map[string][]string
}

// listeners gives every declared client, and "third", a back-channel address.
func listeners(t *testing.T, rp *relyingParty) <-chan told {
	heard := make(chan told, 16)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		heard <- told{r.URL.Path[1:], r.Method, r.Header.Get("Content-Type"), r.PostForm}
	}))
	t.Cleanup(app.Close)
	rp.mock.Clients = append(rp.mock.Clients, mockpsc.Client{ID: "third", Secret: "x", RedirectURIs: []string{rp.redirectURI()}})
	for i := range rp.mock.Clients {
		rp.mock.Clients[i].BackchannelLogoutURI = app.URL + "/" + rp.mock.Clients[i].ID
	}
	return heard
}

// hear waits for n messages and for no more of them.
func hear(t *testing.T, heard <-chan told, n int) (list []told) {
	t.Helper()
	for range n {
		select {
		case m := <-heard:
			list = append(list, m)
		case <-time.After(10 * time.Second):
			t.Fatalf("heard %d messages, want %d", len(list), n)
		}
	}
	select {
	case m := <-heard:
		t.Errorf("one message too many, to %s", m.client)
	case <-time.After(50 * time.Millisecond):
	}
	return list
}

// checkLogoutToken checks what carelink heard against the ID token that it was
// given a minute before (OpenID Connect Back-Channel Logout, sections 2.4 and 2.5).
func checkLogoutToken(t *testing.T, rp *relyingParty, m told, tok tokens) {
	t.Helper()
	if m.client != "carelink" || m.method != "POST" || m.contentType != "application/x-www-form-urlencoded" || len(m.form) != 1 || len(m.form["logout_token"]) != 1 {
		t.Fatalf("got %+v", m)
	}
	token := m.form["logout_token"][0]
	claims, err := rp.verify(t, token)
	if err != nil {
		t.Fatal(err)
	}
	if h := headerOf(t, token); h["alg"] != "RS256" || h["typ"] != "logout+jwt" || h["kid"] != headerOf(t, tok.IDToken)["kid"] {
		t.Errorf("header %v", h)
	}
	if got, want := memberNames(t, payload(t, token)), "iat exp jti iss aud sub typ sid events"; got != want {
		t.Errorf("got members %s, want %s", got, want) // no nonce, above all
	}
	id, err := rp.verify(t, tok.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iss", "aud", "sub", "sid"} {
		if claims[name] != id[name] {
			t.Errorf("%s: got %v, the ID token has %v", name, claims[name], id[name])
		}
	}
	if at, life := claims["iat"].(float64)-id["iat"].(float64), claims["exp"].(float64)-claims["iat"].(float64); at != 60 || life != 120 {
		t.Errorf("issued %v s after the ID token for %v s, want 60 and 120", at, life)
	}
	if !strings.Contains(payload(t, token), `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`) {
		t.Errorf("events: %v", claims["events"])
	}
	if claims["jti"] == "" || claims["jti"] == id["jti"] {
		t.Errorf("jti %v", claims["jti"])
	}
	resp, _ := get(t, newBrowser(t), rp.endpoint("/logout")+"?id_token_hint="+token)
	if resp.StatusCode != 400 {
		t.Errorf("a logout token as a hint: %d", resp.StatusCode)
	}
}

func TestWhoHearsOfTheEndOfASession(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, rp *relyingParty, now *clock, c *http.Client, carelink, other tokens)
		want string
	}{
		{"both, when one of them signs the person out", func(t *testing.T, rp *relyingParty, now *clock, _ *http.Client, carelink, _ tokens) {
			signOut(t, rp, now, carelink)
		}, "carelink other"},
		{"both, when the person confirms a sign-out", func(t *testing.T, rp *relyingParty, _ *clock, c *http.Client, _, _ tokens) {
			_, page := get(t, c, rp.endpoint("/logout"))
			submit(t, c, rp.endpoint("/logout"), "confirm", confirmIn(t, page))
		}, "carelink other"},
		{"both, when somebody else signs in in the same browser", func(t *testing.T, rp *relyingParty, _ *clock, c *http.Client, _, _ tokens) {
			_, page := get(t, c, rp.authURL(map[string]string{"prompt": "login"}))
			submit(t, c, rp.mock.URL+"/auth/sign-in", "attempt", attempt(t, page), "persona", "dr-martin")
		}, "carelink other"},
		{"each once, when both sign the person out", func(t *testing.T, rp *relyingParty, now *clock, _ *http.Client, carelink, other tokens) {
			signOut(t, rp, now, carelink)
			signOut(t, rp, now, other)
		}, "carelink other"},
		{"not one whose tokens were revoked", func(t *testing.T, rp *relyingParty, now *clock, _ *http.Client, carelink, other tokens) {
			rp.ask(t, "/revoke", asOther, other.RefreshToken)
			signOut(t, rp, now, carelink)
		}, "carelink"},
		{"nobody, when the same person proves again who it is", func(t *testing.T, rp *relyingParty, _ *clock, c *http.Client, _, _ tokens) {
			_, page := get(t, c, rp.authURL(map[string]string{"prompt": "login"}))
			submit(t, c, rp.mock.URL+"/auth/sign-in", "attempt", attempt(t, page), "persona", "dr-dupont")
		}, ""},
		{"nobody, when the session had expired already", func(t *testing.T, rp *relyingParty, now *clock, _ *http.Client, carelink, _ tokens) {
			now.advance(30 * time.Minute)
			signOut(t, rp, now, carelink)
		}, ""},
		{"nobody, when a stranger guesses", func(t *testing.T, rp *relyingParty, _ *clock, c *http.Client, _, _ tokens) {
			submit(t, c, rp.endpoint("/logout"), "confirm", "guess")
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rp, now := twoClients(t)
			heard := listeners(t, rp)
			c, carelink := rp.signIn(t, "dr-dupont")
			other := rp.signInAgain(t, c, "other")
			tt.end(t, rp, now, c, carelink, other)
			var got []string
			for _, m := range hear(t, heard, len(strings.Fields(tt.want))) {
				got = append(got, m.client)
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

// Who ends a session by the API can look at once what the applications made of it.
func TestTheAPIAnswersOnceTheApplicationsHaveHeard(t *testing.T) {
	rp, _ := twoClients(t)
	heard := listeners(t, rp)
	c, tok := rp.signIn(t, "dr-dupont")
	rp.signInAgain(t, c, "other")
	id, err := rp.verify(t, tok.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	newDriver(t, rp.mock.URL).must(204, "DELETE", "sessions/"+id["sid"].(string), "")
	if n := len(heard); n != 2 {
		t.Errorf("%d of 2 had heard when the answer came", n)
	}
}

func TestAnApplicationThatHangsHoldsNobody(t *testing.T) {
	round := func(t *testing.T) {
		reached := make(chan struct{}, 1)
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.ParseForm() // the server notices a client that leaves only once the body is read
			reached <- struct{}{}
			<-r.Context().Done()
		}))
		t.Cleanup(app.Close) // after the mock has stopped
		rp, now := twoClients(t)
		rp.mock.Clients[0].BackchannelLogoutURI = app.URL
		_, tok := rp.signIn(t, "dr-dupont")
		signOut(t, rp, now, tok)
		<-reached // the person is gone, the application is still thinking
	}
	t.Run("warm up", round)
	http.DefaultClient.CloseIdleConnections()
	before := settled(0)
	for range 3 {
		t.Run("a server stops meanwhile", round)
	}
	http.DefaultClient.CloseIdleConnections()
	if after := settled(before); after > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", after, before, buf[:runtime.Stack(buf, true)])
	}
}

func TestARedirectOfALogoutTokenIsNotFollowed(t *testing.T) {
	rp, now := twoClients(t)
	heard := listeners(t, rp)
	elsewhere := rp.mock.Clients[1].BackchannelLogoutURI
	reached := make(chan struct{}, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		reached <- struct{}{}
	}))
	t.Cleanup(app.Close)
	rp.mock.Clients[0].BackchannelLogoutURI = app.URL
	_, tok := rp.signIn(t, "dr-dupont")
	signOut(t, rp, now, tok)
	<-reached
	hear(t, heard, 0)
}

func TestBackChannelAddresses(t *testing.T) {
	for uri, ok := range map[string]bool{
		"":                              true,
		"http://127.0.0.1:8080/backout": true,
		"http://app:8080/backout?x=1":   true,
		"https://app.example/backout":   true,
		"/backout":                      false,
		"ftp://app.example/backout":     false,
		"https://u:p@app.example/":      false,
		"https://app.example/#x":        false,
	} {
		s := mockpsc.Server{Clients: []mockpsc.Client{{ID: "x", Secret: "x", RedirectURIs: []string{"http://localhost/"}, BackchannelLogoutURI: uri}}}
		if err := s.Check(); (err == nil) != ok {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

func TestALogoutTokenReachesAnApplicationThatHasItsCertificateFromTheMock(t *testing.T) {
	rp, now := twoClients(t)
	config, err := rp.mock.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan told, 1)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- told{client: "carelink", method: r.Method}
	}))
	app.TLS = config
	app.StartTLS()
	t.Cleanup(app.Close)
	rp.mock.Clients[0].BackchannelLogoutURI = "https://" + app.Listener.Addr().String() + "/"
	_, tok := rp.signIn(t, "dr-dupont")
	signOut(t, rp, now, tok)
	hear(t, heard, 1)
}

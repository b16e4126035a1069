package mockpsc_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestSignInGivesTheClientACookieJar(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	c := new(http.Client)
	resp, err := rp.mock.SignIn(c, rp.URL+"/login", "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if c.Jar == nil || resp.Request.URL.Path != "/callback" {
		t.Errorf("jar %v, ended at %s", c.Jar, resp.Request.URL.Path)
	}
}

func TestSignInFollowsRedirectsThatTheClientWouldNot(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	c := stay(newBrowser(t))
	resp, err := rp.mock.SignIn(c, rp.URL+"/login", "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || c.CheckRedirect(nil, nil) != http.ErrUseLastResponse {
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestSignInIsThePersonas(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	c, _ := rp.signIn(t, "dr-dupont")
	if _, err := rp.mock.SignIn(c, rp.URL+"/login", "dr-martin"); err != nil {
		t.Fatal(err)
	}
	tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
	if !strings.Contains(payload(t, tok.IDToken), "899999001029") {
		t.Error("the SSO session of somebody else answered")
	}
}

func TestSignInSaysWhatWentWrong(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for _, tt := range []struct{ name, login, want string }{
		{"a page that is not the mock's", rp.URL + "/bye", "did not lead to the mock"},
		{"a request that the mock refuses", rp.authURL(map[string]string{"nonce": ""}), "nonce is required"},
		{"nobody there", "http://127.0.0.1:1/", "sign-in"},
	} {
		if _, err := mock.SignIn(newBrowser(t), tt.login, "dr-dupont"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestRequests(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	_, tok := rp.signIn(t, "dr-dupont")
	rp.userinfo(t, tok.AccessToken)
	get(t, http.DefaultClient, mock.URL+"/_mock/phone/a-secret")
	want := []string{
		"GET /auth carelink 200",
		"POST /auth/sign-in carelink 303",
		"POST " + issuerPath + "/protocol/openid-connect/token carelink 200",
		"GET " + issuerPath + "/protocol/openid-connect/userinfo carelink 200",
		"GET /_mock/phone/{ticket}  410",
	}
	var got []string
	for _, r := range mock.Requests() {
		got = append(got, fmt.Sprint(r.Method, " ", r.Path, " ", r.ClientID, " ", r.Status))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if mock.Reset(); len(mock.Requests()) != 0 {
		t.Error("Reset keeps requests")
	}
	if status, _ := rp.userinfo(t, tok.AccessToken); status != 401 {
		t.Errorf("userinfo after Reset: %d", status)
	}
}

func TestServersAreIndependentAndShareKeys(t *testing.T) {
	a, b := newRelyingParty(t, mockpsc.NewServer(t)), newRelyingParty(t, mockpsc.NewServer(t))
	_, tok := a.signIn(t, "dr-dupont")
	if status, _ := b.userinfo(t, tok.AccessToken); status != 401 {
		t.Errorf("another server takes the token: %d", status)
	}
	if _, err := b.verify(t, tok.IDToken); err != nil {
		t.Errorf("another server has other keys: %v", err)
	}
}

func TestManySignInsAtOnce(t *testing.T) {
	mock := mockpsc.NewServer(t)
	// The callback finds its sign-in by the state, so that 64 do not get mixed up.
	var codes sync.Map
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		codes.Store(r.URL.Query().Get("state"), r.URL.Query().Get("code"))
	}))
	defer app.Close()
	rp := &relyingParty{Server: app, mock: mock}
	people := mockpsc.Personas()
	faults := append(mockpsc.Faults(), make([]mockpsc.Fault, 20)...)

	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			p, f := people[i%8], faults[i%len(faults)]
			state := fmt.Sprintf("state-%d", i)
			var names []string
			if f.Name != "" && f.Where != "callback" && f.Where != "token" {
				names = []string{f.Name}
			}
			resp, err := mock.SignIn(newBrowser(t), rp.authURL(map[string]string{"state": state}), p.ID, names...)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			code, _ := codes.Load(state)
			tok := rp.exchange(t, rp.form(fmt.Sprint(code)))
			if tok.Status != 200 || !strings.Contains(payload(t, tok.IDToken), p.NationalID) {
				t.Errorf("sign-in %d of %s: %d %s", i, p.ID, tok.Status, tok.Body)
			}
			if status, doc := rp.userinfo(t, tok.AccessToken); status != 200 || !strings.Contains(doc, p.NationalID) {
				t.Errorf("userinfo %d: %d", i, status)
			}
		})
	}
	wg.Wait()
}

func TestNothingIsLeftAfterClose(t *testing.T) {
	round := func(t *testing.T) {
		rp := newRelyingParty(t, mockpsc.NewServer(t))
		rp.signIn(t, "dr-dupont")
		rp.keys(t) // waits for the keys that are made in the background
	}
	t.Run("warm up", round)
	http.DefaultClient.CloseIdleConnections()
	before := settled(0)
	for range 5 {
		t.Run("a server", round)
	}
	http.DefaultClient.CloseIdleConnections()
	if after := settled(before); after > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", after, before, buf[:runtime.Stack(buf, true)])
	}
}

// settled waits until no more than want goroutines run, or two seconds.
func settled(want int) int {
	n := runtime.NumGoroutine()
	for i := 0; i < 100 && n > want; i++ {
		if want == 0 && i > 10 {
			break
		}
		time.Sleep(20 * time.Millisecond)
		n = runtime.NumGoroutine()
	}
	return n
}

package mockpsc_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

const formType = "application/x-www-form-urlencoded"

// send makes a request as an attacker does: nothing is followed or repaired.
func send(t *testing.T, method, address, contentType, text string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := stay(&http.Client{}).Do(req)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, address, err) // a panic of the server, above all
	}
	return resp, body(t, resp)
}

func TestAnotherMethodIsTold(t *testing.T) {
	rp, _ := twoClients(t)
	for _, tt := range []struct {
		address, methods string
		status           int
		allow            string
	}{
		{rp.endpoint("/token"), "GET HEAD PUT OPTIONS DELETE", 405, "POST"},
		{rp.endpoint("/revoke"), "GET", 405, "POST"},
		{rp.endpoint("/userinfo"), "PUT OPTIONS", 405, "GET, POST"},
		{rp.endpoint("/certs"), "POST OPTIONS", 405, "GET"},
		{rp.mock.URL + "/auth", "PUT OPTIONS TRACE", 405, "GET, POST"},
		{rp.mock.URL + "/auth/sign-in", "GET", 405, "POST"},
		{rp.mock.URL + "/nowhere", "GET HEAD POST PUT OPTIONS", 404, ""},
		{rp.mock.URL + "/auth/delegation", "GET HEAD POST", 404, ""}, // there is none without Server.Delegation
	} {
		for _, method := range strings.Fields(tt.methods) {
			if resp, text := send(t, method, tt.address, "", ""); resp.StatusCode != tt.status || resp.Header.Get("Allow") != tt.allow {
				t.Errorf("%s %s: got %d, Allow %q, %s", method, tt.address, resp.StatusCode, resp.Header.Get("Allow"), text)
			}
		}
	}
}

// What an application says of itself counts in a form in the body only, once.
func TestParametersOfAnApplicationComeInTheBodyOnce(t *testing.T) {
	rp, _ := twoClients(t)
	_, tok := rp.signIn(t, "dr-dupont")
	whole := "client_id=carelink&client_secret=carelink-secret"
	multipart := "--x\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\ncarelink\r\n--x\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\ncarelink-secret\r\n--x--\r\n"
	for _, path := range []string{"/token", "/revoke", "/token/introspect", "/ext/ciba/auth"} {
		token := "&grant_type=refresh_token&token=" + tok.AccessToken + "&refresh_token=" + tok.RefreshToken
		for _, tt := range []struct {
			name, query, contentType, body string
			status                         int
		}{
			{"all in the query", whole + token, formType, "", 401},
			{"the secret in the query", "client_secret=carelink-secret", formType, "client_id=carelink" + token, 401},
			{"the client in the query", "client_id=carelink", formType, "client_secret=carelink-secret" + token, 401},
			{"the token in the query", token[1:], formType, whole, 400},
			{"another client in the query", "client_id=other", formType, whole, 400}, // which is not seen: what is missing is the rest
			{"JSON", "", "application/json", `{"client_id":"carelink","client_secret":"carelink-secret"}`, 401},
			{"a multipart form", "", "multipart/form-data; boundary=x", multipart, 401},
			{"a text", "", "text/plain", whole + token, 401},
			{"a secret twice", "", formType, whole + "&client_secret=carelink-secret" + token, 400},
			{"a client twice", "", formType, whole + "&client_id=other" + token, 400},
			{"a token twice", "", formType, whole + token + "&token=x&refresh_token=x&scope=a&scope=b", 400},
			{"a semicolon for an ampersand", "", formType, strings.ReplaceAll(whole+token, "&", ";"), 400},
			{"a bad escape", "", formType, whole + token + "&x=%zz", 400},
			{"a megabyte", "", formType, whole + token + "&x=" + strings.Repeat("x", 1<<20), 400},
		} {
			if resp, text := send(t, "POST", rp.endpoint(path)+"?"+tt.query, tt.contentType, tt.body); resp.StatusCode != tt.status || !strings.Contains(text, `"error"`) {
				t.Errorf("%s, %s: got %d %s, want %d", path, tt.name, resp.StatusCode, text, tt.status)
			}
		}
	}
	if status, _ := rp.userinfo(t, tok.AccessToken); status != 200 {
		t.Errorf("one of them revoked the access token: userinfo %d", status)
	}
	if got := rp.refresh(t, tok.RefreshToken); got.Status != 200 {
		t.Errorf("one of them spent the refresh token: %s", got.Body)
	}
}

// What must come out of no page or header as it went in.
var hostile = []string{
	"\r\nX-Evil: 1", "%0d%0aX-Evil: 1", "\x00", "\xff\xfe", "\u2028\u202e", "<script>evil()</script>", `"><img src=x onerror=evil()>`, `'-evil()-'`,
	"{{.}}", "`x` **x**", "javascript:evil()", "//evil.example", strings.Repeat("A", 20_000), "-1", "99999999999999999999", "",
}

// harmless checks an answer to something hostile.
func harmless(t *testing.T, what string, resp *http.Response, page string, homes ...string) {
	t.Helper()
	if resp.StatusCode >= 500 || resp.Header.Get("X-Evil") != "" || resp.Header.Get("X-Mock-PSC") != "1" {
		t.Errorf("%s: %d %v", what, resp.StatusCode, resp.Header)
	}
	for _, bad := range []string{"<script>evil", "<img", "onerror=evil()>", "href=\"javascript", "href=\"//"} {
		if strings.Contains(page, bad) {
			t.Errorf("%s: the page holds %s", what, bad)
		}
	}
	if to := resp.Header.Get("Location"); to != "" && !strings.HasPrefix(to, "/auth") {
		for _, home := range homes {
			if strings.HasPrefix(to, home) {
				return
			}
		}
		t.Errorf("%s: to %.200s", what, to)
	}
}

func TestHostileParameters(t *testing.T) {
	rp, _ := twoClients(t)
	request, err := url.Parse(rp.authURL(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range hostile {
		for _, name := range []string{
			"client_id", "redirect_uri", "state", "nonce", "acr_values", "scope", "response_type", "response_mode", "prompt", "max_age", "login_hint",
			"ui_locales", "id_token_hint", "code_challenge", "code_challenge_method", "request", "kc_idp_hint", "lang", "attempt", value,
		} {
			q := request.Query()
			q.Set(name, value)
			resp, page := send(t, "GET", rp.mock.URL+"/auth?"+q.Encode(), "", "")
			harmless(t, fmt.Sprintf("%.20q=%.20q", name, value), resp, page, rp.redirectURI()+"?")
		}
		for _, name := range []string{"post_logout_redirect_uri", "state", "id_token_hint", "client_id", "confirm", "ui_locales", value} {
			q := url.Values{"client_id": {"carelink"}}
			q.Set(name, value)
			for _, method := range []string{"GET", "POST"} {
				address, text := rp.endpoint("/logout")+"?"+q.Encode(), ""
				if method == "POST" {
					address, text = rp.endpoint("/logout"), q.Encode()
				}
				resp, page := send(t, method, address, formType, text)
				harmless(t, fmt.Sprintf("%s logout %.20q=%.20q", method, name, value), resp, page)
			}
		}
		p := begin(t, rp)
		for _, path := range []string{"/auth/ecps", "/auth/sign-in", "/auth/card", "/auth/wait", "/auth/confirm"} {
			for _, name := range []string{"identifier", "persona", "means", "fault", "card", "pin", "answer"} {
				resp, page := submit(t, stay(p.browser), rp.mock.URL+path, "attempt", p.attempt, name, value, "remember", "1")
				harmless(t, fmt.Sprintf("%s %s=%.20q", path, name, value), resp, page)
			}
		}
	}
	t.Run("state and nonce come back as they went", func(t *testing.T) {
		for _, value := range hostile[:len(hostile)-1] { // an empty one is refused
			if _, err := rp.mock.SignIn(newBrowser(t), rp.authURL(map[string]string{"state": value}), "dr-dupont"); err != nil {
				t.Fatal(err)
			}
			if got := rp.lastCallback().Get("state"); got != value {
				t.Errorf("state %.40q came back as %.40q", value, got)
			}
		}
	})
}

func TestHostileNamesAreText(t *testing.T) {
	file, err := os.ReadFile("personas/01-dr-dupont.json")
	if err != nil {
		t.Fatal(err)
	}
	const evil = `<img src=x onerror=evil()>`
	text := strings.NewReplacer("Dr Jean DUPONT", evil, "médecin généraliste", evil, "Cabinet des Tilleuls", evil).Replace(string(file))
	mock := mockpsc.NewServer(t)
	mock.ConfirmSSO = true
	mock.PersonaFiles = fstest.MapFS{"x.json": {Data: []byte(text)}}
	rp := newRelyingParty(t, mock)
	mock.Clients = []mockpsc.Client{{ID: evil, Name: evil, Secret: "x", RedirectURIs: []string{rp.redirectURI()}, PostLogoutURIs: []string{rp.URL + "/bye"}}}
	own := rp.authURL(map[string]string{"client_id": evil})
	p := &person{t: t, rp: rp, browser: newBrowser(t)}
	seen := 0
	look := func(what, page string) string {
		t.Helper()
		if strings.Contains(page, "<img") {
			t.Errorf("%s: markup", what)
		}
		seen += strings.Count(page, "&lt;img src=x")
		return page
	}
	_, p.page = get(t, p.browser, own)
	p.attempt = attempt(t, look("sign-in", p.page))
	phone := device{t, p.phone()}
	look("phone", phone.show())
	look("phone, compare", phone.answer("phone", "dr-dupont"))
	look("wait", p.post("/auth/wait"))
	look("card", p.post("/auth/card", "card", "dr-dupont"))
	p.post("/auth/sign-in", "persona", "dr-dupont")
	_, page := get(t, p.browser, own)
	look("confirm", page)
	_, page = get(t, p.browser, rp.endpoint("/logout")+"?client_id="+url.QueryEscape(evil)+"&post_logout_redirect_uri="+url.QueryEscape(rp.URL+"/bye"))
	look("logout", page)
	_, page = get(t, p.browser, mock.URL+"/")
	look("start", page)
	if seen < 10 {
		t.Errorf("the names were shown %d times: the pages are others than meant", seen)
	}
}

// Clicks at the same time, of two people even, end one sign-in once.
func TestASignInEndsOnce(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	for range 10 { // the moment is short
		p := begin(t, rp)
		places := make([]string, 8)
		var wg sync.WaitGroup
		for i := range places {
			wg.Go(func() {
				path, form := "/auth/sign-in", url.Values{"attempt": {p.attempt}, "persona": {[]string{"dr-dupont", "dr-martin"}[i%2]}}
				if i >= 6 {
					path = "/auth/cancel"
				}
				resp, err := stay(p.browser).PostForm(rp.mock.URL+path, form)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				places[i] = resp.Header.Get("Location")
			})
		}
		wg.Wait()
		for _, place := range places {
			if place == "" || place != places[0] {
				t.Fatalf("it ended at %q and at %q", places[0], place)
			}
		}
	}
}

// On https no other site or port of the host can plant the mark of a browser,
// which a sign-in is bound to, or a session.
func TestCookiesOverTLSCannotBePlanted(t *testing.T) {
	p := newTLSParty(t)
	c := p.HTTPClient()
	resp, err := c.Get(p.URL + "/auth?" + url.Values{
		"response_type": {"code"}, "client_id": {"by-secret"}, "redirect_uri": {tlsRedirect}, "scope": {"openid scope_all"},
		"acr_values": {"eidas1"}, "state": {"s"}, "nonce": {"n"}, "lang": {"en"},
	}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	body(t, resp)
	if len(resp.Cookies()) != 2 {
		t.Fatalf("%d cookies, want the browser's mark and the language", len(resp.Cookies()))
	}
	for _, k := range resp.Cookies() {
		if !strings.HasPrefix(k.Name, "__Host-") || !k.Secure || !k.HttpOnly || k.Path != "/" || k.Domain != "" {
			t.Errorf("%s", k)
		}
	}
}

// A body that never comes holds up nobody but its sender.
func TestABodyThatNeverComesHoldsNobody(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for _, path := range []string{"/auth", "/auth/sign-in", "/auth/ecps", "/auth/wait", "/auth/card", "/auth/confirm", "/auth/cancel", "/_mock/phone/x", issuerPath + "/protocol/openid-connect/token", issuerPath + "/protocol/openid-connect/userinfo"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(mock.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: 50\r\n\r\nattempt=", path, formType)
	}
	time.Sleep(200 * time.Millisecond) // until the mock has begun to read them
	c := newBrowser(t)
	c.Timeout = 10 * time.Second
	if resp, err := c.Get(rp.authURL(nil)); err != nil {
		t.Errorf("somebody else waits: %v", err)
	} else if page := body(t, resp); !strings.Contains(page, "Connectez-vous") {
		t.Errorf("somebody else gets %d", resp.StatusCode)
	}
}

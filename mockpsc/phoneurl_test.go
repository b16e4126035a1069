package mockpsc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// network is a mock whose phone is served on the local network too.
func network(t *testing.T) (*mockpsc.Server, *relyingParty) {
	mock := mockpsc.NewServer(t)
	phones := httptest.NewServer(mock.PhoneHandler())
	t.Cleanup(phones.Close)
	mock.PhoneURL = phones.URL
	return mock, newRelyingParty(t, mock)
}

func TestPhoneURL(t *testing.T) {
	mock, rp := network(t)
	p := begin(t, rp)
	phone := device{t, p.phone()}
	if !strings.HasPrefix(phone.address, mock.PhoneURL+"/_mock/phone/") {
		t.Fatalf("the QR code leads to %s", phone.address)
	}
	choices := phone.show()
	expect(t, choices, "À qui est ce téléphone ?", "Dr Jean DUPONT", "Simulateur de Pro Santé Connect.")
	for _, pin := range []string{"1234", "5678", "0007", "0042"} {
		if strings.Contains(choices, pin) {
			t.Errorf("the phone tells a code: %s", pin)
		}
	}
	for _, link := range []string{`href="/"`, `href="/auth`, "<iframe"} {
		if strings.Contains(choices, link) {
			t.Errorf("the phone's page leads elsewhere: %s", link)
		}
	}
	phone.answer("phone", "dr-dupont")
	phone.answer("same", "yes")
	expect(t, phone.answer("pin", "1234"), "Connexion validée")
	if p.wait(); p.page != "back" {
		t.Errorf("not let in: %.300s", p.page)
	}
}

func TestPhoneHandlerServesThePhoneOnly(t *testing.T) {
	mock, rp := network(t)
	p := begin(t, rp)
	ticket := strings.TrimPrefix(p.phone(), mock.PhoneURL)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", ticket, 200},
		{"GET", "/_mock/phone/unknown", 410},
		{"GET", "/_mock/phone/activation/unknown", 410},
		{"PUT", ticket, 404},
		{"GET", "/_mock/phone/", 404},
		{"GET", "/_mock/phone/x/y", 404},
		{"GET", "/", 404},
		{"GET", "/auth", 404},
		{"GET", "/auth/data", 404},
		{"POST", "/auth/sign-in", 404},
		{"GET", "/_mock/activation", 404},
		{"GET", "/_mock/card/unknown", 404},
		{"GET", issuerPath + "/.well-known/openid-configuration", 404},
		{"POST", issuerPath + "/protocol/openid-connect/token", 404},
	} {
		req, err := http.NewRequest(tt.method, mock.PhoneURL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text := body(t, resp)
		if resp.StatusCode != tt.status || resp.Header.Get("X-Mock-PSC") != "1" || len(resp.Cookies()) > 0 {
			t.Errorf("%s %s: got %d, cookies %v", tt.method, tt.path, resp.StatusCode, resp.Cookies())
		}
		if tt.status != 404 && (resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: headers %v", tt.path, resp.Header)
		}
		if strings.Contains(text, "carelink-secret") {
			t.Errorf("%s tells a secret", tt.path)
		}
	}
	t.Run("nor does it let itself be framed", func(t *testing.T) {
		resp, page := get(t, http.DefaultClient, mock.PhoneURL+ticket+"?panel=1")
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("got %s", csp)
		}
		expect(t, page, "<header>")
	})
	t.Run("the language is kept, and nothing else", func(t *testing.T) {
		c := newBrowser(t)
		resp, _ := get(t, c, mock.PhoneURL+ticket+"?lang=en")
		if cookies := resp.Cookies(); len(cookies) != 1 || !strings.Contains(cookies[0].Name, "_lang_") {
			t.Errorf("set %v", cookies)
		}
		_, page := get(t, c, mock.PhoneURL+ticket)
		expect(t, page, "Whose phone is this?")
	})
	t.Run("the browser's own cookie is nothing to it", func(t *testing.T) {
		phone := device{t, mock.PhoneURL + ticket}
		for _, step := range [][]string{{"phone", "dr-dupont"}, {"same", "yes"}, {"pin", "1234"}} {
			phone.answer(step...)
		}
		resp, _ := get(t, http.DefaultClient, mock.PhoneURL+ticket+"?lang=fr")
		name := strings.Replace(resp.Cookies()[0].Name, "lang", "browser", 1)
		base, err := url.Parse(mock.URL)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.browser.Jar.Cookies(base) {
			if strings.Contains(c.Name, "_browser_") {
				req, err := http.NewRequest("GET", mock.PhoneURL+ticket, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.AddCookie(&http.Cookie{Name: name, Value: c.Value})
				req.AddCookie(c)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				page := body(t, resp)
				expect(t, page, "Connexion validée")
				if strings.Contains(page, "Revenir au navigateur") {
					t.Error("taken for the browser")
				}
				return
			}
		}
		t.Error("the browser has no cookie")
	})
	t.Run("the log hides what a phone was shown", func(t *testing.T) {
		for _, r := range mock.Requests() {
			if strings.Contains(r.Path, strings.TrimPrefix(ticket, "/_mock/phone/")) {
				t.Errorf("logged: %s", r.Path)
			}
		}
	})
}

func TestThePhoneKeepsItsLanguageBesideAMockOnHTTPS(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.Issuer = "https://psc.test.example" + issuerPath
	mock.PhoneURL = "http://192.168.1.20:9091"
	w := httptest.NewRecorder()
	mock.PhoneHandler().ServeHTTP(w, httptest.NewRequest("GET", mock.PhoneURL+"/_mock/phone/x?lang=en", nil))
	if cookies := w.Result().Cookies(); len(cookies) != 1 || cookies[0].Secure || strings.HasPrefix(cookies[0].Name, "__Host-") {
		t.Errorf("a browser on http refuses %v", cookies)
	}
}

func TestTheNetworkCannotUnblockAnECPS(t *testing.T) {
	mock, rp := network(t)
	p := begin(t, rp)
	phone := device{t, p.phone()}
	phone.answer("phone", "dr-dupont")
	phone.answer("same", "yes")
	for _, pin := range []string{"0000", "0001"} {
		phone.answer("pin", pin)
	}
	if page := phone.answer("pin", "0002"); !strings.Contains(page, "e-CPS bloquée") || strings.Contains(page, "Débloquer") {
		t.Errorf("got %s", page)
	}
	phone.answer("unblock", "1")
	expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001011"), "Votre e-CPS est bloquée")
	device{t, strings.Replace(phone.address, mock.PhoneURL, mock.URL, 1)}.answer("unblock", "1") // the simulator's own browser may
	expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001011"), "Validez sur votre téléphone")
}

func TestThePhoneActivatesOverTheNetwork(t *testing.T) {
	mock, _ := network(t)
	h := newHolder(t, mock)
	h.insert("inf-benali", "5678")
	qr := h.phone()
	if !strings.HasPrefix(qr.address, mock.PhoneURL) {
		t.Fatalf("the QR code leads to %s", qr.address)
	}
	phone := qr.scan()
	if !strings.HasPrefix(phone.address, mock.PhoneURL) {
		t.Fatalf("the phone is led to %s", phone.address)
	}
	phone.answer("pin", "0321", "again", "0321")
	h.press("look")
	h.press("confirm")
	expect(t, phone.show(), "e-CPS activée")
}

func TestThePageSaysWhetherARealPhoneCanFollow(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	host := strings.TrimPrefix(rp.mock.URL, "http://")
	expect(t, begin(t, rp).page, "Votre vrai téléphone ne peut pas joindre "+host+".")

	mock := mockpsc.NewServer(t)
	mock.PhoneURL = "http://192.168.1.20:9091"
	page := begin(t, newRelyingParty(t, mock)).page
	expect(t, page, "Votre vrai téléphone peut scanner ce QR code", "joindre 192.168.1.20:9091.", `href="http://192.168.1.20:9091/_mock/phone/`, `<iframe id="telephone" src="/_mock/phone/`)
	if strings.Contains(page, "ne peut pas joindre") {
		t.Error("says that it cannot")
	}
}

func TestCheckRefusesAPhoneURL(t *testing.T) {
	for address, want := range map[string]string{
		"192.168.1.20:9091":                 "http or https",
		"ftp://192.168.1.20":                "http or https",
		"http://":                           "http or https",
		"http://:9091":                      "http or https",
		"http://192.168.1.20:9091/":         "nothing else",
		"http://192.168.1.20:9091/phone":    "nothing else",
		"http://192.168.1.20:9091?a=b":      "nothing else",
		"http://192.168.1.20:9091#a":        "nothing else",
		"http://a:b@192.168.1.20:9091":      "nothing else",
		"http://0.0.0.0:9091":               "no phone can reach",
		"http://[::]:9091":                  "no phone can reach",
		"https://wallet.esw.ESANTE.gouv.fr": "real service",
		"http://esante.gouv.fr.:80":         "real service",
	} {
		if err := (&mockpsc.Server{PhoneURL: address}).Check(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "PhoneURL") {
			t.Errorf("%s: got %v, want it to say %q", address, err, want)
		}
	}
	for _, address := range []string{"", "http://192.168.1.20:9091", "https://psc.home.arpa", "http://[fd00::1]:9091"} {
		if err := (&mockpsc.Server{PhoneURL: address}).Check(); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// The panel beside the sign-in page is the phone's page in a frame.
func TestThePhoneBesideThePage(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	frame := func(t *testing.T) string {
		t.Helper()
		_, src, ok := strings.Cut(p.page, `<iframe id="telephone" src="`)
		src, rest, _ := strings.Cut(src, `"`)
		if !ok || !strings.HasPrefix(rest, ` title="Téléphone simulé"`) {
			t.Fatalf("no frame with a title:\n%s", p.page)
		}
		return rp.mock.URL + src
	}
	phone := device{t, frame(t)}
	if link, err := url.Parse(p.phone()); err != nil || rp.mock.URL+link.Path+"?panel=1" != phone.address {
		t.Errorf("the frame shows %s, the link %s", phone.address, link)
	}
	resp, page := get(t, http.DefaultClient, phone.address)
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'self'") || resp.Header.Get("X-Frame-Options") != "" {
		t.Errorf("the page in the frame: %s, %q", csp, resp.Header.Get("X-Frame-Options"))
	}
	for _, once := range []string{"<header", "<footer", "ribbon\"", "<nav"} {
		if strings.Contains(page, once) {
			t.Errorf("the page in the frame has %s as well", once)
		}
	}
	resp, _ = get(t, http.DefaultClient, p.phone())
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || resp.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the phone's page of its own can be framed: %s", csp)
	}
	resp, p.page = get(t, p.browser, rp.mock.URL+"/auth?attempt="+url.QueryEscape(p.attempt))
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") || resp.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the sign-in page: %s", csp)
	}

	page = phone.answer("phone", "dr-dupont") // without a script, by the form alone
	expect(t, page, "Connexion demandée")
	if strings.Contains(page, "<header") {
		t.Error("the second page in the frame has a header")
	}
	p.wait()
	if frame(t) != phone.address {
		t.Error("the waiting page shows another phone")
	}
	phone.answer("same", "yes")
	phone.answer("pin", "1234")
	if p.wait(); p.page != "back" {
		t.Error("not let in")
	}
	_, data := get(t, p.browser, rp.mock.URL+"/auth/data")
	if strings.Contains(data, "<iframe") {
		t.Error("a phone where nobody signs in")
	}
	resp, _ = get(t, p.browser, rp.mock.URL+"/auth/data")
	if csp := resp.Header.Get("Content-Security-Policy"); strings.Contains(csp, "frame-src") {
		t.Errorf("a page without a frame: %s", csp)
	}
}

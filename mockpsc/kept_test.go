package mockpsc_test

import (
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// Every way to sign in, and to leave a sign-in half done, leaves something at
// the mock, and time takes all of it away.
func TestNothingIsKeptForEver(t *testing.T) {
	mock, now := newMockWithClock(t)
	mock.Delegation = true
	rp := newRelyingParty(t, mock)
	redeem := func() tokens { return rp.exchange(t, rp.form(rp.lastCallback().Get("code"))) }

	browser, tok := rp.signIn(t, "dr-dupont")
	rp.refresh(t, rp.refresh(t, tok.RefreshToken).RefreshToken)
	get(t, browser, rp.authURL(nil)) // single sign-on, whose code nobody redeems
	rp.signIn(t, "dr-martin/card")
	rp.signIn(t, "dr-dupont", "wrong-nonce")
	begin(t, rp) // a page left open
	begin(t, rp).post("/auth/cancel")

	scanning := begin(t, rp)
	phone := device{t, scanning.phone()}
	phone.answer("phone", "dr-dupont")
	phone.answer("same", "yes")
	phone.answer("pin", "1234")
	scanning.wait()
	redeem()
	begin(t, rp).post("/auth/ecps", "identifier", "99999001011") // never answered

	reading := begin(t, rp)
	reading.post("/auth/card", "card", "dr-dupont")
	reading.post("/auth/card", "pin", "5678")
	redeem()

	guest := begin(t, rp)
	guest.post("/auth/delegation", "provider", "hopital-imaginaire")
	guest.post("/auth/delegation", "account", "dr-dupont")
	guest.post("/auth/confirm", "answer", "yes")
	redeem()

	newHolder(t, mock).insert("inf-benali", "5678") // an activation that nobody finishes

	without := &thickClient{t, mock, now}
	request := without.begin(nil)
	if err := mock.AnswerCIBA(dupont, "1234"); err != nil {
		t.Fatal(err)
	}
	if tok := without.poll(request); tok.Status != 200 {
		t.Fatalf("CIBA: %d %s", tok.Status, tok.Body)
	}
	without.begin(map[string]string{"channel": "CARD"}) // never answered

	for what, n := range mock.Kept() {
		if n == 0 {
			t.Errorf("no %s: the sign-ins above are not of every kind", what)
		}
	}
	now.advance(5 * time.Hour)
	get(t, http.DefaultClient, mock.URL+"/auth/data")
	for what, n := range mock.Kept() {
		if n != 0 {
			t.Errorf("%d %s are left after five hours", n, what)
		}
	}
}

func TestASecondClickGetsTheFirstAnswer(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	for _, tt := range []struct {
		name, path string
		pairs      []string
	}{
		{"at the list of people", "/auth/sign-in", []string{"persona", "dr-dupont"}},
		{"at the way out", "/auth/cancel", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := begin(t, rp)
			p.post(tt.path, tt.pairs...)
			first := rp.lastCallback().Encode()
			for _, path := range []string{tt.path, "/auth/wait", "/auth/ecps"} {
				if p.post(path, tt.pairs...); p.page != "back" || rp.lastCallback().Encode() != first {
					t.Errorf("%s then: %.200s\ngot  %s\nwant %s", path, p.page, rp.lastCallback().Encode(), first)
				}
			}
			stranger := &person{t: t, rp: rp, browser: newBrowser(t), attempt: p.attempt}
			expect(t, stranger.post(tt.path, tt.pairs...), "Votre demande a expiré")
			now.advance(16 * time.Minute)
			expect(t, p.post(tt.path, tt.pairs...), "Votre demande a expiré")
		})
	}
}

func TestEachSignInPageIsItsOwn(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	var pages []*person
	seen := map[string]bool{}
	for range 3 {
		p := begin(t, rp)
		pages = append(pages, p)
		_, qr, _ := strings.Cut(p.page, `<svg class="qr"`)
		qr, _, _ = strings.Cut(qr, "</svg>")
		for _, own := range []string{p.attempt, p.phone(), qr} {
			if own == "" || seen[own] {
				t.Errorf("a page without its own %.60q", own)
			}
			seen[own] = true
		}
		if n := strings.Count(p.page, p.attempt); n != strings.Count(pages[0].page, pages[0].attempt) || n < 5 {
			t.Errorf("the attempt is there %d times", n)
		}
	}
	phone := device{t, pages[1].phone()}
	phone.answer("phone", "dr-dupont")
	phone.answer("same", "yes")
	phone.answer("pin", "1234")
	for i, p := range pages {
		if p.wait(); (p.page == "back") != (i == 1) {
			t.Errorf("page %d after the phone of page 1: %.100q", i, p.page)
		}
	}
}

var personaButton = regexp.MustCompile(`name="persona" value="([^"]+)"`)

func TestTheListOfPeopleIsAsTheyAreNow(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	blocked := func() int { return strings.Count(begin(t, rp).page, "e-CPS bloquée") }
	before := blocked()
	phone := device{t, begin(t, rp).phone()}
	phone.answer("phone", "dr-dupont")
	phone.answer("same", "yes")
	for range 3 {
		phone.answer("pin", "0000")
	}
	if got := blocked(); got != before+1 {
		t.Errorf("%d blocked after three wrong codes, %d before", got, before)
	}
	rp.mock.Reset()
	if got := blocked(); got != before {
		t.Errorf("%d blocked after Reset, %d before", got, before)
	}

	there := func() int { return strings.Count(begin(t, rp).page, "infirmière – MSP des Quatre Vents") }
	before = there()
	if err := rp.mock.Change("inf-roux", "moves"); err != nil {
		t.Fatal(err)
	}
	if got := there(); got != before+1 {
		t.Errorf("%d nurses there after inf-roux has moved, %d before", got, before)
	}

	hinted := func(hint string) string {
		_, page := get(t, newBrowser(t), rp.authURL(map[string]string{"login_hint": hint}))
		_, after, _ := strings.Cut(page, `<span class="badge info">`)
		return only(t, personaButton, after)
	}
	for _, id := range []string{"dr-martin", "inf-roux", "dr-martin"} {
		if got := hinted(id); got != id {
			t.Errorf("hint %s: %s is marked", id, got)
		}
	}
	_, page := get(t, newBrowser(t), rp.authURL(map[string]string{"ui_locales": "en"}))
	expect(t, page, "Sign in as Dr Jean DUPONT")
}

func TestServersSignInSideBySide(t *testing.T) {
	var wg sync.WaitGroup
	people := mockpsc.Personas()
	for i := range 64 {
		mock := mockpsc.NewServer(t)
		rp := newRelyingParty(t, mock)
		wg.Go(func() {
			p := people[i%8]
			resp, err := mock.SignIn(newBrowser(t), rp.URL+"/login", p.ID)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
			if tok.Status != 200 || !strings.Contains(payload(t, tok.IDToken), p.NationalID) {
				t.Errorf("server %d, %s: %d %s", i, p.ID, tok.Status, tok.Body)
			}
			if n := mock.Kept()["sessions"]; n != 1 {
				t.Errorf("server %d: %d sessions after one sign-in", i, n)
			}
		})
	}
	wg.Wait()
}

func TestNobodyListensAfterTheTest(t *testing.T) {
	var addresses []string
	for name, start := range map[string]func(testing.TB) *mockpsc.Server{"http": mockpsc.NewServer, "https": mockpsc.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			mock := start(t)
			resp, _ := get(t, mock.HTTPClient(), mock.URL+"/")
			addresses = append(addresses, resp.Request.URL.Host)
		})
	}
	for _, address := range addresses {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Errorf("something listens at %s", address)
		}
	}
}

package mockpsc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestDrills(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for _, tt := range []struct {
		drill, retry, words string
		status              int
	}{
		{"outage", "120", "Veuillez réessayer dans quelques minutes.", http.StatusServiceUnavailable},
		{"maintenance", "", "Pro Santé Connect est en maintenance.", http.StatusOK},
	} {
		t.Run(tt.drill, func(t *testing.T) {
			if err := mock.Drill(tt.drill); err != nil {
				t.Fatal(err)
			}
			for _, address := range []string{
				rp.authURL(nil), mock.URL + issuerPath + "/.well-known/wallet-openid-configuration",
				mock.URL + issuerPath + "/protocol/openid-connect/certs", mock.URL + issuerPath + "/protocol/openid-connect/userinfo",
			} {
				resp, page := get(t, newBrowser(t), address)
				expect(t, page, tt.words, "Simulateur de Pro Santé Connect")
				if resp.StatusCode != tt.status || resp.Header.Get("Retry-After") != tt.retry || resp.Header.Get("X-Mock-PSC-Error") != "drill: "+tt.drill {
					t.Errorf("%s: got %d, %v", address, resp.StatusCode, resp.Header)
				}
			}
			if resp, _ := submit(t, http.DefaultClient, mock.URL+issuerPath+"/protocol/openid-connect/token"); resp.StatusCode != tt.status {
				t.Errorf("token endpoint: got %d", resp.StatusCode)
			}
			_, page := get(t, newBrowser(t), mock.URL+"/")
			expect(t, page, "Brancher votre application")
		})
	}
	for name, end := range map[string]func(){"no drill": func() { mock.Drill("") }, "Reset": mock.Reset} {
		if err := mock.Drill("outage"); err != nil {
			t.Fatal(err)
		}
		end()
		if resp, page := get(t, newBrowser(t), rp.authURL(nil)); resp.StatusCode != http.StatusOK || !strings.Contains(page, "Connectez-vous") {
			t.Errorf("%s: the drill goes on: %d", name, resp.StatusCode)
		}
	}
	if err := mock.Drill("fire"); err == nil || !strings.Contains(err.Error(), "known: outage, half-day-outage, maintenance") {
		t.Errorf("an unknown drill: got %v", err)
	}
}

func TestAHalfDayOutageIsOverByItself(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	if err := mock.Drill("half-day-outage"); err != nil {
		t.Fatal(err)
	}
	now.advance(12*time.Hour - time.Second)
	if resp, _ := get(t, newBrowser(t), rp.authURL(nil)); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before noon: %d", resp.StatusCode)
	}
	now.advance(time.Second)
	if _, tok := rp.signIn(t, "dr-dupont"); tok.Status != 200 {
		t.Errorf("after twelve hours: %s", tok.Body)
	}
}

func TestASlowTokenEndpointHoldsUpNobodyElse(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	if err := mock.Drill("slow-token"); err != nil {
		t.Fatal(err)
	}
	hasty := &http.Client{Timeout: 100 * time.Millisecond}
	if resp, err := hasty.PostForm(mock.URL+issuerPath+"/protocol/openid-connect/token", rp.form("a-code")); err == nil {
		t.Errorf("got %s at once", resp.Status)
	}
	if len(rp.keys(t).Keys) == 0 {
		t.Error("no keys meanwhile")
	}
}

func TestKeysGone(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	if err := mock.Drill("keys-gone"); err != nil {
		t.Fatal(err)
	}
	if resp, _ := get(t, http.DefaultClient, mock.URL+issuerPath+"/protocol/openid-connect/certs"); resp.StatusCode != http.StatusNotFound || resp.Header.Get("X-Mock-PSC-Error") != "drill: keys-gone" {
		t.Errorf("got %d %s", resp.StatusCode, resp.Header.Get("X-Mock-PSC-Error"))
	}
	if _, tok := rp.signIn(t, "dr-dupont"); tok.Status != 200 {
		t.Errorf("the tokens: %s", tok.Body)
	}
}

func TestANotificationThatNeverComes(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	if err := mock.Drill("no-notification"); err != nil {
		t.Fatal(err)
	}
	p := begin(t, rp)
	page := p.post("/auth/ecps", "identifier", "99999001011")
	expect(t, page, "En attente de votre validation")
	phone := device{t, p.phone()}
	if resp, _ := get(t, http.DefaultClient, phone.address); resp.StatusCode != http.StatusGone {
		t.Errorf("the phone has heard of it: %d", resp.StatusCode)
	}
	now.advance(2 * time.Minute)
	expect(t, p.wait(), "Le délai est dépassé. Recommencez la connexion.")
}

func TestAPhoneThatRefuses(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	if err := mock.Drill("phone-refuses"); err != nil {
		t.Fatal(err)
	}
	p := begin(t, rp)
	p.post("/auth/ecps", "identifier", "99999001011")
	expect(t, p.wait(), "La demande a été refusée sur le téléphone.")
}

func TestStruckOffInMidSession(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	c, tok := rp.signIn(t, "dr-lambert")
	if err := mock.Drill("struck-off"); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}, "client_id": {"carelink"}, "client_secret": {"carelink-secret"}}
	if again := rp.exchange(t, form); again.Description != "Session not active" {
		t.Errorf("a refresh: %s", again.Body)
	}
	if _, page := get(t, c, rp.authURL(nil)); !strings.Contains(page, "Connectez-vous") {
		t.Error("still signed in")
	}
	if _, err := mock.SignIn(c, rp.URL+"/login", "dr-lambert"); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("the next sign-in: %v", err)
	}
	if _, tok := rp.signIn(t, "dr-dupont"); tok.Status != 200 {
		t.Errorf("a colleague who was not signed in: %s", tok.Body)
	}
	mock.Reset()
	if _, tok := rp.signIn(t, "dr-lambert"); tok.Status != 200 {
		t.Errorf("after Reset: %s", tok.Body)
	}
}

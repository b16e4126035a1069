package auth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/mockpsc"
)

// What nobody knows of the real service must not matter to an app.
func TestWhateverPSCDoesWhereNobodyKnows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		assume mockpsc.Assumptions
		want   int
	}{
		{"it demands PKCE", mockpsc.Assumptions{RequirePKCE: true}, 200},
		{"it announces iss and sends none", mockpsc.Assumptions{OmitIss: true}, 200},
		{"it answers eidas2", mockpsc.Assumptions{ACR: "eidas2"}, 200},
		{"it answers eidas3", mockpsc.Assumptions{ACR: "eidas3"}, 200},
		{"it answers no acr, which is refused", mockpsc.Assumptions{ACR: "none"}, 401},
		{"it names another means", mockpsc.Assumptions{AuthMode: "SECURITY_KEY"}, 200},
		{"it names no means", mockpsc.Assumptions{AuthMode: "none"}, 200},
		{"its userinfo has the older layout", mockpsc.Assumptions{Layout: "older"}, 200},
		{"its userinfo has the newer layout", mockpsc.Assumptions{Layout: "newer"}, 200},
		{"its userinfo has no record", mockpsc.Assumptions{Layout: "none"}, 200},
		{"its userinfo has email_verified", mockpsc.Assumptions{EmailVerified: true}, 200},
		{"its federation is another", mockpsc.Assumptions{Federation: "0a1b2c3d-0000-4000-8000-00000000cafe"}, 200},
		{"it publishes many keys", mockpsc.Assumptions{SigningKeys: 4}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, persona := range []string{"dr-dupont", "dr-martin/card"} {
				w := newWorld(t, func(c *auth.Config) { c.Provider.IssMayBeMissing = true })
				w.psc.Assume = tt.assume
				if got := w.signIn(w.browser(), persona); got.StatusCode != tt.want {
					t.Errorf("%s: got %s %.300s", persona, got.Status, got.Text)
				}
			}
		})
	}
}

func TestASignInPageOnAHostOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.psc.Issuer = w.psc.URL + "/auth/realms/esante-wallet"
	w.psc.WalletURL = strings.Replace(w.psc.URL, "127.0.0.1", "[::1]", 1)
	wallet := strings.TrimPrefix(w.psc.WalletURL, "http://")

	if got := w.get(stay(w.browser()), "/app/auth/login", "Sec-Fetch-Mode", "navigate"); got.StatusCode == http.StatusSeeOther {
		t.Errorf("sent to %s, a host that nobody configured", got.Header.Get("Location"))
	}
	w.start(func(c *auth.Config) { c.Provider.AuthorizeHost = wallet })
	got := w.get(stay(w.browser()), "/app/auth/login", "Sec-Fetch-Mode", "navigate")
	if !strings.HasPrefix(got.Header.Get("Location"), w.psc.WalletURL+"/auth?") {
		t.Errorf("sent to %s, want the wallet", got.Header.Get("Location"))
	}
}

func TestShortLifetimesOfPSCDoNotShortenTheApps(t *testing.T) {
	w := newWorld(t)
	w.psc.Lifetimes = mockpsc.Lifetimes{Code: time.Second, IDToken: time.Second, AccessToken: time.Second, RefreshToken: time.Second}
	c := w.browser()
	if got := w.signIn(c, "dr-dupont"); got.StatusCode != 200 {
		t.Fatalf("got %s %.300s", got.Status, got.Text)
	}
	w.clock.Advance(20 * time.Minute)
	if got := w.get(c, "/patients"); !strings.HasPrefix(got.Text, "Dr Jean DUPONT") {
		t.Errorf("after twenty minutes: %s %.300s", got.Status, got.Text)
	}
}

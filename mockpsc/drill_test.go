package mockpsc_test

import (
	"net/http"
	"strings"
	"testing"

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
	if err := mock.Drill("fire"); err == nil || !strings.Contains(err.Error(), "known: outage, maintenance") {
		t.Errorf("an unknown drill: got %v", err)
	}
}

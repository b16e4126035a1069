package mockpsc_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// subject signs in with one request and tells as whom, and how.
func (rp *relyingParty) subject(t *testing.T, browser *http.Client, change map[string]string) (id, mode any) {
	t.Helper()
	if _, page := get(t, browser, rp.authURL(change)); page != "back" {
		t.Fatalf("not signed in at once: %.200s", page)
	}
	claims, err := rp.verify(t, rp.exchange(t, rp.form(rp.lastCallback().Get("code"))).IDToken)
	if err != nil {
		t.Fatal(err)
	}
	return claims["SubjectNameID"], claims["authMode"]
}

func TestAutoSignsEverybodyInAsOnePersona(t *testing.T) {
	for _, tt := range []struct{ auto, id, mode string }{
		{"dr-dupont", "899999001011", "MOBILE"},
		{"dr-dupont/card", "899999001011", "CARD"},
		{"sec-andre", "500000000090100/CPAT00001", "CARD"},
	} {
		t.Run(tt.auto, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			mock.Auto = tt.auto
			rp := newRelyingParty(t, mock)
			browser := newBrowser(t)
			for _, change := range []map[string]string{nil, nil, {"prompt": "login"}, {"max_age": "0"}, {"login_hint": "dr-martin"}} {
				if id, mode := rp.subject(t, browser, change); id != tt.id || mode != tt.mode {
					t.Errorf("%v: got %v by %v, want %s by %s", change, id, mode, tt.id, tt.mode)
				}
			}
			get(t, newBrowser(t), rp.authURL(map[string]string{"prompt": "none"}))
			if got := rp.lastCallback().Get("error"); got != "login_required" {
				t.Errorf("prompt=none in a new browser: got error %q, want login_required", got)
			}
		})
	}
}

func TestAutoStillRefusesBadRequests(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.Auto = "dr-dupont"
	rp := newRelyingParty(t, mock)
	if resp, _ := get(t, newBrowser(t), rp.authURL(map[string]string{"acr_values": ""})); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without acr_values: got %d", resp.StatusCode)
	}
	if _, err := mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-martin"); err == nil || !strings.Contains(err.Error(), "Auto") {
		t.Errorf("SignIn as somebody else: got %v", err)
	}
}

func TestAutoByLoginHint(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.Auto = "login_hint"
	rp := newRelyingParty(t, mock)
	browser := newBrowser(t)
	for _, tt := range []struct{ hint, id, mode string }{
		{"dr-dupont", "899999001011", "MOBILE"},
		{"dr-dupont/card", "899999001011", "CARD"},
		{"dr-dupont", "899999001011", "CARD"}, // SSO: he is signed in already
		{"899999001011", "899999001011", "CARD"},
		{"sec-andre", "500000000090100/CPAT00001", "CARD"}, // the hint wins over a colleague's session
		{"500000000090100/CPAT00001", "500000000090100/CPAT00001", "CARD"},
	} {
		if id, mode := rp.subject(t, browser, map[string]string{"login_hint": tt.hint}); id != tt.id || mode != tt.mode {
			t.Errorf("%s: got %v by %v, want %s by %s", tt.hint, id, mode, tt.id, tt.mode)
		}
	}
	if _, page := get(t, newBrowser(t), rp.authURL(nil)); !strings.Contains(page, "Connectez-vous") {
		t.Error("without a hint there is no sign-in page")
	}
	resp, err := mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-martin")
	if err != nil {
		t.Errorf("SignIn: %v", err)
	} else {
		resp.Body.Close()
	}
	if err := mock.Change("dr-lambert", "struck-off"); err != nil {
		t.Fatal(err)
	}
	for hint, want := range map[string]string{
		"dr-who":      "aucun personnage",
		"dr-dupont/x": "aucun personnage",
		"dr-lambert":  "in state revoked",
	} {
		resp, page := get(t, stay(newBrowser(t)), rp.authURL(map[string]string{"login_hint": hint}))
		if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("X-Mock-PSC-Error") == "" {
			t.Errorf("%s: got %d", hint, resp.StatusCode)
		}
		expect(t, page, want, "Pour le développeur")
	}
}

func TestWithoutAutoAHintIsOnlyAHint(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	for _, hint := range []string{"dr-dupont", "dr-who"} {
		if _, page := get(t, newBrowser(t), rp.authURL(map[string]string{"login_hint": hint})); !strings.Contains(page, "Connectez-vous") {
			t.Errorf("%s: no sign-in page", hint)
		}
	}
}

func TestCheckRefusesAnAutoThatCannotWork(t *testing.T) {
	for auto, want := range map[string]string{
		"dr-who":          "dr-dupont",
		"dr-dupont/phone": "ecps or card",
		"dr-dupont/":      "ecps or card",
		"inf-benali/ecps": "not-activated",
	} {
		if err := (&mockpsc.Server{Auto: auto}).Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want it to say %q", auto, err, want)
		}
	}
	for _, auto := range []string{"", "login_hint", "dr-dupont", "inf-benali"} {
		if err := (&mockpsc.Server{Auto: auto}).Check(); err != nil {
			t.Errorf("%q: %v", auto, err)
		}
	}
}

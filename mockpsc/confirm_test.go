package mockpsc_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// signedIn is a browser in which dr-dupont has signed in, and a request later.
func signedIn(t *testing.T, mock *mockpsc.Server) *person {
	t.Helper()
	mock.ConfirmSSO = true
	rp := newRelyingParty(t, mock)
	browser, _ := rp.signIn(t, "dr-dupont")
	p := &person{t: t, rp: rp, browser: browser}
	p.ask()
	return p
}

func (p *person) ask() {
	p.t.Helper()
	_, p.page = get(p.t, p.browser, p.rp.authURL(map[string]string{"state": "next"}))
	p.attempt = attempt(p.t, p.page)
}

func TestConfirmSSOAsksBeforeItGoesOn(t *testing.T) {
	p := signedIn(t, mockpsc.NewServer(t))
	expect(t, p.page, "<title>Connexion – CareLink</title>", "<h1>Connexion</h1>",
		"Bonjour <strong>Dr Jean DUPONT</strong>, confirmez-vous vouloir accéder à <strong>CareLink</strong> avec votre compte <strong>899999001011</strong> ?",
		"Rejeter", "Confirmer")
	_, english := get(t, p.browser, p.rp.mock.URL+"/auth/confirm?attempt="+p.attempt+"&lang=en")
	expect(t, english, `<html lang="en">`, "do you confirm that you want to access")
	if p.post("/auth/confirm", "answer", "yes"); p.page != "back" {
		t.Fatalf("after the confirmation: %.300s", p.page)
	}
	first := p.rp.lastCallback()
	if first.Get("state") != "next" {
		t.Errorf("callback %v", first)
	}
	if p.post("/auth/confirm", "answer", "yes"); p.page != "back" || p.rp.lastCallback().Get("code") != first.Get("code") {
		t.Error("a double click gets another answer")
	}
	claims, err := p.rp.verify(t, p.rp.exchange(t, p.rp.form(first.Get("code"))).IDToken)
	if err != nil || claims["SubjectNameID"] != "899999001011" {
		t.Errorf("got %v, %v", claims, err)
	}
}

func TestConfirmSSORejectedGoesToTheSignInPage(t *testing.T) {
	p := signedIn(t, mockpsc.NewServer(t))
	before := p.rp.lastCallback().Get("code")
	expect(t, p.post("/auth/confirm", "answer", "no"), "Connectez-vous")
	expect(t, p.post("/auth/confirm", "answer", "yes"), "Connectez-vous") // it was taken back
	if got := p.rp.lastCallback().Get("code"); got != before {
		t.Error("a code without a confirmation")
	}
	if p.post("/auth/sign-in", "persona", "dr-martin"); p.page != "back" {
		t.Fatalf("a colleague's sign-in: %.300s", p.page)
	}
	p.ask()
	expect(t, p.page, "Bonjour <strong>Dr Claire MARTIN</strong>")
}

func TestConfirmSSOCannotBeAnsweredElsewhereOrTooLate(t *testing.T) {
	now := time.Now()
	mock := mockpsc.NewServer(t)
	mock.Now = func() time.Time { return now }
	p := signedIn(t, mock)
	resp, page := submit(t, newBrowser(t), mock.URL+"/auth/confirm", "attempt", p.attempt, "answer", "yes")
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("another browser: got %d %.300s", resp.StatusCode, page)
	}
	now = now.Add(14 * time.Minute)
	expect(t, p.post("/auth/confirm"), "Bonjour") // neither yes nor no: asked again
	other := p.attempt
	now = now.Add(15 * time.Minute)
	p.ask()
	now = now.Add(2 * time.Minute) // half an hour since he was last active
	expect(t, p.post("/auth/confirm", "answer", "yes"), "Connectez-vous")
	resp, page = submit(t, p.browser, mock.URL+"/auth/confirm", "attempt", other, "answer", "yes")
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an old page: got %d %.300s", resp.StatusCode, page)
	}
}

func TestConfirmSSOAndPrompt(t *testing.T) {
	p := signedIn(t, mockpsc.NewServer(t))
	get(t, p.browser, p.rp.authURL(map[string]string{"prompt": "none"}))
	if got := p.rp.lastCallback().Get("error"); got != "interaction_required" {
		t.Errorf("prompt=none: got error %q, want interaction_required", got)
	}
	_, page := get(t, p.browser, p.rp.authURL(map[string]string{"prompt": "login"}))
	expect(t, page, "Connectez-vous")
	get(t, newBrowser(t), p.rp.authURL(map[string]string{"prompt": "none"}))
	if got := p.rp.lastCallback().Get("error"); got != "login_required" {
		t.Errorf("prompt=none in a new browser: got error %q, want login_required", got)
	}
}

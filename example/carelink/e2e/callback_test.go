package e2e

import (
	"net/url"
	"strings"
	"testing"
)

// Two sign-ins begun in two tabs do not disturb each other.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	b := start(t).newBrowser(t)
	one, two := b.first, b.newTab()
	one.open("/patients/42")
	two.open("/patients/43")
	one.atMock("Connectez-vous")
	two.atMock("Connectez-vous")
	one.clickPerson(dupont)
	one.at("/patients/42")
	two.clickPerson(dupont)
	two.at("/patients/43")
	one.reload()
	one.at("/patients/42")
}

// Whatever people do at the moment of coming back, they end on the page that
// they wanted and not on an error.
func TestImpatience(t *testing.T) {
	t.Parallel()
	app := start(t)

	t.Run("double click", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.open("/patients/42")
		p.atMock("Connectez-vous")
		p.doubleClick(p.button(dupont))
		p.at("/patients/42")
	})

	t.Run("the callback twice at once", func(t *testing.T) {
		t.Parallel()
		b := app.newBrowser(t)
		one, two := b.first, b.newTab()
		two.open("/mentions")
		one.open("/patients/42")
		ticket := one.intercept("*/api/v1/auth/callback*")
		one.mouse(one.button(dupont))
		address := ticket()
		one.leaveFor(address)
		two.leaveFor(address)
		one.at("/patients/42")
		two.at("/patients/42")
	})

	t.Run("back, and reload", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.open("/")
		p.click("S'identifier avec Pro Santé Connect")
		address := p.callback(func() { p.clickPerson(dupont) })
		p.at("/patients")
		p.back() // to the sign-in page, which has been used
		if p.address() != app.url+"/patients" {
			p.clickPerson(dupont)
		}
		p.at("/patients")
		p.open(address) // as a reload of the callback, or a bookmark of it
		p.at("/patients")
		p.open(address)
		p.at("/patients")
	})
}

// On a shared computer, nobody goes back into a session that has ended.
func TestBackAfterSignOut(t *testing.T) {
	t.Parallel()
	p := start(t).newBrowser(t).first
	p.signIn(dupont)
	p.click("Ouvrir le dossier de Rose FABLE")
	p.at("/patients/42")
	p.click("Se déconnecter")
	p.heading("Vous êtes déconnecté")
	for range 3 {
		p.back()
		p.miss("FABLE", "DUPONT – Cabinet")
	}
}

// An error is never left at the callback's address: a reload begins anew.
func TestErrorsLeaveTheCallback(t *testing.T) {
	t.Parallel()
	app := start(t)
	for _, c := range []struct {
		story, heading string
		leave          func(*tab)
	}{
		{"cancelled", "Connexion annulée", func(p *tab) { p.click("Annuler et revenir à CareLink") }},
		{"refused", "Connexion annulée", lie("access-denied")},
		{"wrong nonce", "Réponse de Pro Santé Connect refusée", lie("wrong-nonce")},
		{"other issuer", "Réponse de Pro Santé Connect refusée", lie("wrong-iss-parameter")},
		{"weak", "Moyen de connexion insuffisant", lie("weak-acr")},
		{"down", "Pro Santé Connect ne répond pas", lie("token-500")},
	} {
		t.Run(c.story, func(t *testing.T) {
			t.Parallel()
			p := app.newBrowser(t).first
			p.open("/patients/42")
			p.atMock("Connectez-vous")
			c.leave(p)
			p.heading(c.heading)
			p.see("Référence à communiquer à l'assistance")
			p.miss("nonce", "acr", "token", "issuer", "id_token")
			if a := p.address(); strings.Contains(a, "callback") || !strings.HasPrefix(a, app.url+"/") {
				t.Errorf("the address bar shows %s", a)
			}
			p.reload()
			p.atMock("Connectez-vous")
			p.clickPerson(dupont)
			p.at("/patients/42") // what was wanted is not forgotten
		})
	}
}

// lie signs in while the mock lies.
func lie(fault string) func(*tab) {
	return func(p *tab) {
		p.t.Helper()
		p.choose("Pannes et mensonges", fault)
		p.clickPerson(dupont)
	}
}

// A sign-in leads to the page that was asked for, and never out of CareLink.
func TestReturnTo(t *testing.T) {
	t.Parallel()
	app := start(t)
	p := app.newBrowser(t).first
	p.open("/patients/42")
	p.atMock("Connectez-vous")
	p.useCard(dupont, "5678")
	p.at("/patients/42")
	p.see("Bienvenue, Dr Jean DUPONT.")

	for _, elsewhere := range []string{
		"http://evil.example/", "//evil.example/", `/\evil.example/`, "/%09/evil.example/", "javascript:alert(1)", app.mock + "/",
	} {
		p.open("/api/v1/auth/login?return_to=" + url.QueryEscape(elsewhere))
		p.at("/patients") // where the home page leads whoever is in
	}
	p.open("/api/v1/auth/login?return_to=" + url.QueryEscape("/me"))
	p.at("/me")
}

package e2e

import "testing"

// Every page of the three, where there is little room: in a window of 320 pixels,
// and with text at 200 %. Each page is looked at for sideways scroll, as always.
func TestLittleRoom(t *testing.T) {
	t.Parallel()
	for _, room := range []struct {
		name  string
		habit habit
	}{{"320 pixels", narrow}, {"text at 200 %", largeText}} {
		for _, walk := range []struct {
			name  string
			pages func(*tab)
		}{{"signed out", pagesSignedOut}, {"the mock", pagesOfTheMock}, {"CareLink", pagesOfCareLink}} {
			t.Run(room.name+", "+walk.name, func(t *testing.T) {
				t.Parallel()
				walk.pages(start(t).newBrowser(t, room.habit).first)
			})
		}
	}
}

func pagesSignedOut(p *tab) {
	p.t.Helper()
	mock := p.b.app.mock
	oidc := mock + "/auth/realms/esante-wallet/protocol/openid-connect"
	for _, address := range []string{
		"/", "/accessibilite", "/mentions", "/nowhere",
		"/api/v1/auth/logout", "/api/v1/auth/signed-out", "/api/v1/auth/callback",
		mock + "/", mock + "/auth/data", oidc + "/auth?client_id=unknown", mock + "/auth/wait?attempt=unknown",
		mock + "/?lang=en", mock + "/?lang=fr",
	} {
		p.open(address)
	}

	// The way out by the mock's own address.
	p.signIn(dupont)
	p.open(oidc + "/logout")
	p.heading("Se déconnecter de Pro Santé Connect ?")
	p.click("Se déconnecter")
	p.heading("Session fermée")
}

func pagesOfTheMock(p *tab) {
	p.t.Helper()
	p.open("/patients")
	p.atMock("Connectez-vous")
	p.press("Personnages") // the panel is closed where there is little room, or it closes now
	p.click("SE CONNECTER AVEC L'E-CPS")
	p.see("Saisissez votre identifiant national ou votre numéro RPPS.")
	p.fill("Identifiant national ou numéro RPPS", "99999001078") // the longest name
	p.click("SE CONNECTER AVEC L'E-CPS")
	p.heading("Validez sur votre téléphone")
	phone := p.clickForTab("Ouvrir le téléphone simulé de")
	phone.sameNumber(p)
	phone.typeCode("0000")
	phone.see("Code erroné.")
	phone.click("Refuser la connexion")
	phone.see("Connexion refusée.")
	phone.close()
	p.see("La demande a été refusée sur le téléphone.")
	p.click("Recommencer")
	phone = p.phoneOf(martin)
	for _, guess := range []string{"0000", "1111", "2222"} {
		phone.typeCode(guess)
	}
	phone.see("e-CPS bloquée")
	phone.close()
	p.see("Votre e-CPS vient d'être bloquée")
	p.click("Utiliser ma carte CPS")
	p.click("SE CONNECTER AVEC LA CARTE CPS")
	p.see("Aucune carte détectée.")
	p.useCard(martin, "0000")
	p.see("Code porteur erroné.")
	p.click("Retirer la carte")
	p.see("La carte a été retirée.")
	p.click("Annuler et revenir à CareLink")
	p.heading("Connexion annulée")
}

func pagesOfCareLink(p *tab) {
	p.t.Helper()
	p.open("/patients")
	p.approveOnPhone(dupont)
	p.at("/patients")
	for _, path := range []string{"/me", "/patients", "/patients?q=rose", "/patients?q=nobody", "/patients/44", "/patients/42", "/patients/50", "/nowhere", "/api/v1/auth/logout"} {
		p.open(path)
	}
	p.open("/patients/42")
	p.fill("Score (0 à 10)", "11")
	p.click("Enregistrer")
	p.see("Choisissez un type.", "Le score va de 0 à 10.")
	p.evaluate("Douleur", "10", "Anticonstitutionnellement"+"anticonstitutionnellementanticonstitutionnellement.")

	// A session that ends while somebody writes.
	leaving := p.b.newTab()
	leaving.open("/patients")
	leaving.click("Se déconnecter")
	leaving.heading("Vous êtes déconnecté")
	p.choose("Type", "Douleur")
	p.fill("Score (0 à 10)", "1")
	p.click("Enregistrer")
	p.heading("Votre session a expiré avant l'envoi")
	p.see("Rien n'a été enregistré.")
	again := p.clickForTab("S'identifier dans un autre onglet")
	again.atMock("Connectez-vous")
	again.useCard(girard, "5678")
	again.at("/patients")
	again.open("/patients/80")
	again.open("/patients/80/evaluations")

	// The page between the two sign-outs, which is gone at once.
	leave := again.intercept("*/protocol/openid-connect/logout*")
	again.press("Se déconnecter")
	leave()
	again.heading("Déconnexion en cours")
}

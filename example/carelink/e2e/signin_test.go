package e2e

import "testing"

// The whole path of the demonstration: the first sign-in by the telephone, the
// work, the way out of both, and the second sign-in by the card.
func TestFirstAndSecondSignIn(t *testing.T) {
	t.Parallel()
	p := start(t).newBrowser(t).first

	p.open("/")
	p.heading("CareLink, le suivi partagé de vos patients")
	p.click("S'identifier avec Pro Santé Connect")
	p.atMock("Connectez-vous")
	p.see("pour accéder à CareLink")

	p.approveOnPhone(dupont)
	p.at("/patients") // by itself: the page follows the telephone
	p.see("Bienvenue, Dr Jean DUPONT.", "votre compte n° 1 vient d'être créé à partir de votre RPPS 99999001011")
	p.see("Médecin", "8 patients – Cabinet médical des Tilleuls", "FABLE Rose", "D'UTOPIE-L'ÉPOPÉE Lucie")
	p.miss("ROMANESQUE", "INTRIGUE")

	p.click("Ouvrir le dossier de Rose FABLE")
	p.at("/patients/42")
	p.see("Douleur du genou gauche à la marche.", "Traitement B, matin et soir")
	p.miss("Bienvenue") // once is enough
	p.evaluate("Douleur", "3", "Mieux depuis la semaine dernière.")

	p.click("Se déconnecter")
	p.heading("Vous êtes déconnecté")
	p.open("/patients")
	p.atMock("Connectez-vous") // neither CareLink nor Pro Santé Connect remembers anybody

	p.useCard(dupont, "5678")
	p.at("/patients")
	p.see("Heureux de vous revoir, Dr Jean DUPONT.", "Compte n° 1 retrouvé par votre RPPS.", "Dernière connexion :")
	p.click("Mon identité")
	p.see("carte CPS (eidas2)", "99999001011", "899999001011", "n° 1")
	p.miss("Heureux de vous revoir")
}

func TestSignInByTypedIdentifier(t *testing.T) {
	t.Parallel()
	p := start(t).newBrowser(t).first
	p.open("/")
	p.click("S'identifier avec Pro Santé Connect")

	p.fill("Identifiant national ou numéro RPPS", "99999001012")
	p.click("SE CONNECTER AVEC L'E-CPS")
	p.see("sa clé de contrôle ne correspond pas")

	p.fill("Identifiant national ou numéro RPPS", "99999001011")
	p.click("SE CONNECTER AVEC L'E-CPS")
	p.atMock("Validez sur votre téléphone")
	p.see("8999•••••011", "Nombre à vérifier :", "Il vous reste")

	phone := p.clickForTab("Ouvrir le téléphone simulé de Dr Jean DUPONT")
	phone.see("Téléphone de Dr Jean DUPONT") // nobody else's is asked
	phone.confirm(p)
	phone.close()
	p.at("/patients")
	p.see("Bienvenue, Dr Jean DUPONT.")
}

func TestWrongCodes(t *testing.T) {
	t.Parallel()
	app := start(t)

	t.Run("e-CPS", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.open("/")
		p.click("S'identifier avec Pro Santé Connect")
		phone := p.phoneOf(dupont)
		phone.typeCode("0000")
		phone.see("Code erroné. Il vous reste 2 essai")
		phone.typeCode("12")
		phone.see("Le code compte 4 chiffres.") // and costs no try
		phone.typeCode("1234")
		phone.heading("Connexion validée")
		phone.close()
		p.at("/patients")
	})

	t.Run("e-CPS blocked", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.open("/")
		p.click("S'identifier avec Pro Santé Connect")
		phone := p.phoneOf(martin)
		phone.typeCode("0000")
		phone.see("Il vous reste 2 essai")
		phone.typeCode("1111")
		phone.see("Dernier essai avant le blocage de votre e-CPS.")
		phone.typeCode("2222")
		phone.see("e-CPS bloquée : trois codes erronés.")
		phone.close()
		p.see("Votre e-CPS vient d'être bloquée après trois codes erronés.")

		// Who is blocked at the telephone is told so at the next attempt.
		p.click("Recommencer")
		p.fill("Identifiant national ou numéro RPPS", "99999001029")
		p.click("SE CONNECTER AVEC L'E-CPS")
		p.see("Votre e-CPS est bloquée après trois codes erronés.")
		p.open("/patients")
		p.atMock("Connectez-vous")
	})

	t.Run("card", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.open("/")
		p.click("S'identifier avec Pro Santé Connect")
		p.useCard(benali, "0000")
		p.see("Code porteur erroné. Il vous reste 2 essai")
		p.fill("Code porteur (4 chiffres)", "5678")
		p.click("Valider")
		p.at("/patients")
		p.see("Bienvenue, Karim BENALI.")
	})

	t.Run("card blocked", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.open("/")
		p.click("S'identifier avec Pro Santé Connect")
		p.useCard(girard, "0000")
		p.see("Il vous reste 2 essai")
		p.fill("Code porteur (4 chiffres)", "1111")
		p.click("Valider")
		p.see("Dernier essai avant le blocage de la carte.")
		p.fill("Code porteur (4 chiffres)", "2222")
		p.click("Valider")
		p.see("Carte bloquée : trois codes erronés.")
		p.open("/patients")
		p.atMock("Connectez-vous")
	})
}

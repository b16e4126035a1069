package e2e

import "testing"

// Everything works in a browser that runs no script.
func TestNoScript(t *testing.T) {
	t.Parallel()
	p := start(t).newBrowser(t, noScript).first

	// The e-CPS, by the QR code: the page does not follow the telephone by itself.
	p.open("/")
	p.click("S'identifier avec Pro Santé Connect")
	phone := p.clickForTab("Ouvrir le téléphone simulé")
	phone.press(dupont.name + " " + dupont.profession)
	phone.click("C'est mon téléphone")
	phone.heading("Connexion demandée")
	p.click("J'ai validé sur mon téléphone")
	p.see("Nous n'avons pas encore reçu votre validation.", "Nombre à vérifier :")
	phone.confirm(p)
	phone.close()
	p.heading("Validez sur votre téléphone") // still
	p.click("J'ai validé sur mon téléphone")
	p.at("/patients")
	p.see("Bienvenue, Dr Jean DUPONT.")

	p.open("/patients/42")
	p.evaluate("Suivi général", "5", "Sans script.")
	p.click("Se déconnecter")
	p.heading("Vous êtes déconnecté") // the page went on by itself

	// The e-CPS, by the identifier.
	p.click("Se reconnecter")
	p.fill("Identifiant national ou numéro RPPS", "99999001011")
	p.click("SE CONNECTER AVEC L'E-CPS")
	phone = p.clickForTab("Ouvrir le téléphone simulé de Dr Jean DUPONT")
	phone.confirm(p)
	phone.close()
	p.click("J'ai validé sur mon téléphone")
	p.at("/patients")
	p.see("Heureux de vous revoir, Dr Jean DUPONT.")
	p.click("Ce n'est pas moi")
	p.heading("Vous êtes déconnecté")

	// The card.
	p.click("Se reconnecter")
	p.useCard(dupont, "0000")
	p.see("Code porteur erroné.")
	p.fill("Code porteur (4 chiffres)", "5678")
	p.click("Valider")
	p.at("/patients")
	p.open("/api/v1/auth/logout")
	p.heading("Se déconnecter ?")
	p.click("Se déconnecter")
	p.heading("Vous êtes déconnecté")
	p.open("/patients")
	p.atMock("Connectez-vous")
}

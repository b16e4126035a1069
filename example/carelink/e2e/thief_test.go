package e2e

import "testing"

// Somebody who has no more than the QR code, or the telephone without its code.
func TestImpostor(t *testing.T) {
	t.Parallel()
	app := start(t)
	holder := app.newBrowser(t).first
	holder.signIn(dupont)
	holder.see("votre compte n° 1 vient d'être créé")

	impostor := app.newBrowser(t).first
	impostor.open("/patients")
	phone := impostor.clickForTab("Ouvrir le téléphone simulé")
	phone.press("Un téléphone sans e-CPS (l'imposteur)")
	phone.click("C'est mon téléphone")
	phone.see("Aucune e-CPS sur ce téléphone.", "La connexion s'arrête ici.")
	phone.close()
	impostor.click("J'ai validé sur mon téléphone")
	impostor.see("Nous n'avons pas encore reçu votre validation.")
	impostor.open("/patients")
	impostor.atMock("Connectez-vous")

	phone = impostor.phoneOf(dupont) // stolen
	for _, guess := range []string{"0000", "1111", "2222"} {
		phone.typeCode(guess)
	}
	phone.see("e-CPS bloquée")
	phone.close()
	impostor.see("Votre e-CPS vient d'être bloquée")
	impostor.open("/patients/42")
	impostor.atMock("Connectez-vous")

	// The holder goes on working, and nothing was written under anybody's name.
	holder.reload()
	holder.at("/patients")
	holder.open("/patients/42")
	holder.evaluate("Risque de chute", "2", "Rien à signaler.")
	holder.click("Se déconnecter")
	holder.heading("Vous êtes déconnecté")
	holder.open("/")
	holder.click("S'identifier avec Pro Santé Connect")
	holder.useCard(dupont, "5678")
	holder.see("Heureux de vous revoir, Dr Jean DUPONT.", "Compte n° 1 retrouvé")

	next := app.newBrowser(t).first
	next.signIn(martin)
	next.see("votre compte n° 2 vient d'être créé") // there is no account between
}

// The address to which Pro Santé Connect sends the browser back is the ticket. It
// is worth nothing in another browser.
func TestStolenTicket(t *testing.T) {
	t.Parallel()
	app := start(t)
	honest, thief := app.newBrowser(t).first, app.newBrowser(t).first

	honest.open("/patients/42")
	honest.atMock("Connectez-vous")
	ticket := honest.intercept("*/api/v1/auth/callback*")
	honest.mouse(honest.button(dupont))
	address := ticket()

	thief.open(address) // who has begun nothing is asked who he is
	thief.atMock("Connectez-vous")
	thief.open(address) // who has begun a sign-in is told that this is not his
	thief.heading("Connexion non reconnue")
	thief.see("Si vous avez suivi un lien reçu, ne continuez pas.", "Référence à communiquer à l'assistance")
	thief.open("/patients/42")
	thief.atMock("Connectez-vous")

	honest.open(address)
	honest.at("/patients/42")
	thief.open(address) // and it is spent now
	thief.miss("FABLE")
	thief.open("/patients/42")
	thief.atMock("Connectez-vous")
	honest.reload()
	honest.at("/patients/42")
}

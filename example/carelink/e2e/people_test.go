package e2e

import "strings"

// What people do on more than one page.

// phoneOf scans the QR code with a person's telephone, and says on it that the
// number is the same. What is left is the code.
func (p *tab) phoneOf(who person) *tab {
	p.t.Helper()
	phone := p.clickForTab("Ouvrir le téléphone simulé")
	phone.heading("À qui est ce téléphone ?")
	phone.press(who.name + " " + who.profession)
	phone.click("C'est mon téléphone")
	phone.sameNumber(p)
	return phone
}

// sameNumber compares the number on the telephone with the one on the screen.
func (phone *tab) sameNumber(screen *tab) {
	phone.t.Helper()
	phone.heading("Connexion demandée")
	screen.heading("Validez sur votre téléphone")
	const number = `const e = document.querySelector('.number'); return e ? e.getAttribute('aria-label') : ''`
	there, _ := ask[string](phone, number)
	here, _ := ask[string](screen, number)
	if !strings.HasPrefix(there, "Nombre à vérifier") || there != here {
		phone.t.Fatalf("the telephone shows %q, the screen %q", there, here)
	}
	phone.click("Oui, c'est le même")
}

func (phone *tab) typeCode(code string) {
	phone.t.Helper()
	phone.fill("Code à 4 chiffres", code)
	phone.click("Valider")
}

// confirm does all that the holder of a telephone does.
func (phone *tab) confirm(screen *tab) {
	phone.t.Helper()
	phone.sameNumber(screen)
	phone.typeCode("1234")
	phone.heading("Connexion validée")
}

// approveOnPhone signs in by the QR code and the telephone of a person.
func (p *tab) approveOnPhone(who person) {
	p.t.Helper()
	phone := p.phoneOf(who)
	phone.typeCode("1234")
	phone.heading("Connexion validée")
	phone.close()
}

// useCard puts a card into the reader and types its code.
func (p *tab) useCard(who person, code string) {
	p.t.Helper()
	p.click("Carte CPS")
	p.choose("Carte dans le lecteur", who.name)
	p.click("SE CONNECTER AVEC LA CARTE CPS")
	p.heading("Code porteur")
	p.fill("Code porteur (4 chiffres)", code)
	p.click("Valider")
}

// signIn takes the short way, by the panel of the mock, to the patients.
func (p *tab) signIn(who person) {
	p.t.Helper()
	p.open("/patients")
	p.atMock("Connectez-vous")
	p.clickPerson(who)
	p.at("/patients")
}

// evaluate fills in the form of a patient's page.
func (p *tab) evaluate(kind, score, observations string) {
	p.t.Helper()
	p.choose("Type", kind)
	p.fill("Score (0 à 10)", score)
	p.fill("Observations", observations)
	p.click("Enregistrer")
	p.see("Évaluation enregistrée le", observations)
}

package e2e

import (
	"strings"

	"github.com/chromedp/chromedp"
)

// The mock lists people by name and profession, because of namesakes.
type person struct{ name, profession string }

var (
	dupont  = person{"Dr Jean DUPONT", "médecin généraliste"}
	dentist = person{"Dr Jean DUPONT", "chirurgien-dentiste"}
	martin  = person{"Dr Claire MARTIN", "médecin généraliste"}
	benali  = person{"Karim BENALI", "infirmier"}
	girard  = person{"Paul GIRARD", "pharmacien"}
	vidal   = person{"Marc VIDAL", "urgentiste"}
	neant   = person{"Sacha NEANT", "sans dossier"}
)

// button is the mock's button to be somebody at once.
func (p *tab) button(who person) (x, y float64) {
	p.t.Helper()
	// The list of people is closed where there is little room.
	if closed, err := ask[bool](p, `return !document.querySelector('aside details').open`); err == nil && closed {
		p.press("Personnages")
	}
	return p.spot(`
		const li = [...document.querySelectorAll('aside li')].find(e => clean(e.textContent).startsWith(`+quote(who.name)+`) && clean(e.textContent).includes(`+quote(who.profession)+`));
		const e = li && shown(li) ? li.querySelector('button') : null;`, "Se connecter comme "+who.name)
}

// clickPerson signs in as somebody, at the mock's sign-in page.
func (p *tab) clickPerson(who person) {
	p.t.Helper()
	x, y := p.button(who)
	before := p.document()
	p.do(chromedp.MouseClickXY(x, y))
	p.arrive(before)
}

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

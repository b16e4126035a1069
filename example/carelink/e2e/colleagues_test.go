package e2e

import "testing"

// Pro Santé Connect says who somebody is; what they see is CareLink's decision.
func TestColleagues(t *testing.T) {
	t.Parallel()
	app := start(t)

	t.Run("another practice", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.signIn(martin)
		p.see("4 patients – Cabinet du Moulin", "ROMANESQUE Jeanne")
		p.miss("FABLE")
		for _, path := range []string{"/patients/42", "/patients/9999"} { // the same answer
			p.open(path)
			p.heading("Patient introuvable")
			p.see("Ce dossier n'existe pas, ou il appartient à un autre cabinet.")
		}
		p.click("Retour à mes patients")
		p.at("/patients")
	})

	t.Run("the pharmacist", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.signIn(girard)
		p.see("3 patients – Pharmacie de la Fontaine")
		p.miss("Dernière évaluation")
		p.click("Ouvrir le dossier de Rose FABLE")
		p.at("/patients/80")
		p.see("Traitement B, matin et soir", "Les évaluations sont réservées à l'équipe de soins.")
		p.miss("Nouvelle évaluation")
		p.click("Essayer d'ouvrir les évaluations")
		p.heading("Vous êtes identifié, mais pas autorisé ici")
	})

	t.Run("the namesake", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.signIn(dentist)
		p.see("Bienvenue, Dr Jean DUPONT.", "RPPS 99999001110", "4 patients – Maison de santé des Quatre Vents", "O'REVE <test> Tom")
		p.open("/patients/42")
		p.heading("Patient introuvable")
	})

	t.Run("nobody's practice", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.open("/patients")
		p.useCard(vidal, "5678")
		p.at("/patients")
		p.see("Aucun cabinet connu de CareLink ne correspond à vos lieux d'exercice")
		p.click("Voir mon identité")
		p.at("/me")
		p.see("carte CPS (eidas3)", "lieu inconnu de CareLink", "aucun cabinet connu")
		p.open("/patients/42")
		p.heading("Patient introuvable")
	})

	t.Run("no record", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t).first
		p.signIn(neant)
		p.heading("Aucune situation professionnelle transmise")
		p.click("Voir mon identité")
		p.see("non transmis", "aucun cabinet connu")
	})
}

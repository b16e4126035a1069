package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestWalk is the whole path of one working week, through a real CareLink and a
// real mock over HTTP: two people sign in, something changes at Pro Santé
// Connect, they sign in again, work, and leave.
func TestWalk(t *testing.T) {
	c := newClock()
	args := somewhere(t)
	d := start(t, c.now, args...)

	// Nobody is in: the page invites, and patients are a sign-in away.
	stranger := d.browser()
	stranger.get("/").wantStatus(http.StatusOK).want("S'identifier avec Pro Santé Connect", "Essayez : choisissez « Dr Jean DUPONT », code 1234.")
	if a := stranger.get("/patients"); a.header.Get("X-Mock-PSC") == "" {
		t.Fatalf("a stranger at /patients ends at %s instead of Pro Santé Connect", a.path)
	}
	stranger.api("GET", "/api/v1/patients", "").wantStatus(http.StatusUnauthorized)

	// The first sign-ins make the accounts.
	firstSignIn := c.now()
	petit, page := d.signedIn("sf-petit")
	page.wantStatus(http.StatusOK).want("Bienvenue, Camille PETIT. Première connexion : votre compte n°",
		"vient d'être créé à partir de votre RPPS 99999001102.", "4 patients – Maison de santé des Quatre Vents", "Sage-Femme · RPPS 99999001102")
	account := petit.account(page)
	roux, page := d.signedIn("inf-roux")
	page.wantStatus(http.StatusOK).want("Première connexion", "8 patients – Cabinet médical des Tilleuls")
	if n := d.row(`SELECT count(*) FROM auth_users`); n != 2 {
		t.Fatalf("%d user rows after two people's first sign-ins, want 2", n)
	}
	petit.get("/patients").wantStatus(http.StatusOK).wantNot("Bienvenue") // once

	// They leave, and Pro Santé Connect learns of another name and another place.
	petit.signOut().wantStatus(http.StatusOK).want("Vous êtes déconnecté")
	roux.signOut().wantStatus(http.StatusOK).want("Vous êtes déconnecté")
	for _, change := range [][2]string{{"sf-petit", "renamed"}, {"inf-roux", "moves"}} {
		if err := d.mock.Change(change[0], change[1]); err != nil {
			t.Fatal(err)
		}
	}
	c.forward(26 * time.Hour)

	// The next sign-ins find the accounts, and say what has changed.
	page = petit.signIn("sf-petit", "/patients/90").wantStatus(http.StatusOK)
	page.want("Heureux de vous revoir, Camille PETIT-ROUSSEL. Compte n° "+account+" retrouvé par votre RPPS.",
		"Dernière connexion : "+frenchTime(firstSignIn)+".",
		"Votre nom a été mis à jour : PETIT → PETIT-ROUSSEL.",
		"Camille PETIT, Sage-Femme", // who signed the old evaluation stays
	).wantNot("Votre lieu d'exercice a changé")
	page = roux.signIn("inf-roux", "/patients").wantStatus(http.StatusOK)
	page.want("Heureux de vous revoir, Sophie ROUX.",
		"Votre lieu d'exercice a changé : vous ne voyez plus les patients de Cabinet médical des Tilleuls.",
		"4 patients – Maison de santé des Quatre Vents", "MYTHE Blanche",
	).wantNot("FABLE", "Votre nom a été mis à jour")
	roux.get("/patients/42").wantStatus(http.StatusNotFound)
	if n := d.row(`SELECT count(*) FROM auth_users`); n != 2 {
		t.Fatalf("%d user rows after the second sign-ins, want 2", n)
	}

	// From here on CareLink lives on its own session: Pro Santé Connect is not asked.
	asked := len(d.mock.Requests())
	for i := range 52 {
		var list struct {
			TenantID string `json:"tenant_id"`
			Patients []struct{ ID int }
		}
		petit.api("GET", "/api/v1/patients", "").wantStatus(http.StatusOK).json(&list)
		if list.TenantID != "quatre-vents" || len(list.Patients) != 4 {
			t.Fatalf("call %d: %+v", i+1, list)
		}
	}
	if more := d.mock.Requests()[asked:]; len(more) > 0 {
		t.Fatalf("52 calls of the API made %d requests to Pro Santé Connect: %v", len(more), more)
	}

	// An evaluation, by the form.
	petit.get("/patients/90").want("Nouvelle évaluation")
	page = petit.post("/patients/90/evaluations", url.Values{"type": {"pain"}, "score": {"3"}, "observations": {"Va mieux.\r\nRevoir."}})
	page.wantStatus(http.StatusOK).want("Évaluation enregistrée le "+frenchTime(c.now())+".", "Va mieux. Revoir.", "Camille PETIT-ROUSSEL, Sage-Femme – "+frenchTime(c.now()))
	if !strings.HasPrefix(page.path, "/patients/90?") {
		t.Errorf("after the form the address is %s: a reload would send it again", page.path)
	}

	// She leaves. The cookie that somebody kept is refused, here and after a
	// restart on the same database; a session that was not ended goes on.
	kept := petit.withCookiesOf(petit)
	kept.api("GET", "/api/v1/patients", "").wantStatus(http.StatusOK)
	asked = len(d.mock.Requests())
	petit.signOut().want("Vous êtes déconnecté", "Se reconnecter")
	loggedOut := false
	for _, r := range d.mock.Requests()[asked:] {
		loggedOut = loggedOut || strings.HasSuffix(r.Path, "/logout")
	}
	if !loggedOut {
		t.Error("the sign-out did not reach Pro Santé Connect")
	}
	petit.api("GET", "/api/v1/patients", "").wantStatus(http.StatusUnauthorized)
	kept.api("GET", "/api/v1/patients", "").wantStatus(http.StatusUnauthorized)
	if a := kept.get("/patients/90"); a.header.Get("X-Mock-PSC") == "" {
		t.Errorf("the old cookie still opens %s", a.path)
	}

	d.stop()
	again := start(t, c.now, "-addr", host(d.url), "-mock-addr", host(strings.TrimSuffix(d.mock.Issuer, "/auth/realms/esante-wallet")), "-db", d.db)
	kept.demo, roux.demo = again, again
	kept.api("GET", "/api/v1/patients", "").wantStatus(http.StatusUnauthorized)
	roux.api("GET", "/api/v1/patients", "").wantStatus(http.StatusOK)
	roux.get("/patients/90").wantStatus(http.StatusOK).want("Va mieux.").wantNot("Heureux de vous revoir")
}

// account is the number that the banner of a page tells.
func (b *browser) account(a answer) string {
	b.t.Helper()
	_, rest, ok := strings.Cut(a.text(), "compte n° ")
	number, _, _ := strings.Cut(rest, " ")
	if !ok || number == "" {
		b.t.Fatalf("no account number: %s", a.text())
	}
	return number
}

// withCookiesOf is another browser, into which somebody has copied the cookies
// of this one.
func (b *browser) withCookiesOf(other *browser) *browser {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	jar.SetCookies(u, other.client.Jar.Cookies(u))
	return &browser{b.demo, &http.Client{Jar: jar, Transport: asPages{}}}
}

func host(address string) string {
	_, host, _ := strings.Cut(address, "://")
	return host
}

// TestLandings signs every person in who can, and checks where they land: the
// table in the story of the demonstration.
func TestLandings(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	for _, tt := range []struct {
		persona, tenant, roles string
		patients               int
		says                   string
	}{
		{"dr-dupont", "tilleuls", "clinician admin", 8, "8 patients – Cabinet médical des Tilleuls"},
		{"remp-mercier", "tilleuls", "clinician", 8, "remplaçant"},
		{"inf-roux", "tilleuls", "clinician", 8, "8 patients"},
		{"dr-lambert", "tilleuls", "clinician", 8, "8 patients"},
		{"sec-andre", "tilleuls", "secretary", 8, "8 patients"},
		{"dr-martin", "moulin", "clinician", 4, "4 patients – Cabinet du Moulin"},
		{"dr-moreau", "cardio-arts", "clinician", 3, "3 patients – Cardiologie des Arts"},
		{"inf-benali", "hopital", "clinician", 6, "6 patients – Hôpital Imaginaire, site des Nuages"},
		{"interne-diallo", "hopital", "trainee", 6, "Médecin en formation"},
		{"soc-fabre", "hopital", "social", 6, "6 patients"},
		{"agent-blanc", "hopital", "secretary", 6, "6 patients"},
		{"pharma-girard", "fontaine", "dispenser", 3, "3 patients – Pharmacie de la Fontaine"},
		{"ipa-delatour", "quatre-vents", "clinician", 4, "Marie-Françoise Éléonore DE LA TOUR D'ARGENÇON-SŒURETTE DU PLESSIS-L'HAŸ"},
		{"sf-petit", "quatre-vents", "clinician", 4, "4 patients"},
		{"dent-dupont", "quatre-vents", "clinician", 4, "Chirurgien-Dentiste"},
		{"kine-legoff", "quatre-vents", "clinician", 4, "Masseur-Kinésithérapeute"},

		{"pr-lefevre", "", "", 0, "Aucun cabinet connu de CareLink ne correspond à vos lieux d'exercice (CAB MED LEFEVRE FICTIF, CABINET MEDICAL BIS FICTIF, HOPITAL IMAGINAIRE, CONSEIL FICTIF, ORGANISME ND FICTIF)."},
		{"mil-vidal", "", "", 0, "(HIA INVENTE). Demandez à l'administrateur de votre structure de vous rattacher."},
		{"psy-simon", "", "", 0, "(CABINET DES SONGES FICTIF)"},
		{"edit-prototype", "", "", 0, "(CABINET MEDICAL EDIT FICTIF)"},
		{"ret-garnier", "", "", 0, "Aucun cabinet connu de CareLink ne correspond à vos lieux d'exercice (aucun lieu transmis)."},
		{"sans-dossier", "", "", 0, "Aucune situation professionnelle transmise"},
	} {
		t.Run(tt.persona, func(t *testing.T) {
			d := *d
			d.t = t
			b, page := d.signedIn(tt.persona)
			page.wantStatus(http.StatusOK).want("Bienvenue", tt.says)
			if rows := strings.Count(page.body, `<a class="second" href="/patients/`); rows != tt.patients {
				t.Errorf("%d patients on the page, want %d", rows, tt.patients)
			}
			var session struct {
				User struct {
					Roles    []string
					TenantID *string `json:"tenant_id"`
				}
			}
			b.api("GET", "/api/v1/auth/session", "").wantStatus(http.StatusOK).json(&session)
			tenant := ""
			if session.User.TenantID != nil {
				tenant = *session.User.TenantID
			}
			if got := strings.Join(session.User.Roles, " "); got != tt.roles || tenant != tt.tenant {
				t.Errorf("tenant %q, roles %q; want %q, %q", tenant, got, tt.tenant, tt.roles)
			}
			status := http.StatusOK
			if tt.tenant == "" {
				status = http.StatusForbidden
			}
			b.api("GET", "/api/v1/patients", "").wantStatus(status)
			b.get("/me").wantStatus(http.StatusOK).want("Ce que Pro Santé Connect certifie", "Ce que CareLink décide", "Ce que le navigateur détient")
			if tt.tenant == "" {
				b.get("/patients/42").wantStatus(http.StatusNotFound)
			}
		})
	}

	t.Run("profil-reduit is refused for want of a level", func(t *testing.T) {
		d := *d
		d.t = t
		b, page := d.signedIn("profil-reduit")
		page.want("Moyen de connexion insuffisant")
		b.api("GET", "/api/v1/auth/session", "").wantStatus(http.StatusUnauthorized)
	})
	t.Run("pharma-costa cannot sign in", func(t *testing.T) {
		b := d.browser()
		if _, err := d.mock.SignIn(b.client, d.url+"/api/v1/auth/login", "pharma-costa"); err == nil {
			t.Error("somebody whose e-CPS is blocked and whose card is stolen is in")
		}
	})
}

// TestColleague is story 6: another practice's patient is as unknown as nobody.
func TestColleague(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	b, _ := d.signedIn("dr-martin")
	b.get("/patients/50").wantStatus(http.StatusOK).want("Jeanne ROMANESQUE")
	nobody := b.get("/patients/9999").wantStatus(http.StatusNotFound).want("Patient introuvable", "Ce dossier n'existe pas, ou il appartient à un autre cabinet.")
	for _, id := range []string{"42", "0", "-1", "042", "+50", "50.0", "x", "99999999999999999999", "%2e%2e", "50%00"} {
		other := b.get("/patients/" + id).wantStatus(http.StatusNotFound)
		if other.body != nobody.body {
			t.Errorf("/patients/%s answers otherwise than /patients/9999:\n%s", id, other.text())
		}
	}
	before := d.row(`SELECT count(*) FROM evaluations`)
	form := url.Values{"type": {"follow_up"}}
	b.post("/patients/42/evaluations", form).wantStatus(http.StatusNotFound)
	foreign := b.api("POST", "/api/v1/patients/42/evaluations", `{"type":"follow_up"}`).wantStatus(http.StatusNotFound)
	none := b.api("POST", "/api/v1/patients/9999/evaluations", `{"type":"follow_up"}`).wantStatus(http.StatusNotFound)
	broken := b.api("POST", "/api/v1/patients/42/evaluations", `{`).wantStatus(http.StatusNotFound)
	if foreign.body != none.body || broken.body != none.body {
		t.Errorf("the API tells another practice's patient from nobody: %s %s %s", foreign.body, none.body, broken.body)
	}
	b.api("GET", "/api/v1/patients/42/evaluations", "").wantStatus(http.StatusNotFound)
	b.api("GET", "/api/v1/patients/42/evaluations/1", "").wantStatus(http.StatusNotFound)
	b.api("GET", "/api/v1/patients/50/evaluations/1", "").wantStatus(http.StatusNotFound) // 1 is of patient 42
	if after := d.row(`SELECT count(*) FROM evaluations`); after != before {
		t.Errorf("%d evaluations after the refusals, %d before", after, before)
	}
	b.get("/patients?q=fable").want("0 résultat", "Aucun patient de ce cabinet ne correspond")
}

// TestPharmacist is story 7: identified, and not allowed everywhere.
func TestPharmacist(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	b, page := d.signedIn("pharma-girard")
	page.wantNot("Dernière évaluation")
	const why = "Les évaluations sont réservées à l'équipe de soins. En tant que pharmacien, vous voyez l'identité et le traitement."
	b.get("/patients/80").wantStatus(http.StatusOK).want("Rose FABLE", "24 juin 1957", "Traitement B, matin et soir", why).wantNot("Nouvelle évaluation")
	b.get("/patients/80/evaluations").wantStatus(http.StatusForbidden).want("Vous êtes identifié, mais pas autorisé ici", why)
	b.post("/patients/80/evaluations", url.Values{"type": {"follow_up"}}).wantStatus(http.StatusForbidden).want(why)
	for _, a := range []answer{
		b.api("GET", "/api/v1/patients/80/evaluations", ""),
		b.api("POST", "/api/v1/patients/80/evaluations", `{"type":"follow_up"}`),
	} {
		var e apiError
		a.wantStatus(http.StatusForbidden).json(&e)
		if e.Error != "forbidden" || !strings.Contains(e.Message, "réservées à l'équipe de soins") {
			t.Errorf("refused with %+v", e)
		}
	}

	for _, office := range []struct{ persona, patient, why string }{
		{"sec-andre", "42", "En tant que secrétaire, vous voyez l'identité et les rendez-vous"},
		{"soc-fabre", "61", "En tant que professionnel du secteur social, vous voyez l'identité."},
	} {
		b, _ := d.signedIn(office.persona)
		b.get("/patients/"+office.patient).wantStatus(http.StatusOK).want("Rose FABLE", office.why, "réservé à l'équipe de soins").
			wantNot("Traitement B", "Marche seule", "Levée avec une aide")
		b.get("/patients/" + office.patient + "/evaluations").wantStatus(http.StatusForbidden)
	}
}

// TestNamesake is story 8: the same name is not the same person.
func TestNamesake(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	doctor, page := d.signedIn("dr-dupont")
	number := doctor.account(page)
	dentist, page := d.signedIn("dent-dupont")
	page.want("Bienvenue, Dr Jean DUPONT. Première connexion", "4 patients – Maison de santé des Quatre Vents").wantNot("FABLE")
	if other := dentist.account(page); other == number {
		t.Errorf("both have the account %s", number)
	}
	if n := d.row(`SELECT count(*) FROM auth_users WHERE last_name = 'DUPONT'`); n != 2 {
		t.Errorf("%d users called DUPONT, want 2", n)
	}
	dentist.get("/patients/42").wantStatus(http.StatusNotFound)
	doctor.get("/patients/42").wantStatus(http.StatusOK)
}

// TestNextSignInByCard is story 2: the same account by the other means.
func TestNextSignInByCard(t *testing.T) {
	c := newClock()
	d := start(t, c.now, somewhere(t)...)
	b, page := d.signedIn("dr-dupont/ecps")
	number := b.account(page)
	b.get("/me").want("e-CPS (eidas1)")
	b.signOut()
	first := c.now()
	c.forward(3 * time.Hour)
	b.signIn("dr-dupont/card", "/me").wantStatus(http.StatusOK).want("Compte n° "+number+" retrouvé par votre RPPS.",
		"Dernière connexion : "+frenchTime(first), "carte CPS (eidas2)").wantNot("a changé", "mis à jour")
	if n := d.row(`SELECT count(*) FROM auth_users`); n != 1 {
		t.Errorf("%d user rows, want 1", n)
	}
}

// TestIdentity checks what the page tells of people with unusual documents.
func TestIdentity(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	for _, tt := range []struct {
		persona string
		says    []string
	}{
		{"dr-dupont", []string{"Monsieur", "899999001011 (RPPS)", "Médecine générale", "R990101", "00000000090100", "Cabinet de groupe",
			"Libéral", "FINESS non transmis", "soignant (clinician), administrateur (admin)", "Cabinet médical des Tilleuls (tilleuls)", "given_name Jean prénom"}},
		{"kine-legoff", []string{"Exercice 1 : Masseur-Kinésithérapeute", "Exercice 2 : Ostéopathe", `CABINET "L'ÉTÉ" & FILS <FICTIF>`, "lieu inconnu de CareLink"}},
		{"sec-andre", []string{"500000000090100/CPAT00001 (SIRET)", "RPPS non transmis", "Profession non transmis", "secrétariat (secretary)", "créé à partir de votre identifiant national."}},
		{"pr-lefevre", []string{"Antoine LEFÈVRE", "CONSEIL FICTIF", "aucun cabinet connu", "Rôles aucun"}},
		{"remp-mercier", []string{"CABINET MEDICAL DES TILLEULS FICTIF remplaçant"}},
	} {
		t.Run(tt.persona, func(t *testing.T) {
			d := *d
			d.t = t
			b := d.browser()
			page := b.signIn(tt.persona, "/me").wantStatus(http.StatusOK).want(tt.says...)
			u, _ := url.Parse(d.url)
			for _, cookie := range b.client.Jar.Cookies(u) {
				if parts := strings.Split(cookie.Value, "."); len(parts) == 3 && (strings.Contains(page.body, parts[1]) || strings.Contains(page.body, parts[2])) {
					t.Error("the page repeats the token")
				}
			}
		})
	}
}

// TestTrainee: what somebody in training writes is marked, and stays so.
func TestTrainee(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	b, _ := d.signedIn("interne-diallo")
	b.get("/patients/61").wantStatus(http.StatusOK).want("Suivi général à valider", "votre évaluation sera marquée « à valider »")
	b.post("/patients/62/evaluations", url.Values{"type": {"fall"}, "score": {"1"}}).wantStatus(http.StatusOK).want("Risque de chute à valider", "Aya DIALLO, Médecin en formation")
	colleague, _ := d.signedIn("inf-benali")
	colleague.get("/patients/62").want("à valider", "Aya DIALLO, Médecin en formation")
	if n := d.row(`SELECT count(*) FROM evaluations WHERE to_validate AND author_id <> ''`); n != 1 {
		t.Errorf("%d evaluations to validate, want 1", n)
	}
}

package psc_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/auth/psc"
)

func TestParseNationalID(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		kind           psc.IDKind
		rpps, on       string
	}{
		{"RPPS with its prefix", "899999001011", "899999001011", psc.RPPS, "99999001011", ""},
		{"eleven bare digits with a good key", "99999001011", "899999001011", psc.RPPS, "99999001011", ""},
		{"ADELI", "0999300015", "0999300015", psc.ADELI, "", ""},
		{"ADELI of Corsica", "02A9300015", "02A9300015", psc.ADELI, "", ""},
		{"FINESS with letters", "30B0900101/CPET00014", "30B0900101/CPET00014", psc.FINESS, "", "0B0900101"},
		{"SIREN", "4000000000/CPAT1", "4000000000/CPAT1", psc.SIREN, "", "000000000"},
		{"SIRET", "500000000090100/CPAT00001", "500000000090100/CPAT00001", psc.SIRET, "", "00000000090100"},
		{"a practice known by RPPS", "699999000013001/1", "699999000013001/1", psc.Practice, "", "99999000013001"},
		{"EDIT", "ANS20990101000103", "ANS20990101000103", psc.EDIT, "", ""},

		{"empty", "", "", "", "", ""},
		{"the word null", "null", "", "", "", ""},
		{"only the prefix", "8", "", "", "", ""},
		{"one digit short", "89999900101", "", "", "", ""},
		{"eleven digits with a wrong key", "99999001012", "", "", "", ""},
		{"RPPS with a wrong key", "899999001012", "", "", "", ""},
		{"a blank in front", " 899999001011", "", "", "", ""},
		{"a line end behind", "899999001011\n", "", "", "", ""},
		{"Arabic digits", "٨٩٩٩٩٩٠٠١٠١١", "", "", "", ""},
		{"full-width digits", "８99999001011", "", "", "", ""},
		{"a letter", "89999900101X", "", "", "", ""},
		{"a sign", "+99999001011", "", "", "", ""},
		{"SQL", "8'; DROP TABLE users;--", "", "", "", ""},
		{"lower-case ans", "ans20990101000103", "", "", "", ""},
		{"DRASS, closed in 2020", "2123456789", "", "", "", ""},
		{"a student's number, closed in 2020", "912345678901", "", "", "", ""},
		{"SIRET without register number", "500000000090100/", "", "", "", ""},
		{"a path in the register number", "500000000090100/../x", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := psc.ParseNationalID(tt.in)
			if string(id) != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("got %q, %v; want %q", id, err, tt.want)
			}
			if id.Kind() != tt.kind || id.RPPS() != tt.rpps || id.Structure() != tt.on {
				t.Errorf("got kind %q, RPPS %q, structure %q; want %q, %q, %q", id.Kind(), id.RPPS(), id.Structure(), tt.kind, tt.rpps, tt.on)
			}
			if err != nil && tt.in != "" && strings.Contains(err.Error(), tt.in) {
				t.Errorf("the error repeats the identifier: %v", err)
			}
		})
	}
}

func TestNationalIDLogsMasked(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "id", psc.NationalID("899999001011"))
	if strings.Contains(out.String(), "899999001011") || !strings.Contains(out.String(), "8999•••••011") {
		t.Errorf("got %s", out.String())
	}
	for id, want := range map[psc.NationalID]string{
		"0999000001":        "0999•••••1", // three hidden digits would leave a thousand people
		"ANS20231130123456": "ANS2•••••456",
		"unparsed":          "•••••",
	} {
		if got := id.Masked(); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}

func TestAt(t *testing.T) {
	got := psc.At("http://127.0.0.1:9090/")
	if want := "http://127.0.0.1:9090/auth/realms/esante-wallet"; got.Issuer != want || got.IssMayBeMissing {
		t.Errorf("got %+v, want issuer %s and a demanded iss", got, want)
	}
}

// The layouts are those of section 5 of PSC's published samples, with invented
// people.
func TestParseUserInfo(t *testing.T) {
	const older = `{"Secteur_Activite":"SA07^1.2.250.1.71.4.2.4","sub":"f:0:899999001029","email_verified":false,
		"SubjectRefPro":{"codeCivilite":"MME","exercices":[{"codeProfession":"10","codeCategorieProfessionnelle":"C","codeCiviliteDexercice":"DR",
		"nomDexercice":"MARTIN","prenomDexercice":"Claire","codeTypeSavoirFaire":"S","codeSavoirFaire":"SM53",
		"activities":[{"codeModeExercice":"L","codeSecteurDactivite":"SA07","identifiantTechniqueDeLaStructure":"R990102","raisonSocialeSite":"CABINET  DU MOULIN"},
		{"codeModeExercice":"S","codeSecteurDactivite":"SA01","numeroFinessSite":"0B0900101"}]}]},
		"SubjectRole":["10^1.2.250.1.213.1.1.5.5"],"otherIds":[{"identifiant":"899999001029","origine":"RPPS","qualite":1}],
		"SubjectNameID":"899999001029","given_name":"Claire","family_name":"MARTIN"}`
	const newer = `{"sub":"f:0:ANS20990101000103","codeGenreActivite":"GENR01","codeCivilite":"M","given_name":"Lou","family_name":"PROTOTYPE",
		"SubjectRefPro":{"exercices":[{"codeProfession":"70","activities":[]},{"codeProfession":"71","activities":[{"codeSecteurDactivite":"SA07"}]}]},
		"otherIds":[{"identifiant":"ANS20990101000103","origine":"EDIT","qualite":1}],"SubjectNameID":"ANS20990101000103"}`
	const none = `{"sub":"f:0:899999001227","codeCivilite":"M","given_name":"Sacha","SubjectNameID":"899999001227","family_name":"NEANT"}`
	const reduced = `{"sub":"f:0:899999001235","SubjectRefPro":{"codeCivilite":"M","exercices":[{"codeProfession":"10","codeTypeSavoirFaire":""}]},"SubjectNameID":"899999001235"}`

	for _, tt := range []struct {
		name, doc                                string
		id, civility, profession, label, special string
		exercises, activities                    int
	}{
		{"older layout, two activities", older, "899999001029", "MME", "10", "Médecin", "Spécialiste en médecine générale", 1, 2},
		{"newer layout, two exercises", newer, "ANS20990101000103", "M", "70", "Masseur-Kinésithérapeute", "", 2, 1},
		{"no professional record", none, "899999001227", "M", "", "", "", 0, 0},
		{"an exercise without activities", reduced, "899999001235", "M", "10", "Médecin", "", 1, 0},
		{"an exercise list that is null", strings.Replace(reduced, `[{"codeProfession":"10","codeTypeSavoirFaire":""}]`, "null", 1), "899999001235", "M", "", "", "", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := psc.ParseUserInfo([]byte(tt.doc))
			if err != nil {
				t.Fatal(err)
			}
			e := u.Exercise()
			got := fmt.Sprint(u.NationalID, u.Civility, e.Profession, e.Profession.Label(), e.Specialty.Label(), len(u.Exercises), len(u.Activities()))
			if want := fmt.Sprint(tt.id, tt.civility, tt.profession, tt.label, tt.special, tt.exercises, tt.activities); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if string(u.Raw) != tt.doc {
				t.Error("Raw is not the document")
			}
		})
	}
	if u, _ := psc.ParseUserInfo([]byte(older)); u.Activities()[0].Name != "CABINET  DU MOULIN" || u.Activities()[1].Sector.Label() != "Etablissement public de santé" {
		t.Errorf("got %+v", u.Activities())
	}

	for _, tt := range []struct{ name, old, new string }{
		{"no sub", `"sub":"f:0:899999001227"`, `"x":1`},
		{"sub null", `"sub":"f:0:899999001227"`, `"sub":null`},
		{"sub a list", `"sub":"f:0:899999001227"`, `"sub":["f:0:899999001227"]`},
		{"sub twice", `"codeCivilite":"M"`, `"sub":"other"`},
		{"identifier in another case only", `"SubjectNameID"`, `"subjectnameid"`},
		{"identifier empty", `"899999001227",`, `"",`},
		{"identifier blank", `"899999001227",`, `" ",`},
		{"identifier null", `"899999001227",`, `null,`},
		{"identifier the word null", `"899999001227",`, `"null",`},
		{"identifier a number", `"899999001227",`, `899999001227,`},
		{"identifier with a wrong key", `"899999001227",`, `"899999001228",`},
		{"another RPPS number in otherIds", `"codeCivilite":"M"`, `"otherIds":[{"identifiant":"899999001011","origine":"RPPS","qualite":1}]`},
		{"a name that is a number", `"NEANT"`, `12`},
		{"a name of 257 bytes", `NEANT`, strings.Repeat("N", 257)},
		{"invalid UTF-8", `NEANT`, "NE\xffANT"},
		{"data behind", `"NEANT"}`, `"NEANT"}x`},
	} {
		t.Run("refused: "+tt.name, func(t *testing.T) {
			doc := strings.Replace(none, tt.old, tt.new, 1)
			if doc == none {
				t.Fatal("the row changes nothing")
			}
			if u, err := psc.ParseUserInfo([]byte(doc)); err == nil {
				t.Errorf("took %+v", u)
			}
		})
	}

	// encoding/json would let the later, folded member win.
	u, err := psc.ParseUserInfo([]byte(strings.Replace(none, `"codeCivilite":"M"`, `"subjectnameid":"899999001011","SUB":"other"`, 1)))
	if err != nil || u.NationalID != "899999001227" || u.Subject != "f:0:899999001227" {
		t.Errorf("got %v, %v", u.NationalID, err)
	}
}

func TestLabels(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{psc.Physician.Label(), "Médecin"},
		{psc.Midwife.Label(), "Sage-Femme"},
		{psc.Specialty("SM26").Label(), "Qualifié en médecine générale"},
		{psc.Specialty("SM04").Label(), "Cardiologie et maladies vasculaires"},
		{psc.Specialty("SM66").Label(), "Biologie médicale option agents infectieux"},
		{psc.Sector("SA33").Label(), "Pharmacie d'officine"},
		{psc.Mode("S").Label(), "Salarié"},
		{psc.Student.Label(), "Étudiant"},
		{psc.Profession("00").Label(), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

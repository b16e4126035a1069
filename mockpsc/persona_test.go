package mockpsc_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestPersonas(t *testing.T) {
	people := mockpsc.Personas()
	if len(people) != 24 || people[0].ID != "dr-dupont" || people[23].ID != "dr-lambert" {
		t.Fatalf("got %d personas, first %q", len(people), people[0].ID)
	}
	if p := people[0]; p.Name != "Dr Jean DUPONT" || p.Profession != "médecin généraliste" || p.Place != "Cabinet des Tilleuls" || p.ECPS.PIN != "1234" || p.Card.PIN != "5678" {
		t.Errorf("got %+v", p)
	}
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for _, p := range people {
		for means, state := range map[string]mockpsc.Means{"ecps": p.ECPS, "card": p.Card} {
			if !state.Works() {
				continue
			}
			t.Run(p.ID+" by "+means, func(t *testing.T) {
				_, tok := rp.signIn(t, p.ID+"/"+means)
				claims, err := rp.verify(t, tok.IDToken)
				if err != nil || claims["SubjectNameID"] != p.NationalID || claims["preferred_username"] != p.NationalID {
					t.Fatalf("got %v, %v", claims, err)
				}
				_, text := rp.userinfo(t, tok.AccessToken)
				checkUserinfo(t, p, text)
				var doc struct{ Sub string }
				if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.Sub != claims["sub"] {
					t.Errorf("sub of userinfo %q, of the ID token %v, %v", doc.Sub, claims["sub"], err)
				}
			})
		}
	}
}

// checkUserinfo holds a document to the rules of the real ones.
func checkUserinfo(t *testing.T, p mockpsc.Persona, text string) {
	t.Helper()
	if strings.ContainsAny(text, "\n\t") || strings.Contains(text, `\u`) {
		t.Error("white space or escapes that the real service does not send")
	}
	var doc struct {
		SubjectRefPro *struct {
			Exercices []struct {
				Activities []map[string]any `json:"activities"`
			} `json:"exercices"`
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.SubjectRefPro == nil {
		return
	}
	for _, e := range doc.SubjectRefPro.Exercices {
		for _, a := range e.Activities {
			if len(a) != 30 {
				t.Errorf("an activity has %d members, want 30", len(a))
			}
			for name, v := range a {
				if _, ok := v.(string); !ok {
					t.Errorf("%s is not a string", name)
				}
			}
		}
	}
}

func TestPersonaNumbersAreNobodys(t *testing.T) {
	for _, p := range mockpsc.Personas() {
		id := p.NationalID
		switch {
		case regexp.MustCompile(`^899999\d{6}$`).MatchString(id):
			if !luhn(id[1:]) {
				t.Errorf("%s: wrong key in %s", p.ID, id)
			}
		case regexp.MustCompile(`^099930\d{4}$`).MatchString(id), // ADELI, department 99
			regexp.MustCompile(`^5000000000\d{5}/CPAT\d{5}$`).MatchString(id), // SIRET of SIREN 000000000
			regexp.MustCompile(`^30B0900\d{3}/CPET\d{5}$`).MatchString(id),    // FINESS, department 0B
			regexp.MustCompile(`^ANS2099\d{10}$`).MatchString(id):             // EDIT, in 2099
		default:
			t.Errorf("%s: %s may be somebody's", p.ID, id)
		}
	}
}

// luhn adds the doubled digits by table, unlike the code it checks.
func luhn(s string) bool {
	doubled := [10]int{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}
	sum := 0
	for i, c := range s {
		if (len(s)-i)%2 == 0 {
			sum += doubled[c-'0']
		} else {
			sum += int(c - '0')
		}
	}
	return sum%10 == 0
}

func TestPersonaDetails(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for _, tt := range []struct {
		name, persona  string
		idToken        string // part of its payload
		with, without  string // parts of userinfo
		withoutIDToken string
	}{
		{"acr and mode of the card", "dr-dupont/card", `"authMode":"CARD","acr":"eidas2"`, `"codeCivilite":"M","given_name"`, "authMode", ""},
		{"the older layout by phone", "dr-martin", `"authMode":"MOBILE"`, `"UITVersion":"1.0","authMode":"MOBILE","Palier_Authentification"`, `"codeCivilite":"MME","given_name"`, ""},
		{"the layout of EDIT", "edit-prototype", "", `"email_verified":false,"SubjectOrganization"`, "authMode", ""},
		{"eidas3", "mil-vidal", `"acr":"eidas3"`, "", "", ""},
		{"eidas1 by card", "kine-legoff/card", `"acr":"eidas1"`, `CABINET \"L'ÉTÉ\" & FILS <FICTIF>`, "", ""},
		{"no acr at all", "profil-reduit", `"authMode":"MOBILE","SubjectNameID"`, `"SubjectRefPro":{"codeCivilite":"","exercices":[{"codeProfession":"10"`, "activities", `"acr"`},
		{"no professional record", "sans-dossier", "", `{"sub":"f:00000000-0000-4000-8000-000000000001:899999001227","preferred_username":"899999001227","codeCivilite":"M","given_name":"Sacha","SubjectNameID":"899999001227","family_name":"NEANT"}`, "SubjectRefPro", ""},
		{"two professions", "kine-legoff", "", `"SubjectRole":["70^1.2.250.1.213.1.1.5.5","71^1.2.250.1.213.1.1.5.5"]`, "", ""},
		{"in training", "interne-diallo", "", `"SubjectRole":["10^1.2.250.1.71.1.2.8"]`, "", ""},
		{"an empty list of exercises", "agent-blanc", "", `"SubjectRefPro":{"exercices":[]}`, "SubjectRole", ""},
		{"an identifier with a slash", "sec-andre", `"SubjectNameID":"500000000090100/CPAT00001"`, "", "otherIds", ""},
		{"double blanks are kept", "inf-benali", "", `"HOPITAL IMAGINAIRE  SITE DES NUAGES"`, "", ""},
		{"every difficulty a name can have", "ipa-delatour", `"family_name":"DE LA TOUR D'ARGENÇON-SŒURETTE DU PLESSIS-L'HAŸ"`, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, tok := rp.signIn(t, tt.persona)
			claims := payload(t, tok.IDToken)
			_, doc := rp.userinfo(t, tok.AccessToken)
			if !strings.Contains(claims, tt.idToken) || tt.withoutIDToken != "" && strings.Contains(claims, tt.withoutIDToken) {
				t.Errorf("ID token %s", claims)
			}
			if !strings.Contains(doc, tt.with) || tt.without != "" && strings.Contains(doc, tt.without) {
				t.Errorf("userinfo %s", doc)
			}
		})
	}
}

func TestChange(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for _, tt := range []struct{ persona, change, before, after string }{
		{"inf-roux", "moves", "CABINET MEDICAL DES TILLEULS FICTIF", "MSP DES QUATRE VENTS FICTIVE"},
		{"sf-petit", "renamed", `"family_name":"PETIT"`, `"family_name":"PETIT-ROUSSEL"`},
		{"psy-simon", "gets-rpps", `"SubjectNameID":"0999300015"`, `"SubjectNameID":"899999001136"`},
	} {
		for _, want := range []string{tt.before, tt.after} {
			_, tok := rp.signIn(t, tt.persona)
			if _, doc := rp.userinfo(t, tok.AccessToken); !strings.Contains(doc, want) {
				t.Errorf("%s: userinfo lacks %s", tt.persona, want)
			}
			if err := mock.Change(tt.persona, tt.change); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := mock.Change("dr-lambert", "struck-off"); err != nil {
		t.Fatal(err)
	}
	if resp, err := mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-lambert"); err == nil {
		resp.Body.Close()
		t.Error("somebody struck off signed in")
	}
	for _, tt := range [][2]string{{"dr-who", "moves"}, {"inf-roux", "flies"}, {"dr-dupont", "moves"}} {
		if err := mock.Change(tt[0], tt[1]); err == nil {
			t.Errorf("Change(%q, %q): no error", tt[0], tt[1])
		}
	}
	mock.Reset()
	_, tok := rp.signIn(t, "sf-petit")
	if !strings.Contains(payload(t, tok.IDToken), `"family_name":"PETIT"`) {
		t.Error("Reset did not undo the change")
	}
}

package main

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/store/sqlite"
)

// rules is a site with only what Authorize needs.
func rules(t *testing.T) *site {
	t.Helper()
	path := filepath.Join(t.TempDir(), "carelink.db")
	users, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { users.Close() })
	d, err := openData(t.Context(), path, true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return &site{data: d, now: time.Now, log: slog.New(slog.DiscardHandler), admins: []psc.NationalID{"899999001011"}}
}

// TestRules holds what no person of the mock shows: the order of identifiers,
// and professions and categories beside those of the story.
func TestRules(t *testing.T) {
	s := rules(t)
	works := func(profession psc.Profession, category psc.Category, places ...psc.Activity) []psc.Exercise {
		return []psc.Exercise{{Profession: profession, Category: category, Activities: places}}
	}
	tilleuls := psc.Activity{StructureID: "R990101"}
	for _, tt := range []struct {
		name          string
		id            psc.NationalID
		exercises     []psc.Exercise
		tenant, roles string
	}{
		{"found by FINESS", "", works("10", "C", psc.Activity{FINESS: "0B0900606"}), "quatre-vents", "clinician"},
		{"found by SIRET", "", works("10", "C", psc.Activity{SIRET: "00000000090415"}), "cardio-arts", "clinician"},
		{"the technical identifier goes before FINESS", "", works("10", "C", psc.Activity{StructureID: "R990102", FINESS: "0B0900606"}), "moulin", "clinician"},
		{"FINESS goes before SIRET", "", works("10", "C", psc.Activity{StructureID: "R0", FINESS: "0B0900606", SIRET: "00000000090415"}), "quatre-vents", "clinician"},
		{"never found by name", "", works("10", "C", psc.Activity{Name: "Cabinet médical des Tilleuls", TradeName: "Cabinet du Moulin"}), "", ""},
		{"a number counts only in its own place", "", works("10", "C", psc.Activity{FINESS: "R990101", SIRET: "0B0900606", LegalFINESS: "0B0900606"}), "", ""},
		{"empty identifiers are nobody's", "", works("10", "C", psc.Activity{}), "", ""},
		{"the first known place counts", "", works("10", "C", psc.Activity{StructureID: "R0"}, psc.Activity{StructureID: "R990102"}, tilleuls), "moulin", "clinician"},
		{"the role is that of the place's exercise", "", append(works("21", "C"), works("60", "C", tilleuls)...), "tilleuls", "clinician"},

		{"civil doctor", "", works("10", "C", tilleuls), "tilleuls", "clinician"},
		{"military doctor", "", works("10", "M", tilleuls), "tilleuls", "clinician"},
		{"doctor in an administration", "", works("10", "F", tilleuls), "tilleuls", ""},
		{"doctor in training", "", works("10", "E", tilleuls), "tilleuls", "trainee"},
		{"nurse in training", "", works("60", "E", tilleuls), "tilleuls", "trainee"},
		{"dentist", "", works("40", "C", tilleuls), "tilleuls", "clinician"},
		{"midwife", "", works("50", "C", tilleuls), "tilleuls", "clinician"},
		{"nurse", "", works("60", "C", tilleuls), "tilleuls", "clinician"},
		{"physiotherapist", "", works("70", "C", tilleuls), "tilleuls", "clinician"},
		{"osteopath", "", works("71", "C", tilleuls), "tilleuls", "clinician"},
		{"psychologist", "", works("93", "C", tilleuls), "tilleuls", "clinician"},
		{"pharmacist", "", works("21", "C", tilleuls), "tilleuls", "dispenser"},
		{"pharmacist in training gets no doctor's rights", "", works("21", "E", tilleuls), "tilleuls", ""},
		{"social worker", "", works("41", "C", tilleuls), "tilleuls", "social"},
		{"youth worker", "", works("51", "C", tilleuls), "tilleuls", "social"},
		{"a profession without a rule", "", works("28", "C", tilleuls), "tilleuls", ""},
		{"no profession", "", works("", "", tilleuls), "tilleuls", ""},

		{"office, by SIRET", "500000000090100/CPAT00001", nil, "tilleuls", "secretary"},
		{"office, by FINESS", "30B0900101/CPET00014", nil, "hopital", "secretary"},
		{"office of an unknown place", "500000000000000/X", nil, "", ""},
		{"a practice's number is no SIRET", "100000000090100/X", nil, "", ""},
		{"who has a record is no secretary", "500000000090100/CPAT00001", works("60", "C", psc.Activity{Name: "x"}), "", ""},

		{"administrator", "899999001011", works("10", "C", tilleuls), "tilleuls", "clinician admin"},
		{"administrator without a tenant", "899999001011", nil, "", "admin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := s.Authorize(t.Context(), auth.SignIn{
				UserInfo: psc.UserInfo{NationalID: tt.id, Exercises: tt.exercises},
				User:     auth.User{ID: tt.name},
			})
			if err != nil {
				t.Fatal(err)
			}
			if roles := strings.Join(g.Roles, " "); g.TenantID != tt.tenant || roles != tt.roles {
				t.Errorf("tenant %q, roles %q; want %q, %q", g.TenantID, roles, tt.tenant, tt.roles)
			}
			if (g.TenantName == "") != (g.TenantID == "") {
				t.Errorf("tenant %q is called %q", g.TenantID, g.TenantName)
			}
		})
	}
}

func TestRights(t *testing.T) {
	for _, tt := range []struct {
		name  string
		s     auth.Session
		wants rights
	}{
		{"clinician", auth.Session{TenantID: "x", Roles: []string{clinician}}, rights{Identity: true, Treatment: true, Evaluations: true}},
		{"trainee", auth.Session{TenantID: "x", Roles: []string{trainee}}, rights{Identity: true, Treatment: true, Evaluations: true, ToValidate: true}},
		{"dispenser", auth.Session{TenantID: "x", Roles: []string{dispenser}}, rights{Identity: true, Treatment: true}},
		{"social", auth.Session{TenantID: "x", Roles: []string{social}}, rights{Identity: true}},
		{"secretary", auth.Session{TenantID: "x", Roles: []string{secretary}}, rights{Identity: true}},
		{"administrator alone", auth.Session{TenantID: "x", Roles: []string{admin}}, rights{}},
		{"no role", auth.Session{TenantID: "x"}, rights{}},
		{"no tenant", auth.Session{Roles: []string{clinician}}, rights{}},
	} {
		if got := rightsOf(tt.s); got != tt.wants {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.wants)
		}
	}
}

// TestVisits: what a sign-in finds changed is told once, to the person whom it
// concerns, and only when it is so.
func TestVisits(t *testing.T) {
	s := rules(t)
	in := func(user, first, last, structure string) auth.SignIn {
		return auth.SignIn{User: auth.User{ID: user}, UserInfo: psc.UserInfo{GivenName: first, FamilyName: last, NationalID: "899999001060",
			Exercises: []psc.Exercise{{Profession: "60", Category: "C", Activities: []psc.Activity{{StructureID: structure, Name: "LIEU"}}}}}}
	}
	for _, tt := range []struct {
		name             string
		in               auth.SignIn
		oldName, newName string
		moved            bool
		oldTenant        string
	}{
		{"first", in("1", "Ada", "A", "R990101"), "", "", false, ""},
		{"the same again", in("1", "Ada", "A", "R990101"), "", "", false, ""},
		{"somebody else of another place", in("2", "Eve", "E", "R990102"), "", "", false, ""},
		{"another family name", in("1", "Ada", "B", "R990101"), "A", "B", false, ""},
		{"another first name", in("1", "Ida", "B", "R990101"), "Ada B", "Ida B", false, ""},
		{"another place", in("1", "Ida", "B", "R990102"), "", "", true, "Cabinet médical des Tilleuls"},
		{"no known place", in("1", "Ida", "B", "R0"), "", "", true, "Cabinet du Moulin"},
		{"a place again, and a name", in("1", "Ida", "C", "R990102"), "B", "C", true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := s.Authorize(t.Context(), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			session := auth.Session{UserID: tt.in.User.ID, Claims: g.Claims}
			v, err := s.data.visit(t.Context(), session)
			if err != nil {
				t.Fatal(err)
			}
			if v.OldName != tt.oldName || v.NewName != tt.newName || v.Moved != tt.moved || v.OldTenant != tt.oldTenant {
				t.Errorf("got %+v", v)
			}
			if places := v.Certified.places(); !slices.Equal(places, []string{"LIEU"}) {
				t.Errorf("places %q", places)
			}
			other := session
			other.UserID = "somebody else"
			for i, want := range []struct {
				s   auth.Session
				due bool
			}{{other, false}, {session, true}, {session, false}} {
				if due, err := s.data.greet(t.Context(), want.s); err != nil || due != want.due {
					t.Errorf("greeting %d: due %v, %v; want %v", i, due, err, want.due)
				}
			}
			if v, err := s.data.visit(t.Context(), other); err != nil || v.Moved || len(v.Certified.Exercises) > 0 {
				t.Errorf("somebody else reads the visit: %+v, %v", v, err)
			}
		})
	}
}

package authtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// A visit is a sign-in and what the store must then say. The test itself adds
// the national identifier, the times and the user's ID.
type visit struct {
	document string
	first    bool
	want     auth.User
}

// The documents of the visits.
const (
	jean = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT",
		"SubjectRefPro":{"exercices":[{"codeProfession":"10","codeCategorieProfessionnelle":"C",
		"codeCiviliteDexercice":"DR","nomDexercice":"AUTRE","prenomDexercice":"Autre","codeSavoirFaire":"SM26"},
		{"codeProfession":"21","codeCategorieProfessionnelle":"M","codeCiviliteDexercice":"PR","codeSavoirFaire":"SM04"}]}}`
	jeanRenamed = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jeanne","family_name":"DUPONT-LEROY",
		"SubjectRefPro":{"exercices":[{"codeProfession":"10","codeCategorieProfessionnelle":"C",
		"codeCiviliteDexercice":"DR","codeSavoirFaire":"SM26"}]}}`
	jeanPharmacist = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT",
		"SubjectRefPro":{"exercices":[{"codeProfession":"21","codeCategorieProfessionnelle":"E",
		"codeCiviliteDexercice":"PR","codeSavoirFaire":"SM04"}]}}`
	jeanNoRecord = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT",
		"SubjectRefPro":{"exercices":[]}}`
	jeanNewSub = `{"sub":"another","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT"}`
	jeanEmail  = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT",
		"email":"jean@cabinet.example"}`
	jeanNewEmail = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT",
		"email":"dupont@hopital.example"}`
	jeanNoEmail = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT"}`
	jeanDentist = `{"sub":"f:x:899999001110","SubjectNameID":"899999001110","given_name":"Jean","family_name":"DUPONT",
		"SubjectRefPro":{"exercices":[{"codeProfession":"40","codeCategorieProfessionnelle":"C",
		"codeCiviliteDexercice":"DR"}]}}`
	claireJeansEmail = `{"sub":"f:x:899999001029","SubjectNameID":"899999001029","given_name":"Claire","family_name":"MARTIN",
		"email":"jean@cabinet.example"}`
	claireJeansSub = `{"sub":"f:x:899999001011","SubjectNameID":"899999001029","given_name":"Claire","family_name":"MARTIN"}`

	adeli      = `{"sub":"s","SubjectNameID":"0759999012"}`
	finess     = `{"sub":"s","SubjectNameID":"3750000001/0001"}`
	siren      = `{"sub":"s","SubjectNameID":"4500000009/0001"}`
	siret      = `{"sub":"s","SubjectNameID":"500000000090100/CPAT00001","given_name":"Julie","family_name":"ANDRE"}`
	siretLower = `{"sub":"s","SubjectNameID":"500000000090100/cpat00001","given_name":"Julie","family_name":"ANDRE"}`
	practice   = `{"sub":"s","SubjectNameID":"699999001011/0001"}`
	edit       = `{"sub":"s","SubjectNameID":"ANS20260101123456"}`

	hostile = `{"sub":"s","SubjectNameID":"899999001011",
		"given_name":"Robert'); DROP TABLE auth_users;--","family_name":"$$ $1 \\x00 \\' \" %00 %s ; é",
		"email":"\"a'b\"@x.example","SubjectRefPro":{"exercices":[{"codeProfession":"' OR '1'='1",
		"codeCategorieProfessionnelle":"NULL","codeCiviliteDexercice":"<script>alert(1)</script>",
		"codeSavoirFaire":"\ud83e\ude7a\u202e\ud83d\udc69\u200d\u2695\ufe0f"}]}}`
)

var (
	wantJean        = auth.User{Title: "DR", FirstName: "Jean", LastName: "DUPONT", Profession: "10", Category: "C", Specialty: "SM26"}
	wantJeanDentist = auth.User{Title: "DR", FirstName: "Jean", LastName: "DUPONT", Profession: "40", Category: "C"}
	wantJeanBare    = auth.User{FirstName: "Jean", LastName: "DUPONT"}
	wantHostile     = auth.User{
		Title:      "<script>alert(1)</script>",
		FirstName:  "Robert'); DROP TABLE auth_users;--",
		LastName:   `$$ $1 \x00 \' " %00 %s ; é`,
		Email:      `"a'b"@x.example`,
		Profession: "' OR '1'='1",
		Category:   "NULL",
		Specialty:  "🩺\u202e👩\u200d⚕\ufe0f",
	}
)

var userCases = []struct {
	name        string
	explanation string
	visits      []visit
}{
	{
		"first and next",
		"Only the first sign-in creates the user. CreatedAt is the first sign-in, LastSignIn the one before this.",
		[]visit{
			{jean, true, wantJean},
			{jean, false, wantJean},
			{jean, false, wantJean},
		},
	},
	{
		"another name",
		"People marry and registers are corrected: the user takes the new name and stays the same.",
		[]visit{
			{jean, true, wantJean},
			{jeanRenamed, false, auth.User{Title: "DR", FirstName: "Jeanne", LastName: "DUPONT-LEROY", Profession: "10", Category: "C", Specialty: "SM26"}},
		},
	},
	{
		"another profession",
		"Title, profession, category and specialty are those of today, never a mixture with those of before.",
		[]visit{
			{jean, true, wantJean},
			{jeanPharmacist, false, auth.User{Title: "PR", FirstName: "Jean", LastName: "DUPONT", Profession: "21", Category: "E", Specialty: "SM04"}},
			{jean, false, wantJean},
		},
	},
	{
		"a profession that ends",
		"Who has no exercise any more has no profession: a stale one would open doors.",
		[]visit{
			{jean, true, wantJean},
			{jeanNoRecord, false, wantJeanBare},
		},
	},
	{
		"no professional record",
		"A person may sign in who has no professional record at all.",
		[]visit{
			{jeanNoEmail, true, wantJeanBare},
			{jean, false, wantJean},
		},
	},
	{
		"namesakes",
		"Two people with one name are two users. Nobody is recognised by a name.",
		[]visit{
			{jean, true, wantJean},
			{jeanDentist, true, wantJeanDentist},
			{jean, false, wantJean},
			{jeanDentist, false, wantJeanDentist},
		},
	},
	{
		"another sub",
		"PSC's sub may change; the person is the national identifier.",
		[]visit{
			{jean, true, wantJean},
			{jeanNewSub, false, wantJeanBare},
		},
	},
	{
		"one sub for two people",
		"Two national identifiers are two users, whatever else they share.",
		[]visit{
			{jean, true, wantJean},
			{claireJeansSub, true, auth.User{FirstName: "Claire", LastName: "MARTIN"}},
		},
	},
	{
		"one e-mail for two people",
		"A practice may share a mailbox, and an address is proven by nobody: it merges no users.",
		[]visit{
			{jeanEmail, true, auth.User{FirstName: "Jean", LastName: "DUPONT", Email: "jean@cabinet.example"}},
			{claireJeansEmail, true, auth.User{FirstName: "Claire", LastName: "MARTIN", Email: "jean@cabinet.example"}},
		},
	},
	{
		"e-mail kept",
		"An e-mail that is known is replaced by another one, not by none.",
		[]visit{
			{jeanNoEmail, true, wantJeanBare},
			{jeanEmail, false, auth.User{FirstName: "Jean", LastName: "DUPONT", Email: "jean@cabinet.example"}},
			{jeanNoEmail, false, auth.User{FirstName: "Jean", LastName: "DUPONT", Email: "jean@cabinet.example"}},
			{jeanNewEmail, false, auth.User{FirstName: "Jean", LastName: "DUPONT", Email: "dupont@hopital.example"}},
			{jeanNoEmail, false, auth.User{FirstName: "Jean", LastName: "DUPONT", Email: "dupont@hopital.example"}},
		},
	},
	{
		"identifiers of every kind",
		"Not every identifier is twelve digits: some have a slash and letters, and the case of a letter counts.",
		[]visit{
			{jean, true, wantJean},
			{adeli, true, auth.User{}},
			{finess, true, auth.User{}},
			{siren, true, auth.User{}},
			{siret, true, auth.User{FirstName: "Julie", LastName: "ANDRE"}},
			{siretLower, true, auth.User{FirstName: "Julie", LastName: "ANDRE"}},
			{practice, true, auth.User{}},
			{edit, true, auth.User{}},
			{adeli, false, auth.User{}},
			{finess, false, auth.User{}},
			{siren, false, auth.User{}},
			{siret, false, auth.User{FirstName: "Julie", LastName: "ANDRE"}},
			{siretLower, false, auth.User{FirstName: "Julie", LastName: "ANDRE"}},
			{practice, false, auth.User{}},
			{edit, false, auth.User{}},
		},
	},
	{
		"hostile text",
		"Text is text: quotes, placeholders, markup and any character of Unicode come back as they were.",
		[]visit{
			{hostile, true, wantHostile},
			{hostile, false, wantHostile},
		},
	},
}

// TestUserStore tests that a [auth.UserStore] keeps its promises. newStore
// returns an empty one, and ends it with t.Cleanup; it is called many times.
//
// It sees only what SaveUser returns: whether anything outlives the process is
// for a test of the store's own.
func TestUserStore(t *testing.T, newStore func(t *testing.T) auth.UserStore) {
	for _, c := range userCases {
		t.Run(c.name, func(t *testing.T) {
			explain(t, c.explanation)
			testVisits(t, newStore(t), c.visits)
		})
	}
	t.Run("text that engines refuse", func(t *testing.T) {
		explain(t, "NUL, invalid UTF-8 and endless text are no reason to turn somebody away, nor to make them a physician or "+
			"somebody else's correspondent by cutting.")
		testUnstorable(t, newStore(t))
	})
	t.Run("no identifier", func(t *testing.T) {
		explain(t, "A user without a national identifier would be everybody who has none.")
		s := newStore(t)
		for _, id := range []psc.NationalID{"", "DUPONT", "99999001011", "8 9999900101", "899999001011\x00", "899999001011 "} {
			if u, _, err := s.SaveUser(t.Context(), psc.UserInfo{Subject: "s", NationalID: id}, noon); err == nil {
				t.Errorf("SaveUser with NationalID %q: got user %q, want an error", id, u.ID)
			}
		}
	})
	t.Run("one person at once", func(t *testing.T) {
		explain(t, "200 sign-ins at once of a person nobody knows make one user, and one of them is the first.")
		testOnePerson(t, newStore(t), 200)
	})
	t.Run("many people at once", func(t *testing.T) {
		explain(t, "200 people who sign in at once for the first time are 200 users.")
		testManyPeople(t, newStore(t), 200)
	})
	t.Run("context", func(t *testing.T) {
		explain(t, "A browser that has gone away leaves no user behind, and nothing that blocks the next one.")
		s := newStore(t)
		if _, _, err := s.SaveUser(cancelled(t), info(t, jean), noon); !errors.Is(err, context.Canceled) {
			t.Errorf("SaveUser with a cancelled context: got error %v, want context.Canceled", err)
		}
		testVisits(t, s, []visit{{jean, true, wantJean}})
	})
}

// testVisits makes the visits one after another, an hour apart.
func testVisits(t *testing.T, s auth.UserStore, visits []visit) {
	known := map[psc.NationalID]auth.User{} // with LastSignIn as the next visit must see it
	ids := map[string]psc.NationalID{}
	for i, v := range visits {
		at := noon.Add(time.Duration(i) * time.Hour)
		in := info(t, v.document)
		got, first, err := s.SaveUser(t.Context(), in, at)
		if err != nil {
			t.Fatalf("visit %d: SaveUser: %v", i+1, err)
		}
		if first != v.first {
			t.Errorf("visit %d: got first %t, want %t", i+1, first, v.first)
		}
		before, again := known[in.NationalID]
		if !again {
			before = auth.User{ID: got.ID, CreatedAt: at}
			if got.ID == "" {
				t.Errorf("visit %d: got an empty ID", i+1)
			}
			if other, taken := ids[got.ID]; taken {
				t.Errorf("visit %d: got the ID of %s", i+1, other)
			}
			ids[got.ID] = in.NationalID
		}
		if !got.CreatedAt.Equal(before.CreatedAt) || !got.LastSignIn.Equal(before.LastSignIn) {
			t.Errorf("visit %d: got created %v, last sign-in %v, want %v, %v",
				i+1, got.CreatedAt, got.LastSignIn, before.CreatedAt, before.LastSignIn)
		}
		want := v.want
		want.ID, want.NationalID = before.ID, in.NationalID
		want.CreatedAt, want.LastSignIn = got.CreatedAt, got.LastSignIn
		if got != want {
			t.Errorf("visit %d:\n got %+v\nwant %+v", i+1, got, want)
		}
		before.LastSignIn = at
		known[in.NationalID] = before
	}
}

// testUnstorable signs people in whose documents could not have come through
// psc.ParseUserInfo, or could, and are absurd.
func testUnstorable(t *testing.T, s auth.UserStore) {
	for i, bad := range []string{
		"A\x00B",
		"\x00",
		"A\xffB",
		"\xed\xa0\x80",
		"\xf8\x88\x80\x80\x80", // five bytes
		strings.Repeat("🩺", 100_000),
	} {
		in := person(t, i)
		in.GivenName, in.FamilyName, in.Email = bad, bad, "jean@cabinet.example"+bad
		in.Exercises = []psc.Exercise{{
			Title: bad, Profession: psc.Physician + psc.Profession(bad), Category: "C" + psc.Category(bad), Specialty: "SM26" + psc.Specialty(bad),
		}}
		first, isFirst, err := s.SaveUser(t.Context(), in, noon)
		if err != nil {
			t.Errorf("text %.20q: SaveUser: %v", bad, err)
			continue
		}
		next, isNext, err := s.SaveUser(t.Context(), in, noon)
		if err != nil {
			t.Errorf("text %.20q, again: SaveUser: %v", bad, err)
			continue
		}
		if !isFirst || isNext || next.ID != first.ID {
			t.Errorf("text %.20q: got first %t, %t, users %s, %s, want true, false and one user",
				bad, isFirst, isNext, first.ID, next.ID)
		}
		for _, u := range []auth.User{first, next} {
			for _, s := range []string{u.Title, u.FirstName, u.LastName, u.Email, string(u.Profession), string(u.Category), string(u.Specialty)} {
				if !utf8.ValidString(s) || strings.Contains(s, "\x00") || len(s) > 10_000 {
					t.Errorf("text %.20q: got %.40q back, %d bytes, want valid and bounded text without NUL", bad, s, len(s))
				}
			}
			if u.Profession == psc.Physician || u.Category == "C" || u.Specialty == "SM26" || u.Email == "jean@cabinet.example" {
				t.Errorf("text %.20q: got profession %q, category %q, specialty %q, e-mail %q: what was mended means something else now",
					bad, u.Profession, u.Category, u.Specialty, u.Email)
			}
		}
	}
}

func testOnePerson(t *testing.T, s auth.UserStore, n int) {
	in := info(t, jean)
	users, firsts := signIn(t, s, n, func(int) psc.UserInfo { return in })
	ids := map[string]bool{}
	count := 0
	for i, u := range users {
		ids[u.ID] = true
		if firsts[i] {
			count++
		}
		if firsts[i] != u.LastSignIn.IsZero() {
			t.Errorf("got first %t with last sign-in %v", firsts[i], u.LastSignIn)
		}
	}
	if len(ids) != 1 || count != 1 {
		t.Errorf("got %d users, %d times first, want 1 and 1", len(ids), count)
	}
}

func testManyPeople(t *testing.T, s auth.UserStore, n int) {
	infos := make([]psc.UserInfo, n)
	for i := range infos {
		infos[i] = person(t, i)
	}
	users, firsts := signIn(t, s, n, func(i int) psc.UserInfo { return infos[i] })
	ids := map[string]bool{}
	for i, u := range users {
		ids[u.ID] = true
		if !firsts[i] || u.NationalID != infos[i].NationalID {
			t.Errorf("person %d: got first %t, identifier %s, want true, %s", i, firsts[i], u.NationalID, infos[i].NationalID)
		}
	}
	if len(ids) != n {
		t.Errorf("got %d users, want %d", len(ids), n)
	}
}

// signIn makes n sign-ins at once.
func signIn(t *testing.T, s auth.UserStore, n int, who func(i int) psc.UserInfo) (users []auth.User, firsts []bool) {
	users, firsts = make([]auth.User, n), make([]bool, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			var err error
			if users[i], firsts[i], err = s.SaveUser(t.Context(), who(i), noon); err != nil {
				t.Errorf("SaveUser: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	return users, firsts
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

package mockpsc_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestDiscreetIdentifiers(t *testing.T) {
	mock, now := newMockWithClock(t)
	mock.Assume.DiscreetIdentifiers = true
	rp := newRelyingParty(t, mock)
	// What differs from one sign-in to the next, and nothing else, is left out.
	chance := regexp.MustCompile(`(attempt=|/_mock/phone/|name="attempt" value=")[^"?&]+|\d \d"|<span aria-hidden="true">\d</span>|8999•••••\d+`)
	known := begin(t, rp).post("/auth/ecps", "identifier", "99999001011")
	expect(t, known, "Validez sur votre téléphone", "8999•••••011", "Ouvrir le téléphone simulé")
	if strings.Contains(known, "DUPONT") {
		t.Error("the page tells whose identifier it is")
	}
	for _, tt := range []struct{ name, typed, masked string }{
		{"nobody's number", "99999009998", "8999•••••998"},
		{"nobody's number, in full", "899999009998", "8999•••••998"},
		{"an e-CPS never activated", "99999001060", "8999•••••060"},
		{"a blocked e-CPS", "99999001094", "8999•••••094"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := begin(t, rp)
			expect(t, p.post("/auth/ecps", "identifier", tt.typed), tt.masked)
			if chance.ReplaceAllString(p.page, "") != chance.ReplaceAllString(known, "") {
				t.Errorf("the page is not that of somebody known:\n%s", p.page)
			}
			phone := device{t, p.phone()}
			expect(t, phone.show(), "Aucun téléphone n'a reçu cette demande")
			for _, answer := range [][]string{{"phone", "dr-dupont"}, {"unblock", "1"}, {"same", "yes"}, {"pin", "1234"}, {"refuse", "1"}} {
				phone.answer(answer...)
			}
			expect(t, p.wait(), "Nous n'avons pas encore reçu votre validation.")
			now.advance(121 * time.Second)
			expect(t, p.wait(), "Le délai est dépassé.")
		})
	}
	for typed, want := range map[string]string{
		"": "Saisissez votre identifiant", "dupont": "pas la forme attendue", "dr-dupont": "pas la forme attendue", "99999001012": "erreur de frappe",
	} {
		expect(t, begin(t, rp).post("/auth/ecps", "identifier", typed), want)
	}
	t.Run("who is known signs in as ever", func(t *testing.T) {
		p := begin(t, rp)
		p.post("/auth/ecps", "identifier", "99999001011")
		phone := device{t, p.phone()}
		phone.answer("same", "yes")
		phone.answer("pin", "1234")
		if p.wait(); p.page != "back" {
			t.Error("not let in")
		}
	})
	t.Run("the default says what is wrong", func(t *testing.T) {
		expect(t, begin(t, newRelyingParty(t, mockpsc.NewServer(t))).post("/auth/ecps", "identifier", "99999009998"), "Aucun personnage")
	})
}

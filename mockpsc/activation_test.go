package mockpsc_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

var (
	activationField = regexp.MustCompile(`name="activation" value="([^"]+)"`)
	activationLink  = regexp.MustCompile(`href="(http[^"]+/_mock/phone/activation/[^"]+)"`)
)

// holder is somebody with a card, at the page where an e-CPS is activated.
type holder struct {
	t       *testing.T
	mock    *mockpsc.Server
	browser *http.Client
	page    string
}

func newHolder(t *testing.T, mock *mockpsc.Server) *holder {
	return &holder{t: t, mock: mock, browser: newBrowser(t)}
}

// insert reads the card; the page is then that of the QR code, if all is well.
func (h *holder) insert(card, pin string) string {
	h.t.Helper()
	_, h.page = submit(h.t, h.browser, h.mock.URL+"/_mock/activation", "card", card, "pin", pin)
	return h.page
}

func (h *holder) id() string { h.t.Helper(); return only(h.t, activationField, h.page) }

// press sends the form of the page by one of its buttons.
func (h *holder) press(button string) string {
	h.t.Helper()
	_, h.page = submit(h.t, h.browser, h.mock.URL+"/_mock/activation", "activation", h.id(), button, "1")
	return h.page
}

func (h *holder) status() string {
	h.t.Helper()
	_, text := get(h.t, h.browser, h.mock.URL+"/_mock/activation/status?activation="+url.QueryEscape(h.id()))
	return text
}

// phone is one that scans the QR code of the page.
func (h *holder) phone() device {
	h.t.Helper()
	return device{h.t, only(h.t, activationLink, h.page)}
}

// scan takes the phone to the address that only it knows.
func (d device) scan() device {
	d.t.Helper()
	resp, page := submit(d.t, http.DefaultClient, d.address, "scan", "1")
	expect(d.t, page, "Choisissez votre code")
	return device{d.t, resp.Request.URL.String()}
}

func TestActivation(t *testing.T) {
	for _, tt := range []struct{ persona, name, rpps, before string }{
		{"inf-benali", "Karim BENALI", "99999001060", "Aucune e-CPS n'est activée"},
		{"mil-vidal", "Marc VIDAL", "99999001201", "Aucune e-CPS n'est activée"},
		{"ipa-delatour", "Marie-Françoise", "99999001078", "Votre e-CPS est bloquée"}, // after three wrong codes, below
	} {
		t.Run(tt.persona, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			rp := newRelyingParty(t, mock)
			if tt.persona == "ipa-delatour" {
				block(t, rp, tt.rpps)
			}
			expect(t, begin(t, rp).post("/auth/ecps", "identifier", tt.rpps), tt.before, `href="/_mock/activation"`)

			cardPIN := "5678"
			if tt.persona == "ipa-delatour" {
				cardPIN = "0042"
			}
			h := newHolder(t, mock)
			_, h.page = get(t, h.browser, mock.URL+"/_mock/activation")
			expect(t, h.page, "<title>Activer une e-CPS – Pro Santé Connect (simulateur)</title>",
				`aria-current="step">Insérez votre carte CPS et saisissez son code porteur.`, "Carte dans le lecteur (simulé)")
			expect(t, h.insert(tt.persona, cardPIN), `aria-current="step">Scannez ce QR code avec l'application e-CPS (valable 90 secondes).`,
				`aria-label="QR code d'activation, valable 90 secondes"`, "Ouvrir le téléphone simulé", "Il vous reste 1 min 30 s.", tt.name)
			qr := h.phone()
			expect(t, h.status(), `"state":"scan"`)
			expect(t, h.press("look"), "Le téléphone n'a pas encore terminé.")

			scanPage := qr.show()
			phone := qr.scan()
			choosePage := phone.show()
			for _, page := range []string{scanPage, choosePage} {
				if strings.Contains(page, tt.name) || strings.Contains(page, tt.rpps[:5]) {
					t.Errorf("whoever scans is told about the person:\n%s", page)
				}
			}
			expect(t, choosePage, "Choisissez un code à 4 chiffres, que vous serez seul à connaître.", "Évitez 0000, 1234 et votre année de naissance.",
				`type="password" inputmode="numeric" autocomplete="off" maxlength="4"`)
			expect(t, h.status(), `"state":"choose"`, `"text":"QR code scanné.`)
			expect(t, phone.answer("pin", "", "again", ""), "Saisissez votre code à 4 chiffres.", "<title>Erreur : ")
			expect(t, phone.answer("pin", "43a1", "again", "43a1"), "Le code compte 4 chiffres.")
			expect(t, phone.answer("pin", "0321", "again", "0322"), "Les deux codes diffèrent.", `aria-describedby="again-error"`)
			expect(t, phone.answer("pin", "0321", "again", "0321"), "Terminez sur l'ordinateur")

			expect(t, begin(t, rp).post("/auth/ecps", "identifier", tt.rpps), tt.before) // nothing yet
			expect(t, h.press("look"), "Ce téléphone est-il le vôtre ?", "Oui, c'est mon téléphone")
			expect(t, h.press("confirm"), `aria-current="step">Votre e-CPS est activée sur ce téléphone, et sur lui seul.`)
			expect(t, phone.show(), "e-CPS activée", "Votre e-CPS est activée sur ce téléphone, et sur lui seul.", tt.name)

			p := begin(t, rp)
			expect(t, p.page, "code e-CPS choisi à l'activation")
			if strings.Contains(p.page, "0321") {
				t.Error("the page tells the code that somebody chose")
			}
			expect(t, p.post("/auth/ecps", "identifier", tt.rpps), "Validez sur votre téléphone")
			sim := device{t, p.phone()}
			sim.answer("same", "yes")
			expect(t, sim.answer("pin", "1234"), "Code erroné.")
			expect(t, sim.answer("pin", "0321"), "Connexion validée")
			if p.wait(); p.page != "back" {
				t.Fatalf("not let in: %.300s", p.page)
			}
			claims, err := rp.verify(t, rp.exchange(t, rp.form(rp.lastCallback().Get("code"))).IDToken)
			if err != nil || claims["SubjectNameID"] != "8"+tt.rpps || claims["authMode"] != "MOBILE" || claims["acr"] != "eidas1" {
				t.Errorf("got %v, %v", claims, err)
			}

			mock.Reset()
			after := tt.before
			if tt.persona == "ipa-delatour" {
				after = "Validez sur votre téléphone" // the e-CPS that she has had all along
			}
			expect(t, begin(t, rp).post("/auth/ecps", "identifier", tt.rpps), after)
		})
	}
}

// block spends the three tries of an e-CPS.
func block(t *testing.T, rp *relyingParty, rpps string) {
	t.Helper()
	p := begin(t, rp)
	p.post("/auth/ecps", "identifier", rpps)
	phone := device{t, p.phone()}
	phone.answer("same", "yes")
	for range 3 {
		phone.answer("pin", "9999")
	}
}

func TestActivationNeedsACardThatWorksAndAnECPSThatDoesNot(t *testing.T) {
	for _, tt := range []struct{ name, card, pin, want string }{
		{"no card in the reader", "", "5678", "Aucune carte détectée."},
		{"somebody who has none", "inf-roux", "5678", "Aucune carte détectée."},
		{"an expired card", "ret-garnier", "5678", "Cette carte a expiré."},
		{"a stolen card, whose e-CPS is blocked", "pharma-costa", "5678", "perdue ou volée"},
		{"no code", "inf-benali", "", "Saisissez votre code à 4 chiffres."},
		{"half a code", "inf-benali", "56", "Le code compte 4 chiffres."},
		{"a wrong code", "inf-benali", "0000", "Code porteur erroné. Il vous reste 2 essai(s)."},
		{"an e-CPS that works, and a wrong code", "dr-dupont", "0000", "Code porteur erroné."},
		{"an e-CPS that works", "dr-dupont", "5678", "déjà activée"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHolder(t, mockpsc.NewServer(t))
			expect(t, h.insert(tt.card, tt.pin), tt.want, `role="alert"`, `aria-invalid="true"`, "<title>Erreur : Activer une e-CPS", "Code porteur (4 chiffres)")
			if strings.Contains(h.page, "déjà activée") != (tt.want == "déjà activée") || activationLink.MatchString(h.page) {
				t.Error("tells of the e-CPS, or lets it be activated")
			}
		})
	}
	t.Run("three wrong codes block the card", func(t *testing.T) {
		mock := mockpsc.NewServer(t)
		h := newHolder(t, mock)
		h.insert("inf-benali", "0000")
		expect(t, h.insert("inf-benali", "0001"), "Dernier essai avant le blocage de la carte.")
		expect(t, h.insert("inf-benali", "0002"), "Carte bloquée : trois codes erronés.", "Débloquer cette carte")
		expect(t, h.insert("inf-benali", "5678"), "Carte bloquée : trois codes erronés.")
		rp := newRelyingParty(t, mock)
		expect(t, begin(t, rp).post("/auth/card", "card", "inf-benali"), "Carte bloquée") // it is the same card
		submit(t, h.browser, mock.URL+"/_mock/activation", "card", "inf-benali", "unblock", "1")
		expect(t, h.insert("inf-benali", "5678"), "Ouvrir le téléphone simulé")
	})
	t.Run("two activations at once", func(t *testing.T) {
		mock := mockpsc.NewServer(t)
		h := newHolder(t, mock)
		h.insert("inf-benali", "5678")
		other := newHolder(t, mock)
		other.insert("inf-benali", "5678")
		for _, x := range []*holder{h, other} {
			x.phone().scan().answer("pin", "0321", "again", "0321")
		}
		h.press("look")
		other.press("look")
		expect(t, h.press("confirm"), "Votre e-CPS est activée")
		expect(t, other.press("confirm"), "déjà activée") // an e-CPS is on one phone
	})
}

func TestAThiefOfTheActivationQRCode(t *testing.T) {
	const nothing = "Aucune e-CPS n'est activée"
	start := func(t *testing.T) (*relyingParty, *holder) {
		mock := mockpsc.NewServer(t)
		h := newHolder(t, mock)
		h.insert("inf-benali", "5678")
		return newRelyingParty(t, mock), h
	}
	t.Run("scans first, and gets nothing without the holder's word", func(t *testing.T) {
		rp, h := start(t)
		qr := h.phone()
		qr.scan().answer("pin", "6666", "again", "6666")
		expect(t, qr.show(), "Ce QR code a déjà servi") // what the holder's own phone says
		expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001060"), nothing)
		expect(t, h.press("look"), "Ce téléphone est-il le vôtre ?")
		expect(t, h.press("drop"), "L'activation est annulée. Rien n'a changé.", "Carte dans le lecteur (simulé)")
		expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001060"), nothing)
	})
	t.Run("scans second", func(t *testing.T) {
		_, h := start(t)
		qr := h.phone()
		qr.scan()
		resp, page := submit(t, http.DefaultClient, qr.address, "scan", "1", "pin", "6666", "again", "6666")
		if resp.StatusCode != http.StatusGone || !strings.Contains(page, "Ce QR code a déjà servi") {
			t.Errorf("got %d:\n%s", resp.StatusCode, page)
		}
		expect(t, h.status(), `"state":"choose"`)
	})
	t.Run("chooses a code without scanning", func(t *testing.T) {
		_, h := start(t)
		id := strings.TrimPrefix(h.phone().address, h.mock.URL+"/_mock/phone/activation/")
		get(t, http.DefaultClient, h.mock.URL+"/_mock/phone/activation/"+id)
		expect(t, h.status(), `"state":"scan"`) // looking is not scanning
		resp, _ := submit(t, http.DefaultClient, h.mock.URL+"/_mock/phone/"+id, "phone", "dr-dupont")
		if resp.StatusCode != http.StatusGone {
			t.Errorf("a QR code of an activation signs in: %d", resp.StatusCode)
		}
	})
	t.Run("knows the address of the holder's page", func(t *testing.T) {
		rp, h := start(t)
		h.phone().scan().answer("pin", "6666", "again", "6666")
		thief := newHolder(t, h.mock)
		get(t, thief.browser, rp.authURL(nil)) // has the mock's cookies, of its own
		thief.page = h.page
		const refused = "commencée dans un autre navigateur"
		expect(t, thief.press("confirm"), refused, `role="alert"`)
		thief.page = h.page
		expect(t, thief.status(), `"state":"over"`)
		_, page := get(t, thief.browser, h.mock.URL+"/_mock/activation?activation="+url.QueryEscape(h.id()))
		expect(t, page, refused)
		if strings.Contains(page, "Carte CPS de Karim") {
			t.Error("tells whose it is")
		}
		expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001060"), nothing)
	})
	t.Run("nobody has chosen a code yet, and the holder says yes", func(t *testing.T) {
		rp, h := start(t)
		expect(t, h.press("confirm"), "Le téléphone n'a pas encore terminé.")
		h.phone().scan()
		expect(t, h.press("confirm"), "Le téléphone n'a pas encore terminé.")
		expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001060"), nothing)
	})
	t.Run("comes back to the phone's page afterwards", func(t *testing.T) {
		_, h := start(t)
		phone := h.phone().scan()
		phone.answer("pin", "0321", "again", "0321")
		expect(t, phone.answer("pin", "6666", "again", "6666"), "Terminez sur l'ordinateur")
		h.press("look")
		h.press("confirm")
		phone.answer("pin", "6666", "again", "6666")
		rp := newRelyingParty(t, h.mock)
		p := begin(t, rp)
		p.post("/auth/ecps", "identifier", "99999001060")
		sim := device{t, p.phone()}
		sim.answer("same", "yes")
		expect(t, sim.answer("pin", "6666"), "Code erroné.")
	})
}

func TestActivationExpires(t *testing.T) {
	mock, now := newMockWithClock(t)
	t.Run("a QR code that nobody scanned in 90 seconds", func(t *testing.T) {
		h := newHolder(t, mock)
		h.insert("inf-benali", "5678")
		old := h.phone()
		now.advance(89 * time.Second)
		expect(t, old.show(), "Utiliser ce téléphone")
		now.advance(time.Second)
		expect(t, old.show(), "Ce QR code a expiré.")
		expect(t, old.answer("scan", "1"), "Ce QR code a expiré.")
		expect(t, h.status(), `"state":"late"`, `"next":""`)
		expect(t, h.press("look"), "Le QR code a expiré. Demandez-en un nouveau.")
		expect(t, h.press("renew"), "Ouvrir le téléphone simulé")
		if fresh := h.phone(); fresh.address == old.address {
			t.Error("the same QR code again")
		} else {
			expect(t, old.show(), "Ce QR code a déjà servi, ou il a expiré.")
			fresh.scan()
		}
	})
	t.Run("a QR code that was replaced", func(t *testing.T) {
		h := newHolder(t, mock)
		h.insert("mil-vidal", "5678")
		old := h.phone()
		h.press("renew")
		expect(t, old.answer("scan", "1"), "Ce QR code a déjà servi, ou il a expiré.")
		expect(t, h.status(), `"state":"scan"`)
	})
	t.Run("an activation left alone for a quarter of an hour", func(t *testing.T) {
		h := newHolder(t, mock)
		h.insert("inf-benali", "5678")
		phone := h.phone().scan()
		phone.answer("pin", "0321", "again", "0321")
		h.press("look")
		now.advance(15*time.Minute + time.Second)
		expect(t, phone.show(), "Ce QR code a déjà servi, ou il a expiré.")
		page := h.page
		expect(t, h.press("confirm"), "Cette activation a expiré", "Carte dans le lecteur (simulé)")
		h.page = page
		expect(t, h.status(), `"state":"over"`)
		expect(t, begin(t, newRelyingParty(t, mock)).post("/auth/ecps", "identifier", "99999001060"), "Aucune e-CPS n'est activée")
	})
	t.Run("to the second", func(t *testing.T) {
		h := newHolder(t, mock)
		h.insert("inf-benali", "5678")
		phone := h.phone().scan()
		now.advance(14*time.Minute + 50*time.Second)
		phone.show() // what is swept once a minute has been swept now
		now.advance(10 * time.Second)
		expect(t, phone.show(), "Choisissez votre code")
		expect(t, h.status(), `"state":"choose"`)
		now.advance(time.Second)
		expect(t, phone.show(), "Ce QR code a déjà servi, ou il a expiré.")
		expect(t, h.status(), `"state":"over"`)
	})
	t.Run("Reset forgets it", func(t *testing.T) {
		h := newHolder(t, mock)
		h.insert("inf-benali", "5678")
		phone := h.phone().scan()
		mock.Reset()
		expect(t, phone.answer("pin", "0321", "again", "0321"), "Ce QR code a déjà servi, ou il a expiré.")
		expect(t, h.press("confirm"), "Cette activation a expiré")
	})
}

func TestNoSecretOfAnActivationIsLogged(t *testing.T) {
	mock := mockpsc.NewServer(t)
	h := newHolder(t, mock)
	h.insert("inf-benali", "5678")
	qr := h.phone()
	phone := qr.scan()
	for _, r := range mock.Requests() {
		for _, address := range []string{qr.address, phone.address} {
			if strings.Contains(r.Path, address[strings.LastIndex(address, "/")+1:]) {
				t.Errorf("logged: %s", r.Path)
			}
		}
	}
}

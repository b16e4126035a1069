package mockpsc_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

var (
	attemptField = regexp.MustCompile(`name="attempt" value="([^"]+)"`)
	phoneLink    = regexp.MustCompile(`href="(http[^"]+/_mock/phone/[^"]+)"`)
	numberShown  = regexp.MustCompile(`Nombre à vérifier\s?: (\d) (\d)`)
)

func attempt(t *testing.T, page string) string {
	t.Helper()
	return only(t, attemptField, page)
}

func only(t *testing.T, pattern *regexp.Regexp, page string) string {
	t.Helper()
	found := pattern.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no %s in the page", pattern)
	}
	return html.UnescapeString(found[1])
}

// person is somebody at a browser, in the middle of a sign-in.
type person struct {
	t       *testing.T
	rp      *relyingParty
	browser *http.Client
	attempt string
	page    string
}

func begin(t *testing.T, rp *relyingParty) *person {
	t.Helper()
	p := &person{t: t, rp: rp, browser: newBrowser(t)}
	_, p.page = get(t, p.browser, rp.authURL(nil))
	p.attempt = attempt(t, p.page)
	return p
}

// post sends a form of the mock's page, with the attempt.
func (p *person) post(path string, pairs ...string) string {
	p.t.Helper()
	_, p.page = submit(p.t, p.browser, p.rp.mock.URL+path, append(pairs, "attempt", p.attempt)...)
	return p.page
}

func (p *person) phone() string {
	p.t.Helper()
	return only(p.t, phoneLink, p.page)
}

func (p *person) wait() string {
	p.t.Helper()
	return p.post("/auth/wait")
}

// device is a phone: it shares nothing with the browser but the address.
type device struct {
	t       *testing.T
	address string
}

func (d device) show() string {
	d.t.Helper()
	_, page := get(d.t, http.DefaultClient, d.address)
	return page
}

func (d device) answer(pairs ...string) string {
	d.t.Helper()
	_, page := submit(d.t, http.DefaultClient, d.address, pairs...)
	return strings.ReplaceAll(page, "\u00a0", " ")
}

func expect(t *testing.T, page string, wants ...string) {
	t.Helper()
	page = strings.ReplaceAll(html.UnescapeString(page), "\u00a0", " ")
	for _, want := range wants {
		if !strings.Contains(page, want) {
			i := strings.Index(page, "<main")
			t.Errorf("the page lacks %q:\n%s", want, page[max(i, 0):])
		}
	}
}

func TestQRCodeThenPhone(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	expect(t, p.page, "Connectez-vous", "pour accéder à <strong>CareLink</strong>", `aria-label="QR code de connexion, valable 2 minutes"`, "Ouvrir le téléphone simulé")
	phone := device{t, p.phone()}
	if strings.Contains(phone.address, p.attempt) {
		t.Error("the QR code holds the browser's handle")
	}
	choices := phone.show()
	expect(t, choices, "À qui est ce téléphone ?", "Dr Jean DUPONT", "e-CPS bloquée")
	if radios := regexp.MustCompile(`value="([\w-]+)"`).FindAllStringSubmatch(choices, -1); radios[len(radios)-1][1] != "none" {
		t.Errorf("the list ends with %v, want the impostor", radios[len(radios)-1])
	}
	if strings.Contains(choices, "BENALI") {
		t.Error("somebody without an e-CPS has a phone")
	}
	expect(t, phone.answer("nothing", "chosen"), "Choisissez un téléphone.", "À qui est ce téléphone ?", `aria-describedby="phone-error"`)
	expect(t, phone.answer("phone", "dr-dupont"), "Connexion demandée", "<strong>CareLink</strong> demande à vous identifier")

	expect(t, p.wait(), "Validez sur votre téléphone", "Nous n'avons pas encore reçu votre validation")
	onScreen := numberShown.FindString(p.page)
	if onPhone := numberShown.FindString(strings.ReplaceAll(phone.show(), "\u00a0", " ")); onScreen == "" && onPhone == "" {
		t.Error("no number to compare")
	}
	expect(t, phone.answer("same", "yes"), "Votre code e-CPS", `type="password" inputmode="numeric" autocomplete="off" maxlength="4"`)
	expect(t, phone.answer("pin", "1234"), "Connexion validée", "Revenez à l'écran de connexion.")
	if p.wait(); p.page != "back" {
		t.Fatalf("after the approval: %.300s", p.page)
	}
	tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
	if claims, err := rp.verify(t, tok.IDToken); err != nil || claims["SubjectNameID"] != "899999001011" || claims["authMode"] != "MOBILE" {
		t.Errorf("got %v, %v", claims, err)
	}
	expect(t, phone.show(), "Cette demande a déjà été traitée.")
}

func TestScreenAndPhoneShowTheSameNumber(t *testing.T) {
	p := begin(t, newRelyingParty(t, mockpsc.NewServer(t)))
	p.post("/auth/ecps", "identifier", "99999001011")
	screen := numberShown.FindString(strings.ReplaceAll(p.page, "\u00a0", " "))
	phone := numberShown.FindString(strings.ReplaceAll(device{t, p.phone()}.show(), "\u00a0", " "))
	if screen == "" || screen != phone {
		t.Errorf("screen %q, phone %q", screen, phone)
	}
}

func TestTypedIdentifierNotifiesThatPhoneOnly(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	qr := device{t, p.phone()} // scanned by somebody before the identifier was typed
	p.post("/auth/ecps", "identifier", "8 99999 001 011")
	expect(t, p.page, "Nous avons envoyé une notification", "8999•••••011", "Ouvrir le téléphone simulé de Dr Jean DUPONT", "Dans le simulateur seulement")
	phone := device{t, p.phone()}
	expect(t, phone.show(), "Téléphone de Dr Jean DUPONT", "Connexion demandée")
	expect(t, phone.answer("phone", "dr-martin"), "Cette demande concerne une autre e-CPS que celle de ce téléphone.")
	expect(t, qr.answer("phone", "dr-martin"), "Cette demande a déjà été traitée.")
	phone.answer("same", "yes")
	phone.answer("pin", "1234")
	if p.wait(); p.page != "back" {
		t.Error("not let in")
	}
}

func TestIdentifierFaults(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	for _, tt := range []struct{ name, typed, want string }{
		{"nothing", "", "Saisissez votre identifiant national"},
		{"letters", "dupont", "pas la forme attendue"},
		{"a digit too few", "9999900101", "Aucun personnage"}, // ten digits: an ADELI has as many
		{"a wrong key", "99999001012", "erreur de frappe"},
		{"a wrong key after the 8", "899999001012", "erreur de frappe"},
		{"nobody's number", "99999009998", "Aucun personnage"},
		{"a mock's name for a person", "dr-dupont", "pas la forme attendue"},
		{"an e-CPS never activated", "99999001060", "Aucune e-CPS n'est activée"},
		{"a blocked e-CPS", "99999001094", "Votre e-CPS est bloquée"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := begin(t, rp)
			p.post("/auth/ecps", "identifier", tt.typed)
			expect(t, p.page, tt.want, `role="alert"`, `aria-invalid="true"`, "<title>Erreur : Connectez-vous – CareLink</title>")
		})
	}
	t.Run("every form of identifier is found", func(t *testing.T) {
		for _, id := range []string{"0999300015", "ANS20990101000103", "99999001243", "899999001243"} {
			p := begin(t, rp)
			expect(t, p.post("/auth/ecps", "identifier", id), "Validez sur votre téléphone")
		}
	})
}

func TestImpostor(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	holder, tok := rp.signIn(t, "dr-dupont") // has an open session all the while

	t.Run("a phone without an e-CPS has no say", func(t *testing.T) {
		p := begin(t, rp)
		phone := device{t, p.phone()}
		expect(t, phone.answer("phone", "none"), "Aucune e-CPS sur ce téléphone.", "La connexion s'arrête ici.")
		expect(t, p.wait(), "Nous n'avons pas encore reçu votre validation")
	})
	t.Run("three wrong codes block the e-CPS", func(t *testing.T) {
		p := begin(t, rp)
		phone := device{t, p.phone()}
		phone.answer("phone", "dr-dupont")
		phone.answer("same", "yes")
		expect(t, phone.answer("pin", ""), "Saisissez votre code à 4 chiffres.")
		expect(t, phone.answer("pin", "12"), "Le code compte 4 chiffres.")
		expect(t, phone.answer("pin", "0000"), "Code erroné. Il vous reste 2 essai(s).")
		expect(t, phone.answer("pin", "0001"), "Dernier essai avant le blocage")
		expect(t, phone.answer("pin", "0002"), "e-CPS bloquée : trois codes erronés.", "Débloquer cette e-CPS")
		phone.answer("pin", "1234") // too late
		expect(t, p.wait(), "Votre e-CPS vient d'être bloquée")
		expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001011"), "Votre e-CPS est bloquée")
		if resp, err := rp.mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-dupont/ecps"); err == nil {
			resp.Body.Close()
			t.Error("SignIn with a blocked e-CPS succeeded")
		}
	})
	t.Run("the holder's session is untouched", func(t *testing.T) {
		if status, _ := rp.userinfo(t, tok.AccessToken); status != 200 {
			t.Errorf("userinfo: %d", status)
		}
		if _, page := get(t, holder, rp.authURL(nil)); page != "back" {
			t.Error("the holder is asked again")
		}
	})
	t.Run("the simulator can unblock", func(t *testing.T) {
		rp.mock.Reset()
		expect(t, begin(t, rp).post("/auth/ecps", "identifier", "99999001011"), "Validez sur votre téléphone")
	})
}

func TestPhoneEnds(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	ask := func(t *testing.T) (*person, device) {
		p := begin(t, rp)
		p.post("/auth/ecps", "identifier", "99999001011")
		return p, device{t, p.phone()}
	}
	t.Run("the number is not the same", func(t *testing.T) {
		p, phone := ask(t)
		expect(t, phone.answer("same", "no"), "Connexion refusée. Rien n'a été transmis à CareLink.")
		expect(t, p.wait(), "La demande a été refusée sur le téléphone.")
	})
	t.Run("refused at the code", func(t *testing.T) {
		p, phone := ask(t)
		phone.answer("same", "yes")
		phone.answer("refuse", "1")
		phone.answer("pin", "1234")
		expect(t, p.wait(), "La demande a été refusée sur le téléphone.")
	})
	t.Run("the code before the number was compared", func(t *testing.T) {
		p, phone := ask(t)
		phone.answer("pin", "1234")
		expect(t, p.wait(), "pas encore reçu")
	})
	t.Run("too late", func(t *testing.T) {
		p, phone := ask(t)
		now.advance(121 * time.Second)
		expect(t, phone.show(), "Cette demande a expiré.")
		phone.answer("same", "yes")
		expect(t, p.wait(), "Le délai est dépassé.")
	})
	t.Run("the person cancels at the screen", func(t *testing.T) {
		p, _ := ask(t)
		if p.post("/auth/cancel"); p.page != "back" || rp.lastCallback().Get("error") != "access_denied" || rp.lastCallback().Get("state") != "the-state" {
			t.Errorf("got %v", rp.lastCallback())
		}
	})
	t.Run("a sign-in page left open for an hour", func(t *testing.T) {
		p := begin(t, rp)
		now.advance(20 * time.Minute)
		expect(t, p.post("/auth/sign-in", "persona", "dr-dupont"), "Votre demande a expiré", "Revenez à CareLink et recommencez.")
	})
}

func TestSignInCompletesOnlyInTheBrowserThatBeganIt(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	p.post("/auth/ecps", "identifier", "99999001011")
	phone := device{t, p.phone()}
	phone.answer("same", "yes")
	phone.answer("pin", "1234")

	thief := &person{t: t, rp: rp, browser: newBrowser(t), attempt: p.attempt}
	get(t, thief.browser, rp.authURL(nil)) // has the mock's cookies, of its own
	expect(t, thief.wait(), "Votre demande a expiré")
	expect(t, thief.post("/auth/sign-in", "persona", "dr-dupont"), "Votre demande a expiré")
	_, status := get(t, thief.browser, rp.mock.URL+"/auth/status?attempt="+url.QueryEscape(p.attempt))
	expect(t, status, `"state":"expired"`)

	if p.wait(); p.page != "back" {
		t.Error("the browser that began it is not let in")
	}
}

func TestADoubleClickGetsTheSameAnswer(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	p.post("/auth/sign-in", "persona", "dr-dupont")
	first := rp.lastCallback().Get("code")
	p.post("/auth/sign-in", "persona", "dr-dupont")
	if second := rp.lastCallback().Get("code"); first == "" || second != first {
		t.Errorf("codes %q and %q", first, second)
	}
}

func TestStatusFollowsThePhone(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	phone := device{t, p.phone()}
	for _, step := range []struct{ field, value, want string }{
		{"", "", `"state":"waiting"`},
		{"phone", "dr-dupont", `"state":"scanned"`},
		{"same", "yes", `"state":"scanned"`},
		{"pin", "1234", `"state":"approved"`},
	} {
		if step.field != "" {
			phone.answer(step.field, step.value)
		}
		_, status := get(t, p.browser, rp.mock.URL+"/auth/status?attempt="+url.QueryEscape(p.attempt))
		expect(t, status, step.want)
	}
}

func TestCard(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	t.Run("card and code", func(t *testing.T) {
		p := begin(t, rp)
		_, p.page = get(t, p.browser, rp.mock.URL+"/auth?means=card&attempt="+url.QueryEscape(p.attempt))
		expect(t, p.page, "votre carte CPS", "Carte dans le lecteur (simulé)", "CPS – Dr Jean DUPONT", "(carte expirée)", "Les utilisateurs de Firefox", `aria-current="page">Carte CPS`)
		expect(t, p.post("/auth/card", "card", "dr-moreau"), "Code porteur", "Carte CPS de Dr Hélène MOREAU")
		if p.post("/auth/card", "pin", "5678"); p.page != "back" {
			t.Fatalf("%.300s", p.page)
		}
		tok := rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
		claims, err := rp.verify(t, tok.IDToken)
		if err != nil || claims["authMode"] != "CARD" || claims["acr"] != "eidas2" {
			t.Errorf("got %v, %v", claims, err)
		}
		access, _ := rp.verify(t, tok.AccessToken)
		if access["authMode"] != "CARD" || access["auth_level"] != "1" {
			t.Errorf("access token: %v", access)
		}
		if _, doc := rp.userinfo(t, tok.AccessToken); !strings.Contains(doc, `"authMode":"CARD"`) {
			t.Error("userinfo of the older layout does not tell the card")
		}
	})
	t.Run("faults of the card", func(t *testing.T) {
		for card, want := range map[string]string{
			"": "Aucune carte détectée", "nobody": "Aucune carte détectée", "inf-roux": "Aucune carte détectée",
			"ret-garnier": "Cette carte a expiré", "pharma-costa": "perdue ou volée",
		} {
			expect(t, begin(t, rp).post("/auth/card", "card", card), want, `role="alert"`, "SE CONNECTER AVEC LA CARTE CPS")
		}
	})
	t.Run("three wrong codes block it", func(t *testing.T) {
		p := begin(t, rp)
		p.post("/auth/card", "card", "ipa-delatour")
		expect(t, p.post("/auth/card", "pin", "42"), "Le code compte 4 chiffres.")
		expect(t, p.post("/auth/card", "pin", "5678"), "Il vous reste 2 essai(s).")
		expect(t, p.post("/auth/card", "pin", "0043"), "Dernier essai avant le blocage de la carte.")
		expect(t, p.post("/auth/card", "pin", "1111"), "Carte bloquée : trois codes erronés.")
		expect(t, p.post("/auth/card", "pin", "0042"), "Carte bloquée")
		expect(t, begin(t, rp).post("/auth/card", "card", "ipa-delatour"), "Carte bloquée")
		expect(t, p.post("/auth/card", "unblock", "1"), "Code porteur (4 chiffres)")
		if p.post("/auth/card", "pin", "0042"); p.page != "back" {
			t.Error("leading zeros are lost")
		}
	})
	t.Run("removed", func(t *testing.T) {
		p := begin(t, rp)
		p.post("/auth/card", "card", "dr-dupont")
		expect(t, p.post("/auth/card", "remove", "1"), "La carte a été retirée.")
		expect(t, p.post("/auth/card", "pin", "5678"), "Carte dans le lecteur (simulé)")
	})
}

func TestPages(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	c := newBrowser(t)
	t.Run("the policy names the application's origin, and nothing else", func(t *testing.T) {
		resp, _ := get(t, c, rp.authURL(nil))
		csp := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "form-action 'self' " + rp.URL + ";", "frame-ancestors 'none'", "style-src 'sha256-", "script-src 'sha256-"} {
			if !strings.Contains(csp, want) {
				t.Errorf("policy %q lacks %q", csp, want)
			}
		}
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	})
	t.Run("an IPv6 host is allowed by its scheme, for want of a grammar", func(t *testing.T) {
		resp, _ := get(t, c, rp.authURL(map[string]string{"redirect_uri": "http://[::1]:8080/cb"}))
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' http:;") {
			t.Error(csp)
		}
	})
	t.Run("English on demand, and remembered", func(t *testing.T) {
		_, page := get(t, c, mock.URL+"/?lang=en")
		expect(t, page, `<html lang="en">`, "Pro Santé Connect simulator")
		_, page = get(t, c, rp.authURL(nil))
		expect(t, page, "Sign in", "to access <strong>CareLink</strong>")
		get(t, c, mock.URL+"/?lang=fr")
		if _, page = get(t, c, rp.authURL(map[string]string{"ui_locales": "en"})); !strings.Contains(page, `<html lang="fr">`) {
			t.Error("the application overrides the person's choice")
		}
	})
	t.Run("English if the application says so", func(t *testing.T) {
		_, page := get(t, newBrowser(t), rp.authURL(map[string]string{"ui_locales": "de en-GB fr"}))
		expect(t, page, `<html lang="en">`)
	})
	t.Run("the start page shows what to paste", func(t *testing.T) {
		_, page := get(t, c, mock.URL+"/")
		expect(t, page, "Simulateur de Pro Santé Connect", "PSC_ISSUER="+mock.URL+issuerPath+"\n", "PSC_CLIENT_ID=carelink", "PSC_CLIENT_SECRET=carelink-secret", "dr-lambert", "code e-CPS 0007", "carte volée")
	})
	t.Run("names with markup are text", func(t *testing.T) {
		_, page := get(t, c, mock.URL+"/")
		if !strings.Contains(page, "&lt;fictif&gt;") || strings.Contains(page, "<fictif>") {
			t.Error("not escaped")
		}
	})
	t.Run("the panel signs in with one click, and can be hidden", func(t *testing.T) {
		_, page := get(t, c, rp.authURL(nil))
		expect(t, page, "Qui voulez-vous être ?", "Ce panneau n'existe pas sur le vrai service.", `name="persona" value="dr-dupont">Se connecter comme Dr Jean DUPONT`, `<option>wrong-nonce`)
		hidden := mockpsc.NewServer(t)
		hidden.HidePersonas = true
		if _, page := get(t, c, newRelyingParty(t, hidden).authURL(nil)); strings.Contains(page, `name="persona"`) {
			t.Error("not hidden")
		}
	})
	t.Run("the identifier is remembered if the person wants", func(t *testing.T) {
		p := begin(t, rp)
		p.post("/auth/ecps", "identifier", "30B0900101/CPET00014", "remember", "1")
		_, page := get(t, p.browser, rp.authURL(nil))
		expect(t, page, `value="30B0900101/CPET00014"`, `value="1" checked`)
		p.attempt = attempt(t, page)
		p.post("/auth/ecps", "identifier", "")
		if _, page := get(t, p.browser, rp.authURL(nil)); strings.Contains(page, "CPET00014") && strings.Contains(page, `value="30B`) {
			t.Error("still remembered")
		}
	})
}

func TestASignInThatIsOver(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	mock.Clients = []mockpsc.Client{{ID: "carelink", Secret: "carelink-secret", Name: "CareLink", RedirectURIs: []string{rp.redirectURI()}, StartURL: rp.URL + "/login"}}
	p := begin(t, rp)
	p.post("/auth/ecps", "identifier", "99999001011")
	phone := device{t, p.phone()}
	phone.answer("same", "yes")
	phone.answer("pin", "1234")
	p.wait()
	code := rp.lastCallback().Get("code")
	waitPage := mock.URL + "/auth/wait?attempt=" + url.QueryEscape(p.attempt)

	_, page := get(t, p.browser, waitPage)
	expect(t, page, "Cette demande a déjà servi. Recommencez la connexion.", `href="`+rp.URL+`/login">Revenir à CareLink`)
	if strings.Contains(page, "Annuler et revenir") || strings.Contains(page, "<iframe") {
		t.Error("offers what cannot be done any more")
	}
	_, status := get(t, p.browser, mock.URL+"/auth/status?attempt="+url.QueryEscape(p.attempt))
	expect(t, status, `"state":"used"`)
	if p.wait(); p.page != "back" || rp.lastCallback().Get("code") != code {
		t.Error("a double click is not answered as the first")
	}
	_, page = get(t, newBrowser(t), waitPage)
	expect(t, page, "Votre demande a expiré") // nobody else is told
}

func TestThePhoneLeadsBackToItsOwnBrowserOnly(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	phone := device{t, p.phone()}
	for _, step := range [][]string{{"phone", "dr-dupont"}, {"same", "yes"}, {"pin", "1234"}} {
		phone.answer(step...)
	}
	for _, elsewhere := range []string{phone.show(), (device{t, phone.address + "?panel=1"}).show()} {
		expect(t, elsewhere, "Connexion validée")
		if strings.Contains(elsewhere, "Revenir au navigateur") || strings.Contains(elsewhere, p.attempt) {
			t.Error("another device is given the browser's handle")
		}
	}
	_, inFrame := get(t, p.browser, phone.address+"?panel=1")
	if strings.Contains(inFrame, "Revenir au navigateur") {
		t.Error("the panel leads away from the page around it")
	}
	_, page := get(t, p.browser, phone.address)
	expect(t, page, "Revenir au navigateur")
	link := only(t, regexp.MustCompile(`href="(/auth/wait[^"]+)"`), page)
	if _, page = get(t, p.browser, rp.mock.URL+link); page != "back" {
		t.Errorf("the link leads to %.300s", page)
	}
}

func TestTheFrontPageHasItsBlocksInOrder(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.Clients = []mockpsc.Client{
		{ID: "app", Secret: "s", Name: "Agenda", RedirectURIs: []string{"http://localhost:3000/cb"}, StartURL: "http://localhost:3000/login"},
		{ID: "silent", Secret: "s", RedirectURIs: []string{"http://localhost:4000/cb"}},
	}
	_, page := get(t, http.DefaultClient, mock.URL+"/")
	var headings []string
	for _, m := range regexp.MustCompile(`<h2[^>]*>([^<]+)</h2>`).FindAllStringSubmatch(page, -1) {
		headings = append(headings, html.UnescapeString(m[1]))
	}
	if got, want := strings.Join(headings, " | "), "Brancher votre application | Personnages | Applications déclarées | Essayer maintenant | Console | Le vrai service"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	expect(t, page, `href="http://localhost:3000/login">Se connecter à Agenda`, `href="/_mock/activation">Activer une e-CPS`, "http://localhost:4000/cb")
	if strings.Count(page, "Se connecter à") != 1 {
		t.Error("a way in at an application that gave no address")
	}
	_, page = get(t, http.DefaultClient, mockpsc.NewServer(t).URL+"/")
	expect(t, page, "Aucune application déclarée n'indique d'adresse de départ.", "En savoir plus sur la gestion de vos données et vos droits")
}

package mockpsc_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

func delegating(t *testing.T) *relyingParty {
	mock := mockpsc.NewServer(t)
	mock.Delegation = true
	return newRelyingParty(t, mock)
}

func TestDelegation(t *testing.T) {
	p := begin(t, delegating(t))
	expect(t, p.page, "Délégation")
	_, tab := get(t, p.browser, p.rp.mock.URL+"/auth?means=delegation&attempt="+p.attempt)
	expect(t, tab, "compte d'un fournisseur d'identité tiers", "Votre fournisseur d'identité", `means=delegation" aria-current="page"`)
	expect(t, p.post("/auth/delegation", "provider", "elsewhere"), "<title>Erreur : ", `role="alert"`, `aria-invalid="true"`, "Choisissez un fournisseur d'identité.")
	expect(t, p.post("/auth/delegation", "provider", "hopital-imaginaire"), "<h1>Fournisseur d'identité de l'Hôpital Imaginaire (simulé)</h1>", "dr-dupont@hopital-imaginaire.example")
	for _, account := range []string{"", "dr-who"} {
		expect(t, p.post("/auth/delegation", "account", account), "<title>Erreur : ", `<a href="#account">Choisissez un compte dans la liste.</a>`)
	}
	expect(t, p.post("/auth/delegation", "account", "dr-dupont"), "<h1>Connexion</h1>",
		"Bonjour <strong>dr-dupont@hopital-imaginaire.example</strong>, confirmez-vous vouloir accéder à <strong>CareLink</strong> avec votre compte <strong>899999001011</strong> ?")
	if p.rp.lastCallback() != nil {
		t.Fatal("back before the confirmation")
	}
	expect(t, p.post("/auth/confirm", "answer", "no"), "Connectez-vous")
	expect(t, p.post("/auth/confirm", "answer", "yes"), "Connectez-vous") // it was taken back
	p.post("/auth/delegation", "account", "dr-dupont")
	if p.post("/auth/confirm", "answer", "yes"); p.page != "back" {
		t.Fatalf("after the confirmation: %.300s", p.page)
	}
	tok := p.rp.exchange(t, p.rp.form(p.rp.lastCallback().Get("code")))
	claims, err := p.rp.verify(t, tok.IDToken)
	if _, has := claims["authMode"]; err != nil || has || claims["acr"] != "eidas1" || claims["SubjectNameID"] != "899999001011" {
		t.Errorf("got %v, %v", claims, err)
	}
	if status, doc := p.rp.userinfo(t, tok.AccessToken); !strings.Contains(doc, `"SubjectNameID":"899999001011"`) {
		t.Errorf("userinfo: %v %s", status, doc)
	}
	if _, page := get(t, p.browser, p.rp.authURL(nil)); page != "back" {
		t.Errorf("the session is not used again: %.300s", page)
	}
}

func TestDelegationByHint(t *testing.T) {
	rp := delegating(t)
	_, page := get(t, newBrowser(t), rp.authURL(map[string]string{"kc_idp_hint": "OKTA_imaginaire"}))
	expect(t, page, "<h1>Fournisseur d'identité de l'Hôpital Imaginaire (simulé)</h1>", "Utiliser un autre moyen de connexion")
	if !strings.Contains(page, "dr-lambert@") {
		t.Error("dr-lambert has no account before he is struck off")
	}
	if err := rp.mock.Change("dr-lambert", "struck-off"); err != nil {
		t.Fatal(err)
	}
	p := begin(t, rp)
	if page := p.post("/auth/delegation", "provider", "hopital-imaginaire"); strings.Contains(page, "dr-lambert@") {
		t.Error("who is struck off has an account")
	}
	expect(t, p.post("/auth/delegation", "account", "dr-lambert"), "Choisissez un compte dans la liste.")
	expect(t, p.post("/auth/confirm", "answer", "yes"), "Connectez-vous")
}

func TestDelegationStaysInTheBrowserThatBeganIt(t *testing.T) {
	p := begin(t, delegating(t))
	resp, _ := submit(t, newBrowser(t), p.rp.mock.URL+"/auth/delegation", "attempt", p.attempt, "account", "dr-dupont")
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d", resp.StatusCode)
	}
	expect(t, p.post("/auth/confirm", "answer", "yes"), "Connectez-vous")
}

func TestWithoutDelegationThereIsNone(t *testing.T) {
	rp := newRelyingParty(t, mockpsc.NewServer(t))
	p := begin(t, rp)
	if strings.Contains(p.page, "Délégation") {
		t.Error("the tab is shown")
	}
	_, page := get(t, p.browser, rp.mock.URL+"/auth?means=delegation&attempt="+p.attempt)
	expect(t, page, "QR code")
	if resp, _ := submit(t, p.browser, rp.mock.URL+"/auth/delegation", "attempt", p.attempt, "account", "dr-dupont"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %d", resp.StatusCode)
	}
	_, page = get(t, newBrowser(t), rp.authURL(map[string]string{"kc_idp_hint": "OKTA_imaginaire"}))
	expect(t, page, "Connectez-vous")
}

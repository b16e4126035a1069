package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/pscauth/pscauth/mockpsc"
)

// A mockPage is a page of the mock in one of its states, and the way to it. All
// words are French here; the walk in English takes them from english.
type mockPage struct {
	story string
	h1    string
	shows string
	fault string // what the summary says, of a form that came back
	field string // the label of the field that the fault is about; "" for none
	walk  func(*visitor)
}

const (
	activate   = "Activer une e-CPS"
	signIn     = "Connectez-vous"
	onPhone    = "Validez sur votre téléphone"
	impossible = "Connexion impossible"
	over       = "Demande terminée"
	cardCode   = "Code porteur"
	hospital   = "Fournisseur d'identité de l'Hôpital Imaginaire (simulé)"

	idField     = "Identifiant national ou numéro RPPS"
	phoneField  = "Code à 4 chiffres"
	cardField   = "Code porteur (4 chiffres)"
	readerField = "Carte dans le lecteur (simulé)"
	againField  = "Le même code, une seconde fois"

	withECPS = "SE CONNECTER AVEC L'E-CPS"
	withCard = "SE CONNECTER AVEC LA CARTE CPS"
)

// mockPages are all pages of the mock: a new one is a line here, and its words
// in english.
var mockPages = []mockPage{
	// A1, A14
	{story: "start", h1: "Simulateur de Pro Santé Connect", shows: "Brancher votre application", walk: func(v *visitor) { v.open(v.b.app.mock + "/") }},
	{story: "start, requests without a browser", h1: "Simulateur de Pro Santé Connect", shows: "Demandes sans navigateur (CIBA)", walk: func(v *visitor) {
		v.ask("MOBILE", "899999001011")
		v.ask("CARD", "899999001029")
		v.open(v.b.app.mock + "/")
	}},
	{story: "data and rights", h1: "Données et droits", shows: "Il n'envoie rien ailleurs.", walk: func(v *visitor) { v.open(v.b.app.mock + "/auth/data") }},

	// A2, the e-CPS
	{story: "e-CPS", h1: signIn, shows: "Scannez ce QR code avec votre application e-CPS.", walk: func(v *visitor) { v.login() }},
	{story: "e-CPS, suggested", h1: signIn, shows: "proposé par l'application", walk: func(v *visitor) { v.login("login_hint", "dr-martin") }},
	{story: "e-CPS, remembered", h1: signIn, shows: "Se souvenir de mon identifiant sur cet ordinateur", walk: func(v *visitor) {
		v.login()
		v.press("Se souvenir de mon identifiant sur cet ordinateur")
		v.typed("99999001011")
		v.click("Recommencer")
	}},
	{story: "e-CPS, no identifier", h1: signIn, fault: "Saisissez votre identifiant national ou votre numéro RPPS.", field: idField, walk: func(v *visitor) { v.login(); v.typed("") }},
	{story: "e-CPS, not an identifier", h1: signIn, fault: "Cet identifiant n'a pas la forme attendue. Vérifiez les chiffres : un numéro RPPS en compte 11.", field: idField, walk: func(v *visitor) { v.login(); v.typed("dupont") }},
	{story: "e-CPS, a slip", h1: signIn, fault: "Ce numéro RPPS comporte une erreur de frappe : sa clé de contrôle ne correspond pas.", field: idField, walk: func(v *visitor) { v.login(); v.typed("99999001012") }},
	{story: "e-CPS, nobody", h1: signIn, fault: "Aucun personnage du simulateur ne porte cet identifiant. Choisissez-en un dans la liste.", field: idField, walk: func(v *visitor) { v.login(); v.typed("99999009998") }},
	{story: "e-CPS, not activated", h1: signIn, fault: "Aucune e-CPS n'est activée pour cet identifiant. Utilisez votre carte CPS ou activez votre e-CPS.", field: idField, walk: func(v *visitor) { v.login(); v.typed("99999001060") }},
	{story: "e-CPS, blocked", h1: signIn, fault: "Votre e-CPS est bloquée après trois codes erronés. Utilisez votre carte CPS ou réactivez votre e-CPS.", field: idField, walk: func(v *visitor) { v.login(); v.typed("99999001094") }},
	{story: "e-CPS, deactivated", h1: signIn, fault: "Cette e-CPS a été désactivée. Contactez votre ordre ou votre employeur.", field: idField, walk: func(v *visitor) {
		v.change("dr-lambert", "struck-off")
		v.login()
		v.typed("99999001243")
	}},

	// A2, the panel
	{story: "panel, e-CPS not activated", h1: signIn, fault: "Aucune e-CPS n'est activée pour cet identifiant. Utilisez votre carte CPS ou activez votre e-CPS.", walk: func(v *visitor) {
		v.login()
		v.choose("Moyen", "ecps")
		v.clickPerson(benali)
	}},
	{story: "panel, no card", h1: signIn, fault: "Aucune carte détectée. Insérez votre carte dans le lecteur, puis recommencez.", walk: func(v *visitor) {
		v.login()
		v.choose("Moyen", "card")
		v.clickPerson(neant)
	}},
	{story: "panel, unknown persona", h1: impossible, shows: "Aucun personnage du simulateur ne s'appelle", walk: func(v *visitor) {
		v.login()
		v.forge("aside button[value=dr-dupont]", "nobody")
		v.clickPerson(dupont)
	}},
	{story: "panel, unknown fault", h1: impossible, shows: "Aucune panne du simulateur ne s'appelle", walk: func(v *visitor) {
		v.login()
		v.forge("#fault option", "nothing")
		v.clickPerson(dupont)
	}},

	// A3
	{story: "waiting, typed", h1: onPhone, shows: "En attente de votre validation…", walk: func(v *visitor) {
		v.login()
		v.typed("99999001011")
		v.see("Nous avons envoyé une notification au téléphone de l'e-CPS 8999•••••011.")
		v.press("Je ne reçois pas la notification")
	}},
	{story: "waiting, scanned", h1: onPhone, shows: "QR code scanné. Terminez sur votre téléphone.", walk: func(v *visitor) {
		v.login()
		v.answer("phone", "dr-dupont")
		v.heading(onPhone) // the page follows by itself
	}},
	{story: "waiting, not yet", h1: onPhone, shows: "Nous n'avons pas encore reçu votre validation. Terminez sur le téléphone, puis réessayez.", walk: func(v *visitor) {
		v.login()
		v.typed("99999001011")
		v.click("J'ai validé sur mon téléphone")
	}},
	{story: "waiting, refused", h1: onPhone, shows: "La demande a été refusée sur le téléphone. Si ce n'était pas vous, ne recommencez pas et signalez-le.", walk: func(v *visitor) {
		v.login()
		v.typed("99999001011")
		v.answer("same", "no")
		v.reload()
	}},
	{story: "waiting, expired", h1: onPhone, shows: "Le délai est dépassé. Recommencez la connexion.", walk: func(v *visitor) {
		v.login()
		v.typed("99999001011")
		v.later(3 * time.Minute)
		v.reload()
	}},
	{story: "waiting, expired meanwhile", h1: onPhone, shows: "Le délai est dépassé. Recommencez la connexion.", walk: func(v *visitor) {
		v.login()
		v.typed("99999001011")
		v.later(3 * time.Minute)
		v.see("Le délai est dépassé. Recommencez la connexion.") // by itself
	}},
	{story: "waiting, blocked", h1: onPhone, shows: "Votre e-CPS vient d'être bloquée après trois codes erronés.", walk: func(v *visitor) {
		v.login()
		v.typed("99999001011")
		v.answer("same", "yes")
		v.answer("pin", "0000")
		v.answer("pin", "1111")
		v.answer("pin", "2222")
		v.reload()
	}},

	// A4
	{story: "phone, whose", h1: "À qui est ce téléphone ?", shows: "Un téléphone sans e-CPS (l'imposteur)", walk: func(v *visitor) { v.scan() }},
	{story: "phone, nobody's", h1: "À qui est ce téléphone ?", fault: "Choisissez un téléphone.", field: "À qui est ce téléphone ?", walk: func(v *visitor) { v.scan(); v.click("C'est mon téléphone") }},
	{story: "phone, another's", h1: "Connexion demandée", fault: "Cette demande concerne une autre e-CPS que celle de ce téléphone.", walk: func(v *visitor) {
		v.scan()
		v.answer("phone", "dr-martin")
		v.press(dupont.name + " " + dupont.profession)
		v.click("C'est mon téléphone")
	}},
	{story: "phone, impostor", h1: "Aucune e-CPS sur ce téléphone.", shows: "La connexion s'arrête ici.", walk: func(v *visitor) {
		v.scan()
		v.press("Un téléphone sans e-CPS (l'imposteur)")
		v.click("C'est mon téléphone")
	}},
	{story: "phone, blocked already", h1: over, shows: "e-CPS bloquée : trois codes erronés. Dans la réalité, il faut la réactiver.", walk: func(v *visitor) { v.scanAs("Inès COSTA pharmacienne") }},
	{story: "phone, unblocked", h1: "Connexion demandée", shows: "Téléphone de Inès COSTA", walk: func(v *visitor) {
		v.scanAs("Inès COSTA pharmacienne")
		v.click("Débloquer cette e-CPS")
	}},
	{story: "phone, deactivated meanwhile", h1: over, shows: "Cette e-CPS a été désactivée. Contactez votre ordre ou votre employeur.", walk: func(v *visitor) {
		v.scanAs("Dr Victor LAMBERT pédiatre")
		v.change("dr-lambert", "struck-off")
		v.open(v.ticket)
	}},
	{story: "phone, request", h1: "Connexion demandée", shows: "demande à vous identifier.", walk: func(v *visitor) { v.scanAs(dupont.name + " " + dupont.profession) }},
	{story: "phone, refused at the number", h1: over, shows: "Connexion refusée. Rien n'a été transmis à agenda.", walk: func(v *visitor) {
		v.notified()
		v.click("Non, refuser")
	}},
	{story: "phone, refused at the code", h1: over, shows: "Connexion refusée. Rien n'a été transmis à agenda.", walk: func(v *visitor) {
		v.atCode()
		v.click("Refuser la connexion")
	}},
	{story: "phone, code", h1: "Votre code e-CPS", shows: phoneField, walk: func(v *visitor) { v.atCode() }},
	{story: "phone, no code", h1: "Votre code e-CPS", fault: "Saisissez votre code à 4 chiffres.", field: phoneField, walk: func(v *visitor) { v.atCode(); v.code(phoneField, "") }},
	{story: "phone, not a code", h1: "Votre code e-CPS", fault: "Le code compte 4 chiffres.", field: phoneField, walk: func(v *visitor) { v.atCode(); v.code(phoneField, "12a4") }},
	{story: "phone, wrong code", h1: "Votre code e-CPS", fault: "Code erroné. Il vous reste 2 essai(s).", field: phoneField, walk: func(v *visitor) { v.atCode(); v.code(phoneField, "0000") }},
	{story: "phone, last try", h1: "Votre code e-CPS", fault: "Code erroné. Dernier essai avant le blocage de votre e-CPS.", field: phoneField, walk: func(v *visitor) { v.atCode(); v.code(phoneField, "0000", "1111") }},
	{story: "phone, blocked", h1: over, shows: "e-CPS bloquée : trois codes erronés. Dans la réalité, il faut la réactiver.", walk: func(v *visitor) {
		v.atCode()
		v.code(phoneField, "0000", "1111", "2222")
	}},
	{story: "phone, expired", h1: over, shows: "Cette demande a expiré. Recommencez depuis l'écran de connexion.", walk: func(v *visitor) {
		v.notified()
		v.later(3 * time.Minute)
		v.reload()
	}},
	{story: "phone, done", h1: "Connexion validée", shows: "Revenez à l'écran de connexion.", walk: func(v *visitor) { v.atCode(); v.code(phoneField, "1234") }},
	{story: "phone, used", h1: over, shows: "Cette demande a déjà été traitée.", walk: func(v *visitor) { v.open(v.b.app.mock + "/_mock/phone/unknown") }},

	// A5
	{story: "card", h1: signIn, shows: "Vous pouvez vous connecter à ce service en utilisant votre carte CPS.", walk: func(v *visitor) { v.login(); v.click("Carte CPS") }},
	{story: "card, none", h1: signIn, fault: "Aucune carte détectée. Insérez votre carte dans le lecteur, puis recommencez.", field: readerField, walk: func(v *visitor) { v.insert("") }},
	{story: "card, expired", h1: signIn, fault: "Cette carte a expiré. Utilisez votre nouvelle carte ou votre e-CPS.", field: readerField, walk: func(v *visitor) { v.insert("ret-garnier") }},
	{story: "card, stolen", h1: signIn, fault: "Cette carte a été déclarée perdue ou volée. Elle ne permet plus de se connecter.", field: readerField, walk: func(v *visitor) { v.insert("pharma-costa") }},
	{story: "card, code", h1: cardCode, shows: "Sur le vrai service, c'est votre ordinateur qui demande ce code, pas cette page.", walk: func(v *visitor) { v.insert("ipa-delatour") }}, // the longest name
	{story: "card, no code", h1: cardCode, fault: "Saisissez votre code à 4 chiffres.", field: cardField, walk: func(v *visitor) { v.insert("dr-dupont"); v.code(cardField, "") }},
	{story: "card, not a code", h1: cardCode, fault: "Le code compte 4 chiffres.", field: cardField, walk: func(v *visitor) { v.insert("dr-dupont"); v.code(cardField, "123") }},
	{story: "card, wrong code", h1: cardCode, fault: "Code porteur erroné. Il vous reste 2 essai(s).", field: cardField, walk: func(v *visitor) { v.insert("dr-dupont"); v.code(cardField, "0000") }},
	{story: "card, last try", h1: cardCode, fault: "Code porteur erroné. Dernier essai avant le blocage de la carte.", field: cardField, walk: func(v *visitor) { v.insert("dr-dupont"); v.code(cardField, "0000", "1111") }},
	{story: "card, blocked", h1: cardCode, fault: "Carte bloquée : trois codes erronés. Débloquez-la avec votre code de déblocage à 8 chiffres, ou utilisez votre e-CPS.", walk: func(v *visitor) {
		v.insert("dr-dupont")
		v.code(cardField, "0000", "1111", "2222")
	}},
	{story: "card, blocked already", h1: cardCode, fault: "Carte bloquée : trois codes erronés. Débloquez-la avec votre code de déblocage à 8 chiffres, ou utilisez votre e-CPS.", walk: func(v *visitor) {
		v.insert("dr-dupont")
		v.code(cardField, "0000", "1111", "2222")
		v.insert("dr-dupont")
	}},
	{story: "card, unblocked", h1: cardCode, shows: cardField, walk: func(v *visitor) {
		v.insert("dr-dupont")
		v.code(cardField, "0000", "1111", "2222")
		v.click("Débloquer cette carte")
	}},
	{story: "card, taken out", h1: signIn, fault: "La carte a été retirée. Réinsérez-la et recommencez.", field: readerField, walk: func(v *visitor) { v.insert("dr-dupont"); v.click("Retirer la carte") }},
	{story: "card, stolen meanwhile", h1: signIn, fault: "Cette carte a été déclarée perdue ou volée. Elle ne permet plus de se connecter.", field: readerField, walk: func(v *visitor) {
		v.insert("dr-lambert")
		v.change("dr-lambert", "struck-off")
		v.code(cardField, "5678")
	}},

	// A6
	{story: "delegation", h1: signIn, shows: "Vous pouvez vous connecter à ce service en utilisant votre compte d'un fournisseur d'identité tiers.", walk: func(v *visitor) { v.login(); v.click("Délégation") }},
	{story: "delegation, unknown provider", h1: signIn, fault: "Choisissez un fournisseur d'identité.", field: "Votre fournisseur d'identité", walk: func(v *visitor) {
		v.login()
		v.click("Délégation")
		v.forge("#provider option", "nobody")
		v.click("SE CONNECTER VIA UN FOURNISSEUR D'IDENTITÉ")
	}},
	{story: "hospital", h1: hospital, shows: "Sur le vrai service, cette page est celle de l'établissement", walk: func(v *visitor) { v.hospital() }},
	{story: "hospital, hinted", h1: hospital, shows: "Sur le vrai service, cette page est celle de l'établissement", walk: func(v *visitor) { v.login("kc_idp_hint", "any") }},
	{story: "hospital, nobody", h1: hospital, fault: "Choisissez un compte dans la liste.", field: "Compte", walk: func(v *visitor) { v.hospital(); v.click("Continuer") }},

	// A7
	{story: "confirmation after delegation", h1: "Connexion", shows: "Bonjour dr-moreau@hopital-imaginaire.example, confirmez-vous vouloir accéder à agenda avec votre compte 899999001037 ?", walk: func(v *visitor) {
		v.hospital()
		v.choose("Compte", "dr-moreau")
		v.click("Continuer")
	}},
	{story: "confirmation of who is signed in", h1: "Connexion", shows: "Bonjour Dr Jean DUPONT, confirmez-vous vouloir accéder à agenda avec votre compte 899999001011 ?", walk: func(v *visitor) { v.signedIn(); v.login() }},

	// A8
	{story: "unknown client", h1: impossible, shows: "Clients déclarés : agenda.", walk: func(v *visitor) { v.login("client_id", "nobody") }},
	{story: "undeclared address", h1: impossible, shows: "Elles doivent être égales caractère par caractère, barre finale comprise.", walk: func(v *visitor) { v.login("redirect_uri", v.b.app.url+"/callback/") }},
	{story: "no address", h1: impossible, shows: "Elles doivent être égales caractère par caractère, barre finale comprise.", walk: func(v *visitor) { v.login("redirect_uri", "") }},
	{story: "no acr_values", h1: impossible, shows: "acr_values=eidas1 est obligatoire.", walk: func(v *visitor) { v.login("acr_values", "") }},
	{story: "no state", h1: impossible, shows: "state est obligatoire et absent.", walk: func(v *visitor) { v.login("state", "") }},
	{story: "no nonce", h1: impossible, shows: "nonce est obligatoire et absent.", walk: func(v *visitor) { v.login("nonce", "") }},
	{story: "a parameter twice", h1: impossible, shows: "Paramètre state présent deux fois.", walk: func(v *visitor) { v.login("state", "a", "state", "b") }},
	{story: "unreadable", h1: impossible, shows: "Les paramètres de la demande sont illisibles.", walk: func(v *visitor) { v.open(v.b.app.mock + oidc + "/auth?client_id=%zz") }},
	{story: "automatic, nobody", h1: impossible, shows: "aucun personnage du simulateur ne porte ce nom ni cet identifiant.", walk: func(v *visitor) { v.serve(v.automatic); v.login("login_hint", "nobody") }},
	{story: "automatic, no means", h1: impossible, shows: "Connexion automatique impossible :", walk: func(v *visitor) { v.serve(v.automatic); v.login("login_hint", "pharma-costa") }},

	// A9
	{story: "expired", h1: "Votre demande a expiré", shows: "Revenez à agenda et recommencez.", walk: func(v *visitor) {
		v.login()
		v.later(16 * time.Minute)
		v.click("Carte CPS")
	}},
	{story: "expired long ago", h1: "Votre demande a expiré", shows: "Revenez à l'application et recommencez.", walk: func(v *visitor) { v.open(v.b.app.mock + "/auth?attempt=unknown") }},

	// A10
	{story: "sign-out", h1: "Se déconnecter de Pro Santé Connect ?", shows: "Votre session sera fermée pour tous les services.", walk: func(v *visitor) { v.signedIn(); v.open("/logout") }},
	{story: "sign-out of no application", h1: "Se déconnecter de Pro Santé Connect ?", shows: "Rester connecté", walk: func(v *visitor) { v.signedIn(); v.open(v.b.app.mock + oidc + "/logout") }},
	{story: "signed out", h1: "Session fermée", shows: "Vous êtes déconnecté de Pro Santé Connect. Fermez cette fenêtre.", walk: func(v *visitor) {
		v.signedIn()
		v.open(v.b.app.mock + oidc + "/logout")
		v.click("Se déconnecter")
	}},
	{story: "signed out, undeclared address", h1: "Session fermée", shows: "L'adresse de retour n'est pas déclarée. Votre session est fermée.", walk: func(v *visitor) {
		v.open(v.b.app.mock + oidc + "/logout?client_id=agenda&post_logout_redirect_uri=" + url.QueryEscape("https://app.example/elsewhere"))
	}},
	{story: "signed out, unknown application", h1: "Session fermée", shows: "post_logout_redirect_uri sans application connue", walk: func(v *visitor) {
		v.open(v.b.app.mock + oidc + "/logout?post_logout_redirect_uri=" + url.QueryEscape("https://app.example/elsewhere"))
	}},
	{story: "sign-out, false hint", h1: "Déconnexion impossible", shows: "id_token_hint refusé", walk: func(v *visitor) { v.open(v.b.app.mock + oidc + "/logout?id_token_hint=a.b.c") }},
	{story: "sign-out, a parameter twice", h1: "Déconnexion impossible", shows: "Paramètre state présent deux fois.", walk: func(v *visitor) { v.open(v.b.app.mock + oidc + "/logout?state=a&state=b") }},

	// A11
	{story: "outage", h1: "Service momentanément indisponible", shows: "Veuillez réessayer dans quelques minutes.", walk: func(v *visitor) { v.drill("outage"); v.login() }},
	{story: "maintenance", h1: "Maintenance", shows: "Pro Santé Connect est en maintenance.", walk: func(v *visitor) { v.drill("maintenance"); v.login() }},

	// A12
	{story: "activation", h1: activate, shows: "Insérez votre carte CPS et saisissez son code porteur.", walk: func(v *visitor) { v.open(v.b.app.mock + "/_mock/activation") }},
	{story: "activation, no card", h1: activate, fault: "Aucune carte détectée. Insérez votre carte dans le lecteur, puis recommencez.", field: readerField, walk: func(v *visitor) { v.activate("", "") }},
	{story: "activation, wrong code", h1: activate, fault: "Code porteur erroné. Il vous reste 2 essai(s).", field: cardField, walk: func(v *visitor) { v.activate("inf-benali", "0000") }},
	{story: "activation, QR code", h1: activate, shows: "En attente de votre téléphone…", walk: func(v *visitor) { v.activate("inf-benali", "5678") }},
	{story: "activation, on the phone", h1: "Activation d'une e-CPS", shows: "Une e-CPS va être liée à ce téléphone.", walk: func(v *visitor) { v.activate("inf-benali", "5678"); v.open(v.telephone()) }},
	{story: "activation, the code", h1: "Choisissez votre code", shows: "Évitez 0000, 1234 et votre année de naissance.", walk: func(v *visitor) {
		v.activate("inf-benali", "5678")
		v.open(v.telephone())
		v.click("Utiliser ce téléphone")
	}},
	{story: "activation, codes that differ", h1: "Choisissez votre code", fault: "Les deux codes diffèrent.", field: againField, walk: func(v *visitor) {
		v.activate("inf-benali", "5678")
		v.open(v.telephone())
		v.click("Utiliser ce téléphone")
		v.twice("2468", "8642")
	}},
	{story: "activation, the phone has done its part", h1: "Terminez sur l'ordinateur", shows: "Confirmez là où votre carte est insérée que ce téléphone est le vôtre.", walk: func(v *visitor) { v.choseCode() }},
	{story: "activation, is it your phone", h1: activate, shows: "Ce téléphone est-il le vôtre ?", walk: func(v *visitor) { v.open(v.choseCode()) }},
	{story: "activation, done", h1: activate, shows: "Votre e-CPS est activée sur le téléphone qui a scanné le QR code, et sur lui seul.", walk: func(v *visitor) {
		v.open(v.choseCode())
		v.click("Oui, c'est mon téléphone")
	}},
	{story: "activation, cancelled", h1: activate, shows: "L'activation est annulée. Rien n'a changé.", walk: func(v *visitor) {
		v.open(v.choseCode())
		v.click("Non, tout annuler")
	}},
	{story: "activation, QR code too old", h1: activate, shows: "Le QR code a expiré. Demandez-en un nouveau.", walk: func(v *visitor) {
		v.activate("inf-benali", "5678")
		at := v.address()
		v.later(91 * time.Second)
		v.open(at)
	}},
	{story: "activation, too old", h1: activate, fault: "Cette activation a expiré, ou elle a été commencée dans un autre navigateur. Recommencez.", walk: func(v *visitor) {
		v.activate("inf-benali", "5678")
		at := v.address()
		v.later(time.Hour)
		v.open(at)
	}},

	// A13
	{story: "console", h1: "Console", shows: "Personne n'est connecté.", walk: func(v *visitor) { v.console("") }},
	{story: "console, somebody is signed in", h1: "Console", shows: "Fermer la session", walk: func(v *visitor) { v.signedIn(); v.console("") }},
	{story: "console, a lie waits", h1: "Console", shows: "Vider la file d'attente", walk: func(v *visitor) {
		v.console("")
		v.choose("Mensonge (en anglais)", "wrong-nonce")
		v.click("Mettre en attente")
	}},
	{story: "console, refused", h1: "Console", fault: "Refusé : count must be 1 to 1000; received 0", walk: func(v *visitor) {
		v.console("")
		v.fill("Nombre de connexions", "many")
		v.click("Mettre en attente")
	}},
	{story: "console, somebody is edited", h1: "Console", shows: "Enregistrer le personnage", walk: func(v *visitor) { v.console("?edit=dr-dupont#document") }},
	{story: "console, the clock stands still", h1: "Console", shows: "Relancer l'horloge", walk: func(v *visitor) { v.console(""); v.click("Arrêter l'horloge") }},
	{story: "console, a drill", h1: "Console", shows: "Terminer l'exercice", walk: func(v *visitor) { v.drill("phone-refuses"); v.console("") }},
	{story: "console, it grows by itself", h1: "Console", shows: "GET /auth/data", walk: func(v *visitor) {
		v.console("")
		resp, err := http.Get(v.b.app.mock + "/auth/data")
		if err != nil {
			v.t.Fatal(err)
		}
		resp.Body.Close()
		v.tab.see("GET /auth/data")
	}},
	{story: "console, a request", h1: "Requête", shows: "Contenu", walk: func(v *visitor) {
		if err := v.plain.Queue(agendaID, "second-nonce"); err != nil {
			v.t.Fatal(err)
		}
		v.signedIn()
		v.console("requests/" + v.withTokens())
		v.see("à refuser")
	}},

	// Requests without a browser: the telephone is the same; the reader is not.
	{story: "telephone, no browser", h1: "Connexion demandée", shows: "demande à vous identifier.", walk: func(v *visitor) {
		v.ask("MOBILE", "899999001011")
		v.open(v.b.app.mock + "/")
		v.click("Ouvrir le téléphone simulé de Dr Jean DUPONT")
	}},
	{story: "reader", h1: cardCode, shows: "Sur le vrai service, c'est le programme CPS-Gestion", walk: func(v *visitor) { v.reader() }},
	{story: "reader, no code", h1: cardCode, fault: "Saisissez votre code à 4 chiffres.", field: cardField, walk: func(v *visitor) { v.reader(); v.code(cardField, "") }},
	{story: "reader, not a code", h1: cardCode, fault: "Le code compte 4 chiffres.", field: cardField, walk: func(v *visitor) { v.reader(); v.code(cardField, "abcd") }},
	{story: "reader, wrong code", h1: cardCode, fault: "Code porteur erroné. Il vous reste 2 essai(s).", field: cardField, walk: func(v *visitor) { v.reader(); v.code(cardField, "0000") }},
	{story: "reader, last try", h1: cardCode, fault: "Code porteur erroné. Dernier essai avant le blocage de la carte.", field: cardField, walk: func(v *visitor) { v.reader(); v.code(cardField, "0000", "1111") }},
	{story: "reader, blocked", h1: over, shows: "Carte bloquée : trois codes erronés.", walk: func(v *visitor) { v.reader(); v.code(cardField, "0000", "1111", "2222") }},
	{story: "reader, unblocked", h1: over, shows: "Connexion refusée. Rien n'a été transmis à agenda.", walk: func(v *visitor) {
		v.reader()
		v.code(cardField, "0000", "1111", "2222")
		v.click("Débloquer cette carte")
	}},
	{story: "reader, refused", h1: over, shows: "Connexion refusée. Rien n'a été transmis à agenda.", walk: func(v *visitor) { v.reader(); v.click("Refuser la connexion") }},
	{story: "reader, expired", h1: over, shows: "Cette demande a expiré.", walk: func(v *visitor) { v.reader(); v.later(3 * time.Minute); v.reload() }},
	{story: "reader, done", h1: "Connexion validée", shows: "Revenez à agenda.", walk: func(v *visitor) { v.reader(); v.code(cardField, "5678") }},
	{story: "reader, used", h1: over, shows: "Cette demande a déjà été traitée.", walk: func(v *visitor) { v.open(v.b.app.mock + "/_mock/card/unknown") }},
}

// Every page of the mock, in both languages: with room, in 320 pixels, and with
// text at 200 %; by its rules, by axe, and once round by Tab.
func TestMockPages(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"fr", "en"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			v := newVisitor(t, lang)
			toured := map[string]bool{}
			for _, m := range mockPages {
				t.Run(m.story, func(t *testing.T) {
					v.begin(t)
					m.walk(v)
					v.arrived()
					v.heading(m.h1)
					if m.fault != "" {
						v.faulty(m.fault, m.field)
					} else {
						v.see(m.shows)
					}
					v.room(1280, 900, 32)
					v.inspect()
					v.room(320, 640, 16)
					v.inspect()
					v.room(1280, 900, 16)
					if controls, _ := ask[string](v.tab, `return stops().map(name).join()`); !toured[controls] {
						toured[controls] = true
						v.tour()
					}
					v.end()
				})
			}
		})
	}
}

// A visitor walks through the pages of mocks whose clock and people the test
// has in its hand, in one language.
type visitor struct {
	*tab
	lang             string
	ticket           string // the telephone's address
	plain, automatic *mockpsc.Server
	serving          atomic.Pointer[mockpsc.Server]
	ahead            atomic.Int64 // of the time
}

func newVisitor(t *testing.T, lang string) *visitor {
	t.Helper()
	requireChromium(t)
	app := newAgenda(t)
	v := &visitor{lang: lang}
	clients := []mockpsc.Client{{
		ID: agendaID, Secret: agendaSecret,
		RedirectURIs: []string{app.url + "/callback"}, PostLogoutURIs: []string{app.url + "/bye"}, StartURL: app.url + "/login",
	}}
	now := func() time.Time { return time.Now().Add(time.Duration(v.ahead.Load())) }
	v.plain = &mockpsc.Server{Clients: clients, Now: now, ConfirmSSO: true, Delegation: true}
	v.automatic = &mockpsc.Server{Clients: clients, Now: now, Auto: "login_hint"}
	v.serve(v.plain)
	mock := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { v.serving.Load().ServeHTTP(w, r) }))
	t.Cleanup(mock.Close)
	app.use(mock.URL)
	v.tab = (&carelink{url: app.url, mock: mock.URL}).newBrowser(t).first
	v.open(mock.URL + "/?lang=" + lang)
	return v
}

// begin starts a story as if nothing had been before, on account of a test.
func (v *visitor) begin(t *testing.T) {
	v.t, v.b.t = t, t
	v.passing = true
	v.ahead.Store(0)
	v.serve(v.plain)
	v.plain.Reset()
	v.ticket = ""
	for _, c := range v.cookies() {
		if !strings.HasPrefix(c.Name, "mockpsc_id_") { // the identifier that the browser remembers
			continue
		}
		if _, err := chromedp.Call(v.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: c.Name, Domain: c.Domain, Path: c.Path}); err != nil {
			t.Fatal(err)
		}
	}
}

// arrived ends the way to a page; from here on pages are looked at.
func (v *visitor) arrived() { v.passing, v.seen = false, "the way" }

func (v *visitor) cookies() []*network.Cookie {
	v.t.Helper()
	got, err := chromedp.Call(v.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{v.b.app.mock}})
	if err != nil {
		v.t.Fatal(err)
	}
	return got.Cookies
}

// end reports what the browser complained of in this story.
func (v *visitor) end() {
	v.t.Helper()
	for _, c := range v.complaints() {
		v.t.Errorf("the browser complains: %s", c)
	}
	v.mu.Lock()
	v.heard, v.failed = nil, nil
	v.mu.Unlock()
}

// room gives the page a window of that size with text of that size.
func (v *visitor) room(width, height, text int64) {
	v.t.Helper()
	v.b.settings.width, v.b.settings.height = width, height
	v.do(chromedp.EmulateViewport(width, height))
	if _, err := chromedp.Call(v.ctx, page.SetFontSizes, page.SetFontSizesParams{FontSizes: &page.FontSizes{Standard: text}}); err != nil {
		v.t.Fatal(err)
	}
	v.until("the room", func() bool {
		there, err := ask[bool](v.tab, `return innerWidth + ' ' + getComputedStyle(document.documentElement).fontSize === `+quote(fmt.Sprintf("%d %dpx", width, text)))
		return err == nil && there
	})
	v.seen = "another room" // so that it is looked at again
}

// say is a text in the visitor's language.
func (v *visitor) say(french string) string {
	if v.lang == "fr" {
		return french
	}
	text, ok := english[french]
	if !ok {
		v.t.Helper()
		v.t.Fatalf("no English for « %s »", french)
	}
	return text
}

func (v *visitor) click(name string)          { v.t.Helper(); v.tab.click(v.say(name)) }
func (v *visitor) fill(label, text string)    { v.t.Helper(); v.tab.fill(v.say(label), text) }
func (v *visitor) choose(label, value string) { v.t.Helper(); v.tab.choose(v.say(label), value) }
func (v *visitor) see(text string)            { v.t.Helper(); v.tab.see(v.say(text)) }
func (v *visitor) heading(h1 string)          { v.t.Helper(); v.tab.heading(v.say(h1)) }

// press presses what has a name in both languages, or the name of a person.
func (v *visitor) press(name string) {
	v.t.Helper()
	if _, ok := english[name]; ok {
		name = v.say(name)
	}
	v.tab.press(name)
}

// login goes where the application sends people, asking for something else than
// usual if parameters say so.
func (v *visitor) login(params ...string) {
	v.t.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	v.open("/login?" + q.Encode())
}

// faulty looks at a form that came back: the summary has the focus, and its link
// leads to the field.
func (v *visitor) faulty(fault, field string) {
	v.t.Helper()
	fault = v.say(fault)
	v.until("the summary « "+fault+" » in focus", func() bool {
		told, err := ask[string](v.tab, `return document.activeElement.matches('[role=alert]') ? clean(document.activeElement.querySelector('p').textContent) : ''`)
		return err == nil && told == fault
	})
	if field == "" {
		return
	}
	v.tabTo(fault)
	v.key(kb.Enter)
	v.focused(v.say(field))
}

func (v *visitor) typed(id string) { v.t.Helper(); v.fill(idField, id); v.click(withECPS) }

// insert puts a card into the reader.
func (v *visitor) insert(persona string) {
	v.t.Helper()
	v.login()
	v.click("Carte CPS")
	v.choose(readerField, persona)
	v.click(withCard)
}

// code types codes, one after the other.
func (v *visitor) code(label string, codes ...string) {
	v.t.Helper()
	for _, code := range codes {
		v.fill(label, code)
		v.click("Valider")
	}
}

// activate puts a card into the reader of the activation, and types its code.
func (v *visitor) activate(persona, code string) {
	v.t.Helper()
	v.open(v.b.app.mock + "/_mock/activation")
	v.choose(readerField, persona)
	v.code(cardField, code)
}

// twice types a code for a new e-CPS, and once more.
func (v *visitor) twice(code, again string) {
	v.t.Helper()
	v.fill(phoneField, code)
	v.fill(againField, again)
	v.click("Valider")
}

// choseCode is the phone on which a code was chosen. It returns the address at
// which the browser has the last word.
func (v *visitor) choseCode() (browser string) {
	v.t.Helper()
	v.activate("inf-benali", "5678")
	browser = v.address()
	v.open(v.telephone())
	v.click("Utiliser ce téléphone")
	v.twice("2468", "2468")
	return browser
}

func (v *visitor) hospital() {
	v.t.Helper()
	v.login()
	v.click("Délégation")
	v.click("SE CONNECTER VIA UN FOURNISSEUR D'IDENTITÉ")
}

// signedIn is signed in at the application, and so at the mock.
func (v *visitor) signedIn() {
	v.t.Helper()
	v.login()
	v.clickPerson(dupont)
	v.tab.heading("Connecté")
	v.tab.see("Jean DUPONT")
}

// telephone finds the telephone's address on the page.
func (v *visitor) telephone() string {
	v.t.Helper()
	if v.ticket == "" {
		v.until("the way to the telephone", func() bool {
			v.ticket, _ = ask[string](v.tab, `return document.querySelector('main a[href*="/_mock/phone/"]').href`)
			return v.ticket != ""
		})
	}
	return v.ticket
}

// answer answers on the telephone, which is elsewhere.
func (v *visitor) answer(name, value string) {
	v.t.Helper()
	resp, err := http.PostForm(v.telephone(), url.Values{name: {value}})
	if err != nil {
		v.t.Fatal(err)
	}
	resp.Body.Close()
}

// scan becomes the telephone that has scanned the QR code.
func (v *visitor) scan() { v.t.Helper(); v.login(); v.open(v.telephone()) }

func (v *visitor) scanAs(who string) {
	v.t.Helper()
	v.scan()
	v.press(who)
	v.click("C'est mon téléphone")
}

// notified becomes the telephone of who typed an identifier.
func (v *visitor) notified() {
	v.t.Helper()
	v.login()
	v.typed("99999001011")
	v.open(v.telephone())
}

func (v *visitor) atCode() { v.t.Helper(); v.notified(); v.click("Oui, c'est le même") }

// ask has the application ask for somebody without a browser.
func (v *visitor) ask(channel, nationalID string) {
	v.t.Helper()
	form := url.Values{
		"scope": {"openid scope_all"}, "acr_values": {"eidas1"}, "login_hint": {nationalID}, "binding_message": {"47"}, "channel": {channel},
	}
	a := agenda{}
	a.use(v.b.app.mock)
	var answer struct {
		ID string `json:"auth_req_id"`
	}
	if err := a.call("/ext/ciba/auth", form, "", &answer); err != nil {
		v.t.Fatal(err)
	}
}

// console is the developer's page, or one below it.
func (v *visitor) console(path string) { v.t.Helper(); v.open(v.b.app.mock + "/_mock/" + path) }

// withTokens is the number of a request whose answer has tokens.
func (v *visitor) withTokens() string {
	v.t.Helper()
	resp, err := http.Get(v.b.app.mock + "/_mock/api/requests")
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct {
		ID     int64
		Tokens []any
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		v.t.Fatal(err)
	}
	for _, r := range list {
		if len(r.Tokens) > 0 {
			return fmt.Sprint(r.ID)
		}
	}
	v.t.Fatal("no request has tokens")
	return ""
}

func (v *visitor) reader() {
	v.t.Helper()
	v.ask("CARD", "899999001011")
	v.open(v.b.app.mock + "/")
	v.click("Ouvrir le lecteur de carte simulé de Dr Jean DUPONT")
}

// forge changes what a field of the page would send.
func (v *visitor) forge(selector, value string) {
	v.t.Helper()
	if _, err := ask[string](v.tab, `return document.querySelector(`+quote(selector)+`).value = `+quote(value)); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) serve(s *mockpsc.Server) { v.serving.Store(s) }
func (v *visitor) later(d time.Duration)   { v.ahead.Add(int64(d)) }

func (v *visitor) change(persona, change string) {
	v.t.Helper()
	if err := v.plain.Change(persona, change); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) drill(name string) {
	v.t.Helper()
	if err := v.plain.Drill(name); err != nil {
		v.t.Fatal(err)
	}
}

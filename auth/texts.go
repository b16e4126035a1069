package auth

import "strings"

// pageText is the wording of one page, where {service} is the name of the app.
type pageText struct {
	title, body string
	do, back    string // the main action and the way home
	post        bool   // the action is a form that posts
	psc         bool   // the action is the sign-in button
	newTab      bool   // the action opens another tab
}

// in fills in the name of the app.
func (t pageText) in(cfg Config) pageText {
	fill := strings.NewReplacer("{service}", cfg.ServiceName)
	t.title, t.body = fill.Replace(t.title), fill.Replace(t.body)
	return t
}

// frame is what every page says.
type frame struct{ Skip, Reference string }

var frames = map[string]frame{
	"fr": {"Aller au contenu", "Référence à communiquer à l'assistance :"},
	"en": {"Skip to content", "Reference to give to support:"},
}

const (
	signInFR = "S'identifier avec Pro Santé Connect"
	signInEN = "Sign in with Pro Santé Connect"
	retryFR  = "Réessayer la connexion"
	retryEN  = "Try to sign in again"
	homeFR   = "Retour à l'accueil"
	homeEN   = "Back to the home page"
)

// texts holds every page under a stable key, which is also the error of a JSON
// answer. No technical word: the log has the cause.
var texts = map[string]map[string]pageText{
	"fr": {
		"sign_in":             {title: "Connexion", body: "Identifiez-vous avec votre e-CPS ou votre carte CPS.", do: signInFR, psc: true},
		"cancelled":           {title: "Connexion annulée", body: "Vous avez annulé ou refusé la connexion. Rien n'a été enregistré.", do: retryFR, back: homeFR},
		"restarted_too_often": {title: "La connexion ne parvient pas à se terminer", body: "Votre navigateur ne garde pas nos cookies, ou la page est restée ouverte trop longtemps. Autorisez les cookies pour ce site, puis réessayez.", do: retryFR, back: homeFR},
		"not_yours":           {title: "Connexion non reconnue", body: "Cette connexion n'a pas été commencée dans ce navigateur. Si vous avez suivi un lien reçu, ne continuez pas. Sinon, recommencez depuis {service}.", do: retryFR, back: homeFR},
		"code_refused":        {title: "La connexion a pris trop de temps", body: "Le ticket remis par Pro Santé Connect n'est plus valable. Réessayez : cela ne prend qu'un instant.", do: retryFR, back: homeFR},
		"invalid":             {title: "Réponse de Pro Santé Connect refusée", body: "Par sécurité, nous n'avons pas accepté la réponse reçue. Réessayez ; si cela se répète, donnez la référence à l'assistance.", do: retryFR, back: homeFR},
		"level":               {title: "Moyen de connexion insuffisant", body: "Ce service demande une connexion par e-CPS ou carte CPS.", do: retryFR, back: homeFR},
		"psc_down":            {title: "Pro Santé Connect ne répond pas", body: "Les personnes déjà connectées peuvent continuer. Réessayez dans quelques minutes.", do: retryFR, back: homeFR},
		"psc_slow":            {title: "Pro Santé Connect tarde à répondre", body: "Les personnes déjà connectées peuvent continuer. Réessayez dans quelques minutes.", do: retryFR, back: homeFR},
		"store_down":          {title: "Connexion momentanément impossible", body: "Un incident de notre côté empêche d'ouvrir une session. Réessayez dans quelques minutes.", do: retryFR, back: homeFR},
		"not_authorised":      {title: "Vous êtes identifié, mais pas autorisé ici", body: "L'application ne vous a pas donné d'accès.", do: retryFR, back: homeFR},
		"cross_site":          {title: "Demande refusée", body: "Cette demande vient d'un autre site. Revenez à {service} et recommencez.", back: homeFR},
		"forbidden":           {title: "Accès refusé", body: "Vous n'avez pas le droit d'ouvrir cette page.", back: homeFR},
		"step_up":             {title: "Confirmez votre identité", body: "Cette action demande une identification récente.", do: signInFR, psc: true, back: "Annuler"},
		"sign_out":            {title: "Se déconnecter ?", body: "Vous quitterez {service} et Pro Santé Connect.", do: "Se déconnecter", post: true, back: "Rester connecté"},
		"signing_out":         {title: "Déconnexion en cours", body: "Fermeture de votre session Pro Santé Connect…", do: "Continuer"},
		"signed_out":          {title: "Vous êtes déconnecté", body: "De {service} et de Pro Santé Connect.", do: "Se reconnecter", back: homeFR},
		"signed_out_here":     {title: "Vous êtes déconnecté de {service}", body: "Nous n'avons pas pu joindre Pro Santé Connect. Sur un ordinateur partagé, fermez le navigateur.", do: "Se reconnecter", back: homeFR},
		"signed_out_local":    {title: "Vous êtes déconnecté de {service}", body: "Aucune session n'est ouverte ici.", do: signInFR, psc: true, back: homeFR},
		"post_401":            {title: "Votre session a expiré avant l'envoi", body: "Rien n'a été enregistré. Connectez-vous dans un autre onglet, revenez à la page précédente et renvoyez votre saisie.", do: "S'identifier dans un autre onglet", psc: true, newTab: true},
	},
	"en": {
		"sign_in":             {title: "Sign-in", body: "Identify yourself with your e-CPS or your CPS card.", do: signInEN, psc: true},
		"cancelled":           {title: "Sign-in cancelled", body: "You cancelled or refused the sign-in. Nothing was recorded.", do: retryEN, back: homeEN},
		"restarted_too_often": {title: "The sign-in cannot be completed", body: "Your browser does not keep our cookies, or the page stayed open too long. Allow cookies for this site, then try again.", do: retryEN, back: homeEN},
		"not_yours":           {title: "Sign-in not recognised", body: "This sign-in was not started in this browser. If you followed a link that you received, do not go on. Otherwise start again from {service}.", do: retryEN, back: homeEN},
		"code_refused":        {title: "The sign-in took too long", body: "The ticket from Pro Santé Connect is no longer valid. Try again: it only takes a moment.", do: retryEN, back: homeEN},
		"invalid":             {title: "Answer from Pro Santé Connect refused", body: "For safety, we did not accept the answer that we received. Try again; if it happens again, give the reference to support.", do: retryEN, back: homeEN},
		"level":               {title: "Means of sign-in not sufficient", body: "This service requires a sign-in with e-CPS or CPS card.", do: retryEN, back: homeEN},
		"psc_down":            {title: "Pro Santé Connect does not answer", body: "People who are already signed in can go on. Try again in a few minutes.", do: retryEN, back: homeEN},
		"psc_slow":            {title: "Pro Santé Connect is slow to answer", body: "People who are already signed in can go on. Try again in a few minutes.", do: retryEN, back: homeEN},
		"store_down":          {title: "Sign-in impossible for the moment", body: "An incident on our side prevents us from opening a session. Try again in a few minutes.", do: retryEN, back: homeEN},
		"not_authorised":      {title: "You are identified, but not authorised here", body: "The application has not given you access.", do: retryEN, back: homeEN},
		"cross_site":          {title: "Request refused", body: "This request comes from another site. Go back to {service} and start again.", back: homeEN},
		"forbidden":           {title: "Access refused", body: "You do not have the right to open this page.", back: homeEN},
		"step_up":             {title: "Confirm your identity", body: "This action needs a recent identification.", do: signInEN, psc: true, back: "Cancel"},
		"sign_out":            {title: "Sign out?", body: "You will leave {service} and Pro Santé Connect.", do: "Sign out", post: true, back: "Stay signed in"},
		"signing_out":         {title: "Signing out", body: "Closing your Pro Santé Connect session…", do: "Continue"},
		"signed_out":          {title: "You are signed out", body: "Of {service} and of Pro Santé Connect.", do: "Sign in again", back: homeEN},
		"signed_out_here":     {title: "You are signed out of {service}", body: "We could not reach Pro Santé Connect. On a shared computer, close the browser.", do: "Sign in again", back: homeEN},
		"signed_out_local":    {title: "You are signed out of {service}", body: "No session is open here.", do: signInEN, psc: true, back: homeEN},
		"post_401":            {title: "Your session expired before your entry was sent", body: "Nothing was recorded. Sign in in another tab, come back to the previous page and send your entry again.", do: "Sign in in another tab", psc: true, newTab: true},
	},
}

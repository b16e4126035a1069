package mockpsc

import (
	"html/template"
	"regexp"
	"strings"
	"sync"
)

// T is the text of a key in the page's language: {name} is replaced by the
// argument of that name, **bold** is bold, `code` is code.
func (v *view) T(key string, args ...string) template.HTML {
	text := string(pick(v.Lang, markedUp(), key))
	for i := 0; i+1 < len(args); i += 2 {
		text = strings.ReplaceAll(text, "{"+args[i]+"}", template.HTMLEscapeString(args[i+1]))
	}
	return template.HTML(text)
}

// plain is T without markup.
func (v *view) plain(key string, args ...string) string {
	text := strings.ReplaceAll(pick(v.Lang, words, key), "**", "")
	for i := 0; i+1 < len(args); i += 2 {
		text = strings.ReplaceAll(text, "{"+args[i]+"}", args[i+1])
	}
	return text
}

func pick[text ~string](lang string, texts map[string][2]text, key string) text {
	w, ok := texts[key]
	if !ok {
		panic("mockpsc: no text for " + key) // kept away by a test over the templates
	}
	if lang == "en" {
		return w[1]
	}
	return w[0]
}

// markedUp are the words as HTML, before arguments take their places.
var markedUp = sync.OnceValue(func() map[string][2]template.HTML {
	bold, code := regexp.MustCompile(`\*\*(.+?)\*\*`), regexp.MustCompile("`(.+?)`")
	all := make(map[string][2]template.HTML, len(words))
	for key, w := range words {
		var marked [2]template.HTML
		for i, text := range w {
			text = bold.ReplaceAllString(template.HTMLEscapeString(text), "<strong>$1</strong>")
			marked[i] = template.HTML(code.ReplaceAllString(text, "<code>$1</code>"))
		}
		all[key] = marked
	}
	return all
})

// words are the pages' texts, French and English. Non-breaking spaces stand
// where French typography wants them.
var words = map[string][2]string{
	// Every page
	"product":      {"Pro Santé Connect (simulateur)", "Pro Santé Connect (simulator)"},
	"brand":        {"Pro Santé Connect – simulateur", "Pro Santé Connect – simulator"},
	"ribbon":       {"**Simulateur de Pro Santé Connect.** Aucune donnée réelle. N'y saisissez jamais un vrai code.", "**Pro Santé Connect simulator.** No real data. Never enter a real code here."},
	"skip":         {"Aller au contenu", "Skip to content"},
	"language":     {"Langue", "Language"},
	"rights":       {"En savoir plus sur la gestion de vos données et vos droits", "Learn more about how your data is handled and about your rights"},
	"error_prefix": {"Erreur : ", "Error: "},
	"error_head":   {"Il y a une erreur", "There is a problem"},
	"to_start":     {"Accueil du simulateur", "Simulator home page"},
	"or":           {"ou", "or"},

	// A1
	"a1":            {"Simulateur de Pro Santé Connect", "Pro Santé Connect simulator"},
	"a1_text":       {"Ce serveur imite Pro Santé Connect pour le développement, les tests et les démonstrations.", "This server imitates Pro Santé Connect for development, tests and demonstrations."},
	"a1_plug":       {"Brancher votre application", "Plug in your application"},
	"a1_plug_text":  {"Donnez ces réglages à votre application :", "Give these settings to your application:"},
	"a1_issuer":     {"Émetteur (issuer)", "Issuer"},
	"a1_discovery":  {"Document de découverte", "Discovery document"},
	"a1_lines":      {"Lignes à copier", "Lines to copy"},
	"a1_clients":    {"Applications déclarées", "Declared applications"},
	"a1_client":     {"Application", "Application"},
	"a1_client_id":  {"Identifiant (client_id)", "client_id"},
	"a1_redirects":  {"Adresses de retour", "Redirect addresses"},
	"a1_try":        {"Essayer maintenant", "Try now"},
	"a1_try_none":   {"Aucune application déclarée n'indique d'adresse de départ. Commencez depuis la page d'accueil de votre application.", "No declared application gives a start address. Begin at your application's home page."},
	"a1_try_link":   {"Se connecter à {service}", "Sign in at {service}"},
	"a1_people":     {"Personnages", "Personas"},
	"a1_people_txt": {"Personne ici n'existe. Les codes ne servent qu'à ce simulateur.", "Nobody here exists. The codes are of use in this simulator only."},
	"a1_real":       {"Le vrai service", "The real service"},
	"a1_real_text":  {"La documentation technique de Pro Santé Connect est publiée par l'Agence du Numérique en Santé.", "The technical documentation of Pro Santé Connect is published by the Agence du Numérique en Santé."},
	"a1_real_link":  {"Documentation technique de Pro Santé Connect", "Technical documentation of Pro Santé Connect (in French)"},
	"col_name":      {"Nom", "Name"},
	"col_id":        {"Identifiant", "Identifier"},
	"col_codes":     {"Codes", "Codes"},

	// Panel
	"panel":       {"Personnages", "Personas"},
	"panel_who":   {"Qui voulez-vous être ?", "Who would you like to be?"},
	"panel_note":  {"Ce panneau n'existe pas sur le vrai service.", "This panel does not exist on the real service."},
	"panel_codes": {"code e-CPS {pin}", "e-CPS code {pin}"},
	"panel_card":  {"code carte {pin}", "card code {pin}"},
	"panel_own":   {"code e-CPS choisi à l'activation", "e-CPS code chosen at the activation"},
	"frame_phone": {"Téléphone simulé", "Simulated phone"},
	"panel_as":    {"Se connecter comme {nom}", "Sign in as {nom}"},
	"panel_means": {"Moyen", "Means"},
	"means_any":   {"Par défaut : e-CPS, sinon carte", "Default: e-CPS, otherwise card"},
	"means_ecps":  {"e-CPS", "e-CPS"},
	"means_card":  {"Carte CPS", "CPS card"},
	"panel_fault": {"Pannes et mensonges", "Faults and lies"},
	"fault_none":  {"Aucun mensonge", "No lie"},
	"panel_hint":  {"proposé par l'application", "suggested by the application"},

	"state_ecps_blocked":       {"e-CPS bloquée", "e-CPS blocked"},
	"state_ecps_revoked":       {"e-CPS désactivée", "e-CPS deactivated"},
	"state_ecps_not_activated": {"e-CPS non activée", "e-CPS not activated"},
	"state_card_blocked":       {"carte bloquée", "card blocked"},
	"state_card_expired":       {"carte expirée", "card expired"},
	"state_card_revoked":       {"carte volée", "card stolen"},
	"state_card_none":          {"pas de carte", "no card"},

	// A2
	"connect":      {"Connectez-vous", "Sign in"},
	"for_service":  {"pour accéder à **{service}**", "to access **{service}**"},
	"tabs":         {"Moyens de connexion", "Ways to sign in"},
	"tab_ecps":     {"Application e-CPS", "e-CPS app"},
	"tab_card":     {"Carte CPS", "CPS card"},
	"qr_name":      {"QR code de connexion, valable 2 minutes", "Sign-in QR code, valid for 2 minutes"},
	"qr_scan":      {"Scannez ce QR code avec votre application e-CPS.", "Scan this QR code with your e-CPS app."},
	"qr_phone":     {"Ouvrir le téléphone simulé", "Open the simulated phone"},
	"new_tab":      {"(nouvel onglet)", "(new tab)"},
	"qr_note":      {"Votre vrai téléphone ne peut pas joindre {adresse}. Utilisez le téléphone simulé, ou relancez le simulateur avec une adresse de votre réseau.", "Your real phone cannot reach {adresse}. Use the simulated phone, or restart the simulator with an address of your network."},
	"qr_far":       {"Votre vrai téléphone peut scanner ce QR code s'il est sur le même réseau que le simulateur : il doit pouvoir joindre {adresse}.", "Your real phone can scan this QR code if it is on the same network as the simulator: it must be able to reach {adresse}."},
	"id_label":     {"Identifiant national ou numéro RPPS", "National identifier or RPPS number"},
	"id_hint":      {"11 ou 12 caractères, ou commençant par ANS ; exemple : 99999001011", "11 or 12 characters, or beginning with ANS; for example 99999001011"},
	"id_remember":  {"Se souvenir de mon identifiant sur cet ordinateur", "Remember my identifier on this computer"},
	"ecps_button":  {"SE CONNECTER AVEC L'E-CPS", "SIGN IN WITH E-CPS"},
	"cancel":       {"Annuler et revenir à {service}", "Cancel and return to {service}"},
	"id_empty":     {"Saisissez votre identifiant national ou votre numéro RPPS.", "Enter your national identifier or your RPPS number."},
	"id_form":      {"Cet identifiant n'a pas la forme attendue. Vérifiez les chiffres : un numéro RPPS en compte 11.", "This identifier does not have the expected form. Check the digits: an RPPS number has 11."},
	"id_key":       {"Ce numéro RPPS comporte une erreur de frappe : sa clé de contrôle ne correspond pas.", "This RPPS number contains a typing error: its check digit does not match."},
	"id_unknown":   {"Aucun personnage du simulateur ne porte cet identifiant. Choisissez-en un dans la liste.", "No persona of the simulator has this identifier. Choose one from the list."},
	"ecps_revoked": {"Cette e-CPS a été désactivée. Contactez votre ordre ou votre employeur.", "This e-CPS has been deactivated. Contact your professional body or your employer."},
	"ecps_blocked": {"Votre e-CPS est bloquée après trois codes erronés. Utilisez votre carte CPS ou réactivez votre e-CPS.", "Your e-CPS is blocked after three wrong codes. Use your CPS card or reactivate your e-CPS."},
	"ecps_not_activated": {"Aucune e-CPS n'est activée pour cet identifiant. Utilisez votre carte CPS ou activez votre e-CPS.",
		"No e-CPS is activated for this identifier. Use your CPS card or activate your e-CPS."},
	"door_persona": {"Aucun personnage du simulateur ne s'appelle « {x} ».", "No persona of the simulator is called “{x}”."},
	"door_means":   {"Moyen inconnu : « {x} ». Moyens : `ecps`, `card`.", "Unknown means: “{x}”. Means: `ecps`, `card`."},
	"door_fault":   {"Aucune panne du simulateur ne s'appelle « {x} ».", "No fault of the simulator is called “{x}”."},

	// Where a fault strikes
	"where_metadata":     {"Document de découverte", "Discovery document"},
	"fault_all":          {"Choisir parmi les {nombre} mensonges", "Choose among all {nombre} faults"},
	"where_callback":     {"Retour à l'application", "Return to the application"},
	"where_token":        {"Réponse du point d'échange (token)", "Token answer"},
	"where_id_token":     {"ID token", "ID token"},
	"where_keys":         {"Clés publiées", "Published keys"},
	"where_userinfo":     {"Userinfo", "Userinfo"},
	"where_logout_token": {"Annonce de la fin de session (logout token)", "Logout token"},

	// A3
	"wait":       {"Validez sur votre téléphone", "Confirm on your phone"},
	"wait_sent":  {"Nous avons envoyé une notification au téléphone de l'e-CPS **{identifiant}**.", "We have sent a notification to the phone of the e-CPS **{identifiant}**."},
	"wait_num":   {"Nombre à vérifier :", "Number to check:"},
	"wait_say":   {"Nombre à vérifier : {nombre}", "Number to check: {nombre}"},
	"wait_do":    {"Ouvrez l'application e-CPS, vérifiez que ce nombre est le même, puis saisissez votre code à 4 chiffres.", "Open the e-CPS app, check that this number is the same, then enter your 4-digit code."},
	"remaining":  {"Il vous reste {min} min {s} s.", "You have {min} min {s} s left."},
	"wait_done":  {"J'ai validé sur mon téléphone", "I have confirmed on my phone"},
	"again":      {"Recommencer", "Start again"},
	"use_card":   {"Utiliser ma carte CPS", "Use my CPS card"},
	"wait_help":  {"Je ne reçois pas la notification", "I do not receive the notification"},
	"wait_help2": {"Ouvrez l'application e-CPS : la demande y est affichée. Sur Android 15 et suivants, revenez au navigateur après la validation : l'économiseur de batterie peut l'avoir mis en pause.", "Open the e-CPS app: the request is shown there. On Android 15 and later, go back to the browser after confirming: the battery saver may have paused it."},
	"sim_only":   {"Dans le simulateur seulement", "In the simulator only"},
	"sim_text":   {"Dans la réalité, ce téléphone est dans la poche de son titulaire.", "In reality, this phone is in its owner's pocket."},
	"sim_phone":  {"Ouvrir le téléphone simulé de {nom}", "Open the simulated phone of {nom}"},
	"waiting":    {"En attente de votre validation…", "Waiting for your confirmation…"},
	"scanned":    {"QR code scanné. Terminez sur votre téléphone. Nombre à vérifier : {nombre}", "QR code scanned. Finish on your phone. Number to check: {nombre}"},
	"approved":   {"C'est validé. Retour à {service}…", "Confirmed. Returning to {service}…"},
	"refused":    {"La demande a été refusée sur le téléphone. Si ce n'était pas vous, ne recommencez pas et signalez-le.", "The request was refused on the phone. If that was not you, do not try again and report it."},
	"expired":    {"Le délai est dépassé. Recommencez la connexion.", "Time is up. Start the sign-in again."},
	"blocked":    {"Votre e-CPS vient d'être bloquée après trois codes erronés.", "Your e-CPS has just been blocked after three wrong codes."},
	"go_on":      {"Continuer", "Continue"},
	"used":       {"Cette demande a déjà servi. Recommencez la connexion.", "This request has already been used. Start the sign-in again."},
	"not_yet":    {"Nous n'avons pas encore reçu votre validation. Terminez sur le téléphone, puis réessayez.", "We have not yet received your confirmation. Finish on the phone, then try again."},

	// A4
	"phone_frame":   {"Application e-CPS (simulée)", "e-CPS app (simulated)"},
	"phone_whose":   {"À qui est ce téléphone ?", "Whose phone is this?"},
	"phone_impost":  {"Un téléphone sans e-CPS (l'imposteur)", "A phone without e-CPS (the impostor)"},
	"phone_mine":    {"C'est mon téléphone", "This is my phone"},
	"phone_choose":  {"Choisissez un téléphone.", "Choose a phone."},
	"phone_none":    {"Aucune e-CPS sur ce téléphone.", "No e-CPS on this phone."},
	"phone_none2":   {"Une e-CPS est liée à un seul téléphone, activé avec la carte CPS de son titulaire. La connexion s'arrête ici.", "An e-CPS is tied to a single phone, activated with its holder's CPS card. The sign-in stops here."},
	"phone_request": {"Connexion demandée", "Sign-in requested"},
	"phone_asks":    {"**{service}** demande à vous identifier.", "**{service}** asks to identify you."},
	"phone_same":    {"Le nombre affiché à l'écran est-il **{nombre}** ?", "Is the number on the screen **{nombre}**?"},
	"phone_yes":     {"Oui, c'est le même", "Yes, it is the same"},
	"phone_no":      {"Non, refuser", "No, refuse"},
	"phone_warn":    {"Vous n'êtes pas en train de vous connecter ? Refusez.", "You are not signing in? Refuse."},
	"phone_code":    {"Votre code e-CPS", "Your e-CPS code"},
	"phone_pin":     {"Code à 4 chiffres", "4-digit code"},
	"phone_ok":      {"Valider", "Confirm"},
	"phone_refuse":  {"Refuser la connexion", "Refuse the sign-in"},
	"phone_done":    {"Connexion validée", "Sign-in confirmed"},
	"phone_back":    {"Revenez à l'écran de connexion.", "Go back to the sign-in screen."},
	"phone_return":  {"Revenir au navigateur", "Return to the browser"},
	"phone_nobody":  {"Aucun téléphone n'a reçu cette demande : personne ne peut y répondre.", "No phone has received this request: nobody can answer it."},
	"phone_over":    {"Demande terminée", "Request closed"},
	"phone_of":      {"Téléphone de {nom}", "Phone of {nom}"},
	"pin_empty":     {"Saisissez votre code à 4 chiffres.", "Enter your 4-digit code."},
	"pin_form":      {"Le code compte 4 chiffres.", "The code has 4 digits."},
	"pin_wrong":     {"Code erroné. Il vous reste {essais} essai(s).", "Wrong code. You have {essais} tries left."},
	"pin_last":      {"Code erroné. Dernier essai avant le blocage de votre e-CPS.", "Wrong code. Last try before your e-CPS is blocked."},
	"phone_blocked": {"e-CPS bloquée : trois codes erronés. Dans la réalité, il faut la réactiver.", "e-CPS blocked: three wrong codes. In reality it must be reactivated."},
	"phone_unblock": {"Débloquer cette e-CPS", "Unblock this e-CPS"},
	"phone_refused": {"Connexion refusée. Rien n'a été transmis à {service}.", "Sign-in refused. Nothing was sent to {service}."},
	"phone_expired": {"Cette demande a expiré. Recommencez depuis l'écran de connexion.", "This request has expired. Start again from the sign-in screen."},
	"phone_used":    {"Cette demande a déjà été traitée.", "This request has already been dealt with."},
	"phone_other":   {"Cette demande concerne une autre e-CPS que celle de ce téléphone.", "This request concerns another e-CPS than this phone's."},

	// A5
	"card_text":    {"Vous pouvez vous connecter à ce service en utilisant **votre carte CPS**. Placez votre carte dans le lecteur et cliquez sur « Se connecter avec la carte CPS ».", "You can sign in to this service with **your CPS card**. Put your card in the reader and click “Sign in with the CPS card”."},
	"card_select":  {"Carte dans le lecteur (simulé)", "Card in the reader (simulated)"},
	"card_empty":   {"Aucune carte", "No card"},
	"card_button":  {"SE CONNECTER AVEC LA CARTE CPS", "SIGN IN WITH THE CPS CARD"},
	"card_firefox": {"Les utilisateurs de Firefox peuvent rencontrer un échec de connexion par carte.", "Firefox users may see sign-in by card fail."},
	"card_real":    {"Sur le vrai service, c'est votre ordinateur qui demande ce code, pas cette page.", "On the real service your computer asks for this code, not this page."},
	"card_code":    {"Code porteur", "Card holder's code"},
	"card_of":      {"Carte CPS de {nom}", "CPS card of {nom}"},
	"card_pin":     {"Code porteur (4 chiffres)", "Card holder's code (4 digits)"},
	"card_remove":  {"Retirer la carte", "Remove the card"},
	"card_unblock": {"Débloquer cette carte", "Unblock this card"},
	"card_none":    {"Aucune carte détectée. Insérez votre carte dans le lecteur, puis recommencez.", "No card detected. Put your card in the reader, then try again."},
	"card_wrong":   {"Code porteur erroné. Il vous reste {essais} essai(s).", "Wrong code. You have {essais} tries left."},
	"card_last":    {"Code porteur erroné. Dernier essai avant le blocage de la carte.", "Wrong code. Last try before the card is blocked."},
	"card_blocked": {"Carte bloquée : trois codes erronés. Débloquez-la avec votre code de déblocage à 8 chiffres, ou utilisez votre e-CPS.", "Card blocked: three wrong codes. Unblock it with your 8-digit unblocking code, or use your e-CPS."},
	"card_expired": {"Cette carte a expiré. Utilisez votre nouvelle carte ou votre e-CPS.", "This card has expired. Use your new card or your e-CPS."},
	"card_revoked": {"Cette carte a été déclarée perdue ou volée. Elle ne permet plus de se connecter.", "This card was reported lost or stolen. It can no longer be used to sign in."},
	"card_removed": {"La carte a été retirée. Réinsérez-la et recommencez.", "The card was removed. Put it back and try again."},

	// CIBA
	"ciba_pending":      {"Demandes sans navigateur (CIBA)", "Requests without a browser (CIBA)"},
	"ciba_pending_text": {"Ces applications attendent une réponse. Dans la réalité, elle se donne sur le téléphone ou au lecteur de carte du titulaire.", "These applications wait for an answer. In reality it is given on the holder's phone or card reader."},
	"ciba_reader":       {"Ouvrir le lecteur de carte simulé de {nom}", "Open the simulated card reader of {nom}"},
	"ciba_card_real":    {"Sur le vrai service, c'est le programme CPS-Gestion, installé sur l'ordinateur, qui demande ce code, pas cette page.", "On the real service the program CPS-Gestion, installed on the computer, asks for this code, not this page."},
	"ciba_back":         {"Revenez à {service}.", "Go back to {service}."},
	// A6
	"tab_dele":      {"Délégation", "Delegation"},
	"dele_text":     {"Vous pouvez vous connecter à ce service en utilisant votre **compte d'un fournisseur d'identité tiers**.", "You can sign in to this service with your **account at a third-party identity provider**."},
	"dele_select":   {"Votre fournisseur d'identité", "Your identity provider"},
	"dele_hospital": {"Hôpital Imaginaire (simulé)", "Imaginary Hospital (simulated)"},
	"dele_button":   {"SE CONNECTER VIA UN FOURNISSEUR D'IDENTITÉ", "SIGN IN VIA AN IDENTITY PROVIDER"},
	"dele_choose":   {"Choisissez un fournisseur d'identité.", "Choose an identity provider."},
	"fi":            {"Fournisseur d'identité de l'Hôpital Imaginaire (simulé)", "Identity provider of the Imaginary Hospital (simulated)"},
	"fi_text":       {"Sur le vrai service, cette page est celle de l'établissement : il y vérifie votre identité à sa façon.", "On the real service, this page is the hospital's own: there it checks your identity in its own way."},
	"fi_account":    {"Compte", "Account"},
	"fi_none":       {"Choisissez un compte", "Choose an account"},
	"fi_go":         {"Continuer", "Continue"},
	"fi_choose":     {"Choisissez un compte dans la liste.", "Choose an account from the list."},
	"fi_other":      {"Utiliser un autre moyen de connexion", "Use another way to sign in"},

	// A7
	"confirm":      {"Connexion", "Sign-in"},
	"confirm_text": {"Bonjour **{login}**, confirmez-vous vouloir accéder à **{service}** avec votre compte **{identifiant}** ?", "Hello **{login}**, do you confirm that you want to access **{service}** with your account **{identifiant}**?"},
	"confirm_no":   {"Rejeter", "Reject"},
	"confirm_yes":  {"Confirmer", "Confirm"},
	"confirm_note": {"Ce n'est pas votre compte ? Choisissez « Rejeter », puis identifiez-vous avec vos propres moyens.", "This is not your account? Choose “Reject”, then identify yourself by your own means."},

	// A8
	"a8":            {"Connexion impossible", "Sign-in not possible"},
	"a8_text":       {"L'application qui vous a envoyé ici n'a pas pu être reconnue. Vous n'y êtes pour rien : prévenez son éditeur.", "The application that sent you here could not be recognised. It is not your fault: tell its maker."},
	"a8_dev":        {"Pour le développeur", "For the developer"},
	"a8_client":     {"`client_id` « `{x}` » inconnu. Clients déclarés : `{liste}`.", "`client_id` “`{x}`” is unknown. Declared clients: `{liste}`."},
	"a8_redirect":   {"`redirect_uri` non déclarée. Reçue : `{x}` – Déclarée(s) : `{liste}`. Elles doivent être égales caractère par caractère, barre finale comprise.", "`redirect_uri` is not declared. Received: `{x}` – Declared: `{liste}`. They must be equal character by character, final slash included."},
	"a8_acr":        {"`acr_values=eidas1` est obligatoire. Reçu : `{x}`. (« acr=eidas1 » est une coquille fréquente.)", "`acr_values=eidas1` is required. Received: `{x}`. (“acr=eidas1” is a frequent slip.)"},
	"a8_missing":    {"`{x}` est obligatoire et absent.", "`{x}` is required and missing."},
	"a8_duplicate":  {"Paramètre `{x}` présent deux fois.", "Parameter `{x}` is present twice."},
	"auto_unknown":  {"`login_hint` « `{x}` » : aucun personnage du simulateur ne porte ce nom ni cet identifiant. Personnages : `{liste}`.", "`login_hint` “`{x}`”: no persona of the simulator has this name or identifier. Personas: `{liste}`."},
	"auto_means":    {"Connexion automatique impossible : `{x}`.", "Automatic sign-in is not possible: `{x}`."},
	"a8_unreadable": {"Les paramètres de la demande sont illisibles.", "The parameters of the request cannot be read."},

	// A9
	"a9":      {"Votre demande a expiré", "Your request has expired"},
	"a9_text": {"Revenez à {service} et recommencez.", "Go back to {service} and start again."},
	"a9_any":  {"Revenez à l'application et recommencez.", "Go back to the application and start again."},
	"a9_back": {"Revenir à {service}", "Return to {service}"},

	// A10
	"a10_ask":        {"Se déconnecter de Pro Santé Connect ?", "Sign out of Pro Santé Connect?"},
	"a10_ask_text":   {"Votre session sera fermée pour tous les services.", "Your session will be closed for all services."},
	"a10_yes":        {"Se déconnecter", "Sign out"},
	"a10_stay":       {"Rester connecté", "Stay signed in"},
	"a10_done":       {"Session fermée", "Session closed"},
	"a10_done_text":  {"Vous êtes déconnecté de Pro Santé Connect. Fermez cette fenêtre.", "You are signed out of Pro Santé Connect. Close this window."},
	"a10_bad":        {"L'adresse de retour n'est pas déclarée. Votre session est fermée.", "The return address is not declared. Your session is closed."},
	"a10_undeclared": {"`post_logout_redirect_uri` non déclarée. Reçue : `{x}` – Déclarée(s) : `{liste}`. Elles doivent être égales caractère par caractère, barre finale comprise.", "`post_logout_redirect_uri` is not declared. Received: `{x}` – Declared: `{liste}`. They must be equal character by character, final slash included."},
	"a10_unknown":    {"`post_logout_redirect_uri` sans application connue : ajoutez `id_token_hint` ou `client_id`. Reçue : `{x}`", "`post_logout_redirect_uri` without a known application: add `id_token_hint` or `client_id`. Received: `{x}`"},
	"a10_refused":    {"Déconnexion impossible", "Sign-out not possible"},
	"a10_refused_tx": {"L'application qui vous a envoyé ici a mal demandé votre déconnexion. Vous n'y êtes pour rien : prévenez son éditeur.", "The application that sent you here asked for your sign-out in a wrong way. It is not your fault: tell its maker."},
	"a10_hint":       {"`id_token_hint` refusé : ce n'est pas un ID token signé par ce serveur pour cette application. Aucune session n'a été fermée.", "`id_token_hint` refused: not an ID token signed by this server for this application. No session was closed."},

	// A11
	"a11":            {"Service momentanément indisponible", "Service temporarily unavailable"},
	"a11_text":       {"Veuillez réessayer dans quelques minutes.", "Please try again in a few minutes."},
	"a11_maint":      {"Maintenance", "Maintenance"},
	"a11_maint_text": {"Pro Santé Connect est en maintenance.", "Pro Santé Connect is under maintenance."},

	// A12
	"act":             {"Activer une e-CPS", "Activate an e-CPS"},
	"act_chain":       {"Diplôme, inscription au RPPS, carte CPS, e-CPS : chaque maillon de la chaîne de confiance s'appuie sur le précédent.", "Diploma, entry in the RPPS, CPS card, e-CPS: each link of the chain of trust rests on the one before."},
	"act_1":           {"Insérez votre carte CPS et saisissez son code porteur.", "Insert your CPS card and enter its holder's code."},
	"act_2":           {"Scannez ce QR code avec l'application e-CPS (valable 90 secondes).", "Scan this QR code with the e-CPS app (valid for 90 seconds)."},
	"act_3":           {"Choisissez un code à 4 chiffres, que vous serez seul à connaître.", "Choose a 4-digit code that nobody but you will know."},
	"act_4":           {"Votre e-CPS est activée sur ce téléphone, et sur lui seul.", "Your e-CPS is activated on this phone, and on this phone only."},
	"act_qr":          {"QR code d'activation, valable 90 secondes", "Activation QR code, valid for 90 seconds"},
	"act_is_scan":     {"En attente de votre téléphone…", "Waiting for your phone…"},
	"act_is_late":     {"Le QR code a expiré. Demandez-en un nouveau.", "The QR code has expired. Ask for a new one."},
	"act_is_choose":   {"QR code scanné. Choisissez votre code sur le téléphone.", "QR code scanned. Choose your code on the phone."},
	"act_is_confirm":  {"Un code a été choisi sur le téléphone qui a scanné ce QR code. Ce téléphone est-il le vôtre ?", "A code was chosen on the phone that scanned this QR code. Is that phone yours?"},
	"act_is_done":     {"Votre e-CPS est activée sur le téléphone qui a scanné le QR code, et sur lui seul.", "Your e-CPS is activated on the phone that scanned the QR code, and on that phone only."},
	"act_is_over":     {"Cette activation a expiré. Recommencez.", "This activation has expired. Start again."},
	"act_not_yet":     {"Le téléphone n'a pas encore terminé. Choisissez-y votre code, puis réessayez.", "The phone has not finished yet. Choose your code there, then try again."},
	"act_look":        {"J'ai choisi mon code sur mon téléphone", "I have chosen my code on my phone"},
	"act_renew":       {"Nouveau QR code", "New QR code"},
	"act_yes":         {"Oui, c'est mon téléphone", "Yes, it is my phone"},
	"act_no":          {"Non, tout annuler", "No, cancel everything"},
	"act_drop":        {"Annuler l'activation", "Cancel the activation"},
	"act_dropped":     {"L'activation est annulée. Rien n'a changé.", "The activation is cancelled. Nothing has changed."},
	"act_expired":     {"Cette activation a expiré, ou elle a été commencée dans un autre navigateur. Recommencez.", "This activation has expired, or was begun in another browser. Start again."},
	"act_active":      {"L'e-CPS du titulaire de cette carte est déjà activée.", "The e-CPS of this card's holder is activated already."},
	"act_phone":       {"Activation d'une e-CPS", "Activation of an e-CPS"},
	"act_phone_text":  {"Une e-CPS va être liée à ce téléphone. Continuez seulement si vous venez d'insérer votre carte CPS.", "An e-CPS is about to be tied to this phone. Go on only if you have just inserted your CPS card."},
	"act_here":        {"Utiliser ce téléphone", "Use this phone"},
	"act_choose":      {"Choisissez votre code", "Choose your code"},
	"act_again":       {"Le même code, une seconde fois", "The same code once more"},
	"act_advice":      {"Évitez 0000, 1234 et votre année de naissance.", "Avoid 0000, 1234 and the year of your birth."},
	"act_differ":      {"Les deux codes diffèrent.", "The two codes differ."},
	"act_finish":      {"Terminez sur l'ordinateur", "Finish on the computer"},
	"act_finish_text": {"Confirmez là où votre carte est insérée que ce téléphone est le vôtre.", "Confirm where your card is inserted that this phone is yours."},
	"act_finished":    {"J'ai confirmé sur l'ordinateur", "I have confirmed on the computer"},
	"act_done":        {"e-CPS activée", "e-CPS activated"},
	"act_late":        {"Ce QR code a expiré. Demandez-en un nouveau sur l'ordinateur.", "This QR code has expired. Ask for a new one on the computer."},
	"act_gone":        {"Ce QR code a déjà servi, ou il a expiré. Demandez-en un nouveau sur l'ordinateur.", "This QR code has been used already, or has expired. Ask for a new one on the computer."},

	// A13
	"con":               {"Console", "Console"},
	"con_text":          {"Ce que le simulateur a reçu et répondu, et ce que l'on peut y changer.", "What the simulator was asked and answered, and what can be changed in it."},
	"con_api":           {"La même chose pour les programmes (OpenAPI)", "The same for programs (OpenAPI)"},
	"con_link":          {"Ouvrir la console", "Open the console"},
	"con_link_text":     {"Requêtes, jetons décodés, pannes, horloge et sessions, sur cette machine seulement.", "Requests, decoded tokens, faults, clock and sessions, on this machine only."},
	"con_sections":      {"Parties de la console", "Parts of the console"},
	"con_requests":      {"Requêtes", "Requests"},
	"con_clients":       {"Clients", "Clients"},
	"con_sessions":      {"Sessions", "Sessions"},
	"con_clock":         {"Horloge", "Clock"},
	"con_keys":          {"Clés", "Keys"},
	"con_drills":        {"Exercices d'incident", "Incident drills"},
	"con_reset":         {"Tout remettre à zéro", "Reset everything"},
	"con_only":          {"Application à suivre", "Application to follow"},
	"con_all":           {"Toutes", "All"},
	"con_show":          {"Afficher", "Show"},
	"con_none":          {"Aucune requête pour le moment.", "No request yet."},
	"con_failing":       {"contrôles en échec :", "failing checks:"},
	"con_lies":          {"mensonge :", "lie:"},
	"con_faults_text":   {"La prochaine connexion de l'application choisie mentira ainsi, quelle que soit la façon dont elle se termine. Un mensonge sur les métadonnées ou les clés attend leur prochaine lecture, par n'importe qui.", "The next sign-in of the chosen application will lie so, however it ends. A lie about the metadata or the keys waits for their next reading, by anybody."},
	"con_fault":         {"Mensonge (en anglais)", "Lie"},
	"con_count":         {"Nombre de connexions", "Number of sign-ins"},
	"con_state":         {"Seulement pour ce state (facultatif)", "Only for this state (optional)"},
	"con_queue":         {"Mettre en attente", "Queue"},
	"con_queue_start":   {"Mettre en attente et commencer la connexion", "Queue and begin the sign-in"},
	"con_waiting":       {"En attente", "Queued"},
	"con_reading":       {"prochaine lecture", "next reading"},
	"con_unqueue":       {"Vider la file d'attente", "Empty the queue"},
	"con_unblock_ecps":  {"Débloquer l'e-CPS", "Unblock the e-CPS"},
	"con_block_ecps":    {"Bloquer l'e-CPS", "Block the e-CPS"},
	"con_unblock_card":  {"Débloquer la carte", "Unblock the card"},
	"con_block_card":    {"Bloquer la carte", "Block the card"},
	"con_change":        {"Changer sa situation : {libellé}", "Change the situation: {libellé}"},
	"con_edit":          {"Modifier", "Edit"},
	"con_document":      {"Ajouter ou modifier un personnage (document JSON)", "Add or edit a persona (JSON document)"},
	"con_document_hint": {"Même forme que les fichiers de mockpsc/personas. « Modifier », dans la fiche d'une personne, met son document ici.", "Same form as the files of mockpsc/personas. “Edit”, in a person's entry, puts the document here."},
	"con_put":           {"Enregistrer le personnage", "Save the persona"},
	"con_refused":       {"Refusé : {x}", "Refused: {x}"},
	"con_since":         {"depuis {de}, jusqu'à {a} au plus tard", "since {de}, until {a} at the latest"},
	"con_end":           {"Fermer la session", "End the session"},
	"con_nobody":        {"Personne n'est connecté.", "Nobody is signed in."},
	"con_frozen":        {"arrêtée", "frozen"},
	"con_freeze":        {"Arrêter l'horloge", "Freeze the clock"},
	"con_resume":        {"Relancer l'horloge", "Resume the clock"},
	"con_advance":       {"Avancer de", "Advance by"},
	"con_go":            {"Avancer", "Advance"},
	"con_signs":         {"signe", "signs"},
	"con_former":        {"ancienne, encore publiée", "former, still published"},
	"con_rotate":        {"Renouveler les clés", "Rotate the keys"},
	"con_withdraw":      {"Retirer les anciennes clés", "Withdraw the former keys"},
	"con_on":            {"en cours", "under way"},
	"con_drill_start":   {"Commencer", "Begin"},
	"con_drill_end":     {"Terminer l'exercice", "End the drill"},
	"con_reset_text":    {"Oublie les connexions, les sessions, les jetons, les requêtes, les pannes en attente, les changements de personnages et l'exercice en cours, et remet l'horloge à l'heure. Les clés restent.", "Forgets sign-ins, sessions, tokens, requests, queued faults, changes of personas and the drill under way, and sets the clock right. The keys stay."},
	"con_request":       {"Requête", "Request"},
	"con_back":          {"Revenir aux requêtes", "Back to the requests"},
	"con_when":          {"Reçue à", "Received at"},
	"con_status":        {"Statut de la réponse", "Status of the answer"},
	"con_rule":          {"Règle enfreinte (en anglais)", "Rule that was broken"},
	"con_location":      {"Redirection vers", "Redirect to"},
	"con_query":         {"Paramètres de l'adresse", "Parameters of the address"},
	"con_form":          {"Formulaire", "Form"},
	"con_header":        {"En-tête", "Header"},
	"con_claims":        {"Contenu", "Claims"},
	"con_ok":            {"conforme", "passes"},
	"con_not_ok":        {"à refuser", "to be refused"},

	"drill_outage":          {"Tout le service répond par une page d'erreur 503.", "The whole service answers with an error page, 503."},
	"drill_half_day_outage": {"De même, et au bout de douze heures le service revient de lui-même.", "The same, and after twelve hours the service is back by itself."},
	"drill_maintenance":     {"Tout le service répond par une page de maintenance avec le statut 200.", "The whole service answers with a maintenance page with status 200."},
	"drill_slow_token":      {"Le point d'échange des jetons met 20 secondes à répondre.", "The token endpoint takes 20 seconds to answer."},
	"drill_keys_gone":       {"Le document des clés est introuvable (404).", "The document of the keys is not found (404)."},
	"drill_no_notification": {"La notification n'arrive jamais sur le téléphone.", "The notification never reaches the phone."},
	"drill_phone_refuses":   {"Le téléphone refuse toutes les demandes.", "The phone refuses every request."},
	"drill_struck_off":      {"Toutes les personnes connectées sont radiées du répertoire à l'instant.", "Everybody who is signed in is struck off the register at this moment."},

	// A14
	"a14":      {"Données et droits", "Data and rights"},
	"a14_text": {"Ce simulateur garde en mémoire, jusqu'à son arrêt, les requêtes reçues. Il n'envoie rien ailleurs. Seules les applications qui l'ont demandé apprennent la fin d'une session.", "This simulator keeps the requests it receives in memory until it stops. It sends nothing elsewhere. Only applications that asked for it are told of the end of a session."},
	"a14_link": {"Le vrai service Pro Santé Connect", "The real service Pro Santé Connect (in French)"},
}

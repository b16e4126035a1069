package check

import "strings"

// Words are a sentence in both languages.
type words struct {
	FR string `json:"fr"`
	EN string `json:"en"`
}

func (w words) in(lang string) string {
	if lang == "en" {
		return w.EN
	}
	return w.FR
}

// The severities, in the order of the exit status.
const (
	advice   = "advice"
	minor    = "minor"
	serious  = "serious"
	critical = "critical"
)

var ranks = map[string]int{advice: 0, minor: 1, serious: 2, critical: 3}

// A rule is what an application can break. Its id is stable.
type rule struct {
	id       string
	severity string // at most, where faults found it: theirs counts
	source   string
	what     words
	do       words
}

// rules are all there are, in the order of a sign-in.
var rules = []rule{
	{"response-type", serious, "OpenID Connect Core 3.1.2.1",
		words{"La demande de connexion n'a pas response_type=code.", "The authorization request does not have response_type=code."},
		words{"N'utiliser que le flux « code ».", "Use the code flow only."}},
	{"scope", serious, "Pro Santé Connect",
		words{"La demande de connexion n'a pas exactement scope=openid scope_all.", "The authorization request does not have exactly scope=openid scope_all."},
		words{"Envoyer scope=openid scope_all, ni plus ni moins.", "Send scope=openid scope_all, no more and no less."}},
	{"acr-values-missing", serious, "Pro Santé Connect; OpenID Connect Core 3.1.2.1",
		words{"La demande de connexion n'a pas acr_values=eidas1.", "The authorization request does not have acr_values=eidas1."},
		words{"Envoyer acr_values=eidas1 à chaque demande.", "Send acr_values=eidas1 with every request."}},
	{"state-missing", critical, "RFC 6749 10.12; OpenID Connect Core 3.1.2.1",
		words{"La demande de connexion n'a pas de state : n'importe qui peut faire entrer une victime dans son propre compte.", "The authorization request has no state: anybody can have a victim signed in to his own account."},
		words{"Tirer un state au hasard à chaque connexion, le lier au navigateur par un cookie et le comparer au retour.", "Draw a random state for each sign-in, bind it to the browser by a cookie and compare it at the callback."}},
	{"state-weak", serious, "RFC 6749 10.10",
		words{"Le state se devine : il a moins de 120 bits de hasard apparent.", "The state can be guessed: it has less than 120 bits of apparent entropy."},
		words{"Tirer au moins 16 octets d'un générateur cryptographique.", "Draw at least 16 bytes from a cryptographic generator."}},
	{"state-reused", critical, "RFC 6749 10.12",
		words{"Deux connexions ont le même state.", "Two sign-ins have the same state."},
		words{"Un state neuf par connexion.", "A fresh state for each sign-in."}},
	{"state-chosen", serious, "RFC 6749 10.12",
		words{"Le lien de connexion choisit lui-même le state.", "The link to sign in chooses the state itself."},
		words{"Tirer le state au serveur, quoi que dise l'adresse.", "Draw the state at the server, whatever the address says."}},
	{"state-not-checked", critical, "RFC 6749 10.12; OpenID Connect Core 3.1.2.7",
		words{"L'application prend un retour dont le state n'est pas celui qu'elle a envoyé.", "The application takes a callback whose state is not the one that it sent."},
		words{"Comparer le state au retour, entier et casse comprise, avant toute autre chose.", "Compare the state at the callback, all of it and with its case, before anything else."}},
	{"state-not-bound", critical, "RFC 6749 10.12; RFC 9700 4.7",
		words{"Le retour commencé dans un navigateur ouvre une session dans un autre : le state n'est pas lié au navigateur.", "A sign-in begun in one browser opens a session in another: the state is not bound to the browser."},
		words{"Garder le state dans un cookie du navigateur, et non dans une liste commune.", "Keep the state in a cookie of the browser, not in a list common to all."}},
	{"nonce-missing", critical, "OpenID Connect Core 3.1.2.1, 15.5.2",
		words{"La demande de connexion n'a pas de nonce : un jeton volé ailleurs peut être rejoué ici.", "The authorization request has no nonce: a token stolen elsewhere can be replayed here."},
		words{"Tirer un nonce au hasard à chaque connexion et le comparer à celui de l'ID token.", "Draw a random nonce for each sign-in and compare it with that of the ID token."}},
	{"nonce-weak", serious, "OpenID Connect Core 15.5.2",
		words{"Le nonce se devine : il a moins de 120 bits de hasard apparent.", "The nonce can be guessed: it has less than 120 bits of apparent entropy."},
		words{"Tirer au moins 16 octets d'un générateur cryptographique.", "Draw at least 16 bytes from a cryptographic generator."}},
	{"nonce-reused", critical, "OpenID Connect Core 15.5.2",
		words{"Deux connexions ont le même nonce.", "Two sign-ins have the same nonce."},
		words{"Un nonce neuf par connexion.", "A fresh nonce for each sign-in."}},
	{"pkce-missing", serious, "RFC 7636; RFC 9700 2.1.1",
		words{"La demande de connexion n'a pas de code_challenge (PKCE) : un code intercepté peut servir à un autre.", "The authorization request has no code_challenge (PKCE): a code that was intercepted is of use to somebody else."},
		words{"Envoyer un code_challenge S256 et le code_verifier avec le code.", "Send an S256 code_challenge, and the code_verifier with the code."}},
	{"pkce-plain", serious, "RFC 7636 4.2; RFC 9700 2.1.1",
		words{"PKCE n'est pas fait avec S256 : le code_verifier est à lire dans l'adresse.", "PKCE is not done with S256: the code_verifier can be read in the address."},
		words{"Envoyer code_challenge_method=S256.", "Send code_challenge_method=S256."}},
	{"pkce-reused", serious, "RFC 7636 7.1",
		words{"Deux connexions ont le même code_challenge.", "Two sign-ins have the same code_challenge."},
		words{"Un code_verifier neuf par connexion.", "A fresh code_verifier for each sign-in."}},
	{"redirect-uri-varies", serious, "RFC 9700 2.1; OpenID Connect Core 3.1.2.1",
		words{"Le redirect_uri change d'une connexion à l'autre.", "The redirect_uri differs from one sign-in to the next."},
		words{"Une seule adresse de retour, déclarée mot pour mot ; la suite du chemin se garde avec le state.", "One callback, registered word for word; keep where to go afterwards with the state."}},
	{"redirect-uri-insecure", serious, "RFC 6749 3.1.2.1",
		words{"Le redirect_uri est en http hors de cette machine.", "The redirect_uri is http and not on this machine."},
		words{"Servir le retour en https.", "Serve the callback over https."}},
	{"secret-in-url", critical, "RFC 6750 5.3; RFC 6749 2.3.1",
		words{"Un secret, un vérificateur ou un jeton passe dans une adresse.", "A secret, a verifier or a token travels in an address."},
		words{"N'envoyer secrets et jetons que dans le corps ou l'en-tête d'une requête de serveur à serveur.", "Send secrets and tokens in the body or a header of a request from server to server only."}},

	{"callback-form", minor, "RFC 6749 4.1.2; OpenID Connect Core 3.1.2.5, 3.1.2.6",
		words{"L'application ouvre une session sur un retour qui n'en permet pas : erreur, code absent, double ou inventé.", "The application opens a session on a callback that allows none: an error, or a code that is missing, doubled or invented."},
		words{"Lire l'erreur d'abord ; n'accepter qu'un code, et rien tant qu'il n'est pas échangé.", "Read the error first; take one code only, and nothing until it is redeemed."}},
	{"script-in-error", serious, "RFC 6749 10.14",
		words{"L'application affiche la description d'une erreur sans l'échapper : un script s'y exécute.", "The application shows the description of an error unescaped: a script in it runs."},
		words{"Ne rien afficher de error_description, ou l'échapper.", "Show nothing of error_description, or escape it."}},
	{"issuer-parameter", serious, "RFC 9207 2.4",
		words{"Le iss du retour n'est pas comparé à l'émetteur (mélange de fournisseurs).", "The iss of the callback is not compared with the issuer (mix-up)."},
		words{"Comparer iss, lettre pour lettre, à l'émetteur configuré.", "Compare iss, letter by letter, with the issuer of the configuration."}},
	{"code-injection", critical, "RFC 9700 4.5",
		words{"Le code d'une autre personne, glissé dans le retour, ouvre sa session.", "Another person's code, slipped into the callback, opens that person's session."},
		words{"PKCE (S256), et comparer le nonce.", "Use PKCE (S256), and compare the nonce."}},
	{"callback-replay", serious, "RFC 6749 4.1.2, 10.5",
		words{"La même adresse de retour, ouverte une seconde fois, ouvre une seconde session.", "The same callback, opened a second time, opens a second session."},
		words{"Dépenser le state et le code au premier usage.", "Spend state and code at their first use."}},

	{"id-token-not-required", critical, "OpenID Connect Core 3.1.3.3, 3.1.3.5",
		words{"L'application se passe de l'ID token : l'access token seul ouvre une session.", "The application does without an ID token: the access token alone opens a session."},
		words{"Refuser une réponse sans id_token.", "Refuse an answer without id_token."}},
	{"token-confusion", serious, "OpenID Connect Core 3.1.3.7; RFC 8725 3.11, 3.12",
		words{"Un jeton d'une autre sorte passe pour un ID token.", "A token of another kind passes for an ID token."},
		words{"Vérifier typ, nonce et aud ; refuser un jeton avec events.", "Check typ, nonce and aud; refuse a token with events."}},
	{"answer-form", minor, "RFC 6749 5.1; OpenID Connect Core 3.1.3.3, 5.3.2",
		words{"Une réponse qui n'en est pas une (erreur, page, mauvais type, trop grande, mal formée) ouvre une session.", "An answer that is none (an error, a page, a wrong type, too big, malformed) opens a session."},
		words{"Statut 200, JSON seul, bien formé, de taille bornée et des types attendus ; sinon refuser.", "Status 200, JSON alone, well formed, of bounded size and of the expected types; otherwise refuse."}},
	{"redirect-followed", serious, "RFC 9700 4.12",
		words{"L'application suit une redirection du serveur vers un hôte que personne n'a configuré, et lui confie code, secret ou jeton.", "The application follows a redirect of the server to a host that nobody configured, and entrusts code, secret or token to it."},
		words{"Ne suivre aucune redirection en parlant au fournisseur.", "Follow no redirect when talking to the provider."}},
	{"signature-not-checked", critical, "OpenID Connect Core 3.1.3.7 (6)",
		words{"La signature de l'ID token n'est pas vérifiée : n'importe qui peut écrire qui il est.", "The signature of the ID token is not checked: anybody can write who he is."},
		words{"Vérifier la signature avec les clés publiées de Pro Santé Connect, RS256 seulement, avant de lire quoi que ce soit.", "Check the signature with the keys that Pro Santé Connect publishes, RS256 only, before reading anything."}},
	{"alg-none", critical, "RFC 8725 3.2; OpenID Connect Core 3.1.3.7 (7)",
		words{"Un ID token sans signature (alg none) est pris.", "An ID token without a signature (alg none) is taken."},
		words{"Fixer l'algorithme à RS256, quoi que dise l'en-tête du jeton.", "Fix the algorithm at RS256, whatever the token's header says."}},
	{"alg-confusion", critical, "RFC 8725 3.1, 2.1",
		words{"Un ID token HS256 est pris, signé avec ce que tout le monde connaît ou avec le secret du client.", "An HS256 ID token is taken, signed with what everybody knows or with the client's secret."},
		words{"Fixer l'algorithme à RS256, quoi que dise l'en-tête du jeton.", "Fix the algorithm at RS256, whatever the token's header says."}},
	{"alg-not-fixed", minor, "OpenID Connect Core 3.1.3.7 (7)",
		words{"Un autre algorithme que RS256 est pris.", "Another algorithm than RS256 is taken."},
		words{"Fixer l'algorithme à RS256.", "Fix the algorithm at RS256."}},
	{"key-from-token", critical, "RFC 8725 3.10; RFC 7515 4.1",
		words{"L'application vérifie l'ID token avec une clé que le jeton apporte lui-même.", "The application verifies the ID token with a key that the token itself brings."},
		words{"Ignorer jwk, jku, x5c et x5u, ou refuser le jeton.", "Ignore jwk, jku, x5c and x5u, or refuse the token."}},
	{"keys-not-checked", serious, "OpenID Connect Core 10.1; RFC 7517 4.2, 4.3, 4.4",
		words{"Une clé publiée qui ne doit pas signer (autre usage, trop courte, symétrique…) vérifie un ID token.", "A published key that must not sign (another use, too short, symmetric…) verifies an ID token."},
		words{"Ne retenir que les clés RSA de 2048 bits au moins, use=sig, alg=RS256, d'un document bien formé.", "Keep RSA keys only, of 2048 bits at least, use=sig, alg=RS256, from a well-formed document."}},
	{"metadata-not-checked", serious, "OpenID Connect Discovery 4.3",
		words{"Des métadonnées fausses ou mal formées sont prises.", "Metadata that are wrong or malformed are taken."},
		words{"Comparer issuer à la configuration, et n'accepter que des adresses https du même hôte.", "Compare issuer with the configuration, and take addresses of the same host over https only."}},
	{"token-form", minor, "RFC 7515 3.1, 5.2, 4.1.11; RFC 8725 3.2",
		words{"Un ID token mal formé est pris.", "A malformed ID token is taken."},
		words{"Exactement trois parties en base64url canonique, un objet JSON chacune, de taille bornée.", "Exactly three parts in canonical base64url, one JSON object each, of bounded size."}},
	{"issuer-not-checked", critical, "OpenID Connect Core 3.1.3.7 (2)",
		words{"Le iss de l'ID token n'est pas vérifié.", "The iss of the ID token is not checked."},
		words{"Comparer iss, lettre pour lettre, à l'émetteur configuré.", "Compare iss, letter by letter, with the issuer of the configuration."}},
	{"audience-not-checked", critical, "OpenID Connect Core 3.1.3.7 (3)",
		words{"Le aud de l'ID token n'est pas vérifié : un jeton émis pour une autre application ouvre une session ici.", "The aud of the ID token is not checked: a token issued to another application opens a session here."},
		words{"aud doit être le client_id et nul autre.", "aud must be the client_id and nobody else."}},
	{"azp-not-checked", serious, "OpenID Connect Core 3.1.3.7 (5)",
		words{"Le azp de l'ID token n'est pas vérifié.", "The azp of the ID token is not checked."},
		words{"Présent, azp doit être le client_id.", "If there is an azp, it must be the client_id."}},
	{"expiry-not-checked", serious, "OpenID Connect Core 3.1.3.7 (9)",
		words{"L'expiration de l'ID token n'est pas vérifiée.", "The expiry of the ID token is not checked."},
		words{"exp est obligatoire, un nombre, et dans l'avenir.", "exp is required, a number, and in the future."}},
	{"times-not-checked", serious, "OpenID Connect Core 3.1.3.7 (10); RFC 7519 4.1.5",
		words{"iat, nbf ou auth_time de l'ID token ne sont pas vérifiés.", "iat, nbf or auth_time of the ID token are not checked."},
		words{"iat est obligatoire, proche de maintenant ; nbf n'est pas dans l'avenir ; tous sont des nombres.", "iat is required and close to now; nbf is not in the future; all are numbers."}},
	{"nonce-not-checked", critical, "OpenID Connect Core 3.1.3.7 (11)",
		words{"Le nonce de l'ID token n'est pas comparé à celui qui a été envoyé.", "The nonce of the ID token is not compared with the one that was sent."},
		words{"Le comparer, entier et casse comprise ; absent, refuser.", "Compare it, all of it and with its case; if it is missing, refuse."}},
	{"subject-not-checked", critical, "OpenID Connect Core 2, 3.1.3.7",
		words{"Un ID token sans sub, ou avec un sub qui n'est pas un texte, ouvre une session.", "An ID token without a sub, or with one that is no text, opens a session."},
		words{"sub est obligatoire : un texte de 1 à 255 caractères.", "sub is required: a text of 1 to 255 characters."}},
	{"acr-not-checked", serious, "OpenID Connect Core 3.1.3.7 (12); Pro Santé Connect",
		words{"Le acr de l'ID token n'est pas vérifié : une connexion plus faible qu'eidas1 est prise.", "The acr of the ID token is not checked: a sign-in weaker than eidas1 is taken."},
		words{"N'accepter que eidas1, eidas2 ou eidas3, lettre pour lettre ; absent, refuser.", "Take eidas1, eidas2 or eidas3 only, letter by letter; if it is missing, refuse."}},
	{"at-hash-not-checked", serious, "OpenID Connect Core 3.1.3.8",
		words{"Le at_hash de l'ID token n'est pas vérifié.", "The at_hash of the ID token is not checked."},
		words{"Présent, le comparer à l'empreinte de l'access token.", "If there is one, compare it with the hash of the access token."}},
	{"case-folded", critical, "RFC 7519 10.1.1; RFC 8259",
		words{"Les noms des membres JSON sont lus sans égard à la casse : « Sub » passe pour « sub ».", "The names of JSON members are read without regard to case: “Sub” passes for “sub”."},
		words{"Lire les noms lettre pour lettre (encoding/json de Go ne le fait pas).", "Read the names letter by letter (Go's encoding/json does not)."}},
	{"duplicates", minor, "RFC 8725 2.4; RFC 7519 4",
		words{"Un membre ou un paramètre donné deux fois est pris : deux lecteurs y liraient deux choses.", "A member or parameter that is given twice is taken: two readers would read two things."},
		words{"Refuser les doubles.", "Refuse duplicates."}},
	{"userinfo-sub-not-checked", critical, "OpenID Connect Core 5.3.2",
		words{"Le sub de userinfo n'est pas comparé à celui de l'ID token : l'identité d'une autre personne est prise.", "The sub of userinfo is not compared with that of the ID token: another person's identity is taken."},
		words{"Les deux sub doivent être le même texte ; sinon ne rien utiliser de userinfo.", "Both must be the same text; otherwise use nothing of userinfo."}},
	{"identifier-not-checked", critical, "Pro Santé Connect",
		words{"Le SubjectNameID (RPPS) de userinfo n'est ni vérifié ni comparé à celui de l'ID token.", "The SubjectNameID (RPPS) of userinfo is neither checked nor compared with that of the ID token."},
		words{"Exiger un texte non vide, une clé juste, et le même que dans l'ID token.", "Require a text that is not empty, a right key, and the same as in the ID token."}},
	{"userinfo-unused", advice, "Pro Santé Connect",
		words{"La session s'ouvre sans userinfo : l'application ne le lit pas, ou s'en passe quand il manque.", "The session opens without userinfo: the application does not read it, or does without when it is missing."},
		words{"Si le nom, la profession ou le lieu d'exercice comptent, lire userinfo et refuser quand il manque.", "If name, profession or place of practice matter, read userinfo and refuse when it is missing."}},

	{"open-return-path", serious, "RFC 9700 4.11; CWE-601",
		words{"Après la connexion l'application envoie le navigateur où le lien le voulait, sur un autre site.", "After the sign-in the application sends the browser where the link wanted, to another site."},
		words{"N'accepter qu'un chemin d'ici : commence par un seul /, ni \\ ni caractère de contrôle, et relu comme un navigateur le lit.", "Take a path of this site only: it begins with one /, has no \\ and no control character, and is parsed as browsers do."}},
	{"session-fixation", serious, "CWE-384; OWASP ASVS 3.2.1",
		words{"Un cookie d'avant la connexion, que quelqu'un d'autre a pu poser, ouvre la session.", "A cookie from before the sign-in, which somebody else may have planted, opens the session."},
		words{"Donner à la connexion un identifiant de session tiré au serveur, et oublier l'ancien.", "Give a session identifier at sign-in that the server draws, and forget the old one."}},
	{"previous-session-stays", serious, "OWASP ASVS 3.2.1; CWE-488",
		words{"Quand une seconde personne se connecte dans le même navigateur, la session reste celle de la première.", "When a second person signs in in the same browser, the session remains the first person's."},
		words{"À chaque connexion réussie, ouvrir une session neuve pour qui vient de se connecter, quelle que soit celle d'avant.", "At each sign-in that succeeds, open a fresh session for who has just signed in, whatever was there before."}},
	{"cookie-not-httponly", serious, "RFC 6265 8.3; OWASP ASVS 3.4.2",
		words{"Le cookie de session n'est pas HttpOnly : un script peut le lire.", "The session cookie is not HttpOnly: a script can read it."},
		words{"Poser HttpOnly.", "Set HttpOnly."}},
	{"cookie-not-secure", serious, "RFC 6265 8.3; OWASP ASVS 3.4.1",
		words{"Le cookie de session n'est pas Secure sur un site https.", "The session cookie is not Secure on an https site."},
		words{"Poser Secure, et si possible le préfixe __Host-.", "Set Secure, and the prefix __Host- if possible."}},
	{"cookie-samesite", minor, "RFC 6265bis 5.7.7; OWASP ASVS 3.4.3",
		words{"Le cookie de session ne dit pas SameSite, ou dit None.", "The session cookie does not say SameSite, or says None."},
		words{"Poser SameSite=Lax.", "Set SameSite=Lax."}},
	{"page-cacheable", advice, "RFC 9111 5.2.2.5; OWASP ASVS 8.2.1",
		words{"La page de la personne connectée n'interdit pas qu'on la garde (Cache-Control).", "The page of the person who is signed in does not forbid that it is kept (Cache-Control)."},
		words{"Envoyer Cache-Control: no-store avec des données de santé.", "Send Cache-Control: no-store with health data."}},

	{"logout-by-get", minor, "RFC 9110 9.2.1; CWE-352",
		words{"Un simple lien d'un autre site déconnecte la personne : la déconnexion répond à GET.", "A mere link on another site signs the person out: logout answers to GET."},
		words{"Ne déconnecter que sur POST.", "Sign out on POST only."}},
	{"logout-fails", serious, "Pro Santé Connect",
		words{"Après la déconnexion la personne est toujours connectée.", "After signing out the person is still signed in."},
		words{"Terminer la session, et effacer son cookie.", "End the session, and delete its cookie."}},
	{"session-outlives-logout", minor, "OWASP ASVS 3.3.1",
		words{"Un cookie copié avant la déconnexion ouvre encore la session.", "A cookie that was copied before signing out still opens the session."},
		words{"Terminer la session au serveur, et non seulement dans le navigateur.", "End the session at the server, not in the browser only."}},
	{"logout-only-here", serious, "OpenID Connect RP-Initiated Logout; Pro Santé Connect",
		words{"La déconnexion laisse la session de Pro Santé Connect ouverte : le suivant à ce poste entre sans code.", "Signing out leaves the session at Pro Santé Connect open: who comes next to this desk gets in without a code."},
		words{"Envoyer le navigateur au end_session_endpoint avec id_token_hint.", "Send the browser to the end_session_endpoint with id_token_hint."}},
	{"logout-without-hint", advice, "OpenID Connect RP-Initiated Logout 2",
		words{"À la déconnexion Pro Santé Connect doit redemander : id_token_hint manque.", "At logout Pro Santé Connect has to ask again: id_token_hint is missing."},
		words{"Garder l'ID token et l'envoyer comme id_token_hint.", "Keep the ID token and send it as id_token_hint."}},
	{"logout-token-not-checked", critical, "OpenID Connect Back-Channel Logout 2.6",
		words{"Un jeton de déconnexion faux ou mal formé termine une session : n'importe qui peut déconnecter les autres.", "A logout token that is forged or malformed ends a session: anybody can sign others out."},
		words{"Le vérifier comme un ID token, puis events, iat, jti, sub ou sid, et l'absence de nonce.", "Check it as an ID token, then events, iat, jti, sub or sid, and that there is no nonce."}},

	{"provider-down", serious, "Pro Santé Connect",
		words{"Quand Pro Santé Connect ne répond pas, l'application tombe, attend sans fin, ou déconnecte ceux qui sont là.", "When Pro Santé Connect does not answer, the application breaks, waits without end, or signs out who is in."},
		words{"Vivre sur sa propre session ; dire au nouveau venu que Pro Santé Connect ne répond pas.", "Live on a session of its own; tell newcomers that Pro Santé Connect does not answer."}},
	{"crashes", serious, "CWE-248",
		words{"L'application s'arrête : une seule réponse du fournisseur la fait tomber pour tout le monde.", "The application stops: one answer of the provider takes it down for everybody."},
		words{"Attraper l'erreur, et refuser la connexion.", "Catch the error, and refuse the sign-in."}},
	{"breaks-down", minor, "CWE-755",
		words{"L'application répond 500 ou coupe la connexion au lieu de refuser.", "The application answers 500 or breaks the connection instead of refusing."},
		words{"Une page qui dit que la connexion a échoué et quoi faire.", "A page that says that the sign-in failed and what to do."}},
	{"hangs", minor, "CWE-400",
		words{"L'application attend sans fin ce qui ne vient pas.", "The application waits without end for what does not come."},
		words{"Borner chaque appel au fournisseur, corps compris, à une dizaine de secondes.", "Bound each call to the provider, its body too, at some ten seconds."}},
	{"does-not-recover", serious, "CWE-755",
		words{"Après un mensonge du fournisseur, une connexion honnête ne passe plus.", "After a lie of the provider an honest sign-in fails."},
		words{"Ne rien garder d'une réponse refusée.", "Keep nothing of an answer that was refused."}},
	{"begins-again", advice, "OpenID Connect Core 3.1.2.6",
		words{"Refusée, la connexion recommence sans un mot : la personne tourne en rond.", "Refused, the sign-in begins again without a word: the person goes round in circles."},
		words{"Montrer une page, et laisser la personne recommencer.", "Show a page, and let the person begin again."}},
}

var ruleByID = func() map[string]*rule {
	m := map[string]*rule{}
	for i := range rules {
		m[rules[i].id] = &rules[i]
	}
	return m
}()

// A kin says which rule a fault tries. If an application that takes the fault
// takes the plainer one too, it is that one's rule which is broken.
type kin struct {
	rule    string
	plainer []string
}

// kinOf finds the rule of a fault.
func kinOf(name, where string) kin {
	if k, ok := kins[name]; ok {
		return k
	}
	has := func(part string) bool { return strings.Contains(name, part) }
	unsigned := []string{"bad-signature"}
	switch where {
	case "logout_token":
		return kin{rule: "logout-token-not-checked"}
	case "metadata":
		return kin{rule: "metadata-not-checked"}
	case "keys":
		return kin{"keys-not-checked", unsigned}
	case "callback":
		switch {
		case has("state"):
			return kin{rule: "state-not-checked"}
		case has("iss-parameter"):
			return kin{rule: "issuer-parameter"}
		}
		return kin{rule: "callback-form"}
	case "token":
		switch {
		case has("redirected"):
			return kin{rule: "redirect-followed"}
		case has("for-id-token"):
			return kin{"token-confusion", unsigned}
		case has("id-token"):
			return kin{rule: "id-token-not-required"}
		}
		return kin{rule: "answer-form"}
	case "userinfo":
		switch {
		case has("redirected"):
			return kin{rule: "redirect-followed"}
		case has("identifier"):
			return kin{rule: "identifier-not-checked"}
		case has("sub"):
			return kin{rule: "userinfo-sub-not-checked"}
		}
		return kin{rule: "answer-form"}
	}
	switch { // of the ID token
	case has("payload"): // it is signed well
		return kin{rule: "token-form"}
	case has("typ-of"):
		return kin{"token-confusion", unsigned}
	case has("alg-none"):
		return kin{"alg-none", unsigned}
	case has("hs256"):
		return kin{"alg-confusion", unsigned}
	case has("alg"), has("rs512"), has("ps256"):
		return kin{"alg-not-fixed", unsigned}
	case has("signature"), has("kid"), has("unknown-key"):
		return kin{"signature-not-checked", nil}
	case has("embedded"), has("elsewhere"):
		return kin{"key-from-token", unsigned}
	case has("issuer"):
		return kin{rule: "issuer-not-checked"}
	case has("audience"):
		return kin{rule: "audience-not-checked"}
	case has("azp"):
		return kin{rule: "azp-not-checked"}
	case has("exp"):
		return kin{rule: "expiry-not-checked"}
	case has("iat"), has("not-yet-valid"), has("auth-time"):
		return kin{rule: "times-not-checked"}
	case has("nonce"):
		return kin{rule: "nonce-not-checked"}
	case has("acr"):
		return kin{rule: "acr-not-checked"}
	case has("at-hash"):
		return kin{rule: "at-hash-not-checked"}
	case has("sub"):
		return kin{rule: "subject-not-checked"}
	}
	return kin{"token-form", unsigned}
}

// kins are those whose name does not say it.
var kins = map[string]kin{
	"second-state":         {"duplicates", []string{"wrong-state"}},
	"second-iss-parameter": {"duplicates", []string{"wrong-iss-parameter"}},
	"second-code":          {rule: "duplicates"},
	"swapped-code":         {rule: "code-injection"},

	"second-id-token": {"duplicates", []string{"bad-signature"}},
	"id-token-folded": {"case-folded", []string{"no-id-token"}},

	"second-issuer":             {"duplicates", []string{"wrong-issuer"}},
	"second-audience":           {"duplicates", []string{"wrong-audience"}},
	"second-exp":                {"duplicates", []string{"expired"}},
	"second-nonce":              {"duplicates", []string{"wrong-nonce"}},
	"second-acr":                {"duplicates", []string{"weak-acr"}},
	"second-alg":                {"duplicates", []string{"bad-signature", "alg-none-with-signature"}},
	"second-kid":                {"duplicates", []string{"bad-signature", "stolen-kid"}},
	"duplicate-sub":             {"duplicates", nil},
	"folded-nonce":              {"case-folded", []string{"missing-nonce"}},
	"folded-sub":                {"case-folded", []string{"missing-sub"}},
	"sub-with-a-long-s":         {"case-folded", []string{"missing-sub"}},
	"signed-by-encryption-key":  {"keys-not-checked", []string{"bad-signature"}},
	"logout-token-for-id-token": {"token-confusion", nil},
	"sub-of-another":            {rule: "userinfo-sub-not-checked"},

	"other-sub":                  {rule: "userinfo-sub-not-checked"},
	"userinfo-of-another":        {rule: "userinfo-sub-not-checked"},
	"record-of-another":          {rule: "identifier-not-checked"},
	"userinfo-second-sub":        {"duplicates", []string{"other-sub"}},
	"userinfo-second-identifier": {"duplicates", []string{"record-of-another"}},
	"userinfo-folded-sub":        {"case-folded", []string{"userinfo-without-sub"}},
	"userinfo-folded-identifier": {"case-folded", []string{"userinfo-without-identifier"}},
}

// within are the rules that cannot be kept once another is broken: what is
// never sent cannot be compared. The broken one tells it all.
var within = map[string][]string{
	"state-not-checked": {"state-missing"},
	"state-not-bound":   {"state-missing", "state-not-checked"},
	"nonce-not-checked": {"nonce-missing"},
}

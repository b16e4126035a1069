// Package mockpsc imitates Pro Santé Connect, the OpenID Connect provider of
// the French State for health professionals, for development, tests and
// demonstrations. It needs no network, no card, no telephone and no account,
// and it lies on demand.
//
// Three names come first. [NewServer] starts a provider for one test,
// [Server.SignIn] walks through a sign-in as a person with a browser would, and
// [Faults] lists the ways in which the provider can lie:
//
//	p := mockpsc.NewServer(t)
//	app := newApp(p.URL) // the app under test, pointed at the mock
//	resp, err := p.SignIn(app.Client(), app.URL+"/login", "dr-dupont")
//	…
//	for _, f := range mockpsc.Faults() {
//		resp, err := p.SignIn(newBrowser(), app.URL+"/login", "dr-dupont", f.Name)
//		// the app must have refused
//	}
//
// A [Server] is an [http.Handler] whose zero value works, so that a program may
// also embed it or serve it alone, as the command mockpsc does.
//
// # Policy
//
// The mock is strict by default: where the specification leaves a choice, or
// where what the real service does is not known, it refuses what a careful
// client would not send and says which rule was broken. Among the points in
// which it is stricter than the real service: an authorization code lives 30 seconds,
// state, nonce and acr_values=eidas1 are compulsory, a code_verifier
// without a code_challenge is refused, and so is code_challenge_method=plain.
//
// Clients authenticate by a secret or, over https, by a certificate. Where it
// is refused the answer is Keycloak's, which tells nothing, and the header
// X-Mock-PSC-Error says why. A token that was got with a certificate is good
// without it, unless the client has CertificateBoundTokens (RFC 8705, section 3).
//
// It cannot be mistaken for the real service: every answer carries the header
// X-Mock-PSC, every page a ribbon, nothing persists, the keys are made anew in
// each process, an issuer under esante.gouv.fr is refused, and without a
// configured issuer only requests to a loopback host are answered.
//
// It shares no code with the client of this module: if one struct both wrote
// and read a claim, a misspelt name would be invisible. The people are JSON
// documents, served byte for byte.
//
// What is known of the real service, how surely, and what the mock does about it
// is in docs/fidelity.md, with the switch for each point that has one.
//
// # After the sign-in
//
// A refresh token gives three new tokens and is spent; it lives 30 minutes, and
// no longer than the four hours of the session. Any declared client may
// introspect a token; only its own client may revoke it. A session that somebody
// ends is told to the applications that declare a BackchannelLogoutURI.
// [Server.RotateKeys] changes the keys. The lifetimes and the members of an
// introspection are the real service's; rotation, reuse, revocation, back-channel
// logout and the words of a refusal are inferred from Keycloak, which it is
// underneath.
//
// # What a refused authorization request gets
//
// An unknown client, an undeclared redirect_uri and a parameter given twice get
// a page, never a redirect (RFC 6749, section 4.1.2.1). A missing state or
// nonce and a missing or different acr_values get a page as well, although a
// redirect would be allowed: it is the developer who must read it. Faults of
// response_type, scope, prompt, max_age, response_mode, request objects and
// PKCE go back to the redirect_uri with error, error_description, state and iss.
//
// Each refusal by the mock itself, page or JSON, repeats the rule in English in
// the header X-Mock-PSC-Error, for programs.
//
// # Lies
//
// [Faults] is the list: wrong answers of every endpoint that a client meets, each
// with how much harm it does to whoever believes it. A sign-in lies by
// [Server.SignIn], by the panel beside its page, or by [Server.Queue]; a whole
// relying party is lied to by the name of the fault at the end of the issuer,
// <base>/auth/realms/esante-wallet~expired, which reaches metadata and keys, too,
// and disturbs nobody else. [Server.Drill] is another matter: it breaks the
// service for everybody.
//
// # Driving it
//
// A developer sees and changes everything at /_mock/, a program in any language
// at /_mock/api/, described by openapi.json. Both answer this machine only, and no
// page of another site, unless [Server.OpenConsole] says otherwise. The latest 200
// requests of each client are kept for them, with tokens and without a secret.
//
// # Phones
//
// The simulated phone stands beside the sign-in page. For a real one set
// [Server.PhoneURL] and serve [Server.PhoneHandler] there: it answers for the
// phone and for nothing else. An e-CPS is activated, from a card that works, at
// /_mock/activation.
//
// # Without a browser
//
// Every client may ask for a sign-in by CIBA in poll mode, by e-CPS
// (channel=MOBILE) or by card (channel=CARD). The front page of the mock links
// to the simulated phone or card reader of whoever is asked; in a test
// [Server.AnswerCIBA] answers. The interval is one second, and a client that
// asks too early is told slow_down even if the person has answered.
//
// Beside PSC stands the authorization server of an imaginary API of the Espace
// de Confiance, with the issuer <base>/auth/realms/api: it exchanges an active
// access token of PSC for its own (RFC 8693). Its signing key is its own, too.
package mockpsc

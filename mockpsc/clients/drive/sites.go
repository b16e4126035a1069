package main

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// A site is one application around a foreign client, with one way of client
// authentication.
type site struct {
	name   string
	server string // flag with its base URL
	path   string // of all that follows

	pkce    bool   // sends a code_challenge
	start   string // leads to the sign-in
	show    string // tells who is signed in
	refresh string // renews the tokens; "" if nobody can ask for that
	logout  func(base string) string
	bye     string // where a sign-out ends
	read    func(text []byte) (*person, error)

	accepts []string // values of acr; nil: whatever comes, and none
	refusal string   // what the page says to whoever comes with another

	column   string // in the table of faults; "": once for each library is enough
	lies     bool   // it can be sent to an issuer of its own, with its faults in the address; else they are chosen at the sign-in page
	atOnce   int    // sign-ins that it bears
	slow     *bool  // of the faults, those that take their time or the others; nil: both
	apart    bool   // it tells userinfo from the ID token
	accident bool   // its status 500 is no refusal
}

// A visit is a person with a means.
type visit struct {
	persona, means string
	acr, layout    string
	family         string // "" if it does not matter
}

var visits = []visit{
	{persona: "dr-dupont", means: "ecps", acr: "eidas1", layout: "newer layout"},
	{persona: "dr-dupont", means: "card", acr: "eidas2", layout: "newer layout"},
	{persona: "dr-dupont", means: "delegation", acr: "eidas1", layout: "newer layout"},
	{persona: "dr-martin", means: "ecps", acr: "eidas1", layout: "older layout"},
	{persona: "dr-martin", means: "card", acr: "eidas2", layout: "older layout"},
	{persona: "dr-martin", means: "delegation", acr: "eidas1", layout: "older layout"},
	{persona: "kine-legoff", means: "card", acr: "eidas1", layout: "older layout", family: "LE GOFF D'ARVOR"},
	{persona: "ipa-delatour", means: "ecps", acr: "eidas1", layout: "newer layout", family: "DE LA TOUR D'ARGENÇON-SŒURETTE DU PLESSIS-L'HAŸ"},
	{persona: "ipa-delatour", means: "card", acr: "eidas2", layout: "newer layout", family: "DE LA TOUR D'ARGENÇON-SŒURETTE DU PLESSIS-L'HAŸ"},
	{persona: "sans-dossier", means: "ecps", acr: "eidas1", layout: "no record"},
	{persona: "mil-vidal", means: "card", acr: "eidas3", layout: "newer layout"},
	{persona: "profil-reduit", means: "ecps", acr: "", layout: "older layout"},
}

var sites = []*site{
	openIDClient("6", "client_secret_basic"),
	openIDClient("6", "client_secret_post"),
	openIDClient("6", "tls_client_auth"),
	openIDClient("5", "client_secret_basic"),
	openIDClient("5", "client_secret_post"),
	openIDClient("5", "tls_client_auth"),
	openIDClient("web", "client_secret_basic"),
	openIDClient("web", "client_secret_post"),

	apache("secret", "secret and certificate"),
	apache("tls", "tls_client_auth"),

	lemonLDAP("client_secret_post", true, "eidas1"),
	lemonLDAP("client_secret_basic", false, "eidas1", "eidas2"),
}

// openIDClient is npm's, and oauth4webapi below it. Without more ado version 6
// checks no signature, for the ID token comes straight from PSC over TLS; with
// client_secret_post it is told to check them.
func openIDClient(version, way string) *site {
	name, column := "openid-client "+version, "openid-client-"+version
	switch {
	case version == "web":
		name, column = "oauth4webapi", "oauth4webapi"
	case version == "6" && way == "client_secret_post":
		name, column = name+" with signatures checked", column+"-signatures"
	}
	s := &site{
		name: name + ", " + way, server: "openid-client", path: "/" + version + "/" + way,
		pkce: true, start: "/login", show: "/me", refresh: "/refresh", logout: func(string) string { return "/logout" }, bye: "/bye",
		read: readJSON,
		lies: true, atOnce: 4, apart: true, accident: true,
	}
	if way == "client_secret_basic" || version == "6" && way == "client_secret_post" {
		s.column = column
	}
	return s
}

func apache(server, way string) *site {
	s := &site{
		name: "mod_auth_openidc, " + way, server: "apache-" + server,
		pkce: true, start: "/secure/psc", show: "/secure/psc", bye: "/bye",
		logout: func(base string) string { return "/secure/psc/redirect?logout=" + url.QueryEscape(base+"/bye") },
		read:   readJSON,
		atOnce: 1, apart: true,
	}
	if server == "secret" {
		s.column = "mod_auth_openidc"
	}
	return s
}

// lemonLDAP is one of two portals, each of which can do one thing at a time: the
// faults that take their time are one's.
func lemonLDAP(way string, slow bool, accepts ...string) *site {
	return &site{
		name: "LemonLDAP::NG, " + way + ", acr " + strings.Join(accepts, " or "), server: "lemonldap-" + way,
		start: "/", show: "/session/my/global", bye: "/?logout=1",
		logout:  func(string) string { return "/?logout=1" },
		read:    readLemonLDAP,
		accepts: accepts,
		refusal: `trmsg="106"`, // PE_OIDC_AUTH_ERROR
		column:  "lemonldap", atOnce: 1, slow: &slow,
	}
}

func readJSON(text []byte) (*person, error) {
	p := new(person)
	return p, json.Unmarshal(text, p)
}

// readLemonLDAP reads a session of the portal: what it exports of userinfo, and
// the ID token, which the portal has verified.
func readLemonLDAP(text []byte) (*person, error) {
	p := &person{Userinfo: new(claims), IDToken: new(claims)}
	var session struct {
		IDToken string `json:"_oidc_id_token"`
	}
	if err := json.Unmarshal(text, p.Userinfo); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &session); err != nil {
		return nil, err
	}
	_, payload, _ := strings.Cut(session.IDToken, ".")
	payload, _, _ = strings.Cut(payload, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil, err
	}
	return p, json.Unmarshal(raw, p.IDToken)
}

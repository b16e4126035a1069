package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// means writes how somebody proved who they are: « e-CPS (eidas1) ».
func means(s auth.Session) string {
	name := or(s.AuthMode, "moyen non transmis")
	switch s.AuthMode {
	case "MOBILE":
		name = "e-CPS"
	case "CARD":
		name = "carte CPS"
	}
	return name + " (" + or(s.ACR, "niveau non transmis") + ")"
}

// kindWord names what a national identifier is built on.
func kindWord(id psc.NationalID) string {
	switch k := id.Kind(); k {
	case psc.Practice:
		return "cabinet"
	default:
		return string(k)
	}
}

// titleWord writes a civility, of the person or of practice (TRE_R81, TRE_R11).
func titleWord(code string) string {
	words := map[string]string{"M": "Monsieur", "MME": "Madame", "DR": "Docteur", "PR": "Professeur",
		"MC": "Médecin chef", "MG": "Médecin général", "PC": "Pharmacien chef", "PG": "Pharmacien général"}
	return or(words[code], code)
}

// roleWord writes a role in French.
func roleWord(role string) string {
	words := map[string]string{clinician: "soignant", trainee: "soignant en formation", dispenser: "pharmacien",
		social: "professionnel du secteur social", secretary: "secrétariat", admin: "administrateur"}
	return or(words[role], role)
}

// A claim is one member of the session token, and what it is for.
type claim struct{ Name, Value, Meaning string }

// meanings explain the members that people ask about.
var meanings = map[string]string{
	"iss":           "émetteur : CareLink lui-même",
	"aud":           "destinataire",
	"sub":           "compte CareLink",
	"sid":           "session",
	"jti":           "numéro de ce jeton",
	"iat":           "émis le",
	"exp":           "expire le",
	"auth_time":     "identification le",
	"verified_at":   "vérifié le",
	"last_login":    "connexion précédente",
	"national_id":   "identifiant national",
	"rpps":          "numéro RPPS",
	"title":         "civilité d'exercice",
	"given_name":    "prénom",
	"family_name":   "nom",
	"profession":    "code de profession",
	"category":      "catégorie professionnelle",
	"specialty":     "code de savoir-faire",
	"roles":         "rôles donnés par CareLink",
	"tenant_id":     "cabinet",
	"tenant_name":   "nom du cabinet",
	"claims":        "ajouts de CareLink",
	"acr":           "niveau de l'identification",
	"auth_mode":     "moyen d'identification",
	"first_sign_in": "première connexion",
}

// heldClaims decodes the session token that the browser holds, so that the page
// shows what is really in it, and not the token. The signature was verified
// before the session came into the context; the token is found again by the
// session's number.
func heldClaims(r *http.Request, s auth.Session) []claim {
	tokens := []string{strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")}
	for _, c := range r.Cookies() {
		tokens = append(tokens, c.Value)
	}
	for _, token := range tokens {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			continue
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			continue
		}
		members, ok := members(payload)
		if !ok {
			continue
		}
		var list []claim
		found := false
		for _, m := range members {
			found = found || m.name == "sid" && string(m.value) == `"`+s.ID+`"`
			list = append(list, claim{Name: m.name, Value: claimValue(m), Meaning: meanings[m.name]})
		}
		if found {
			return list
		}
	}
	return nil
}

// claimValue writes a member for people, with times also as they read them.
func claimValue(m member) string {
	var text string
	if json.Unmarshal(m.value, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, m.value) != nil {
		return string(m.value)
	}
	var seconds int64
	switch m.name {
	case "iat", "exp", "auth_time", "verified_at", "last_login":
		if json.Unmarshal(m.value, &seconds) == nil && seconds > 0 {
			return b.String() + " – " + frenchTime(time.Unix(seconds, 0))
		}
	}
	return b.String()
}

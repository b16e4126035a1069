package psc

import (
	"errors"
	"fmt"

	"github.com/pscauth/pscauth/auth/internal/strictjson"
)

// UserInfo is what PSC says of a person. Only Subject and NationalID are always
// there: a person may have no professional record at all, or an exercise
// without activities, and missing data is mostly the empty string.
//
// The words in French spelling beside the fields are PSC's own. PSC sends codes,
// never labels.
type UserInfo struct {
	Subject    string     // sub; changes when the national identifier does
	NationalID NationalID // SubjectNameID
	GivenName  string     // given_name
	FamilyName string     // family_name
	Civility   string     // codeCivilite: M, MME; at the top or, in older documents, in SubjectRefPro
	Email      string     // email; in no document seen so far, and proven by nobody
	AuthMode   string     // authMode: MOBILE (e-CPS) or CARD, in some documents

	Exercises []Exercise // SubjectRefPro.exercices
	OtherIDs  []OtherID  // otherIds
	Roles     []string   // SubjectRole: code^OID, one for each profession

	Raw []byte // the document as it came
}

// An Exercise is one profession that a person practises.
type Exercise struct {
	Profession    Profession // codeProfession
	Category      Category   // codeCategorieProfessionnelle
	Title         string     // codeCiviliteDexercice: DR, PR, …
	FamilyName    string     // nomDexercice
	GivenName     string     // prenomDexercice
	SpecialtyType string     // codeTypeSavoirFaire: S, C, CAPA, …
	Specialty     Specialty  // codeSavoirFaire
	Activities    []Activity // activities
}

// An Activity is one place and way in which a profession is practised.
type Activity struct {
	Mode              Mode   // codeModeExercice
	Sector            Sector // codeSecteurDactivite
	PharmacistSection string // codeSectionPharmacien
	Role              string // codeRole
	Kind              string // codeGenreActivite; GENR02 and GENR03 are locums
	SIRET             string // numeroSiretSite
	SIREN             string // numeroSirenSite
	FINESS            string // numeroFinessSite; may hold letters
	LegalFINESS       string // numeroFinessetablissementJuridique
	StructureID       string // identifiantTechniqueDeLaStructure: R or F and a number, or empty
	FormerStructureID string // ancienIdentifiantDeLaStructure
	Name              string // raisonSocialeSite; never a key, for it is no identifier
	TradeName         string // enseigneCommercialeSite
	PostalCode        string // codePostal
	City              string // bureauCedex
	Phone             string // telephone
	RegisteredBy      string // autoriteDenregistrement
}

// An OtherID is a further identifier of the person.
type OtherID struct {
	ID     string // identifiant
	Origin string // origine: RPPS, EDIT, …
}

// maxName bounds names and e-mail: an address has 254 at most (RFC 5321 4.5.3.1),
// and no name of the registers comes near.
const maxName = 256

// ParseUserInfo reads a userinfo document. Names of members are compared
// exactly, duplicates and wrong types are refused at every depth, unknown
// members pass. It refuses a document without sub, or whose national identifier
// is missing, malformed, or contradicted by another RPPS number in otherIds, or
// with a name or an e-mail of more than 256 bytes.
//
// It does not compare sub with the ID token's; package auth does (OIDC Core
// 5.3.2).
func ParseUserInfo(data []byte) (UserInfo, error) {
	u := UserInfo{Raw: data}
	var nationalID, civility string
	err := strictjson.Object(data, func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "sub":
			return d.String(&u.Subject)
		case "SubjectNameID":
			return d.String(&nationalID)
		case "given_name":
			return d.String(&u.GivenName)
		case "family_name":
			return d.String(&u.FamilyName)
		case "email":
			return d.String(&u.Email)
		case "authMode":
			return d.String(&u.AuthMode)
		case "codeCivilite":
			return d.String(&civility)
		case "SubjectRole":
			return d.Strings(&u.Roles)
		case "SubjectRefPro":
			return u.readRecord(d)
		case "otherIds":
			return list(d, &u.OtherIDs, (*OtherID).read)
		}
		return d.Skip()
	})
	if err != nil {
		return UserInfo{}, fmt.Errorf("psc: userinfo: %w", err)
	}
	if civility != "" {
		u.Civility = civility
	}
	if u.Subject == "" {
		return UserInfo{}, errors.New("psc: userinfo: no sub")
	}
	// What no session token holds must not get as far as the store.
	if max(len(u.GivenName), len(u.FamilyName), len(u.Email)) > maxName {
		return UserInfo{}, fmt.Errorf("psc: userinfo: a name or e-mail of more than %d bytes", maxName)
	}
	if u.NationalID, err = ParseNationalID(nationalID); err != nil {
		return UserInfo{}, fmt.Errorf("psc: userinfo: SubjectNameID: %w", err)
	}
	for _, o := range u.OtherIDs {
		if o.Origin != string(RPPS) || u.NationalID.RPPS() == "" {
			continue
		}
		if other, err := ParseNationalID(o.ID); err != nil || other != u.NationalID {
			return UserInfo{}, errors.New("psc: userinfo: otherIds holds another RPPS number than SubjectNameID")
		}
	}
	return u, nil
}

func (u *UserInfo) readRecord(d *strictjson.Decoder) error {
	if d.Null() {
		return nil
	}
	return d.Object(func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "codeCivilite": // left for the top level during 2023
			return d.String(&u.Civility)
		case "exercices":
			return list(d, &u.Exercises, (*Exercise).read)
		}
		return d.Skip()
	})
}

func (e *Exercise) read(d *strictjson.Decoder) error {
	return d.Object(func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "codeProfession":
			return d.String((*string)(&e.Profession))
		case "codeCategorieProfessionnelle":
			return d.String((*string)(&e.Category))
		case "codeCiviliteDexercice":
			return d.String(&e.Title)
		case "nomDexercice":
			return d.String(&e.FamilyName)
		case "prenomDexercice":
			return d.String(&e.GivenName)
		case "codeTypeSavoirFaire":
			return d.String(&e.SpecialtyType)
		case "codeSavoirFaire":
			return d.String((*string)(&e.Specialty))
		case "activities":
			return list(d, &e.Activities, (*Activity).read)
		}
		return d.Skip()
	})
}

func (a *Activity) read(d *strictjson.Decoder) error {
	return d.Object(func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "codeModeExercice":
			return d.String((*string)(&a.Mode))
		case "codeSecteurDactivite":
			return d.String((*string)(&a.Sector))
		case "codeSectionPharmacien":
			return d.String(&a.PharmacistSection)
		case "codeRole":
			return d.String(&a.Role)
		case "codeGenreActivite":
			return d.String(&a.Kind)
		case "numeroSiretSite":
			return d.String(&a.SIRET)
		case "numeroSirenSite":
			return d.String(&a.SIREN)
		case "numeroFinessSite":
			return d.String(&a.FINESS)
		case "numeroFinessetablissementJuridique":
			return d.String(&a.LegalFINESS)
		case "identifiantTechniqueDeLaStructure":
			return d.String(&a.StructureID)
		case "ancienIdentifiantDeLaStructure":
			return d.String(&a.FormerStructureID)
		case "raisonSocialeSite":
			return d.String(&a.Name)
		case "enseigneCommercialeSite":
			return d.String(&a.TradeName)
		case "codePostal":
			return d.String(&a.PostalCode)
		case "bureauCedex":
			return d.String(&a.City)
		case "telephone":
			return d.String(&a.Phone)
		case "autoriteDenregistrement":
			return d.String(&a.RegisteredBy)
		}
		return d.Skip()
	})
}

func (o *OtherID) read(d *strictjson.Decoder) error {
	return d.Object(func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "identifiant":
			return d.String(&o.ID)
		case "origine":
			return d.String(&o.Origin)
		}
		return d.Skip()
	})
}

// list reads an array of objects into dst.
func list[T any](d *strictjson.Decoder, dst *[]T, read func(*T, *strictjson.Decoder) error) error {
	if d.Null() {
		return nil
	}
	return d.Array(func(d *strictjson.Decoder) error {
		var v T
		if err := read(&v, d); err != nil {
			return err
		}
		*dst = append(*dst, v)
		return nil
	})
}

// Exercise returns the first exercise, or an empty one for a person who has no
// professional record. It spares the index that crashes on such a person.
func (u UserInfo) Exercise() Exercise {
	if len(u.Exercises) == 0 {
		return Exercise{}
	}
	return u.Exercises[0]
}

// Activities returns every activity of every exercise, in order.
func (u UserInfo) Activities() []Activity {
	var all []Activity
	for _, e := range u.Exercises {
		all = append(all, e.Activities...)
	}
	return all
}

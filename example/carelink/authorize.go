package main

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// The roles of CareLink. Pro Santé Connect knows none of them.
const (
	clinician = "clinician" // cares for the tenant's patients
	trainee   = "trainee"   // likewise, in training: what they write is to be validated
	dispenser = "dispenser" // a pharmacist
	social    = "social"    // a social worker
	secretary = "secretary" // works there without being a health professional
	admin     = "admin"     // listed in the settings
)

// The claims that CareLink puts into the session token.
const (
	visitClaim = "visit" // number of the row in visits
	locumClaim = "locum" // "1" for somebody who stands in for another
)

// Authorize decides what a person whom Pro Santé Connect has identified may do
// in CareLink. These are all of CareLink's rules:
//
// The tenant is that of the first activity whose structure is known, by its
// technical identifier, its FINESS or its SIRET, in this order, and never by its
// name. Somebody without a professional record, whose own identifier is built on
// the FINESS or SIRET of a known structure, works in the office of that tenant.
//
// The role follows from the profession of that activity. A profession for which
// there is no rule gets none, and sees nobody. A person without a tenant is let
// in too, and sees only who they are.
func (s *site) Authorize(ctx context.Context, in auth.SignIn) (auth.Grant, error) {
	var g auth.Grant
	grant := func(t tenant, role string) {
		g.TenantID, g.TenantName = t.ID, t.Name
		if role != "" {
			g.Roles = append(g.Roles, role)
		}
	}
	locum := false
	seen := certified{Civility: in.UserInfo.Civility, GivenName: in.UserInfo.GivenName, FamilyName: in.UserInfo.FamilyName}
	for _, e := range in.UserInfo.Exercises {
		exercise := newExercise(e)
		for _, a := range e.Activities {
			t, err := s.data.tenantOf(ctx, a)
			if err != nil {
				return auth.Grant{}, err
			}
			if g.TenantID == "" && t.ID != "" {
				grant(t, roleOf(e))
				locum = isLocum(a)
			}
			exercise.Places = append(exercise.Places, newPlace(a, t))
		}
		seen.Exercises = append(seen.Exercises, exercise)
	}
	if len(in.UserInfo.Exercises) == 0 {
		t, err := s.data.tenantOfOffice(ctx, in.UserInfo.NationalID)
		if err != nil {
			return auth.Grant{}, err
		}
		if t.ID != "" {
			grant(t, secretary)
		}
	}
	if slices.Contains(s.admins, in.UserInfo.NationalID) {
		g.Roles = append(g.Roles, admin)
	}

	visit, err := s.data.record(ctx, in, g, seen, s.now())
	if err != nil {
		return auth.Grant{}, err
	}
	g.Claims = map[string]string{visitClaim: visit}
	if locum {
		g.Claims[locumClaim] = "1"
	}
	return g, nil
}

// roleOf returns the role of a profession, empty for one without a rule. A
// person in training carries the code of the profession without being a member
// of it, and there is a rule only for those who train for care.
func roleOf(e psc.Exercise) string {
	switch {
	case slices.Contains(carers, e.Profession):
		switch {
		case e.Category == psc.Student:
			return trainee
		case e.Profession != psc.Physician, e.Category == "C", e.Category == "M":
			return clinician
		}
	case e.Category == psc.Student:
	case e.Profession == psc.Pharmacist:
		return dispenser
	case slices.Contains(socialWorkers, e.Profession):
		return social
	}
	return ""
}

// carers are the professions that see and write everything in their tenant; 71
// is the osteopath.
var carers = []psc.Profession{psc.Physician, psc.Dentist, psc.Midwife, psc.Nurse, psc.Physiotherapist, "71", psc.Psychologist}

// socialWorkers are the social professions of the nomenclature.
var socialWorkers = []psc.Profession{psc.SocialWorker, "42", "43", "44", "45", "46", "47", "48", "49", "51", "52", "53"}

// isLocum reports whether somebody stands in for another there (TRE_R22).
func isLocum(a psc.Activity) bool { return a.Kind == "GENR02" || a.Kind == "GENR03" }

// rights are what the roles allow with the patients of one's tenant.
type rights struct {
	Identity    bool
	Treatment   bool
	Evaluations bool // to read and to write
	ToValidate  bool // what is written needs to be validated
}

// caregivers may read and write evaluations.
var caregivers = []string{clinician, trainee}

// insiders may see who the patients are.
var insiders = []string{clinician, trainee, dispenser, social, secretary}

// rightsOf returns what a session allows: nothing without a tenant.
func rightsOf(s auth.Session) rights {
	if s.TenantID == "" {
		return rights{}
	}
	has := func(roles ...string) bool {
		return slices.ContainsFunc(s.Roles, func(r string) bool { return slices.Contains(roles, r) })
	}
	return rights{
		Identity:    has(insiders...),
		Treatment:   has(clinician, trainee, dispenser),
		Evaluations: has(caregivers...),
		ToValidate:  has(trainee) && !has(clinician),
	}
}

// The words of the rules, for those who break them.
const (
	careOnlyFrench  = "Les évaluations sont réservées à l'équipe de soins."
	careOnlyEnglish = "Evaluations are reserved for the care team."
	insideFrench    = "Les patients sont réservés aux professionnels d'un cabinet connu de CareLink."
	insideEnglish   = "Patients are reserved for professionals of a practice that CareLink knows."
)

// whyNoEvaluations tells somebody what their role leaves them instead.
func whyNoEvaluations(s auth.Session) string {
	switch {
	case slices.Contains(s.Roles, dispenser):
		return careOnlyFrench + " En tant que pharmacien, vous voyez l'identité et le traitement."
	case slices.Contains(s.Roles, secretary):
		return careOnlyFrench + " En tant que secrétaire, vous voyez l'identité et les rendez-vous (la démonstration n'en a pas)."
	case slices.Contains(s.Roles, social):
		return careOnlyFrench + " En tant que professionnel du secteur social, vous voyez l'identité."
	}
	return careOnlyFrench
}

// A tenant is a practice or an establishment; the zero value is none.
type tenant struct{ ID, Name string }

// tenantOf returns the tenant of an activity's structure.
func (d *data) tenantOf(ctx context.Context, a psc.Activity) (tenant, error) {
	for _, key := range [][2]string{{"structure", a.StructureID}, {"finess", a.FINESS}, {"siret", a.SIRET}} {
		t, err := d.tenantBy(ctx, key[0], key[1])
		if err != nil || t.ID != "" {
			return t, err
		}
	}
	return tenant{}, nil
}

// tenantOfOffice returns the tenant on whose FINESS or SIRET a person's own
// identifier is built.
func (d *data) tenantOfOffice(ctx context.Context, id psc.NationalID) (tenant, error) {
	switch id.Kind() {
	case psc.FINESS:
		return d.tenantBy(ctx, "finess", id.Structure())
	case psc.SIRET:
		return d.tenantBy(ctx, "siret", id.Structure())
	}
	return tenant{}, nil
}

// tenantBy returns the tenant with a structure's identifier. An empty one, which
// is how Pro Santé Connect leaves out what it does not know, is nobody's.
func (d *data) tenantBy(ctx context.Context, kind, number string) (tenant, error) {
	var t tenant
	if number == "" {
		return t, nil
	}
	err := d.read.QueryRowContext(ctx, `SELECT t.id, t.name FROM structures s JOIN tenants t ON t.id = s.tenant_id
		WHERE s.kind = ? AND s.number = ?`, kind, number).Scan(&t.ID, &t.Name)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return t, err
}

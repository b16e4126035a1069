package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// A visit is one sign-in as CareLink saw it: what Pro Santé Connect certified,
// and what had changed since the visit before.
type visit struct {
	Certified certified
	OldName   string // the name at the visit before, if it was another
	NewName   string
	Moved     bool   // whether the tenant at the visit before was another
	OldTenant string // its name; empty for none
}

// certified is what Pro Santé Connect says of a person, as far as "Mon identité"
// shows it. The session token has no room for it.
type certified struct {
	Civility   string
	GivenName  string
	FamilyName string
	Exercises  []exercise
}

// An exercise is one profession with the places where it is practised.
type exercise struct {
	Profession psc.Profession
	Category   psc.Category
	Specialty  psc.Specialty
	Title      string
	GivenName  string // of practice, which may differ from the civil one
	FamilyName string
	Places     []place
}

// A place is one place of work.
type place struct {
	Name        string
	StructureID string
	FINESS      string
	SIRET       string
	Mode        psc.Mode
	Sector      psc.Sector
	Locum       bool
	Tenant      string // name of the tenant it is in CareLink; empty if CareLink does not know it
}

func newExercise(e psc.Exercise) exercise {
	return exercise{Profession: e.Profession, Category: e.Category, Specialty: e.Specialty, Title: e.Title,
		GivenName: e.GivenName, FamilyName: e.FamilyName}
}

func newPlace(a psc.Activity, t tenant) place {
	return place{Name: a.Name, StructureID: a.StructureID, FINESS: a.FINESS, SIRET: a.SIRET,
		Mode: a.Mode, Sector: a.Sector, Locum: isLocum(a), Tenant: t.Name}
}

// places returns the names of all places of work, for the sentence that none of
// them is known.
func (c certified) places() []string {
	var names []string
	for _, e := range c.Exercises {
		for _, p := range e.Places {
			names = append(names, or(p.Name, "lieu sans nom"))
		}
	}
	return names
}

// record notes a sign-in, compares it with the one before, and returns the
// number that the session carries. Reading and writing are one transaction: of
// two sign-ins at once, each change is told by one.
func (d *data) record(ctx context.Context, in auth.SignIn, g auth.Grant, seen certified, at time.Time) (string, error) {
	text, err := json.Marshal(seen)
	if err != nil {
		return "", err
	}
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()

	var before struct{ first, last, tenant, tenantName string }
	var v visit
	err = tx.QueryRowContext(ctx, `SELECT first_name, last_name, tenant_id, tenant_name FROM visits
		WHERE user_id = ? ORDER BY id DESC LIMIT 1`, in.User.ID).Scan(&before.first, &before.last, &before.tenant, &before.tenantName)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return "", err
	default:
		switch {
		case before.first != seen.GivenName:
			v.OldName, v.NewName = before.first+" "+before.last, seen.GivenName+" "+seen.FamilyName
		case before.last != seen.FamilyName:
			v.OldName, v.NewName = before.last, seen.FamilyName
		}
		if before.tenant != g.TenantID {
			v.Moved, v.OldTenant = true, before.tenantName
		}
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO visits
		(user_id, at, first_name, last_name, tenant_id, tenant_name, certified, old_name, new_name, moved, old_tenant)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		in.User.ID, stamp(at), seen.GivenName, seen.FamilyName, g.TenantID, g.TenantName, string(text),
		v.OldName, v.NewName, v.Moved, v.OldTenant)
	if err != nil {
		return "", err
	}
	id, err := result.LastInsertId()
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(id, 10), tx.Commit()
}

// visit returns the visit of a session; an empty one when the database has been
// emptied since.
func (d *data) visit(ctx context.Context, s auth.Session) (visit, error) {
	var v visit
	var text string
	err := d.read.QueryRowContext(ctx, `SELECT certified, old_name, new_name, moved, old_tenant FROM visits
		WHERE id = ? AND user_id = ?`, s.Claims[visitClaim], s.UserID).Scan(&text, &v.OldName, &v.NewName, &v.Moved, &v.OldTenant)
	if errors.Is(err, sql.ErrNoRows) {
		return visit{}, nil
	}
	if err != nil {
		return visit{}, err
	}
	return v, json.Unmarshal([]byte(text), &v.Certified)
}

// greet reports, once for each visit, that its person has not been greeted yet.
func (d *data) greet(ctx context.Context, s auth.Session) (bool, error) {
	id := s.Claims[visitClaim]
	var due bool
	err := d.read.QueryRowContext(ctx, `SELECT greeted = 0 FROM visits WHERE id = ? AND user_id = ?`, id, s.UserID).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !due {
		return false, nil // nearly always, and without a write
	}
	if err != nil {
		return false, err
	}
	result, err := d.write.ExecContext(ctx, `UPDATE visits SET greeted = 1 WHERE id = ? AND user_id = ? AND greeted = 0`, id, s.UserID)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// or returns s, or what stands for it when it is empty.
func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// kinds are the types of evaluation, in the order of the form.
var kinds = []struct{ Code, Label string }{
	{"pain", "Douleur"},
	{"fall", "Risque de chute"},
	{"autonomy", "Autonomie"},
	{"follow_up", "Suivi général"},
}

// maxObservations is how many characters an observation may have.
const maxObservations = 2000

// An evaluation is what a professional noted of a patient. It is never changed
// or erased; a correction is a new one.
type evaluation struct {
	ID               int64
	Type             string
	Score            *int // 0 to 10; nil for none
	Observations     string
	ToValidate       bool   // written by somebody in training
	AuthorID         string // user id; empty for the first data
	AuthorName       string // name and profession as they were then
	AuthorProfession string
	At               time.Time
}

// Label is the type in French.
func (e evaluation) Label() string {
	for _, k := range kinds {
		if k.Code == e.Type {
			return k.Label
		}
	}
	return e.Type
}

// A mistake is a fault of an evaluation, with the field that it is in.
type mistake struct{ Field, French, English string }

// mistakes returns what is wrong with an evaluation before it is saved.
func (e evaluation) mistakes() []mistake {
	var list []mistake
	known := false
	for _, k := range kinds {
		known = known || k.Code == e.Type
	}
	if !known {
		list = append(list, mistake{"type", "Choisissez un type.", "Choose a type."})
	}
	switch {
	case e.Score == nil && e.Type == "follow_up":
	case e.Score == nil || *e.Score < 0 || *e.Score > 10:
		list = append(list, badScore)
	}
	if n := utf8.RuneCountInString(e.Observations); n > maxObservations {
		list = append(list, mistake{"observations", fmt.Sprintf("Observations trop longues : %d caractères.", n),
			fmt.Sprintf("Observations too long: %d characters.", n)})
	}
	return list
}

var badScore = mistake{"score", "Le score va de 0 à 10.", "The score goes from 0 to 10."}

// evaluations returns the evaluations of a tenant's patient, the latest first.
func (d *data) evaluations(ctx context.Context, tenant string, patient int64) ([]evaluation, error) {
	rows, err := d.read.QueryContext(ctx, evaluationColumns+
		` WHERE p.id = ? AND p.tenant_id = ? AND p.tenant_id <> '' ORDER BY e.at DESC, e.id DESC`, patient, tenant)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []evaluation{}
	for rows.Next() {
		e, err := scanEvaluation(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// evaluation returns one of them, or errNoPatient.
func (d *data) evaluation(ctx context.Context, tenant string, patient, id int64) (evaluation, error) {
	e, err := scanEvaluation(d.read.QueryRowContext(ctx, evaluationColumns+
		` WHERE e.id = ? AND p.id = ? AND p.tenant_id = ? AND p.tenant_id <> ''`, id, patient, tenant).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoPatient
	}
	return e, err
}

const evaluationColumns = `SELECT e.id, e.type, e.score, e.observations, e.to_validate,
		e.author_id, e.author_name, e.author_profession, e.at
	FROM evaluations e JOIN patients p ON p.id = e.patient_id`

func scanEvaluation(scan func(...any) error) (evaluation, error) {
	var e evaluation
	var at string
	err := scan(&e.ID, &e.Type, &e.Score, &e.Observations, &e.ToValidate, &e.AuthorID, &e.AuthorName, &e.AuthorProfession, &at)
	e.At = instant(at)
	return e, err
}

// add saves an evaluation of a tenant's patient and returns its number, or
// errNoPatient. The tenant is checked by the statement that writes.
func (d *data) add(ctx context.Context, tenant string, patient int64, e evaluation) (int64, error) {
	result, err := d.write.ExecContext(ctx, `INSERT INTO evaluations
			(patient_id, type, score, observations, to_validate, author_id, author_name, author_profession, at)
		SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM patients WHERE id = ? AND tenant_id = ? AND tenant_id <> ''`,
		e.Type, e.Score, e.Observations, e.ToValidate, e.AuthorID, e.AuthorName, e.AuthorProfession, stamp(e.At), patient, tenant)
	if err != nil {
		return 0, err
	}
	if n, err := result.RowsAffected(); err != nil {
		return 0, err
	} else if n == 0 {
		return 0, errNoPatient
	}
	return result.LastInsertId()
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// errNoPatient says that there is no such patient in the tenant. It is the same
// for a patient of another tenant, so that nobody learns who is whose patient.
var errNoPatient = errors.New("carelink: no such patient in this tenant")

// A patient is one record of one tenant. A person who is followed in two
// practices has two, and CareLink does not link them.
type patient struct {
	ID             int64
	FirstName      string
	LastName       string
	Sex            string    // F, M or empty
	Born           time.Time // a day, without a zone; zero if not known
	Treatment      string
	LastEvaluation time.Time // zero if there is none
}

func (p patient) Name() string { return p.FirstName + " " + p.LastName }

// patients returns the patients of a tenant in the order of their names, those
// whose name holds every word of search if there is one. No tenant has none.
func (d *data) patients(ctx context.Context, tenant, search string) ([]patient, error) {
	query := `SELECT id, first_name, last_name, sex, birth_date, treatment,
			coalesce((SELECT max(at) FROM evaluations WHERE patient_id = patients.id), '')
		FROM patients WHERE tenant_id = ? AND tenant_id <> ''`
	args := []any{tenant}
	for word := range strings.FieldsSeq(folded(search)) {
		query += ` AND instr(folded, ?) > 0`
		args = append(args, word)
	}
	rows, err := d.read.QueryContext(ctx, query+` ORDER BY folded, id`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []patient{}
	for rows.Next() {
		p, err := scanPatient(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// patient returns one patient of a tenant, or errNoPatient.
func (d *data) patient(ctx context.Context, tenant string, id int64) (patient, error) {
	row := d.read.QueryRowContext(ctx, `SELECT id, first_name, last_name, sex, birth_date, treatment,
			coalesce((SELECT max(at) FROM evaluations WHERE patient_id = patients.id), '')
		FROM patients WHERE id = ? AND tenant_id = ? AND tenant_id <> ''`, id, tenant)
	p, err := scanPatient(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoPatient
	}
	return p, err
}

func scanPatient(scan func(...any) error) (patient, error) {
	var p patient
	var born, last string
	if err := scan(&p.ID, &p.FirstName, &p.LastName, &p.Sex, &born, &p.Treatment, &last); err != nil {
		return patient{}, err
	}
	p.Born, _ = time.Parse(time.DateOnly, born) // zero when empty
	p.LastEvaluation = instant(last)
	return p, nil
}

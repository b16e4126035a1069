package main

import (
	"bufio"
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pscauth/pscauth/store"
)

// schemaVersion is the form of CareLink's own tables.
const schemaVersion = 1

//go:embed schema.sql
var schema string

//go:embed seed.json
var seedJSON []byte

// data is CareLink's own tables. They lie in the same file as the users and
// sessions of package store, through connections of their own.
type data struct {
	write *sql.DB // one connection: SQLite has one writer at a time
	read  *sql.DB
}

// prepare makes the folder of the database and reports whether there is no
// database yet. It does not open the file: on Unix, closing it again would drop
// the locks that SQLite has on it.
func prepare(path string) (fresh bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, faultf("Le dossier de la base ne peut pas être créé : %w. Choisissez un autre fichier avec -db.", err)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, whyNoDatabase(err, path)
	}
	if !info.Mode().IsRegular() {
		return false, faultf("%s n'est pas un fichier. Choisissez-en un avec -db.", path)
	}
	return info.Size() == 0, nil
}

// openData opens CareLink's tables in a file that exists, and makes and fills
// them the first time. fresh tells whether the demonstration has just made the
// file.
func openData(ctx context.Context, path string, fresh bool, now time.Time) (*data, error) {
	write, err := sql.Open("sqlite", dsn(path, url.Values{"_txlock": {"immediate"}}))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn(path, url.Values{"_query_only": {"1"}}))
	if err != nil {
		write.Close()
		return nil, err
	}
	read.SetMaxOpenConns(4)
	d := &data{write: write, read: read}
	if err := d.make(ctx, fresh, now); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// dsn addresses an existing file for the driver. A writer of another connection
// is waited for, and a path may hold what means something in an address.
func dsn(path string, query url.Values) string {
	query.Set("mode", "rw")
	query["_pragma"] = []string{"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)"}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/…
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}

func (d *data) close() { errors.Join(d.read.Close(), d.write.Close()) }

// make creates and fills the tables in one transaction, unless they are there.
func (d *data) make(ctx context.Context, fresh bool, now time.Time) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var made bool
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'carelink'`).Scan(&made)
	if err != nil {
		return err
	}
	if made {
		var version int
		if err := tx.QueryRowContext(ctx, `SELECT version FROM carelink`).Scan(&version); err != nil {
			return err
		}
		if version > schemaVersion {
			return store.ErrNewer
		}
		return nil
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO carelink (version, made_here, started_at) VALUES (?, ?, ?)`,
		schemaVersion, fresh, stamp(now))
	if err != nil {
		return err
	}
	if err := fill(ctx, tx, now); err != nil {
		return fmt.Errorf("filling the tables: %w", err)
	}
	return tx.Commit()
}

// fill writes the fictional practices, patients and evaluations. Their dates are
// days before now, so that the demonstration never looks old.
func fill(ctx context.Context, tx *sql.Tx, now time.Time) error {
	var seed struct {
		Tenants []struct {
			ID, Name, Structure, FINESS, SIRET string
		}
		Patients []struct {
			ID        int64
			Tenant    string
			FirstName string `json:"first_name"`
			LastName  string `json:"last_name"`
			Sex       string
			BirthDate string `json:"birth_date"`
			Treatment string
		}
		Evaluations []struct {
			Patient      int64
			DaysAgo      int `json:"days_ago"`
			Type         string
			Score        *int
			Observations string
			ToValidate   bool `json:"to_validate"`
			Author       string
			Profession   string
		}
	}
	if err := json.Unmarshal(seedJSON, &seed); err != nil {
		return err
	}
	var err error
	insert := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	for _, t := range seed.Tenants {
		insert(`INSERT INTO tenants (id, name) VALUES (?, ?)`, t.ID, t.Name)
		for _, s := range []struct{ kind, number string }{{"structure", t.Structure}, {"finess", t.FINESS}, {"siret", t.SIRET}} {
			if s.number != "" {
				insert(`INSERT INTO structures (kind, number, tenant_id) VALUES (?, ?, ?)`, s.kind, s.number, t.ID)
			}
		}
	}
	for _, p := range seed.Patients {
		insert(`INSERT INTO patients (id, tenant_id, first_name, last_name, sex, birth_date, treatment, folded)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			p.ID, p.Tenant, p.FirstName, p.LastName, p.Sex, p.BirthDate, p.Treatment, folded(p.LastName+" "+p.FirstName))
	}
	today := now.In(paris)
	for i, e := range seed.Evaluations {
		// In the morning, a few minutes apart, as in a day's work.
		at := time.Date(today.Year(), today.Month(), today.Day()-e.DaysAgo, 9, 10+5*i%50, 0, 0, paris)
		insert(`INSERT INTO evaluations (patient_id, type, score, observations, to_validate, author_id, author_name, author_profession, at)
			VALUES (?, ?, ?, ?, ?, '', ?, ?, ?)`,
			e.Patient, e.Type, e.Score, e.Observations, e.ToValidate, e.Author, e.Profession, stamp(at))
	}
	return err
}

// reset empties the database for the start that follows. It asks before it
// empties a file that the demonstration has not made. The kept secret goes too:
// a session from before would otherwise stay good, with a user who is gone.
func reset(ctx context.Context, path string, stdin io.Reader, stdout io.Writer) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return whyNoDatabase(err, path)
	}
	if info.IsDir() {
		return faultf("%s est un dossier. Choisissez un fichier avec -db.", path)
	}
	ours, err := madeHere(ctx, path)
	if err != nil {
		return err
	}
	if !ours && info.Size() > 0 {
		fmt.Fprintf(stdout, "%s n'a pas été créé par la démonstration. Effacer tout son contenu ? Tapez « oui » : ", path)
		answer, _ := bufio.NewReader(stdin).ReadString('\n')
		if strings.TrimSpace(answer) != "oui" {
			return faultf("Rien n'a été effacé. Relancez sans -reset, ou choisissez un autre fichier avec -db.")
		}
	}
	for _, file := range []string{path, path + "-wal", path + "-shm", secretPath(path)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return faultf("La base ne peut pas être vidée : %w", err)
		}
	}
	return nil
}

// madeHere reports whether the demonstration made the file; a file that is no
// database it did not. A database that a running program has open is an error:
// emptying it would pull it from under that program.
func madeHere(ctx context.Context, path string) (made bool, err error) {
	db, err := sql.Open("sqlite", dsn(path, url.Values{}))
	if err != nil {
		return false, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	// Leaving the write-ahead log needs the file for oneself, now or not at all.
	db.ExecContext(ctx, `PRAGMA busy_timeout = 0`) // fails where nothing else works either
	var mode string
	err = db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode)
	if err != nil && strings.Contains(err.Error(), "locked") || err == nil && mode == "wal" {
		return false, faultf("La base %s est utilisée par un autre programme. Arrêtez-le avant de la vider.", path)
	}
	if err := db.QueryRowContext(ctx, `SELECT made_here FROM carelink`).Scan(&made); err != nil {
		return false, nil
	}
	return made, nil
}

// stamp writes an instant so that text sorts like time.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// instant reads what stamp wrote.
func instant(s string) time.Time {
	t, _ := time.Parse(time.RFC3339, s)
	return t
}

package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// ErrNewer is the error for a database that a newer version of the program has
// changed. Nothing was read or written.
var ErrNewer = errors.New("this database was changed by a newer version of the program: " +
	"run that version, or restore the backup that was made before it ran")

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables up to date: the files of fsys, in the order of their
// names, are version 1, 2, 3, and so on. Each is run in one transaction together
// with the row that says so, so that a process that dies leaves the old tables
// or the new ones.
func migrate(ctx context.Context, db *sql.DB, fsys fs.FS) error {
	files, err := fs.Glob(fsys, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	// Alone, and not in a transaction: where the table exists this takes no lock,
	// so that a program starts while another one writes.
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS auth_schema (version BIGINT PRIMARY KEY)`)
	if err != nil {
		return fmt.Errorf("reading the version of the tables: %w", err)
	}
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	if version > len(files) {
		return fmt.Errorf("%w (its tables have version %d, this program knows %d)", ErrNewer, version, len(files))
	}
	for version < len(files) {
		if version, err = migrateOnce(ctx, db, fsys, files); err != nil {
			return err
		}
	}
	return nil
}

// migrateOnce takes the step that the database needs next, unless another
// process has done all meanwhile, and returns the version that the tables then
// have.
func migrateOnce(ctx context.Context, db *sql.DB, fsys fs.FS, files []string) (int, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("migrating: %w", err)
	}
	defer tx.Rollback()
	version, err := schemaVersion(ctx, tx)
	if err != nil || version >= len(files) {
		return version, err
	}
	step, err := fs.ReadFile(fsys, files[version])
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, string(step)); err != nil {
		return 0, fmt.Errorf("%s: %w", files[version], err)
	}
	version++
	if _, err := tx.ExecContext(ctx, `INSERT INTO auth_schema (version) VALUES ($1)`, version); err != nil {
		return 0, fmt.Errorf("noting version %d: %w", version, err)
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("migrating to version %d: %w", version, err)
	}
	return version, nil
}

// schemaVersion returns the version of the tables, 0 for none.
func schemaVersion(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (int, error) {
	var version int
	err := q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM auth_schema`).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("reading the version of the tables: %w", err)
	}
	return version, nil
}

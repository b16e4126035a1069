package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// SaveUser implements [auth.UserStore]. Names are PSC's given_name and
// family_name; title, profession, category and specialty are those of the first
// exercise, and become empty again for a person who no longer has one.
//
// Text may hold anything: names lose NUL and invalid UTF-8, which not every
// engine takes, and what goes beyond 254 characters. A code or an e-mail address
// that would have to be mended is dropped instead, for it would become another.
//
// It refuses an info whose NationalID is not one.
func (s *Store) SaveUser(ctx context.Context, info psc.UserInfo, at time.Time) (auth.User, bool, error) {
	if info.NationalID.Kind() == "" {
		return auth.User{}, false, errors.New("store: save user: not a national identifier")
	}
	exercise := info.Exercise()
	u := auth.User{
		NationalID: info.NationalID,
		Title:      text(exercise.Title),
		FirstName:  text(info.GivenName),
		LastName:   text(info.FamilyName),
		Email:      exact(info.Email),
		Profession: psc.Profession(exact(string(exercise.Profession))),
		Category:   psc.Category(exact(string(exercise.Category))),
		Specialty:  psc.Specialty(exact(string(exercise.Specialty))),
	}

	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return auth.User{}, false, fmt.Errorf("store: save user: %w", err)
	}
	defer tx.Rollback()
	// The number of an account is one more than the last, and never given again.
	// It is drawn only for a person who has none, and its row keeps those who
	// come for the first time from drawing the same one.
	var next int64
	err = oneRow(ctx, tx, `
		UPDATE auth_user_ids SET last = last + 1
		WHERE NOT EXISTS (SELECT 1 FROM auth_users WHERE national_id = $1)
		RETURNING last`, []any{string(u.NationalID)}, &next)
	if err != nil {
		return auth.User{}, false, fmt.Errorf("store: save user: %w", err)
	}
	// One statement decides who comes first, so no two callers can both be told
	// that they are.
	var (
		id, created int64
		email       sql.NullString
		previous    sql.NullInt64
	)
	err = oneRow(ctx, tx, `
		INSERT INTO auth_users (id, national_id, rpps, title, first_name, last_name, email,
			profession, category, specialty, created_at, last_sign_in_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
		ON CONFLICT (national_id) DO UPDATE SET
			title = excluded.title,
			first_name = excluded.first_name,
			last_name = excluded.last_name,
			email = coalesce(excluded.email, auth_users.email),
			profession = excluded.profession,
			category = excluded.category,
			specialty = excluded.specialty,
			last_sign_in_at = excluded.last_sign_in_at,
			previous_sign_in_at = auth_users.last_sign_in_at
		RETURNING id, email, created_at, previous_sign_in_at`, []any{
		next, string(u.NationalID), orNull(u.NationalID.RPPS()), u.Title, u.FirstName, u.LastName, orNull(u.Email),
		string(u.Profession), string(u.Category), string(u.Specialty), at.UnixMicro(),
	}, &id, &email, &created, &previous)
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return auth.User{}, false, fmt.Errorf("store: save user: %w", err)
	}
	u.ID = strconv.FormatInt(id, 10)
	u.Email = email.String
	u.CreatedAt = time.UnixMicro(created).UTC()
	if previous.Valid {
		u.LastSignIn = time.UnixMicro(previous.Int64).UTC()
	}
	return u, !previous.Valid, nil
}

// oneRow runs a statement that returns at most one row, to its end; without a row
// dest stays as it is. It is not QueryRow, which leaves the statement after the
// first row, unfinished: SQLite's log then grows for ever.
func oneRow(ctx context.Context, tx *sql.Tx, query string, args []any, dest ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// maxText is how many characters of a text are kept: those of the longest
// e-mail address, and more than any name in PSC's registers has.
const maxText = 254

// text returns s as every engine takes it.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\x00", "") // PostgreSQL refuses it
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText])
	}
	return s
}

// exact returns s, or "" when text would alter it: what "10\x00" says is not
// that somebody is a physician.
func exact(s string) string {
	if text(s) != s {
		return ""
	}
	return s
}

// orNull returns s, or NULL for an empty one.
func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

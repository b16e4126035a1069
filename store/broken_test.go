package store

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// A database that is not there, or not whole, is an error of every call. Above
// all it is never an empty list of ended sessions, or a session that nobody knows.
func TestABrokenDatabaseIsAnError(t *testing.T) {
	jean := psc.UserInfo{Subject: "s", NationalID: "899999001011", GivenName: "Jean"}
	for _, tt := range []struct {
		name   string
		damage string // "" closes it
		calls  string // those that need what was damaged
	}{
		{"it is closed", "", "user save session end ended"},
		{"users are gone", `ALTER TABLE auth_users RENAME TO x`, "user"},
		{"the numbers of accounts are gone", `ALTER TABLE auth_user_ids RENAME TO x`, "user"},
		{"sessions are gone", `ALTER TABLE auth_sessions RENAME TO x`, "save session"},
		{"ended sessions are gone", `ALTER TABLE auth_ended_sessions RENAME TO x`, "end ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := testDB(t)
			s, err := New(t.Context(), db, db, "1")
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if _, _, err := s.SaveUser(ctx, jean, time.Now()); err != nil {
				t.Fatal(err)
			}
			if tt.damage == "" {
				err = s.Close()
			} else {
				_, err = db.Exec(tt.damage)
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, call := range map[string]func() error{
				"user":    func() error { _, _, err := s.SaveUser(ctx, jean, time.Now()); return err },
				"save":    func() error { return s.SaveSession(ctx, auth.SessionRecord{ID: "a", UserID: "1"}) },
				"session": func() error { _, err := s.Session(ctx, "a"); return err },
				"end":     func() error { return s.EndSession(ctx, "a", time.Now()) },
				"ended":   func() error { _, _, err := s.EndedSessions(ctx, time.Time{}); return err },
			} {
				err := call()
				if errors.Is(err, auth.ErrNoSession) && !wants(tt.calls, name) {
					continue // there is none, and the store could tell
				}
				if (err != nil) != wants(tt.calls, name) || errors.Is(err, auth.ErrNoSession) {
					t.Errorf("%s: got error %v", name, err)
				}
			}
		})
	}
}

func wants(calls, name string) bool { return slices.Contains(strings.Fields(calls), name) }

func TestANoteThatCannotBeReadIsAnError(t *testing.T) {
	db := testDB(t)
	s, err := New(t.Context(), db, db, "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EndSession(t.Context(), "a", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO auth_ended_sessions (id, ended_at, until) VALUES ('b', 1, 'tomorrow')`); err != nil {
		t.Fatal(err)
	}
	if ended, _, err := s.EndedSessions(t.Context(), time.Time{}); err == nil {
		t.Errorf("got %v without an error", ended)
	}
}

// unreadable is a program whose step cannot be read.
type unreadable struct{ fs.FS }

func (unreadable) ReadFile(string) ([]byte, error) { return nil, errors.New("cannot read") }

func TestMigrateFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before string
		fsys   fs.FS
	}{
		{"the table of versions is something else", `CREATE TABLE auth_schema (x TEXT)`, steps(one)},
		{"it is a view", `CREATE VIEW auth_schema AS SELECT 0 AS version`, steps(one)},
		{"a version that is no number", `CREATE TABLE auth_schema (version TEXT); INSERT INTO auth_schema VALUES ('new')`, steps(one)},
		{"a step that cannot be read", ``, unreadable{steps(one)}},
		{"a step that notes its own version", ``, fstest.MapFS{"migrations/001_x.sql": {Data: []byte(one + `INSERT INTO auth_schema (version) VALUES (1)`)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := testDB(t)
			if tt.before != "" {
				if _, err := db.Exec(tt.before); err != nil {
					t.Fatal(err)
				}
			}
			if err := migrate(context.Background(), db, tt.fsys); err == nil {
				t.Error("no error")
			}
			if n := rows(t, db, "a"); n != -1 {
				t.Errorf("a step that failed left its table, with %d rows", n)
			}
		})
	}
}

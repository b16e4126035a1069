// Package store keeps users, sign-ins and ended sessions in a SQL database, for
// package auth. It speaks one SQL text and loads no driver: a package below it,
// such as store/sqlite, opens an engine and returns a [Store].
//
// The tables are called auth_users, auth_user_ids, auth_sessions,
// auth_ended_sessions and auth_schema, so that they can lie in the database in which the app has its
// own. The app may read them and refer to auth_users(id).
package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pscauth/pscauth/auth"
)

// A Store is an [auth.UserStore] and an [auth.SessionStore] over database/sql.
// It is safe for concurrent use, and any number of processes may each have one
// on the same database.
//
// Every change is atomic. A context that ends makes a call return
// the context's error and leaves nothing half done. Other errors are those of
// the driver, wrapped: the caller should take them for "not now" and let nobody
// in.
//
// It keeps times to the microsecond and returns them in UTC. It deletes neither
// users nor sign-ins: how long those are kept is for the app to decide, and rows
// of auth_sessions whose expires_at is past are of no more use to it.
type Store struct {
	write, read *sql.DB
	now         string
}

var (
	_ auth.UserStore    = (*Store)(nil)
	_ auth.SessionStore = (*Store)(nil)
)

// New returns a Store on the database that both pools lead to, after it has
// brought the tables up to date. It is meant for packages that open an engine;
// a program calls Open of one of those.
//
// All writes go through write, everything else through read. An engine that
// copes with many writers gives the same pool twice; SQLite does not, and gives
// a write pool of one connection, whose transactions must begin as writers.
//
// now is the engine's SQL expression for the present time in microseconds since
// 1970. It becomes part of statements as it is and must be a constant of the
// program.
//
// The pools belong to the Store once New has succeeded, and to the caller when
// it has not. New returns an error that is [ErrNewer] for a database that a
// newer version of the program has changed. It serialises nothing by itself:
// where beginning a transaction does not lock out other migrations, as it does
// in SQLite, the caller holds a lock meanwhile.
func New(ctx context.Context, write, read *sql.DB, now string) (*Store, error) {
	if err := migrate(ctx, write, migrations); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &Store{write: write, read: read, now: now}, nil
}

// Close closes both pools. It waits for calls that have begun.
func (s *Store) Close() error {
	// The writer goes last, for in SQLite the last to leave moves the log into
	// the database. Closing one pool twice does no harm.
	readErr := s.read.Close()
	if err := s.write.Close(); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	if readErr != nil {
		return fmt.Errorf("store: close: %w", readErr)
	}
	return nil
}

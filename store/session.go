package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pscauth/pscauth/auth"
)

// SaveSession implements [auth.SessionStore]. It refuses a record whose UserID
// is not the ID of a user of this store, and one whose ID it knows.
func (s *Store) SaveSession(ctx context.Context, rec auth.SessionRecord) error {
	user, err := strconv.ParseInt(rec.UserID, 10, 64)
	if err != nil {
		return fmt.Errorf("store: save session: %q is not the id of a user", rec.UserID)
	}
	// The ids are stored as given, never mended: they are there to be compared.
	_, err = s.write.ExecContext(ctx, `
		INSERT INTO auth_sessions (id, user_id, psc_session, id_token, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		rec.ID, user, rec.PSCSession, rec.IDToken, rec.CreatedAt.UnixMicro(), rec.ExpiresAt.UnixMicro())
	if err != nil {
		return fmt.Errorf("store: save session: %w", err)
	}
	return nil
}

// Session implements [auth.SessionStore]. It returns the record of an ended
// session too, and of one whose time is over.
func (s *Store) Session(ctx context.Context, id string) (auth.SessionRecord, error) {
	var (
		rec                    = auth.SessionRecord{ID: id}
		user, created, expires int64
	)
	err := s.read.QueryRowContext(ctx, `
		SELECT user_id, psc_session, id_token, created_at, expires_at
		FROM auth_sessions WHERE id = $1`, id).Scan(&user, &rec.PSCSession, &rec.IDToken, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.SessionRecord{}, auth.ErrNoSession
	}
	if err != nil {
		return auth.SessionRecord{}, fmt.Errorf("store: session: %w", err)
	}
	rec.UserID = strconv.FormatInt(user, 10)
	rec.CreatedAt = time.UnixMicro(created).UTC()
	rec.ExpiresAt = time.UnixMicro(expires).UTC()
	return rec, nil
}

// keepEnded is how long after its until the note of an ended session is kept.
// until is a time of the app's clock and is compared with the database's: no
// pair of clocks that sign-ins work with is a day apart.
const keepEnded = 24 * time.Hour

// EndSession implements [auth.SessionStore]. It forgets notes whose until is
// more than a day past.
func (s *Store) EndSession(ctx context.Context, id string, until time.Time) error {
	_, err := s.write.ExecContext(ctx, `
		INSERT INTO auth_ended_sessions (id, ended_at, until)
		VALUES ($1, `+s.now+`, $2)
		ON CONFLICT (id) DO NOTHING`,
		id, until.UnixMicro())
	if err != nil {
		return fmt.Errorf("store: end session: %w", err)
	}
	// The index on until makes this one look-up when there is nothing to forget,
	// so there is no need to remember when it was last done. It is apart from the
	// note, and its error is of no interest: the session has ended, and the next
	// call forgets what this one could not.
	_, _ = s.write.ExecContext(ctx, `
		DELETE FROM auth_ended_sessions WHERE until < `+s.now+` - $1`,
		keepEnded.Microseconds())
	return nil
}

// EndedSessions implements [auth.SessionStore]. The clock is the database's.
func (s *Store) EndedSessions(ctx context.Context, since time.Time) ([]auth.EndedSession, time.Time, error) {
	// The clock is read before the notes: a note made in between is then told
	// twice, not lost.
	var now int64
	if err := s.read.QueryRowContext(ctx, `SELECT `+s.now).Scan(&now); err != nil {
		return nil, time.Time{}, fmt.Errorf("store: ended sessions: %w", err)
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, until FROM auth_ended_sessions WHERE ended_at >= $1`, since.UnixMicro())
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("store: ended sessions: %w", err)
	}
	defer rows.Close()
	var ended []auth.EndedSession
	for rows.Next() {
		var (
			id    string
			until int64
		)
		if err := rows.Scan(&id, &until); err != nil {
			return nil, time.Time{}, fmt.Errorf("store: ended sessions: %w", err)
		}
		ended = append(ended, auth.EndedSession{ID: id, Until: time.UnixMicro(until).UTC()})
	}
	if err := rows.Err(); err != nil {
		return nil, time.Time{}, fmt.Errorf("store: ended sessions: %w", err)
	}
	return ended, time.UnixMicro(now).UTC(), nil
}

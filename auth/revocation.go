package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"
)

const (
	// feedOverlap is how far back each reading goes again: a note of another
	// process may be committed after a reading that its time precedes.
	feedOverlap = time.Minute
	feedTimeout = 3 * time.Second
)

// revocations holds, in memory, the sessions that were ended and could still have
// a valid token, so that no request asks the store. One that this process ends is
// known at once; others within RevocationLag: the request that finds the feed
// older than that reads it anew, alone, while others go on with what is known.
type revocations struct {
	store  SessionStore
	lag    time.Duration
	now    func() time.Time
	logger *slog.Logger

	reading sync.Mutex // held by the one that reads the feed

	mu    sync.RWMutex
	ended map[string]time.Time // session id → when it may be forgotten
	since time.Time            // the store's clock at the last reading
	read  time.Time            // our clock at the last successful reading; zero before the first
	tried time.Time            // our clock at the last reading, successful or not
	err   error                // of the last reading

	unsaved map[string]time.Time // ended here, and not yet noted in the store
}

func newRevocations(cfg Config) *revocations {
	return &revocations{
		store: cfg.Sessions, lag: cfg.RevocationLag, now: cfg.Now, logger: cfg.Logger,
		ended: map[string]time.Time{}, unsaved: map[string]time.Time{},
	}
}

// isEnded reports whether the session was ended. It fails until the feed was
// read once: not knowing is not "no". A feed that stops answering later leaves
// what is known in force, because a slow store must not end anybody's session.
func (v *revocations) isEnded(ctx context.Context, id string) (bool, error) {
	v.mu.RLock()
	_, ended := v.ended[id]
	known, stale, err := !v.read.IsZero(), v.stale(), v.err
	v.mu.RUnlock()
	switch {
	case ended || known && !stale:
		return ended, nil
	case !stale:
		return false, err
	}

	if known {
		if !v.reading.TryLock() {
			return false, nil // somebody is reading it
		}
	} else {
		v.reading.Lock()
	}
	defer v.reading.Unlock() // a store may panic
	err = v.refresh(ctx)

	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.read.IsZero() {
		return false, err
	}
	_, ended = v.ended[id]
	return ended, nil
}

// known reports whether this process knows that the session was ended.
func (v *revocations) known(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ended := v.ended[id]
	return ended
}

// stale reports whether the feed wants reading: after RevocationLag, or once a
// second, however many ask, while it was never read. v.mu is held. A clock that
// was set back counts as stale too.
func (v *revocations) stale() bool {
	age, lag := v.now().Sub(v.tried), v.lag
	if v.read.IsZero() {
		lag = time.Second
	}
	return age >= lag || age < 0
}

// refresh reads the feed. v.reading is held.
func (v *revocations) refresh(ctx context.Context) error {
	v.mu.RLock()
	since, fresh, err := v.since, !v.stale(), v.err
	if v.now().Before(v.tried) {
		since = time.Time{} // what was forgotten by a clock that ran ahead is wanted again
	}
	unsaved := maps.Clone(v.unsaved)
	v.mu.RUnlock()
	if fresh { // tried while this request waited for its turn
		return err
	}
	if !since.IsZero() {
		since = since.Add(-feedOverlap)
	}
	// The reading serves everybody: it does not end with the request that pays.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), feedTimeout)
	defer cancel()
	ended, storeNow, err := v.store.EndedSessions(ctx, since)
	if err == nil && storeNow.Before(since) { // the store's clock was set back
		ended, storeNow, err = v.store.EndedSessions(ctx, time.Time{})
	}
	for id, until := range unsaved {
		if err == nil && v.store.EndSession(ctx, id, until) == nil {
			v.mu.Lock()
			delete(v.unsaved, id)
			v.mu.Unlock()
		}
	}

	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	v.tried, v.err = now, nil
	if err != nil {
		v.logger.Error("auth: cannot read which sessions were ended; going on with what is known", "error", err)
		v.err = fmt.Errorf("auth: ended sessions: %w", err)
		return v.err
	}
	v.read, v.since = now, storeNow
	for id, until := range v.ended {
		if !until.After(now) {
			delete(v.ended, id)
			delete(v.unsaved, id)
		}
	}
	for _, e := range ended {
		if e.Until.After(now) {
			v.ended[e.ID] = e.Until
		}
	}
	return nil
}

// end ends a session: here at once, and in the store for the others. When the
// store fails it is ended here, and noted there with a later reading.
func (v *revocations) end(ctx context.Context, id string, until time.Time) error {
	v.mu.Lock()
	v.ended[id] = until
	v.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), feedTimeout)
	defer cancel()
	if err := v.store.EndSession(ctx, id, until); err != nil {
		v.mu.Lock()
		v.unsaved[id] = until
		v.mu.Unlock()
		return fmt.Errorf("auth: ending a session: %w", err)
	}
	return nil
}

// memorySessions is the SessionStore of a single process that keeps nothing.
type memorySessions struct {
	mu      sync.Mutex
	records map[string]SessionRecord
	ended   map[string]endedAt
	swept   time.Time
}

type endedAt struct{ at, until time.Time }

var _ SessionStore = (*memorySessions)(nil)

func newMemorySessions() *memorySessions {
	return &memorySessions{records: map[string]SessionRecord{}, ended: map[string]endedAt{}}
}

func (m *memorySessions) SaveSession(ctx context.Context, rec SessionRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	m.sweep(rec.CreatedAt)
	if _, ok := m.records[rec.ID]; ok {
		return errors.New("auth: a session of that id is there already")
	}
	m.records[rec.ID] = rec
	return nil
}

// sweep forgets, once a minute, what can no longer matter. now is by the app's
// clock, as are the times of records.
func (m *memorySessions) sweep(now time.Time) {
	if now.Sub(m.swept).Abs() < time.Minute {
		return
	}
	m.swept = now
	// A map keeps its room for what is deleted from it, so these are made anew.
	records, ended := m.records, m.ended
	m.records, m.ended = map[string]SessionRecord{}, map[string]endedAt{}
	for id, rec := range records {
		if !rec.ExpiresAt.Before(now) {
			m.records[id] = rec
		}
	}
	for id, e := range ended {
		if !e.until.Before(now) {
			m.ended[id] = e
		}
	}
}

func (m *memorySessions) Session(ctx context.Context, id string) (SessionRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return SessionRecord{}, err
	}
	rec, ok := m.records[id]
	if !ok {
		return SessionRecord{}, ErrNoSession
	}
	return rec, nil
}

func (m *memorySessions) EndSession(ctx context.Context, id string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, ok := m.ended[id]; !ok {
		m.ended[id] = endedAt{time.Now(), until}
	}
	return nil
}

func (m *memorySessions) EndedSessions(ctx context.Context, since time.Time) ([]EndedSession, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	var ended []EndedSession
	for id, e := range m.ended {
		if !e.at.Before(since) {
			ended = append(ended, EndedSession{id, e.until})
		}
	}
	return ended, time.Now(), nil
}

package authtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

var sessionCases = []struct {
	name        string
	explanation string
	run         func(t *testing.T, s auth.SessionStore)
}{
	{"a record", "A record comes back as it was written, its times to the microsecond, its token to the byte.", testRecord},
	{"written once", "No second record takes the place of the first.", testWrittenOnce},
	{"no record", "ErrNoSession is for an id that the store does not know, and for nothing else.", testNoRecord},

	{"nothing ended", "Where nothing has ended, the feed is empty and tells the time.", testNothingEnded},
	{"ended", "An ended session is in the feed, with its until; the one beside it is not.", testEnded},
	{"ended twice", "Ending a session twice is no error, and is one note.", testEndedTwice},
	{"ended, unknown", "A session may be ended that has no record here.", testEndedUnknown},
	{"ended, then written", "A record that is written late does not revive a session that has ended.", testLateRecord},
	{"the feed since", "The feed holds what was noted at or after since, by the clock that it tells itself.", testSince},
	{"the store's clock", "until comes from another clock. However far it is off, the feed is by the store's.", testClock},
	{"many at once", "200 sessions that begin and end at once all begin and end.", testManySessions},
	{"context", "A call whose context is cancelled fails with its error, and does nothing.", testSessionContext},
}

// TestSessionStore tests that a [auth.SessionStore] keeps its promises. newStore
// returns an empty one, and ends it with t.Cleanup; it is called once for each
// case.
//
// A store that is a [auth.UserStore] too is given a user first, and may insist
// that the user of a session exists; any other must take an unknown UserID.
//
// Whether a note outlives the process, and is forgotten in the end, is for a
// test of the store's own.
func TestSessionStore(t *testing.T, newStore func(t *testing.T) auth.SessionStore) {
	for _, c := range sessionCases {
		t.Run(c.name, func(t *testing.T) {
			explain(t, c.explanation)
			c.run(t, newStore(t))
		})
	}
}

// record returns a record for a session of Jean DUPONT.
func record(t *testing.T, s auth.SessionStore, id string) auth.SessionRecord {
	t.Helper()
	// By today's clock: a store may forget a record whose time is over. What it
	// may drop of a time is below the microsecond.
	now := time.Now().Truncate(time.Microsecond)
	rec := auth.SessionRecord{
		ID:         id,
		UserID:     "1",
		PSCSession: "psc-" + id,
		CreatedAt:  now,
		ExpiresAt:  now.Add(4 * time.Hour),
	}
	for b := range 256 {
		rec.IDToken = append(rec.IDToken, byte(b))
	}
	if users, ok := s.(auth.UserStore); ok {
		u, _, err := users.SaveUser(t.Context(), info(t, jean), noon)
		if err != nil {
			t.Fatalf("SaveUser: %v", err)
		}
		rec.UserID = u.ID
	}
	return rec
}

// wantRecord compares the record that s has with want.
func wantRecord(t *testing.T, s auth.SessionStore, want auth.SessionRecord) {
	t.Helper()
	got, err := s.Session(t.Context(), want.ID)
	if err != nil {
		t.Errorf("Session(%q): %v", want.ID, err)
		return
	}
	if got.ID != want.ID || got.UserID != want.UserID || got.PSCSession != want.PSCSession ||
		!bytes.Equal(got.IDToken, want.IDToken) ||
		!got.CreatedAt.Equal(want.CreatedAt) || !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("Session(%q):\n got %+v\nwant %+v", want.ID, got, want)
	}
}

// feed returns the ids that ended since, sorted, and the store's time.
func feed(t *testing.T, s auth.SessionStore, since time.Time) ([]string, time.Time) {
	t.Helper()
	ended, now, err := s.EndedSessions(t.Context(), since)
	if err != nil {
		t.Fatalf("EndedSessions: %v", err)
	}
	var ids []string
	for _, e := range ended {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids, now
}

func wantFeed(t *testing.T, s auth.SessionStore, since time.Time, want ...string) {
	t.Helper()
	if got, _ := feed(t, s, since); !slices.Equal(got, want) {
		t.Errorf("the feed since %v: got %q, want %q", since, got, want)
	}
}

// tomorrow is an until that is not yet past, by whatever clock.
func tomorrow() time.Time { return time.Now().Add(24 * time.Hour).Truncate(time.Microsecond) }

func end(t *testing.T, s auth.SessionStore, id string, until time.Time) {
	t.Helper()
	if err := s.EndSession(t.Context(), id, until); err != nil {
		t.Errorf("EndSession(%q): %v", id, err)
	}
}

func save(t *testing.T, s auth.SessionStore, rec auth.SessionRecord) {
	t.Helper()
	if err := s.SaveSession(t.Context(), rec); err != nil {
		t.Errorf("SaveSession(%q): %v", rec.ID, err)
	}
}

func testRecord(t *testing.T, s auth.SessionStore) {
	a, b, c := record(t, s, "a"), record(t, s, "b"), record(t, s, "'; DROP TABLE auth_sessions;--")
	b.PSCSession, b.IDToken = "", nil // PSC need not have given them
	b.CreatedAt, b.ExpiresAt = b.CreatedAt.Add(-time.Hour), b.ExpiresAt.Add(-2*time.Hour)
	c.PSCSession = a.PSCSession // two sign-ins in one session at PSC
	c.CreatedAt = c.CreatedAt.In(time.FixedZone("", 3600))
	for _, rec := range []auth.SessionRecord{a, b, c} {
		save(t, s, rec)
	}
	for _, rec := range []auth.SessionRecord{a, b, c} {
		wantRecord(t, s, rec)
	}
}

func testWrittenOnce(t *testing.T, s auth.SessionStore) {
	first := record(t, s, "a")
	save(t, s, first)
	second := first
	second.PSCSession, second.IDToken = "another", []byte("another")
	// An error is welcome here, but an app's store may also do nothing.
	_ = s.SaveSession(t.Context(), second)
	wantRecord(t, s, first)
}

func testNoRecord(t *testing.T, s auth.SessionStore) {
	save(t, s, record(t, s, "a"))
	end(t, s, "ended", tomorrow())
	for _, id := range []string{"", "b", "A", "a ", "%", "psc-a", "ended"} {
		if rec, err := s.Session(t.Context(), id); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("Session(%q): got record %q, error %v, want ErrNoSession", id, rec.ID, err)
		}
	}
}

func testNothingEnded(t *testing.T, s auth.SessionStore) {
	save(t, s, record(t, s, "a"))
	wantFeed(t, s, time.Time{})
	if _, now := feed(t, s, time.Time{}); now.IsZero() {
		t.Error("got the zero time for now")
	}
}

func testEnded(t *testing.T, s auth.SessionStore) {
	a := record(t, s, "a")
	save(t, s, a)
	save(t, s, record(t, s, "b"))
	until := tomorrow()
	end(t, s, "a", until)
	ended, _, err := s.EndedSessions(t.Context(), time.Time{})
	if err != nil {
		t.Fatalf("EndedSessions: %v", err)
	}
	if len(ended) != 1 || ended[0].ID != "a" || !ended[0].Until.Equal(until) {
		t.Errorf("got %v, want a until %v", ended, until)
	}
	// The logout at PSC may come after the logout here, and needs the token.
	wantRecord(t, s, a)
}

func testEndedTwice(t *testing.T, s auth.SessionStore) {
	save(t, s, record(t, s, "a"))
	end(t, s, "a", tomorrow())
	end(t, s, "a", tomorrow())
	wantFeed(t, s, time.Time{}, "a")
}

func testEndedUnknown(t *testing.T, s auth.SessionStore) {
	end(t, s, "unknown", tomorrow())
	wantFeed(t, s, time.Time{}, "unknown")
}

func testLateRecord(t *testing.T, s auth.SessionStore) {
	end(t, s, "a", tomorrow())
	// Whether a store takes the record is its own affair.
	_ = s.SaveSession(t.Context(), record(t, s, "a"))
	wantFeed(t, s, time.Time{}, "a")
}

// tick waits until the store's clock is past t0, and returns its time.
func tick(t *testing.T, s auth.SessionStore, t0 time.Time) time.Time {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, now := feed(t, s, t0); now.After(t0) {
			return now
		}
	}
	t.Fatalf("the store's clock stands still at %v", t0)
	return t0
}

func testSince(t *testing.T, s auth.SessionStore) {
	_, start := feed(t, s, time.Time{})
	end(t, s, "a", tomorrow())
	_, afterA := feed(t, s, time.Time{})
	if afterA.Before(start) {
		t.Errorf("now went from %v back to %v", start, afterA)
	}
	wantFeed(t, s, start, "a")

	later := tick(t, s, afterA)
	wantFeed(t, s, later) // a was noted before

	end(t, s, "b", tomorrow())
	wantFeed(t, s, later, "b")
	wantFeed(t, s, start, "a", "b")
	wantFeed(t, s, time.Time{}, "a", "b")

	// Told twice is noted once: the second end does not make a news again.
	_, afterB := feed(t, s, time.Time{})
	last := tick(t, s, afterB)
	end(t, s, "a", tomorrow())
	wantFeed(t, s, last)
}

func testClock(t *testing.T, s auth.SessionStore) {
	_, start := feed(t, s, time.Time{})
	end(t, s, "century", tomorrow().AddDate(100, 0, 0))
	_, now := feed(t, s, time.Time{})
	wantFeed(t, s, start, "century")
	wantFeed(t, s, tick(t, s, now))
	end(t, s, "tomorrow", tomorrow())
	wantFeed(t, s, start, "century", "tomorrow")
}

func testManySessions(t *testing.T, s auth.SessionStore) {
	const n = 200
	recs := make([]auth.SessionRecord, n)
	ids := make([]string, n)
	for i := range recs {
		ids[i] = fmt.Sprintf("s%03d", i)
		recs[i] = record(t, s, ids[i])
	}
	var wg sync.WaitGroup
	for _, rec := range recs {
		wg.Go(func() {
			save(t, s, rec)
			end(t, s, rec.ID, tomorrow())
		})
		wg.Go(func() { end(t, s, rec.ID, tomorrow()) })
		wg.Go(func() {
			if _, _, err := s.EndedSessions(t.Context(), time.Time{}); err != nil {
				t.Errorf("EndedSessions: %v", err)
			}
		})
	}
	wg.Wait()
	wantFeed(t, s, time.Time{}, ids...)
	for _, rec := range recs {
		wantRecord(t, s, rec)
	}
}

func testSessionContext(t *testing.T, s auth.SessionStore) {
	a, b := record(t, s, "a"), record(t, s, "b")
	save(t, s, a)
	ctx := cancelled(t)
	_, readErr := s.Session(ctx, "a")
	_, _, feedErr := s.EndedSessions(ctx, time.Time{})
	for _, c := range []struct {
		call string
		err  error
	}{
		{"SaveSession", s.SaveSession(ctx, b)},
		{"Session", readErr},
		{"EndSession", s.EndSession(ctx, "a", tomorrow())},
		{"EndedSessions", feedErr},
	} {
		if !errors.Is(c.err, context.Canceled) {
			t.Errorf("%s with a cancelled context: got error %v, want context.Canceled", c.call, c.err)
		}
	}
	wantFeed(t, s, time.Time{})
	wantRecord(t, s, a)
	if _, err := s.Session(t.Context(), "b"); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the session that was not saved: got error %v, want ErrNoSession", err)
	}
	save(t, s, b)
	wantRecord(t, s, b)
}

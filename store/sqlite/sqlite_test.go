package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/authtest"
	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/store"
	"github.com/pscauth/pscauth/store/sqlite"
)

func TestUserStore(t *testing.T) {
	authtest.TestUserStore(t, func(t *testing.T) auth.UserStore { return open(t, newPath(t)) })
}

func TestSessionStore(t *testing.T) {
	authtest.TestSessionStore(t, func(t *testing.T) auth.SessionStore { return open(t, newPath(t)) })
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "test.db") }

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// raw opens the file as an app or an operator would, past the Store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func count(t *testing.T, db *sql.DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func parse(t *testing.T, document string) psc.UserInfo {
	t.Helper()
	u, err := psc.ParseUserInfo([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

const (
	jean = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT",
		"email":"jean@cabinet.example","SubjectRefPro":{"exercices":[{"codeProfession":"10",
		"codeCategorieProfessionnelle":"C","codeCiviliteDexercice":"DR","codeSavoirFaire":"SM26"}]}}`
	claire    = `{"sub":"f:x:899999001029","SubjectNameID":"899999001029","given_name":"Claire","family_name":"MARTIN"}`
	claireNow = `{"sub":"f:x:899999001029","SubjectNameID":"899999001029","given_name":"Clara","family_name":"MARTIN-LEROY",
		"email":"clara@hopital.example","SubjectRefPro":{"exercices":[{"codeProfession":"50",
		"codeCategorieProfessionnelle":"M","codeCiviliteDexercice":"PR","codeSavoirFaire":"SM04"}]}}`
	julie = `{"sub":"f:x:julie","SubjectNameID":"500000000090100/CPAT00001","given_name":"Julie","family_name":"ANDRE"}`
)

func signIn(t *testing.T, s *store.Store, document string, at time.Time) (auth.User, bool) {
	t.Helper()
	u, first, err := s.SaveUser(t.Context(), parse(t, document), at)
	if err != nil {
		t.Fatalf("SaveUser: %v", err)
	}
	return u, first
}

func session(u auth.User, id string) auth.SessionRecord {
	now := time.Now().Truncate(time.Microsecond)
	return auth.SessionRecord{ID: id, UserID: u.ID, PSCSession: "psc-" + id, IDToken: []byte("sealed " + id),
		CreatedAt: now, ExpiresAt: now.Add(4 * time.Hour)}
}

func ended(t *testing.T, s *store.Store) []string {
	t.Helper()
	all, _, err := s.EndedSessions(t.Context(), time.Time{})
	if err != nil {
		t.Fatalf("EndedSessions: %v", err)
	}
	var ids []string
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestReopen(t *testing.T) {
	path := newPath(t)
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	before, _ := signIn(t, s, jean, at)
	rec := session(before, "a")
	if err := s.SaveSession(t.Context(), rec); err != nil {
		t.Fatalf("SaveSession: %v", err)
	}
	if err := s.EndSession(t.Context(), "a", time.Now().Add(time.Hour)); err != nil {
		t.Fatalf("EndSession: %v", err)
	}
	closeStore(t, s)

	s = open(t, path)
	after, first := signIn(t, s, jean, at.Add(time.Hour))
	want := before
	want.LastSignIn = at
	if first || after != want {
		t.Errorf("the user after a restart: first %t,\n got %+v\nwant %+v", first, after, want)
	}
	if got, err := s.Session(t.Context(), "a"); err != nil || string(got.IDToken) != "sealed a" || got.UserID != before.ID {
		t.Errorf("the session after a restart: got %+v, %v", got, err)
	}
	if got := ended(t, s); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the ended sessions after a restart: got %q, want a", got)
	}
}

func TestRows(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	signIn(t, s, jean, time.UnixMicro(1_700_000_000_123_456))
	signIn(t, s, julie, time.UnixMicro(1_700_000_000_000_000))
	signIn(t, s, claire, time.UnixMicro(1_700_000_000_000_001))
	signIn(t, s, claireNow, time.UnixMicro(1_700_000_000_000_002))
	db := raw(t, path)
	for _, c := range []struct {
		name, query string
	}{
		{"a physician", `SELECT count(*) FROM auth_users WHERE national_id = '899999001011' AND rpps = '99999001011'
			AND title = 'DR' AND first_name = 'Jean' AND last_name = 'DUPONT' AND email = 'jean@cabinet.example'
			AND profession = '10' AND category = 'C' AND specialty = 'SM26'
			AND created_at = 1700000000123456 AND last_sign_in_at = 1700000000123456 AND previous_sign_in_at IS NULL`},
		{"a person without RPPS", `SELECT count(*) FROM auth_users WHERE national_id = '500000000090100/CPAT00001'
			AND rpps IS NULL AND email IS NULL AND profession = '' AND typeof(id) = 'integer' AND id > 0`},
		{"a person of whom everything has changed", `SELECT count(*) FROM auth_users WHERE national_id = '899999001029'
			AND title = 'PR' AND first_name = 'Clara' AND last_name = 'MARTIN-LEROY' AND email = 'clara@hopital.example'
			AND profession = '50' AND category = 'M' AND specialty = 'SM04' AND created_at = 1700000000000001
			AND last_sign_in_at = 1700000000000002 AND previous_sign_in_at = 1700000000000001`},
	} {
		if n := count(t, db, c.query); n != 1 {
			t.Errorf("%s: got %d rows as an app would look for them, want 1", c.name, n)
		}
	}
}

func TestConcurrentFirstSignIns(t *testing.T) {
	path := newPath(t)
	// As two processes on one file; TestProcesses has real ones.
	stores := []*store.Store{open(t, path), open(t, path)}
	const n = 1000
	in := parse(t, jean)
	ids, firsts := make([]string, n), make([]bool, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			s := stores[i%2]
			u, first, err := s.SaveUser(t.Context(), in, time.Now())
			if err == nil {
				err = s.SaveSession(t.Context(), session(u, fmt.Sprint("s", i)))
			}
			if err != nil {
				t.Errorf("sign-in %d: %v", i, err)
			}
			ids[i], firsts[i] = u.ID, first
		})
	}
	wg.Wait()
	times := 0
	for i := range n {
		if firsts[i] {
			times++
		}
		if ids[i] != ids[0] {
			t.Errorf("sign-in %d: got user %s, want %s", i, ids[i], ids[0])
		}
	}
	db := raw(t, path)
	users, sessions := count(t, db, `SELECT count(*) FROM auth_users`), count(t, db, `SELECT count(*) FROM auth_sessions`)
	if users != 1 || times != 1 || sessions != n {
		t.Errorf("got %d users, %d times first, %d sessions, want 1, 1, %d", users, times, sessions, n)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, says string }{
		{"no path", "", "no path"},
		{"in memory", ":memory:", "t.TempDir()"},
		{"in memory, as a DSN", "file::memory:?cache=shared", "not the path of a file"},
		{"a folder", dir, "directory"},
		{"in a folder that does not exist", filepath.Join(dir, "no", "test.db"), "no such file"},
		{"not a database", text, "not a database"},
		{"NUL", filepath.Join(dir, "a\x00b"), "invalid"},
	} {
		s, err := sqlite.Open(t.Context(), c.path)
		if err == nil {
			s.Close()
			t.Errorf("%s: Open succeeded, want an error", c.name)
			continue
		}
		if !strings.HasPrefix(err.Error(), "sqlite: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %q, want an error of sqlite that says %q", c.name, err, c.says)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("refusals left %v behind, %v", left, err)
	}
}

func TestPaths(t *testing.T) {
	for _, name := range []string{
		"plain.db", "with space.db", "what?.db", "a#b.db", "100%.db", "%41.db", "a&mode=memory.db", "?mode=memory&x=.db",
		"cœur de métier 🩺.db", "a;b+c=d.db", "'quoted'.db", ":memory:x",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		s, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Errorf("%q: Open: %v", name, err)
			continue
		}
		signIn(t, s, jean, time.Now())
		closeStore(t, s)
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 || files[0].Name() != name {
			t.Errorf("%q: got files %v, %v, want just that one", name, files, err)
		}
		if _, first := signIn(t, open(t, path), jean, time.Now()); first {
			t.Errorf("%q: the user is gone", name)
		}
	}
}

func TestRelativePath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := open(t, "test.db")
	t.Chdir(t.TempDir()) // the read pool opens its first connection below
	signIn(t, s, jean, time.Now())
	if got := ended(t, s); len(got) != 0 {
		t.Errorf("got ended sessions %q in a new file", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "test.db")); err != nil {
		t.Error(err)
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path := newPath(t)
	signIn(t, open(t, path), jean, time.Now())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("test.db%s: got permissions %o, want 600", suffix, got)
		}
	}
}

// A file that vanishes must not come back empty, with everybody's permissions
// and nobody's users.
func TestFileGone(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Skipf("an open file cannot be removed here: %v", err)
		}
	}
	if got, _, err := s.EndedSessions(t.Context(), time.Time{}); err == nil {
		t.Errorf("EndedSessions without a file: got %v, want an error", got)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file came back: %v", err)
	}
}

func TestAppTables(t *testing.T) {
	path := newPath(t)
	db := raw(t, path)
	mustExec(t, db, `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)`)
	mustExec(t, db, `INSERT INTO users (name) VALUES ('the app''s own')`)

	s := open(t, path)
	u, _ := signIn(t, s, jean, time.Now())
	mustExec(t, db, `CREATE TABLE notes (author INTEGER REFERENCES auth_users (id))`)
	mustExec(t, db, `INSERT INTO notes (author) VALUES ($1)`, u.ID)
	n := count(t, db, `SELECT count(*) FROM notes JOIN auth_users ON auth_users.id = author, users
		WHERE last_name = 'DUPONT' AND users.name = 'the app''s own'`)
	if n != 1 {
		t.Errorf("got %d rows of the app's own tables joined with a user, want 1", n)
	}
}

func TestNewerDatabase(t *testing.T) {
	path := newPath(t)
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	signIn(t, s, jean, time.Now())
	closeStore(t, s)
	db := raw(t, path)
	mustExec(t, db, `INSERT INTO auth_schema (version) VALUES (1000)`)

	s, err = sqlite.Open(t.Context(), path)
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, store.ErrNewer) {
		t.Errorf("Open of a newer database: got error %v, want ErrNewer", err)
	}
	if n := count(t, db, `SELECT count(*) FROM auth_users`); n != 1 {
		t.Errorf("the refusal left %d users, want 1", n)
	}
}

func TestSessionNeedsUser(t *testing.T) {
	s := open(t, newPath(t))
	for _, id := range []string{"", "1", "jean", "-1", "99999999999999999999"} {
		if err := s.SaveSession(t.Context(), session(auth.User{ID: id}, "a")); err == nil {
			t.Errorf("SaveSession for user %q, whom nobody knows: no error", id)
		}
	}
	if rec, err := s.Session(t.Context(), "a"); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("got session %+v, %v, want ErrNoSession", rec, err)
	}
}

func TestForgetsEnded(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	for id, until := range map[string]time.Time{
		"long past":     time.Now().Add(-25 * time.Hour),
		"just past":     time.Now().Add(-23 * time.Hour), // the app's clock may be slow
		"not yet":       time.Now().Add(time.Hour),
		"since forever": {},
	} {
		if err := s.EndSession(t.Context(), id, until); err != nil {
			t.Fatalf("EndSession: %v", err)
		}
	}
	if err := s.EndSession(t.Context(), "last", time.Now().Add(time.Hour)); err != nil {
		t.Fatalf("EndSession: %v", err)
	}
	if got, want := ended(t, s), []string{"just past", "last", "not yet"}; !slices.Equal(got, want) {
		t.Errorf("got notes %q, want %q", got, want)
	}
}

// hold writes in another connection until the test lets go.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	tx, err := raw(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`UPDATE auth_users SET last_name = 'NEVER'`); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() { tx.Rollback() })
}

func TestLongWriter(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	u, _ := signIn(t, s, jean, time.Now())
	if err := s.SaveSession(t.Context(), session(u, "a")); err != nil {
		t.Fatalf("SaveSession: %v", err)
	}
	release := hold(t, path)
	defer release()

	// Everything that reads goes on, and a program can start.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := s.Session(ctx, "a"); err != nil {
		t.Errorf("Session while another process writes: %v", err)
	}
	if _, _, err := s.EndedSessions(ctx, time.Time{}); err != nil {
		t.Errorf("EndedSessions while another process writes: %v", err)
	}
	second, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Errorf("Open while another process writes: %v", err)
	} else {
		defer second.Close()
	}

	// Who writes waits no longer than they want to, whether for the other process
	// or in the queue behind one who does.
	start := time.Now()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, _, err := s.SaveUser(ctx, parse(t, claire), time.Now()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("SaveUser while another process writes: got error %v, want context.DeadlineExceeded", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("waiting for another process took %v, want about 200ms", took)
	}

	// One who waits in time gets the turn, and nothing was left half done.
	done := make(chan error, 1)
	go func() { done <- s.EndSession(t.Context(), "a", time.Now().Add(time.Hour)) }()
	time.Sleep(50 * time.Millisecond)
	release()
	if err := <-done; err != nil {
		t.Errorf("EndSession that waited: %v", err)
	}
	if _, first := signIn(t, s, claire, time.Now()); !first {
		t.Error("a sign-in that was given up created the user")
	}
	if got, _ := signIn(t, s, jean, time.Now()); got.ID != u.ID {
		t.Errorf("got user %s, want %s", got.ID, u.ID)
	}
}

func TestLockedTooLong(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the whole busy_timeout of 5 s")
	}
	path := newPath(t)
	s := open(t, path)
	u, _ := signIn(t, s, jean, time.Now())
	release := hold(t, path)
	defer release()
	start := time.Now()
	_, _, err := s.SaveUser(t.Context(), parse(t, claire), time.Now())
	if took := time.Since(start); err == nil || took < 4*time.Second || took > 20*time.Second {
		t.Errorf("SaveUser while another process writes on and on: got error %v after %v, want one after 5 s", err, took)
	}
	release()
	if got, first := signIn(t, s, jean, time.Now()); first || got.ID != u.ID {
		t.Errorf("afterwards: got user %s, first %t, want %s, false", got.ID, first, u.ID)
	}
}

// Sign-ins that are given up at any moment leave a user or none, and the one
// connection that writes.
func TestGivenUp(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	in := parse(t, jean)
	for i := range 300 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Microsecond)
		s.SaveUser(ctx, in, time.Now())
		cancel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, _, err := s.SaveUser(ctx, in, time.Now()); err != nil {
		t.Fatalf("SaveUser after 300 that were given up: %v", err)
	}
	db := raw(t, path)
	var check string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&check); err != nil || check != "ok" {
		t.Errorf("integrity_check: got %q, %v", check, err)
	}
	if n := count(t, db, `SELECT count(*) FROM auth_users`); n != 1 {
		t.Errorf("got %d users, want 1", n)
	}
}

// A statement that is not finished keeps the log from being moved into the
// database, and it grows for ever.
func TestLogStaysBounded(t *testing.T) {
	t.Parallel()
	signIns := 10_000
	if testing.Short() {
		signIns = 1_000
	}
	path := newPath(t)
	s := open(t, path)
	in := parse(t, jean)
	token := make([]byte, 4000) // a sealed ID token is about that long
	for i := range signIns {
		u, _, err := s.SaveUser(t.Context(), in, time.Now())
		if err != nil {
			t.Fatalf("SaveUser: %v", err)
		}
		rec := session(u, fmt.Sprint("s", i))
		rec.IDToken = token
		if err := s.SaveSession(t.Context(), rec); err != nil {
			t.Fatalf("SaveSession: %v", err)
		}
		if i%10 == 0 {
			if err := s.EndSession(t.Context(), rec.ID, rec.ExpiresAt); err != nil {
				t.Fatalf("EndSession: %v", err)
			}
			if _, err := s.Session(t.Context(), rec.ID); err != nil {
				t.Fatalf("Session: %v", err)
			}
			if _, _, err := s.EndedSessions(t.Context(), time.Now()); err != nil {
				t.Fatalf("EndedSessions: %v", err)
			}
		}
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	// SQLite moves the log at 1,000 pages of 4 KiB.
	if const8M := int64(8 << 20); info.Size() > const8M {
		t.Errorf("the log has %d bytes after %d sign-ins, want at most %d", info.Size(), signIns, const8M)
	}
	t.Logf("%d sign-ins, log of %d KiB", signIns, info.Size()>>10)
}

func TestBackup(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	want, _ := signIn(t, s, jean, time.Now())
	if err := s.EndSession(t.Context(), "a", time.Now().Add(time.Hour)); err != nil {
		t.Fatalf("EndSession: %v", err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	mustExec(t, raw(t, path), `VACUUM INTO $1`, backup)

	restored := open(t, backup)
	if got, first := signIn(t, restored, jean, time.Now()); first || got.ID != want.ID {
		t.Errorf("after a restore: got user %s, first %t, want %s, false", got.ID, first, want.ID)
	}
	if got := ended(t, restored); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after a restore: got ended sessions %q, want a", got)
	}
}

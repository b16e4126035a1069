package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What every connection is opened with, for most of it shows only on the day on
// which it is needed.
func TestConnections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	write, read, err := pools(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	for _, c := range []struct {
		pool      string
		db        *sql.DB
		max       int
		queryOnly string
	}{
		{"write", write, 1, "0"},
		{"read", read, readers, "1"},
	} {
		if got := c.db.Stats().MaxOpenConnections; got != c.max {
			t.Errorf("%s: got %d connections at most, want %d", c.pool, got, c.max)
		}
		for pragma, want := range map[string]string{
			"busy_timeout": "5000",
			"foreign_keys": "1",
			"journal_mode": "wal",
			"synchronous":  "2", // FULL
			"query_only":   c.queryOnly,
		} {
			var got string
			if err := c.db.QueryRow(`PRAGMA ` + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: pragma %s: got %q, %v, want %q", c.pool, pragma, got, err, want)
			}
		}
		// In defensive mode the first statement is ignored and the second fails.
		c.db.Exec(`PRAGMA writable_schema = 1`)
		if _, err := c.db.Exec(`DELETE FROM sqlite_schema`); err == nil {
			t.Errorf("%s: a statement could damage the schema", c.pool)
		}
	}
}

func TestCheckVersion(t *testing.T) {
	for _, c := range []struct {
		version string
		ok      bool
	}{
		{"3.51.3", true},
		{"3.51.4", true},
		{"3.53.0", true},
		{"3.54.1", true},
		{"4.0.0", true},

		{"3.52.0", false},
		{"3.51.2", false},
		{"3.50.99", false},
		{"3.7.0", false},
		{"", false},
		{"3.54", false},
		{"new", false},
	} {
		if err := checkVersion(c.version); (err == nil) != c.ok {
			t.Errorf("checkVersion(%q) = %v, want success %t", c.version, err, c.ok)
		}
	}
}

// taken gives a file without a log to another program, which is writing to it.
// SQLite then refuses at once to turn it into one with a log.
func taken(t *testing.T) (path string, release func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.db")
	other, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	other.SetMaxOpenConns(1)
	if _, err := other.Exec(`CREATE TABLE x (y TEXT); BEGIN IMMEDIATE; INSERT INTO x VALUES ('z')`); err != nil {
		t.Fatal(err)
	}
	return path, func() { other.Exec(`COMMIT`) }
}

func TestOpenWaitsForAnotherProgram(t *testing.T) {
	path, release := taken(t)
	time.AfterFunc(200*time.Millisecond, release)
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestOpenWaitsNoLongerThanItsContext(t *testing.T) {
	path, release := taken(t)
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if s, err := Open(ctx, path); err == nil {
		s.Close()
		t.Error("opened a file that another program has")
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("This is a letter, not a database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), path); err == nil {
		s.Close()
		t.Error("opened a letter")
	}
	if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "This is a letter") {
		t.Errorf("the letter was changed: %.40q, %v", text, err)
	}
}

func TestOpenRefusesAFileWithoutALog(t *testing.T) {
	memory := func() *sql.DB {
		db, err := sql.Open("sqlite", ":memory:") // which has no journal mode but its own
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	if s, err := open(t.Context(), memory(), memory()); err == nil || !strings.Contains(err.Error(), `journal mode "memory"`) {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestOpenRefusesARelativePathFromNowhere(t *testing.T) {
	gone := t.TempDir()
	t.Chdir(gone)
	if err := os.Remove(gone); err != nil {
		t.Skip("this system keeps a directory that is in use")
	}
	if s, err := Open(t.Context(), "test.db"); err == nil {
		s.Close()
		t.Error("opened a file in a directory that is gone")
	}
}

func TestOpenWithACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "test.db")
	if s, err := Open(ctx, path); err == nil {
		s.Close()
		t.Error("opened")
	}
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	s.Close()
}

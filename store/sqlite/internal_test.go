package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"
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

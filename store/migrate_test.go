package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	_ "modernc.org/sqlite"
)

func testDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "test.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(4)
	return db
}

func steps(sql ...string) fs.FS {
	fsys := fstest.MapFS{}
	for i, s := range sql {
		fsys["migrations/00"+string(rune('1'+i))+"_x.sql"] = &fstest.MapFile{Data: []byte(s)}
	}
	return fsys
}

const (
	one    = `CREATE TABLE a (x TEXT); CREATE TABLE b (x TEXT);`
	two    = `INSERT INTO a VALUES ('1'); INSERT INTO b VALUES ('1');`
	broken = `INSERT INTO a VALUES ('2'); CREATE TABLE c (x TEXT); INSERT INTO nowhere VALUES ('2');`
)

// rows returns how many rows table has, -1 for no such table.
func rows(t *testing.T, db *sql.DB, table string) int {
	t.Helper()
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
		return -1
	}
	return n
}

func TestMigrate(t *testing.T) {
	db := testDB(t)
	ctx := t.Context()
	for _, c := range []struct {
		name          string
		fsys          fs.FS
		ok            bool
		wantVersion   int
		wantA, wantNo int
	}{
		{"the first step", steps(one), true, 1, 0, -1},
		{"the same again", steps(one), true, 1, 0, -1},
		{"a step that fails half way", steps(one, broken), false, 1, 0, -1},
		{"the next step", steps(one, two), true, 2, 1, -1},
		{"a program that knows less", steps(one), false, 2, 1, -1},
		{"the next step fails", steps(one, two, broken), false, 2, 1, -1},
	} {
		if err := migrate(ctx, db, c.fsys); (err == nil) != c.ok {
			t.Errorf("%s: got error %v, want success %t", c.name, err, c.ok)
		}
		version, err := schemaVersion(ctx, db)
		if a, no := rows(t, db, "a"), rows(t, db, "c"); err != nil || version != c.wantVersion || a != c.wantA || no != c.wantNo {
			t.Errorf("%s: got version %d (%v), %d rows in a, %d in c, want %d, %d, %d",
				c.name, version, err, a, no, c.wantVersion, c.wantA, c.wantNo)
		}
	}
	if err := migrate(ctx, db, steps(one)); !errors.Is(err, ErrNewer) {
		t.Errorf("a program that knows less: got error %v, want ErrNewer", err)
	}
}

func TestMigrateAtOnce(t *testing.T) {
	db := testDB(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := migrate(t.Context(), db, steps(one, two)); err != nil {
				t.Errorf("migrate: %v", err)
			}
		})
	}
	wg.Wait()
	if a, b := rows(t, db, "a"), rows(t, db, "b"); a != 1 || b != 1 {
		t.Errorf("20 programs that start at once: got %d and %d rows, want each step taken once", a, b)
	}
}

func TestMigrateCancelled(t *testing.T) {
	db := testDB(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := migrate(ctx, db, steps(one)); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	if err := migrate(t.Context(), db, steps(one)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

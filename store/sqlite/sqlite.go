// Package sqlite opens a [store.Store] on a SQLite file, with
// modernc.org/sqlite, which needs no C compiler.
//
//	db, err := sqlite.Open(ctx, "carelink.db")
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	a, err := auth.New(auth.Config{Users: db, Sessions: db /* … */})
//
// One file serves any number of processes of one machine. It must lie on a disk
// of that machine: SQLite's locks do not hold on a network file system. For
// several machines use a database server.
//
// The app may keep its own tables in the same file, through connections of its
// own that set busy_timeout too. To copy the file while it is in use, VACUUM
// INTO it; a plain copy lacks what is still in the -wal file beside it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite" // registers itself as "sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/pscauth/pscauth/store"
)

// now is the present time in microseconds, to the millisecond, which is what
// SQLite's clock gives.
const now = `CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000`

// readers is how many calls may read at once. Reads are rare and short: the news
// of ended sessions every few seconds, a record at each logout.
const readers = 4

// Open opens the file at path, creates it if there is none, readable by its
// owner only, and brings its tables up to date. It makes no directory. path is
// the path of a file, whatever characters it holds, and not a DSN.
//
// Open returns an error that is [store.ErrNewer] for a file that a newer version
// of the program has changed. It refuses a SQLite library that is known to
// corrupt databases.
func Open(ctx context.Context, path string) (*store.Store, error) {
	switch {
	case path == "":
		return nil, errors.New("sqlite: no path: SQLite would use a temporary database and delete it at the end")
	case path == ":memory:" || strings.HasPrefix(path, "file:"):
		return nil, fmt.Errorf("sqlite: %q is not the path of a file: in memory, each connection would have "+
			"an empty database of its own; a test uses a file in t.TempDir()", path)
	}
	// The pools open connections later too, when the working directory may be
	// another.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}

	write, read, err := pools(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	s, err := patiently(ctx, func() (*store.Store, error) { return open(ctx, write, read) })
	if err != nil {
		write.Close()
		read.Close()
		return nil, fmt.Errorf("sqlite: %s: %w", path, err)
	}
	return s, nil
}

// pools returns the connections that write and those that read. It opens none.
func pools(path string) (write, read *sql.DB, err error) {
	// SQLite has one writer at a time. With one connection the writers of this
	// process queue here, first come first served, and only other processes are
	// ever waited for by trying again.
	write, err = sql.Open("sqlite", dsn(path, url.Values{
		// A transaction that first reads and then writes fails at once, whatever
		// busy_timeout says, when another process wrote in between. So it begins
		// as a writer.
		"_txlock": {"immediate"},
	}))
	if err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)

	read, err = sql.Open("sqlite", dsn(path, url.Values{
		// A write that strays into the read pool would not queue with the others.
		"_query_only": {"1"},
	}))
	if err != nil {
		write.Close()
		return nil, nil, err
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

// patience is how long Open tries, as long as busy_timeout lets a statement wait.
const patience = 5 * time.Second

// patiently opens again while another process has the file. Turning a new file
// into one with a write-ahead log, and taking the log away at the end, need it
// alone, and there SQLite says "database is locked" at once, whatever
// busy_timeout says.
func patiently(ctx context.Context, open func() (*store.Store, error)) (*store.Store, error) {
	for end := time.Now().Add(patience); ; {
		s, err := open()
		var fault *driver.Error
		if !errors.As(err, &fault) || fault.Code()&0xff != lib.SQLITE_BUSY || time.Now().After(end) {
			return s, err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// open checks what the file was opened with and makes a Store of it.
func open(ctx context.Context, write, read *sql.DB) (*store.Store, error) {
	var version, journal string
	if err := write.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return nil, err
	}
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	// Where the file system lacks what a log needs, the pragma changes nothing
	// and reports no error.
	if err := write.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&journal); err != nil {
		return nil, err
	}
	if journal != "wal" {
		return nil, fmt.Errorf("no write-ahead log here (journal mode %q): put the file on a disk of this machine", journal)
	}
	return store.New(ctx, write, read, now)
}

// dsn returns the address of the file for the driver. The reasons stand here for
// what all connections share.
func dsn(path string, query url.Values) string {
	// The file exists by now. If it is gone, that is an error, not an occasion
	// for a new and empty one that everybody can read.
	query.Set("mode", "rw")
	// Nothing that goes wrong in a statement can damage the file itself.
	query.Set("_defensive", "1")
	// Without it, whatever goes wrong while opening is called "out of memory".
	query.Set("_error_rc", "1")
	query["_pragma"] = []string{
		// Wait for the writer of another process for so many milliseconds before
		// failing with "database is locked". The context may end the wait sooner.
		"busy_timeout(5000)",
		// Readers go on while somebody writes, and see what was there before.
		"journal_mode(WAL)",
		// Off by default in SQLite: a session must have a user.
		"foreign_keys(1)",
		// Sync the log at each commit. With NORMAL a power cut loses the last
		// commits; one of them may be the end of a session, which would be valid
		// again.
		"synchronous(FULL)",
	}
	// A path may hold what means something in an address, such as ? # and %.
	// SQLite wants file:///C:/… on Windows.
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	u := url.URL{Scheme: "file", Path: p, RawQuery: query.Encode()}
	return u.String()
}

// creating makes one goroutine at a time create a file. On Unix, closing any
// descriptor of a file drops all locks that the process has on it, so a file
// that may be open in SQLite must not be opened here: the one that creates it
// closes it before another gets to open it as existing.
var creating sync.Mutex

// create makes an empty file for the owner only, if there is none. SQLite gives
// the files that it makes beside it the same permissions.
func create(path string) error {
	creating.Lock()
	defer creating.Unlock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		// SQLite only says "unable to open database file" to a directory.
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return fmt.Errorf("%s is a directory, not a file in one", path)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// checkVersion refuses SQLite libraries in which a checkpoint that meets a
// commit can corrupt a database with a write-ahead log: 3.7.0, the first with
// such a log, to 3.51.2; and 3.52.0, which was withdrawn.
// https://sqlite.org/wal.html#walresetbug
func checkVersion(version string) error {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("SQLite calls its version %q: %w", version, err)
	}
	n := major*1_000_000 + minor*1_000 + patch
	if n < 3_051_003 || n == 3_052_000 {
		return fmt.Errorf("SQLite %s can corrupt this database (the WAL-reset bug): "+
			"build with a modernc.org/sqlite that has SQLite 3.51.3 or later, and not 3.52.0", version)
	}
	return nil
}

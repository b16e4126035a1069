package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/store/sqlite"
)

// role, if set, makes the test binary play another process of the app: it does
// what the role says on the database at file.
const (
	role = "SQLITE_TEST_ROLE"
	file = "SQLITE_TEST_FILE"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "sign in":
		err = roleSignIn(os.Getenv(file))
	case "end":
		err = roleEnd(os.Getenv(file))
	default:
		err = errors.New("unknown role")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func process(t *testing.T, path, as string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), role+"="+as, file+"="+path)
	return cmd
}

// perProcess is small enough that on a busy machine no process is kept from the
// lock for the five seconds that it waits.
const perProcess = 100

// roleSignIn opens the database and signs one person in, many times at once.
// It prints the user's ID, and "first" for each time it was told so.
func roleSignIn(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	in, err := psc.ParseUserInfo([]byte(jean))
	if err != nil {
		return err
	}
	errs := make([]error, perProcess)
	var wg sync.WaitGroup
	for i := range perProcess {
		wg.Go(func() {
			u, first, err := s.SaveUser(ctx, in, time.Now())
			if err == nil {
				err = s.SaveSession(ctx, session(u, fmt.Sprintf("%d-%d", os.Getpid(), i)))
			}
			errs[i] = err
			if first {
				fmt.Println("first")
			}
			fmt.Println(u.ID)
		})
	}
	wg.Wait()
	return errors.Join(append(errs, s.Close())...)
}

// roleEnd ends a session and dies before it can do anything else.
func roleEnd(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	if err := s.EndSession(ctx, "ended", time.Now().Add(time.Hour)); err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	select {}
}

// Four processes start at once where there is no file yet, and each signs the
// same person in many times at once.
func TestProcesses(t *testing.T) {
	path := newPath(t)
	const n = 4
	var outputs [n]string
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var stderr strings.Builder
			cmd := process(t, path, "sign in")
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("process %d: %v: %.2000s", i, err, stderr.String())
			}
			outputs[i] = string(out)
		})
	}
	wg.Wait()
	firsts := 0
	ids := map[string]bool{}
	for _, word := range strings.Fields(strings.Join(outputs[:], "")) {
		if word == "first" {
			firsts++
		} else {
			ids[word] = true
		}
	}
	db := raw(t, path)
	users, sessions := count(t, db, `SELECT count(*) FROM auth_users`), count(t, db, `SELECT count(*) FROM auth_sessions`)
	if users != 1 || len(ids) != 1 || firsts != 1 || sessions != n*perProcess {
		t.Errorf("got %d rows, %d ids, %d times first, %d sessions, want 1, 1, 1, %d", users, len(ids), firsts, sessions, n*perProcess)
	}
}

// What EndSession has returned from is on the disk, whatever happens next.
func TestKilled(t *testing.T) {
	path := newPath(t)
	out, err := process(t, path, "end").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the process was not killed: %v: %s", err, out)
	}
	if got := ended(t, open(t, path)); !slices.Equal(got, []string{"ended"}) {
		t.Errorf("after a kill: got ended sessions %q, want ended", got)
	}
}

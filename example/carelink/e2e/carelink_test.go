package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what ought to happen at once.
const patience = 15 * time.Second

// program builds CareLink, once for all tests. It is built where it lives, with
// its own module's versions, and not with those of this one.
var program = sync.OnceValues(func() (string, error) { return build("carelink", "..") })

func build(name, dir string) (string, error) {
	path := filepath.Join(buildDir, name)
	args := []string{"build", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, ".")...)
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// buildDir is where the programs are built.
var buildDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildDir, err = os.MkdirTemp("", "carelink-e2e-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(buildDir)
		return m.Run()
	}())
}

// A carelink is the program while it runs.
type carelink struct {
	url  string // of CareLink
	mock string // of the simulated Pro Santé Connect
}

var (
	carelinkLine = regexp.MustCompile(`(?m)^CareLink \(démonstration\) +(http://\S+)`)
	mockLine     = regexp.MustCompile(`(?m)^Pro Santé Connect \(simulé\) +(http://\S+)`)
)

// start runs CareLink until the test ends, like somebody at a terminal who has
// never run it before.
func start(t *testing.T, env ...string) *carelink {
	t.Helper()
	requireChromium(t)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(path, "-addr", "localhost:0", "-mock-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "carelink.db"))
	cmd.Env = append([]string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "PATH=" + os.Getenv("PATH")}, env...)
	terminal, log := launch(t, cmd)

	// The banner is printed once both addresses answer.
	banner := ""
	for {
		line, err := terminal.ReadString('\n')
		banner += line
		if m := mockLine.FindStringSubmatch(banner); m != nil {
			go io.Copy(io.Discard, terminal)
			return &carelink{url: carelinkLine.FindStringSubmatch(banner)[1], mock: m[1]}
		}
		if err != nil {
			t.Fatalf("CareLink did not start: %v\n%s%s", err, banner, log.String())
		}
	}
}

// launch runs a program until the test ends, and returns what it prints and logs.
func launch(t *testing.T, cmd *exec.Cmd) (terminal *bufio.Reader, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(cmd.Path)
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		last := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer last.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s stopped with: %v", name, err)
		}
		if t.Failed() {
			t.Logf("what %s logged:\n%s", name, log.String())
		}
	})
	return bufio.NewReader(out), log
}

// requireChromium returns the browser's path. Without one the test is skipped,
// or fails where somebody has said that it must run.
func requireChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		path, err := exec.LookPath(name)
		if err == nil {
			return path
		}
		if !errors.Is(err, exec.ErrNotFound) {
			t.Fatal(err)
		}
	}
	const how = "no Chromium on this machine; install it with: apt-get install chromium"
	if os.Getenv("CI") == "true" || os.Getenv("PSCAUTH_REQUIRE_CHROMIUM") == "1" {
		t.Fatal(how)
	}
	t.Skip(how)
	return ""
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A process is a provider that runs, on a port of its own.
type process struct {
	base string
	cmd  *exec.Cmd
	said said
	over chan struct{} // closed when it has ended
}

// start starts a provider and waits until it answers. It is killed when ctx
// ends; stop does so sooner.
func start(ctx context.Context, p provider) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	argv, err := p.command(port)
	if err != nil {
		return nil, err
	}
	r := &process{base: "http://127.0.0.1:" + strconv.Itoa(port), over: make(chan struct{})}
	r.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	r.cmd.Stderr = &r.said
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		r.cmd.Wait() // how it ended is in what it said
		close(r.over)
	}()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		resp, err := http.Get(r.base + "/.well-known/openid-configuration") // of any status
		if err == nil {
			resp.Body.Close()
			return r, nil
		}
		if r.dead() || ctx.Err() != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	r.stop()
	return nil, fmt.Errorf("%s does not start: %s", p.name, r.said.cause())
}

func (r *process) stop() {
	r.cmd.Process.Kill()
	<-r.over
}

// dead reports whether it has ended by itself; it may take a moment to die.
func (r *process) dead() bool {
	select {
	case <-r.over:
		return true
	case <-time.After(200 * time.Millisecond):
		return false
	}
}

func (r *process) cpu() (time.Duration, error) { return cpuOf(r.cmd.Process.Pid) }

// cpuOf is the time that a process has spent on processors so far, in its own
// code and in the kernel. The kernel counts it in hundredths of a second.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, errors.New("/proc/…/stat has another form than expected")
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// rss is the memory that the process holds, in bytes, the pages of its program
// included.
func (r *process) rss() (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(value)[0])
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/…/status has no VmRSS")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// said keeps the beginning of what a process writes to its standard error: that
// is where the cause of its death is.
type said struct {
	mu   sync.Mutex
	text []byte
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b[:min(len(b), 16<<10-len(s.text))]...)
	return len(b), nil
}

// cause is the line that says why, or the first one.
func (s *said) cause() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, _, _ := bytes.Cut(s.text, []byte("\n"))
	for line := range bytes.Lines(s.text) {
		if bytes.HasPrefix(line, []byte("fatal error: ")) || bytes.HasPrefix(line, []byte("panic: ")) {
			return string(bytes.TrimSpace(line))
		}
	}
	if len(first) == 0 {
		return "without a word"
	}
	return string(first)
}

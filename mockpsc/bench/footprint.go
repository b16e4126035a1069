package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// A footprint is how soon, how small and how cheap the mock is.
type footprint struct {
	coldStart             float64 // milliseconds
	idle, loaded, expired float64 // megabytes
	server, tlsServer     float64 // milliseconds
}

func measureFootprint(ctx context.Context, binary string) (*footprint, error) {
	var f footprint
	// The first, so that nothing else has warmed or burdened this process.
	var err error
	if f.server, err = testServerCost(mockpsc.NewServer); err != nil {
		return nil, err
	}
	if f.tlsServer, err = testServerCost(mockpsc.NewTLSServer); err != nil {
		return nil, err
	}
	var starts []float64
	for range 20 {
		took, err := coldStart(ctx, binary)
		if err != nil {
			return nil, err
		}
		starts = append(starts, took)
	}
	f.coldStart = median(starts)

	p, err := start(ctx, ours(binary))
	if err != nil {
		return nil, err
	}
	defer p.stop()
	time.Sleep(2 * time.Second) // the RSA keys are made meanwhile
	if f.idle, err = megabytes(p); err != nil {
		return nil, err
	}
	if err := tenThousand(ctx, ours(binary), p); err != nil {
		return nil, err
	}
	if f.loaded, err = megabytes(p); err != nil {
		return nil, err
	}
	f.expired, err = afterExpiry(ctx)
	return &f, err
}

// afterExpiry is the memory of a process that has seen ten thousand sign-ins
// and then, by its clock, five hours pass.
func afterExpiry(ctx context.Context) (float64, error) {
	embedded := ours("")
	embedded.command = served("mockpsc")
	p, err := start(ctx, embedded)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	if err := tenThousand(ctx, embedded, p); err != nil {
		return 0, err
	}
	for _, what := range []string{"later?by=5h", "free"} { // any request sweeps
		resp, err := http.Post(p.base+"/bench/"+what, "", nil)
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		if resp, err = http.Get(p.base + "/"); err != nil {
			return 0, err
		}
		resp.Body.Close()
	}
	return megabytes(p)
}

func tenThousand(ctx context.Context, mock provider, p *process) error {
	c := newClient(mock, p.base)
	_, _, err := c.load(ctx, concurrency, 0, 10_000)
	return err
}

func megabytes(p *process) (float64, error) {
	rss, err := p.rss()
	return float64(rss) / 1e6, err
}

// coldStart starts the command and asks until it answers.
func coldStart(ctx context.Context, binary string) (milliseconds float64, err error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	cmd := exec.CommandContext(ctx, binary, "-addr", address)
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for time.Since(begun) < 5*time.Second {
		resp, err := http.Get("http://" + address + "/auth/realms/esante-wallet/.well-known/wallet-openid-configuration")
		if err != nil {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("the first answer is %s", resp.Status)
		}
		return float64(time.Since(begun).Microseconds()) / 1000, nil
	}
	return 0, fmt.Errorf("%s does not answer", binary)
}

// testServerCost is the time in milliseconds to start a server for one test, to
// have one answer of it, and to stop it.
func testServerCost(newServer func(testing.TB) *mockpsc.Server) (milliseconds float64, err error) {
	once := func(b *testing.B) error {
		t := oneTest{TB: b}
		defer t.end()
		s := newServer(&t)
		app := s.HTTPClient()
		defer app.CloseIdleConnections()
		resp, err := app.Get(s.URL + "/auth/realms/esante-wallet/protocol/openid-connect/certs")
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	var all []float64
	testing.Benchmark(func(b *testing.B) {
		if err = once(b); err != nil { // makes the keys
			return
		}
		for b.Loop() {
			begun := time.Now()
			if err = once(b); err != nil {
				return
			}
			all = append(all, float64(time.Since(begun).Microseconds())/1000)
		}
	})
	return median(all), err
}

// oneTest is a test that ends before its benchmark does.
type oneTest struct {
	testing.TB
	cleanups []func()
}

func (t *oneTest) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *oneTest) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

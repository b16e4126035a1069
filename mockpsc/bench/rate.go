package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// parts is into how many parts a measurement is cut.
const parts = 8

// A row is one provider with so many people at once, and what each round found.
type row struct {
	provider
	at         int
	signatures int
	rates      []float64 // sign-ins per second
	ratios     []float64 // of the floor, by the clock
	busy       []float64 // of the floor, by the processor time of both ends
	cpus       []float64 // seconds of the provider's process per sign-in
	shares     []float64 // of that in signatures
	had        []float64 // of the processors, while this program signed: the rest was somebody else's
	note       string    // why there is no figure
}

// measure is one round. That a provider dies or is not installed is a note.
func (r *row) measure(ctx context.Context, window time.Duration) error {
	if r.note != "" {
		return nil
	}
	p, err := start(ctx, r.provider)
	if errors.Is(err, errNoNode) {
		r.note = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	defer p.stop()
	c := newClient(r.provider, p.base)
	tokens, err := c.once(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.signatures = tokens.rs256()
	warm, _, err := c.load(ctx, r.at, window/4, 0)
	if err != nil {
		return r.failed(ctx, p, warm, err)
	}
	var f signing
	var done int64
	var took, cpu, clientCPU time.Duration
	for range parts { // the floor between, so that both meet the same machine
		if err := f.more(r.at, window/parts/2); err != nil {
			return err
		}
		cpu0, err := p.cpu()
		if err != nil {
			return err
		}
		client0, err := cpuOf(os.Getpid())
		if err != nil {
			return err
		}
		n, t, err := c.load(ctx, r.at, window/parts, 0)
		done, took = done+n, took+t
		if err != nil {
			return r.failed(ctx, p, warm+done, err)
		}
		cpu1, err := p.cpu()
		if err != nil {
			return err
		}
		client1, err := cpuOf(os.Getpid())
		if err != nil {
			return err
		}
		cpu, clientCPU = cpu+cpu1-cpu0, clientCPU+client1-client0
	}
	rate, signatures := float64(done)/took.Seconds(), float64(r.signatures)
	r.rates = append(r.rates, rate)
	r.ratios = append(r.ratios, rate*signatures/f.rate())
	r.busy = append(r.busy, signatures*f.cost()*float64(done)/(cpu+clientCPU).Seconds())
	r.cpus = append(r.cpus, cpu.Seconds()/float64(done))
	r.shares = append(r.shares, signatures*f.cost()*float64(done)/cpu.Seconds())
	if r.at >= runtime.GOMAXPROCS(0) {
		r.had = append(r.had, f.cpu.Seconds()/f.took.Seconds()/float64(runtime.GOMAXPROCS(0)))
	}
	return nil
}

func (r *row) failed(ctx context.Context, p *process, done int64, err error) error {
	if ctx.Err() == nil && p.dead() {
		r.note = fmt.Sprintf("died after %d sign-ins: %s", done, p.said.cause())
		return nil
	}
	return fmt.Errorf("%s: after %d sign-ins: %w", r.name, done, err)
}

var floorKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// signing is what signatures alone reach.
type signing struct {
	made      int64
	took, cpu time.Duration
}

func (f *signing) rate() float64 { return float64(f.made) / f.took.Seconds() } // per second
func (f *signing) cost() float64 { return f.cpu.Seconds() / float64(f.made) }  // seconds of one

// more makes signatures, two after the other by each of so many at once, and
// nothing else.
func (f *signing) more(at int, window time.Duration) error {
	key, err := floorKey()
	if err != nil {
		return err
	}
	cpu0, err := cpuOf(os.Getpid())
	if err != nil {
		return err
	}
	var made atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range at {
		wg.Go(func() {
			for time.Since(start) < window {
				for range 2 {
					sum := sha256.Sum256([]byte("header.payload"))
					if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
						panic(err) // a 2048-bit key always holds a SHA-256
					}
				}
				made.Add(2)
			}
		})
	}
	wg.Wait()
	f.took += time.Since(start)
	f.made += made.Load()
	cpu1, err := cpuOf(os.Getpid())
	f.cpu += cpu1 - cpu0
	return err
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

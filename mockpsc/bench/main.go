// Command bench measures what a sign-in costs at the mock of this module, and at
// other providers that people test with, side by side in one run; and how soon,
// how small and how cheap the mock is:
//
//	cd mockpsc/bench
//	(cd npm && npm install)    # for the two that run on Node.js; without it they are left out
//	go run .                   # about four minutes, on a machine that does nothing else
//
// It prints a table and a list of claims, and ends with status 1 if one of them
// does not hold, so that it serves as a check. It needs Linux: it reads /proc.
//
// # What is measured
//
// Every provider runs as a process of its own on 127.0.0.1, one at a time. The
// client is the same for all and shares the machine with it: 32 people at once,
// each with a new browser, ask for authorization, fill in the pages that they
// meet, and bring the code back; the application exchanges it with its secret
// and PKCE, and asks for userinfo.
//
// What nobody can do without is RSA: the mock signs an ID token and an access
// token with RS256, as the real service does. The floor is two such signatures
// (RSA, 2048 bits, PKCS #1 v1.5, SHA-256) and nothing else, by as many at once on
// the same processors, just before and just after each provider.
//
// # The table
//
//	sign-ins/s   complete sign-ins, client included
//	RS256        signatures in the tokens of one sign-in, counted in their headers
//	RS256/s      the product of both: what makes providers comparable that sign
//	             once, twice or three times
//	of floor     RS256/s as a share of what signing alone reached
//	by CPU       the same by processor time, the client's included, instead of by
//	             the clock: what it would be if nobody else used the processors.
//	             OpenSSL signs for Node.js at another cost, so that neither this
//	             nor the last column is given there
//	server CPU   processor time of the provider's process for one sign-in, in its
//	             own code and in the kernel
//	in RS256     the share of it that the signatures are, at the processor time
//	             that one took in the floor
//
// Every figure is the median of the rounds. A provider that dies is given no
// figure but when and of what. mockoidc shows no page at all, and neither does
// oauth2-mock-server; mockoidc has a data race, of which it dies under load, so
// that it is measured with one person at a time too, beside the mock.
//
// # The rest
//
// The cold start is from the start of the process to the end of the first answer
// (the discovery document), the median of twenty. Memory is the resident set of
// the command, which includes the pages of its program: idle, and after 10,000
// sign-ins. The command's clock cannot be put forward; a process that serves the
// same Server with a clock that can tells what is left once all has expired. The
// runtime gives memory back to the system some minutes after it has become free;
// here it is told to do so at once. What a server for one test costs is
// measured with a first answer and without the RSA keys, which are made once per
// process; it is the median of many, so that a busy machine disturbs it little.
//
// Two cores are best shared with nobody. Where other programs take more than a
// tenth of them the command says so, and judges by processor time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"
)

const (
	command     = "github.com/pscauth/pscauth/cmd/mockpsc"
	concurrency = 32
	quiet       = 0.1 // the most that other programs may take of the processors for the clock to count
)

func main() {
	if serve() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 3, "`number` of times that each provider is measured")
	window := flags.Duration("window", 4*time.Second, "`duration` of one measurement")
	only := flags.Bool("ours", false, "leave the other providers out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	binary, remove, err := build(ctx)
	if err != nil {
		return err
	}
	defer remove()

	fmt.Fprintf(stdout, "%s, %d processors\n\n", runtime.Version(), runtime.GOMAXPROCS(0))
	small, err := measureFootprint(ctx, binary)
	if err != nil {
		return err
	}
	rows := []*row{{provider: ours(binary), at: concurrency}, {provider: ours(binary), at: 1}}
	if !*only {
		for _, p := range peers {
			rows = append(rows, &row{provider: p, at: concurrency})
			if p.name == "mockoidc" {
				rows = append(rows, &row{provider: p, at: 1})
			}
		}
	}
	for range *rounds {
		for _, r := range rows {
			if err := r.measure(ctx, *window); err != nil {
				return err
			}
		}
	}
	printTable(stdout, rows)
	var had []float64
	for _, r := range rows {
		had = append(had, r.had...)
	}
	others := max(0, 1-median(had))
	fmt.Fprintf(stdout, "\nOther programs took %s of the processors meanwhile.", percent(others))
	if others > quiet {
		fmt.Fprint(stdout, " The clock says nothing then: providers written in Go are judged by processor time, the others not at all.")
	}
	fmt.Fprintf(stdout, "\nResident after 10,000 sign-ins, before anything has expired: %.1f MB.\n", small.loaded)
	return judge(stdout, claims(rows, small, others <= quiet))
}

// build makes the command as anybody would.
func build(ctx context.Context) (binary string, remove func(), err error) {
	src, err := sourceDir()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "mockpsc-bench")
	if err != nil {
		return "", nil, err
	}
	binary = filepath.Join(dir, "mockpsc")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, command)
	cmd.Dir = src
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("building %s: %w\n%s", command, err, out)
	}
	return binary, func() { os.RemoveAll(dir) }, nil
}

func printTable(w io.Writer, rows []*row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "provider\tat once\tsign-ins/s\tRS256\tRS256/s\tof floor\tby CPU\tserver CPU\tin RS256\t\n")
	for _, r := range rows {
		if r.note != "" {
			continue
		}
		busy, share := "–", "–"
		if !r.openSSL {
			busy, share = percent(median(r.busy)), percent(median(r.shares))
		}
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%d\t%.0f\t%s\t%s\t%.2f ms\t%s\t\n", r.name, r.at, median(r.rates), r.signatures,
			median(r.rates)*float64(r.signatures), percent(median(r.ratios)), busy, 1000*median(r.cpus), share)
	}
	t.Flush()
	for _, r := range rows {
		if r.note != "" {
			fmt.Fprintf(w, "%s, %d at once: %s\n", r.name, r.at, r.note)
		}
	}
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// A claim is one of the things that are said of the mock.
type claim struct {
	what string
	got  string
	want string
	ok   bool
}

func claims(rows []*row, small *footprint, byClock bool) []claim {
	reached := func(r *row) float64 {
		if byClock {
			return median(r.ratios)
		}
		return median(r.busy)
	}
	mock := rows[0]
	ratio, share := reached(mock), median(mock.shares)
	list := []claim{
		{"sign-ins, of what two signatures alone reach", percent(ratio), "at least 65 %", ratio >= 0.65},
		{"signatures, of the processor time of a sign-in", percent(share), "at least 60 %", share >= 0.60},
	}
	for _, r := range rows {
		if r.at == concurrency && r != mock && r.note == "" && (byClock || !r.openSSL) {
			theirs := reached(r)
			list = append(list, claim{"signatures, of the floor, beside " + r.name, percent(ratio) + " against " + percent(theirs), "more", ratio > theirs})
		}
	}
	under := func(what string, got, want float64, unit string) {
		list = append(list, claim{what, fmt.Sprintf("%.2f %s", got, unit), fmt.Sprintf("under %.0f %s", want, unit), got < want})
	}
	under("cold start to first answer", small.coldStart, 20, "ms")
	under("resident when idle", small.idle, 15, "MB")
	under("resident after 10,000 sign-ins, all expired", small.expired, 40, "MB")
	under("a server for one test", small.server, 1, "ms")
	under("a TLS server for one test", small.tlsServer, 3, "ms")
	return list
}

// judge prints the claims and returns an error if one does not hold.
func judge(w io.Writer, list []claim) error {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var broken []error
	for _, c := range list {
		verdict := "holds"
		if !c.ok {
			verdict = "DOES NOT HOLD"
			broken = append(broken, fmt.Errorf("bench: %s: %s, and not %s", c.what, c.got, c.want))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.what, c.got, c.want, verdict)
	}
	t.Flush()
	return errors.Join(broken...)
}

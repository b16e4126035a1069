package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pscauth/pscauth/cmd/mockpsc/internal/check"
	"github.com/pscauth/pscauth/mockpsc"
)

// A status is how the program ends that has said all it has to say.
type status int

func (s status) Error() string { return fmt.Sprintf("mockpsc: status %d", int(s)) }

// notRun is the status of a check that could not be run.
const notRun = 4

// checkCommand is mockpsc check. Its error is a status, or says why there was no
// check.
func checkCommand(ctx context.Context, args []string, stdout io.Writer) error {
	var opt check.Options
	flags := flag.NewFlagSet("mockpsc check", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		fmt.Fprint(stdout, `mockpsc check -mock URL -signed-in PATH [flags] APP

Tries an application, in any language, that is configured with a running mock:
all faults and the rules of Pro Santé Connect. APP is the address where a person
begins to sign in. Status: 0 nothing above advice, 1 something minor, 2 serious,
3 critical, 4 could not be run, or too little of it could.

`)
		flags.PrintDefaults()
	}
	flags.StringVar(&opt.Mock, "mock", "http://127.0.0.1:9090", "base `URL` of the mock")
	flags.StringVar(&opt.SignedIn, "signed-in", "", "`path` of a page at APP that opens only to who is signed in")
	flags.StringVar(&opt.Persona, "persona", "dr-dupont", "who signs in")
	flags.StringVar(&opt.Logout, "logout", "", "`path` to sign out (default: the one that the page of -signed-in has a form or link to)")
	flags.StringVar(&opt.ReturnParam, "return-param", "", "`name` of APP's parameter with the way back (default: it is looked for)")
	flags.StringVar(&opt.Restart, "restart", "", "shell `command` that restarts the application, so that it reads metadata and keys again; without it what is cached is not tested")
	flags.IntVar(&opt.Parallel, "parallel", 4, "browsers at a time; 1 if the application does not bear more")
	flags.DurationVar(&opt.Timeout, "timeout", 15*time.Second, "for each step")
	flags.BoolVar(&opt.Quick, "quick", false, "leave out the faults that hang")
	only := flags.String("only", "", "try only the faults whose name this `expression` matches")
	ca := flags.String("ca", "", "`file` with a CA (PEM) of the mock or the application to trust beside the system's")
	lang := flags.String("lang", "fr", "of the report: fr or en")
	junit := flags.String("junit", "", "write the report to this `file` too, as JUnit XML")
	asJSON := flags.Bool("json", false, "write JSON instead of text")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("mockpsc: check wants one address, where a person begins to sign in; %d given (flags come before it)", flags.NArg())
	}
	opt.App = flags.Arg(0)
	if *lang != "fr" && *lang != "en" {
		return fmt.Errorf("mockpsc: -lang %q: fr or en", *lang)
	}
	if *only != "" {
		form, err := regexp.Compile(*only)
		if err != nil {
			return fmt.Errorf("mockpsc: -only: %w", err)
		}
		if !slices.ContainsFunc(mockpsc.Faults(), func(f mockpsc.Fault) bool { return form.MatchString(f.Name) }) {
			return fmt.Errorf("mockpsc: -only matches no fault; mockpsc faults lists them")
		}
		opt.Only = form.MatchString
	}
	if *ca != "" {
		text, err := os.ReadFile(*ca)
		if err != nil {
			return fmt.Errorf("mockpsc: -ca: %w", err)
		}
		if opt.Roots, err = x509.SystemCertPool(); err != nil {
			opt.Roots = x509.NewCertPool()
		}
		if !opt.Roots.AppendCertsFromPEM(text) {
			return fmt.Errorf("mockpsc: -ca: no certificate in %s", *ca)
		}
	}
	var file *os.File
	if *junit != "" { // before an hour has been spent on what it is to hold
		var err error
		if file, err = os.Create(*junit); err != nil {
			return fmt.Errorf("mockpsc: -junit: %w", err)
		}
		defer file.Close()
	}
	report, err := check.Run(ctx, opt)
	if err != nil {
		return err
	}
	if *asJSON {
		err = report.JSON(stdout)
	} else {
		err = report.Text(stdout, *lang)
	}
	if err != nil {
		return err
	}
	if file != nil {
		if err := errors.Join(report.JUnit(file, *lang), file.Close()); err != nil {
			return fmt.Errorf("mockpsc: -junit: %w", err)
		}
	}
	if report.Status > 0 {
		return status(report.Status)
	}
	return nil
}

// faultsCommand is mockpsc faults.
func faultsCommand(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("mockpsc faults", flag.ContinueOnError)
	flags.SetOutput(stdout)
	asJSON := flags.Bool("json", false, "write JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("mockpsc: unexpected argument %q", flags.Arg(0))
	}
	if !*asJSON {
		table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		for _, f := range mockpsc.Faults() {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, f.Severity, f.Where, f.Summary)
		}
		return table.Flush()
	}
	type row struct {
		Name       string `json:"name"`
		Summary    string `json:"summary"`
		Where      string `json:"where"`
		Expect     string `json:"expect"`
		Severity   string `json:"severity"`
		MayRestart bool   `json:"may_restart"`
	}
	var list []row
	for _, f := range mockpsc.Faults() {
		list = append(list, row{f.Name, f.Summary, f.Where, f.Expect, f.Severity, f.MayRestart})
	}
	e := json.NewEncoder(stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(list)
}

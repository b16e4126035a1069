// Command carelink shows the whole path: health professionals sign in with Pro
// Santé Connect and see the patients of their practice. Without settings it
// needs nothing but itself: it starts a mock of Pro Santé Connect beside it and
// keeps its fictional data in an SQLite file.
//
//	go run ./example/carelink
//
// Read authorize.go first: Pro Santé Connect says who a person is, and the rules
// in there say what they may do. site.go shows how package auth is put in front
// of an ordinary net/http app, in a dozen lines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
	"github.com/pscauth/pscauth/store"
	"github.com/pscauth/pscauth/store/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	p := program{
		getenv: os.Getenv,
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		now:    time.Now,
		ready:  func(running) {},
	}
	if err := p.run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A program is what run needs of the world, so that a test can give it another.
type program struct {
	getenv         func(string) string
	stdin          io.Reader // answers the question that -reset may ask
	stdout, stderr io.Writer
	now            func() time.Time
	ready          func(running) // called once both addresses answer
}

// running is what ready is told.
type running struct {
	url  string          // of CareLink, as browsers reach it
	db   string          // path of the database
	mock *mockpsc.Server // nil with another provider
}

// run starts CareLink, and the mock where it is wanted, and serves until ctx
// ends. Its errors are for the person at the terminal and say what to do.
func (p program) run(ctx context.Context, args []string) error {
	cfg, err := readConfig(args, p.getenv, p.stderr)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, nil))

	// The ports first: whoever cannot have them touches no file.
	app, err := listen(cfg.addr, cfg.movable)
	if err != nil {
		return err
	}
	defer app.close()
	if cfg.url == "" {
		cfg.url = app.url()
	}
	var notices []string
	notices = append(notices, app.moved()...)
	var mock *listener
	if cfg.mock {
		if mock, err = listen(cfg.mockAddr, !cfg.mockAddrGiven); err != nil {
			return err
		}
		defer mock.close()
		cfg.mockURL = mock.url()
		cfg.provider = psc.At(cfg.mockURL)
		notices = append(notices, mock.moved()...)
	}

	if cfg.reset {
		if err := reset(ctx, cfg.db, p.stdin, p.stdout); err != nil {
			return err
		}
	}
	fresh, err := prepare(cfg.db)
	if err != nil {
		return err
	}
	if cfg.secret == nil {
		var made bool
		if cfg.secret, made, err = keptSecret(secretPath(cfg.db)); err != nil {
			return err
		}
		if made {
			notices = append(notices, "CARELINK_SECRET absent : un secret de démonstration est gardé à côté de la base.")
		}
	}
	users, err := sqlite.Open(ctx, cfg.db)
	if err != nil {
		return whyNoDatabase(err, cfg.db)
	}
	defer users.Close()
	data, err := openData(ctx, cfg.db, fresh, p.now())
	if err != nil {
		return whyNoDatabase(err, cfg.db)
	}
	defer data.close()

	site, err := newSite(cfg, users, data, p.now, log)
	if err != nil {
		return faultf("CareLink ne peut pas démarrer avec ces réglages :\n%w", err)
	}
	up := running{url: cfg.url, db: cfg.db}
	if cfg.mock {
		up.mock = newMock(cfg, p.now)
		if err := up.mock.Check(); err != nil {
			return err
		}
	}
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	servers := []*server{serve(app, site, log, failed)}
	if cfg.mock {
		servers = append(servers, serve(mock, up.mock, log, failed))
	}
	banner(p.stdout, cfg, notices)
	p.ready(up)

	<-ctx.Done()
	return stop(servers)
}

// newMock is the provider beside CareLink: the one client, with exactly the
// addresses that it uses, as one would register them.
func newMock(cfg config, now func() time.Time) *mockpsc.Server {
	return &mockpsc.Server{
		Issuer: cfg.provider.Issuer,
		Clients: []mockpsc.Client{{
			ID:             cfg.clientID,
			Secret:         cfg.clientSecret,
			Name:           "CareLink",
			RedirectURIs:   []string{cfg.url + callbackPath},
			PostLogoutURIs: []string{cfg.url + signedOutPath},
			StartURL:       cfg.url + "/",
		}},
		Now: now,
	}
}

// whyNoDatabase puts the one fault of a database that a person can mend into
// their words.
func whyNoDatabase(err error, path string) error {
	if errors.Is(err, store.ErrNewer) {
		return faultf("Base écrite par une version plus récente : %s.\n"+
			"Relancez cette version-là, ou choisissez un autre fichier avec -db.", path)
	}
	return faultf("La base %s ne peut pas être ouverte : %w", path, err)
}

// A server answers at one listener until stop.
type server struct {
	http  *http.Server
	wait  sync.WaitGroup
	fault error
	once  sync.Once
}

// serve begins to answer at l. If that ends by itself, failed is called.
func serve(l *listener, h http.Handler, log *slog.Logger, failed func()) *server {
	s := &server{http: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
	for _, one := range l.all {
		s.wait.Go(func() {
			if err := s.http.Serve(one); !errors.Is(err, http.ErrServerClosed) {
				s.once.Do(func() { s.fault = err })
				failed()
			}
		})
	}
	return s
}

// stop lets the requests under way finish, for a few seconds.
func stop(servers []*server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var faults []error
	for _, s := range servers {
		if s.http.Shutdown(ctx) != nil {
			s.http.Close() // somebody holds a connection; they lose it
		}
		s.wait.Wait()
		faults = append(faults, s.fault)
	}
	return errors.Join(faults...)
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
)

const longEnough = "0123456789abcdef0123456789abcdef"

func env(pairs ...string) map[string]string {
	m := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		m[name] = value
	}
	return m
}

// TestStartRules: when the mock starts, when another provider is used, and what
// is not started at all.
func TestStartRules(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	flags := func(s string) []string { return strings.Fields(s) }
	psc1 := []string{"PSC_CLIENT_ID=id", "PSC_CLIENT_SECRET=secret"}
	with := func(pairs ...string) map[string]string { return env(append(pairs, psc1...)...) }
	for _, tt := range []struct {
		name  string
		args  []string
		env   map[string]string
		mock  bool
		fault string // empty: it starts
	}{
		{"nothing given", nil, nil, true, ""},
		{"all on 127.0.0.1", flags("-addr 127.0.0.1:1 -mock-addr 127.0.0.1:2"), nil, true, ""},
		{"all on ::1", flags("-addr [::1]:1 -mock-addr [::1]:2"), nil, true, ""},
		{"a loopback public address", nil, env("CARELINK_URL=http://127.0.0.1:8080"), true, ""},
		{"a loopback public address in https", nil, env("CARELINK_URL=https://localhost:8443/"), true, ""},

		{"CareLink on every address", flags("-addr :8080"), nil, false, "PSC_ISSUER manque"},
		{"CareLink on every IPv4 address", flags("-addr 0.0.0.0:8080"), nil, false, "PSC_ISSUER manque"},
		{"CareLink on the local network", flags("-addr 192.168.1.2:8080"), nil, false, "PSC_ISSUER manque"},
		{"CareLink on a name", flags("-addr carelink.example:8080"), nil, false, "PSC_ISSUER manque"},
		{"the mock on every address", flags("-mock-addr :9090"), nil, false, "PSC_ISSUER manque"},
		{"the mock on a name that only begins like localhost", flags("-mock-addr localhost.example:9090"), nil, false, "PSC_ISSUER manque"},
		{"a public address elsewhere", nil, env("CARELINK_URL=https://carelink.example"), false, "PSC_ISSUER manque"},
		{"a client without an issuer elsewhere", flags("-addr :8080"), with("CARELINK_URL=https://carelink.example"), false, "PSC_ISSUER manque"},

		{"sandbox", nil, with("PSC_ISSUER=sandbox"), false, ""},
		{"production elsewhere", flags("-addr :8080"), with("PSC_ISSUER=production", "CARELINK_URL=https://carelink.example"), false, ""},
		{"a standalone mock", nil, with("PSC_ISSUER=http://127.0.0.1:9090/auth/realms/esante-wallet"), false, ""},
		{"elsewhere without a public address", flags("-addr :8080"), with("PSC_ISSUER=sandbox"), false, "CARELINK_URL manque"},
		{"no client", nil, env("PSC_ISSUER=sandbox", "PSC_CLIENT_SECRET=x"), false, "PSC_CLIENT_ID manque : il est fourni par l'ANS avec l'accès au bac à sable."},
		{"no client secret", nil, env("PSC_ISSUER=sandbox", "PSC_CLIENT_ID=x"), false, "PSC_CLIENT_SECRET manque"},

		{"http elsewhere", nil, with("PSC_ISSUER=sandbox", "CARELINK_URL=http://carelink.example"), false, "CARELINK_URL doit être en https hors de cette machine."},
		{"a public address with a path", nil, env("CARELINK_URL=http://localhost:8080/app"), false, "n'est pas une adresse sans chemin"},
		{"a public address with a user", nil, env("CARELINK_URL=http://x@localhost:8080"), false, "n'est pas une adresse sans chemin"},
		{"a public address without a scheme", nil, env("CARELINK_URL=localhost:8080"), false, "n'est pas une adresse sans chemin"},
		{"no host", nil, env("CARELINK_URL=http://:8080"), false, "n'est pas une adresse sans chemin"},

		{"a secret", nil, env("CARELINK_SECRET=" + longEnough), true, ""},
		{"a short secret", nil, env("CARELINK_SECRET=" + longEnough[1:]), false, "CARELINK_SECRET trop court : 32 octets au moins. Exemple : openssl rand -base64 32"},
		{"administrators", nil, env("CARELINK_ADMINS=899999001029, 99999001037"), true, ""},
		{"an administrator who is none", nil, env("CARELINK_ADMINS=Dupont"), false, "CARELINK_ADMINS"},

		{"a session of a minute", flags("-session-ttl 1m"), nil, true, ""},
		{"a session of a second", flags("-session-ttl 1s"), nil, false, "-session-ttl 1s est trop court"},
		{"a session of no time", flags("-session-ttl 0s"), nil, false, "-session-ttl 0s est trop court"},
		{"an address without a port", flags("-addr localhost"), nil, false, `-addr "localhost" n'est pas une adresse`},
		{"an unknown flag", flags("-port 1"), nil, false, "Réglage refusé"},
		{"an argument", flags("8080"), nil, false, "Argument inattendu : 8080"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := readConfig(tt.args, func(name string) string { return tt.env[name] }, io.Discard)
			switch {
			case tt.fault == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.fault != "" && err == nil:
				t.Errorf("not refused, want %q", tt.fault)
			case tt.fault != "" && !strings.Contains(err.Error(), tt.fault):
				t.Errorf("refused with %q, want %q", err, tt.fault)
			}
			if cfg.mock != tt.mock {
				t.Errorf("mock %v, want %v", cfg.mock, tt.mock)
			}
		})
	}

	t.Run("every fault at once", func(t *testing.T) {
		_, err := readConfig(flags("-addr x -session-ttl 1s"), func(name string) string {
			return env("PSC_ISSUER=sandbox", "CARELINK_SECRET=x", "CARELINK_URL=http://a.example")[name]
		}, io.Discard)
		for _, want := range []string{"-addr", "-session-ttl", "PSC_CLIENT_ID", "PSC_CLIENT_SECRET", "CARELINK_SECRET", "CARELINK_URL"} {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%v does not name %s", err, want)
			}
		}
	})
	t.Run("help is no fault", func(t *testing.T) {
		var help strings.Builder
		_, err := readConfig([]string{"-h"}, func(string) string { return "" }, &help)
		if !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "PSC_DISCOVERY_URL") || !strings.Contains(help.String(), "-mock-addr") {
			t.Errorf("%v: %s", err, help.String())
		}
	})
}

func TestProvider(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	mine := psc.Environment{Issuer: "https://psc.example/auth/realms/esante-wallet"}
	found := psc.Environment{Issuer: mine.Issuer, Discovery: "https://psc.example/discovery"}
	local := psc.Sandbox
	local.Discovery = "https://copy.example/d"
	for _, tt := range []struct {
		issuer, discovery string
		want              psc.Environment
	}{
		{"production", "", psc.Production},
		{"sandbox", "", psc.Sandbox},
		{psc.Production.Issuer, "", psc.Production},
		{psc.Sandbox.Issuer, "", psc.Sandbox},
		{mine.Issuer, "", mine},
		{mine.Issuer, found.Discovery, found},
		{"sandbox", local.Discovery, local},
	} {
		e := env("PSC_ISSUER="+tt.issuer, "PSC_DISCOVERY_URL="+tt.discovery, "PSC_CLIENT_ID=id", "PSC_CLIENT_SECRET=secret")
		cfg, err := readConfig(nil, func(name string) string { return e[name] }, io.Discard)
		if err != nil || cfg.provider != tt.want || cfg.clientID != "id" || cfg.clientSecret != "secret" {
			t.Errorf("%s %s: %+v, %v; want %+v", tt.issuer, tt.discovery, cfg.provider, err, tt.want)
		}
	}
}

// TestStandaloneMock runs CareLink against a mock that is not its own, by
// environment alone.
func TestStandaloneMock(t *testing.T) {
	_, err := tryStart(t, program{}, env("PSC_ISSUER=http://psc.example/x", "PSC_CLIENT_ID=a", "PSC_CLIENT_SECRET=b"), somewhere(t)...)
	if err == nil || !strings.Contains(err.Error(), "Provider.Issuer") {
		t.Errorf("an issuer in http elsewhere: %v", err)
	}

	other := mockpsc.NewServer(t)
	issuer := psc.At(other.URL).Issuer
	d, err := tryStart(t, program{}, env("PSC_ISSUER="+issuer, "PSC_CLIENT_ID=carelink", "PSC_CLIENT_SECRET=carelink-secret"), somewhere(t)...)
	if err != nil {
		t.Fatal(err)
	}
	if d.mock != nil {
		t.Error("a mock started although PSC_ISSUER is set")
	}
	if out := d.out.String(); strings.Contains(out, "simulé") || strings.Contains(out, "1234") || !strings.Contains(out, issuer) {
		t.Errorf("the terminal says:\n%s", out)
	}
	b := d.browser()
	b.get("/").want("S'identifier avec Pro Santé Connect").wantNot("1234", "Dr Jean DUPONT")
	b.mock = other
	b.signIn("dr-dupont", "/patients").wantStatus(http.StatusOK).want("Bienvenue, Dr Jean DUPONT.", "8 patients")
	b.signOut().want("Vous êtes déconnecté")
}

func TestBanner(t *testing.T) {
	d := start(t, time.Now, somewhere(t)...)
	mock := strings.TrimSuffix(d.mock.Issuer, "/auth/realms/esante-wallet")
	want := fmt.Sprintf(`CARELINK_SECRET absent : un secret de démonstration est gardé à côté de la base.

CareLink (démonstration)      %s   ← ouvrez cette adresse
Pro Santé Connect (simulé)    %s
Données                       %s   (remise à zéro : -reset)

Qui peut se connecter (code e-CPS 1234, code carte 5678) :
  dr-dupont      Dr Jean DUPONT, médecin généraliste     Cabinet des Tilleuls
  dr-martin      Dr Claire MARTIN, médecin généraliste   Cabinet du Moulin : autres patients
  dr-moreau      Dr Hélène MOREAU, cardiologue           deux lieux d'exercice
  inf-benali     Karim BENALI, infirmier                 carte seulement
  pharma-girard  Paul GIRARD, pharmacien                 identifié, mais pas autorisé partout
  … tous : %s/
Arrêter : Ctrl-C
`, d.url, mock, d.db, mock)
	if got := d.out.String(); got != want {
		t.Errorf("the terminal says:\n%s\nwant:\n%s", got, want)
	}
}

func TestPorts(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port

	t.Run("a taken port that was chosen is an error", func(t *testing.T) {
		for _, host := range []string{"127.0.0.1", "localhost"} {
			l, err := listen(fmt.Sprintf("%s:%d", host, port), false)
			if err == nil {
				l.close()
			}
			if want := fmt.Sprintf("Le port %d est pris.", port); !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: %v, want %q", host, err, want)
			}
		}
	})
	t.Run("a taken default port moves and says so", func(t *testing.T) {
		l, err := listen(fmt.Sprintf("localhost:%d", port), true)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		if l.port == port || l.port > port+nearby {
			t.Errorf("moved from %d to %d", port, l.port)
		}
		if got, want := strings.Join(l.moved(), ""), fmt.Sprintf("Le port %d est pris : j'utilise %d.", port, l.port); got != want {
			t.Errorf("says %q, want %q", got, want)
		}
		if want := fmt.Sprintf("http://localhost:%d", l.port); l.url() != want {
			t.Errorf("address %s, want %s", l.url(), want)
		}
	})
	t.Run("a port that is free stays and says nothing", func(t *testing.T) {
		l, err := listen("localhost:0", true)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		if len(l.moved()) > 0 {
			t.Error(l.moved())
		}
	})
	t.Run("which ports may move", func(t *testing.T) {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		for _, tt := range []struct {
			args  []string
			url   string
			moves bool
		}{
			{nil, "", true},
			{[]string{"-addr", defaultAddr}, "", false},
			{nil, "http://localhost:8080", false}, // others were told this port
		} {
			cfg, err := readConfig(tt.args, func(name string) string { return env("CARELINK_URL=" + tt.url)[name] }, io.Discard)
			if err != nil || cfg.movable != tt.moves {
				t.Errorf("%v %s: moves %v, %v; want %v", tt.args, tt.url, cfg.movable, err, tt.moves)
			}
		}
	})
	t.Run("CareLink does not start on a chosen port that is taken", func(t *testing.T) {
		db := filepath.Join(t.TempDir(), "x.db")
		_, err := tryStart(t, program{}, nil, "-addr", busy.Addr().String(), "-mock-addr", "127.0.0.1:0", "-db", db)
		if err == nil {
			t.Fatal("it started")
		}
		if _, err := os.Stat(db); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it touched the database: %v", err)
		}
	})
}

// TestOneName: both names of this machine answer, and the one that is not
// CareLink's sends visits to the one that is.
func TestOneName(t *testing.T) {
	d := start(t, time.Now, somewhere(t)...)
	_, port, _ := net.SplitHostPort(host(d.url))
	still := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, tt := range []struct {
		name, method, url string
		bearer            bool
		to                string // where it is sent; empty: nowhere
	}{
		{"a visit by address", "GET", "http://127.0.0.1:" + port + "/patients?q=a%20b", false, d.url + "/patients?q=a%20b"},
		{"a glance by address", "HEAD", "http://127.0.0.1:" + port + "/me", false, d.url + "/me"},
		{"the sign-in by address", "GET", "http://127.0.0.1:" + port + "/api/v1/auth/login", false, d.url + "/api/v1/auth/login"},
		{"a path that looks like a host", "GET", "http://127.0.0.1:" + port + "//evil.example/", false, d.url + "//evil.example/"},
		{"by its own name", "GET", d.url + "/accessibilite", false, ""},
		{"a form", "POST", "http://127.0.0.1:" + port + "/patients/42/evaluations", false, ""},
		{"a program with a token", "GET", "http://127.0.0.1:" + port + "/api/v1/patients", true, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.bearer {
			r.Header.Set("Authorization", "Bearer x.y.z")
		}
		resp, err := still.Do(r)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		resp.Body.Close()
		if to := resp.Header.Get("Location"); to != tt.to {
			t.Errorf("%s: sent to %q, want %q", tt.name, to, tt.to)
		}
	}

	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		resp, err := still.Get("http://[::1]:" + port + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if to := resp.Header.Get("Location"); to != d.url+"/" {
			t.Errorf("a visit by [::1] is sent to %q", to)
		}
	}

	elsewhere := oneName("https://carelink.example", http.NotFoundHandler())
	r, _ := http.NewRequest("GET", "/", nil)
	r.Host = "127.0.0.1:8080" // a proxy on the same machine
	w := &recorder{header: http.Header{}}
	elsewhere.ServeHTTP(w, r)
	if w.header.Get("Location") != "" {
		t.Error("behind a public address a visit is sent away")
	}
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

func TestKeptSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.secret")
	secret, made, err := keptSecret(path)
	if err != nil || !made || len(secret) != 32 {
		t.Fatalf("%d bytes, made %v, %v", len(secret), made, err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("kept with mode %v, %v", info.Mode(), err)
	}
	again, made, err := keptSecret(path)
	if err != nil || made || string(again) != string(secret) {
		t.Errorf("the next start: made %v, %v, same %v", made, err, string(again) == string(secret))
	}
	other, _, err := keptSecret(filepath.Join(t.TempDir(), "y.secret"))
	if err != nil || string(other) == string(secret) {
		t.Errorf("another database has the same secret, or none: %v", err)
	}

	for name, content := range map[string]string{"empty": "", "short": longEnough[1:], "long": longEnough + "x"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := keptSecret(path); err == nil || !strings.Contains(err.Error(), "longueur") {
			t.Errorf("a secret that is %s: %v", name, err)
		}
		if left, _ := os.ReadFile(path); string(left) != content {
			t.Errorf("a secret that is %s was changed", name)
		}
	}
	if runtime.GOOS != "windows" {
		open := filepath.Join(t.TempDir(), "open")
		if err := os.WriteFile(open, []byte(longEnough), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := keptSecret(open); err == nil || !strings.Contains(err.Error(), "lisible par d'autres") {
			t.Errorf("a secret that others read: %v", err)
		}
	}
}

func TestSecretIsKeptBesideTheDatabase(t *testing.T) {
	d := start(t, time.Now, somewhere(t)...)
	if info, err := os.Stat(filepath.Join(filepath.Dir(d.db), "carelink.secret")); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	given, err := tryStart(t, program{}, env("CARELINK_SECRET="+longEnough), somewhere(t)...)
	if err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(given.db), "*.secret")); len(files) > 0 {
		t.Errorf("a secret is kept although one was given: %v", files)
	}
}

func TestReset(t *testing.T) {
	d := start(t, time.Now, somewhere(t)...)
	// The same addresses again, so that only the reset can make a session bad.
	args := []string{"-addr", host(d.url), "-mock-addr", host(strings.TrimSuffix(d.mock.Issuer, "/auth/realms/esante-wallet")), "-db", d.db}
	old, _ := d.signedIn("dr-dupont")
	old.post("/patients/40/evaluations", url.Values{"type": {"follow_up"}}).wantStatus(http.StatusOK)

	t.Run("not under a running program", func(t *testing.T) {
		_, err := tryStart(t, program{}, nil, "-addr", "localhost:0", "-mock-addr", "127.0.0.1:0", "-db", d.db, "-reset")
		if err == nil || !strings.Contains(err.Error(), "utilisée par un autre programme") {
			t.Errorf("%v", err)
		}
	})
	d.stop()

	t.Run("not without the flag", func(t *testing.T) {
		old.demo = start(t, time.Now, args...)
		old.api("GET", "/api/v1/patients", "").wantStatus(http.StatusOK)
		old.stop()
	})

	t.Run("its own file without a question", func(t *testing.T) {
		d, err := tryStart(t, program{}, nil, append(args, "-reset")...)
		if err != nil {
			t.Fatal(err)
		}
		if n := d.row(`SELECT count(*) FROM evaluations`); n != 12 {
			t.Errorf("%d evaluations, want the twelve of the beginning", n)
		}
		if n := d.row(`SELECT count(*) FROM auth_users`); n != 0 {
			t.Errorf("%d users, want none", n)
		}
		// The user of that session is gone, and another may get the number.
		old.demo = d
		old.api("GET", "/api/v1/patients", "").wantStatus(http.StatusUnauthorized)
		_, page := d.signedIn("dr-dupont")
		page.want("Première connexion")
	})

	t.Run("somebody else's file after a question", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "theirs.db")
		theirs, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Exec(`CREATE TABLE letters (text TEXT); INSERT INTO letters VALUES ('dear')`); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		args := []string{"-addr", "localhost:0", "-mock-addr", "127.0.0.1:0", "-db", path}
		count := func(t *testing.T) (n int) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if db.QueryRow(`SELECT count(*) FROM letters`).Scan(&n) != nil {
				return -1
			}
			return n
		}

		// CareLink may live in it without a question, and that does not make it its own.
		start(t, time.Now, args...).stop()
		for _, answer := range []string{"", "\n", "non\n", "o\n"} {
			_, err := tryStart(t, program{stdin: strings.NewReader(answer)}, nil, append(args, "-reset")...)
			if err == nil || !strings.Contains(err.Error(), "Rien n'a été effacé") || count(t) != 1 {
				t.Errorf("answer %q: %v, %d letters", answer, err, count(t))
			}
		}
		d, err := tryStart(t, program{stdin: strings.NewReader("oui\n")}, nil, append(args, "-reset")...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(d.out.String(), "n'a pas été créé par la démonstration") {
			t.Errorf("no question: %s", d.out)
		}
		d.stop()
		if n := count(t); n != -1 {
			t.Errorf("%d letters are left", n)
		}
	})

	t.Run("a file that is no database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "letter.txt")
		if err := os.WriteFile(path, []byte(strings.Repeat("dear ", 400)), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"-addr", "localhost:0", "-mock-addr", "127.0.0.1:0", "-db", path}
		if _, err := tryStart(t, program{}, nil, append(args, "-reset")...); err == nil || !strings.Contains(err.Error(), "Rien n'a été effacé") {
			t.Errorf("with -reset: %v", err)
		}
		if _, err := tryStart(t, program{}, nil, args...); err == nil || !strings.Contains(err.Error(), "ne peut pas être ouverte") {
			t.Errorf("without: %v", err)
		}
		if text, _ := os.ReadFile(path); !strings.HasPrefix(string(text), "dear ") {
			t.Error("the letter is gone")
		}
	})
}

func TestNewerDatabase(t *testing.T) {
	for _, change := range []string{`UPDATE carelink SET version = 99`, `INSERT INTO auth_schema (version) VALUES (99)`} {
		args := somewhere(t)
		d := start(t, time.Now, args...)
		d.stop()
		db, err := sql.Open("sqlite", dsn(d.db, url.Values{}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(context.Background(), change); err != nil {
			t.Fatal(err)
		}
		db.Close()
		if _, err := tryStart(t, program{}, nil, args...); err == nil || !strings.Contains(err.Error(), "Base écrite par une version plus récente : "+d.db+".") {
			t.Errorf("%s: %v", change, err)
		}
	}
}

// TestSeed: the first data are dated from the first start, and nobody among the
// authors has an account.
func TestSeed(t *testing.T) {
	c := newClock()
	args := somewhere(t)
	d := start(t, c.now, args...)
	for query, want := range map[string]int{
		`SELECT count(*) FROM tenants`:                                     6,
		`SELECT count(*) FROM structures`:                                  11,
		`SELECT count(*) FROM patients`:                                    28,
		`SELECT count(*) FROM patients WHERE tenant_id = 'tilleuls'`:       8,
		`SELECT count(*) FROM patients WHERE sex = '' AND birth_date = ''`: 1,
		`SELECT count(*) FROM evaluations`:                                 12,
		`SELECT count(*) FROM evaluations WHERE to_validate`:               1,
		`SELECT count(*) FROM auth_users`:                                  0,
	} {
		if n := d.row(query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	if _, err := dbExec(t, d.db, `UPDATE evaluations SET score = 0`); err == nil {
		t.Error("an evaluation can be changed")
	}
	if _, err := dbExec(t, d.db, `DELETE FROM evaluations`); err == nil {
		t.Error("an evaluation can be erased")
	}
	d.stop()

	day := c.now().In(paris)
	c.forward(100 * 24 * time.Hour)
	d = start(t, c.now, args...)
	b, _ := d.signedIn("dr-dupont")
	b.get("/patients/47").want("Va bien. Revoir dans un mois.", "Dr Jean DUPONT, Médecin – "+frenchDay(time.Date(day.Year(), day.Month(), day.Day()-1, 12, 0, 0, 0, paris)))
	if n := d.row(`SELECT count(*) FROM evaluations`); n != 12 {
		t.Errorf("%d evaluations after the second start", n)
	}
}

func dbExec(t *testing.T, path, query string) (sql.Result, error) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, url.Values{}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Exec(query)
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
	"github.com/pscauth/pscauth/mockpsc"
)

// The ports that CareLink and the mock take when nobody chooses. App and mock
// are two sites, localhost and 127.0.0.1, as they are at the real Pro Santé
// Connect: on one host they would share cookies and hide SameSite mistakes.
const (
	defaultAddr     = "localhost:8080"
	defaultMockAddr = "127.0.0.1:9090"
)

// config is what flags and environment say, checked.
type config struct {
	addr          string
	movable       bool   // whether a taken port of addr may become another
	mockAddr      string // where the mock listens, if mock
	mockAddrGiven bool
	db            string
	sessionTTL    time.Duration // 0 for auth's own
	reset         bool

	url          string // CARELINK_URL without a final slash; empty until the port is known
	mock         bool   // whether the mock starts beside CareLink
	mockURL      string // its address, once the port is known
	provider     psc.Environment
	clientID     string
	clientSecret string
	secret       []byte // nil: kept beside the database
	admins       []psc.NationalID
}

// faultf makes an error for the person at the terminal: a sentence, or two when
// something can be done about it.
func faultf(format string, a ...any) error { return fmt.Errorf(format, a...) }

// readConfig reads flags and environment. It reports every fault at once, in the
// words of the person who has to mend it.
func readConfig(args []string, getenv func(string) string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("carelink", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main says what is wrong, once
	flags.StringVar(&cfg.addr, "addr", defaultAddr, "`adresse` de CareLink")
	flags.StringVar(&cfg.mockAddr, "mock-addr", defaultMockAddr, "`adresse` du Pro Santé Connect simulé")
	flags.StringVar(&cfg.db, "db", "", "`fichier` SQLite des données (par défaut : dans le dossier de cache de l'utilisateur)")
	flags.DurationVar(&cfg.sessionTTL, "session-ttl", 0, "`durée` d'une session sans activité (par défaut : 30m)")
	flags.BoolVar(&cfg.reset, "reset", false, "vide la base avant de démarrer")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stderr)
		usage(flags)
		return config{}, err
	} else if err != nil {
		return config{}, faultf("Réglage refusé : %w. Voir -h.", err)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	cfg.mockAddrGiven = given["mock-addr"]

	var err error
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, faultf(format, a...)) }

	if flags.NArg() > 0 {
		fault("Argument inattendu : %s. Les réglages commencent par un tiret ; voir -h.", flags.Arg(0))
	}
	for _, f := range []struct{ name, addr string }{{"-addr", cfg.addr}, {"-mock-addr", cfg.mockAddr}} {
		if _, _, err := net.SplitHostPort(f.addr); err != nil {
			fault("%s %q n'est pas une adresse. Exemple : %s localhost:8080", f.name, f.addr, f.name)
		}
	}
	if given["session-ttl"] && cfg.sessionTTL < time.Minute {
		fault("-session-ttl %s est trop court : une minute au moins. Exemple : -session-ttl 15m", cfg.sessionTTL)
	}
	if cfg.db == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			fault("Aucun dossier de cache pour les données (%v). Choisissez un fichier : -db carelink.db", err)
		}
		cfg.db = filepath.Join(cache, "carelink", "carelink.db")
	}

	if cfg.url = getenv("CARELINK_URL"); cfg.url != "" {
		if cfg.url, err = publicURL(cfg.url); err != nil {
			faults = append(faults, err)
		}
	}
	// Whoever gave the public address has told others about its port.
	cfg.movable = !given["addr"] && cfg.url == ""
	here := loopbackAddr(cfg.addr) && loopbackAddr(cfg.mockAddr) && loopbackURL(cfg.url)

	cfg.clientID, cfg.clientSecret = getenv("PSC_CLIENT_ID"), getenv("PSC_CLIENT_SECRET")
	issuer, discovery := getenv("PSC_ISSUER"), getenv("PSC_DISCOVERY_URL")
	switch {
	case issuer != "":
		cfg.provider = environment(issuer)
		if discovery != "" {
			cfg.provider.Discovery = discovery
		}
		if cfg.clientID == "" {
			fault("PSC_CLIENT_ID manque : il est fourni par l'ANS avec l'accès au bac à sable.")
		}
		if cfg.clientSecret == "" {
			fault("PSC_CLIENT_SECRET manque : il est fourni par l'ANS avec l'accès au bac à sable.")
		}
		if cfg.url == "" && !loopbackAddr(cfg.addr) {
			fault("CARELINK_URL manque : hors de cette machine, donnez l'adresse publique de CareLink. " +
				"Exemple : CARELINK_URL=https://carelink.example.fr")
		}
	case here:
		// Client and secret of the mock are nobody's business but ours.
		cfg.mock = true
		cfg.clientID, cfg.clientSecret = "carelink", "carelink-secret"
		if discovery != "" || getenv("PSC_CLIENT_ID") != "" || getenv("PSC_CLIENT_SECRET") != "" {
			fmt.Fprintln(stderr, "PSC_ISSUER absent : les autres réglages PSC_… sont ignorés, et Pro Santé Connect est simulé.")
		}
	default:
		fault("PSC_ISSUER manque. Le simulateur ne démarre que si -addr, -mock-addr et CARELINK_URL restent sur cette machine : " +
			"sinon n'importe qui serait médecin. Donnez PSC_ISSUER=sandbox, PSC_ISSUER=production ou l'adresse d'un émetteur.")
	}

	if cfg.admins, err = admins(getenv("CARELINK_ADMINS"), cfg); err != nil {
		faults = append(faults, err)
	}
	if s := getenv("CARELINK_SECRET"); s != "" {
		if cfg.secret = []byte(s); len(cfg.secret) < secretSize {
			fault("CARELINK_SECRET trop court : %d octets au moins. Exemple : openssl rand -base64 32", secretSize)
		}
	}
	if len(faults) > 0 {
		return config{}, errors.Join(faults...)
	}
	return cfg, nil
}

// environment returns where the provider named by PSC_ISSUER is.
func environment(issuer string) psc.Environment {
	switch issuer {
	case "production", psc.Production.Issuer:
		return psc.Production
	case "sandbox", psc.Sandbox.Issuer:
		return psc.Sandbox
	}
	return psc.Environment{Issuer: issuer}
}

// admins returns the people with the role admin. With a mock on this machine it
// is the doctor of the story unless somebody is named; his number belongs to
// nobody in the real world.
func admins(list string, cfg config) ([]psc.NationalID, error) {
	if list == "" {
		if cfg.mock || loopbackURL(cfg.provider.Issuer) {
			list = mockpsc.Personas()[0].NationalID
		}
	}
	var ids []psc.NationalID
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		id, err := psc.ParseNationalID(s)
		if err != nil {
			return nil, faultf("CARELINK_ADMINS : un des identifiants nationaux n'a pas la forme attendue. Exemple : 899999001011")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// publicURL checks CARELINK_URL: a scheme and a host, for every path on it is
// CareLink's.
func publicURL(s string) (string, error) {
	s = strings.TrimRight(s, "/")
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || s != u.Scheme+"://"+u.Host {
		return "", faultf("CARELINK_URL %q n'est pas une adresse sans chemin. Exemple : https://carelink.example.fr", s)
	}
	if u.Scheme == "http" && !loopbackHost(u.Hostname()) {
		return "", faultf("CARELINK_URL doit être en https hors de cette machine.")
	}
	return s, nil
}

// loopbackHost reports whether a host can only be this machine.
func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// loopbackAddr reports whether only this machine reaches an address to listen
// at. No host means all of them, which are not.
func loopbackAddr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && loopbackHost(host)
}

// loopbackURL reports whether a public address is on this machine. None is: it
// will be made from the address to listen at.
func loopbackURL(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && loopbackHost(u.Hostname())
}

func usage(flags *flag.FlagSet) {
	w := flags.Output()
	fmt.Fprint(w, `CareLink, démonstration : des professionnels de santé s'identifient avec
Pro Santé Connect et voient les patients de leur cabinet.

  go run ./example/carelink [réglages]

Sans PSC_ISSUER, un Pro Santé Connect simulé démarre à côté.

`)
	flags.PrintDefaults()
	fmt.Fprint(w, `
Environnement, pour un autre fournisseur d'identité :
  PSC_ISSUER         sandbox, production, ou l'émetteur (iss) d'un autre
  PSC_DISCOVERY_URL  ses métadonnées (par défaut : <émetteur>/.well-known/wallet-openid-configuration)
  PSC_CLIENT_ID      identifiant de client
  PSC_CLIENT_SECRET  secret de client
  CARELINK_URL       adresse publique de CareLink, en https hors de cette machine
  CARELINK_SECRET    secret d'au moins 32 octets, le même pour toutes les instances
  CARELINK_ADMINS    identifiants nationaux des administrateurs, séparés par des virgules
`)
}

// Command mockpsc is a mock of Pro Santé Connect that runs alone: an OpenID
// Connect provider for the development, test and demonstration of applications
// that health professionals sign in to. It needs no network and no account.
//
//	mockpsc [-addr 127.0.0.1:9090] [-client id:secret:redirect_uri[,post_logout_uri]]... [more flags]
//	mockpsc -tls [-ca-dir directory] [-tls-client id:redirect_uri[,post_logout_uri]]... [more flags]
//	mockpsc ca [-ca-dir directory] [-client id]
//	mockpsc faults [-json]
//	mockpsc check -mock URL -signed-in PATH [more flags] APP
//
// mockpsc -h lists every flag.
//
// Without -client there is one application, carelink / carelink-secret, whose
// addresses may be any on this machine. A client named by several -client has
// all their addresses.
//
// With -auto nobody is shown a page, for programs: everybody is signed in as that
// persona, or with -auto login_hint as the one whom the request names.
//
// It refuses what a careful client would not send, and says which rule was broken;
// with -lenient it lets that pass and prints it. Where nobody knows what the real
// service does, -assume chooses, and -lifetime says how long things live.
//
// With -wallet-url the sign-in page is on a host of its own, as at the real
// service. One issuer serves a browser and a container alike if both reach it
// under one name: give that name with -issuer, for instance
// http://host.docker.internal:9090/auth/realms/esante-wallet with -addr 0.0.0.0:9090.
//
// With -phone-url the simulated phone, and nothing else, is served on the local
// network too, so that a real phone can scan the QR code.
//
// The console is at /_mock/, and its API, for programs in any language, at
// /_mock/api/; both answer this machine only, unless -open-console says otherwise.
//
// With -tls it serves https. Its CA is made at the first use and kept in the
// user's configuration directory; ca prints it and how to have it trusted, or
// issues the certificate of an application that has no secret (-tls-client).
//
// faults lists every way in which it can lie. check tries an application of any
// language, configured with a running mock, through all of them and through the
// rules of Pro Santé Connect, and ends with a status: 0 nothing above advice, 1
// something minor, 2 serious, 3 critical, 4 could not be run.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

const realmPath = "/auth/realms/esante-wallet"

func main() {
	time.AfterFunc(time.Second, spareMemory)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		if s := status(0); errors.As(err, &s) {
			os.Exit(int(s))
		}
		fmt.Fprintln(os.Stderr, err)
		if len(os.Args) > 1 && os.Args[1] == "check" {
			os.Exit(notRun)
		}
		os.Exit(1)
	}
}

// spareMemory gives back what the start took, the making of keys above all: the
// mock runs beside somebody's work. Not sooner, for the first answer would wait
// for it.
func spareMemory() { debug.FreeOSMemory() }

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "ca":
			return caCommand(args[1:], stdout, os.Stderr)
		case "check":
			return checkCommand(ctx, args[1:], stdout)
		case "faults":
			return faultsCommand(args[1:], stdout)
		}
	}
	var clients clientList
	flags := flag.NewFlagSet("mockpsc", flag.ContinueOnError)
	flags.SetOutput(stdout)
	addr := flags.String("addr", "127.0.0.1:9090", "`host:port` to listen on; other than loopback needs -issuer")
	issuer := flags.String("issuer", "", "issuer `URL`, scheme://host/auth/realms/esante-wallet, by which browsers and applications reach the mock (default: from the Host of each request, loopback only)")
	flags.Var(&clients, "client", "application, `id:secret:redirect_uri[,post_logout_uri]`; repeatable")
	secure := flags.Bool("tls", false, "serve https, with the CA that mockpsc ca prints")
	flags.Var(tlsClientList{&clients}, "tls-client", "application without a secret, `id:redirect_uri[,post_logout_uri]`, that authenticates by a certificate whose CN is its id; needs -tls; repeatable")
	caDir := flags.String("ca-dir", "", caDirUsage)
	personas := flags.String("personas", "", "`directory` of more people: *.json in the form of mockpsc/personas; who has the id of a built-in persona replaces that one")
	auto := flags.String("auto", "", "sign everybody in at once as this `persona`, such as dr-dupont or dr-dupont/card; or login_hint: as whom the request's login_hint names")
	confirmSSO := flags.Bool("confirm-sso", false, "ask a person who is signed in already whether to go on to the next application")
	delegation := flags.Bool("delegation", false, "show the tab « Délégation », with the identity provider of a simulated hospital")
	wallet := flags.String("wallet-url", "", "base `URL` of a second host for the sign-in page, such as http://localhost:9090 or, with a port of its own, http://127.0.0.1:9091")
	forwarded := flags.Bool("trust-forwarded", false, "build the issuer from X-Forwarded-Proto and X-Forwarded-Host, behind a proxy that sets both")
	lenient := flags.Bool("lenient", false, "let pass what a milder provider would not mind, and print what it was")
	hidePersonas := flags.Bool("hide-personas", false, "hide the panel of personas beside the sign-in page")
	rotate := flags.Duration("rotate-keys", 0, "make new keys at this `interval`, such as 10m; the former ones are published for ten minutes more")
	var assume mockpsc.Assumptions
	flags.Var(assumeFlag{&assume}, "assume", assumeUsage)
	details := []*clientDetails{
		{name: "client-name", set: func(c *mockpsc.Client, text string) { c.Name = text }},
		{name: "start-url", set: func(c *mockpsc.Client, text string) { c.StartURL = text }},
		{name: "backchannel-logout", set: func(c *mockpsc.Client, text string) { c.BackchannelLogoutURI = text }},
		{name: "certificate-dn", set: func(c *mockpsc.Client, text string) { c.CertificateDN = text }},
		{name: "bind-tokens", bare: true, set: func(c *mockpsc.Client, _ string) { c.CertificateBoundTokens = true }},
		{name: "lifetime", set: func(c *mockpsc.Client, text string) { setLifetime(&c.Lifetimes, text) }}, // Set has read it
	}
	flags.Var(details[0], "client-name", "what people read as the name of an application, `id:name`; repeatable")
	flags.Var(details[1], "start-url", "where a person begins to sign in at an application, `id:URL`, linked to on the front page; repeatable")
	flags.Var(details[2], "backchannel-logout", "where an application is told that a session has ended, `id:URL`; repeatable")
	flags.Var(details[3], "certificate-dn", "the whole subject of the certificate of a -tls-client, `id:DN`, instead of CN = id; repeatable")
	flags.Var(details[4], "bind-tokens", "bind the tokens of a -tls-client, by its `id`, to its certificate; repeatable")
	var lives mockpsc.Lifetimes
	flags.Var(lifetimeFlag{&lives, details[5]}, "lifetime", "how long something lives, `[id:]name=duration`, for all or for one application; names: code, id-token, access-token, refresh-token, session, idle; repeatable")
	phoneURL := flags.String("phone-url", "", "serve the simulated phone, and nothing else, at this `URL` too, http://<address of this machine on the local network>:<port>, so that a real phone can scan the QR code; "+
		"anybody on that network who has the QR code can then answer as any phone, the code of the e-CPS in hand; https needs -tls")
	drill := flags.String("drill", "", "begin with an `incident`: outage (503), half-day-outage, maintenance (a page with 200), slow-token, keys-gone, no-notification, phone-refuses, struck-off")
	openConsole := flags.Bool("open-console", false, "open the console, /_mock/, and its API to more than this machine, where -issuer or a proxy lets others in: whoever reaches them changes clock, keys, people and lies")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("mockpsc: unexpected argument %q", flags.Arg(0))
	}
	host, _, err := net.SplitHostPort(*addr)
	if err != nil {
		return fmt.Errorf("mockpsc: -addr %q: %w", *addr, err)
	}
	scheme := "http"
	if *secure {
		scheme = "https"
	}
	switch _, port, _ := net.SplitHostPort(*addr); {
	case *wallet != "" && *forwarded:
		return errors.New("mockpsc: -wallet-url and -trust-forwarded exclude each other: a proxy names one host, and here are two")
	case *wallet != "" && *issuer == "" && port == "0":
		return errors.New("mockpsc: -wallet-url needs a port in -addr, or an -issuer: the metadata name both hosts")
	case *secure && strings.HasPrefix(*issuer, "http:"):
		return errors.New("mockpsc: -tls serves https, and -issuer says http")
	case *rotate < 0 || *rotate > 0 && *rotate < 10*time.Millisecond:
		return fmt.Errorf("mockpsc: -rotate-keys %s: ten milliseconds at least", *rotate)
	}
	if *wallet != "" && *issuer == "" && loopback(host) {
		*issuer = scheme + "://" + *addr + realmPath // of two hosts, the one that listens
	}
	if *issuer == "" && !*forwarded && !loopback(host) {
		return fmt.Errorf("mockpsc: -addr %s is not a loopback address: anybody on the network could sign in as anybody. "+
			"If that is what you want, say under which address it is reached: -issuer http://<host>:<port>"+realmPath, *addr)
	}
	for _, d := range details {
		if err := d.apply(clients); err != nil {
			return err
		}
	}
	mock := &mockpsc.Server{
		Issuer: *issuer, WalletURL: *wallet, TrustForwarded: *forwarded, Clients: clients,
		Lifetimes: lives, Assume: assume, Auto: *auto, ConfirmSSO: *confirmSSO, Delegation: *delegation, HidePersonas: *hidePersonas,
		PhoneURL: *phoneURL, OpenConsole: *openConsole,
	}
	if *lenient {
		mock.Lenient = func(rule string) { fmt.Fprintln(stdout, "Toléré (-lenient) :", rule) }
	}
	if *personas != "" {
		if info, err := os.Stat(*personas); err != nil || !info.IsDir() {
			return fmt.Errorf("mockpsc: -personas %s is no directory", *personas)
		}
		mock.PersonaFiles = os.DirFS(*personas)
	}
	if err := mock.Check(); err != nil {
		return err
	}
	caPath := ""
	var config *tls.Config
	if *secure {
		if config, caPath, err = useTLS(mock, *caDir, *addr); err != nil {
			return err
		}
	} else if *caDir != "" || slices.ContainsFunc(clients, func(c mockpsc.Client) bool { return c.TLSClientAuth }) {
		return errors.New("mockpsc: -ca-dir and -tls-client need -tls")
	}
	if err := mock.Drill(*drill); err != nil {
		return err
	}
	phones, err := listenForPhones(mock, *secure)
	if err != nil {
		return err
	}
	if phones != nil {
		defer phones.Close()
	}
	first, err := listen(*addr)
	if err != nil {
		return err
	}
	defer first.Close()
	listeners := []net.Listener{first}
	if at := walletAddr(*wallet, *addr); at != "" {
		second, err := listen(at)
		if err != nil {
			return err
		}
		defer second.Close()
		listeners = append(listeners, second)
	}
	if *issuer == "" {
		*issuer = scheme + "://" + first.Addr().String() + realmPath
	}
	banner(stdout, *issuer, *wallet, clients, mock.Personas(), caPath)
	if *auto != "" {
		fmt.Fprintf(stdout, "Connexion automatique        %s\n", *auto)
	}
	if phones != nil {
		fmt.Fprintf(stdout, "Téléphones du réseau         %s (qui a le QR code peut y répondre, code e-CPS en main)\n", *phoneURL)
	}
	if *rotate > 0 {
		go func() {
			for ticker := time.NewTicker(*rotate); ; {
				select {
				case <-ticker.C:
					mock.RotateKeys()
				case <-ctx.Done():
					ticker.Stop()
					return
				}
			}
		}()
	}
	return serve(ctx, config, mock, listeners, mock.PhoneHandler(), phones)
}

// banner tells how to plug an application in, and who can sign in.
func banner(w io.Writer, issuer, wallet string, clients []mockpsc.Client, people []mockpsc.Persona, caPath string) {
	client := mockpsc.Client{ID: "carelink", Secret: "carelink-secret"}
	fmt.Fprintf(w, "Pro Santé Connect (simulé)   %s/\n", strings.TrimSuffix(issuer, realmPath))
	fmt.Fprintf(w, "Console                      %s/_mock/\n", strings.TrimSuffix(issuer, realmPath))
	fmt.Fprintf(w, "Émetteur                     %s\n", issuer)
	fmt.Fprintf(w, "Découverte                   %s/.well-known/wallet-openid-configuration\n", issuer)
	if wallet != "" {
		fmt.Fprintf(w, "Page de connexion            %s/auth\n", wallet)
	}
	if caPath != "" {
		fmt.Fprintf(w, "Autorité de certification    %s (comment l'accepter : mockpsc ca)\n", caPath)
	}
	if len(clients) == 0 {
		fmt.Fprintf(w, "Application                  %s, toute adresse de retour sur cette machine\n", client.ID)
	}
	for _, c := range clients {
		fmt.Fprintf(w, "Application                  %s, retour : %s\n", c.ID, strings.Join(c.RedirectURIs, " , "))
	}
	if len(clients) > 0 {
		client = clients[0]
	}
	fmt.Fprintf(w, "\nÀ copier dans votre application :\nPSC_ISSUER=%s\nPSC_DISCOVERY_URL=%s/.well-known/wallet-openid-configuration\nPSC_CLIENT_ID=%s\n",
		issuer, issuer, client.ID)
	if client.TLSClientAuth {
		fmt.Fprintf(w, "(certificat et clé : mockpsc ca -client %s > client.pem)\n", client.ID)
	} else {
		fmt.Fprintf(w, "PSC_CLIENT_SECRET=%s\n", client.Secret)
	}
	fmt.Fprintf(w, "\nQui peut se connecter :\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range people {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s, %s\n", p.ID, means("e-CPS", p.ECPS), means("carte", p.Card), p.Name, p.Profession)
	}
	table.Flush()
	fmt.Fprintf(w, "\nArrêter : Ctrl-C\n")
}

func means(name string, m mockpsc.Means) string {
	if m.Works() {
		return name + " " + m.PIN
	}
	states := map[string]string{
		"not-activated": "non activée", "blocked": "bloquée", "revoked": "révoquée", "expired": "expirée", "none": "aucune",
	}
	return name + " " + states[m.State]
}

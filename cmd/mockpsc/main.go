// Command mockpsc is a mock of Pro Santé Connect that runs alone: an OpenID
// Connect provider for the development, test and demonstration of applications
// that health professionals sign in to. It needs no network and no account.
//
//	mockpsc [-addr 127.0.0.1:9090] [-client id:secret:redirect_uri[,post_logout_uri]]... [-issuer URL]
//	        [-auto PERSONA] [-personas DIR] [-confirm-sso] [-delegation] [-drill outage|maintenance]
//	mockpsc -tls [-ca-dir directory] [-tls-client id:redirect_uri[,post_logout_uri]]... [and the above]
//	mockpsc ca [-ca-dir directory] [-client id]
//
// Without -client there is one application, carelink / carelink-secret, whose
// addresses may be any on this machine. A client named by several -client has
// all their addresses.
//
// With -auto nobody is shown a page, for programs: everybody is signed in as that
// persona, or with -auto login_hint as the one whom the request names.
//
// With -tls it serves https. Its CA is made at the first use and kept in the
// user's configuration directory; ca prints it and how to have it trusted, or
// issues the certificate of an application that has no secret (-tls-client).
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
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

func main() {
	time.AfterFunc(time.Second, spareMemory)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// spareMemory gives back what the start took, the making of keys above all, and
// has the collector work more often: the mock runs beside somebody's work. Not
// sooner, for the first answer would wait for it.
func spareMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	debug.FreeOSMemory()
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) > 0 && args[0] == "ca" {
		return caCommand(args[1:], stdout, os.Stderr)
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
	drill := flags.String("drill", "", "begin with an `incident`: outage (503) or maintenance (a page with 200)")
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
	if *issuer == "" && !loopback(host) {
		return fmt.Errorf("mockpsc: -addr %s is not a loopback address: anybody on the network could sign in as anybody. "+
			"If that is what you want, say under which address it is reached: -issuer http://<host>:<port>/auth/realms/esante-wallet", *addr)
	}
	mock := &mockpsc.Server{Issuer: *issuer, Clients: clients, Auto: *auto, ConfirmSSO: *confirmSSO, Delegation: *delegation}
	if *personas != "" {
		mock.PersonaFiles = os.DirFS(*personas)
	}
	if err := mock.Check(); err != nil {
		return err
	}
	scheme, caPath := "http", ""
	var config *tls.Config
	if *secure {
		if config, caPath, err = useTLS(mock, *caDir, *addr); err != nil {
			return err
		}
		scheme = "https"
	} else if *caDir != "" || slices.ContainsFunc(clients, func(c mockpsc.Client) bool { return c.TLSClientAuth }) {
		return errors.New("mockpsc: -ca-dir and -tls-client need -tls")
	}
	if err := mock.Drill(*drill); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("mockpsc: the port of %s is taken, perhaps by another mockpsc; stop that one or choose another with -addr", *addr)
	}
	if err != nil {
		return fmt.Errorf("mockpsc: %w", err)
	}
	if *issuer == "" {
		*issuer = scheme + "://" + listener.Addr().String() + "/auth/realms/esante-wallet"
	}
	banner(stdout, *issuer, clients, mock.Personas(), caPath)
	if *auto != "" {
		fmt.Fprintf(stdout, "Connexion automatique        %s\n", *auto)
	}

	srv := &http.Server{
		Handler:           mock,
		TLSConfig:         config,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	failed := make(chan error, 1)
	go func() {
		if config != nil {
			failed <- srv.ServeTLS(listener, "", "")
			return
		}
		failed <- srv.Serve(listener)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("mockpsc: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		srv.Close() // somebody is still reading; nothing here is worth waiting for
	}
	<-failed
	return nil
}

// banner tells how to plug an application in, and who can sign in.
func banner(w io.Writer, issuer string, clients []mockpsc.Client, people []mockpsc.Persona, caPath string) {
	client := mockpsc.Client{ID: "carelink", Secret: "carelink-secret"}
	fmt.Fprintf(w, "Pro Santé Connect (simulé)   %s/\n", strings.TrimSuffix(issuer, "/auth/realms/esante-wallet"))
	fmt.Fprintf(w, "Émetteur                     %s\n", issuer)
	fmt.Fprintf(w, "Découverte                   %s/.well-known/wallet-openid-configuration\n", issuer)
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

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// clientList is the flag -client.
type clientList []mockpsc.Client

func (l *clientList) String() string { return "" }

// Set reads id:secret:redirect_uri[,post_logout_uri]. Only the first two colons
// separate: an address has colons of its own.
func (l *clientList) Set(text string) error {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return errors.New("want id:secret:redirect_uri[,post_logout_uri]")
	}
	redirect, postLogout, _ := strings.Cut(parts[2], ",")
	c := mockpsc.Client{ID: parts[0], Secret: parts[1], RedirectURIs: []string{redirect}}
	if postLogout != "" {
		c.PostLogoutURIs = []string{postLogout}
	}
	return l.add(c)
}

// add keeps one client of each name.
func (l *clientList) add(c mockpsc.Client) error {
	for i := range *l {
		known := &(*l)[i]
		if known.ID != c.ID {
			continue
		}
		if known.Secret != c.Secret { // one may be empty: a certificate
			return fmt.Errorf("client %q has two secrets", c.ID)
		}
		known.RedirectURIs = append(known.RedirectURIs, c.RedirectURIs...)
		known.PostLogoutURIs = append(known.PostLogoutURIs, c.PostLogoutURIs...)
		return nil
	}
	*l = append(*l, c)
	return nil
}

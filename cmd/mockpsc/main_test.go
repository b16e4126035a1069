package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// output is a buffer that is written by run and read by the test.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs the command until the test ends and returns the address of its
// discovery document, and a function that stops it earlier.
func start(t *testing.T, out *output, args ...string) (discovery string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, out) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(5 * time.Second):
			return errors.New("does not stop")
		}
	})
	t.Cleanup(func() { stop() })
	for range 500 {
		for line := range strings.Lines(out.String()) {
			if url, ok := strings.CutPrefix(strings.TrimSpace(line), "PSC_DISCOVERY_URL="); ok && strings.Contains(out.String(), "Ctrl-C") {
				return url, stop
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("does not start: %v\n%s", stop(), out.String())
	return "", nil
}

func TestServesUntilStopped(t *testing.T) {
	var out output
	discovery, stop := start(t, &out, "-addr", "127.0.0.1:0", "-client", "app:s3cret:http://localhost:3000/cb,http://localhost:3000/bye")
	resp, err := http.Get(discovery)
	if err != nil {
		t.Fatalf("discovery %q: %v\n%s", discovery, err, out.String())
	}
	defer resp.Body.Close()
	var doc struct{ Issuer string }
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"PSC_ISSUER=" + doc.Issuer + "\n", "PSC_CLIENT_ID=app\n", "PSC_CLIENT_SECRET=s3cret\n",
		"http://localhost:3000/cb", "dr-dupont", "Dr Jean DUPONT, médecin généraliste", "e-CPS 0007", "carte 0042", "carte révoquée",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the banner lacks %q:\n%s", want, out.String())
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stopped with %v, want nil", err)
	}
}

// freeAddr is an address of this machine that nobody listens at now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// page gets an address and returns the status and the text.
func page(t *testing.T, address string) (int, string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestFlagsReachTheMock(t *testing.T) {
	addr, walletAddr := freeAddr(t), freeAddr(t)
	var out output
	discovery, _ := start(t, &out, "-addr", addr, "-wallet-url", "http://"+walletAddr,
		"-lifetime", "code=45s", "-lifetime", "app:access-token=7s", "-start-url", "app:http://localhost:3000/", "-client-name", "app:Mon Agenda: essai",
		"-backchannel-logout", "app:http://localhost:3000/bcl", "-client", "app:s3cret:http://localhost:3000/cb",
		"-assume", "keys=2", "-assume", "iss=omitted", "-lenient", "-hide-personas")

	_, doc := page(t, discovery)
	if !strings.Contains(doc, `"authorization_endpoint":"http://`+walletAddr+`/auth"`) || !strings.Contains(out.String(), "http://"+walletAddr+"/auth\n") {
		t.Errorf("no wallet in %s", doc)
	}
	if _, front := page(t, "http://"+addr+"/"); !strings.Contains(front, `href="http://localhost:3000/"`) || !strings.Contains(front, "Mon Agenda: essai") {
		t.Error("the front page leads nowhere")
	}
	_, certs := page(t, "http://"+addr+realmPath+"/protocol/openid-connect/certs")
	if n := strings.Count(certs, `"sig"`); n != 2 {
		t.Errorf("%d keys to sign, want 2", n)
	}
	status, signIn := page(t, "http://"+walletAddr+"/auth?client_id=app&redirect_uri=http://localhost:3000/cb&response_type=code&scope=openid+scope_all&acr_values=eidas2&state=s")
	if status != 200 || !strings.Contains(signIn, "Mon Agenda: essai") || strings.Contains(signIn, `class="panel"`) {
		t.Errorf("the sign-in page: %d %.300s", status, signIn)
	}
	for _, want := range []string{`Toléré (-lenient) : nonce is required`, `acr_values=eidas1 is required; received "eidas2"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("did not print %q:\n%s", want, out.String())
		}
	}
}

func TestLifetimeFlag(t *testing.T) {
	var all mockpsc.Lifetimes
	clients := &clientDetails{name: "lifetime", set: func(c *mockpsc.Client, text string) { setLifetime(&c.Lifetimes, text) }}
	f := lifetimeFlag{&all, clients}
	for _, text := range []string{"code=60s", "session=1h", "app:access-token=7s", "app:refresh-token=10m"} {
		if err := f.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	list := []mockpsc.Client{{ID: "app"}}
	if err := clients.apply(list); err != nil {
		t.Fatal(err)
	}
	if all != (mockpsc.Lifetimes{Code: time.Minute, Session: time.Hour}) ||
		list[0].Lifetimes != (mockpsc.Lifetimes{AccessToken: 7 * time.Second, RefreshToken: 10 * time.Minute}) {
		t.Errorf("got %+v and %+v", all, list[0].Lifetimes)
	}
}

func TestAssumeFlag(t *testing.T) {
	var got mockpsc.Assumptions
	for _, text := range []string{"pkce=required", "iss=omitted", "logout-state=omitted", "refresh=reusable", "identifiers=discreet", "email-verified=false",
		"acr=eidas3", "auth-mode=none", "layout=older", "federation=0a1b2c3d-0000-4000-8000-00000000cafe", "keys=3"} {
		if err := (assumeFlag{&got}).Set(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	want := mockpsc.Assumptions{
		RequirePKCE: true, OmitIss: true, OmitLogoutState: true, ReuseRefreshTokens: true, DiscreetIdentifiers: true, EmailVerified: true,
		ACR: "eidas3", AuthMode: "none", Layout: "older", Federation: "0a1b2c3d-0000-4000-8000-00000000cafe", SigningKeys: 3,
	}
	if got != want {
		t.Errorf("got %+v", got)
	}
}

func TestRotatesKeys(t *testing.T) {
	var out output
	discovery, _ := start(t, &out, "-addr", "127.0.0.1:0", "-rotate-keys", "50ms")
	certs := strings.Replace(discovery, ".well-known/wallet-openid-configuration", "protocol/openid-connect/certs", 1)
	_, before := page(t, certs)
	for range 100 {
		if _, now := page(t, certs); strings.Count(now, `"sig"`) > strings.Count(before, `"sig"`) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the keys stay the same")
}

func TestRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"all interfaces without an issuer", []string{"-addr", ":9090"}, "-issuer"},
		{"an address of the network without an issuer", []string{"-addr", "192.0.2.1:9090"}, "anybody"},
		{"an issuer of the real service", []string{"-issuer", "https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet"}, "real service"},
		{"an issuer with another path", []string{"-issuer", "https://psc.test.example/"}, "/auth/realms/esante-wallet"},
		{"an address without a port", []string{"-addr", "localhost"}, "-addr"},
		{"a taken port", []string{"-addr", taken.Addr().String()}, "taken"},
		{"a client without a secret", []string{"-client", "app::http://localhost/cb"}, "want id:secret"},
		{"a client without an address", []string{"-client", "app:secret"}, "want id:secret"},
		{"a client with a clear-text address elsewhere", []string{"-client", "app:secret:http://app.example/cb"}, "loopback"},
		{"a client with two secrets", []string{"-client", "a:b:http://localhost/cb", "-client", "a:c:http://localhost/cb2"}, "two secrets"},
		{"nobody to sign in as", []string{"-auto", "dr-who"}, "dr-dupont"},
		{"a directory of personas that is not there", []string{"-personas", "testdata/none"}, "testdata/none is no directory"},
		{"a directory without personas", []string{"-personas", "."}, "no *.json"},
		{"phones at an address with a path", []string{"-phone-url", "http://192.168.1.20:9091/phone"}, "nothing else"},
		{"phones at the real service", []string{"-phone-url", "http://phone.esante.gouv.fr"}, "real service"},
		{"phones over https without a CA", []string{"-phone-url", "https://127.0.0.1:9091"}, "needs -tls"},
		{"phones at a taken port", []string{"-phone-url", "http://" + taken.Addr().String()}, "-phone-url"},
		{"phones at an address of another machine", []string{"-phone-url", "http://192.0.2.1:9091"}, "this machine"},
		{"an unknown drill", []string{"-drill", "fire"}, "known: outage, half-day-outage, maintenance"},
		{"an assumption of nobody", []string{"-assume", "weather=fine"}, "weather"},
		{"an assumption with another value", []string{"-assume", "pkce=optional"}, "want pkce=required"},
		{"a layout that nobody has seen", []string{"-assume", "layout=oldest"}, "newer, older or none"},
		{"a lifetime of nothing", []string{"-lifetime", "code"}, "name=duration"},
		{"a lifetime of nobody", []string{"-lifetime", "tea=3m"}, "name=duration"},
		{"a lifetime below zero", []string{"-lifetime", "code=-1s"}, "name=duration"},
		{"a lifetime of half a second", []string{"-lifetime", "code=500ms"}, "whole seconds"},
		{"a lifetime of an application that nothing declares", []string{"-lifetime", "agenda:code=60s"}, `-lifetime: no -client declares "agenda"`},
		{"a name of an application that nothing declares", []string{"-client-name", "agenda:Agenda"}, `no -client declares "agenda"`},
		{"a certificate of a client with a secret", []string{"-client", "app:s3cret:http://localhost/cb", "-certificate-dn", "app:CN=x,O=y"}, "CertificateDN without TLSClientAuth"},
		{"bound tokens of a client with a secret", []string{"-client", "app:s3cret:http://localhost/cb", "-bind-tokens", "app"}, "CertificateBoundTokens without TLSClientAuth"},
		{"a wallet beside any port", []string{"-addr", "127.0.0.1:0", "-wallet-url", "http://localhost:9091"}, "needs a port"},
		{"a wallet behind a proxy", []string{"-wallet-url", "http://localhost:9091", "-trust-forwarded"}, "exclude each other"},
		{"https and an issuer of http", []string{"-tls", "-issuer", "http://localhost:9090/auth/realms/esante-wallet"}, "says http"},
		{"a default port in an address", []string{"-issuer", "http://psc.test:80/auth/realms/esante-wallet"}, "leave out the default port"},
		{"keys that turn backwards", []string{"-rotate-keys", "-5m"}, "ten milliseconds"},
		{"no key at all", []string{"-assume", "keys=0"}, "1 to 8"},
		{"a detail of no application", []string{"-start-url", "http"}, "want client_id:value"},
		{"a wallet of the real service", []string{"-wallet-url", "http://wallet.esw.esante.gouv.fr"}, "real service"},
		{"a wallet on the issuer's own address", []string{"-wallet-url", "http://127.0.0.1:9090"}, "one host"},
		{"an issuer and a proxy to say it", []string{"-trust-forwarded", "-issuer", "http://localhost:9090/auth/realms/esante-wallet"}, "exclude each other"},
		{"an argument that is no flag", []string{"start"}, "start"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(context.Background())
			stop() // should it start after all, it ends at once
			var out output
			err := run(ctx, tt.args, &out)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestClientFlagKeepsTheColonsOfAddresses(t *testing.T) {
	var l clientList
	for _, text := range []string{"a:b:http://localhost:3000/cb,http://localhost:3000/bye", "a:b:https://app.example:8443/cb"} {
		if err := l.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if len(l) != 1 || strings.Join(l[0].RedirectURIs, " ") != "http://localhost:3000/cb https://app.example:8443/cb" || l[0].PostLogoutURIs[0] != "http://localhost:3000/bye" {
		t.Errorf("got %+v", l)
	}
}

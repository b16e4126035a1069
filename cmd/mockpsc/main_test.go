package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
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

func TestServesUntilStopped(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	var out output
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-client", "app:s3cret:http://localhost:3000/cb,http://localhost:3000/bye"}, &out)
	}()
	discovery := ""
	for range 200 {
		for line := range strings.Lines(out.String()) {
			if url, ok := strings.CutPrefix(strings.TrimSpace(line), "PSC_DISCOVERY_URL="); ok && strings.Contains(out.String(), "Ctrl-C") {
				discovery = url
			}
		}
		if discovery != "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
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
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("stopped with %v, want nil", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("does not stop")
	}
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
		{"a directory of personas that is not there", []string{"-personas", "testdata/none"}, "personas"},
		{"a directory without personas", []string{"-personas", "."}, "no *.json"},
		{"phones at an address with a path", []string{"-phone-url", "http://192.168.1.20:9091/phone"}, "nothing else"},
		{"phones at the real service", []string{"-phone-url", "http://phone.esante.gouv.fr"}, "real service"},
		{"phones over https without a CA", []string{"-phone-url", "https://127.0.0.1:9091"}, "needs -tls"},
		{"phones at a taken port", []string{"-phone-url", "http://" + taken.Addr().String()}, "-phone-url"},
		{"phones at an address of another machine", []string{"-phone-url", "http://192.0.2.1:9091"}, "this machine"},
		{"an unknown drill", []string{"-drill", "fire"}, "known: outage, maintenance"},
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

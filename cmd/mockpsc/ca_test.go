package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestServesTLSWithTheCAThatItPrints(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "l'autorité")
	var printed, advice, client, none bytes.Buffer
	if err := caCommand([]string{"-ca-dir", dir}, &printed, &advice); err != nil {
		t.Fatal(err)
	}
	if err := caCommand([]string{"-ca-dir", dir, "-client", "app"}, &client, &none); err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(printed.Bytes())
	if block == nil || len(rest) > 0 {
		t.Fatalf("not one certificate and nothing else:\n%s", printed.String())
	}
	for _, want := range []string{"HTTPClient", "curl --cacert", "NODE_EXTRA_CA_CERTS", "keytool -importcert", "REQUESTS_CA_BUNDLE", "update-ca-certificates", `l'\''autorité`} {
		if !strings.Contains(advice.String(), want) {
			t.Errorf("the advice lacks %q:\n%s", want, advice.String())
		}
	}

	ctx, stop := context.WithCancel(context.Background())
	var out output
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-tls", "-ca-dir", dir, "-tls-client", "app:http://localhost:3000/cb,http://localhost:3000/bye"}, &out)
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stopped with %v, want nil", err)
		}
	}()
	for i := 0; i < 200 && !strings.Contains(out.String(), "Ctrl-C"); i++ {
		time.Sleep(10 * time.Millisecond)
	}
	_, issuer, _ := strings.Cut(out.String(), "PSC_ISSUER=")
	issuer, _, _ = strings.Cut(issuer, "\n")
	if !strings.HasPrefix(issuer, "https://127.0.0.1:") || strings.Contains(out.String(), "PSC_CLIENT_SECRET") || !strings.Contains(out.String(), "mockpsc ca -client app") {
		t.Fatalf("the banner:\n%s", out.String())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(printed.Bytes())
	pair, err := tls.X509KeyPair(client.Bytes(), client.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	defer transport.CloseIdleConnections()
	// Who the client is has been believed once the code is what is wrong.
	resp, err := (&http.Client{Transport: transport}).PostForm(issuer+"/protocol/openid-connect/token",
		url.Values{"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": {"none"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if rule := resp.Header.Get("X-Mock-PSC-Error"); resp.StatusCode != 400 || !strings.HasPrefix(rule, "the code is unknown") {
		t.Errorf("got %d, %q", resp.StatusCode, rule)
	}
}

func TestTheCAIsMadeOnceAndKeptFromOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[string]bool{}
	for range 16 {
		wg.Go(func() {
			var printed, advice bytes.Buffer
			if err := caCommand([]string{"-ca-dir", dir}, &printed, &advice); err != nil {
				t.Error(err)
			}
			mu.Lock()
			made[printed.String()] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(made) != 1 {
		t.Errorf("%d CAs", len(made))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("left %v, %v", files, err)
	}
	cert, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil || !made[string(cert)] {
		t.Errorf("the file of the certificate holds something else: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	key := filepath.Join(dir, caKeyFile)
	for path, want := range map[string]fs.FileMode{dir: 0o700, key: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %04o (%v)", path, info.Mode(), want, err)
		}
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := caCommand([]string{"-ca-dir", dir}, new(bytes.Buffer), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "others can read") {
		t.Errorf("a key that others can read: %v", err)
	}
}

func TestRefusesToStartWithTLS(t *testing.T) {
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, caKeyFile), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"a certificate over http", []string{"-tls-client", "app:http://localhost/cb"}, "need -tls"},
		{"a CA over http", []string{"-ca-dir", dir}, "need -tls"},
		{"a host of the Internet", []string{"-tls", "-ca-dir", dir, "-issuer", "https://psc.example.com/auth/realms/esante-wallet"}, "cannot vouch"},
		{"a damaged CA", []string{"-tls", "-ca-dir", broken}, caKeyFile},
		{"a certificate and a secret", []string{"-tls", "-client", "a:b:http://localhost/cb", "-tls-client", "a:http://localhost/cb"}, "two secrets"},
		{"a client without an address", []string{"-tls", "-tls-client", "a"}, "want id:redirect_uri"},
		{"an argument of ca", []string{"ca", "now"}, "now"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(context.Background())
			stop()
			if err := run(ctx, tt.args, new(output)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

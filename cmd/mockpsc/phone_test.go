package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// freeAddress is one at which nobody listens just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestServesPhonesAndNothingElseAtTheirAddress(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		scheme string
		args   []string
	}{
		{"http", nil},
		{"https", []string{"-tls", "-ca-dir", dir}},
	} {
		t.Run(tt.scheme, func(t *testing.T) {
			phones := tt.scheme + "://" + freeAddress(t)
			ctx, stop := context.WithCancel(context.Background())
			var out output
			ended := make(chan error, 1)
			go func() {
				ended <- run(ctx, append(tt.args, "-addr", "127.0.0.1:0", "-phone-url", phones), &out)
			}()
			for i := 0; i < 200 && !strings.Contains(out.String(), "Téléphones du réseau         "+phones); i++ {
				time.Sleep(10 * time.Millisecond)
			}
			roots := x509.NewCertPool()
			if tt.scheme == "https" {
				text, err := os.ReadFile(filepath.Join(dir, caFile))
				if err != nil || !roots.AppendCertsFromPEM(text) {
					t.Fatalf("no CA: %v", err)
				}
			}
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
			c := &http.Client{Transport: transport}
			_, issuer, _ := strings.Cut(out.String(), "PSC_ISSUER=")
			issuer, _, _ = strings.Cut(issuer, "\n")
			for address, want := range map[string]int{
				phones + "/_mock/phone/x":            http.StatusGone,
				phones + "/_mock/phone/activation/x": http.StatusGone,
				phones + "/":                         http.StatusNotFound,
				phones + "/auth/realms/esante-wallet/protocol/openid-connect/certs": http.StatusNotFound,
				issuer + "/protocol/openid-connect/certs":                           http.StatusOK,
			} {
				resp, err := c.Get(address)
				if err != nil {
					t.Errorf("%s: %v\n%s", address, err, out.String())
					continue
				}
				resp.Body.Close()
				if resp.StatusCode != want {
					t.Errorf("%s: got %d, want %d", address, resp.StatusCode, want)
				}
			}
			transport.CloseIdleConnections()
			stop()
			if err := <-ended; err != nil {
				t.Errorf("stopped with %v, want nil", err)
			}
			if _, err := c.Get(phones + "/"); err == nil {
				t.Error("the phones' address outlives the server")
			}
		})
	}
}

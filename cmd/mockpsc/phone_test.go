package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
			phones := tt.scheme + "://" + freeAddr(t)
			var out output
			discovery, stop := start(t, &out, append(tt.args, "-addr", "127.0.0.1:0", "-phone-url", phones)...)
			roots := x509.NewCertPool()
			if tt.scheme == "https" {
				text, err := os.ReadFile(filepath.Join(dir, caFile))
				if err != nil || !roots.AppendCertsFromPEM(text) {
					t.Fatalf("no CA: %v", err)
				}
			}
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
			c := &http.Client{Transport: transport}
			issuer, _, _ := strings.Cut(discovery, "/.well-known/")
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
			if err := stop(); err != nil {
				t.Errorf("stopped with %v, want nil", err)
			}
			if !strings.Contains(out.String(), "Téléphones du réseau         "+phones) {
				t.Error(out.String())
			}
			if _, err := c.Get(phones + "/"); err == nil {
				t.Error("the phones' address outlives the server")
			}
		})
	}
}

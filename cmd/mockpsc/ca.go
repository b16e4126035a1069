package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pscauth/pscauth/mockpsc"
)

const (
	caFile     = "mockpsc-ca.pem"     // the certificate, for everybody
	caKeyFile  = "mockpsc-ca-key.pem" // the same and its key, for the owner
	caDirUsage = "`directory` of the CA (default: mockpsc in the user's configuration directory)"
)

// caCommand is "mockpsc ca": certificates go to stdout, so that they can be sent
// to a file, and what to do with them to stderr.
func caCommand(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mockpsc ca", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("ca-dir", "", caDirUsage)
	client := flags.String("client", "", "print a new certificate, with its key, for the application of this `client_id` instead")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("mockpsc: unexpected argument %q", flags.Arg(0))
	}
	ca, file, err := openCA(*dir)
	if err != nil {
		return err
	}
	if *client != "" {
		text, err := encode((&mockpsc.Server{CA: &ca}).ClientCertificate(*client))
		if err != nil {
			return err
		}
		_, err = stdout.Write(text)
		return err
	}
	if err := pem.Encode(stdout, &pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]}); err != nil {
		return err
	}
	// Single quotes are how every shell takes a path as it is.
	quoted := "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
	fmt.Fprintf(stderr, `
Ce certificat est dans %s, jusqu'au %s.
Il ne vaut que pour cette machine, les adresses privées et les noms en .test,
.example, .internal, .local et .home.arpa. Pour qu'une application l'accepte :

  Go             auth.Config.HTTPClient, ou sous Linux : export SSL_CERT_FILE=%[3]s
  curl           curl --cacert %[3]s …
  Node           export NODE_EXTRA_CA_CERTS=%[3]s
  Java           keytool -importcert -noprompt -alias mockpsc -file %[3]s -keystore mockpsc.p12 -storepass changeit
                 puis : java -Djavax.net.ssl.trustStore=mockpsc.p12 -Djavax.net.ssl.trustStorePassword=changeit …
  Python         export REQUESTS_CA_BUNDLE=%[3]s
  PHP            php -d curl.cainfo=%[3]s -d openssl.cafile=%[3]s …
  Ruby, .NET     sous Linux : export SSL_CERT_FILE=%[3]s
  macOS          security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db %[3]s
  Windows        certutil -user -addstore Root %[3]s
  Debian         sudo install -m 644 %[3]s /usr/local/share/ca-certificates/mockpsc.crt && sudo update-ca-certificates
                 (pour l'ôter : sudo rm /usr/local/share/ca-certificates/mockpsc.crt && sudo update-ca-certificates --fresh)

SSL_CERT_FILE et REQUESTS_CA_BUNDLE remplacent les autorités du système : à ne
poser que pour les essais. Certificat d'une application qui s'authentifie sans
secret, avec sa clé : mockpsc ca -client <client_id> > client.pem
`, file, ca.Leaf.NotAfter.Format("02/01/2006"), quoted)
	return nil
}

// openCA returns the CA that is kept in dir, made at the first call, and the
// file of its certificate. Two processes that make it at once end with one.
func openCA(dir string) (tls.Certificate, string, error) {
	fail := func(err error) (tls.Certificate, string, error) {
		return tls.Certificate{}, "", fmt.Errorf("mockpsc: the CA: %w", err)
	}
	if dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return fail(fmt.Errorf("%w; choose a directory with -ca-dir", err))
		}
		dir = filepath.Join(config, "mockpsc")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fail(err)
	}
	keyPath, certPath := filepath.Join(dir, caKeyFile), filepath.Join(dir, caFile)
	if _, err := os.Stat(keyPath); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fail(err)
		}
		ca, err := mockpsc.NewCA()
		if err != nil {
			return fail(err)
		}
		text, err := encode(ca)
		if err != nil {
			return fail(err)
		}
		if err := put(keyPath, text, 0o600, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
			return fail(err)
		}
	}
	info, err := os.Stat(keyPath)
	if err != nil {
		return fail(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fail(fmt.Errorf("others can read %s, mode %04o: whoever has it can pass for your local sites; remove it and make another", keyPath, info.Mode().Perm()))
	}
	ca, err := tls.LoadX509KeyPair(keyPath, keyPath)
	if err != nil {
		return fail(fmt.Errorf("%s: %w; remove it to have another made", keyPath, err))
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]})
	if had, err := os.ReadFile(certPath); err != nil || string(had) != string(cert) {
		if err := put(certPath, cert, 0o644, os.Rename); err != nil {
			return fail(err)
		}
	}
	return ca, certPath, nil
}

// put writes a whole file beside its place and then moves it there with place:
// os.Link fails where one is, os.Rename replaces it.
func put(path string, text []byte, mode fs.FileMode, place func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".mockpsc-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return place(f.Name(), path)
}

// encode writes a certificate and its key in PEM.
func encode(cert tls.Certificate) ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("mockpsc: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...), nil
}

// useTLS gives the mock the kept CA and returns what its listener needs.
func useTLS(mock *mockpsc.Server, dir, addr string) (*tls.Config, string, error) {
	ca, file, err := openCA(dir)
	if err != nil {
		return nil, "", err
	}
	mock.CA = &ca
	var hosts []string
	for _, address := range []string{mock.Issuer, mock.WalletURL} {
		if u, err := url.Parse(address); err == nil && address != "" { // Check has read them
			hosts = append(hosts, u.Hostname())
		}
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	config, err := mock.TLSConfig(hosts...)
	return config, file, err
}

package providers

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The settings of provider.mjs.
type settings struct {
	Client   map[string]any `json:"client"` // as OpenID Connect Dynamic Client Registration 2 names it
	ACR      string         `json:"acr"`    // "" issues none
	IDToken  map[string]any `json:"idToken"`
	Userinfo map[string]any `json:"userinfo"`
	TLS      *tlsSettings   `json:"tls,omitempty"`
}

type tlsSettings struct {
	Cert string `json:"cert"` // PEM, like the others
	Key  string `json:"key"`
	CA   string `json:"ca"` // of clients
}

// bySecret are the settings for an app that has a secret.
func bySecret(a *app, acr string, userinfo map[string]any) settings {
	return settings{
		Client: map[string]any{
			"client_id": clientID, "client_secret": clientSecret, "token_endpoint_auth_method": "client_secret_basic",
			"redirect_uris": []string{a.callback()}, "post_logout_redirect_uris": []string{a.signedOut()},
		},
		ACR: acr, IDToken: inIDToken(userinfo), Userinfo: userinfo,
	}
}

// startOIDCProvider runs npm's oidc-provider until the test ends. It returns its
// issuer, and what it says on standard error.
func startOIDCProvider(t *testing.T, s settings) (issuer string, said *logs) {
	t.Helper()
	line, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // should it hang
	cmd := exec.CommandContext(ctx, requireOIDCProvider(t), "provider.mjs")
	said = &logs{}
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // then it ends by itself
		cmd.Wait() // how it ended is no matter
		cancel()
	})
	if _, err := in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	issuer, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Wait() // until all that it said is here
		t.Fatalf("oidc-provider does not start: %v\n%s", err, said)
	}
	return strings.TrimSpace(issuer), said
}

// requireOIDCProvider returns Node, if oidc-provider is installed too.
func requireOIDCProvider(t *testing.T) (node string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("node_modules", "oidc-provider"))
	}
	if err != nil {
		const how = "no oidc-provider here (%v); install Node.js 20 or newer, then: npm install (in auth/providers)"
		if os.Getenv("CI") == "true" {
			t.Fatalf(how, err)
		}
		t.Skipf(how, err)
	}
	return node
}

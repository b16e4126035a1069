package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if !serve() { // a provider runs in a process of this program
		os.Exit(m.Run())
	}
}

// A smoke: the client gets through each provider, and the tokens are signed as
// often as the table says. Nothing is timed here.
func TestClientSignsInEverywhere(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "mockpsc")
	if out, err := exec.Command("go", "build", "-o", binary, command).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	signatures := map[string]int{"mockpsc": 2, "mockoidc": 3, "zitadel/oidc example": 1, "oidc-provider": 1, "oauth2-mock-server": 2}
	for _, p := range append([]provider{ours(binary)}, peers...) {
		t.Run(p.name, func(t *testing.T) {
			r, err := start(t.Context(), p)
			if errors.Is(err, errNoNode) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer r.stop()
			c := newClient(p, r.base)
			for range 3 {
				tokens, err := c.once(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if got := tokens.rs256(); got != signatures[p.name] {
					t.Errorf("%d RS256 signatures, want %d", got, signatures[p.name])
				}
			}
		})
	}
}

func TestLoadEndsAtTheFirstFailure(t *testing.T) {
	p := peers[1] // zitadel's example
	r, err := start(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(p, r.base)
	if done, _, err := c.load(t.Context(), 4, 0, 10); done != 10 || err != nil {
		t.Errorf("got %d sign-ins, %v", done, err)
	}
	r.stop()
	if done, _, err := c.load(t.Context(), 4, time.Minute, 0); done != 0 || err == nil {
		t.Errorf("without a provider: %d sign-ins, %v", done, err)
	}
}

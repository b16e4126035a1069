package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/authtest"
	"github.com/pscauth/pscauth/auth/psc"
)

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	_, err := auth.New(auth.Config{RedirectURL: "http://carelink.example/callback", Secrets: [][]byte{[]byte("short")}, SessionTTL: time.Second})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, field := range []string{"Provider.Issuer", "ClientID", "ClientSecret", "RedirectURL", "Secrets[0]", "Users", "SessionTTL"} {
		if !strings.Contains(err.Error(), "auth: "+field) {
			t.Errorf("%s is not named in:\n%v", field, err)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Error("the error holds a secret")
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name   string
		change func(*auth.Config)
		ok     bool
	}{
		{"a good one", func(c *auth.Config) {}, true},
		{"production", func(c *auth.Config) {
			c.Provider, c.RedirectURL = psc.Production, "https://carelink.example/a/b/callback"
		}, true},
		{"http on 127.0.0.1", func(c *auth.Config) { c.RedirectURL = "http://127.0.0.1:1/auth/callback" }, true},
		{"http on [::1]", func(c *auth.Config) { c.RedirectURL = "http://[::1]:1/auth/callback" }, true},
		{"http elsewhere", func(c *auth.Config) { c.RedirectURL = "http://carelink.example/auth/callback" }, false},
		{"http on a host that begins like loopback", func(c *auth.Config) { c.RedirectURL = "http://127.0.0.1.evil.example/auth/callback" }, false},
		{"a callback under the root", func(c *auth.Config) { c.RedirectURL = "https://carelink.example/callback" }, false},
		{"no path", func(c *auth.Config) { c.RedirectURL = "https://carelink.example" }, false},
		{"a callback called login", func(c *auth.Config) { c.RedirectURL = "https://carelink.example/auth/login" }, false},
		{"a query", func(c *auth.Config) { c.RedirectURL = "https://carelink.example/auth/callback?x=1" }, false},
		{"a fragment", func(c *auth.Config) { c.RedirectURL = "https://carelink.example/auth/callback#x" }, false},
		{"a user", func(c *auth.Config) { c.RedirectURL = "https://me@carelink.example/auth/callback" }, false},
		{"dots in the path", func(c *auth.Config) { c.RedirectURL = "https://carelink.example/auth/../callback" }, false},
		{"a path alone", func(c *auth.Config) { c.RedirectURL = "/auth/callback" }, false},
		{"an issuer over http", func(c *auth.Config) { c.Provider.Issuer = "http://psc.example/realms/x" }, false},
		{"a discovery address over http", func(c *auth.Config) { c.Provider.Discovery = "http://psc.example/x" }, false},
		{"a session of seconds", func(c *auth.Config) { c.SessionTTL = 59 * time.Second }, false},
		{"a session of less than nothing", func(c *auth.Config) { c.SessionTTL = -time.Hour }, false},
		{"sign-ins that are over at once", func(c *auth.Config) { c.SessionMax = 4 * time.Minute }, false},
		{"31 bytes of secret", func(c *auth.Config) { c.Secrets = [][]byte{make([]byte, 31)} }, false},
		{"a short second secret", func(c *auth.Config) { c.Secrets = append(c.Secrets, []byte("x")) }, false},
		{"no secret", func(c *auth.Config) { c.Secrets = nil }, false},
		{"no users", func(c *auth.Config) { c.Users = nil }, false},
		{"a front end on another port", func(c *auth.Config) { c.TrustedOrigins = []string{"http://localhost:5173", "https://app.example"} }, true},
		{"a trusted origin with a path", func(c *auth.Config) { c.TrustedOrigins = []string{"https://app.example/x"} }, false},
		{"a trusted origin over http", func(c *auth.Config) { c.TrustedOrigins = []string{"http://app.example"} }, false},
		{"every origin", func(c *auth.Config) { c.TrustedOrigins = []string{"*"} }, false},
		{"a negative lag", func(c *auth.Config) { c.RevocationLag = -1 }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := w.cfg
			tt.change(&cfg)
			if _, err := auth.New(cfg); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTwoAppsOnOneHostDoNotShareACookieName(t *testing.T) {
	w := newWorld(t)
	one := w.sessionCookieName()
	w.start()
	if two := w.sessionCookieName(); one == two {
		t.Errorf("both use %s", one)
	}
}

func TestMemorySessions(t *testing.T) {
	authtest.TestSessionStore(t, func(*testing.T) auth.SessionStore { return auth.NewMemorySessions() })
}

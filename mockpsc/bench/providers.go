package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/oauth2-proxy/mockoidc"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/pscauth/pscauth/mockpsc"
)

// What every provider knows of the application. Nothing listens at the redirect
// address: the client reads the code where a browser would follow it.
const (
	clientID     = "bench"
	clientSecret = "bench-secret"
	redirectURI  = "http://127.0.0.1:1/callback"
)

// A provider is one of those measured, with what the client must know of it.
type provider struct {
	name    string
	command func(port int) ([]string, error) // starts it on 127.0.0.1

	// Paths. The pages on the way are met in any order; each is known by the
	// beginning of its form's action.
	authorize, token, userinfo string
	scope                      string
	forms                      []form

	openSSL bool // signs with OpenSSL, not with crypto/rsa
}

// A form is what a person fills in on one page: hidden fields are sent as found.
type form struct {
	action string
	fields url.Values
}

const realm = "/auth/realms/esante-wallet/protocol/openid-connect"

// ours is the command mockpsc, built by build.
func ours(binary string) provider {
	return provider{
		name: "mockpsc",
		command: func(port int) ([]string, error) {
			return []string{binary, "-addr", "127.0.0.1:" + strconv.Itoa(port),
				"-client", clientID + ":" + clientSecret + ":" + redirectURI}, nil
		},
		authorize: "/auth", token: realm + "/token", userinfo: realm + "/userinfo",
		scope: "openid scope_all",
		forms: []form{{"/auth/sign-in", url.Values{"persona": {"dr-dupont"}}}},
	}
}

var peers = []provider{
	{
		name: "mockoidc", command: served("mockoidc"),
		authorize: mockoidc.AuthorizationEndpoint, token: mockoidc.TokenEndpoint, userinfo: mockoidc.UserinfoEndpoint,
		scope: "openid profile",
	},
	{
		name: "zitadel/oidc example", command: served("zitadel"),
		authorize: "/auth", token: "/oauth/token", userinfo: "/userinfo",
		scope: "openid profile",
		forms: []form{{"/login/username", url.Values{"username": {"test-user2"}, "password": {"verysecure"}}}},
	},
	{
		name: "oidc-provider", command: node("oidc-provider"),
		authorize: "/auth", token: "/token", userinfo: "/me",
		scope:   "openid",
		forms:   []form{{"/interaction/", url.Values{"login": {"somebody"}, "password": {"anything"}}}}, // then the consent, which reads neither
		openSSL: true,
	},
	{
		name: "oauth2-mock-server", command: node("oauth2-mock-server"),
		authorize: "/authorize", token: "/token", userinfo: "/userinfo",
		scope: "openid", openSSL: true,
	},
}

// served runs this program again, as a provider that is a Go library.
func served(what string) func(port int) ([]string, error) {
	return func(port int) ([]string, error) {
		self, err := os.Executable()
		return []string{self, "serve", what, strconv.Itoa(port)}, err
	}
}

var errNoNode = errors.New("not measured: it needs node, and `npm install` in mockpsc/bench/npm")

func node(script string) func(port int) ([]string, error) {
	return func(port int) ([]string, error) {
		dir, err := sourceDir()
		if err != nil {
			return nil, err
		}
		npm := filepath.Join(dir, "npm")
		if _, err := os.Stat(filepath.Join(npm, "node_modules", script)); err != nil {
			return nil, errNoNode
		}
		program, err := exec.LookPath("node")
		if err != nil {
			return nil, errNoNode
		}
		return []string{program, filepath.Join(npm, script+".js"), strconv.Itoa(port), clientID, clientSecret, redirectURI}, nil
	}
}

// sourceDir is where this file lies.
func sourceDir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("where the sources lie is not known")
	}
	return filepath.Dir(file), nil
}

// serve is the other side of served: it answers until it is killed. It reports
// whether this process was started for that.
func serve() bool {
	if len(os.Args) != 4 || os.Args[1] != "serve" {
		return false
	}
	address := "127.0.0.1:" + os.Args[3]
	l, err := net.Listen("tcp", address)
	if err == nil {
		switch os.Args[2] {
		case "mockoidc":
			var m *mockoidc.MockOIDC
			if m, err = mockoidc.NewServer(nil); err == nil {
				m.ClientID, m.ClientSecret = clientID, clientSecret
				if err = m.Start(l, nil); err == nil {
					select {}
				}
			}
		case "zitadel":
			issuer := "http://" + address + "/"
			storage.RegisterClients(storage.WebClient(clientID, clientSecret, redirectURI))
			store := storage.NewStorage(storage.NewUserStore(issuer))
			err = http.Serve(l, exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), false))
		case "mockpsc":
			err = http.Serve(l, timeMachine())
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
	return true
}

// timeMachine is our mock with a clock that can be put forward, which the
// command has not: POST /bench/later?by=5h. It then has the runtime give back
// what is free, as it would by itself after some minutes.
func timeMachine() http.Handler {
	var offset atomic.Int64
	mock := &mockpsc.Server{
		Clients: []mockpsc.Client{{ID: clientID, Secret: clientSecret, RedirectURIs: []string{redirectURI}}},
		Now:     func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	}
	mux := http.NewServeMux()
	mux.Handle("/", mock)
	mux.HandleFunc("POST /bench/later", func(w http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.URL.Query().Get("by"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		offset.Add(int64(by))
	})
	mux.HandleFunc("POST /bench/free", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	return mux
}

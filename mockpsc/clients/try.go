package clients

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// Slow reports whether a fault takes its time.
func Slow(f mockpsc.Fault) bool {
	return strings.HasSuffix(f.Name, "-hanging") || strings.HasSuffix(f.Name, "-dripping")
}

// Heavy reports whether a fault is so much work for a client that only one at a
// time shows what comes of it.
func Heavy(f mockpsc.Fault) bool { return strings.HasSuffix(f.Name, "-bomb") }

// Misleads reports whether a fault sends the client, in its metadata, to a host
// that is not there. A client that begins a sign-in in spite of it has believed
// it, although nothing can come of that in a test.
func Misleads(f mockpsc.Fault) bool {
	return f.Where == "metadata" && strings.HasSuffix(f.Name, "-elsewhere")
}

// TryLibraries tries every fault at the libraries that are written in Go, each at
// an address of its own. It returns what they do, by library and fault, and why.
func TryLibraries(mock *mockpsc.Server) (results map[string]map[string]Result, why func(library, fault string) string) {
	results = map[string]map[string]Result{}
	reasons := map[[2]string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	few, one := make(chan struct{}, 4), make(chan struct{}, 1)
	for _, lib := range libraries {
		results[lib.name] = map[string]Result{}
		for _, f := range mockpsc.Faults() {
			if !Reaches(lib.name, f) {
				continue
			}
			all.Go(func() {
				switch {
				case Heavy(f):
					one <- struct{}{}
					defer func() { <-one }()
				case !Slow(f):
					few <- struct{}{}
					defer func() { <-few }()
				}
				try := tryLibrary
				if f.Where == "logout_token" {
					try = tryLogout
				}
				r, text := try(mock, lib.make, f)
				mu.Lock()
				defer mu.Unlock()
				results[lib.name][f.Name] = r
				reasons[[2]string{lib.name, f.Name}] = text
			})
		}
	}
	all.Wait()
	return results, func(library, fault string) string { return reasons[[2]string{library, fault}] }
}

func tryLibrary(mock *mockpsc.Server, make func(party) (client, error), f mockpsc.Fault) (Result, string) {
	patience, limit := 20*time.Second, 15*time.Second // of the browser, and of the client for one answer
	switch {
	case Slow(f):
		limit = time.Second
	case Heavy(f):
		patience, limit = 70*time.Second, time.Minute
	}
	c := &http.Client{Transport: hasty(limit)}
	url, stop := app(party{issuer: mock.URL + issuerPath + "~" + f.Name, id: "carelink", secret: "carelink-secret", http: c}, make, nil, nil)
	defer stop()

	// A connection for each request: a broken one that was used before makes net/http
	// ask again, with a code that is spent.
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(url + "/login")
	if err != nil {
		return Breaks, err.Error()
	}
	defer resp.Body.Close()
	to := resp.Header.Get("Location")
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return Refuses, bodyOf(resp)
	case resp.StatusCode != http.StatusFound:
		return Breaks, resp.Status
	case Misleads(f) || !strings.HasPrefix(to, mock.URL+"/"):
		return Passes, "leads to " + to
	}
	browser.CheckRedirect = nil
	resp, err = mock.SignIn(browser, url+"/login", "dr-dupont")
	if err != nil {
		return Breaks, err.Error()
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusForbidden:
		return Refuses, bodyOf(resp)
	case http.StatusOK:
		return Passes, bodyOf(resp)
	}
	return Breaks, resp.Status
}

// tryLogout has an application told that a session is over, by a mock of its own,
// to which its address is declared.
func tryLogout(_ *mockpsc.Server, library func(party) (client, error), f mockpsc.Fault) (Result, string) {
	mock := &mockpsc.Server{}
	srv := httptest.NewServer(mock)
	defer srv.Close()
	told := make(chan error, 1)
	issuer := srv.URL + issuerPath + "~" + f.Name
	url, stop := app(party{issuer: issuer, id: "carelink", secret: "carelink-secret", http: http.DefaultClient}, library, func(redirectURI string) {
		mock.Clients = []mockpsc.Client{{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{redirectURI},
			BackchannelLogoutURI: strings.TrimSuffix(redirectURI, "callback") + "backchannel"}}
	}, told)
	defer stop()
	resp, err := mock.SignIn(new(http.Client), url+"/login", "dr-dupont")
	if err != nil {
		return Breaks, err.Error()
	}
	resp.Body.Close()
	if resp, err = http.Get(issuer + "/protocol/openid-connect/logout?id_token_hint=" + resp.Header.Get("X-Hint")); err != nil {
		return Breaks, err.Error()
	}
	resp.Body.Close()
	select {
	case err := <-told:
		if err != nil {
			return Refuses, err.Error()
		}
		return Passes, "the session is over"
	case <-time.After(5 * time.Second):
		return Breaks, "it was not told"
	}
}

// hasty is a transport that gives up after a while, answer and all: not every
// library takes a client with a time limit.
type hasty time.Duration

func (limit hasty) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	time.AfterFunc(time.Duration(limit), cancel)
	return http.DefaultTransport.RoundTrip(r.WithContext(ctx))
}

func bodyOf(resp *http.Response) string {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 200))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

// LibraryVersions are those that this program was built with, by column.
func LibraryVersions() (map[string]string, error) {
	modules := map[string]string{
		"go-oidc": "github.com/coreos/go-oidc/v3", "zitadel": "github.com/zitadel/oidc/v3", "cap": "github.com/hashicorp/cap",
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, fmt.Errorf("clients: the program does not know what it was built with")
	}
	versions := map[string]string{}
	for name, path := range modules {
		for _, m := range info.Deps {
			if m.Path == path {
				versions[name] = strings.TrimPrefix(m.Version, "v")
			}
		}
	}
	return versions, nil
}

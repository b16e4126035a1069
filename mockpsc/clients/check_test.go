package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/openidConnect"

	"github.com/pscauth/pscauth/mockpsc"
)

// gothApp is an application on goth as its manual says, with what its user can
// add for Pro Santé Connect: acr_values. A nonce cannot be added.
func gothApp(t *testing.T, mock *mockpsc.Server) *httptest.Server {
	t.Helper()
	store := sessions.NewCookieStore([]byte("0123456789abcdef0123456789abcdef"))
	store.Options = &sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	gothic.Store = store
	gothic.GetProviderName = func(*http.Request) (string, error) { return "openid-connect", nil }
	mux := http.NewServeMux()
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it panics where exp is missing
	srv.Start()
	t.Cleanup(srv.Close)
	provider, err := openidConnect.New("carelink", "carelink-secret", srv.URL+"/callback",
		mock.URL+issuerPath+"/.well-known/wallet-openid-configuration", "scope_all")
	if err != nil {
		t.Fatal(err)
	}
	provider.SetAuthCodeOptions(map[string]string{"acr_values": "eidas1"})
	goth.UseProviders(provider)
	mux.HandleFunc("GET /login", gothic.BeginAuthHandler)
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, r)
		if err != nil {
			http.Error(w, "la connexion a échoué", http.StatusForbidden)
			return
		}
		s, err := store.New(r, "app")
		if err == nil {
			s.Values["who"] = user.LastName + " " + fmt.Sprint(user.RawData["SubjectNameID"])
			err = s.Save(r, w)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "app") // one that does not open is empty
		who, ok := s.Values["who"].(string)
		if !ok {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, `<p>Bonjour %s<form method="post" action="/logout"><button>Se déconnecter</button></form>`, html.EscapeString(who))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "app")
		s.Options.MaxAge = -1
		if err := errors.Join(s.Save(r, w), gothic.Logout(w, r)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "Au revoir")
	})
	return srv
}

// gothFindings are the holes of that application, most of them the library's.
var gothFindings = []string{
	"state-chosen", "nonce-missing", "pkce-missing", "callback-form", "issuer-parameter", "code-injection",
	"answer-form", "signature-not-checked", "token-form", "token-confusion", "audience-not-checked", "azp-not-checked",
	"times-not-checked", "acr-not-checked", "at-hash-not-checked", "duplicates", "identifier-not-checked",
	"session-outlives-logout", "logout-only-here", "breaks-down",
}

// checkApp is mockpsc check of an application; it returns the findings, each with
// what showed it.
func checkApp(t *testing.T, mock *mockpsc.Server, app string, args ...string) (map[string][]string, int) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "mockpsc")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/pscauth/pscauth/cmd/mockpsc").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(bin, append(append([]string{"check", "-mock", mock.URL, "-signed-in", "/me", "-json"}, args...), app)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var report struct {
		Findings []struct {
			ID    string
			Cases []string
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	found := map[string][]string{}
	for _, f := range report.Findings {
		found[f.ID] = f.Cases
	}
	return found, cmd.ProcessState.ExitCode()
}

func TestCheckFindsTheHolesOfGoth(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.Lenient = func(string) {} // else it refuses a request without nonce
	found, status := checkApp(t, mock, gothApp(t, mock).URL+"/login", "-quick")
	if status != 3 {
		t.Errorf("status %d, want 3: critical", status)
	}
	for _, id := range gothFindings {
		if found[id] == nil {
			t.Errorf("%s was not found", id)
		}
	}
	for id, cases := range found {
		if !slices.Contains(gothFindings, id) {
			t.Errorf("found %s as well: %v", id, cases)
		}
	}
}

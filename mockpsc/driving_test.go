package mockpsc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// newCarefulApp is an application as docs/driving.md supposes one: people begin
// at /login, and /me answers 200 to who is signed in. It makes the checks that
// the recipes try.
func newCarefulApp(t *testing.T, mock *mockpsc.Server) string {
	rp := &relyingParty{mock: mock}
	var mu sync.Mutex
	signedIn := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "pending", Value: "the-state", Path: "/", HttpOnly: true})
		http.Redirect(w, r, rp.authURL(nil), http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("pending"); err != nil || c.Value != r.URL.Query().Get("state") {
			http.Error(w, "not yours", http.StatusBadRequest)
			return
		}
		tok := rp.exchange(t, rp.form(r.URL.Query().Get("code")))
		claims, err := rp.verify(t, tok.IDToken)
		exp, _ := claims["exp"].(float64)
		if err != nil || claims["nonce"] != "the-nonce" || claims["aud"] != "carelink" || int64(exp) < time.Now().Unix() {
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		id := fmt.Sprint("session-", len(signedIn))
		signedIn[id] = true
		http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true})
		fmt.Fprint(w, "welcome")
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if c, err := r.Cookie("session"); err != nil || !signedIn[c.Value] {
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}
	})
	rp.Server = httptest.NewServer(mux)
	t.Cleanup(rp.Close)
	return rp.URL
}

// The recipes of docs/driving.md work as they stand. Those for which a machine
// has not what they need are skipped: pytest and requests; PLAYWRIGHT, a directory
// with @playwright/test in its node_modules, and Chromium; JUNIT, a class path.
func TestTheRecipesWork(t *testing.T) {
	text, err := os.ReadFile("../docs/driving.md")
	if err != nil {
		t.Fatal(err)
	}
	recipes := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		recipes[m[1]] += m[2]
	}
	has := func(name string, args ...string) bool { return exec.Command(name, args...).Run() == nil }
	for language, recipe := range map[string]struct {
		file    string
		missing bool
		run     []string
	}{
		"sh":     {"recipe.sh", !has("curl", "--version"), []string{"bash", "-euxo", "pipefail", "recipe.sh"}},
		"python": {"test_sign_in.py", !has("/usr/bin/python3", "-c", "import pytest, requests"), []string{"/usr/bin/python3", "-m", "pytest", "-q", "test_sign_in.py"}},
		"js":     {"sign-in.spec.js", os.Getenv("PLAYWRIGHT") == "", []string{"node", os.Getenv("PLAYWRIGHT") + "/node_modules/@playwright/test/cli.js", "test", "--workers=1"}},
		"java":   {"SignInTest.java", os.Getenv("JUNIT") == "", []string{"sh", "-c", `javac -cp "$JUNIT" -d . SignInTest.java && java -cp "$JUNIT:." org.junit.platform.console.ConsoleLauncher -c SignInTest`}},
	} {
		t.Run(language, func(t *testing.T) {
			if recipe.missing {
				t.Skip("this machine has not what the recipe needs")
			}
			if recipes[language] == "" {
				t.Fatal("there is no recipe")
			}
			mock := mockpsc.NewServer(t)
			app := newCarefulApp(t, mock)
			dir := t.TempDir()
			code := strings.NewReplacer("http://127.0.0.1:9090", mock.URL, "http://localhost:8080", app).Replace(recipes[language])
			if err := os.WriteFile(filepath.Join(dir, recipe.file), []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			if language == "js" {
				config := `module.exports = { use: { launchOptions: { executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'] } } };`
				if err := os.WriteFile(filepath.Join(dir, "playwright.config.js"), []byte(config), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(os.Getenv("PLAYWRIGHT")+"/node_modules", filepath.Join(dir, "node_modules")); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), recipe.run[0], recipe.run[1:]...)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
			if language != "sh" {
				return
			}
			if !strings.Contains(string(out), `"rule":"nonce (3.1.3.7, rule 11)","ok":false`) {
				t.Error("the shell is not told what was wrong")
			}
		})
	}
}

// What the page says of the API is there.
func TestThePageOfTheAPINamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../docs/driving.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var spec struct{ Paths map[string]any }
	if err := json.Unmarshal(file, &spec); err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile("`(?:(?:GET|POST|PUT|DELETE) )(/_mock/api/[a-z{}./-]+)").FindAllStringSubmatch(string(text), -1) {
		if named = append(named, m[1]); spec.Paths[m[1]] == nil {
			t.Errorf("%s is named and not there", m[1])
		}
	}
	for path := range spec.Paths {
		if path != "/_mock/api/openapi.json" && !slices.ContainsFunc(named, func(n string) bool { return n == path }) && !strings.Contains(string(text), path) {
			t.Errorf("%s is there and not named", path)
		}
	}
}

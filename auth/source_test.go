package auth_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ourSources returns the Go files of a folder that are not tests, by name.
func ourSources(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	if len(texts) == 0 {
		t.Fatalf("no sources in %s", folder)
	}
	return texts
}

// comment is what a word may stand in.
var comment = regexp.MustCompile(`(?m)//.*$`)

// What no test from outside can show: a call that is not there.
func TestWhatTheSourcesDoNotHold(t *testing.T) {
	product := []string{".", "psc", "internal/strictjson", "../store", "../store/sqlite"}
	for _, tt := range []struct {
		name    string
		word    string // a pattern
		folders []string
		why     string
	}{
		{"numbers that can be guessed", `"math/rand`, append(product, "../mockpsc", "../cmd/mockpsc", "../example/carelink"), "states, nonces, verifiers and ids are made by crypto/rand"},
		{"TLS that proves nothing", `InsecureSkipVerify`, append(product, "../mockpsc", "../cmd/mockpsc", "../example/carelink"), "a certificate is looked at, or the call fails"},
		{"decryption of a JOSE", `ParseEncrypted|\.Decrypt\(|JSONWebEncryption`, product, "what can be decrypted is not thereby from PSC, and a bomb is not opened"},
		{"x/oauth2's exchange of a code", `\.Exchange\(|RetrieveError|AuthStyle`, product, "it may try twice, and keeps the answer in its errors"},
		{"http.Redirect", `http\.Redirect\(`, product, "it rewrites the path that was checked"},
		{"parameters from anywhere", `FormValue\(|ParseForm\(|ParseMultipartForm\(|\.PostForm\b`, []string{"."}, "the callback is read from its query, where a double shows"},
		{"encoding/json as a reader", `json\.(Unmarshal|NewDecoder)\(`, product, "it folds the case of names and lets the last of two win"},
		{"gob", `"encoding/gob"`, product, "a decoder that a cookie feeds must know one type"},
		{"patterns for paths", `regexp\.`, []string{"."}, "what is guarded is said by the app's mux"},
		{"identity or address from a proxy's header", `(?i)X-Forwarded|"Forwarded"|X-Real-Ip|Remote-User|X-Original`, []string{".", "../example/carelink"}, "public addresses are configured, and who it is comes from the token"},
		{"CORS", `Access-Control-`, []string{"."}, "the app says who else may read"},
		{"SQL made of values", `Sprintf\([^)]*(SELECT|INSERT|UPDATE|DELETE) `, product, "values go by placeholders"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			word := regexp.MustCompile(tt.word)
			for _, folder := range tt.folders {
				for name, text := range ourSources(t, folder) {
					if found := word.FindString(comment.ReplaceAllString(text, "")); found != "" {
						t.Errorf("%s has %s: %s", name, found, tt.why)
					}
				}
			}
		})
	}
}

// A library that has to be replaced is behind one door.
func TestLibrariesAreBehindOneDoor(t *testing.T) {
	for library, doors := range map[string][]string{
		"github.com/go-jose/go-jose/v4":   {"idtoken.go"},
		"github.com/gorilla/securecookie": {"cookies.go"},
	} {
		var found []string
		for name, text := range ourSources(t, ".") {
			if strings.Contains(text, `"`+library+`"`) {
				found = append(found, name)
			}
		}
		if !slices.Equal(found, doors) {
			t.Errorf("%s is imported by %v, want %v", library, found, doors)
		}
	}
}

// Versions before these have advisories, or corrupt databases.
func TestNoDependencyIsOlderThanItsFloor(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for module, floor := range map[string][3]int{
		"github.com/go-jose/go-jose/v4":   {4, 1, 8},
		"golang.org/x/oauth2":             {0, 27, 0},
		"github.com/gorilla/securecookie": {1, 1, 2},
		"modernc.org/sqlite":              {1, 61, 1}, // with SQLite 3.54.1; Open looks at that again
	} {
		m := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(module) + ` v(\S+)`).FindStringSubmatch(string(text))
		if m == nil {
			t.Errorf("go.mod has no %s", module)
			continue
		}
		var got [3]int
		if _, err := fmt.Sscanf(m[1], "%d.%d.%d", &got[0], &got[1], &got[2]); err != nil {
			t.Errorf("%s %s: %v", module, m[1], err)
		}
		if slices.Compare(got[:], floor[:]) < 0 {
			t.Errorf("%s is at %v, want %v at least", module, got, floor)
		}
	}
}

// Time tells nobody how much of a guess was right: what is secret is never
// compared with == or !=, except with a constant. It is no measurement, which a
// shared machine would spoil.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	secret := []string{"State", "state", "Nonce", "nonce", "gotNonce", "Verifier", "atHash", "sig", "mac", "want"}
	constant := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.BasicLit:
			return true
		case *ast.Ident: // nil, and the states of an identity, which are constants
			return slices.Contains([]string{"nil", "anonymous", "refused", "unavailable", "signedIn"}, e.Name)
		}
		return false
	}
	isSecret := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return slices.Contains(secret, e.Name)
		case *ast.SelectorExpr:
			return slices.Contains(secret, e.Sel.Name)
		case *ast.StarExpr:
			id, ok := e.X.(*ast.Ident)
			return ok && slices.Contains(secret, id.Name)
		}
		return false
	}
	files, compares := token.NewFileSet(), 0
	for name := range ourSources(t, ".") {
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && (isSecret(n.X) && !constant(n.Y) || isSecret(n.Y) && !constant(n.X)) {
					t.Errorf("%s compares a secret with %s: use subtle.ConstantTimeCompare", files.Position(n.Pos()), n.Op)
				}
			case *ast.SelectorExpr:
				if n.Sel.Name == "ConstantTimeCompare" {
					compares++
				}
			}
			return true
		})
	}
	if compares != 4 { // state, nonce, at_hash, and the MAC of a session token
		t.Errorf("%d comparisons in constant time, want 4", compares)
	}
}

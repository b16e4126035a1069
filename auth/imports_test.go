package auth_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestWhoImportsWhom keeps the rooms of this house apart. A rule that has to
// bend bends here, with its reason.
func TestWhoImportsWhom(t *testing.T) {
	const (
		self = "github.com/pscauth/pscauth/"
		jose = "github.com/go-jose/go-jose/v4"
	)
	rules := []struct {
		room   string
		may    []string // beside the standard library
		reason string
	}{
		{"auth/internal/strictjson", nil, "it reads hostile input and must be easy to read itself"},
		{"auth/psc", []string{self + "auth/internal/strictjson"}, "it is vocabulary: any program may use it, with no HTTP and no dependency"},
		{"mockpsc", []string{jose, "rsc.io/qr"}, "mock and client are independent witnesses: shared code would hide a misspelt claim from both"},
		{"auth", []string{self + "auth/psc", self + "auth/internal/strictjson", jose, "golang.org/x/oauth2", "github.com/gorilla/securecookie"}, "an app chooses its own store, and ships no mock"},
		{"auth/authtest", []string{self + "auth", self + "auth/psc"}, "it tests any store"},
		{"store", []string{self + "auth", self + "auth/psc"}, "the driver is the app's choice"},
		{"store/sqlite", []string{self + "store", "modernc.org/sqlite", "modernc.org/sqlite/lib"}, "one driver, one package"},
	}
	for _, rule := range rules {
		t.Run(rule.room, func(t *testing.T) {
			out, err := exec.Command("go", "list", "-json=Imports", self+rule.room).Output()
			if err != nil {
				t.Fatalf("go list: %v", err)
			}
			var pkg struct{ Imports []string }
			if err := json.Unmarshal(out, &pkg); err != nil {
				t.Fatal(err)
			}
			if len(pkg.Imports) == 0 {
				t.Fatal("no imports: the package was not found")
			}
			for _, path := range pkg.Imports {
				first, _, _ := strings.Cut(path, "/")
				if standard := !strings.Contains(first, "."); standard || slices.Contains(rule.may, path) {
					continue
				}
				t.Errorf("%s imports %s: %s", rule.room, path, rule.reason)
			}
		})
	}
	t.Run("auth/psc speaks no HTTP", func(t *testing.T) {
		out, err := exec.Command("go", "list", "-deps", self+"auth/psc").Output()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(strings.Fields(string(out)), "net/http") {
			t.Error("it depends on net/http")
		}
	})
}

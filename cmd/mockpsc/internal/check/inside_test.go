package check

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestEveryFaultHasARule(t *testing.T) {
	for _, f := range mockpsc.Faults() {
		k := kinOf(f.Name, f.Where)
		if ruleByID[k.rule] == nil {
			t.Errorf("%s: no rule %q", f.Name, k.rule)
		}
		for _, name := range k.plainer {
			if !strings.Contains(allFaults, " "+name+" ") {
				t.Errorf("%s: no fault %q", f.Name, name)
			}
		}
	}
	for name := range kins {
		if !strings.Contains(allFaults, " "+name+" ") {
			t.Errorf("no fault %q", name)
		}
	}
}

var allFaults = func() string {
	list := " "
	for _, f := range mockpsc.Faults() {
		list += f.Name + " "
	}
	return list
}()

func TestRulesAreWhole(t *testing.T) {
	manual, err := os.ReadFile("../../../../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rules {
		if seen[r.id] {
			t.Errorf("%s stands twice", r.id)
		}
		seen[r.id] = true
		if _, ok := ranks[r.severity]; !ok || r.source == "" || r.what.FR == "" || r.what.EN == "" || r.do.FR == "" || r.do.EN == "" {
			t.Errorf("%s lacks something", r.id)
		}
		if row := "| `" + r.id + "` | " + r.severity + " | " + r.what.EN + " |"; !strings.Contains(string(manual), row) {
			t.Errorf("docs/check.md lacks the row %s", row)
		}
	}
	for id, wider := range within {
		for _, id := range append(wider, id) {
			if !seen[id] {
				t.Errorf("no rule %q", id)
			}
		}
	}
}

func TestResolveReadsAddressesAsBrowsersDo(t *testing.T) {
	base, err := url.Parse("http://localhost:8080/auth/callback?x=1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ location, want string }{
		{"/me", "http://localhost:8080/me"},
		{"me?y=\\", "http://localhost:8080/auth/me?y=\\"},
		{"https://evil.example/", "https://evil.example/"},
		{"//evil.example/", "http://evil.example/"},
		{`/\evil.example/`, "http://evil.example/"},
		{`\\evil.example/`, "http://evil.example/"},
		{"/\t/evil.example/", "http://evil.example/"},
		{"///evil.example/", "http://evil.example/"},
		{"https:evil.example", "https://evil.example"},
		{`https://evil.example\@localhost:8080/`, "https://evil.example/@localhost:8080/"},
		{"http:me", "http://localhost:8080/auth/me"}, // of the same scheme: a path
		{`/./\evil.example/`, "http://localhost:8080//evil.example/"},
		{"javascript:alert(1)", "javascript:alert(1)"},
		{" /me#part", "http://localhost:8080/me"},
	} {
		got := resolve(base, tt.location).String()
		if got != tt.want {
			t.Errorf("%q leads to %s, want %s", tt.location, got, tt.want)
		}
	}
}

func TestEntropy(t *testing.T) {
	for _, tt := range []struct {
		text   string
		enough bool
	}{
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", true}, // base32 that happens to have no digit
		{"k5GgPqXvT2mYwZ0aB3cD4e", true},     // 16 bytes in base64url
		{"00112233445566778899aabbccddeeff", true},
		{"550e8400-e29b-41d4-a716-446655440000", true},
		{"00112233445566778899aabbccddeef", false},
		{"12345678901234567890123456789012", false},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"xyzzy", false},
		{"", false},
	} {
		if bits := entropy(tt.text); bits >= 128 != tt.enough {
			t.Errorf("%q: %.0f bits", tt.text, bits)
		}
	}
}

func TestLikeness(t *testing.T) {
	see := func(status int, path, text string) sight {
		s := sight{status: status, path: path, words: map[string]bool{}}
		for _, w := range wordsOf([]byte(text)) {
			s.words[w] = true
		}
		return s
	}
	stranger := see(200, "/", "<p>Bienvenue <a>Se connecter</a>")
	dupont := see(200, "/", "<p>Bienvenue Jean DUPONT <a>Quitter</a> 3f2a9c0d1e4b5a6978887766")
	petit := see(200, "/", "<p>Bienvenue Camille PETIT <a>Quitter</a> aa2a9c0d1e4b5a6978887700")
	again := see(200, "/", "<p>Bienvenue Jean DUPONT <a>Quitter</a> bb2a9c0d1e4b5a6978887711")
	l, err := learn([]sight{stranger}, dupont, again, petit)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		s       sight
		in      bool
		another bool
	}{
		{"the same person", again, true, false},
		{"somebody else", petit, true, true},
		{"a stranger", stranger, false, false},
		{"an error", see(200, "/", "La connexion a échoué. Se connecter"), false, false},
		{"another page", see(200, "/login", "Jean DUPONT Quitter"), false, false},
		{"another status", see(403, "/", "Jean DUPONT Quitter"), false, false},
		{"the mock", sight{}, false, false},
	} {
		if in := l.isIn(tt.s); in != tt.in {
			t.Errorf("%s: in %t", tt.name, in)
		}
		if another := l.another(tt.s); another != tt.another {
			t.Errorf("%s: another %t", tt.name, another)
		}
	}
	if _, err := learn([]sight{stranger}, stranger, stranger, stranger); err != errAlike {
		t.Errorf("a page that is the same to all: %v", err)
	}
	if _, err := learn([]sight{stranger}, sight{}, sight{}); err == nil {
		t.Error("a page that does not open passes")
	}
}

package check

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

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
		{" /me#part", "http://localhost:8080/me#part"},
	} {
		got := resolve(base, tt.location).String()
		if got != tt.want {
			t.Errorf("%q leads to %s, want %s", tt.location, got, tt.want)
		}
	}
}

func TestPagesThatGoOnByThemselves(t *testing.T) {
	for _, tt := range []struct{ header, body, want string }{
		{"0; url=/me", "", "/me"},
		{"0;URL='/me'", "", "/me"},
		{"", `<meta http-equiv="refresh" content="0;url='https://psc.example/?a=1&amp;b=2'">`, "https://psc.example/?a=1&b=2"},
		{"", `<meta content='1; url="/me"' http-equiv=Refresh>`, "/me"},
		{"", `<META HTTP-EQUIV="Refresh" CONTENT="0; URL=/me" />`, "/me"},
		{"", `<meta name="description" content="0;url=/no"><meta http-equiv="refresh" content="0;url=/me">`, "/me"},
		{"", `<meta http-equiv="refresh" content="5">`, ""}, // the same page anew
		{"", `<meta http-equiv="refresh" content="900;url=/session-over">`, ""},
		{"", `<meta http-equiv="refresh" data-content="0;url=/me">`, ""},
		{"", "<p>Bonjour", ""},
	} {
		header := http.Header{}
		if tt.header != "" {
			header.Set("Refresh", tt.header)
		}
		if got, _ := refreshed(header, []byte(tt.body)); got != tt.want {
			t.Errorf("%q %s goes to %q, want %q", tt.header, tt.body, got, tt.want)
		}
	}
}

func TestEntropy(t *testing.T) {
	for _, tt := range []struct {
		list   []string
		enough bool
	}{
		{[]string{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "BCDEFGHIJKLMNOPQRSTUVWXYZA"}, true}, // base32 that happens to have no digit
		{[]string{"k5GgPqXvT2mYwZ0aB3cD4e", "5GgPqXvT2mYwZ0aB3cD4ek"}, true},         // 16 bytes in base64url
		{[]string{"k5GgPqXvT2mYwZ0aB3cD4", "5GgPqXvT2mYwZ0aB3cD4k"}, true},           // nanoid
		{[]string{"0123456789abcdef0123456789abcdef", "123456789abcdef0123456789abcdef0"}, true},
		{[]string{"550e8400-e29b-41d4-a716-446655440000", "161f9511-f3ac-4fe5-bf27-557766551111"}, true}, // the one 4 is its version
		{[]string{"0123456789abcdef0123456789abc", "123456789abcdef0123456789abcd"}, false},
		{[]string{"12345678901234567890123456789012", "23456789012345678901234567890123"}, false},
		{[]string{strings.Repeat("a", 56), strings.Repeat("b", 56)}, false},
		{[]string{"carelink-login-request-number-00000001", "carelink-login-request-number-00000002", "carelink-login-request-number-00000010"}, false},
		{[]string{"k5GgPqXvT2mYwZ0aB3c", "5GgPqXvT2mYwZ0aB3ck"}, false},
		{[]string{"xyzzy", "zzyxy"}, false},
		{[]string{"", ""}, false},
	} {
		if bits := entropy(tt.list); bits >= enough != tt.enough {
			t.Errorf("%q: %.0f bits", tt.list, bits)
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

func TestWhoIsDownHasStoppedHoweverLongThatTook(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().String()
		if down { // and comes back
			l.Close()
			time.AfterFunc(50*time.Millisecond, func() {
				if l, err := net.Listen("tcp", at); err != nil {
					t.Error(err)
				} else {
					t.Cleanup(func() { l.Close() })
				}
			})
		} else {
			defer l.Close()
		}
		c := &checker{app: &url.URL{Scheme: "http", Host: at}, opt: Options{Parallel: 4}, silence: 2 * time.Second, measured: true}
		closed := func(time.Duration) bool { return true }
		if got := c.crashes(t.Context(), closed, time.Now().Add(-time.Hour), 0); got != down || c.dead {
			t.Errorf("down: %t: stopped: %t, for good: %t", down, got, c.dead)
		}
	}
}

package auth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/auth"
)

// browserOrigin resolves target as a browser does (WHATWG URL): leading and
// trailing controls and blanks go, tabs and line ends go everywhere, "\" is "/",
// and two slashes begin a host. It returns the origin that target leads to from
// https://app.example/auth/callback.
func browserOrigin(target string) string {
	target = strings.TrimFunc(target, func(r rune) bool { return r <= ' ' })
	target = strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(target)
	if scheme, _, found := strings.Cut(target, ":"); found && !strings.ContainsAny(scheme, "/?#") {
		return strings.ToLower(scheme) + ":"
	}
	if rest, found := strings.CutPrefix(target, "//"); found {
		host := strings.TrimLeft(rest, "/")
		if i := strings.IndexAny(host, "/?#"); i >= 0 {
			host = host[:i]
		}
		return "https://" + host
	}
	return "https://app.example"
}

func TestALongReturnPathIsTheSameBothWays(t *testing.T) {
	for _, tt := range []struct {
		name, target, want string
	}{
		{"as long as may be", "/" + strings.Repeat("a", 2047), "/" + strings.Repeat("a", 2047)},
		{"a byte longer", "/" + strings.Repeat("a", 2048), "/"},
		{"as long as may be once escaped", "/a" + strings.Repeat(">", 682), "/a" + strings.Repeat("%3E", 682)},
		{"too long once escaped", "/aaa" + strings.Repeat(">", 682), "/"},
	} {
		got := auth.SafeReturn(tt.target)
		if again := auth.SafeReturn(got); got != tt.want || again != got {
			t.Errorf("%s: got %d bytes, then %d, want %d", tt.name, len(got), len(again), len(tt.want))
		}
	}
}

func FuzzReturnTo(f *testing.F) {
	for _, s := range []string{
		"/", "/patients?q=1#x", "//evil.com", "/\\evil.com", "/\t/evil.com", "/./\\evil", "/x/..//evil.com", "/%2f/evil.com", "/%5cevil.com",
		"*", "/" + strings.Repeat(">", 2000), "https:evil.com", "javascript:alert(1)", "/a%0d%0aSet-Cookie:x", "/é", "/a?//evil.com", "/a#//evil.com", "/;@evil.com", "/.%2e//evil.com",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got := auth.SafeReturn(target)
		if origin := browserOrigin(got); origin != "https://app.example" || !strings.HasPrefix(got, "/") {
			t.Errorf("%q became %q, which leads to %s", target, got, origin)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q became %q: not fit for a header", target, got)
		}
		if again := auth.SafeReturn(got); again != got {
			t.Errorf("%q became %q, and that became %q", target, got, again)
		}
		if u, err := url.Parse(got); err != nil || u.Host != "" || u.Scheme != "" {
			t.Errorf("%q became %q: %v", target, got, err)
		}
	})
}

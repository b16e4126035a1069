package providers

import (
	"bytes"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// staysHere returns a check of where a browser is led that follows a return path
// of ours, read as the WHATWG's standard says that browsers read it.
func staysHere(tb testing.TB) func(t testing.TB, target string) {
	rp, err := auth.New(auth.Config{
		Provider: psc.Sandbox, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: "https://app.example/auth/callback",
		Secrets: [][]byte{bytes.Repeat([]byte("0123456789abcdef"), 2)}, Users: users{},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return func(t testing.TB, target string) {
		t.Helper()
		login, err := url.Parse(rp.LoginURL(target))
		if err != nil {
			t.Fatal(err)
		}
		to := login.Query().Get("return_to")
		u, err := whatwg.ParseRef("https://app.example/auth/callback?code=c", to)
		switch {
		case err != nil:
			t.Errorf("%q becomes %q, which is no address: %v", target, to, err)
		case u.Protocol() != "https:" || u.Host() != "app.example" || u.Username() != "":
			t.Errorf("%q becomes %q, which leads to %s", target, to, u.Href(false))
		case u.Pathname() == "" || strings.HasPrefix(u.Pathname(), "//"):
			t.Errorf("%q becomes %q, whose path is %s", target, to, u.Pathname())
		}
		if again, err := url.Parse(rp.LoginURL(to)); err != nil || again.Query().Get("return_to") != to {
			t.Errorf("%q becomes %q, and that becomes another", target, to)
		}
	}
}

// What readers of addresses disagree about.
var pieces = []string{
	"/", "//", "\\", "\t", "\n", "\r", " ", ".", "..", "/.", "/..", "%2e", "%2F", "%5c", "%09", "%00", "%", "@", ":", ";", "?", "#", "&", "=",
	"evil.example", "app.example", "http:", "https:", "javascript:", "data:", "www", "a", "é", "\u3002", "\uff0f", "\u2044", "\u00ad", "[::1]", "0x7f", "\x00", "\x7f", "\ufeff", "*", "|", "C:", "^",
}

// Whatever is asked for, nobody is led away.
func TestNoReturnPathLeadsAway(t *testing.T) {
	check := staysHere(t)
	random := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		var target strings.Builder
		if random.IntN(4) > 0 {
			target.WriteByte('/')
		}
		for range random.IntN(9) {
			target.WriteString(pieces[random.IntN(len(pieces))])
		}
		check(t, target.String())
	}
}

func FuzzReturnPath(f *testing.F) {
	for _, piece := range pieces {
		f.Add("/" + piece + "/evil.example")
	}
	check := staysHere(f)
	f.Fuzz(func(t *testing.T, target string) { check(t, target) })
}

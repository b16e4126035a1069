package mockpsc_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestLogout(t *testing.T) {
	type fixture struct {
		rp  *relyingParty
		now *clock
		c   *http.Client
		tok tokens
		end string
	}
	setup := func(t *testing.T) fixture {
		mock, now := newMockWithClock(t)
		rp := newRelyingParty(t, mock)
		c, tok := rp.signIn(t, "dr-dupont")
		return fixture{rp, now, c, tok, mock.URL + issuerPath + "/protocol/openid-connect/logout"}
	}
	asks := func(t *testing.T, f fixture) bool {
		t.Helper()
		_, page := get(t, f.c, f.rp.authURL(nil))
		return strings.Contains(page, "Connectez-vous")
	}
	query := func(f fixture, pairs ...string) string {
		q := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return f.end + "?" + q.Encode()
	}

	t.Run("with a hint it comes back with state, and the next sign-in asks who", func(t *testing.T) {
		f := setup(t)
		if asks(t, f) {
			t.Fatal("no session to begin with")
		}
		_, page := get(t, f.c, query(f, "id_token_hint", f.tok.IDToken, "post_logout_redirect_uri", f.rp.URL+"/bye", "state", "s 1"))
		if page != "bye state=s+1" || !asks(t, f) {
			t.Errorf("came to %q", page)
		}
		if status, _ := f.rp.userinfo(t, f.tok.AccessToken); status != 401 {
			t.Errorf("userinfo after the sign-out: %d, want 401", status)
		}
	})
	t.Run("a hint that expired hours ago still serves", func(t *testing.T) {
		f := setup(t)
		f.now.advance(3 * time.Hour)
		if _, page := get(t, f.c, query(f, "id_token_hint", f.tok.IDToken, "post_logout_redirect_uri", f.rp.URL+"/bye")); page != "bye " {
			t.Errorf("came to %.300q", page)
		}
	})
	t.Run("without a return address the session is closed here", func(t *testing.T) {
		f := setup(t)
		if resp, page := get(t, f.c, query(f, "id_token_hint", f.tok.IDToken)); resp.StatusCode != 200 || !strings.Contains(page, "Session fermée") || !asks(t, f) {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	t.Run("a server may post the hint without a cookie", func(t *testing.T) {
		f := setup(t)
		if resp, _ := submit(t, http.DefaultClient, f.end, "id_token_hint", f.tok.IDToken); resp.StatusCode != 200 || !asks(t, f) {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	t.Run("an undeclared return address closes the session and leads nowhere", func(t *testing.T) {
		f := setup(t)
		resp, page := get(t, stay(f.c), query(f, "id_token_hint", f.tok.IDToken, "post_logout_redirect_uri", "https://evil.example/"))
		if resp.StatusCode != 400 || resp.Header.Get("Location") != "" || !strings.Contains(page, "est pas déclarée. Votre session est fermée.") || !strings.Contains(page, "https://evil.example/") {
			t.Errorf("got %d", resp.StatusCode)
		}
		if !asks(t, f) {
			t.Error("the session lives")
		}
	})
	for _, tt := range []struct {
		name string
		hint func(f fixture) string
	}{
		{"nonsense", func(fixture) string { return "x" }},
		{"a token with a changed claim", func(f fixture) string {
			p := strings.Split(f.tok.IDToken, ".")
			return p[0] + "." + p[1][:len(p[1])-4] + "AAAA" + "." + p[2]
		}},
		{"an access token", func(f fixture) string { return f.tok.AccessToken }},
		{"an unsigned token", func(f fixture) string { _, tok := f.rp.signIn(t, "dr-dupont", "alg-none"); return tok.IDToken }},
		{"a token of a foreign key", func(f fixture) string { _, tok := f.rp.signIn(t, "dr-dupont", "unknown-key"); return tok.IDToken }},
	} {
		t.Run("a hint is refused, and the session lives on: "+tt.name, func(t *testing.T) {
			f := setup(t)
			resp, _ := get(t, stay(f.c), query(f, "id_token_hint", tt.hint(f), "post_logout_redirect_uri", f.rp.URL+"/bye"))
			if resp.StatusCode != 400 || asks(t, f) {
				t.Errorf("got %d", resp.StatusCode)
			}
		})
	}
	t.Run("without a hint it asks, and a stranger's form does not answer", func(t *testing.T) {
		f := setup(t)
		resp, page := get(t, f.c, query(f, "client_id", "carelink", "post_logout_redirect_uri", f.rp.URL+"/bye", "state", "s"))
		if resp.StatusCode != 200 || !strings.Contains(page, "Se déconnecter de Pro Santé Connect") {
			t.Fatalf("got %d", resp.StatusCode)
		}
		if !strings.Contains(page, `<form method="post" action="logout">`) {
			t.Error("the form repeats the parameters of the address")
		}
		if submit(t, f.c, f.end, "confirm", "guess"); asks(t, f) {
			t.Fatal("a guess closed the session")
		}
		confirm := confirmIn(t, page)
		if _, page := submit(t, f.c, f.end, "confirm", confirm, "client_id", "carelink", "post_logout_redirect_uri", f.rp.URL+"/bye", "state", "s"); page != "bye state=s" || !asks(t, f) {
			t.Errorf("came to %.300q", page)
		}
	})
	t.Run("declared addresses are compared exactly", func(t *testing.T) {
		mock := mockpsc.NewServer(t)
		rp := newRelyingParty(t, mock)
		mock.Clients = []mockpsc.Client{{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{rp.redirectURI()}, PostLogoutURIs: []string{rp.URL + "/bye"}}}
		_, tok := rp.signIn(t, "dr-dupont")
		f := fixture{rp: rp, tok: tok, end: mock.URL + issuerPath + "/protocol/openid-connect/logout"}
		for uri, want := range map[string]int{rp.URL + "/bye": 303, rp.URL + "/bye/": 400, rp.URL + "/bye?x=1": 400} {
			if resp, _ := get(t, stay(newBrowser(t)), query(f, "id_token_hint", tok.IDToken, "post_logout_redirect_uri", uri)); resp.StatusCode != want {
				t.Errorf("%s: got %d, want %d", uri, resp.StatusCode, want)
			}
		}
	})
}

// confirmIn is the value by which a sign-out is confirmed.
func confirmIn(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`name="confirm" value="([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("the page does not ask: %.300q", page)
	}
	return found[1]
}

package mockpsc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

// newMockWithWallet is a mock on two hosts: 127.0.0.1 for the realm, localhost
// for the pages.
func newMockWithWallet(t *testing.T) (*relyingParty, string) {
	mock := mockpsc.NewServer(t)
	mock.Issuer = mock.URL + issuerPath
	mock.WalletURL = strings.Replace(mock.URL, "127.0.0.1", "localhost", 1)
	rp := newRelyingParty(t, mock)
	rp.pages = mock.WalletURL
	return rp, mock.WalletURL
}

func TestWalletOnItsOwnHost(t *testing.T) {
	rp, wallet := newMockWithWallet(t)
	issuer := rp.mock.Issuer

	t.Run("the metadata name both hosts", func(t *testing.T) {
		_, text := get(t, http.DefaultClient, issuer+"/.well-known/wallet-openid-configuration")
		for _, want := range []string{`"issuer":"` + issuer + `"`, `"authorization_endpoint":"` + wallet + `/auth"`, `"token_endpoint":"` + issuer + `/`} {
			if !strings.Contains(text, want) {
				t.Errorf("lacks %s", want)
			}
		}
		if n := strings.Count(text, wallet); n != 1 {
			t.Errorf("the wallet is named %d times, want once", n)
		}
	})
	t.Run("a sign-in passes both", func(t *testing.T) {
		c, tok := rp.signIn(t, "dr-dupont")
		if claims, err := rp.verify(t, tok.IDToken); err != nil || claims["iss"] != issuer {
			t.Errorf("iss %v, %v", claims["iss"], err)
		}
		if rp.lastCallback().Get("iss") != issuer {
			t.Errorf("the answer is %v", rp.lastCallback())
		}
		if _, page := get(t, c, rp.authURL(nil)); page != "back" {
			t.Errorf("the wallet forgot who is signed in: %.200q", page)
		}
	})
	t.Run("the stock authorization endpoint leads to the wallet", func(t *testing.T) {
		stock := strings.Replace(rp.authURL(nil), wallet+"/auth", issuer+"/protocol/openid-connect/auth", 1)
		resp, page := get(t, newBrowser(t), stock)
		if resp.Request.URL.Host != strings.TrimPrefix(wallet, "http://") || !strings.Contains(page, "Connectez-vous") {
			t.Errorf("came to %s: %.200q", resp.Request.URL, page)
		}
	})
	t.Run("each host knows its own paths only", func(t *testing.T) {
		for _, tt := range []struct{ address, says string }{
			{wallet + issuerPath + "/.well-known/wallet-openid-configuration", "the issuer is " + issuer},
			{wallet + issuerPath + "/protocol/openid-connect/certs", "the issuer is " + issuer},
			{rp.mock.URL + "/auth?client_id=carelink", "it is at " + wallet + "/auth"},
			{rp.mock.URL + "/auth/wait", "it is at " + wallet + "/auth"},
		} {
			if resp, text := get(t, http.DefaultClient, tt.address); resp.StatusCode != http.StatusNotFound || !strings.Contains(text, tt.says) {
				t.Errorf("%s: got %d %s", tt.address, resp.StatusCode, text)
			}
		}
	})
	t.Run("a sign-out without a hint asks where the browser is known", func(t *testing.T) {
		c, _ := rp.signIn(t, "dr-dupont")
		resp, page := get(t, c, issuer+"/protocol/openid-connect/logout?client_id=carelink&post_logout_redirect_uri="+url.QueryEscape(rp.URL+"/bye"))
		if !strings.Contains(page, "Se déconnecter de Pro Santé Connect") {
			t.Fatalf("came to %s: %.200q", resp.Request.URL, page)
		}
		form := url.Values{"confirm": {confirmIn(t, page)}, "client_id": {"carelink"}, "post_logout_redirect_uri": {rp.URL + "/bye"}}
		resp, err := c.PostForm(wallet+issuerPath+"/protocol/openid-connect/logout", form)
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, resp); text != "bye " {
			t.Errorf("came to %s: %.200q", resp.Request.URL, text)
		}
		if _, page := get(t, c, rp.authURL(nil)); !strings.Contains(page, "Connectez-vous") {
			t.Error("still signed in")
		}
	})
	t.Run("a sign-out with a hint needs no cookie", func(t *testing.T) {
		c, tok := rp.signIn(t, "dr-dupont")
		if resp, _ := submit(t, http.DefaultClient, issuer+"/protocol/openid-connect/logout", "id_token_hint", tok.IDToken); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
		if _, page := get(t, c, rp.authURL(nil)); !strings.Contains(page, "Connectez-vous") {
			t.Error("still signed in")
		}
	})
}

func TestForwardedHeadersCountOnlyIfTrusted(t *testing.T) {
	ask := func(trust bool, proto, host string) (int, string) {
		mock := mockpsc.NewServer(t)
		mock.TrustForwarded = trust
		req, err := http.NewRequest("GET", mock.URL+issuerPath+"/.well-known/wallet-openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-Proto", proto)
		req.Header.Set("X-Forwarded-Host", host)
		req.Header.Set("Forwarded", "proto=https;host=elsewhere.example")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.ReplaceAll(body(t, resp), mock.URL, "{itself}")
	}
	for _, tt := range []struct {
		name        string
		trust       bool
		proto, host string
		status      int
		want        string
	}{
		{"by default they are ignored", false, "https", "psc.test.example", 200, `"issuer":"{itself}/auth`},
		{"a trusted proxy names the address", true, "https", "psc.test.example", 200, `"issuer":"https://psc.test.example/auth`},
		{"a trusted proxy may name a port", true, "http", "psc.test.example:8443", 200, `"issuer":"http://psc.test.example:8443/auth`},
		{"the real service's name is refused all the same", true, "https", "auth.esw.esante.gouv.fr", 500, "never be mistaken"},
		{"two hosts are none", true, "https", "a.example, b.example", 500, "X-Forwarded-Host"},
		{"a path is no host", true, "https", "a.example/x", 500, "X-Forwarded-Host"},
		{"another scheme is refused", true, "ftp", "a.example", 500, "http or https"},
		{"half of the answer is none", true, "", "a.example", 500, "must set X-Forwarded-Proto"},
	} {
		status, text := ask(tt.trust, tt.proto, tt.host)
		if status != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s: got %d %.200s", tt.name, status, text)
		}
	}
}

func TestCheckNamesBadAddresses(t *testing.T) {
	const issuer = "http://127.0.0.1:9090" + issuerPath
	for _, tt := range []struct {
		name string
		s    *mockpsc.Server
		want string
	}{
		{"a wallet without an issuer", &mockpsc.Server{WalletURL: "http://localhost:9090"}, "WalletURL needs an Issuer"},
		{"a wallet with a path", &mockpsc.Server{Issuer: issuer, WalletURL: "http://localhost:9090/"}, "nothing else"},
		{"a wallet of another scheme", &mockpsc.Server{Issuer: issuer, WalletURL: "https://localhost:9090"}, "scheme of the Issuer"},
		{"a wallet of the real service", &mockpsc.Server{Issuer: issuer, WalletURL: "http://wallet.esw.esante.gouv.fr"}, "never be mistaken"},
		{"a wallet on the issuer's host", &mockpsc.Server{Issuer: issuer, WalletURL: "http://127.0.0.1:9090"}, "one host"},
		{"an issuer and a proxy to say it", &mockpsc.Server{Issuer: issuer, TrustForwarded: true}, "exclude each other"},
	} {
		if err := tt.s.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	s := &mockpsc.Server{Issuer: issuer, WalletURL: "http://localhost:9090"}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// Package clients judges the mock by OpenID Connect clients that are not ours.
// It is a module of its own, so that nobody who imports the mock inherits them.
package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	cap "github.com/hashicorp/cap/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/pscauth/pscauth/mockpsc"
)

const issuerPath = "/auth/realms/esante-wallet"

// A client is a foreign library as its manual says to use it.
type client struct {
	// authURL begins a sign-in.
	authURL func(state, nonce, verifier string) string
	// finish exchanges the code, checks the ID token and reads userinfo; it
	// returns the national identifier that both agree on.
	finish func(ctx context.Context, code, nonce, verifier string) (string, error)
}

// A party is how an application is known to the mock, and how it reaches it.
type party struct {
	issuer, redirectURI string
	id, secret          string
	http                *http.Client
}

// bySecret is the mock's default client.
func bySecret(mock *mockpsc.Server) party {
	return party{issuer: mock.URL + issuerPath, id: "carelink", secret: "carelink-secret", http: http.DefaultClient}
}

// app is an application around a client, for one person at a time. declare, if
// not nil, tells the mock the redirect URI before anybody asks it for anything.
func app(t *testing.T, p party, make func(*testing.T, party) client, declare func(redirectURI string)) *httptest.Server {
	const state, nonce = "state-of-the-test", "nonce-of-the-test"
	verifier := oauth2.GenerateVerifier()
	var c client
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, c.authURL(state, nonce, verifier), http.StatusFound)
	})
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		who, err := "", error(nil)
		switch q := r.URL.Query(); {
		case q.Get("state") != state:
			err = errors.New("state")
		case q.Get("error") != "":
			err = errors.New(q.Get("error"))
		default:
			who, err = c.finish(r.Context(), q.Get("code"), nonce, verifier)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprint(w, who)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.redirectURI = srv.URL + "/callback"
	if declare != nil {
		declare(p.redirectURI)
	}
	c = make(t, p)
	return srv
}

// goOIDC is coreos/go-oidc with golang.org/x/oauth2. The library leaves the
// nonce, at_hash and userinfo's sub to its user.
func goOIDC(t *testing.T, p party) client {
	t.Helper()
	ctx := oidc.ClientContext(context.Background(), p.http)
	resp, err := p.http.Get(p.issuer + "/.well-known/wallet-openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var cfg oidc.ProviderConfig
	if err := json.NewDecoder(resp.Body).Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	provider := cfg.NewProvider(ctx)
	verifier := provider.Verifier(&oidc.Config{ClientID: p.id})
	conf := oauth2.Config{
		ClientID: p.id, ClientSecret: p.secret, Endpoint: provider.Endpoint(),
		RedirectURL: p.redirectURI, Scopes: []string{oidc.ScopeOpenID, "scope_all"},
	}
	if p.secret == "" { // with a certificate the client_id is in the form (RFC 8705, section 2)
		conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return client{
		authURL: func(state, nonce, verifier string) string {
			return conf.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("acr_values", "eidas1"))
		},
		finish: func(ctx context.Context, code, nonce, pkce string) (string, error) {
			ctx = oidc.ClientContext(ctx, p.http)
			tok, err := conf.Exchange(ctx, code, oauth2.VerifierOption(pkce))
			if err != nil {
				return "", err
			}
			raw, ok := tok.Extra("id_token").(string)
			if !ok {
				return "", errors.New("no id_token")
			}
			idToken, err := verifier.Verify(ctx, raw)
			if err != nil {
				return "", err
			}
			if idToken.Nonce != nonce {
				return "", errors.New("nonce")
			}
			if err := idToken.VerifyAccessToken(tok.AccessToken); err != nil {
				return "", err
			}
			info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tok))
			if err != nil {
				return "", err
			}
			if info.Subject != idToken.Subject {
				return "", errors.New("sub of userinfo")
			}
			var a, b struct{ SubjectNameID string }
			if err := errors.Join(idToken.Claims(&a), info.Claims(&b)); err != nil || a != b {
				return "", fmt.Errorf("SubjectNameID: %q and %q: %w", a.SubjectNameID, b.SubjectNameID, err)
			}
			return a.SubjectNameID, nil
		},
	}
}

// zitadelRP is zitadel/oidc's relying party with PSC's discovery document.
func zitadelRP(t *testing.T, p party) client {
	t.Helper()
	type nonceKey struct{}
	style := oauth2.AuthStyleAutoDetect
	if p.secret == "" {
		style = oauth2.AuthStyleInParams
	}
	party, err := rp.NewRelyingPartyOIDC(context.Background(), p.issuer, p.id, p.secret, p.redirectURI,
		[]string{"openid", "scope_all"},
		rp.WithHTTPClient(p.http), rp.WithAuthStyle(style),
		rp.WithCustomDiscoveryUrl(p.issuer+"/.well-known/wallet-openid-configuration"),
		rp.WithVerifierOpts(rp.WithNonce(func(ctx context.Context) string { nonce, _ := ctx.Value(nonceKey{}).(string); return nonce })),
	)
	if err != nil {
		t.Fatal(err)
	}
	return client{
		authURL: func(state, nonce, verifier string) string {
			return rp.AuthURL(state, party, rp.WithCodeChallenge(oauth2.S256ChallengeFromVerifier(verifier)),
				func() []oauth2.AuthCodeOption {
					return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("nonce", nonce), oauth2.SetAuthURLParam("acr_values", "eidas1")}
				})
		},
		finish: func(ctx context.Context, code, nonce, verifier string) (string, error) {
			ctx = context.WithValue(ctx, nonceKey{}, nonce)
			tok, err := rp.CodeExchange[*zitadel.IDTokenClaims](ctx, code, party, rp.WithCodeVerifier(verifier))
			if err != nil {
				return "", err
			}
			info, err := rp.Userinfo[*zitadel.UserInfo](ctx, tok.AccessToken, tok.TokenType, tok.IDTokenClaims.GetSubject(), party)
			if err != nil {
				return "", err
			}
			a, b := tok.IDTokenClaims.Claims["SubjectNameID"], info.Claims["SubjectNameID"]
			if a != b || a == nil {
				return "", fmt.Errorf("SubjectNameID: %v and %v", a, b)
			}
			return a.(string), nil
		},
	}
}

// capOIDC is hashicorp/cap. PSC's sign-in page is not in the standard discovery
// document, so its endpoints are given one by one.
func capOIDC(t *testing.T, p party) client {
	t.Helper()
	resp, err := p.http.Get(p.issuer + "/.well-known/wallet-openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		Auth     string `json:"authorization_endpoint"`
		Token    string `json:"token_endpoint"`
		UserInfo string `json:"userinfo_endpoint"`
		Keys     string `json:"jwks_uri"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	transport := p.http.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	conf, err := cap.NewConfig(p.issuer, p.id, cap.ClientSecret(p.secret), []cap.Alg{cap.RS256}, []string{p.redirectURI},
		cap.WithRoundTripper(transport),
		cap.WithAudiences(p.id), // without it cap takes a token that is meant for another client
		cap.WithProviderConfig(&cap.ProviderConfig{AuthURL: doc.Auth, TokenURL: doc.Token, UserInfoURL: doc.UserInfo, JWKSURL: doc.Keys}))
	if err != nil {
		t.Fatal(err)
	}
	provider, err := cap.NewProvider(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Done)
	request := func(state, nonce, verifier string) *cap.Req {
		pkce, err := cap.NewCodeVerifier(cap.WithVerifier(verifier))
		if err != nil {
			t.Fatal(err)
		}
		req, err := cap.NewRequest(time.Minute, p.redirectURI, cap.WithState(state), cap.WithNonce(nonce), cap.WithPKCE(pkce),
			cap.WithScopes("openid", "scope_all"), cap.WithACRValues("eidas1"))
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	const state = "state-of-the-test" // of app
	return client{
		authURL: func(state, nonce, verifier string) string {
			u, err := provider.AuthURL(context.Background(), request(state, nonce, verifier))
			if err != nil {
				t.Fatal(err)
			}
			return u
		},
		finish: func(ctx context.Context, code, nonce, verifier string) (string, error) {
			tok, err := provider.Exchange(ctx, request(state, nonce, verifier), state, code)
			if err != nil {
				return "", err
			}
			var a, b struct {
				Sub           string `json:"sub"`
				SubjectNameID string
			}
			if err := tok.IDToken().Claims(&a); err != nil {
				return "", err
			}
			if err := provider.UserInfo(ctx, tok.StaticTokenSource(), a.Sub, &b); err != nil {
				return "", err
			}
			if a.SubjectNameID != b.SubjectNameID {
				return "", errors.New("SubjectNameID")
			}
			return a.SubjectNameID, nil
		},
	}
}

var libraries = []struct {
	name string
	make func(*testing.T, party) client
	// passes are the faults that the library lets pass when it is used as above.
	passes []string
}{
	{"coreos/go-oidc", goOIDC, []string{"wrong-iss-parameter", "weak-acr", "folded-sub"}},
	{"zitadel/oidc", zitadelRP, []string{"wrong-iss-parameter", "weak-acr", "folded-sub"}},
	{"hashicorp/cap", capOIDC, []string{"wrong-iss-parameter", "weak-acr", "folded-sub"}},
}

func signIn(t *testing.T, mock *mockpsc.Server, app *httptest.Server, persona string, faults ...string) (int, string) {
	t.Helper()
	return text(t)(mock.SignIn(new(http.Client), app.URL+"/login", persona, faults...))
}

// text reads an answer.
func text(t *testing.T) func(*http.Response, error) (int, string) {
	return func(resp *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.TrimSpace(string(body))
	}
}

func TestForeignClientsSignIn(t *testing.T) {
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			app := app(t, bySecret(mock), lib.make, nil)
			for _, p := range mockpsc.Personas() {
				for means, m := range map[string]mockpsc.Means{"ecps": p.ECPS, "card": p.Card} {
					if !m.Works() {
						continue
					}
					if status, who := signIn(t, mock, app, p.ID+"/"+means); status != http.StatusOK || who != p.NationalID {
						t.Errorf("%s by %s: got %d %q, want %q", p.ID, means, status, who, p.NationalID)
					}
				}
			}
		})
	}
}

func TestForeignClientsSignInByDelegation(t *testing.T) {
	attempt := regexp.MustCompile(`name="attempt" value="([^"]+)"`)
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			mock.Delegation = true
			app := app(t, bySecret(mock), lib.make, nil)
			for _, p := range mockpsc.Personas()[:2] { // one of each layout of userinfo
				jar, err := cookiejar.New(nil)
				if err != nil {
					t.Fatal(err)
				}
				browser := &http.Client{Jar: jar}
				_, page := text(t)(browser.Get(app.URL + "/login"))
				found := attempt.FindStringSubmatch(page)
				if found == nil {
					t.Fatalf("no sign-in page: %.300s", page)
				}
				text(t)(browser.PostForm(mock.URL+"/auth/delegation", url.Values{"attempt": {found[1]}, "account": {p.ID}}))
				status, who := text(t)(browser.PostForm(mock.URL+"/auth/confirm", url.Values{"attempt": {found[1]}, "answer": {"yes"}}))
				if status != http.StatusOK || who != p.NationalID {
					t.Errorf("%s: got %d %q, want %q", p.ID, status, who, p.NationalID)
				}
			}
		})
	}
}

func TestForeignClientsSignInWithACertificate(t *testing.T) {
	for _, bound := range []bool{false, true} {
		for _, lib := range libraries {
			t.Run(fmt.Sprintf("%s, bound %t", lib.name, bound), func(t *testing.T) {
				mock := mockpsc.NewTLSServer(t)
				p := party{issuer: mock.URL + issuerPath, id: "agenda", http: mock.HTTPClient(mock.ClientCertificate("agenda"))}
				app := app(t, p, lib.make, func(redirectURI string) {
					mock.Clients = []mockpsc.Client{{ID: "agenda", TLSClientAuth: true, CertificateBoundTokens: bound, RedirectURIs: []string{redirectURI}}}
				})
				for _, persona := range mockpsc.Personas()[:2] {
					for _, means := range []string{"/ecps", "/card"} {
						status, who := text(t)(mock.SignIn(mock.HTTPClient(), app.URL+"/login", persona.ID+means))
						if status != http.StatusOK || who != persona.NationalID {
							t.Errorf("%s%s: got %d %q, want %q", persona.ID, means, status, who, persona.NationalID)
						}
					}
				}
			})
		}
	}
}

func TestForeignClientsRefuseFaults(t *testing.T) {
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			app := app(t, bySecret(mock), lib.make, nil)
			if status, who := signIn(t, mock, app, "dr-dupont"); status != http.StatusOK {
				t.Fatalf("the truth is refused: %s", who)
			}
			for _, f := range mockpsc.Faults() {
				status, text := signIn(t, mock, app, "dr-dupont", f.Name)
				refused := status != http.StatusOK
				if refused == slices.Contains(lib.passes, f.Name) {
					t.Errorf("%s (%s): refused %t: %s", f.Name, f.Summary, refused, text)
				}
			}
		})
	}
}

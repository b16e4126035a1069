// Package clients judges the mock by OpenID Connect clients that are not ours, and
// says which of them refuse which of its faults. It is a module of its own, so
// that nobody who imports the mock inherits them.
//
// The table of faults and clients is testdata/matrix.txt. The tests here hold the
// libraries written in Go to it, and .ci/clients/run the other clients; with
// -write that script writes the table anew, and docs/what-clients-catch.md.
package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
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
	authURL func(state, nonce, verifier string) (string, error)
	// finish exchanges the code, checks the ID token and reads userinfo.
	finish func(ctx context.Context, code, nonce, verifier string) (identity, error)
	// toldOfLogout checks a logout token; nil if the library reads none.
	toldOfLogout func(ctx context.Context, logoutToken string) error
	done         func() // nil if nothing is left to stop
}

// An identity is who somebody is, by each source. It is taken as it comes: what
// the application itself would check of it is not the library's merit.
type identity struct {
	idToken, userinfo any
	hint              string // the ID token, to sign out with; where it is needed
}

func (i identity) String() string {
	if i.idToken == i.userinfo {
		return fmt.Sprint(i.idToken)
	}
	return fmt.Sprintf("%v in the ID token, %v in userinfo", i.idToken, i.userinfo)
}

// A party is how an application is known to the mock, and how it reaches it.
type party struct {
	issuer, redirectURI string
	authURL             string // of PSC's sign-in page, given by hand; "" is what the metadata say
	id, secret          string
	http                *http.Client
}

// bySecret is the mock's default client, set as for the real service: its sign-in
// page is not that of the standard discovery document.
func bySecret(mock *mockpsc.Server) party {
	return party{issuer: mock.URL + issuerPath, authURL: mock.URL + "/auth", id: "carelink", secret: "carelink-secret", http: http.DefaultClient}
}

// app is an application around a client, for one person at a time. It answers
// 403 where it refuses. declare, if not nil, tells the mock the redirect URI
// before anybody asks it for anything. What a logout token was worth is sent to
// told. What app returns stops it.
func app(p party, make func(party) (client, error), declare func(redirectURI string), told chan<- error) (url string, stop func()) {
	const nonce = "nonce-of-the-test"
	verifier := oauth2.GenerateVerifier()
	var c client
	refuse := func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusForbidden) }
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if c.authURL == nil {
			var err error
			if c, err = make(p); err != nil {
				refuse(w, err)
				return
			}
		}
		address, err := c.authURL(state, nonce, verifier)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Location", address) // as it is: http.Redirect would mend it
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		var who identity
		var err error
		switch q := r.URL.Query(); {
		case q.Get("state") != state:
			err = errors.New("state")
		case q.Get("error") != "":
			err = errors.New(q.Get("error"))
		default:
			who, err = c.finish(r.Context(), q.Get("code"), nonce, verifier)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("X-Hint", who.hint)
		fmt.Fprint(w, who)
	})
	mux.HandleFunc("POST /backchannel", func(w http.ResponseWriter, r *http.Request) {
		err := c.toldOfLogout(r.Context(), r.PostFormValue("logout_token"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		told <- err
	})
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // where a library panics, the browser sees it
	srv.Start()
	p.redirectURI = srv.URL + "/callback"
	if declare != nil {
		declare(p.redirectURI)
	}
	return srv.URL, func() {
		srv.Close()
		if c.done != nil {
			c.done()
		}
	}
}

const state = "state-of-the-test"

// goOIDC is coreos/go-oidc with golang.org/x/oauth2. The library leaves the
// nonce, at_hash and userinfo's sub to its user.
func goOIDC(p party) (client, error) {
	ctx := oidc.ClientContext(context.Background(), p.http)
	provider, err := oidc.NewProvider(ctx, p.issuer)
	if err != nil {
		return client{}, err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: p.id})
	conf := oauth2.Config{
		ClientID: p.id, ClientSecret: p.secret, Endpoint: provider.Endpoint(),
		RedirectURL: p.redirectURI, Scopes: []string{oidc.ScopeOpenID, "scope_all"},
	}
	if p.authURL != "" {
		conf.Endpoint.AuthURL = p.authURL
	}
	if p.secret == "" { // with a certificate the client_id is in the form (RFC 8705, section 2)
		conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return client{
		authURL: func(state, nonce, verifier string) (string, error) {
			return conf.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("acr_values", "eidas1")), nil
		},
		finish: func(ctx context.Context, code, nonce, pkce string) (who identity, err error) {
			ctx = oidc.ClientContext(ctx, p.http)
			tok, err := conf.Exchange(ctx, code, oauth2.VerifierOption(pkce))
			if err != nil {
				return who, err
			}
			raw, ok := tok.Extra("id_token").(string)
			if !ok {
				return who, errors.New("no id_token")
			}
			idToken, err := verifier.Verify(ctx, raw)
			if err != nil {
				return who, err
			}
			if idToken.Nonce != nonce {
				return who, errors.New("nonce")
			}
			if err := idToken.VerifyAccessToken(tok.AccessToken); err != nil {
				return who, err
			}
			info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tok))
			if err != nil {
				return who, err
			}
			if info.Subject != idToken.Subject {
				return who, errors.New("sub of userinfo")
			}
			var a, b map[string]any
			if err := errors.Join(idToken.Claims(&a), info.Claims(&b)); err != nil {
				return who, err
			}
			return identity{a["SubjectNameID"], b["SubjectNameID"], raw}, nil
		},
		toldOfLogout: func(ctx context.Context, logoutToken string) error {
			_, err := verifier.VerifyLogout(ctx, logoutToken)
			return err
		},
	}, nil
}

// zitadelRP is zitadel/oidc's relying party with PSC's discovery document.
func zitadelRP(p party) (client, error) {
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
		return client{}, err
	}
	return client{
		authURL: func(state, nonce, verifier string) (string, error) {
			return rp.AuthURL(state, party, rp.WithCodeChallenge(oauth2.S256ChallengeFromVerifier(verifier)),
				func() []oauth2.AuthCodeOption {
					return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("nonce", nonce), oauth2.SetAuthURLParam("acr_values", "eidas1")}
				}), nil
		},
		finish: func(ctx context.Context, code, nonce, verifier string) (who identity, err error) {
			ctx = context.WithValue(ctx, nonceKey{}, nonce)
			tok, err := rp.CodeExchange[*zitadel.IDTokenClaims](ctx, code, party, rp.WithCodeVerifier(verifier))
			if err != nil {
				return who, err
			}
			info, err := rp.Userinfo[*zitadel.UserInfo](ctx, tok.AccessToken, tok.TokenType, tok.IDTokenClaims.GetSubject(), party)
			if err != nil {
				return who, err
			}
			return identity{tok.IDTokenClaims.Claims["SubjectNameID"], info.Claims["SubjectNameID"], ""}, nil
		},
	}, nil
}

// capOIDC is hashicorp/cap. PSC's sign-in page is not in the standard discovery
// document: where it is given by hand, so are the other endpoints.
func capOIDC(p party) (client, error) {
	transport := p.http.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	options := []cap.Option{
		cap.WithRoundTripper(transport),
		cap.WithAudiences(p.id), // without it cap takes a token that is meant for another client
	}
	if oidc := p.issuer + "/protocol/openid-connect"; p.authURL != "" {
		options = append(options, cap.WithProviderConfig(&cap.ProviderConfig{
			AuthURL: p.authURL, TokenURL: oidc + "/token", UserInfoURL: oidc + "/userinfo", JWKSURL: oidc + "/certs"}))
	}
	conf, err := cap.NewConfig(p.issuer, p.id, cap.ClientSecret(p.secret), []cap.Alg{cap.RS256}, []string{p.redirectURI}, options...)
	if err != nil {
		return client{}, err
	}
	provider, err := cap.NewProvider(conf)
	if err != nil {
		return client{}, err
	}
	request := func(state, nonce, verifier string) (*cap.Req, error) {
		pkce, err := cap.NewCodeVerifier(cap.WithVerifier(verifier))
		if err != nil {
			return nil, err
		}
		return cap.NewRequest(time.Minute, p.redirectURI, cap.WithState(state), cap.WithNonce(nonce), cap.WithPKCE(pkce),
			cap.WithScopes("openid", "scope_all"), cap.WithACRValues("eidas1"))
	}
	return client{
		authURL: func(state, nonce, verifier string) (string, error) {
			req, err := request(state, nonce, verifier)
			if err != nil {
				return "", err
			}
			return provider.AuthURL(context.Background(), req)
		},
		finish: func(ctx context.Context, code, nonce, verifier string) (who identity, err error) {
			req, err := request(state, nonce, verifier)
			if err != nil {
				return who, err
			}
			tok, err := provider.Exchange(ctx, req, state, code)
			if err != nil {
				return who, err
			}
			var a, b map[string]any
			if err := tok.IDToken().Claims(&a); err != nil {
				return who, err
			}
			sub, _ := a["sub"].(string)
			if err := provider.UserInfo(ctx, tok.StaticTokenSource(), sub, &b); err != nil {
				return who, err
			}
			return identity{a["SubjectNameID"], b["SubjectNameID"], ""}, nil
		},
		done: provider.Done,
	}, nil
}

// libraries are those written in Go, by their column of the table.
var libraries = []struct {
	name string
	make func(party) (client, error)
}{
	{"go-oidc", goOIDC},
	{"zitadel", zitadelRP},
	{"cap", capOIDC},
}

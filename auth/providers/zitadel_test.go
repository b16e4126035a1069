package providers

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// zitadelStorage is the storage of zitadel/oidc's example with one client and one
// person, completed by what Pro Santé Connect says and the example does not.
type zitadelStorage struct {
	*storage.Storage
	acr      string // "" issues none, as the example does
	idToken  map[string]any
	userinfo []byte
	after    string // the address after a sign-out

	mu    sync.Mutex
	ended []string // whose sessions, and at which client
}

// startZitadel runs zitadel/oidc's provider until the test ends.
func startZitadel(t *testing.T, a *app, acr string, userinfo map[string]any) (issuer string, s *zitadelStorage) {
	t.Helper()
	document, err := json.Marshal(userinfo)
	if err != nil {
		t.Fatal(err)
	}
	person := &storage.User{ID: userinfo["sub"].(string), Username: "dr-dupont", Password: "1234"}
	s = &zitadelStorage{
		Storage: storage.NewStorageWithClients(onePerson{person}, map[string]*storage.Client{
			clientID: storage.WebClient(clientID, clientSecret, a.callback()),
		}),
		acr: acr, idToken: inIDToken(userinfo), userinfo: document, after: a.signedOut(),
	}
	server := httptest.NewUnstartedServer(nil)
	issuer = "http://" + server.Listener.Addr().String()
	server.Config.Handler = exampleop.SetupServer(issuer, s, slog.New(slog.DiscardHandler), false)
	server.Start()
	t.Cleanup(server.Close)
	return issuer, s
}

type onePerson struct{ *storage.User }

func (p onePerson) GetUserByID(id string) *storage.User {
	if id != p.ID {
		return nil
	}
	return p.User
}

func (p onePerson) GetUserByUsername(name string) *storage.User {
	if name != p.Username {
		return nil
	}
	return p.User
}

func (onePerson) ExampleClientID() string { return "" }

// zitadelRequest is a sign-in with its acr.
type zitadelRequest struct {
	*storage.AuthRequest
	acr string
}

func (r zitadelRequest) GetACR() string { return r.acr }

func (s *zitadelStorage) withACR(r op.AuthRequest, err error) (op.AuthRequest, error) {
	if err != nil {
		return nil, err
	}
	return zitadelRequest{r.(*storage.AuthRequest), s.acr}, nil
}

func (s *zitadelStorage) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	return s.withACR(s.Storage.AuthRequestByID(ctx, id))
}

func (s *zitadelStorage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	return s.withACR(s.Storage.AuthRequestByCode(ctx, code))
}

func (s *zitadelStorage) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	if ours, ok := r.(zitadelRequest); ok {
		r = ours.AuthRequest // the example looks at the type
	}
	return s.Storage.CreateAccessToken(ctx, r)
}

// SetUserinfoFromRequest completes an ID token.
func (s *zitadelStorage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, _ []string) error {
	info.Subject = r.GetSubject()
	for name, value := range s.idToken {
		info.AppendClaims(name, value)
	}
	return nil
}

// SetUserinfoFromToken answers at userinfo.
func (s *zitadelStorage) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	if err := s.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin); err != nil {
		return err
	}
	return json.Unmarshal(s.userinfo, info)
}

func (s *zitadelStorage) TerminateSession(ctx context.Context, userID, client string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, userID+" at "+client)
	return s.Storage.TerminateSession(ctx, userID, client)
}

func (s *zitadelStorage) endedSessions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ended)
}

// zitadelClient is the example's client with what only a configuration of its own
// can give it.
type zitadelClient struct {
	op.Client
	after string
}

func (s *zitadelStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return zitadelClient{c, s.after}, nil
}

func (c zitadelClient) PostLogoutRedirectURIs() []string { return []string{c.after} }
func (zitadelClient) IsScopeAllowed(scope string) bool   { return scope == "scope_all" }

// AccessTokenType is JWT: the opaque token of zitadel/oidc cannot carry a subject
// with colons, and Pro Santé Connect's have two.
func (zitadelClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/pscauth/pscauth/auth/internal/strictjson"
	"github.com/pscauth/pscauth/auth/psc"
)

const (
	callTimeout = 10 * time.Second // one call to PSC; clients have found 2 s too short
	maxMetadata = 256 << 10
	maxKeySet   = 256 << 10
	maxTokens   = 128 << 10
	maxUserInfo = 256 << 10
	maxAddress  = 8000 // bytes of an address that every server takes (RFC 9110 4.1)

	refreshAfter = time.Hour        // metadata and keys are read anew
	keepAtMost   = 24 * time.Hour   // keys are used no longer while PSC is down
	retryAfter   = 10 * time.Second // after a reading that failed or did not help, while something is known
)

// provider is all that talks to PSC. What comes back is hostile until proven:
// bounded in size and time, of the right content type, and read strictly.
type provider struct {
	env         psc.Environment
	clientID    string
	auth        *clientAuth
	redirectURL string
	acceptNoACR bool
	client      *http.Client
	logger      *slog.Logger
	now         func() time.Time

	fetching sync.Mutex // held by the one that reads metadata or keys
	mu       sync.Mutex // guards the rest
	meta     metadata
	metaRead time.Time
	metaTry  time.Time
	metaErr  error
	keys     []verificationKey
	keysRead time.Time
	keysTry  time.Time
	keysErr  error
}

// metadata is what we use of PSC's discovery document.
type metadata struct {
	Authorization string
	Token         string
	UserInfo      string
	EndSession    string // may be empty: logout is then local
	Keys          string
	IssAnnounced  bool // authorization_response_iss_parameter_supported
	SecretInForm  bool // client_secret_basic is not among token_endpoint_auth_methods_supported
}

func newProvider(cfg Config) *provider {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: callTimeout,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   8,
		MaxConnsPerHost:       64, // strangers' junk codes must not use up our sockets while PSC hangs
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
	client := &http.Client{Timeout: callTimeout, Transport: transport}
	if cfg.HTTPClient != nil {
		copied := *cfg.HTTPClient
		client = &copied
		if own, ok := client.Transport.(*http.Transport); ok {
			transport = own
		}
	}
	auth := newClientAuth(cfg)
	if auth.certificate != nil {
		client.Transport = auth.presenting(transport)
	}
	// A redirect would carry a code or a token to where nobody was asked.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	env := cfg.Provider
	if env.Discovery == "" {
		env.Discovery = strings.TrimRight(env.Issuer, "/") + "/.well-known/wallet-openid-configuration"
	}
	return &provider{
		env: env, clientID: cfg.ClientID, auth: auth, redirectURL: cfg.RedirectURL,
		acceptNoACR: cfg.AcceptMissingACR, client: client, logger: cfg.Logger, now: cfg.Now,
	}
}

// callError says why a call to PSC brought nothing usable. Its text holds nothing
// of an answer's body but an issuer that is not ours.
type callError struct {
	what   string // "metadata", "keys", "token", "userinfo"
	status int    // HTTP status, 0 without an answer
	code   string // error member of a token answer, one of those known
	err    error
}

func (e *callError) Error() string {
	s := "auth: " + e.what
	if e.status != 0 {
		s += ": status " + strconv.Itoa(e.status)
	}
	if e.code != "" {
		s += " " + e.code
	}
	if e.err != nil {
		s += fmt.Sprintf(": %.300s", e.err) // net/http quotes malformed answers at any length
	}
	return s
}

func (e *callError) Unwrap() error { return e.err }

// down reports whether PSC did not answer at all, or said that it cannot.
func (e *callError) down() bool {
	return e.status == 0 && !errors.Is(e.err, errBadAnswer) || e.status >= 500 || e.status == http.StatusTooManyRequests
}

// slow reports whether PSC took too long.
func (e *callError) slow() bool {
	var t interface{ Timeout() bool }
	return e.status == 0 && (errors.Is(e.err, context.DeadlineExceeded) || errors.As(e.err, &t) && t.Timeout()) || e.status == http.StatusGatewayTimeout
}

var errBadAnswer = errors.New("unusable answer")

// call sends req and returns the body of a JSON answer with status 200.
func (p *provider) call(what string, req *http.Request, limit int64) ([]byte, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		// url.Error repeats the address, which is configured or from metadata and
		// holds no secret: codes and tokens travel in bodies and headers.
		return nil, &callError{what: what, err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, &callError{what: what, err: err}
	case resp.StatusCode != http.StatusOK:
		return body, &callError{what: what, status: resp.StatusCode}
	case int64(len(body)) > limit:
		return nil, &callError{what: what, err: fmt.Errorf("%w: more than %d bytes", errBadAnswer, limit)}
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	keySet := what == "keys" && mediaType == "application/jwk-set+json" // RFC 7517 8.5.1
	if err != nil || mediaType != "application/json" && !keySet {
		return nil, &callError{what: what, err: fmt.Errorf("%w: not application/json", errBadAnswer)}
	}
	return body, nil
}

// get fetches a document that everybody may read.
func (p *provider) get(ctx context.Context, what, address string, limit int64) ([]byte, error) {
	// Cached for all: it does not end with the request that needs it first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &callError{what: what, err: err}
	}
	return p.call(what, req, limit)
}

// metadata returns PSC's metadata, read at most once an hour. When PSC does not
// answer, what was read before serves on.
func (p *provider) metadata(ctx context.Context) (metadata, error) {
	current := func() (m metadata, known, enough bool, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		now := p.now()
		if known = !p.metaRead.IsZero(); known {
			return p.meta, true, now.Sub(p.metaRead).Abs() < refreshAfter || now.Sub(p.metaTry).Abs() < retryAfter, nil
		}
		// one try a second, however many ask
		return metadata{}, false, p.metaErr != nil && now.Sub(p.metaTry).Abs() < time.Second, p.metaErr
	}
	m, known, enough, err := current()
	if enough {
		return m, err
	}
	if !known {
		p.fetching.Lock()
	} else if !p.fetching.TryLock() {
		return m, nil // somebody is reading it
	}
	defer p.fetching.Unlock()
	if m, _, enough, err = current(); enough {
		return m, err
	}
	m, err = p.readMetadata(ctx)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.metaTry, p.metaErr = p.now(), err
	switch {
	case err == nil:
		p.meta, p.metaRead = m, p.metaTry
	case p.metaRead.IsZero():
		return metadata{}, err
	default:
		p.logger.Warn("auth: cannot read PSC's metadata again; going on with what is known", "error", err)
	}
	return p.meta, nil
}

func (p *provider) readMetadata(ctx context.Context) (metadata, error) {
	body, err := p.get(ctx, "metadata", p.env.Discovery, maxMetadata)
	if err != nil {
		return metadata{}, err
	}
	var m metadata
	var issuer string
	var responseTypes, challenges, methods []string
	var aliases metadata
	err = strictjson.Object(body, func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "issuer":
			return d.String(&issuer)
		case "authorization_endpoint":
			return d.String(&m.Authorization)
		case "token_endpoint":
			return d.String(&m.Token)
		case "userinfo_endpoint":
			return d.String(&m.UserInfo)
		case "end_session_endpoint":
			return d.String(&m.EndSession)
		case "jwks_uri":
			return d.String(&m.Keys)
		case "response_types_supported":
			return d.Strings(&responseTypes)
		case "code_challenge_methods_supported":
			return d.Strings(&challenges)
		case "authorization_response_iss_parameter_supported":
			return d.Bool(&m.IssAnnounced)
		case "token_endpoint_auth_methods_supported":
			return d.Strings(&methods)
		case "mtls_endpoint_aliases":
			return d.Object(func(d *strictjson.Decoder, name []byte) error {
				switch string(name) {
				case "token_endpoint":
					return d.String(&aliases.Token)
				case "userinfo_endpoint":
					return d.String(&aliases.UserInfo)
				}
				return d.Skip()
			})
		}
		return d.Skip()
	})
	if p.auth.certificate != nil { // RFC 8705 5
		setDefault(&aliases.Token, m.Token)
		setDefault(&aliases.UserInfo, m.UserInfo)
		m.Token, m.UserInfo = aliases.Token, aliases.UserInfo
	}
	m.SecretInForm = methods != nil && !slices.Contains(methods, "client_secret_basic") && slices.Contains(methods, "client_secret_post")
	if err == nil {
		err = p.checkMetadata(&m, issuer, responseTypes, challenges)
	}
	if err != nil {
		return metadata{}, &callError{what: "metadata", err: fmt.Errorf("%w: %w", errBadAnswer, err)}
	}
	return m, nil
}

// checkMetadata refuses metadata that speaks for another issuer or leads
// elsewhere (OIDC Discovery 4.3, RFC 9700 4.4).
func (p *provider) checkMetadata(m *metadata, issuer string, responseTypes, challenges []string) error {
	if issuer != p.env.Issuer {
		return fmt.Errorf("issuer is %.200q, want %q", issuer, p.env.Issuer)
	}
	own, err := url.Parse(p.env.Issuer)
	if err != nil {
		return err
	}
	for _, e := range []struct{ name, address, otherHost string }{
		{"authorization_endpoint", m.Authorization, p.env.AuthorizeHost},
		{"token_endpoint", m.Token, ""},
		{"userinfo_endpoint", m.UserInfo, ""},
		{"jwks_uri", m.Keys, ""},
	} {
		u, err := secureURL(e.address)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if u.Host != own.Host && (e.otherHost == "" || u.Host != e.otherHost) {
			return fmt.Errorf("%s is on host %.100q, which is neither the issuer's nor Environment.AuthorizeHost", e.name, u.Host)
		}
	}
	if u, err := secureURL(m.EndSession); err != nil || u.Host != own.Host && u.Host != p.env.AuthorizeHost {
		p.logger.Warn("auth: PSC's metadata has no usable end_session_endpoint: a sign-out stays in this app")
		m.EndSession = ""
	}
	if responseTypes != nil && !slices.Contains(responseTypes, "code") {
		return errors.New("response_types_supported lacks code")
	}
	if challenges != nil && !slices.Contains(challenges, "S256") {
		return errors.New("code_challenge_methods_supported lacks S256")
	}
	return nil
}

// authorizeURL returns the address that starts a sign-in at PSC: code flow with
// PKCE S256 (RFC 7636, RFC 9700 2.1.1), and acr_values=eidas1, without which
// PSC's certification fails (requirement PSC 6).
func (p *provider) authorizeURL(m metadata, pending pendingSignIn, extra url.Values) string {
	cfg := oauth2.Config{
		ClientID:    p.clientID,
		RedirectURL: p.redirectURL,
		Scopes:      []string{"openid", "scope_all"}, // in this order
		Endpoint:    oauth2.Endpoint{AuthURL: m.Authorization},
	}
	options := []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("acr_values", "eidas1"),
		oauth2.SetAuthURLParam("nonce", pending.Nonce),
		oauth2.S256ChallengeOption(pending.Verifier),
	}
	for name := range extra {
		options = append(options, oauth2.SetAuthURLParam(name, extra.Get(name)))
	}
	return cfg.AuthCodeURL(pending.State, options...)
}

// tokens is what we use of a token answer.
type tokens struct {
	ID     string
	Access string
}

// exchange swaps a code for tokens, once: a code that was sent is spent, whatever
// came back. It does not use oauth2.Config.Exchange, which also takes form-encoded
// answers, folds the case of members, and keeps the answer in its errors.
func (p *provider) exchange(ctx context.Context, m metadata, code, verifier string) (tokens, error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {p.redirectURL},
		"code_verifier": {verifier},
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	p.auth.authenticate(header, form, m.SecretInForm)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, &callError{what: "token", err: err}
	}
	req.GetBody = nil // no second sending after a lost connection
	req.Header = header
	body, err := p.call("token", req, maxTokens)
	if err != nil {
		var ce *callError
		if errors.As(err, &ce) && ce.status != 0 {
			ce.code = oauthError(body)
		}
		return tokens{}, err
	}
	var t tokens
	var kind string
	err = strictjson.Object(body, func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "id_token":
			return d.String(&t.ID)
		case "access_token":
			return d.String(&t.Access)
		case "token_type":
			return d.String(&kind)
		}
		return d.Skip()
	})
	switch {
	case err != nil:
	case t.ID == "":
		err = errors.New("no id_token")
	case t.Access == "" || len(t.Access) > 32<<10 || strings.ContainsFunc(t.Access, func(r rune) bool { return r <= ' ' || r > '~' }):
		err = errors.New("no usable access_token")
	case !strings.EqualFold(kind, "Bearer"):
		err = errors.New("token_type is not Bearer")
	}
	if err != nil {
		return tokens{}, &callError{what: "token", err: fmt.Errorf("%w: %w", errBadAnswer, err)}
	}
	return t, nil
}

// oauthError returns the error member of a token endpoint's refusal, if it is
// one of RFC 6749 5.2 or Keycloak's.
func oauthError(body []byte) string {
	var code string
	err := strictjson.Object(body, func(d *strictjson.Decoder, name []byte) error {
		if string(name) == "error" {
			return d.String(&code)
		}
		return d.Skip()
	})
	if err != nil {
		return ""
	}
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "server_error", "temporarily_unavailable":
		return code
	}
	return ""
}

// userInfo reads what PSC says of the person, at once: the access token lives
// two minutes. It discards everything when the document is not about the subject
// of the ID token (OIDC Core 5.3.2).
func (p *provider) userInfo(ctx context.Context, m metadata, access string, id idToken) (psc.UserInfo, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserInfo, nil)
	if err != nil {
		return psc.UserInfo{}, &callError{what: "userinfo", err: err}
	}
	req.Header.Set("Authorization", "Bearer "+access)
	body, err := p.call("userinfo", req, maxUserInfo)
	if err != nil {
		return psc.UserInfo{}, err
	}
	info, err := psc.ParseUserInfo(bytes.Clone(body))
	switch {
	case err != nil:
	case info.Subject != id.Subject:
		err = errors.New("sub is not the ID token's")
	case id.NationalID != "":
		same, perr := psc.ParseNationalID(id.NationalID)
		if perr != nil || same != info.NationalID {
			err = errors.New("SubjectNameID is not the ID token's")
		}
	}
	if err != nil {
		return psc.UserInfo{}, &callError{what: "userinfo", err: fmt.Errorf("%w: %w", errBadAnswer, err)}
	}
	return info, nil
}

// logoutURL returns the address that ends PSC's session and comes back to
// returnTo (OIDC RP-Initiated Logout 2). The hint may have expired long ago: PSC
// takes it all the same. PSC may drop state on the way back, so nothing depends
// on it.
func (p *provider) logoutURL(m metadata, idTokenHint, returnTo string) string {
	query := url.Values{
		"client_id":                {p.clientID},
		"post_logout_redirect_uri": {returnTo},
		"state":                    {randomID()},
	}
	if idTokenHint != "" {
		query.Set("id_token_hint", idTokenHint)
	}
	sep := "?"
	if strings.Contains(m.EndSession, "?") {
		sep = "&"
	}
	address := m.EndSession + sep + query.Encode()
	if len(address) > maxAddress {
		query.Del("id_token_hint") // PSC then asks the person, which is better than an error
		address = m.EndSession + sep + query.Encode()
	}
	return address
}

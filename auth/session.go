package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pscauth/pscauth/auth/internal/strictjson"
	"github.com/pscauth/pscauth/auth/psc"
)

// A Session is what the app knows of the person behind a request, read from the
// session token. Changing it changes nothing.
type Session struct {
	ID          string // sid: one for each sign-in
	UserID      string
	NationalID  psc.NationalID
	RPPS        string // eleven digits, or empty
	Title       string // as User.Title
	FirstName   string
	LastName    string
	Email       string // as User.Email
	Profession  psc.Profession
	Category    psc.Category
	Specialty   psc.Specialty
	Roles       []string
	TenantID    string
	TenantName  string
	Claims      map[string]string // Grant.Claims
	ACR         string
	AuthMode    string
	FirstSignIn bool      // whether this sign-in created the user
	LastSignIn  time.Time // the sign-in before this one; zero at the first
	VerifiedAt  time.Time // when PSC's userinfo was read
	AuthTime    time.Time // when the person proved who they are, by PSC's clock
	IssuedAt    time.Time // when the token was made or last renewed
	ExpiresAt   time.Time // when the token ends unless it is renewed
}

// Name returns the name as people write it: « Dr Jean DUPONT ».
func (s Session) Name() string {
	return strings.TrimSpace(titleWord(s.Title) + " " + strings.TrimSpace(s.FirstName+" "+s.LastName))
}

// titleWord writes a codeCiviliteDexercice as it stands before a name. Documents
// also hold codes that are no titles there, such as M.
func titleWord(code string) string {
	switch code {
	case "DR":
		return "Dr"
	case "PR":
		return "Pr"
	case "MC", "MG":
		return "Dr"
	}
	return ""
}

type contextKey struct{}

// SessionFromContext returns the session of the request whose context ctx is,
// below [RelyingParty.Handler] or [RelyingParty.Require]. Below Handler alone
// there may be none.
func SessionFromContext(ctx context.Context) (Session, bool) {
	id, ok := ctx.Value(contextKey{}).(*identity)
	if !ok || id.state != signedIn {
		return Session{}, false
	}
	s := id.session
	s.Roles, s.Claims = slices.Clone(s.Roles), maps.Clone(s.Claims)
	return s, true
}

// The session token is a JWT of one fixed form, signed with HS256 because only
// this app writes and reads it. One header for each key, matched byte for byte,
// leaves no algorithm to choose and costs one MAC. Its typ, key and audience are
// its own: no other kind of token passes for it (RFC 8725 3.11, 3.12).
const (
	tokenType     = "psc-session+jwt"
	maxToken      = 8 << 10
	clockTolerant = time.Minute // between replicas, for iat
)

// tokenKeys issues and verifies session tokens.
type tokenKeys struct {
	issuer string
	keys   []tokenKey
}

type tokenKey struct {
	header string // the encoded header and its dot
	macs   *sync.Pool
}

func newTokenKeys(m keyMaker, process, issuer string) tokenKeys {
	t := tokenKeys{issuer: issuer}
	for _, key := range m.keys("session token", process, 32) {
		sum := sha256.Sum256(key)
		header := fmt.Sprintf(`{"alg":"HS256","typ":"%s","kid":"%s"}`, tokenType, hex.EncodeToString(sum[:8]))
		t.keys = append(t.keys, tokenKey{
			header: base64URL.EncodeToString([]byte(header)) + ".",
			macs:   &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }},
		})
	}
	return t
}

// mac returns the encoded signature over text.
func (k tokenKey) mac(text string) [43]byte {
	h := k.macs.Get().(hash.Hash)
	h.Reset()
	h.Write([]byte(text))
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	k.macs.Put(h)
	var out [43]byte
	base64URL.Encode(out[:], sum[:])
	return out
}

// tokenClaims is the payload as we write it. verify reads the same names.
type tokenClaims struct {
	Issuer     string            `json:"iss"`
	Audience   string            `json:"aud"`
	Subject    string            `json:"sub"`
	SessionID  string            `json:"sid"`
	TokenID    string            `json:"jti"`
	IssuedAt   int64             `json:"iat"`
	Expires    int64             `json:"exp"`
	AuthTime   int64             `json:"auth_time"`
	NationalID psc.NationalID    `json:"national_id"`
	RPPS       string            `json:"rpps,omitempty"`
	Title      string            `json:"title,omitempty"`
	FirstName  string            `json:"given_name"`
	LastName   string            `json:"family_name"`
	Email      string            `json:"email,omitempty"`
	Profession psc.Profession    `json:"profession,omitempty"`
	Category   psc.Category      `json:"category,omitempty"`
	Specialty  psc.Specialty     `json:"specialty,omitempty"`
	Roles      []string          `json:"roles"`
	TenantID   string            `json:"tenant_id"`
	TenantName string            `json:"tenant_name,omitempty"`
	Claims     map[string]string `json:"claims,omitempty"`
	ACR        string            `json:"acr"`
	AuthMode   string            `json:"auth_mode,omitempty"`
	First      bool              `json:"first_sign_in,omitempty"`
	LastLogin  int64             `json:"last_login,omitempty"`
	VerifiedAt int64             `json:"verified_at"`
}

// issue makes the token of s, from s.IssuedAt to s.ExpiresAt.
func (t tokenKeys) issue(s Session) (string, error) {
	c := tokenClaims{
		Issuer: t.issuer, Audience: t.issuer, Subject: s.UserID, SessionID: s.ID, TokenID: randomID()[:22],
		IssuedAt: s.IssuedAt.Unix(), Expires: s.ExpiresAt.Unix(), AuthTime: s.AuthTime.Unix(),
		NationalID: s.NationalID, RPPS: s.RPPS, Title: s.Title, FirstName: s.FirstName, LastName: s.LastName, Email: s.Email,
		Profession: s.Profession, Category: s.Category, Specialty: s.Specialty,
		Roles: s.Roles, TenantID: s.TenantID, TenantName: s.TenantName, Claims: s.Claims,
		ACR: s.ACR, AuthMode: s.AuthMode, First: s.FirstSignIn, VerifiedAt: s.VerifiedAt.Unix(),
	}
	if c.Roles == nil {
		c.Roles = []string{}
	}
	if !s.LastSignIn.IsZero() {
		c.LastLogin = s.LastSignIn.Unix()
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("auth: session token: %w", err)
	}
	// What verify would refuse must not be issued: the browser would go in circles.
	if _, err := t.read(payload, s.IssuedAt); err != nil && !errors.Is(err, errTokenExpired) {
		return "", fmt.Errorf("auth: session token: the user or the grant holds what a token cannot: %w", err)
	}
	k := t.keys[0]
	text := k.header + base64URL.EncodeToString(payload)
	sig := k.mac(text)
	token := text + "." + string(sig[:])
	if len(token) > maxCookie {
		return "", fmt.Errorf("auth: session token of %d bytes: a cookie holds %d; give fewer roles and claims in Config.Authorize", len(token), maxCookie)
	}
	return token, nil
}

var (
	errTokenMalformed = errors.New("auth: not a session token of this app")
	errTokenExpired   = errors.New("auth: session token expired")
)

// verify returns the session of a token that this app issued and that is valid
// at the time now: from iat (a minute earlier, for the clocks of replicas) until
// just before exp. It does not look whether the session was ended.
func (t tokenKeys) verify(token string, now time.Time) (Session, error) {
	if len(token) > maxToken {
		return Session{}, errTokenMalformed
	}
	for _, k := range t.keys {
		rest, ok := strings.CutPrefix(token, k.header)
		if !ok {
			continue
		}
		payload, sig, ok := strings.Cut(rest, ".")
		if !ok {
			return Session{}, errTokenMalformed
		}
		// Comparing the encoded form leaves one spelling of the signature.
		want := k.mac(token[:len(k.header)+len(payload)])
		if subtle.ConstantTimeCompare(want[:], []byte(sig)) != 1 {
			return Session{}, errTokenMalformed
		}
		claims, err := base64URL.DecodeString(payload)
		if err != nil {
			return Session{}, errTokenMalformed
		}
		return t.read(claims, now)
	}
	return Session{}, errTokenMalformed
}

// read decodes the payload of a token whose signature holds. Unknown members are
// let pass, so that replicas of two versions understand each other; doubled or
// mistyped ones are refused, and so is a token without any of those that say who,
// for whom, until when and with which roles.
func (t tokenKeys) read(claims []byte, now time.Time) (Session, error) {
	var s Session
	var issuer, audience, tokenID string
	var iat, exp, authTime, verified, last int64
	err := strictjson.Object(claims, func(d *strictjson.Decoder, name []byte) error {
		switch string(name) {
		case "iss":
			return d.String(&issuer)
		case "aud":
			return d.String(&audience)
		case "sub":
			return d.String(&s.UserID)
		case "sid":
			return d.String(&s.ID)
		case "jti":
			return d.String(&tokenID)
		case "iat":
			return d.Int(&iat)
		case "exp":
			return d.Int(&exp)
		case "auth_time":
			return d.Int(&authTime)
		case "national_id":
			return d.String((*string)(&s.NationalID))
		case "rpps":
			return d.String(&s.RPPS)
		case "title":
			return d.String(&s.Title)
		case "given_name":
			return d.String(&s.FirstName)
		case "family_name":
			return d.String(&s.LastName)
		case "email":
			return d.String(&s.Email)
		case "profession":
			return d.String((*string)(&s.Profession))
		case "category":
			return d.String((*string)(&s.Category))
		case "specialty":
			return d.String((*string)(&s.Specialty))
		case "roles":
			return d.Strings(&s.Roles)
		case "tenant_id":
			return d.String(&s.TenantID)
		case "tenant_name":
			return d.String(&s.TenantName)
		case "claims":
			s.Claims = map[string]string{}
			return d.Object(func(d *strictjson.Decoder, name []byte) error {
				var v string
				key := string(name)
				err := d.String(&v)
				s.Claims[key] = v
				return err
			})
		case "acr":
			return d.String(&s.ACR)
		case "auth_mode":
			return d.String(&s.AuthMode)
		case "first_sign_in":
			return d.Bool(&s.FirstSignIn)
		case "last_login":
			return d.Int(&last)
		case "verified_at":
			return d.Int(&verified)
		}
		return d.Skip()
	})
	anothers := issuer != t.issuer || audience != t.issuer
	nobodys := s.UserID == "" || s.ID == "" || tokenID == "" || s.NationalID == "" || s.Roles == nil
	timeless := iat <= 0 || exp <= 0 || authTime <= 0
	if err != nil || anothers || nobodys || timeless {
		return Session{}, errTokenMalformed
	}
	if now.Unix() >= exp {
		return s, errTokenExpired // who it was, for the audit
	}
	if time.Unix(iat, 0).After(now.Add(clockTolerant)) {
		return Session{}, errTokenMalformed
	}
	s.IssuedAt, s.ExpiresAt = time.Unix(iat, 0).UTC(), time.Unix(exp, 0).UTC()
	s.AuthTime, s.VerifiedAt = time.Unix(authTime, 0).UTC(), time.Unix(verified, 0).UTC()
	if last != 0 {
		s.LastSignIn = time.Unix(last, 0).UTC()
	}
	return s, nil
}

// lifetime sets when a token that is issued now ends: after SessionTTL, but not
// beyond SessionMax after the person proved who they are.
func (rp *RelyingParty) lifetime(s *Session, now time.Time) {
	s.IssuedAt = now
	s.ExpiresAt = now.Add(rp.cfg.SessionTTL)
	if end := rp.sessionEnd(*s); end.Before(s.ExpiresAt) {
		s.ExpiresAt = end
	}
}

// sessionEnd returns when no token of the session is valid any more.
func (rp *RelyingParty) sessionEnd(s Session) time.Time {
	return s.AuthTime.Add(rp.cfg.SessionMax)
}

// renew issues the session's next token.
func (rp *RelyingParty) renew(s Session, now time.Time) (Session, string, error) {
	rp.lifetime(&s, now)
	token, err := rp.tokens.issue(s)
	return s, token, err
}

// signInAnswer is what a program receives: at the callback and from session.
type signInAnswer struct {
	AccessToken string     `json:"access_token,omitempty"`
	TokenType   string     `json:"token_type,omitempty"`
	ExpiresIn   int64      `json:"expires_in"`      // seconds until the token ends
	EndsIn      int64      `json:"session_ends_in"` // seconds until no renewal helps
	User        userAnswer `json:"user"`
}

type userAnswer struct {
	ID          string         `json:"id"`
	RPPS        *string        `json:"rpps"`
	NationalID  psc.NationalID `json:"national_id"`
	Title       string         `json:"title"`
	FirstName   string         `json:"first_name"`
	LastName    string         `json:"last_name"`
	Email       *string        `json:"email"`
	Profession  *codeAndLabel  `json:"profession"`
	Specialty   *codeAndLabel  `json:"specialty"`
	Roles       []string       `json:"roles"`
	TenantID    *string        `json:"tenant_id"`
	TenantName  *string        `json:"tenant_name"`
	ACR         string         `json:"acr"`
	FirstSignIn bool           `json:"first_sign_in"`
	LastLogin   *time.Time     `json:"last_login"`
	VerifiedAt  time.Time      `json:"verified_at"`
}

type codeAndLabel struct {
	Code  string `json:"code"`
	Label string `json:"label"`
}

// answer makes what a program is told of s. With an empty token it leaves the
// token out: one that lives in a cookie never reaches a script.
func (rp *RelyingParty) answer(s Session, token string, now time.Time) signInAnswer {
	a := signInAnswer{
		AccessToken: token,
		ExpiresIn:   int64(s.ExpiresAt.Sub(now) / time.Second),
		EndsIn:      int64(rp.sessionEnd(s).Sub(now) / time.Second),
		User: userAnswer{
			ID: s.UserID, RPPS: orNull(s.RPPS), NationalID: s.NationalID,
			Title: s.Title, FirstName: s.FirstName, LastName: s.LastName, Email: orNull(s.Email),
			Roles: s.Roles, TenantID: orNull(s.TenantID), TenantName: orNull(s.TenantName),
			ACR: s.ACR, FirstSignIn: s.FirstSignIn, VerifiedAt: s.VerifiedAt,
		},
	}
	if token != "" {
		a.TokenType = "Bearer"
	}
	if s.Profession != "" {
		a.User.Profession = &codeAndLabel{string(s.Profession), s.Profession.Label()}
	}
	if s.Specialty != "" {
		a.User.Specialty = &codeAndLabel{string(s.Specialty), s.Specialty.Label()}
	}
	if !s.LastSignIn.IsZero() {
		a.User.LastLogin = &s.LastSignIn
	}
	if a.User.Roles == nil {
		a.User.Roles = []string{}
	}
	return a
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// session answers GET with who is signed in and for how long, and POST by
// renewing the token: the cookie's in a cookie, a bearer's in the answer.
func (rp *RelyingParty) session(w http.ResponseWriter, r *http.Request) {
	if !allowMethods(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	id := rp.identify(r)
	if !rp.admit(w, r, id) {
		return
	}
	now := rp.cfg.Now()
	s, token := id.session, ""
	if r.Method == http.MethodPost {
		var err error
		if s, token, err = rp.renew(s, now); err != nil {
			rp.fail(w, r, &failure{page: "store_down", status: http.StatusInternalServerError, reason: "token", err: err, kind: AccessRefused, session: s})
			return
		}
		if id.cookie {
			rp.cookies.set(w, rp.cookies.session, token, s.ExpiresAt.Sub(now))
			token = ""
		}
	}
	writeJSON(w, http.StatusOK, rp.answer(s, token, now))
}

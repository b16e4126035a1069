package auth

import (
	"context"
	"time"

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
	Claims      map[string]string
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
func (s Session) Name() string { return "" }

// SessionFromContext returns the session of the request whose context ctx is,
// below [RelyingParty.Handler] or [RelyingParty.Require].
func SessionFromContext(ctx context.Context) (Session, bool) { return Session{}, false }

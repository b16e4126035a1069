package auth

import (
	"context"
	"errors"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
)

// A User is a person as the app's store knows them. One national identifier is
// one user, whatever their name, their e-mail or PSC's sub become.
type User struct {
	ID         string // the store's own, never empty
	NationalID psc.NationalID
	Title      string // codeCiviliteDexercice of the first exercise, such as DR; may be empty
	FirstName  string
	LastName   string
	Email      string // empty when no one has told it; PSC does not
	Profession psc.Profession
	Category   psc.Category
	Specialty  psc.Specialty
	CreatedAt  time.Time // the first sign-in
	LastSignIn time.Time // the sign-in before this one; zero at the first
}

// A UserStore keeps users.
type UserStore interface {
	// SaveUser creates the user whose national identifier is info.NationalID, or
	// updates their names and profession, and notes that they signed in at that
	// time. first tells whether it created the user. It is atomic: any number of
	// calls at once for one person make one user, and exactly one of them says
	// first. An e-mail that is known is not replaced by an empty one.
	SaveUser(ctx context.Context, info psc.UserInfo, at time.Time) (u User, first bool, err error)
}

// A SessionRecord is what is kept of one sign-in. It is written once.
type SessionRecord struct {
	ID         string    // the session token's sid
	UserID     string    // User.ID
	PSCSession string    // PSC's own sid, for a logout that PSC announces
	IDToken    []byte    // PSC's ID token, sealed; the hint that a logout at PSC needs
	CreatedAt  time.Time // when it began
	ExpiresAt  time.Time // when it ends at the latest
}

// An EndedSession is a session that was ended before its time.
type EndedSession struct {
	ID    string
	Until time.Time // no token of it is valid from here on, so it may be forgotten
}

// ErrNoSession is what a SessionStore returns for an id that it does not know.
var ErrNoSession = errors.New("auth: no such session")

// A SessionStore keeps one record for each sign-in, and which sessions were
// ended. It is not asked on every request: each process holds the ended sessions
// in memory and asks for news (see Config.RevocationLag).
type SessionStore interface {
	// SaveSession writes the record of a new session.
	SaveSession(ctx context.Context, rec SessionRecord) error

	// Session returns the record of a session, or ErrNoSession.
	Session(ctx context.Context, id string) (SessionRecord, error)

	// EndSession notes that the session has ended. It only ever inserts, so that
	// no late write revives a session; ending one twice, or one that is not
	// known, is no error. until is when the last token of the session expires by
	// itself: from then on the store may forget the note.
	EndSession(ctx context.Context, id string, until time.Time) error

	// EndedSessions returns the sessions whose end was noted at or after the time
	// since, and the present time, both by the store's own clock. A zero since
	// asks for all. A note that another process is about to commit may carry an
	// earlier time than now; the caller therefore asks again for the last minute.
	EndedSessions(ctx context.Context, since time.Time) (ended []EndedSession, now time.Time, err error)
}

package auth

import (
	"time"

	"github.com/pscauth/pscauth/auth/psc"
)

// A SignIn is a person whom PSC has just identified, shown to Config.Authorize.
type SignIn struct {
	UserInfo psc.UserInfo // what PSC says, verified
	User     User         // the user as the store has it now
	First    bool         // whether this sign-in created the user
	ACR      string       // the level of the means: eidas1, eidas2, …
	AuthMode string       // the means: MOBILE (e-CPS), CARD (CPS card), or what PSC says
	AuthTime time.Time    // when the person proved who they are, by PSC's clock
}

// A Grant is what the app gives a person for one session.
type Grant struct {
	Roles      []string          // roles, in the app's own words
	TenantID   string            // the practice or establishment whose data the session may see; empty for none
	TenantName string            // its name, for pages
	Claims     map[string]string // anything else that the session should carry; keep it short, it is in every request
}

// A Refusal is the error with which Config.Authorize turns a person away. The
// person reads its words; the user stays in the store, and no session is made.
type Refusal struct {
	French  string
	English string // empty means French
}

func (r *Refusal) Error() string { return "auth: sign-in refused by the app" }

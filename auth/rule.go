package auth

import (
	"slices"
	"strings"
	"time"

	"github.com/pscauth/pscauth/auth/psc"
)

// A Rule is a condition that [RelyingParty.Require] puts on a session. A request
// that breaks it is answered 403, with the rule in words.
type Rule struct {
	allow   func(Session) bool
	maxAge  time.Duration // Fresh; 0 for every other rule
	french  string
	english string
}

// HasRole demands at least one of the roles that Config.Authorize gave.
func HasRole(roles ...string) Rule {
	return Rule{
		allow: func(s Session) bool {
			return slices.ContainsFunc(s.Roles, func(r string) bool { return slices.Contains(roles, r) })
		},
		french:  "Réservé à : " + strings.Join(roles, ", ") + ".",
		english: "Reserved for: " + strings.Join(roles, ", ") + ".",
	}
}

// HasProfession demands one of the professions. A person in training carries the
// profession's code without being a member of it, and does not pass.
func HasProfession(professions ...psc.Profession) Rule {
	labels := make([]string, len(professions))
	for i, p := range professions {
		labels[i] = p.Label()
	}
	return Rule{
		allow: func(s Session) bool {
			return s.Category != psc.Student && slices.Contains(professions, s.Profession)
		},
		french:  "Réservé à : " + strings.Join(labels, ", ") + ".",
		english: "Reserved for: " + strings.Join(labels, ", ") + ".",
	}
}

// InTenant demands a session of that tenant. It never matches a session without
// one, and an empty id matches nobody.
func InTenant(id string) Rule {
	return Rule{
		allow:   func(s Session) bool { return id != "" && s.TenantID == id },
		french:  "Réservé à une autre structure.",
		english: "Reserved for another organisation.",
	}
}

// Fresh demands that the person proved who they are at PSC no longer ago than
// maxAge, a second at least. A person is shown a page that leads to PSC and back; a
// program gets 401.
func Fresh(maxAge time.Duration) Rule {
	return Rule{
		maxAge:  max(maxAge, time.Second),
		french:  "Cette action demande une identification récente.",
		english: "This action needs a recent identification.",
	}
}

// Explain returns the rule with other words for the person who breaks it.
func (r Rule) Explain(french, english string) Rule {
	r.french, r.english = french, english
	return r
}

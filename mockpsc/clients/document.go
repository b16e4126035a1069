package clients

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pscauth/pscauth/mockpsc"
)

// A column is a client of the table.
type column struct {
	key, name string
	how       string            // it is set up
	apart     map[string]string // why faults do not reach it, by place or by name
}

var (
	noBackchannel = map[string]string{"logout_token": "it has no address at which it could be told of a sign-out"}
	inItsFiles    = "it has them in its configuration, and reads nothing when somebody signs in"
)

var columns = []column{
	{"go-oidc", "go-oidc", "github.com/coreos/go-oidc with golang.org/x/oauth2. What its manual leaves to the application is done: state, nonce, `at_hash`, `sub` of userinfo. Logout tokens go to `VerifyLogout`.", nil},
	{"zitadel", "zitadel/oidc", "github.com/zitadel/oidc, its relying party, with a nonce; the application compares the state.", noBackchannel},
	{"cap", "hashicorp/cap", "github.com/hashicorp/cap, with `WithAudiences`, without which it takes a token that is meant for another client.", noBackchannel},
	{"openid-client-5", "openid-client 5", "npm, with all checks that it has.", noBackchannel},
	{"openid-client-6", "openid-client 6", "npm, as it comes: it checks no signature, for the ID token comes straight from the provider over TLS (OpenID Connect Core, section 3.1.3.7).", noBackchannel},
	{"openid-client-6-signatures", "… with signatures", "The same with `enableNonRepudiationChecks`.", noBackchannel},
	{"oauth4webapi", "oauth4webapi", "npm, with `validateApplicationLevelSignature`.", noBackchannel},
	{"oauth2-proxy", "oauth2-proxy", "With nonce and PKCE. It takes the person from the ID token; from userinfo it takes the group, `SubjectOrganization`.", noBackchannel},
	{"mod_auth_openidc", "mod_auth_openidc", "Debian's Apache, set up as in ANS's proof of concept.", map[string]string{
		"metadata": "it keeps them for a day, and has one provider here",
	}},
	{"lemonldap", "LemonLDAP::NG", "Debian's portal, set up as its manual says for Pro Santé Connect.", map[string]string{
		"metadata": inItsFiles, "keys": inItsFiles, "logout_token": "it answers 501: “Back Channel logout is not implemented”",
		"state-in-capitals": "its state is a number, in which nothing can be exchanged",
	}},
}

// Reaches reports whether a fault can be tried at a client.
func Reaches(client string, f mockpsc.Fault) bool {
	i := slices.IndexFunc(columns, func(c column) bool { return c.key == client })
	return i >= 0 && columns[i].apart[f.Where] == "" && columns[i].apart[f.Name] == ""
}

// Missing lists what a matrix should hold and does not.
func (m *Matrix) Missing() (list []string) {
	for _, c := range columns {
		if m.Versions[c.key] == "" {
			list = append(list, "the version of "+c.key)
		}
		for _, f := range mockpsc.Faults() {
			if r := m.Results[f.Name][c.key]; Reaches(c.key, f) == (r == 0 || r == Apart) {
				list = append(list, c.key+" at "+f.Name)
			}
		}
	}
	return list
}

// Caught reports whether some client refuses what a fault says.
func (m *Matrix) Caught(f mockpsc.Fault) bool { return len(m.refusers(f)) > 0 }

// refusers are the clients that refuse a fault. Who signs somebody in without
// userinfo refuses what userinfo says.
func (m *Matrix) refusers(f mockpsc.Fault) (list []string) {
	for _, c := range columns {
		if r := m.Results[f.Name][c.key]; r == Refuses || r == Drops && f.Where == "userinfo" {
			list = append(list, c.key)
		}
	}
	return list
}

const documentHead = `# What clients catch

The mock lies in %d ways (%s), and these are ten OpenID Connect
clients that are not ours, each tried with every lie that can reach it. The table shows
what an application gets from its library without further thought, and each lie shows
that somebody refuses it, or why nobody does. It is made by

` + "```sh\n.ci/clients/run -write\n```" + `

which starts all of them beside the mock; .ci/clients/run without -write and the tests of
` + "`mockpsc/clients`" + ` compare them with this table, so that a new release that does otherwise is
seen. What this module's own ` + "`auth`" + ` does is not in the table: it refuses every one, and its
tests show that (` + "`TestEveryFaultIsRefused`, `TestEveryFaultOfAnAddressIsRefused`" + ` in ` + "`auth`" + `);
logout tokens it does not read.

Each lie is told by a provider at an address of its own, such as
` + "`…/realms/esante-wallet~expired`" + `, to a client that has never been there; to
mod_auth_openidc, LemonLDAP::NG and, but for metadata and keys, oauth2-proxy, in one sign-in.
The application around a library asks for ` + "`acr_values=eidas1`" + `, uses PKCE where the library can, reads
userinfo, and checks nothing that the library does not check or does not expressly
leave to it.

| | |
|---|---|
| ✓ | refuses: nobody is signed in |
| ✗ | does not see it: somebody is signed in, or the client goes where the lie sends it |
| ○ | signs in by the ID token alone, and uses nothing of userinfo |
| ! | breaks: it crashes, or does not answer within twenty seconds, or five after the provider has given up |
| – | the lie does not reach it |

| client | version | |
|---|---|---|
`

var marks = map[Result]string{Refuses: "✓", Passes: "✗", Drops: "○", Breaks: "!", Apart: "–", 0: "–"}

var places = []struct{ where, title, plural string }{
	{"metadata", "Metadata", "of the metadata"},
	{"callback", "Callback", "of the callback"},
	{"token", "Token answer", "of the token answer"},
	{"id_token", "ID token", "of the ID token"},
	{"keys", "Keys", "of the keys"},
	{"userinfo", "Userinfo", "of userinfo"},
	{"logout_token", "Logout token", "of the logout token"},
}

// Document writes the matrix for people.
func (m *Matrix) Document() string {
	var b strings.Builder
	all := mockpsc.Faults()
	fmt.Fprintf(&b, documentHead, len(all), "`mockpsc.Faults`")
	for _, c := range columns {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.name, m.Versions[c.key], c.how)
	}
	b.WriteString("\n## In figures\n\n| client | ✓ | ✗ | ○ | ! | – |\n|---|--:|--:|--:|--:|--:|\n")
	for _, c := range columns {
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, r := range []Result{Refuses, Passes, Drops, Breaks, Apart} {
			n := 0
			for _, f := range all {
				if got := m.Results[f.Name][c.key]; got == r || got == 0 && r == Apart {
					n++
				}
			}
			fmt.Fprintf(&b, " %d |", n)
		}
		b.WriteByte('\n')
	}
	var nobody []mockpsc.Fault
	for _, p := range places {
		fmt.Fprintf(&b, "\n## %s\n\n| fault | what is wrong |", p.title)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.name)
		}
		b.WriteString("\n|---|---|" + strings.Repeat(":-:|", len(columns)) + "\n")
		for _, f := range all {
			if f.Where != p.where {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s |", f.Name, f.Summary)
			for _, c := range columns {
				fmt.Fprintf(&b, " %s |", marks[m.Results[f.Name][c.key]])
			}
			b.WriteByte('\n')
			if !m.Caught(f) {
				nobody = append(nobody, f)
			}
		}
		for _, c := range columns {
			if why := c.apart[p.where]; why != "" && p.where != "logout_token" {
				fmt.Fprintf(&b, "\n– %s: %s.\n", c.name, why)
			}
		}
		for _, f := range all {
			for _, c := range columns {
				if why := c.apart[f.Name]; why != "" && f.Where == p.where {
					fmt.Fprintf(&b, "\n– %s, `%s`: %s.\n", c.name, f.Name, why)
				}
			}
		}
		if p.where == "logout_token" {
			fmt.Fprintf(&b, "\n– LemonLDAP::NG: %s; the others: %s.\n", columns[len(columns)-1].apart[p.where], noBackchannel[p.where])
		}
	}
	b.WriteString("\n## What nobody catches\n\n")
	fmt.Fprintf(&b, "%d of the %d lies are refused by none of the ten, for these reasons. `auth` refuses them,\nbut for logout tokens, which it does not read.\n", len(nobody), len(all))
	for _, reason := range nobodys {
		var names []string
		for _, f := range nobody {
			if slices.Contains(reason.faults, f.Name) {
				names = append(names, "`"+f.Name+"`")
			}
		}
		fmt.Fprintf(&b, "\n- %s: %s\n", strings.Join(names, ", "), reason.why)
	}
	return b.String()
}

package psc

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// A NationalID is the identifier by which PSC knows a person: SubjectNameID on
// the wire, a prefix and a value (nomenclature TRE_G08). It is the key of a
// person, where sub, name and e-mail are not. It is not always twelve digits, it
// may hold a slash and letters, and its case counts.
//
// Make one with [ParseNationalID]. It logs masked.
type NationalID string

// IDKind is what a national identifier is built on.
type IDKind string

// The kinds of national identifier, with their prefix on the wire.
const (
	RPPS     IDKind = "RPPS"     // 8, eleven digits for life, the last a Luhn key
	ADELI    IDKind = "ADELI"    // 0, nine characters; being replaced by RPPS since 2021
	FINESS   IDKind = "FINESS"   // 3, an establishment's number, a slash, a register number
	SIREN    IDKind = "SIREN"    // 4, a company's number, a slash, a register number
	SIRET    IDKind = "SIRET"    // 5, a company site's number, a slash, a register number
	Practice IDKind = "PRACTICE" // 1 or 6, a practice known by ADELI or RPPS, a slash, a register number
	EDIT     IDKind = "EDIT"     // ANS and fourteen digits: an identity made in the sandbox
)

// The forms that a national identifier may have. Prefixes 2 (DRASS) and 9
// (students) were closed in 2020 and are refused.
var idForms = []struct {
	kind IDKind
	form *regexp.Regexp
}{
	{RPPS, regexp.MustCompile(`^8[0-9]{11}$`)},
	{ADELI, regexp.MustCompile(`^0[0-9][0-9AB][0-9]{7}$`)},
	{FINESS, regexp.MustCompile(`^3[0-9][0-9AB][0-9]{7}/[0-9A-Za-z._-]{1,64}$`)},
	{SIREN, regexp.MustCompile(`^4[0-9]{9}/[0-9A-Za-z._-]{1,64}$`)},
	{SIRET, regexp.MustCompile(`^5[0-9]{14}/[0-9A-Za-z._-]{1,64}$`)},
	{Practice, regexp.MustCompile(`^[16][0-9AB]{9,14}/[0-9A-Za-z._-]{1,64}$`)},
	{EDIT, regexp.MustCompile(`^ANS[0-9]{14}$`)},
}

// ParseNationalID returns the canonical form of a national identifier. Eleven
// bare digits with a valid key are taken for an RPPS number and get their
// prefix, because people and programs mix up the two forms. Anything else that
// is not exactly of a known form is refused; the error does not repeat it.
func ParseNationalID(s string) (NationalID, error) {
	if len(s) == 11 && luhn(s) {
		s = "8" + s
	}
	id := NationalID(s)
	switch id.Kind() {
	case "":
		return "", errors.New("psc: not a national identifier")
	case RPPS:
		if !luhn(s[1:]) {
			return "", errors.New("psc: RPPS number with a wrong key")
		}
	}
	return id, nil
}

// Kind tells what the identifier is built on; it is empty for a value that did
// not come from [ParseNationalID].
func (id NationalID) Kind() IDKind {
	for _, f := range idForms {
		if f.form.MatchString(string(id)) {
			return f.kind
		}
	}
	return ""
}

// RPPS returns the eleven digits of the RPPS number, or "" for a person who has
// none.
func (id NationalID) RPPS() string {
	if id.Kind() != RPPS {
		return ""
	}
	return string(id[1:])
}

// Structure returns the number of the structure that the identifier is built on
// (FINESS, SIREN, SIRET or a practice), without prefix, or "" for a person who
// is known by a number of their own.
func (id NationalID) Structure() string {
	number, _, found := strings.Cut(string(id), "/")
	if !found || id.Kind() == "" {
		return ""
	}
	return number[1:]
}

// Masked returns the identifier with its middle hidden, for logs and for pages
// that others may see: 8999•••••011. It hides five characters at least.
func (id NationalID) Masked() string {
	if len(id) < 10 {
		return "•••••"
	}
	end := min(3, len(id)-9) // an ADELI number is short
	return fmt.Sprintf("%s•••••%s", id[:4], id[len(id)-end:])
}

// LogValue makes an identifier log masked.
func (id NationalID) LogValue() slog.Value { return slog.StringValue(id.Masked()) }

// luhn reports whether s consists of digits whose last is the Luhn key over all.
func luhn(s string) bool {
	sum := 0
	for i := range len(s) {
		c := s[len(s)-1-i]
		if c < '0' || c > '9' {
			return false
		}
		n := int(c - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

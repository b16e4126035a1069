package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
)

// A sight is how the application answers at the page that wants a sign-in.
type sight struct {
	status int
	path   string // where it ends; "" at the mock, elsewhere or nowhere
	words  map[string]bool
	page   *page
}

func (b *browser) look(ctx context.Context) sight {
	p := b.get(ctx, b.c.signedIn, b.c.isRequest)
	s := sight{page: p, words: map[string]bool{}}
	if p.err != nil || p.to != nil || p.fromMock() {
		return s
	}
	s.status, s.path = p.status, p.url.Path
	for _, w := range wordsOf(p.body) {
		s.words[w] = true
	}
	return s
}

func (s sight) String() string {
	switch {
	case s.page.err != nil:
		return "–"
	case s.page.to != nil:
		return "→ " + cleaned(s.page.to)
	}
	return fmt.Sprint(s.status, " ", s.page.url.Path)
}

var (
	tags   = pattern(`(?s)<(script|style)\b.*?</(script|style)>|<[^>]*>`)
	chunks = pattern(`[\p{L}\p{N}]{2,}`)
	random = pattern(`^[0-9a-zA-Z]{20,}$`)
)

// wordsOf are the words of a page, without its markup and what is made by chance.
func wordsOf(body []byte) []string {
	text := html.UnescapeString(tags().ReplaceAllString(string(body), " "))
	var list []string
	for _, w := range chunks().FindAllString(text, -1) {
		if !random().MatchString(w) {
			list = append(list, strings.ToLower(w))
		}
	}
	return list
}

// A likeness tells who is in from who is not. Where the answers differ in their
// status or in the path where they end, that decides. Otherwise the words do
// which stand on one page only: in is who is shown half of those of the honest
// sign-ins or, if these have none, less than half of the stranger's.
type likeness struct {
	out, in      sight
	byAddress    bool
	welcome      map[string]bool // on the page of whoever is in, and of no stranger
	stranger     map[string]bool // the other way round
	personal     map[string]bool // of this person's only
	otherPersona bool            // somebody else was let in too
}

var errAlike = errors.New("check: the page is the same to who is signed in and to who is not; give another with -signed-in")

// learn compares a stranger's sight with those of honest sign-ins: twice the
// same person, and somebody else if he was let in.
func learn(out, in, again sight, other *sight) (likeness, error) {
	l := likeness{out: out, in: in}
	if in.path == "" {
		return l, errors.New("check: after an honest sign-in the page does not open")
	}
	if again.status != in.status || again.path != in.path {
		return l, fmt.Errorf("check: two honest sign-ins show different pages: %s and %s", in, again)
	}
	l.byAddress = out.status != in.status || out.path != in.path
	l.otherPersona = other != nil && other.status == in.status && other.path == in.path
	l.welcome, l.stranger, l.personal = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for w := range in.words {
		if !again.words[w] || out.words[w] {
			continue
		}
		if l.otherPersona && !other.words[w] {
			l.personal[w] = true
		} else {
			l.welcome[w] = true
		}
	}
	for w := range out.words {
		if !in.words[w] && !again.words[w] {
			l.stranger[w] = true
		}
	}
	if !l.byAddress && len(l.welcome)+len(l.stranger) == 0 {
		if len(l.personal) == 0 {
			return l, errAlike
		}
		l.welcome = l.personal
	}
	return l, nil
}

// isIn reports whether a sight is that of somebody who is in.
func (l *likeness) isIn(s sight) bool {
	if s.path == "" || s.status != l.in.status || s.path != l.in.path {
		return false
	}
	if l.byAddress {
		return true
	}
	if len(l.welcome) > 0 {
		return 2*share(l.welcome, s.words) >= len(l.welcome)
	}
	return 2*share(l.stranger, s.words) < len(l.stranger)
}

// another reports whether the page is that of somebody else than who signed in.
func (l *likeness) another(s sight) bool {
	return len(l.personal) > 0 && 2*share(l.personal, s.words) < len(l.personal)
}

func share(want, words map[string]bool) int {
	n := 0
	for w := range want {
		if words[w] {
			n++
		}
	}
	return n
}

// cleaned is an address without what nobody should read in a report.
func cleaned(u *url.URL) string {
	return cmp.Or(u.Scheme, "http") + "://" + u.Host + u.Path
}

package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pscauth/pscauth/mockpsc"
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

// names reports whether the page or its address has somebody's family name.
func (s sight) names(p mockpsc.Persona) bool {
	name := strings.ToLower(p.Name[strings.LastIndex(p.Name, " ")+1:])
	return s.words[name] || strings.Contains(strings.ToLower(s.path), name)
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

// A likeness tells who is in from who is not. At the address of the honest
// sign-ins, in is who is shown half of the words that stand on their pages and on
// no other; where there are none, who is at that address if nobody else is, or is
// shown less than half of the stranger's words.
type likeness struct {
	outs      []sight // of strangers, and of somebody who was refused
	in        sight
	apart     int // the segment of the path that says who it is; none if negative
	byAddress bool
	welcome   map[string]bool   // on the page of whoever is in, and of nobody else
	stranger  map[string]bool   // the other way round
	personal  map[string]bool   // of this person's only
	others    []map[string]bool // of each other person's only
}

var errAlike = errors.New("check: the page is the same to who is signed in and to who is not; give another with -signed-in")

// learn compares the sights of who is not in with those of honest sign-ins: twice
// the same person, and others if they were let in.
func learn(outs []sight, in, again sight, others ...sight) (likeness, error) {
	l := likeness{outs: outs, in: in, apart: -1, welcome: map[string]bool{}, stranger: map[string]bool{}, personal: map[string]bool{}}
	if in.path == "" {
		return l, errors.New("check: after an honest sign-in the page does not open")
	}
	if again.status != in.status || again.path != in.path {
		return l, fmt.Errorf("check: two honest sign-ins show different pages: %s and %s", in, again)
	}
	for _, other := range others {
		l.apart = apart(other.path, in.path)
		own := maps.Clone(other.words)
		maps.DeleteFunc(own, func(w string, _ bool) bool { return in.words[w] })
		l.others = append(l.others, own)
	}
	for w := range in.words {
		on := 0
		for _, other := range others {
			on += share(map[string]bool{w: true}, other.words)
		}
		switch {
		case !again.words[w]:
		case on == len(others):
			l.welcome[w] = true
		case on == 0:
			l.personal[w] = true
		}
	}
	sets := append([]map[string]bool{l.welcome, l.personal}, l.others...)
	l.byAddress = true
	for _, out := range outs {
		for _, set := range sets {
			maps.DeleteFunc(set, func(w string, _ bool) bool { return out.words[w] })
		}
		if !l.at(out) {
			continue
		}
		if l.byAddress { // the first
			l.stranger = maps.Clone(out.words)
		}
		l.byAddress = false
		maps.DeleteFunc(l.stranger, func(w string, _ bool) bool { return !out.words[w] || in.words[w] || again.words[w] })
	}
	if !l.byAddress && len(l.welcome)+len(l.stranger)+len(l.personal) == 0 {
		return l, errAlike
	}
	return l, nil
}

// apart is the one segment in which two paths of several differ; -1 if there is
// none, and -2 if more is different.
func apart(a, b string) int {
	one, two := strings.Split(a, "/"), strings.Split(b, "/")
	found := -1
	for i := range min(len(one), len(two)) {
		if one[i] != two[i] {
			if found >= 0 {
				return -2
			}
			found = i
		}
	}
	if len(one) != len(two) || found >= 0 && len(one) < 3 {
		return -2
	}
	return found
}

// at reports whether a sight is at the address of who is in.
func (l *likeness) at(s sight) bool {
	if s.path == "" || s.status != l.in.status {
		return false
	}
	where := apart(s.path, l.in.path)
	return where == -1 || where == l.apart
}

// isIn reports whether a sight is that of somebody who is in.
func (l *likeness) isIn(s sight) bool {
	switch {
	case !l.at(s):
		return false
	case len(l.welcome) > 0:
		return half(l.welcome, s)
	case l.byAddress:
		return true
	case len(l.stranger) > 0:
		return !half(l.stranger, s)
	}
	return half(l.personal, s) || slices.ContainsFunc(l.others, func(own map[string]bool) bool { return len(own) > 0 && half(own, s) })
}

// another reports whether a sight is that of somebody else who is in.
func (l *likeness) another(s sight) bool {
	return l.isIn(s) && (s.path != l.in.path || len(l.personal) > 0 && !half(l.personal, s))
}

// unclear reports whether a sight is neither that of somebody who is in nor a
// known one of somebody who is not.
func (l *likeness) unclear(s sight) bool {
	if s.path == "" || s.status >= http.StatusBadRequest || l.isIn(s) {
		return false
	}
	if l.at(s) {
		if l.byAddress || len(l.welcome)+len(l.stranger) > 0 {
			return l.byAddress
		}
		for w := range s.words { // on no page of somebody who is not in
			if !slices.ContainsFunc(l.outs, func(out sight) bool { return out.words[w] }) {
				return true
			}
		}
		return false
	}
	return !slices.ContainsFunc(l.outs, func(out sight) bool { return out.status == s.status && out.path == s.path })
}

// half reports whether a page shows half of these words.
func half(want map[string]bool, s sight) bool { return 2*share(want, s.words) >= len(want) }

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

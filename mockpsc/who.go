package mockpsc

import (
	"html/template"
	"slices"
	"strings"
	"sync"
)

// A whoCache keeps the list of people and faults beside the sign-in page as it
// was last written. To write it is more work than the rest of the page, and it
// changes only when somebody does.
//
// It is used again for the very same people in the same state, compared anew for
// each page, so that nothing that changes a person need know of it.
type whoCache struct {
	mu   sync.Mutex
	last map[whoKey]whoText // as many as languages and people
}

type whoKey struct{ lang, hinted string }

type whoText struct {
	people []personView
	text   template.HTML
}

// Who is that list.
func (v *view) Who() template.HTML {
	key := whoKey{lang: v.Lang}
	if i := slices.IndexFunc(v.People, func(p personView) bool { return p.Hinted }); i >= 0 {
		key.hinted = v.People[i].ID
	}
	v.who.mu.Lock()
	defer v.who.mu.Unlock()
	if known := v.who.last[key]; slices.Equal(known.people, v.People) {
		return known.text
	}
	var b strings.Builder
	if err := pageSet().ExecuteTemplate(&b, "who", v); err != nil {
		panic("mockpsc: the list of people: " + err.Error()) // a fault of the embedded template
	}
	text := template.HTML(b.String())
	if v.who.last == nil {
		v.who.last = map[whoKey]whoText{}
	}
	v.who.last[key] = whoText{v.People, text}
	return text
}

// States are the keys of what does not work.
func (p personView) States() (keys []string) {
	for _, key := range []string{p.ECPSState, p.CardState} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

package mockpsc

import (
	"bytes"
	"html/template"
	"reflect"
	"regexp"
	"strings"
	"sync"
)

// A writtenPages keeps sign-in pages as they were last written: to write one,
// with all the people and faults beside it, is most of the work of a sign-in
// that is not signing. One is used again for the very same view, compared
// field by field, but for what is new in every sign-in and leaves a hole.
type writtenPages struct {
	mu   sync.Mutex
	last map[writtenKey]*writtenPage
}

// maxWritten bounds the pages kept, for a key holds what people type.
const maxWritten = 64

type writtenKey struct {
	lang, means, service, identifier string
	allFaults                        bool
}

type writtenPage struct {
	view  view
	parts []string // text, hole, text …
}

// What stands in the holes while a page is written. No text contains it, and no
// escaping changes it.
var (
	attemptHole = "attempt-" + newHandle()
	ticketHole  = "ticket-" + newHandle()
	qrHole      = "qr-" + newHandle()
	holes       = regexp.MustCompile(attemptHole + "|" + ticketHole + "|" + qrHole)
)

// write writes a sign-in page.
func (w *writtenPages) write(b *bytes.Buffer, v *view) error {
	same := *v
	same.Attempt, same.Self = attemptHole, strings.ReplaceAll(v.Self, v.Attempt, attemptHole)
	address, ticket := cutLast(v.PhoneURL, "/")
	if v.QR != "" {
		same.PhoneURL, same.QR = address+ticketHole, template.HTML(qrHole)
		same.Frame = strings.Replace(v.Frame, ticket, ticketHole, 1)
		same.Number = "" // this page does not show it
	}
	key := writtenKey{v.Lang, v.Means, v.Service, v.Identifier, v.AllFaults}

	w.mu.Lock()
	known := w.last[key]
	w.mu.Unlock()
	if known == nil || !reflect.DeepEqual(&known.view, &same) {
		var text bytes.Buffer
		if err := pageSet().ExecuteTemplate(&text, "layout", &same); err != nil {
			return err
		}
		known = &writtenPage{same, splitAt(holes, text.String())}
		w.mu.Lock()
		if w.last == nil || len(w.last) >= maxWritten {
			w.last = map[writtenKey]*writtenPage{}
		}
		w.last[key] = known
		w.mu.Unlock()
	}
	for _, part := range known.parts {
		switch part {
		case attemptHole:
			b.WriteString(v.Attempt)
		case ticketHole:
			b.WriteString(ticket)
		case qrHole:
			b.WriteString(string(v.QR))
		default:
			b.WriteString(part)
		}
	}
	return nil
}

// splitAt cuts a text before and behind each match.
func splitAt(pattern *regexp.Regexp, text string) (parts []string) {
	done := 0
	for _, at := range pattern.FindAllStringIndex(text, -1) {
		parts = append(parts, text[done:at[0]], text[at[0]:at[1]])
		done = at[1]
	}
	return append(parts, text[done:])
}

// cutLast cuts behind the last sep.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep) + len(sep)
	if i < len(sep) {
		return s, ""
	}
	return s[:i], s[i:]
}

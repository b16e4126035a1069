package mockpsc

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
)

// An answer is a response that its log entry follows.
type answer struct {
	http.ResponseWriter
	server *Server
	entry  *Request
	trace  *trace // nil: nobody wants to see this request
}

// WriteHeader notes the status before the first byte leaves, so that a program
// that has received an answer finds it in Requests.
func (a *answer) WriteHeader(status int) {
	a.server.mu.Lock()
	if a.entry.Status == 0 {
		a.entry.Status = status
	}
	a.server.mu.Unlock()
	a.keepTrace()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.entry.Status == 0 { // only this request's goroutine writes it
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// belongsTo notes for which client the request was.
func (a *answer) belongsTo(c *Client) {
	a.server.mu.Lock()
	a.entry.ClientID = c.ID
	a.server.mu.Unlock()
}

// json answers with a document as Keycloak does, not to be cached.
func (a *answer) json(status int, body []byte) {
	h := a.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	a.WriteHeader(status)
	a.Write(body)
}

// fail answers with an error in the shape of Keycloak's, whose description is
// the rule itself.
func (a *answer) fail(status int, code, description string) {
	a.refuse(status, &refusal{code: code, rule: description})
}

// refuse answers with an error in Keycloak's words, which often tell little; the
// header names the rule.
func (a *answer) refuse(status int, ref *refusal) {
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{ref.code, cmp.Or(ref.words, ref.rule)})
	if err != nil {
		panic(err) // two strings always marshal
	}
	a.explain(ref.rule)
	a.json(status, body)
}

// explain puts the rule that was broken into a header, for programs.
func (a *answer) explain(rule string) {
	rule = asciiText(rule)
	a.Header().Set("X-Mock-PSC-Error", rule[:min(len(rule), maxExplained)])
}

// maxExplained bounds a header: some programs take 8 or 16 KB of them all.
const maxExplained = 1 << 10

// redirect sends the browser on with 303, so that a form that was posted here
// is never posted there (RFC 9700, section 4.12).
func (a *answer) redirect(location string) {
	h := a.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	a.WriteHeader(http.StatusSeeOther)
}

// asciiText keeps what RFC 6749 allows in an error_description and HTTP in a header.
func asciiText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\n':
			return ' '
		case r < ' ' || r > '~' || r == '\\':
			return '?'
		}
		return r
	}, s)
}

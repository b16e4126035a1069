package mockpsc

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A trace is what the console shows of a request: its parameters, what the
// answer was made of, and the tokens in it.
//
// Traces are kept whether or not anybody looks, because who opens the console
// wants to see what has just gone wrong. That costs a sign-in a few
// microseconds of its two signatures' milliseconds: tokens are kept as they
// are, and taken apart when somebody looks. A trace never holds a secret of a
// client, a code or a verifier, nor what a person typed as a code; it holds
// tokens, for the people in them are nobody.
type trace struct {
	r    *http.Request // until it is kept
	kept bool

	id          int64
	entry       *Request
	query, form []parameter
	location    string
	rule        string
	faults      []string
	tokens      []tracedToken
}

// A tracedToken is a token in an answer or a request, with what its reader
// knows.
type tracedToken struct {
	what, text string
	issuer     string
	client     string
	nonce      string
	sub        string
	access     string // the access token beside an ID token
	at         time.Time
}

const (
	maxTraces = 200     // of each client
	maxValue  = 500     // of a parameter
	maxToken  = 1 << 14 // only a lie is longer
)

// told notes those of the chosen faults that strike at one of these places.
func (a *answer) told(chosen []Fault, where ...string) {
	if a.trace == nil {
		return
	}
	for _, f := range chosen {
		if slices.Contains(where, f.Where) && !slices.Contains(a.trace.faults, f.Name) {
			a.trace.faults = append(a.trace.faults, f.Name)
		}
	}
}

// shows notes a token that the request or the answer holds.
func (a *answer) shows(t tracedToken) {
	if a.trace != nil && t.text != "" {
		t.text = strings.Clone(t.text[:min(len(t.text), maxToken)])
		a.trace.tokens = append(a.trace.tokens, t)
	}
}

// keepTrace keeps the trace of a request, once, before the first byte of the
// answer leaves, so that a program that has received it finds it here.
func (a *answer) keepTrace() {
	t := a.trace
	if t == nil || t.kept {
		return
	}
	t.kept = true
	if t.r.URL.RawQuery != "" {
		t.query = parameters(t.r.URL.Query()) // what cannot be read is left out
	}
	t.form = parameters(t.r.PostForm)
	t.location = maskedAddress(a.Header().Get("Location"))
	s := a.server
	t.rule = clipped(s.withoutSecrets(a.Header().Get("X-Mock-PSC-Error")))
	t.r = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driven.traced++
	t.id, t.entry = s.driven.traced, a.entry
	list := append(s.driven.traces[a.entry.ClientID], t)
	if len(list) > maxTraces {
		list = slices.Delete(list, 0, len(list)-maxTraces)
	}
	s.driven.traces[a.entry.ClientID] = list
}

// withoutSecrets is the text of a refusal without the secret that somebody gave in
// the place of a name.
func (s *Server) withoutSecrets(text string) string {
	if text == "" {
		return ""
	}
	for _, c := range s.clients() {
		if c.Secret != "" {
			text = strings.ReplaceAll(text, c.Secret, "•••")
		}
	}
	return text
}

type parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// shown are the parameters whose values are no secret. Of the others only the
// length is told, for an application may send a secret under any name.
var shown = func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(`response_type client_id redirect_uri scope acr_values state nonce code_challenge
		code_challenge_method prompt max_age login_hint ui_locales response_mode display grant_type post_logout_redirect_uri
		token_type_hint persona means fault identifier binding_message channel requested_expiry lang kc_idp_hint
		subject_token_type requested_token_type subject_issuer audience resource elsewhere panel provider account card phone same answer
		iss session_state error error_description faults`) {
		names[name] = true
	}
	return names
}()

// unseenNames are those whose values are not even measured: what people type as
// codes.
var unseenNames = map[string]bool{"pin": true, "again": true}

func parameters(form url.Values) []parameter {
	if len(form) == 0 {
		return nil
	}
	var list []parameter
	for name, values := range form {
		for _, v := range values[:min(len(values), maxParameters-len(list))] {
			list = append(list, parameter{maskedName(name), maskedValue(name, v)})
		}
	}
	slices.SortStableFunc(list, func(a, b parameter) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// maxParameters is more than any honest request has.
const maxParameters = 64

// maskedName is a name, unless it may be what should have been a value: JSON that
// is posted as a form is one long name.
func maskedName(name string) string {
	if len(name) > 64 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-[]") != "" {
		return measured(name)
	}
	return strings.Clone(name)
}

// measured tells the length of a text, and nothing of it.
func measured(text string) string { return "••• (" + strconv.Itoa(len(text)) + ")" }

func maskedValue(name, value string) string {
	switch {
	case unseenNames[name]:
		return "•••"
	case shown[name] || value == "":
		return strings.Clone(clipped(value))
	}
	return measured(value)
}

func clipped(s string) string {
	if len(s) > maxValue {
		return strings.ToValidUTF8(s[:maxValue], "") + "…"
	}
	return strings.ToValidUTF8(s, "�")
}

// maskedAddress is an address as parameters are: with the values of those that are
// no secret only, and without the tickets of phones and card readers.
func maskedAddress(address string) string {
	var b strings.Builder
	for i := strings.IndexAny(address, "?#"); address != ""; i = strings.IndexAny(address, "&#") {
		part, next := address, ""
		if i >= 0 {
			part, next = address[:i+1], address[i+1:]
		}
		address = next
		name, value, ok := strings.Cut(strings.TrimRight(part, "?&#"), "=")
		switch {
		case b.Len() == 0: // what is before the first parameter
			b.WriteString(ticketInPath().ReplaceAllString(part, "$1•••"))
		case !ok || unescaped(value) == maskedValue(unescaped(name), unescaped(value)):
			b.WriteString(part)
		default:
			b.WriteString(name + "=•••" + part[len(name)+1+len(value):])
		}
	}
	return clipped(b.String())
}

var ticketInPath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(/_mock/(?:phone|card)/(?:activation/)?)[^/?#]+`)
})

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// A requestView is a request as the API tells of it.
type requestView struct {
	ID       int64       `json:"id"`
	Time     time.Time   `json:"time"`
	Method   string      `json:"method"`
	Path     string      `json:"path"`
	Client   string      `json:"client"`
	Status   int         `json:"status"`
	Rule     string      `json:"rule"`
	Query    []parameter `json:"query"`
	Form     []parameter `json:"form"`
	Location string      `json:"location"`
	Faults   []string    `json:"faults"`
	Tokens   []tokenView `json:"tokens"`
}

// after wants the requests of a client, nil for all, behind a number.
func (c *Client) after(id int64) func(client string, t *trace) bool {
	return func(client string, t *trace) bool { return (c == nil || c.ID == client) && t.id > id }
}

// requestViews are the traces that are kept and wanted, the oldest first. Tokens
// are taken apart outside the lock.
func (s *Server) requestViews(wanted func(client string, t *trace) bool, explained bool) []requestView {
	s.mu.Lock()
	var traces []*trace
	for client, list := range s.driven.traces {
		for _, t := range list {
			if wanted(client, t) {
				traces = append(traces, t)
			}
		}
	}
	slices.SortFunc(traces, func(a, b *trace) int { return int(a.id - b.id) })
	list := make([]requestView, len(traces))
	for i, t := range traces {
		e := t.entry
		list[i] = requestView{
			ID: t.id, Time: e.Time, Method: e.Method, Path: e.Path, Client: e.ClientID, Status: e.Status, Rule: t.rule,
			Query: orEmpty(t.query), Form: orEmpty(t.form), Location: t.location, Faults: orEmpty(t.faults), Tokens: []tokenView{},
		}
	}
	s.mu.Unlock()
	if explained {
		for i, t := range traces {
			for _, token := range t.tokens {
				list[i].Tokens = append(list[i].Tokens, s.explainToken(token))
			}
		}
	}
	return list
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) apiRequests(a *answer, r *http.Request) {
	c, ok := s.clientOf(a, r)
	if !ok {
		return
	}
	after := int64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			a.bad("after is the id of a request")
			return
		}
		after = n
	}
	a.document(http.StatusOK, s.requestViews(c.after(after), true))
}

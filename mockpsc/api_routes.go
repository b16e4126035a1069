package mockpsc

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A door is one way into the console or its API.
type door struct {
	method, path string
	open         func(*Server, *answer, *http.Request)
}

// doors are all there are. openapi.json describes those of the API, and a test
// compares.
func doors() []door {
	return []door{
		{"GET", "/_mock/{$}", (*Server).console},
		{"GET", "/_mock/requests/{id}", (*Server).consoleRequest},
		{"POST", "/_mock/do", (*Server).consoleForm},
		{"GET", "/_mock/api/openapi.json", (*Server).apiDescription},
		{"GET", "/_mock/api/faults", (*Server).apiFaults},
		{"POST", "/_mock/api/faults", (*Server).apiQueue},
		{"DELETE", "/_mock/api/faults", (*Server).apiUnqueue},
		{"POST", "/_mock/api/sign-in", (*Server).apiSignIn},
		{"GET", "/_mock/api/personas", (*Server).apiPersonas},
		{"PUT", "/_mock/api/personas/{id}", (*Server).apiPutPersona},
		{"POST", "/_mock/api/personas/{id}", (*Server).apiChangePersona},
		{"GET", "/_mock/api/clock", (*Server).apiClock},
		{"POST", "/_mock/api/clock", (*Server).apiSetClock},
		{"POST", "/_mock/api/keys", (*Server).apiKeys},
		{"GET", "/_mock/api/drill", (*Server).apiDrill},
		{"POST", "/_mock/api/drill", (*Server).apiSetDrill},
		{"GET", "/_mock/api/requests", (*Server).apiRequests},
		{"GET", "/_mock/api/sessions", (*Server).apiSessions},
		{"DELETE", "/_mock/api/sessions/{sid}", (*Server).apiEndSession},
		{"POST", "/_mock/api/reset", (*Server).apiReset},
	}
}

//go:embed openapi.json
var apiText []byte

func (s *Server) apiDescription(a *answer, r *http.Request) { a.json(http.StatusOK, apiText) }

// driven is what the console and its API have made of a server.
type driven struct {
	clock  atomic.Pointer[shift]
	people atomic.Pointer[[]*document] // nil: those of the start
	mu     sync.Mutex                  // held by who changes the clock; taken after Server.mu, never before

	queue  []*queued           // guarded by Server.mu, as the rest
	traces map[string][]*trace // by client, the oldest first
	traced int64               // how many there have been
}

// reset is called with Server.mu held.
func (d *driven) reset() {
	d.mu.Lock()
	d.clock.Store(nil)
	d.mu.Unlock()
	d.people.Store(nil)
	d.queue, d.traces = nil, map[string][]*trace{}
}

// read reads the body of a request, which is JSON with these members, to the
// letter, and no others. Otherwise it answers.
func (a *answer) read(r *http.Request, into any) bool {
	text, ok := a.body(r)
	if !ok {
		return false
	}
	if err := exactly(text, into); err != nil {
		a.bad(err.Error())
		return false
	}
	return true
}

// body reads the body of a request, which must be JSON. Otherwise it answers.
func (a *answer) body(r *http.Request) ([]byte, bool) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		a.fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type: application/json is required")
		return nil, false
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		a.fail(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body cannot be read, or is longer than %d bytes", maxBody))
		return nil, false
	}
	return text, true
}

// exactly decodes an object whose members are those of a struct: encoding/json
// would take "Faults" for "faults", and the last of two.
func exactly(text []byte, into any) error {
	var known []string
	t := reflect.TypeOf(into).Elem()
	for i := range t.NumField() {
		known = append(known, t.Field(i).Tag.Get("json"))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return errors.New("the body must be a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return errors.New("the body is no JSON: " + err.Error())
		}
		name, _ := token.(string)
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("unknown member %q; known: %s", name, strings.Join(known, ", "))
		case seen[name]:
			return fmt.Errorf("member %q is there twice", name)
		}
		seen[name] = true
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return errors.New("the body is no JSON: " + err.Error())
		}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New("the body: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// bad says what is wrong with a request to the API.
func (a *answer) bad(rule string) { a.fail(http.StatusBadRequest, "invalid_request", rule) }

func (a *answer) nothing() {
	a.Header().Set("Cache-Control", "no-store")
	a.WriteHeader(http.StatusNoContent)
}

// document answers with JSON. A list that is nil is an empty one.
func (a *answer) document(status int, doc any) {
	if v := reflect.ValueOf(doc); v.Kind() == reflect.Slice && v.IsNil() {
		doc = []struct{}{}
	}
	body, err := json.Marshal(doc)
	if err != nil {
		panic("mockpsc: writing JSON: " + err.Error()) // of our own types
	}
	a.json(status, body)
}

// clientOf returns the client that the query names, nil if it names none. It
// answers and returns false if nobody has declared it.
func (s *Server) clientOf(a *answer, r *http.Request) (*Client, bool) {
	id := r.URL.Query().Get("client")
	if id == "" {
		return nil, true
	}
	c := s.client(id)
	if c == nil {
		a.fail(http.StatusNotFound, "not_found", fmt.Sprintf("unknown client %q; declared: %s", id, s.clientIDs()))
	}
	return c, c != nil
}

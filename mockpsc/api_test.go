package mockpsc_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// A driver is a program that drives a mock from outside, and checks every answer
// against the description of the API.
type driver struct {
	t    *testing.T
	base string
	spec map[string]any

	mu   *sync.Mutex
	seen map[string]bool // "POST /_mock/api/faults 204"
}

func newDriver(t *testing.T, base string) *driver {
	t.Helper()
	d := &driver{t: t, base: base, seen: map[string]bool{}, mu: new(sync.Mutex)}
	getJSON(t, base+"/_mock/api/openapi.json", &d.spec)
	return d
}

// on is the same driver on account of another test.
func (d *driver) on(t *testing.T) *driver {
	other := *d
	other.t = t
	return &other
}

// do calls the API and returns status and answer.
func (d *driver) do(method, path, body string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.base+"/_mock/api/"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	d.conforms(method, strings.Split(req.URL.Path, "?")[0], resp.StatusCode, text)
	return resp.StatusCode, string(text)
}

// must calls the API, expects a status, and decodes the answer if somebody wants it.
func (d *driver) must(status int, method, path, body string, into ...any) string {
	d.t.Helper()
	got, text := d.do(method, path, body)
	if got != status {
		d.t.Fatalf("%s %s %s: got %d %s, want %d", method, path, body, got, text, status)
	}
	for _, v := range into {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			d.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return text
}

func (d *driver) signIn(address, persona string, faults ...string) string {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"authorization_url": address, "persona": persona, "faults": faults})
	if err != nil {
		d.t.Fatal(err)
	}
	var answer struct {
		RedirectTo string `json:"redirect_to"`
	}
	d.must(200, "POST", "sign-in", string(body), &answer)
	return answer.RedirectTo
}

func (d *driver) conforms(method, path string, status int, text []byte) {
	d.t.Helper()
	for pattern, item := range d.spec["paths"].(map[string]any) {
		want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
		if len(want) != len(got) {
			continue
		}
		same := true
		for i := range want {
			same = same && (want[i] == got[i] || strings.HasPrefix(want[i], "{"))
		}
		op, ok := item.(map[string]any)[strings.ToLower(method)].(map[string]any)
		if !same || !ok {
			continue
		}
		d.mu.Lock()
		d.seen[fmt.Sprint(method, " ", pattern, " ", status)] = true
		d.mu.Unlock()
		answer, ok := op["responses"].(map[string]any)[fmt.Sprint(status)].(map[string]any)
		if !ok {
			d.t.Errorf("%s %s: status %d is not described: %s", method, path, status, text)
			return
		}
		answer = d.resolve(answer)
		content, ok := answer["content"].(map[string]any)
		if !ok {
			if len(text) > 0 {
				d.t.Errorf("%s %s: %s is not described", method, path, text)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var doc any
		if err := dec.Decode(&doc); err != nil {
			d.t.Errorf("%s %s: %v", method, path, err)
			return
		}
		for _, fault := range d.faults("", content["application/json"].(map[string]any)["schema"].(map[string]any), doc) {
			d.t.Errorf("%s %s: %s\n%.500s", method, path, fault, text)
		}
		return
	}
	d.t.Errorf("%s %s is not described", method, path)
}

func (d *driver) resolve(node map[string]any) map[string]any {
	for {
		ref, ok := node["$ref"].(string)
		if !ok {
			return node
		}
		var at any = d.spec
		for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			at = at.(map[string]any)[name]
		}
		node = at.(map[string]any)
	}
}

// faults says where a document is not what a schema describes.
func (d *driver) faults(at string, schema map[string]any, doc any) (list []string) {
	schema = d.resolve(schema)
	if known, ok := schema["enum"].([]any); ok && !slices.Contains(known, doc) {
		list = append(list, fmt.Sprintf("%s: %v is not one of %v", at, doc, known))
	}
	kind := "null"
	switch v := doc.(type) {
	case map[string]any:
		kind = "object"
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				list = append(list, fmt.Sprintf("%s: %s is missing", at, name))
			}
		}
		for name, value := range v {
			if property, ok := properties[name].(map[string]any); ok {
				list = append(list, d.faults(at+"."+name, property, value)...)
			} else if schema["additionalProperties"] == false {
				list = append(list, fmt.Sprintf("%s: %s is not described", at, name))
			}
		}
	case []any:
		kind = "array"
		items, _ := schema["items"].(map[string]any)
		for i, value := range v {
			list = append(list, d.faults(fmt.Sprint(at, "[", i, "]"), items, value)...)
		}
	case string:
		kind = "string"
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				list = append(list, fmt.Sprintf("%s: %v", at, err))
			}
		}
	case bool:
		kind = "boolean"
	case json.Number:
		kind = "integer"
	}
	switch want := schema["type"].(type) {
	case string:
		if want != kind {
			list = append(list, fmt.Sprintf("%s: %s, want %s", at, kind, want))
		}
	case []any:
		if !slices.Contains(want, any(kind)) {
			list = append(list, fmt.Sprintf("%s: %s, want %v", at, kind, want))
		}
	}
	return list
}

// A described door exists, and an existing one is described.
func TestTheDescriptionHasEveryDoor(t *testing.T) {
	d := newDriver(t, mockpsc.NewServer(t).URL)
	var described, there []string
	for path, item := range d.spec["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, door := range mockpsc.Doors() {
		if strings.HasPrefix(door[1], "/_mock/api/") {
			there = append(there, door[0]+" "+door[1])
		}
	}
	slices.Sort(described)
	slices.Sort(there)
	if !slices.Equal(described, there) {
		t.Errorf("described\n%s\nthere are\n%s", strings.Join(described, "\n"), strings.Join(there, "\n"))
	}
	file, err := os.ReadFile("openapi.json")
	if _, served := get(t, http.DefaultClient, d.base+"/_mock/api/openapi.json"); err != nil || served != string(file) {
		t.Error("served is not the file", err)
	}
}

// Every answer of every door, as the description has it.
func TestEveryAnswerIsAsDescribed(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	long := `{"` + strings.Repeat("x", 1<<16) + `":1}`
	document, err := os.ReadFile("personas/01-dr-dupont.json")
	if err != nil {
		t.Fatal(err)
	}
	added := strings.NewReplacer(`"dr-dupont"`, `"dr-new"`, dupont, "899999009998").Replace(string(document))

	d.must(200, "GET", "openapi.json", "")
	d.must(200, "GET", "faults", "")
	d.must(204, "POST", "faults", `{"client":"carelink","state":"s","faults":["expired"],"count":2}`)
	d.must(400, "POST", "faults", `{"client":"nobody","faults":["expired"]}`)
	d.must(204, "DELETE", "faults?client=carelink", "")
	d.must(400, "DELETE", "faults", "")
	d.must(404, "DELETE", "faults?client=nobody", "")
	d.signIn(rp.authURL(nil), "dr-dupont")
	d.must(400, "POST", "sign-in", `{"authorization_url":"x"}`)
	d.must(409, "POST", "sign-in", fmt.Sprintf(`{"authorization_url":%q,"persona":"pharma-costa"}`, rp.authURL(nil)))
	d.must(204, "POST", "drill", `{"name":"outage"}`)
	d.must(503, "POST", "sign-in", fmt.Sprintf(`{"authorization_url":%q,"persona":"dr-dupont"}`, rp.authURL(nil)))
	d.must(200, "GET", "drill", "")
	d.must(204, "POST", "drill", `{"name":""}`)
	d.must(400, "POST", "drill", `{"name":"fire"}`)
	d.must(400, "POST", "drill", `{}`)
	d.must(200, "GET", "personas", "")
	d.must(201, "PUT", "personas/dr-new", added)
	d.must(200, "PUT", "personas/dr-new", added)
	d.must(400, "PUT", "personas/dr-new", `{}`)
	d.must(200, "POST", "personas/dr-dupont", `{"ecps":"blocked"}`)
	d.must(400, "POST", "personas/dr-dupont", `{"ecps":"lost"}`)
	d.must(404, "POST", "personas/nobody", `{"ecps":"blocked"}`)
	d.must(200, "GET", "clock", "")
	d.must(200, "POST", "clock", `{"advance":"10m"}`)
	d.must(400, "POST", "clock", `{"advance":"-10m"}`)
	d.must(204, "POST", "keys", `{"do":"rotate"}`)
	d.must(400, "POST", "keys", `{"do":"eat"}`)
	rp.signIn(t, "dr-martin", "wrong-nonce")
	d.must(200, "GET", "requests", "")
	d.must(400, "GET", "requests?after=x", "")
	d.must(404, "GET", "requests?client=nobody", "")
	var sessions []struct{ Sid string }
	d.must(200, "GET", "sessions", "", &sessions)
	d.must(404, "GET", "sessions?client=nobody", "")
	d.must(204, "DELETE", "sessions/"+sessions[0].Sid, "")
	d.must(404, "DELETE", "sessions/"+sessions[0].Sid, "")
	d.must(404, "POST", "reset?client=nobody", "")
	d.must(204, "POST", "reset?client=carelink", "")
	d.must(204, "POST", "reset", "")

	open := &driver{t: t, base: stranger(t, mock), spec: d.spec, seen: d.seen, mu: d.mu}
	for _, door := range mockpsc.Doors() {
		path, ok := strings.CutPrefix(door[1], "/_mock/api/")
		if !ok {
			continue
		}
		path = strings.NewReplacer("{id}", "dr-dupont", "{sid}", "x").Replace(path)
		open.must(403, door[0], path, "")
		if door[0] == "PUT" || door[0] == "POST" && path != "reset" {
			d.must(413, door[0], path, long)
			resp, text := send(t, door[0], d.base+"/_mock/api/"+path, "text/plain", "{}")
			if resp.StatusCode != 415 {
				t.Errorf("%s %s as a text: %d %s", door[0], path, resp.StatusCode, text)
			}
			d.conforms(door[0], "/_mock/api/"+path, resp.StatusCode, []byte(text))
			for _, body := range []string{`[]`, `{"nobody":1}`, `{`, `{} {}`} {
				d.must(400, door[0], path, body)
			}
		}
	}
	for path, item := range d.spec["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			for status := range op.(map[string]any)["responses"].(map[string]any) {
				if what := strings.ToUpper(method) + " " + path + " " + status; !d.seen[what] {
					t.Errorf("%s is described and was not seen", what)
				}
			}
		}
	}
}

// stranger is the address of a mock as somebody else's machine reaches it.
func stranger(t *testing.T, mock *mockpsc.Server) string {
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "192.0.2.7:4711"
		mock.ServeHTTP(w, r)
	}))
	t.Cleanup(far.Close)
	return far.URL
}

func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

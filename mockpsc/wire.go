package mockpsc

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A wire is how an answer travels, if not as it should.
type wire struct {
	contentType string // in place of application/json
	location    bool   // to another address, which tells the truth
	hang        bool   // nothing comes
	drip        bool   // byte by byte, and never all
	cut         bool   // half of it comes
	reset       bool   // the connection breaks before anything comes
	bomb        bool   // compressed, and a hundred megabytes when it is not
}

const (
	hangTime = time.Minute // in which any client gives up
	dripTime = time.Second
	bombSize = 100 << 20
	bigSize  = 16 << 20
)

// wireFaults are the ways in which any JSON answer can fail to arrive. The names
// begin with the place.
func wireFaults(where, expect, what string) []Fault {
	row := func(name, severity, summary string, bend func(*outgoing)) Fault {
		f := Fault{Name: where + "-" + name, Where: where, Severity: severity, Expect: expect, Summary: what + " " + summary, bend: bend}
		if where == "keys" {
			// Whoever reads the document in spite of the fault finds the key that signs.
			f.token = by(foreignKey, "RS256")
			f.bend = func(o *outgoing) {
				o.document = editKeys(o.document, func(list []object) []object { return append(list, foreignKey().jwk()) })
				bend(o)
			}
		}
		return f
	}
	instead := func(status int, contentType, body string) func(*outgoing) {
		return func(o *outgoing) {
			o.status, o.document = status, []byte(body)
			o.wire.contentType = contentType
		}
	}
	const page = "<!doctype html><title>Maintenance</title><p>Service momentanément indisponible."
	return []Fault{
		row("500", minor, "is an error 500", instead(http.StatusInternalServerError, "", `{"error":"unknown_error"}`)),
		row("503", minor, "is a page with status 503", instead(http.StatusServiceUnavailable, "text/html; charset=utf-8", page)),
		row("429", minor, "is an error 429", instead(http.StatusTooManyRequests, "", `{"error":"slow_down"}`)),
		row("204", minor, "has status 204 and nothing in it", instead(http.StatusNoContent, "", "")),
		row("html", minor, "is a page with status 200", instead(http.StatusOK, "text/html; charset=utf-8", page)),
		row("error-with-200", serious, "is an error, with status 200", instead(http.StatusOK, "", `{"error":"invalid_request","error_description":"unknown_error"}`)),
		row("empty", minor, "is empty", instead(http.StatusOK, "", "")),
		row("null", minor, "is null", instead(http.StatusOK, "", "null")),
		row("a-list", minor, "is an empty list", instead(http.StatusOK, "", "[]")),
		row("in-a-list", minor, "stands in a list", texting(func(b []byte) []byte { return []byte("[" + string(b) + "]") })),
		row("with-more", minor, "has a second object behind the first", texting(func(b []byte) []byte { return slices.Concat(b, []byte("{}")) })),
		row("with-rubbish", minor, "has rubbish behind it", texting(func(b []byte) []byte { return slices.Concat(b, []byte("}]>")) })),
		row("bad-utf8", minor, "has a member that is not UTF-8", texting(func(b []byte) []byte { return first("\"x\":\"\xff\"", b) })),
		row("deep", minor, "has a member that is nested a hundred thousand deep", texting(func(b []byte) []byte { return first(`"deep":`+string(deep()), b) })),
		row("oversized", minor, "is sixteen megabytes long", texting(func(b []byte) []byte { return append(bytes.Repeat([]byte(" "), bigSize), b...) })),
		row("bomb", minor, "is compressed, and a hundred megabytes long when it is not", func(o *outgoing) { o.wire.bomb = true }),
		row("truncated", minor, "breaks off in the middle", func(o *outgoing) { o.wire.cut = true }),
		row("reset", minor, "never comes: the connection breaks", func(o *outgoing) { o.wire.reset = true }),
		row("hanging", minor, "never comes: the connection stays open", func(o *outgoing) { o.wire.hang = true }),
		row("dripping", minor, "comes byte by byte, one a second", func(o *outgoing) { o.wire.drip = true }),
		row("redirected", serious, "is at another address, on a host that nobody configured (307)", func(o *outgoing) { o.wire.location = true }),
	}
}

// first puts a member before the others of an object.
func first(member string, text []byte) []byte {
	rest, _ := bytes.CutPrefix(text, []byte("{"))
	return append([]byte("{"+member+","), rest...)
}

// send is how every JSON answer leaves that faults may bend.
func (a *answer) send(r *http.Request, out *outgoing) {
	if out.wire == (wire{}) {
		a.json(out.status, out.body())
		return
	}
	if out.wire.location && r.URL.Query().Has("elsewhere") {
		out.wire.location = false // there, the truth is told
		a.send(r, out)
		return
	}
	h, body := a.Header(), out.body()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	if out.wire.contentType != "" {
		h.Set("Content-Type", out.wire.contentType)
	}
	switch {
	case out.wire.location:
		h.Set("Location", elsewhere(r))
		a.WriteHeader(http.StatusTemporaryRedirect)
	case out.wire.hang:
		pause(r, hangTime)
		panic(http.ErrAbortHandler)
	case out.wire.reset:
		panic(http.ErrAbortHandler)
	case out.wire.drip:
		a.WriteHeader(out.status)
		flush := http.NewResponseController(a.ResponseWriter)
		for i := 0; i < len(body)-1 && i < int(hangTime/dripTime) && pause(r, dripTime); i++ {
			a.Write(body[i : i+1])
			flush.Flush()
		}
		panic(http.ErrAbortHandler)
	case out.wire.cut:
		h.Set("Content-Length", strconv.Itoa(len(body)))
		a.WriteHeader(out.status)
		a.Write(body[:len(body)/2])
	case out.wire.bomb:
		h.Set("Content-Encoding", "gzip")
		a.WriteHeader(out.status)
		a.Write(blanks())
		a.Write(zipped(body))
	default:
		a.WriteHeader(out.status)
		a.Write(body)
	}
}

// pause waits, unless the client has gone. It reports whether it is still there.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// blanks are the compressed bomb: JSON may begin with blanks, and a gzip file may
// be one behind another (RFC 1952, section 2.2).
var blanks = sync.OnceValue(func() []byte { return zipped(bytes.Repeat([]byte(" "), bombSize)) })

func zipped(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text) // into memory
	z.Close()
	return b.Bytes()
}

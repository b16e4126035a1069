package auth_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// runReturnTo signs in with a return target, and looks at Location as it leaves
// the handler and as a browser reads it.
func runReturnTo(t *testing.T, c corpusCase) {
	target := c.Input["return_to"].(string)
	if n, found := strings.CutPrefix(target, "/ + 'a'*"); found {
		times, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		target = "/" + strings.Repeat("a", times)
	}
	l := newLab(t, c)
	rec := l.serve(page("/auth/login?return_to=" + url.QueryEscape(target)))
	to, _ := url.Parse(rec.Header().Get("Location"))
	b := begun{state: to.Query().Get("state"), nonce: to.Query().Get("nonce")}
	for _, k := range rec.Result().Cookies() {
		b.pending = k
	}
	l.nonce = b.nonce
	if b.pending == nil {
		t.Fatalf("the login got %d", rec.Code)
	}
	o := l.send(b.back(b.honest()))
	l.landed(o, target)
	// The other doors: the guard's link, and what an app puts on its page.
	link, err := url.Parse(l.rp.LoginURL(target))
	if err != nil || link.Host != "" || link.Path != "/auth/login" {
		t.Fatalf("LoginURL is %s", link)
	}
	if got := link.Query().Get("return_to"); browserOrigin(got) != "https://app.example" {
		t.Errorf("LoginURL leads to %s", got)
	}
}

func (l *lab) landed(o outcome, target string) {
	l.t.Helper()
	to := o.rec.Header().Get("Location")
	if o.rec.Code != http.StatusSeeOther || o.session == nil {
		l.t.Errorf("got %d", o.rec.Code)
	}
	if browserOrigin(to) != "https://app.example" || !strings.HasPrefix(to, "/") {
		l.t.Errorf("I9: Location %q leads elsewhere", to)
	}
	switch l.c.Expect.Verdict {
	case "accept":
		if to != target {
			l.t.Errorf("Location %q, want %q", to, target)
		}
	case "fallback":
		if to != "/" {
			l.t.Errorf("Location %q, want /", to)
		}
	}
	l.invariants(o)
}

var _ = hand(map[string]runner{
	"RTO-099": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin() // to return to /x
		o := l.send(b.back(b.honest() + "&return_to=" + url.QueryEscape("//evil.com")))
		if to := o.rec.Header().Get("Location"); to != "/x" {
			t.Errorf("Location %q, want that of the login", to)
		}
	},
	"RTO-101": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		r := page("/auth/login")
		for _, name := range []string{"X-Original-URI", "X-Original-URL", "X-Forwarded-Uri", "X-Rewrite-URL", "Referer"} {
			r.Header.Set(name, "https://evil.com/admin")
		}
		rec := l.serve(r)
		to, _ := url.Parse(rec.Header().Get("Location"))
		b := begun{state: to.Query().Get("state"), nonce: to.Query().Get("nonce"), pending: rec.Result().Cookies()[0]}
		l.nonce = b.nonce
		l.landed(l.send(b.back(b.honest())), "")
	},
})

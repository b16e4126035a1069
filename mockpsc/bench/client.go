package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A client signs people in at one provider. Every provider meets the same one.
type client struct {
	provider
	base     string
	loginURL string
}

const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func newClient(p provider, base string) *client {
	return &client{
		provider: p, base: base,
		loginURL: base + p.authorize + "?" + url.Values{
			"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {p.scope},
			"state": {"state-of-the-sign-in"}, "nonce": {"nonce-of-the-sign-in"}, "acr_values": {"eidas1"},
			"code_challenge": {challenge}, "code_challenge_method": {"S256"},
		}.Encode(),
	}
}

// tokens is what a client needs of the answer of a token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// rs256 counts the tokens signed with RSA.
func (t tokens) rs256() (n int) {
	for _, token := range []string{t.Access, t.ID, t.Refresh} {
		header, _, _ := strings.Cut(token, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		var h struct{ Alg string }
		if err == nil && json.Unmarshal(text, &h) == nil && h.Alg == "RS256" {
			n++
		}
	}
	return n
}

// A worker signs in one person after the other.
type worker struct {
	*client
	wire wire
	buf  bytes.Buffer // to read answers into
}

// signIn is one sign-in of somebody whose browser is new: the authorization
// request, the pages and their forms, the code, the tokens, userinfo.
func (c *worker) signIn(ctx context.Context) (tokens, error) {
	var t tokens
	buf := &c.buf
	code, err := c.code(ctx)
	if err != nil {
		return t, err
	}
	req, err := post(ctx, c.base+c.token, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI},
		"client_id": {clientID}, "client_secret": {clientSecret}, "code_verifier": {verifier},
	})
	if err != nil {
		return t, err
	}
	app := &http.Client{Transport: &c.wire}
	if _, err := do(app, req, buf); err != nil {
		return t, err
	}
	if err := json.Unmarshal(buf.Bytes(), &t); err != nil || t.ID == "" {
		return t, fmt.Errorf("no ID token came: %v", err)
	}
	if req, err = http.NewRequestWithContext(ctx, http.MethodGet, c.base+c.userinfo, nil); err != nil {
		return t, err
	}
	req.Header.Set("Authorization", "Bearer "+t.Access)
	if _, err := do(app, req, buf); err != nil {
		return t, err
	}
	if !bytes.Contains(buf.Bytes(), []byte(`"sub"`)) {
		return t, errors.New("userinfo without sub")
	}
	return t, nil
}

// code is the browser's part: it ends where the provider sends the browser back.
func (c *worker) code(ctx context.Context) (string, error) {
	buf := &c.buf
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Transport: &c.wire, Jar: jar, CheckRedirect: func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(next.URL.String(), redirectURI) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.loginURL, nil)
	if err != nil {
		return "", err
	}
	for range 5 { // pages; nobody has more than two
		resp, err := do(browser, req, buf)
		if err != nil {
			return "", err
		}
		if back := resp.Header.Get("Location"); back != "" {
			u, err := url.Parse(back)
			if err != nil {
				return "", err
			}
			if code := u.Query().Get("code"); code != "" {
				return code, nil
			}
			return "", fmt.Errorf("sent back without a code: %s", u.Query().Get("error"))
		}
		action, fields, err := c.fill(buf.Bytes())
		if err != nil {
			return "", err
		}
		target, err := resp.Request.URL.Parse(action)
		if err != nil {
			return "", err
		}
		if req, err = post(ctx, target.String(), fields); err != nil {
			return "", err
		}
	}
	return "", errors.New("too many pages")
}

// fill finds the form of a page and fills it in.
func (c *client) fill(page []byte) (action string, fields url.Values, err error) {
	for _, f := range c.forms {
		start := bytes.Index(page, []byte(`action="`+f.action))
		if start < 0 {
			// An absolute address is as good.
			if start = bytes.Index(page, []byte(`action="`+c.base+f.action)); start < 0 {
				continue
			}
		}
		page = page[start+len(`action="`):]
		action, _ := quoted(page)
		page, _, _ = bytes.Cut(page, []byte("</form>"))
		fields = url.Values{}
		for name, values := range f.fields {
			fields[name] = values
		}
		for {
			_, rest, ok := bytes.Cut(page, []byte(`type="hidden" name="`))
			if !ok {
				return action, fields, nil
			}
			name, rest := quoted(rest)
			_, rest, _ = bytes.Cut(rest, []byte(`value="`))
			value, rest := quoted(rest)
			fields.Set(name, value)
			page = rest
		}
	}
	return "", nil, fmt.Errorf("a page that nobody knows: %.200s", page)
}

// quoted reads an attribute's value, whose opening quote is behind.
func quoted(text []byte) (string, []byte) {
	value, rest, _ := bytes.Cut(text, []byte(`"`))
	return html.UnescapeString(string(value)), rest
}

func post(ctx context.Context, address string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

// do reads the answer to its end, so that the connection is used again.
func do(c *http.Client, req *http.Request, buf *bytes.Buffer) (*http.Response, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	buf.Reset()
	if _, err := buf.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		return nil, fmt.Errorf("%s %s: %s: %.200s", req.Method, req.URL.Path, resp.Status, buf)
	}
	return resp, nil
}

// once signs in one person.
func (c *client) once(ctx context.Context) (tokens, error) {
	w := worker{client: c}
	defer w.wire.close()
	return w.signIn(ctx)
}

// load signs in, at once as many as said, until the time is over or the number
// is reached (0: no limit). It returns how many succeeded in which time; the
// first failure ends it.
func (c *client) load(ctx context.Context, at int, window time.Duration, limit int64) (done int64, took time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	var begun, finished atomic.Int64
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			w := worker{client: c}
			defer w.wire.close()
			for ctx.Err() == nil && (window == 0 || time.Since(start) < window) {
				if limit > 0 && begun.Add(1) > limit {
					return
				}
				if _, err := w.signIn(ctx); err != nil {
					cancel(err) // a no-op after the first
					return
				}
				finished.Add(1)
			}
		})
	}
	wg.Wait()
	took = time.Since(start)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, io.EOF) {
		err = cause
	}
	return finished.Load(), took, err
}

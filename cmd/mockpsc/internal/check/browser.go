package check

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// A browser goes from page to page as a person's does, one step at a time, so
// that what is in between can be looked at.
type browser struct {
	c       *checker
	jar     *jar
	visited []*url.URL     // in order
	set     []*http.Cookie // by the application
	client  *http.Client
}

// A page is where a step ends.
type page struct {
	url    *url.URL
	status int
	header http.Header
	body   []byte
	to     *url.URL // the redirect that was not followed
	err    error    // nothing came
}

func (p *page) fromMock() bool { return p.err == nil && p.header.Get("X-Mock-PSC") != "" }

// A jar treats loopback as the browsers do that take http there for secure.
type jar struct{ *cookiejar.Jar }

func (j *jar) at(u *url.URL) *url.URL {
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		secure := *u
		secure.Scheme = "https"
		return &secure
	}
	return u
}

func (j *jar) SetCookies(u *url.URL, list []*http.Cookie) { j.Jar.SetCookies(j.at(u), list) }
func (j *jar) Cookies(u *url.URL) []*http.Cookie          { return j.Jar.Cookies(j.at(u)) }
func (j *jar) value(u *url.URL, name string) (string, bool) {
	for _, c := range j.Cookies(u) {
		if c.Name == name {
			return c.Value, true
		}
	}
	return "", false
}

func (c *checker) browser() *browser {
	j, err := cookiejar.New(nil)
	if err != nil {
		panic("check: " + err.Error()) // it does not fail without options
	}
	return &browser{c: c, jar: &jar{j}, client: c.http}
}

// twin is another browser with the cookies that this one sends to the
// application: somebody has copied them.
func (b *browser) twin() *browser {
	other := b.c.browser()
	for _, at := range []*url.URL{b.c.app, b.c.signedIn} {
		list := b.jar.Cookies(at)
		for _, c := range list {
			c.Path = "/"
		}
		other.jar.SetCookies(at, list)
	}
	return other
}

// step makes one request and follows nothing.
func (b *browser) step(ctx context.Context, method string, u *url.URL, form url.Values, headers ...string) *page {
	ctx, cancel := context.WithTimeout(ctx, b.c.opt.Timeout)
	defer cancel()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return &page{url: u, err: err}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", u.Scheme+"://"+u.Host)
		req.Header.Set("Referer", b.c.signedIn.String())
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Accept-Language", "fr")
	req.Header.Set("User-Agent", "Mozilla/5.0 mockpsc-check")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.jar.Cookies(u) {
		req.AddCookie(c)
	}
	b.visited = append(b.visited, u)
	resp, err := b.client.Do(req)
	if err != nil {
		return &page{url: u, err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 2<<20))
	if cookies := resp.Cookies(); len(cookies) > 0 {
		b.jar.SetCookies(u, cookies)
		if !b.c.ofMock(u) {
			b.set = append(b.set, cookies...)
		}
	}
	p := &page{url: u, status: resp.StatusCode, header: resp.Header, body: text, err: err}
	switch location := resp.Header.Get("Location"); {
	case location != "" && resp.StatusCode/100 == 3:
		p.to = resolve(u, location)
	case resp.StatusCode < 400:
		if again, ok := refreshed(resp.Header, text); ok {
			p.to = resolve(u, again)
		}
	}
	if p.to != nil && !b.c.ofMock(u) {
		b.c.sent(p.to)
	}
	return p
}

var (
	metaTag   = pattern(`(?i)<meta\b(?:[^>"']|"[^"]*"|'[^']*')*>`)
	isRefresh = pattern(`(?i)\shttp-equiv\s*=\s*["']?refresh\b`)
	content   = pattern(`(?i)\scontent\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))`)
	atOnce    = pattern(`(?i)^\s*\d?(?:\.\d*)?\s*[;,\s]\s*url\s*=\s*(?:"([^"]*)|'([^']*)|([^"'].*))`)
)

// refreshed is where a page goes by itself, by its header or its markup. What
// takes ten seconds and more is no redirect, but the end of a session, say.
func refreshed(header http.Header, body []byte) (string, bool) {
	text := header.Get("Refresh")
	for _, tag := range metaTag().FindAllString(string(body), -1) {
		if m := content().FindStringSubmatch(tag); m != nil && text == "" && isRefresh().MatchString(tag) {
			text = html.UnescapeString(m[1] + m[2] + m[3])
		}
	}
	m := atOnce().FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return m[1] + m[2] + m[3], true
}

// follow goes on until there is nothing to follow, or the next address is one to
// stop at. Nobody is followed to a host that is neither application nor mock.
func (b *browser) follow(ctx context.Context, p *page, stop func(*url.URL) bool) *page {
	for range 20 {
		if p.err != nil || p.to == nil || stop(p.to) || !b.c.known(p.to) {
			return p
		}
		p = b.step(ctx, http.MethodGet, p.to, nil)
	}
	return &page{url: p.url, err: errors.New("stopped after 20 redirects")}
}

func (b *browser) get(ctx context.Context, u *url.URL, stop func(*url.URL) bool, headers ...string) *page {
	return b.follow(ctx, b.step(ctx, http.MethodGet, u, nil, headers...), stop)
}

// resolve reads an address as browsers do (WHATWG URL), who take \ for / and
// skip tabs and line ends.
func resolve(base *url.URL, text string) *url.URL {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	path, rest := text, ""
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		path, rest = text[:i], text[i:]
	}
	path = strings.ReplaceAll(path, `\`, "/")
	if m := webScheme().FindStringSubmatch(path); m != nil {
		if path = m[2]; strings.HasPrefix(path, "/") || !strings.EqualFold(m[1], base.Scheme) {
			path = m[1] + "://" + strings.TrimLeft(path, "/")
		}
	} else if strings.HasPrefix(path, "//") {
		path = base.Scheme + "://" + strings.TrimLeft(path, "/")
	}
	u, err := base.Parse(path + rest)
	if err != nil {
		return &url.URL{Scheme: "invalid", Opaque: text}
	}
	return u
}

var webScheme = pattern(`^(?i)(https?):(.*)$`)

// A passage is one sign-in, as far as it came.
type passage struct {
	auth     *url.URL // the authorization request
	callback *url.URL
	end      *page // where the browser is left
	again    bool  // the application began the sign-in again
	rule     string
}

// never is where nothing stops who follows.
func never(*url.URL) bool { return false }

// begin asks the application for a sign-in and stops at the mock's door.
func (b *browser) begin(ctx context.Context, at *url.URL) (*url.URL, *page) {
	p := b.get(ctx, at, b.c.isRequest)
	if p.err == nil && p.to != nil && b.c.isRequest(p.to) {
		return p.to, p
	}
	return nil, p
}

var errNoWay = errors.New("check: the application does not lead to the mock")

// atMock walks through the mock's sign-in form; the browser is left at the door
// of the application. The faults wait in the mock's queue for this sign-in.
func (b *browser) atMock(ctx context.Context, auth *url.URL, persona string, faults ...string) (*url.URL, string, error) {
	if len(faults) > 0 {
		if err := b.c.queue(ctx, auth.Query().Get("state"), 1, faults...); err != nil {
			return nil, "", err
		}
	}
	leaves := func(u *url.URL) bool { return !b.c.ofMock(u) }
	p := b.get(ctx, auth, leaves)
	if p.err != nil {
		return nil, "", fmt.Errorf("check: the mock does not answer: %w", p.err)
	}
	if p.to == nil {
		found := attemptField().FindSubmatch(p.body)
		if found == nil {
			return nil, p.header.Get("X-Mock-PSC-Error"), nil
		}
		persona, means, _ := strings.Cut(persona, "/")
		form := url.Values{"attempt": {html.UnescapeString(string(found[1]))}, "persona": {persona}}
		if means != "" {
			form.Set("means", means)
		}
		p = b.follow(ctx, b.step(ctx, http.MethodPost, p.url.ResolveReference(&url.URL{Path: "/auth/sign-in"}), form), leaves)
		if p.err != nil {
			return nil, "", fmt.Errorf("check: the mock does not answer: %w", p.err)
		}
	}
	if p.to == nil {
		return nil, p.header.Get("X-Mock-PSC-Error"), nil
	}
	return p.to, "", nil
}

var attemptField = pattern(`name="attempt" value="([^"]+)"`)

// finish takes the browser back to the application, by a new connection: on an
// old one that breaks Go would ask a second time, and hide it.
func (b *browser) finish(ctx context.Context, callback *url.URL) *page {
	b.client = b.c.once
	defer func() { b.client = b.c.http }()
	return b.get(ctx, callback, b.c.isRequest, "Sec-Fetch-Site", "cross-site")
}

// signIn is the whole way. An error is the check's own or the mock's; what the
// application does is in the passage.
func (b *browser) signIn(ctx context.Context, at *url.URL, persona string, faults ...string) (passage, error) {
	way, err := b.approach(ctx, at, persona, faults...)
	if err != nil || way.callback == nil {
		return way, err
	}
	way.end = b.finish(ctx, way.callback)
	way.again = way.end.to != nil && b.c.isRequest(way.end.to)
	return way, nil
}

// approach is the way to the application's callback, which is not opened: that is
// nil if the mock refuses.
func (b *browser) approach(ctx context.Context, at *url.URL, persona string, faults ...string) (passage, error) {
	auth, p := b.begin(ctx, at)
	if auth == nil {
		return passage{end: p}, errNoWay
	}
	callback, rule, err := b.atMock(ctx, auth, persona, faults...)
	return passage{auth: auth, callback: callback, end: p, rule: rule}, err
}

// known reports whether an address is the application's or the mock's.
func (c *checker) known(u *url.URL) bool {
	return c.ofMock(u) || (u.Scheme == "http" || u.Scheme == "https") && c.hosts[u.Hostname()]
}

// ofMock reports whether an address is the mock's.
func (c *checker) ofMock(u *url.URL) bool { return c.mocks[u.Host] }

// isRequest reports whether an address is an authorization request to the mock.
func (c *checker) isRequest(u *url.URL) bool {
	return c.ofMock(u) && u.Query().Has("client_id") && strings.HasSuffix(u.Path, "/auth")
}

// pattern is compiled when it is used: the mock that only serves is in the same
// program.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

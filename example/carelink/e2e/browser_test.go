package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A habit is how somebody has set up their browser.
type habit func(*settings)

type settings struct {
	width, height int64
	noScript      bool
	flags         []chromedp.ExecAllocatorOption
}

// narrow is a window of 320 pixels, the least that pages must bear.
func narrow(s *settings) { s.width, s.height = 320, 640 }

// largeText is text at 200 %, as people set it in their browser.
func largeText(s *settings) { s.blink("defaultFontSize=32") }

// noScript is a browser that runs no script.
func noScript(s *settings) {
	s.noScript = true
	s.blink("scriptEnabled=false")
}

func (s *settings) blink(setting string) {
	s.flags = append(s.flags, chromedp.Flag("blink-settings", setting))
}

// A browser is a person's Chromium, with a profile that nobody has used before.
type browser struct {
	t        *testing.T
	app      *carelink
	settings settings
	first    *tab
	album    *album
}

// newBrowser starts a browser that ends with the test.
func (app *carelink) newBrowser(t *testing.T, habits ...habit) *browser {
	t.Helper()
	b := &browser{t: t, app: app, settings: settings{width: 1280, height: 900}, album: albumOf(t)}
	for _, h := range habits {
		h(&b.settings)
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(requireChromium(t)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("headless", "new"),
		chromedp.NoSandbox, // the tests may run as root, and visit nobody else's pages
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "fr-FR"),
		chromedp.Flag("accept-lang", "fr-FR,fr"),
		chromedp.Flag("hide-scrollbars", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(flags, b.settings.flags...)...)
	t.Cleanup(cancel)
	b.first = b.adopt(ctx)
	return b
}

// adopt takes charge of a tab, and collects whatever its pages complain of.
func (b *browser) adopt(parent context.Context, opts ...chromedp.ContextOption) *tab {
	b.t.Helper()
	p := &tab{b: b, t: b.t, documents: map[string]bool{}}
	ctx, cancel := chromedp.NewContext(parent, append(opts, chromedp.WithListener(p.overhear))...)
	p.ctx = ctx
	b.t.Cleanup(func() {
		cancel()
		for _, c := range p.complaints() {
			b.t.Errorf("the browser complains: %s", c)
		}
	})
	p.do(chromedp.EmulateViewport(b.settings.width, b.settings.height))
	if _, err := chromedp.Call(p.ctx, audits.Enable, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
	return p
}

// newTab opens another tab of the same browser.
func (b *browser) newTab() *tab { return b.adopt(b.first.ctx) }

// A tab is what a person looks at. Its methods are what people do and see; each
// of them waits until it can be done or seen, and fails the test otherwise.
type tab struct {
	b   *browser
	t   *testing.T
	ctx context.Context

	seen    string // the document that was inspected last
	passing bool   // on the way to a page; what lies there is looked at elsewhere

	mu        sync.Mutex
	heard     []string
	documents map[string]bool // addresses of documents, whose status is the test's business
	failed    []failedLoad
	withheld  []string // cookies that the browser did not send, each with its reason
}

type failedLoad struct{ url, text string }

// overhear notes what the developer tools would show in red. It must not block.
func (p *tab) overhear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	note := func(format string, a ...any) { p.heard = append(p.heard, fmt.Sprintf(format, a...)) }
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			p.documents[e.Request.URL] = true
			if !onThisMachine(e.Request.URL) {
				note("a page elsewhere: %s", e.Request.URL)
			}
		} else if !fromItsPage(e.Request.URL, e.DocumentURL) {
			note("%s asks elsewhere for %s", e.DocumentURL, e.Request.URL)
		}
	case *network.EventRequestWillBeSentExtraInfo:
		for _, c := range e.AssociatedCookies {
			for _, reason := range c.BlockedReasons {
				p.withheld = append(p.withheld, c.Cookie.Name+" "+string(reason))
			}
		}
	case *log.EventEntryAdded:
		// "Failed to load resource" is also said of a page that came with an
		// error status on purpose, such as a form with a fault.
		if e.Entry.Source == log.EntrySourceNetwork {
			p.failed = append(p.failed, failedLoad{e.Entry.URL, e.Entry.Text})
		} else if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
			note("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			note("console.%s: %s", e.Type, consoleText(e.Args))
		}
	case *runtime.EventExceptionThrown:
		what := ""
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			what = thrown.Description
		}
		note("exception: %s %s (%s)", e.ExceptionDetails.Text, what, e.ExceptionDetails.URL)
	case *audits.EventIssueAdded:
		switch e.Issue.Code {
		case "ContentSecurityPolicyIssue", "BlockedByResponseIssue", "MixedContentIssue", "CorsIssue", "QuirksModeIssue":
			details, _ := json.Marshal(e.Issue.Details)
			note("issue %s: %s", e.Issue.Code, details)
		}
	}
}

// fromItsPage reports whether something that a page needs comes from where the
// page comes from, or is in the page.
func fromItsPage(asset, page string) bool {
	a, err1 := url.Parse(asset)
	p, err2 := url.Parse(page)
	return err1 == nil && err2 == nil && (a.Scheme == "data" || a.Scheme == p.Scheme && a.Host == p.Host)
}

func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Scheme == "about")
}

func consoleText(args []*runtime.RemoteObject) string {
	var words []string
	for _, a := range args {
		words = append(words, string(a.Value)+a.Description)
	}
	return strings.Join(words, " ")
}

func (p *tab) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.heard
	for _, f := range p.failed {
		if !p.documents[f.url] {
			all = append(all, f.text+" ("+f.url+")")
		}
	}
	return all
}

// do runs a step, within a test's patience.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if p.seen == "" {
		// The first use starts the browser, and ties its life to the context.
		if err := chromedp.Do(p.ctx); err != nil {
			p.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%v\n%s", err, p.where())
	}
}

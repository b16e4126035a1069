package e2e

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeSource is axe-core, the checker of accessibility rules; empty without it.
var axeSource = sync.OnceValues(func() (string, error) {
	path := os.Getenv("AXE")
	if path == "" {
		path = filepath.Join("node_modules", "axe-core", "axe.min.js")
	}
	b, err := os.ReadFile(path)
	return string(b), err
})

// TestAxeIsThere keeps the other tests from passing without axe unnoticed: they
// run it on every page if it is there, and say nothing if it is not.
func TestAxeIsThere(t *testing.T) {
	if _, err := axeSource(); err != nil {
		const how = "no axe-core, so that no page is checked with it (%v); install it with: npm install (in example/carelink/e2e), or name axe.min.js in AXE"
		if os.Getenv("CI") == "true" {
			t.Fatalf(how, err)
		}
		t.Skipf(how, err)
	}
}

// checked are the pages that axe has seen, as it would see them again.
var checked sync.Map

// axe reports every rule that the page breaks. Two pages that differ in nothing
// but numbers are one page, if there is the same room for them. The size of the
// text, and the room in the other language, are no matter of its rules; looks
// has an eye on them.
func (p *tab) axe() {
	p.t.Helper()
	source, err := axeSource()
	if err != nil || p.b.settings.noScript {
		return // TestAxeIsThere says so; and axe is a script
	}
	kind, err := ask[string](p, `
		const html = document.documentElement, small = getComputedStyle(html).fontSize === '16px';
		if (!small || html.lang !== 'fr' && innerWidth < 1000) return '';
		const parts = [...document.querySelectorAll('title, h1, h2, label, [role=alert], [role=status], iframe')].map(e => e.tagName + clean(e.textContent));
		return [html.lang, innerWidth, ...parts.map(s => s.replace(/\d+/g, ''))].join('|')`)
	if err != nil || kind == "" {
		return // the page has gone on by itself; where it leads is looked at in its turn
	}
	if _, seen := checked.LoadOrStore(kind, true); seen {
		return
	}
	// A frame is a page of its own, which a test opens as such.
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	broken, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](source+`;
		axe.run(document, {
			runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']},
			resultTypes: ['violations'], iframes: false, preload: false,
		}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ' at ' + n.target.join(' ') + ': ' + v.help)))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		if p.document() != p.seen {
			checked.Delete(kind)
			return
		}
		p.t.Errorf("axe at %s: %v", p.address(), err)
	}
	for _, b := range broken {
		p.t.Errorf("%s (%d px): axe: %s", p.address(), p.b.settings.width, b)
	}
}

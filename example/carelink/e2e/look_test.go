package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// inspect looks at the page as every page is looked at, and keeps a picture.
func (p *tab) inspect() {
	p.t.Helper()
	var page sight
	p.until("the page to load", func() bool {
		var err error
		if p.passing {
			page.ID, err = ask[string](p, `return documentID()`)
			return err == nil && page.ID != ""
		}
		page, err = ask[sight](p, `const mock = `+quote(p.b.app.mock)+`, mockFaults = () => {`+mockRules+`};`+looks)
		return err == nil && page.ID != ""
	})
	if page.ID == p.seen {
		return
	}
	p.seen = page.ID
	if p.passing {
		return
	}
	for _, f := range page.Faults {
		p.t.Errorf("%s: %s", p.address(), f)
	}
	p.axe()
	p.b.album.keep(p, "")
}

// A sight is what one look at a page finds.
type sight struct {
	ID     string // of the document; empty while it loads
	Faults []string
}

// looks is how every page is looked at.
const looks = `
	const faults = [], html = document.documentElement;
	if (!html.lang) faults.push('no language');
	if (document.querySelectorAll('h1').length !== 1) faults.push(document.querySelectorAll('h1').length + ' h1');
	if (!document.title.includes(' – ')) faults.push('title ' + document.title);
	if (document.querySelectorAll('main').length !== 1) faults.push('no main');
	const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
	ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => faults.push('two elements have the id ' + id));
	if (html.scrollWidth > innerWidth) {
		const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
		faults.push('sideways scroll: ' + html.scrollWidth + ' px in a window of ' + innerWidth + ': ' +
			wide.slice(0, 5).map(e => e.tagName.toLowerCase() + '.' + e.className + ' ' + clean(e.textContent).slice(0, 40)).join('; '));
	}
	for (const e of document.querySelectorAll('a[href], button, summary, select, textarea, input:not([type=hidden], [type=checkbox], [type=radio])')) {
		const r = e.getBoundingClientRect(), inText = getComputedStyle(e).display === 'inline';
		if (shown(e) && r.right > 0 && !inText && r.height < 43.5) faults.push('a target of ' + Math.round(r.height) + ' px: ' + name(e));
	}
	for (const e of document.querySelectorAll('svg[width]')) {
		if (shown(e) && e.getBoundingClientRect().width < e.getAttribute('width') - 1) faults.push('a squeezed picture beside « ' + name(e.parentElement) + ' »');
	}
	const buttons = [...document.querySelectorAll('button')].filter(shown).map(name);
	buttons.filter((n, i) => buttons.indexOf(n) !== i).forEach(n => faults.push('two buttons are called « ' + n + ' »'));
	const numbers = color => color.match(/[\d.]+/g).map(Number);
	const light = color => {
		const [r, g, b] = color.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
		return .2126 * r + .7152 * g + .0722 * b;
	};
	const ground = e => {
		for (; e; e = e.parentElement) {
			const color = numbers(getComputedStyle(e).backgroundColor);
			if (color.length < 4) return color; // not see-through
		}
		return [255, 255, 255];
	};
	for (const e of document.querySelectorAll('body *')) {
		if (!shown(e) || e.disabled || ![...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim())) continue;
		const a = light(numbers(getComputedStyle(e).color)), b = light(ground(e));
		const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (contrast < 4.5) faults.push('contrast ' + contrast.toFixed(1) + ': ' + clean(e.textContent).slice(0, 40));
	}
	if (location.origin === mock) {
		try { faults.push(...mockFaults()); } catch (e) { faults.push('the rules of the mock: ' + e); }
	}
	const against = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
	for (const e of document.querySelectorAll('input:not([type=hidden]), select, textarea, button.primary, button.danger, a.button')) {
		if (!shown(e) || e.disabled) continue;
		const style = getComputedStyle(e), around = light(ground(e.parentElement));
		const edges = ['borderTopColor', 'backgroundColor'].map(k => numbers(style[k])).filter(c => c.length < 4 || c[3] > 0);
		const drawn = style.appearance !== 'none' && /checkbox|radio/.test(e.type); // by the browser
		if (!drawn && !e.classList.contains('plain') && !edges.some(c => against(light(c), around) >= 3)) faults.push('an outline that cannot be seen: ' + name(e));
	}
	return {ID: documentID(), Faults: faults}`

// An album keeps the pictures of one test, if somebody wants them.
type album struct {
	dir string
	n   int
}

func albumOf(t *testing.T) *album {
	dir := os.Getenv("E2E_SCREENSHOTS")
	if dir == "" {
		return &album{}
	}
	dir = filepath.Join(dir, notInNames.ReplaceAllString(t.Name(), "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &album{dir: dir}
}

var notInNames = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// keep takes a picture of the whole page.
func (a *album) keep(p *tab, mark string) {
	if a.dir == "" {
		return
	}
	title, _ := ask[string](p, `return document.title`)
	p.front()
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Logf("no picture: %v", err)
		return
	}
	a.n++
	name := fmt.Sprintf("%02d %s %s %d.png", a.n, mark, notInNames.ReplaceAllString(title, " "), p.b.settings.width)
	name = strings.Join(strings.Fields(name), "-")
	if err := os.WriteFile(filepath.Join(a.dir, name), picture, 0o644); err != nil {
		p.t.Error(err)
	}
}

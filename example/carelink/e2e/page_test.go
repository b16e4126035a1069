package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// ask evaluates an expression in the page. Between two pages there is nobody to
// answer, so that an error is no news.
func ask[T any](p *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T]("(() => {"+words+expression+"})()"))
}

// words are the few functions that the expressions share. Apostrophes, hyphens and
// blanks are compared whatever their form; people do not see the difference.
const words = `
const clean = s => s.replace(/\s+/g, ' ').replace(/’/g, "'").replace(/\u2011/g, '-').trim();
const shown = e => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0;
const name = e => clean(e.getAttribute('aria-label') || e.textContent);
const pick = (selector, wanted) => {
	wanted = clean(wanted);
	const all = [...document.querySelectorAll(selector)].filter(shown);
	const exact = all.filter(e => name(e) === wanted);
	const found = exact.length ? exact : all.filter(e => name(e).startsWith(wanted));
	return found.length === 1 ? found[0] : null;
};
const documentID = () => document.readyState === 'complete' && location.href !== 'about:blank' ? performance.timeOrigin + ' ' + location.pathname : '';
const active = () => { // within frames, too
	let e = document.activeElement;
	while (e && e.tagName === 'IFRAME' && e.contentDocument) e = e.contentDocument.activeElement;
	return e && e !== e.ownerDocument.body && e !== e.ownerDocument.documentElement ? e : null;
};
const stops = () => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, iframe, [tabindex]')]
	.filter(e => e.tabIndex >= 0 && !e.disabled && e.type !== 'hidden' && shown(e))
	.filter((e, i, all) => {
		const group = all.filter(o => o.type === 'radio' && o.name === e.name);
		return e.type !== 'radio' || e === (group.find(o => o.checked) || group[0]);
	});
const controls = 'a[href], button, summary, label';
`

// until waits for a condition, which is asked again and again.
func (p *tab) until(what string, ok func() bool) {
	p.t.Helper()
	again := time.NewTicker(15 * time.Millisecond)
	defer again.Stop()
	tooLate := time.After(patience)
	for !ok() {
		select {
		case <-again.C:
		case <-tooLate:
			p.t.Fatalf("waited in vain for %s\n%s", what, p.where())
		}
	}
}

// where tells what the tab shows, for the reader of a failure.
func (p *tab) where() string {
	text, err := ask[string](p, `return location.href + '\n' + document.title + '\n' + document.body.innerText`)
	if err != nil {
		return "(the page does not answer: " + err.Error() + ")"
	}
	p.b.album.keep(p, "failure")
	return "the tab shows " + text
}

// document names the page that has finished loading; it is empty until then.
func (p *tab) document() string {
	id, err := ask[string](p, `return documentID()`)
	if err != nil {
		return ""
	}
	return id
}

// arrive waits for another page than the one of before, and inspects it.
func (p *tab) arrive(before string) {
	p.t.Helper()
	p.until("another page", func() bool { id := p.document(); return id != "" && id != before })
	p.inspect()
}

// address is what the address bar shows.
func (p *tab) address() string {
	href, _ := ask[string](p, `return location.href`)
	return href
}

// open goes to a path of CareLink, or to a full address.
func (p *tab) open(path string) {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.b.app.url + path
	}
	p.do(chromedp.Navigate(path))
	p.inspect()
}

func (p *tab) reload() {
	p.t.Helper()
	before := p.document()
	p.do(chromedp.Reload())
	p.arrive(before)
}

func (p *tab) back() {
	p.t.Helper()
	before := p.document()
	entries, err := chromedp.Run(p.ctx, chromedp.NavigationEntries())
	if err != nil || entries.CurrentIndex == 0 {
		p.t.Fatalf("no way back: %v", err)
	}
	// Not chromedp's own action: it waits for a load that a page from the
	// back/forward cache does not have.
	_, err = chromedp.Call(p.ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entries.Entries[entries.CurrentIndex-1].ID})
	if err != nil {
		p.t.Fatal(err)
	}
	p.arrive(before)
}

// front brings the tab before the others; only there it has mouse and keyboard.
func (p *tab) front() {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		p.t.Fatal(err)
	}
}

// spot is the middle of the one control of that name, once the mouse can reach it.
func (p *tab) spot(script, name string) (x, y float64) {
	p.t.Helper()
	p.front()
	var at []float64
	p.until("a control « "+name+" » that can be clicked", func() bool {
		var err error
		at, err = ask[[]float64](p, script+`
			if (!e || document.readyState !== 'complete') return null;
			e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
			const r = e.getClientRects()[0], x = r.left + r.width / 2, y = r.top + r.height / 2;
			const top = document.elementFromPoint(x, y);
			return top && (e.contains(top) || top.contains(e)) ? [x, y] : null`)
		return err == nil && len(at) == 2
	})
	return at[0], at[1]
}

func (p *tab) control(name string) (x, y float64) {
	p.t.Helper()
	return p.spot(`const e = pick(controls, `+quote(name)+`);`, name)
}

// mouse clicks at a spot, and waits for nothing.
func (p *tab) mouse(x, y float64) {
	p.t.Helper()
	p.do(chromedp.MouseClickXY(x, y))
}

// leaveFor goes to an address without waiting for what comes of it.
func (p *tab) leaveFor(address string) {
	p.t.Helper()
	if _, err := ask[chromedp.Void](p, `location.href = `+quote(address)); err != nil {
		p.t.Fatal(err)
	}
}

// callback returns the callback's address that the browser passes meanwhile.
func (p *tab) callback(meanwhile func()) string {
	p.t.Helper()
	meanwhile()
	p.mu.Lock()
	defer p.mu.Unlock()
	for address := range p.documents {
		if strings.Contains(address, "/api/v1/auth/callback?") {
			return address
		}
	}
	p.t.Fatal("the browser passed no callback")
	return ""
}

// press clicks a control that leads to no other page.
func (p *tab) press(name string) {
	p.t.Helper()
	p.mouse(p.control(name))
}

// click follows a link, or sends a form by its button. The name may be cut
// short where it stays the only one.
func (p *tab) click(name string) {
	p.t.Helper()
	x, y := p.control(name)
	before := p.document()
	p.do(chromedp.MouseClickXY(x, y))
	p.arrive(before)
}

// doubleClick is what impatient people do.
func (p *tab) doubleClick(x, y float64) {
	p.t.Helper()
	before := p.document()
	for n := int64(1); n <= 2; n++ {
		click := input.DispatchMouseEventParams{X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: n}
		for _, click.Type = range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
			if _, err := chromedp.Call(p.ctx, input.DispatchMouseEvent, click); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	p.arrive(before)
}

// clickForTab follows a link that opens a tab, and returns that one.
func (p *tab) clickForTab(name string) *tab {
	p.t.Helper()
	return p.opened(func() { p.press(name) })
}

// opened returns the tab that an act opens.
func (p *tab) opened(act func()) *tab {
	p.t.Helper()
	pages := func() map[target.ID]bool {
		infos, err := chromedp.Targets(p.ctx)
		if err != nil {
			p.t.Fatal(err)
		}
		ids := map[target.ID]bool{}
		for _, info := range infos {
			if info.Type == "page" {
				ids[info.TargetID] = true
			}
		}
		return ids
	}
	before := pages()
	act()
	var opened target.ID
	p.until("a new tab", func() bool {
		for id := range pages() {
			if !before[id] {
				opened = id
			}
		}
		return opened != ""
	})
	q := p.b.adopt(p.ctx, chromedp.WithTargetID(opened))
	q.arrive("")
	return q
}

func (p *tab) close() {
	p.t.Helper()
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.t.Fatal(err)
	}
}

// fill types into the field of that label, over what is there.
func (p *tab) fill(label, text string) {
	p.t.Helper()
	x, y := p.spot(`const l = pick('label', `+quote(label)+`), e = l && l.control;`, label)
	p.do(chromedp.MouseClickXY(x, y), chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent(cmp.Or(text, kb.Backspace)))
	p.until("the typed text", func() bool {
		value, _ := ask[string](p, `return pick('label', `+quote(label)+`).control.value`)
		return value == text
	})
}

// choose takes an option of the list of that label, by its value or a part of its
// text.
func (p *tab) choose(label, option string) {
	p.t.Helper()
	p.until("the option « "+option+" »", func() bool {
		done, err := ask[bool](p, `
			const l = pick('label', `+quote(label)+`), e = l && l.control;
			const wanted = clean(`+quote(option)+`);
			const all = e ? [...e.options] : [];
			const o = all.find(o => o.value === wanted) || all.find(o => clean(o.text).includes(wanted));
			if (!o) return false;
			e.value = o.value;
			e.dispatchEvent(new Event('change', {bubbles: true}));
			return true`)
		return err == nil && done
	})
}

// reads reports whether the page shows a text now.
func (p *tab) reads(text string) bool {
	yes, err := ask[bool](p, `return clean(document.body.innerText).includes(clean(`+quote(text)+`))`)
	return err == nil && yes
}

// see waits until the page shows each of the texts.
func (p *tab) see(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until("« "+text+" »", func() bool { return p.reads(text) })
	}
}

// miss fails if the page shows one of the texts.
func (p *tab) miss(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if p.reads(text) {
			p.t.Errorf("the page shows « %s »\n%s", text, p.where())
		}
	}
}

// heading waits for a page with that h1.
func (p *tab) heading(text string) {
	p.t.Helper()
	p.until("a page headed « "+text+" »", func() bool {
		h1, err := ask[bool](p, `const h = document.querySelector('h1'); return document.readyState === 'complete' && !!h && clean(h.textContent) === clean(`+quote(text)+`)`)
		return err == nil && h1
	})
	p.inspect()
}

// at waits until the address bar shows that path of CareLink.
func (p *tab) at(path string) {
	p.t.Helper()
	p.until("the page "+path, func() bool { return p.address() == p.b.app.url+path && p.document() != "" })
	p.inspect()
}

// atMock waits for a page of the simulated Pro Santé Connect.
func (p *tab) atMock(h1 string) {
	p.t.Helper()
	p.heading(h1)
	if !strings.HasPrefix(p.address(), p.b.app.mock) {
		p.t.Fatalf("%s is not a page of the mock", p.address())
	}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// intercept stops the next request whose address matches a pattern, as somebody
// does who listens in: it never reaches the server. The page stays as it is.
func (p *tab) intercept(pattern string) (caught func() string) {
	p.t.Helper()
	addresses := make(chan string, 1)
	ctx, stop := context.WithCancel(p.ctx)
	err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*fetch.EventRequestPaused); ok {
			go func() { // no command may be sent from within a listener
				chromedp.Call(ctx, fetch.FailRequest, fetch.FailRequestParams{RequestID: e.RequestID, ErrorReason: network.ErrorReasonAborted})
				select {
				case addresses <- e.Request.URL:
				default:
				}
			}()
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = chromedp.Call(p.ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: pattern}}})
	if err != nil {
		p.t.Fatal(err)
	}
	return func() string {
		p.t.Helper()
		defer stop()
		select {
		case address := <-addresses:
			if _, err := chromedp.Call(p.ctx, fetch.Disable, cdp.Empty{}); err != nil {
				p.t.Fatal(err)
			}
			return address
		case <-time.After(patience):
			p.t.Fatalf("no request for %s\n%s", pattern, p.where())
			return ""
		}
	}
}

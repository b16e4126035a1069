package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A habit is how somebody has set up their browser.
type habit func(*settings)

type settings struct {
	width, height int64
	flags         []chromedp.ExecAllocatorOption
}

// narrow is a window of 320 pixels, the least that pages must bear.
func narrow(s *settings) { s.width, s.height = 320, 640 }

// largeText is text at 200 %, as people set it in their browser.
func largeText(s *settings) { s.blink("defaultFontSize=32") }

// noScript is a browser that runs no script.
func noScript(s *settings) { s.blink("scriptEnabled=false") }

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

	seen string // the document that was inspected last

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
		note("exception: %s (%s)", e.ExceptionDetails.Text, e.ExceptionDetails.URL)
	case *audits.EventIssueAdded:
		switch e.Issue.Code {
		case "ContentSecurityPolicyIssue", "BlockedByResponseIssue", "MixedContentIssue", "CorsIssue", "QuirksModeIssue":
			details, _ := json.Marshal(e.Issue.Details)
			note("issue %s: %s", e.Issue.Code, details)
		}
	}
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

// The mock lists people by name and profession, because of namesakes.
type person struct{ name, profession string }

var (
	dupont  = person{"Dr Jean DUPONT", "médecin généraliste"}
	dentist = person{"Dr Jean DUPONT", "chirurgien-dentiste"}
	martin  = person{"Dr Claire MARTIN", "médecin généraliste"}
	benali  = person{"Karim BENALI", "infirmier"}
	girard  = person{"Paul GIRARD", "pharmacien"}
	vidal   = person{"Marc VIDAL", "urgentiste"}
	neant   = person{"Sacha NEANT", "sans dossier"}
)

// button is the mock's button to be somebody at once.
func (p *tab) button(who person) (x, y float64) {
	p.t.Helper()
	// The list of people is closed where there is little room.
	if closed, err := ask[bool](p, `return !document.querySelector('aside details').open`); err == nil && closed {
		p.press("Personnages")
	}
	return p.spot(`
		const li = [...document.querySelectorAll('aside li')].find(e => clean(e.textContent).startsWith(`+quote(who.name)+`) && clean(e.textContent).includes(`+quote(who.profession)+`));
		const e = li && shown(li) ? li.querySelector('button') : null;`, "Se connecter comme "+who.name)
}

// clickPerson signs in as somebody, at the mock's sign-in page.
func (p *tab) clickPerson(who person) {
	p.t.Helper()
	x, y := p.button(who)
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
	p.do(chromedp.MouseClickXY(x, y), chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent(text))
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
			const o = e && [...e.options].find(o => o.value === wanted || clean(o.text).includes(wanted));
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

// inspect looks at the page as every page is looked at, and keeps a picture.
func (p *tab) inspect() {
	p.t.Helper()
	var page struct {
		ID     string
		Faults []string
	}
	p.until("the page to load", func() bool {
		var err error
		page, err = ask[struct {
			ID     string
			Faults []string
		}](p, looks)
		return err == nil && page.ID != ""
	})
	if page.ID == p.seen {
		return
	}
	p.seen = page.ID
	for _, f := range page.Faults {
		p.t.Errorf("%s: %s", p.address(), f)
	}
	p.b.album.keep(p, "")
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
	return {ID: documentID(), Faults: faults}`

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

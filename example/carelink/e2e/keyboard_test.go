package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The whole walk by somebody who has no mouse: Tab, Enter, Space, and the arrows
// in a list. Wherever the focus is, it can be seen.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	p := start(t).newBrowser(t).first
	p.open("/")
	p.key(kb.Tab)
	p.focused("Aller au contenu") // the first stop of every page
	p.tabTo("S'identifier avec Pro Santé Connect")
	p.enter()
	p.atMock("Connectez-vous")

	p.key(kb.Tab)
	p.focused("Aller au contenu")
	p.tabTo("Carte CPS")
	p.enter()
	p.tabTo("Carte dans le lecteur (simulé)")
	p.listTo("Dr Jean DUPONT")
	p.tabTo("SE CONNECTER AVEC LA CARTE CPS")
	p.space()
	p.heading("Code porteur")
	p.tabTo("Code porteur (4 chiffres)")
	p.key("0000")
	p.enter()
	p.see("Code porteur erroné.")
	p.focused("Il y a une erreur") // the summary takes the focus
	p.tabTo("Code porteur (4 chiffres)")
	p.key("5678")
	p.enter()
	p.at("/patients")

	p.key(kb.Tab)
	p.focused("Aller au contenu")
	p.key(kb.Enter)
	p.until("the content to be reached", func() bool { return strings.HasSuffix(p.address(), "#contenu") })
	p.tabTo("Rechercher un patient") // past the menu
	p.tabTo("Ouvrir le dossier de Rose FABLE")
	p.enter()
	p.at("/patients/42")

	p.tabTo("Type")
	p.listTo("Autonomie")
	p.tabTo("Score (0 à 10)")
	p.key("11")
	p.tabTo("Enregistrer")
	p.space()
	p.see("Le score va de 0 à 10.")
	p.focused("Erreur : l'évaluation n'est pas enregistrée")
	p.tabTo("Le score va de 0 à 10.")
	p.key(kb.Enter)
	p.focused("Score (0 à 10)") // the summary leads to the field
	p.key("a", chromedp.KeyModifiers(kb.ModifierCtrl))
	p.key("7")
	p.tabTo("Observations (2 000 caractères au plus)")
	p.key("Marche avec une canne.")
	p.tabTo("Enregistrer")
	p.enter()
	p.see("Évaluation enregistrée le", "Marche avec une canne.")

	p.tabTo("Se déconnecter")
	p.enter()
	p.heading("Vous êtes déconnecté")
	p.tabTo("Se reconnecter")
	p.enter()
	p.atMock("Connectez-vous")
}

// The telephone and the page that waits for it, without a mouse as well.
func TestTelephoneByKeyboard(t *testing.T) {
	t.Parallel()
	p := start(t).newBrowser(t).first
	p.open("/patients")
	p.atMock("Connectez-vous")
	p.tabTo("Ouvrir le téléphone simulé (nouvel onglet)")
	phone := p.opened(func() { p.key(kb.Enter) })
	phone.heading("À qui est ce téléphone ?")
	phone.tabTo("Dr Jean DUPONT médecin généraliste") // the list is one stop
	for range 20 {
		phone.key(kb.ArrowDown)
		phone.focusVisible()
		if phone.focus() == "Un téléphone sans e-CPS (l'imposteur)" {
			break
		}
	}
	phone.focused("Un téléphone sans e-CPS (l'imposteur)")
	phone.key(kb.ArrowDown) // round to the first
	phone.focused("Dr Jean DUPONT médecin généraliste")
	phone.tabTo("C'est mon téléphone")
	phone.enter()
	phone.heading("Connexion demandée")
	phone.tabTo("Oui, c'est le même")
	phone.space()
	phone.tabTo("Code à 4 chiffres")
	phone.key("1234")
	phone.enter()
	phone.heading("Connexion validée")
	phone.close()
	p.at("/patients")
}

// key presses keys, in whatever has the focus.
func (p *tab) key(keys string, opts ...chromedp.KeyOption) {
	p.t.Helper()
	p.front()
	p.do(chromedp.KeyEvent(keys, append(opts, asKeyboardsDo)...))
}

// asKeyboardsDo makes the browser forget the character of a key that has done
// something already, as with a real keyboard. Otherwise the Enter that follows a
// link to a field would send the field's form as well.
func asKeyboardsDo(k *input.DispatchKeyEventParams) {
	if k.Type == input.DispatchKeyEventTypeKeyDown {
		k.Type = input.DispatchKeyEventTypeRawKeyDown
	}
}

// enter and space press a key that leads to another page.
func (p *tab) enter() { p.t.Helper(); p.keyAway(kb.Enter) }
func (p *tab) space() { p.t.Helper(); p.keyAway(" ") }

func (p *tab) keyAway(key string) {
	p.t.Helper()
	before := p.document()
	p.key(key)
	p.arrive(before)
}

// focus is what has the focus, as people would name it.
func (p *tab) focus() string {
	p.t.Helper()
	name, err := ask[string](p, `
		const e = active();
		if (!e) return '';
		const label = e.labels && e.labels[0];
		return label && e.tagName !== 'BUTTON' ? clean(label.textContent) : name(e)`)
	if err != nil {
		p.t.Fatal(err)
	}
	return name
}

// focused waits until the focus is on what has that name, or begins with it.
func (p *tab) focused(name string) {
	p.t.Helper()
	p.until("the focus on « "+name+" »", func() bool { return strings.HasPrefix(p.focus(), name) })
	p.focusVisible()
}

// tabTo presses Tab until the focus is there, and looks at it at every stop.
func (p *tab) tabTo(name string) {
	p.t.Helper()
	var stops []string
	for range 100 {
		if now := p.focus(); now == name {
			return
		} else {
			stops = append(stops, now)
		}
		p.key(kb.Tab)
		p.focusVisible()
	}
	p.t.Fatalf("Tab does not lead to « %s »; it stops at %q", name, stops)
}

// focusVisible fails if nobody can see where the focus is.
func (p *tab) focusVisible() {
	p.t.Helper()
	fault, err := ask[string](p, `
		const e = active();
		if (!e) return ''; // the browser's own bar
		const {innerWidth, innerHeight} = e.ownerDocument.defaultView;
		const style = getComputedStyle(e), r = e.getBoundingClientRect();
		const marked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
		if (!marked) return 'has no outline';
		if (r.width < 1 || r.height < 1) return 'has no size';
		if (r.bottom <= 0 || r.right <= 0 || r.top >= innerHeight || r.left >= innerWidth) return 'is out of sight';
		const x = Math.min(Math.max(r.left + r.width / 2, 0), innerWidth - 1), y = Math.min(Math.max(r.top + r.height / 2, 0), innerHeight - 1);
		const top = e.ownerDocument.elementFromPoint(x, y);
		return top && (e.contains(top) || top.contains(e)) ? '' : 'is hidden behind something'`)
	if err != nil {
		p.t.Fatal(err)
	}
	if fault != "" {
		p.t.Errorf("%s: the focus on « %s » %s", p.address(), p.focus(), fault)
	}
}

// tour goes once round the page by Tab. Every control has its turn, in the order
// of the page, and none keeps the focus.
func (p *tab) tour() {
	p.t.Helper()
	var order []int
	n, err := ask[int](p, `return stops().length`)
	if err != nil {
		p.t.Fatal(err)
	}
	at := func() int {
		i, err := ask[int](p, `return stops().indexOf(document.activeElement)`)
		if err != nil {
			p.t.Fatal(err)
		}
		return i
	}
	for range 2*n + 50 { // a frame has stops of its own
		p.key(kb.Tab)
		p.focusVisible()
		i := at()
		if len(order) > 0 && i == order[0] {
			break
		}
		if i >= 0 && (len(order) == 0 || i != order[len(order)-1]) {
			order = append(order, i)
		}
	}
	for k, i := range order {
		if i != (order[0]+k)%n {
			p.t.Errorf("%s: Tab goes through the %d controls in the order %d", p.address(), n, order)
			return
		}
	}
	if len(order) != n {
		p.t.Errorf("%s: of %d controls Tab reaches %d: %d", p.address(), n, len(order), order)
		return
	}
	for range 2 { // the browser's own bar may be between
		p.key(kb.Tab, chromedp.KeyModifiers(kb.ModifierShift))
		if at() == order[n-1] {
			return
		}
	}
	p.t.Errorf("%s: Shift and Tab do not go back", p.address())
}

// listTo presses the arrow in a list until an option is chosen.
func (p *tab) listTo(option string) {
	p.t.Helper()
	for range 30 {
		chosen, err := ask[string](p, `const e = document.activeElement; return clean(e.options[e.selectedIndex].text)`)
		if err != nil {
			p.t.Fatal(err)
		}
		if strings.Contains(chosen, option) {
			return
		}
		p.key(kb.ArrowDown)
	}
	p.t.Fatalf("the list has no « %s »", option)
}

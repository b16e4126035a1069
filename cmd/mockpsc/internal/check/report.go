package check

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Finding is a rule that the application breaks, and all that shows it.
type Finding struct {
	ID       string   `json:"id"`
	Severity string   `json:"severity"`
	What     words    `json:"what"`
	Source   string   `json:"source"`
	Do       words    `json:"do"`
	Seen     []words  `json:"seen"`
	Cases    []string `json:"cases"` // such as "fault:expired"
	How      string   `json:"how"`   // to see it again
}

// A Report is the card.
type Report struct {
	App      string    `json:"app"`
	Mock     string    `json:"mock"`
	Client   string    `json:"client"`
	SignedIn string    `json:"signed_in"` // how the page answers to who is in
	Out      string    `json:"signed_out"`
	Status   int       `json:"status"` // of exit
	Passed   int       `json:"passed"`
	Failed   int       `json:"failed"`
	Skipped  int       `json:"skipped"`
	Parallel int       `json:"parallel"`
	Stopped  bool      `json:"interrupted,omitempty"`
	Seconds  float64   `json:"seconds"`
	Findings []Finding `json:"findings"`
	Cases    []Case    `json:"cases"`
}

// report sums up the cases.
func (c *checker) report(took time.Duration) *Report {
	c.withoutUserinfo()
	taken := map[string]bool{} // the faults that opened a session
	broken := map[string]bool{}
	for _, k := range c.cases {
		if k.Status == failed {
			broken[k.Rule] = true
			if name, ok := strings.CutPrefix(k.ID, "fault:"); ok && k.Rule == kinOf(name, k.Group).rule {
				taken[name] = true
			}
		}
	}
	for i := range c.cases {
		k := &c.cases[i]
		name, ok := strings.CutPrefix(k.ID, "fault:")
		if k.Status != failed {
			continue
		}
		if ok && taken[name] {
			for _, plainer := range kinOf(name, k.Group).plainer {
				if taken[plainer] {
					k.Rule = kinOf(plainer, placeOf(c.cases, plainer)).rule
					break
				}
			}
		}
		for _, wider := range within[k.Rule] {
			if broken[wider] {
				k.Rule = wider
				break
			}
		}
	}
	r := &Report{
		App: cleaned(c.app), Mock: c.base.String(), Client: c.client,
		SignedIn: c.like.in.String(), Out: c.like.outs[0].String(),
		Parallel: c.opt.Parallel, Seconds: took.Seconds(), Cases: c.cases, Findings: []Finding{},
	}
	for i := range rules {
		f := Finding{ID: rules[i].id, Severity: advice, What: rules[i].what, Source: rules[i].source, Do: rules[i].do}
		shown := slices.DeleteFunc(slices.Clone(c.cases), func(k Case) bool { return k.Status != failed || k.Rule != f.ID })
		slices.SortStableFunc(shown, func(a, b Case) int { // what shows it best comes first
			return cmp.Or(ranks[b.Severity]-ranks[a.Severity], b.own()-a.own(), strings.Compare(a.ID, b.ID))
		})
		for _, k := range shown {
			f.Cases = append(f.Cases, k.ID)
			if !slices.Contains(f.Seen, k.Seen) {
				f.Seen = append(f.Seen, k.Seen)
			}
			if f.How == "" {
				f.How = k.How
			}
			if ranks[k.Severity] > ranks[f.Severity] {
				f.Severity = k.Severity
			}
		}
		if f.Cases != nil {
			r.Findings = append(r.Findings, f)
			r.Status = max(r.Status, ranks[f.Severity])
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return ranks[b.Severity] - ranks[a.Severity] })
	hindered, all := 0, 0
	for _, k := range c.cases {
		if strings.HasPrefix(k.ID, "fault:") && (k.hindered || k.Status != skipped) {
			all++
			if k.hindered {
				hindered++
			}
		}
		switch k.Status {
		case passed:
			r.Passed++
		case failed:
			r.Failed++
		default:
			r.Skipped++
		}
	}
	r.Stopped = c.patience.run.Err() != nil
	if (r.Stopped || 10*hindered > all) && r.Status < ranks[serious] {
		r.Status = tooLittle
	}
	return r
}

// tooLittle is the status where more than one fault in ten that should have been
// tried could not be, and nothing serious was found all the same.
const tooLittle = 4

// own is 1 if a fault is of the rule that it breaks by itself, and not because a
// wider one is broken.
func (k Case) own() int {
	if name, ok := strings.CutPrefix(k.ID, "fault:"); ok && kinOf(name, k.Group).rule != k.Rule {
		return 0
	}
	return 1
}

func placeOf(cases []Case, fault string) string {
	for _, k := range cases {
		if k.ID == "fault:"+fault {
			return k.Group
		}
	}
	return ""
}

// withoutUserinfo takes an application that lives without userinfo for what it
// is: what userinfo says is not tried there. Only a page that shows who is in
// tells such a one from another that takes whatever userinfo says, if it comes.
func (c *checker) withoutUserinfo() {
	lives, used := 0, false
	for _, k := range c.cases {
		switch k.ID {
		case "fault:userinfo-500", "fault:userinfo-reset", "fault:userinfo-refused":
			if k.Status == failed && k.Rule == "answer-form" {
				lives++
			}
		}
		used = used || k.Group == "userinfo" && k.another
	}
	if lives < 3 {
		return
	}
	c.tried("userinfo", "userinfo-unused", true, "userinfo a répondu 500, puis rien : la session s'est ouverte", "userinfo answered 500, then nothing: the session was opened", "userinfo-500")
	for i := range c.cases {
		k := &c.cases[i]
		if used && k.Rule != "answer-form" && k.Rule != "redirect-followed" {
			continue // what it says is taken, if it is understood
		}
		if (k.Group == "userinfo" || k.ID == "fault:sub-of-another") && k.Status == failed && k.Rule == kinOf(strings.TrimPrefix(k.ID, "fault:"), k.Group).rule {
			*k = Case{ID: k.ID, Group: k.Group, Status: skipped, Seen: words{"l'application se passe de userinfo", "the application does without userinfo"}}
			if !used && len(c.like.personal) == 0 {
				k.hinder("l'application se passe de userinfo, ou prend celui d'un autre : donner à -signed-in une page avec le nom de la personne",
					"the application does without userinfo, or takes another person's: give -signed-in a page with the name of the person")
			}
		}
	}
}

var severityWords = map[string]words{
	critical: {"CRITIQUE", "CRITICAL"}, serious: {"SÉRIEUX", "SERIOUS"}, minor: {"MINEUR", "MINOR"}, advice: {"CONSEIL", "ADVICE"},
}

var groupWords = []struct {
	group string
	words words
}{
	{"request", words{"Demande de connexion", "Authorization request"}},
	{"callback", words{"Retour", "Callback"}},
	{"token", words{"Réponse du jeton", "Token answer"}},
	{"id_token", words{"ID token", "ID token"}},
	{"userinfo", words{"Userinfo", "Userinfo"}},
	{"keys", words{"Clés", "Keys"}},
	{"metadata", words{"Métadonnées", "Metadata"}},
	{"return", words{"Retour à la page", "Way back"}},
	{"session", words{"Session", "Session"}},
	{"logout", words{"Déconnexion", "Logout"}},
	{"logout_token", words{"Jeton de déconnexion", "Logout token"}},
	{"drill", words{"Pannes", "Incidents"}},
	{"after", words{"Après", "Afterwards"}},
}

var verdicts = []words{
	{"Rien à redire.", "Nothing to find fault with."},
	{"Quelques petites choses : l'application prend ce qu'aucun fournisseur honnête n'envoie.", "Small things: the application takes what no honest provider sends."},
	{"Sérieux : une serrure parmi d'autres manque.", "Serious: one lock of several is missing."},
	{"Critique : quelqu'un peut entrer, ou entrer sous le nom d'un autre. Ne pas mettre en production.", "Critical: somebody can get in, or get in as somebody else. Do not put this into production."},
	tooLittle: {"Trop peu a pu être essayé : cela ne dit rien de l'application. Lever ce qui est dit sous « Pas essayé », et recommencer.", "Too little could be tried: this says nothing about the application. Mend what stands under “Not tried”, and run it again."},
}

// Text writes the card for people, in French or English.
func (r *Report) Text(w io.Writer, lang string) error {
	t := func(fr, en string) string { return words{fr, en}.in(lang) }
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s (client %s)\n", t("Application", "Application"), r.App, r.Client)
	fmt.Fprintf(&b, "%s  %s\n", t("Simulateur ", "Mock       "), r.Mock)
	fmt.Fprintf(&b, "%s  %s ; %s  %s\n\n", t("Connecté   ", "Signed in  "), r.SignedIn, t("sinon", "otherwise"), r.Out)
	width := 0
	for _, g := range groupWords {
		width = max(width, len([]rune(g.words.in(lang))))
	}
	for _, g := range groupWords {
		n := map[string]int{}
		for _, k := range r.Cases {
			if k.Group == g.group {
				n[k.Status]++
			}
		}
		if len(n) == 0 {
			continue
		}
		mark := "✓"
		if n[failed] > 0 {
			mark = "✗"
		} else if n[passed] == 0 {
			mark = "–"
		}
		name := g.words.in(lang)
		fmt.Fprintf(&b, "%s %s%s  %3d %s", mark, name, strings.Repeat(" ", width-len([]rune(name))), n[passed], t("bien", "fine"))
		if n[failed] > 0 {
			fmt.Fprintf(&b, ", %d %s", n[failed], t("mal", "not"))
		}
		if n[skipped] > 0 {
			fmt.Fprintf(&b, ", %d %s", n[skipped], t("pas essayé", "not tried"))
		}
		b.WriteByte('\n')
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n[%s] %s\n  %s\n", severityWords[f.Severity].in(lang), f.ID, f.What.in(lang))
		var seen []string
		for _, s := range f.Seen {
			seen = append(seen, s.in(lang))
		}
		fmt.Fprintf(&b, "  %s %s\n", t("Vu :      ", "Seen:     "), strings.Join(shorten(seen, 3), " ; "))
		if faults := faultsOf(f.Cases); len(faults) > 0 {
			fmt.Fprintf(&b, "  %s %s\n", t("Défauts : ", "Faults:   "), strings.Join(shorten(faults, 8), ", "))
		}
		fmt.Fprintf(&b, "  %s %s\n", t("Revoir :  ", "Again:    "), r.again(f, lang))
		fmt.Fprintf(&b, "  %s %s\n", t("Règle :   ", "Rule:     "), f.Source)
		fmt.Fprintf(&b, "  %s %s\n", t("Que faire :", "To do:    "), f.Do.in(lang))
	}
	reasons := map[string]int{}
	var order []string
	for _, k := range r.Cases {
		if k.Status == skipped {
			why := k.Seen.in(lang)
			if reasons[why]++; reasons[why] == 1 {
				order = append(order, why)
			}
		}
	}
	if len(order) > 0 {
		fmt.Fprintf(&b, "\n%s\n", t("Pas essayé", "Not tried"))
	}
	for _, why := range order {
		fmt.Fprintf(&b, "  %d × %s\n", reasons[why], why)
	}
	fmt.Fprintf(&b, "\n%d %s, %d %s, %d %s, %d %s, %.0f s\n%s\n", r.Passed+r.Failed+r.Skipped, t("épreuves", "checks"), r.Passed, t("bien", "fine"),
		r.Failed, t("mal", "not"), r.Skipped, t("pas essayées", "not tried"), r.Seconds, verdicts[r.Status].in(lang))
	if r.Stopped {
		b.WriteString(t("Interrompu : le reste n'a pas été essayé.\n", "Interrupted: the rest was not tried.\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// again says how to see a finding once more.
func (r *Report) again(f Finding, lang string) string {
	faults := faultsOf(f.Cases)
	if !slices.Contains(faults, f.How) {
		return f.How
	}
	return words{"le défaut " + f.How + " à la page de connexion, ou l'émetteur " + r.Mock + realmPath + "~" + f.How,
		"the fault " + f.How + " on the sign-in page, or the issuer " + r.Mock + realmPath + "~" + f.How}.in(lang)
}

func faultsOf(cases []string) []string {
	var list []string
	for _, id := range cases {
		if name, ok := strings.CutPrefix(id, "fault:"); ok {
			list = append(list, name)
		}
	}
	return list
}

func shorten(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	return append(slices.Clone(list[:n]), fmt.Sprintf("… (%d)", len(list)))
}

// JSON writes all there is, in both languages.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// JUnit writes one testcase per case, as most CI servers read it. Advice is no
// failure.
func (r *Report) JUnit(w io.Writer, lang string) error {
	type message struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Failure *message `xml:"failure"`
		Skipped *message `xml:"skipped"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Time     string     `xml:"time,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	suite := testsuite{Name: "mockpsc check " + r.App, Tests: len(r.Cases), Skipped: r.Skipped, Time: fmt.Sprintf("%.1f", r.Seconds)}
	for _, k := range r.Cases {
		tc := testcase{Class: "mockpsc.check." + k.Group, Name: k.ID}
		switch {
		case k.Status == failed && k.Severity != advice:
			rule := ruleByID[k.Rule]
			suite.Failures++
			tc.Failure = &message{k.Seen.in(lang), k.Severity + " " + k.Rule, rule.what.in(lang) + "\n" + rule.source + "\n" + rule.do.in(lang)}
		case k.Status == skipped:
			tc.Skipped = &message{Message: k.Seen.in(lang)}
		}
		suite.Cases = append(suite.Cases, tc)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPagesKeepTheRules holds each page, as different people see it, against the
// rules that a program can check: language, title, one h1, skip link, landmarks,
// names of fields, no script and no style that the policy would stop.
func TestPagesKeepTheRules(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	stranger := d.browser()
	doctor, _ := d.signedIn("dr-dupont")
	pharmacist, _ := d.signedIn("pharma-girard")
	nobody, _ := d.signedIn("sans-dossier")
	bad := url.Values{"type": {"x"}, "score": {"11"}, "observations": {strings.Repeat("é", 2001)}}
	for _, tt := range []struct {
		name, title string
		a           answer
	}{
		{"home", "CareLink, le suivi partagé de vos patients", stranger.get("/")},
		{"accessibility", "Accessibilité", stranger.get("/accessibilite")},
		{"legal", "Mentions", stranger.get("/mentions")},
		{"no such page", "Page introuvable", stranger.get("/nothing")},
		{"patients", "Mes patients", doctor.get("/patients")},
		{"a search", "Mes patients", doctor.get("/patients?q=rose")},
		{"a search without a result", "Mes patients", doctor.get("/patients?q=%3Cscript%3E")},
		{"a patient", "Rose FABLE, 69 ans", doctor.get("/patients/42")},
		{"a faulty form", "Erreur : Rose FABLE, 69 ans", doctor.post("/patients/42/evaluations", bad)},
		{"no such patient", "Patient introuvable", doctor.get("/patients/50")},
		{"identity", "Mon identité", doctor.get("/me")},
		{"a patient, to the pharmacist", "Rose FABLE, 69 ans", pharmacist.get("/patients/80")},
		{"closed evaluations", "Vous êtes identifié, mais pas autorisé ici", pharmacist.get("/patients/80/evaluations")},
		{"nobody's patients", "Aucune situation professionnelle transmise", nobody.get("/patients")},
		{"nobody's identity", "Mon identité", nobody.get("/me")},
		{"legal, signed in", "Mentions", doctor.get("/mentions")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, header := tt.a.body, tt.a.header
			title := regexp.MustCompile(`<title>(.*?)</title>`).FindStringSubmatch(body)
			if age := regexp.MustCompile(`\d+ ans`); title == nil || age.ReplaceAllString(title[1], "69 ans") != tt.title+" – CareLink" {
				t.Errorf("title %q, want %q", title, tt.title+" – CareLink")
			}
			for what, n := range map[string]int{"<h1": 1, "<header": 1, "<main": 1, "<footer": 1, `<html lang="fr">`: 1, `href="#contenu">Aller au contenu`: 1,
				`id="contenu"`: 1, "<script": 0, "style=": 0, "<style": 0, "javascript:": 0} {
				if strings.Count(body, what) != n {
					t.Errorf("%d × %s, want %d", strings.Count(body, what), what, n)
				}
			}
			if handler := regexp.MustCompile(`<[^>]*\son\w+=`).FindString(body); handler != "" {
				t.Errorf("a script in %s", handler)
			}
			if first := regexp.MustCompile(`<a [^>]*>`).FindString(body); !strings.Contains(first, "#contenu") {
				t.Errorf("the first link is %s", first)
			}
			ids := map[string]bool{}
			for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if ids[m[1]] {
					t.Errorf("id %s twice", m[1])
				}
				ids[m[1]] = true
			}
			for _, m := range regexp.MustCompile(`(?:for|aria-labelledby|aria-describedby|href)="#?([^"/]*)"`).FindAllStringSubmatch(body, -1) {
				for _, id := range strings.Fields(m[1]) {
					if !ids[id] && !strings.Contains(m[0], `href="h`) {
						t.Errorf("%s leads to nothing", m[0])
					}
				}
			}
			for _, field := range regexp.MustCompile(`<(?:input|select|textarea)[^>]*>`).FindAllString(body, -1) {
				id := regexp.MustCompile(`\sid="([^"]*)"`).FindStringSubmatch(field)
				if id == nil || !strings.Contains(body, `<label for="`+id[1]+`"`) {
					t.Errorf("no label for %s", field)
				}
			}

			policy := header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'self'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("policy %q lacks %q", policy, want)
				}
			}
			if strings.Contains(policy, "unsafe") {
				t.Errorf("policy %q", policy)
			}
			if h := header; h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" || !strings.Contains(h.Get("Cache-Control"), "no-store") {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestStaticFiles(t *testing.T) {
	d := start(t, time.Now, somewhere(t)...)
	b := d.browser()
	found := regexp.MustCompile(`"(/static/[^"]+)"`).FindAllStringSubmatch(b.get("/").body, -1)
	if len(found) != 2 {
		t.Fatalf("the page loads %v", found)
	}
	for _, m := range found {
		a := b.get(m[1]).wantStatus(http.StatusOK)
		if !strings.Contains(a.header.Get("Cache-Control"), "immutable") || a.body == "" || strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %v", m[1], a.header)
		}
	}
	b.get("/static/style.css").wantStatus(http.StatusNotFound)
	b.get("/static/..%2fpages.go").wantStatus(http.StatusNotFound)
}

// TestMarkup: a name that contains markup is a name.
func TestMarkup(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	b, page := d.signedIn("dent-dupont")
	for _, a := range []answer{page, b.get("/patients/93"), b.get("/patients?q=%3Ctest%3E")} {
		if strings.Contains(a.body, "<test>") || !strings.Contains(a.text(), "O'REVE <test>") {
			t.Errorf("%s: %s", a.path, a.text())
		}
	}
	b.post("/patients/93/evaluations", url.Values{"type": {"follow_up"}, "observations": {`</textarea><script>alert(1)</script>`}}).
		wantStatus(http.StatusOK).want(`</textarea><script>alert(1)</script>`)
	if a := b.get("/patients/93"); strings.Contains(a.body, "<script") {
		t.Error("an observation became markup")
	}
	bad := b.post("/patients/93/evaluations", url.Values{"type": {`"><script>`}, "score": {`"><script>`}, "observations": {`</textarea><script>`}})
	if bad.wantStatus(http.StatusUnprocessableEntity); strings.Contains(bad.body, "<script") {
		t.Error("what was typed became markup")
	}
}

func TestSearch(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	b, _ := d.signedIn("dr-dupont")
	for _, tt := range []struct{ q, want string }{
		{"epopee", "D'UTOPIE-L'ÉPOPÉE"},
		{"Rose fable", "FABLE"},
		{"fable rose", "FABLE"},
		{"EMILE", "BROUILLON"},
		{"%", ""},
		{"lumiere", ""}, // another practice's
		{"rose songe", ""},
	} {
		rows := regexp.MustCompile(`role="rowheader">([^<]*) [^ <]*</th>`).FindAllStringSubmatch(b.get("/patients?q="+url.QueryEscape(tt.q)).body, -1)
		got := ""
		for _, r := range rows {
			got += strings.ReplaceAll(r[1], "&#39;", "'")
		}
		if tt.q == "%" {
			if len(rows) != 8 {
				t.Errorf("a search for no word finds %d, want all", len(rows))
			}
		} else if got != tt.want {
			t.Errorf("%q finds %q, want %q", tt.q, got, tt.want)
		}
	}
}

// TestForm: what the form refuses is said twice and typed text stays.
func TestForm(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	b, _ := d.signedIn("dr-dupont")
	before := d.row(`SELECT count(*) FROM evaluations`)
	long := strings.Repeat("é", 2001)
	for _, tt := range []struct {
		name, kind, score, observations string
		faults                          []string
	}{
		{"nothing", "", "", "", []string{"Choisissez un type.", "Le score va de 0 à 10."}},
		{"an unknown type", "fever", "3", "", []string{"Choisissez un type."}},
		{"no score", "pain", "", "x", []string{"Le score va de 0 à 10."}},
		{"a score beyond", "pain", "11", "x", []string{"Le score va de 0 à 10."}},
		{"a negative score", "pain", "-1", "x", []string{"Le score va de 0 à 10."}},
		{"a fraction", "pain", "3.5", "x", []string{"Le score va de 0 à 10."}},
		{"a word", "follow_up", "trois", "x", []string{"Le score va de 0 à 10."}},
		{"a general score beyond", "follow_up", "11", "x", []string{"Le score va de 0 à 10."}},
		{"too long", "follow_up", "", long, []string{"Observations trop longues : 2001 caractères."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := b.post("/patients/40/evaluations", url.Values{"type": {tt.kind}, "score": {tt.score}, "observations": {tt.observations}})
			a.t = t
			a.wantStatus(http.StatusUnprocessableEntity)
			for _, fault := range tt.faults {
				if strings.Count(a.text(), fault) != 2 {
					t.Errorf("%q is said %d times, want in the summary and at the field", fault, strings.Count(a.text(), fault))
				}
			}
			if n := strings.Count(a.body, `aria-invalid="true"`); n != len(tt.faults) {
				t.Errorf("%d invalid fields, want %d", n, len(tt.faults))
			}
			if !strings.Contains(a.body, `role="alert"`) || tt.observations != "" && !strings.Contains(a.body, "\n"+tt.observations+"</textarea>") {
				t.Error("no summary, or the text is lost")
			}
		})
	}
	if after := d.row(`SELECT count(*) FROM evaluations`); after != before {
		t.Errorf("%d evaluations after faulty forms, %d before", after, before)
	}

	b.post("/patients/40/evaluations", url.Values{"type": {"follow_up"}, "observations": {strings.Repeat("é\r\n", 1000)}}).wantStatus(http.StatusOK).want("Évaluation enregistrée le")
	b.post("/patients/40/evaluations", url.Values{"type": {"autonomy"}, "score": {" 10 "}}).wantStatus(http.StatusOK).want("Autonomie", "10 / 10")
	b.get("/patients/40?enregistree=1").wantNot("Évaluation enregistrée") // another patient's
	b.get("/patients/42?enregistree=1").wantNot("Évaluation enregistrée") // somebody else's
	b.do(b.request("POST", "/patients/40/evaluations", strings.Repeat("a", 100_000), "Content-Type", "application/x-www-form-urlencoded", "Origin", b.url)).wantStatus(http.StatusBadRequest)
	b.do(b.request("POST", "/patients/40/evaluations", "type=follow_up", "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example")).wantStatus(http.StatusForbidden)
	b.signOut()
	b.post("/patients/40/evaluations", url.Values{"type": {"follow_up"}}).wantStatus(http.StatusUnauthorized).want("Votre session a expiré avant l'envoi")
}

// TestBroken: when the data cannot be read, the person gets a reference and the
// log the cause under it.
func TestBroken(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	b, _ := d.signedIn("dr-dupont")
	if _, err := dbExec(t, d.db, `ALTER TABLE patients RENAME TO gone`); err != nil {
		t.Fatal(err)
	}
	a := b.get("/patients").wantStatus(http.StatusInternalServerError).want("Un incident est survenu").wantNot("SQL", "patients:")
	_, reference, _ := strings.Cut(a.text(), "Référence à communiquer à l'assistance : ")
	reference, _, _ = strings.Cut(reference, " ")
	if len(reference) != 8 || !strings.Contains(d.log.String(), "reference="+reference) {
		t.Errorf("reference %q, log:\n%s", reference, d.log)
	}
	var e apiError
	b.api("GET", "/api/v1/patients", "").wantStatus(http.StatusInternalServerError).json(&e)
	if e.Error != "internal" || !strings.Contains(d.log.String(), "reference="+e.Reference) {
		t.Errorf("%+v", e)
	}
	if strings.Contains(d.log.String(), "DUPONT") || strings.Contains(d.log.String(), "99999001011") {
		t.Errorf("the log names a person:\n%s", d.log)
	}
}

// Who shares a PC must find the way out wherever they are.
func TestTheSignOutIsOnEveryPage(t *testing.T) {
	d := start(t, newClock().now, somewhere(t)...)
	doctor, _ := d.signedIn("dr-dupont")
	nobody, _ := d.signedIn("sans-dossier")
	for _, tt := range []struct {
		name string
		a    answer
	}{
		{"home", doctor.get("/")},
		{"patients", doctor.get("/patients")},
		{"a patient", doctor.get("/patients/42")},
		{"no such patient", doctor.get("/patients/50")},
		{"no such page", doctor.get("/nothing")},
		{"identity", doctor.get("/me")},
		{"legal", doctor.get("/mentions")},
		{"accessibility", doctor.get("/accessibilite")},
		{"patients of nobody", nobody.get("/patients")},
	} {
		_, form, _ := strings.Cut(tt.a.body, `method="post" action="/api/v1/auth/logout"`)
		if form, _, _ = strings.Cut(form, "</form>"); !strings.Contains(form, `type="submit">Se déconnecter</button>`) {
			t.Errorf("%s: no way out of %s", tt.name, tt.a.path)
		}
	}
}

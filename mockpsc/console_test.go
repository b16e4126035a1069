package mockpsc_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// A developer sits at the console, in a browser without JavaScript.
type developer struct {
	t      *testing.T
	base   string
	client *http.Client
}

func (d *developer) look(path string) string {
	d.t.Helper()
	resp, page := get(d.t, d.client, d.base+path)
	if resp.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %d %.300s", path, resp.StatusCode, page)
	}
	return page
}

// press posts a form and returns where it leads and the page that is there.
func (d *developer) press(pairs ...string) (string, string) {
	d.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	resp, err := stay(d.client).PostForm(d.base+"/_mock/do", form)
	if err != nil {
		d.t.Fatal(err)
	}
	page := body(d.t, resp)
	if resp.StatusCode == http.StatusSeeOther {
		to := resp.Header.Get("Location")
		if strings.HasPrefix(to, "/") {
			page = d.look(strings.Split(to, "#")[0])
		}
		return to, page
	}
	if resp.StatusCode != http.StatusBadRequest {
		d.t.Fatalf("%v: %d %.300s", pairs, resp.StatusCode, page)
	}
	return "", page
}

func TestTheConsole(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	mock.Clients = []mockpsc.Client{
		{ID: "carelink", Secret: "carelink-secret", Name: "CareLink", RedirectURIs: []string{rp.redirectURI()}, StartURL: rp.URL + "/login"},
		{ID: "silent", Secret: "s", RedirectURIs: []string{"http://localhost:4000/cb"}},
	}
	dev := &developer{t, mock.URL, newBrowser(t)}

	t.Run("is linked to from the front page, and has its parts", func(t *testing.T) {
		expect(t, dev.look("/"), `<a href="/_mock/">Ouvrir la console</a>`)
		page := dev.look("/_mock/")
		var headings []string
		for _, m := range regexp.MustCompile(`<h2[^>]*>([^<]+)</h2>`).FindAllStringSubmatch(page, -1) {
			headings = append(headings, strings.ReplaceAll(m[1], "&#39;", "'"))
		}
		want := "Requêtes | Pannes et mensonges | Clients | Personnages | Sessions | Horloge | Clés | Exercices d'incident | Tout remettre à zéro"
		if got := strings.Join(headings, " | "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		expect(t, page, "Aucune requête pour le moment.", "Personne n'est connecté.", ">Se connecter à CareLink<")
		for _, f := range mockpsc.Faults() {
			if !strings.Contains(page, `<option value="`+f.Name+`"`) {
				t.Errorf("%s cannot be chosen", f.Name)
			}
		}
		expect(t, dev.look("/_mock/?lang=en"), "Incident drills", "Reset everything")
		dev.look("/_mock/?lang=fr")
	})
	t.Run("queues a lie, and shows what came of it", func(t *testing.T) {
		to, page := dev.press("do", "queue", "client", "carelink", "fault", "wrong-nonce", "count", "1", "state", "")
		if to != "/_mock/#faults" {
			t.Errorf("leads to %q", to)
		}
		expect(t, page, "<code>wrong-nonce</code> × 1")
		rp.signIn(t, "dr-dupont")
		page = dev.look("/_mock/")
		if strings.Contains(page, "<code>wrong-nonce</code> × 1") {
			t.Error("the lie still waits")
		}
		expect(t, page, "contrôles en échec : 1", "mensonge : wrong-nonce", "Dr Jean DUPONT</strong> – carelink")
		detail := regexp.MustCompile(`href="(/_mock/requests/\d+)"`).FindStringSubmatch(page)
		if detail == nil {
			t.Fatal("no way to a request")
		}
		one := dev.look(detail[1])
		expect(t, one, "✗ à refuser", "nonce (3.1.3.7, rule 11)", "✓ conforme", "••• (15)", "the ID token carries another nonce than the one sent")
		if strings.Contains(one, "carelink-secret") || strings.Contains(one, verifier) {
			t.Error("a secret is shown")
		}
		if only := dev.look("/_mock/?client=silent"); strings.Contains(only, `<li><a href="/_mock/requests/`) {
			t.Error("another client's requests are shown")
		}
		if resp, _ := get(t, http.DefaultClient, mock.URL+"/_mock/requests/99999"); resp.StatusCode != 404 {
			t.Errorf("an unknown request: %d", resp.StatusCode)
		}
	})
	t.Run("leads to the application with a lie that waits", func(t *testing.T) {
		if to, _ := dev.press("do", "start", "client", "carelink", "fault", "expired", "count", "1"); to != rp.URL+"/login" {
			t.Errorf("leads to %q", to)
		}
		_, page := dev.press("do", "unqueue")
		if strings.Contains(page, "<code>expired</code>") {
			t.Error("the queue is not empty")
		}
	})
	t.Run("blocks, unblocks, changes and edits people", func(t *testing.T) {
		_, page := dev.press("do", "ecps", "persona", "dr-dupont", "value", "blocked")
		expect(t, page, "Débloquer l'e-CPS", "Changer sa situation : ")
		if _, err := mock.SignIn(newBrowser(t), rp.URL+"/login", "dr-dupont/ecps"); err == nil {
			t.Error("a blocked e-CPS works")
		}
		dev.press("do", "ecps", "persona", "dr-dupont", "value", "active")
		rp.signIn(t, "dr-dupont/ecps")
		if _, page = dev.press("do", "change", "persona", "inf-roux", "value", "moves"); strings.Contains(page, "Refusé") {
			t.Error("no change")
		}
		edit := dev.look("/_mock/?edit=dr-dupont")
		if !strings.Contains(edit, `&#34;id&#34;: &#34;dr-dupont&#34;`) {
			t.Error("the document is not there")
		}
		text, err := os.ReadFile("personas/01-dr-dupont.json")
		if err != nil {
			t.Fatal(err)
		}
		document := strings.NewReplacer(`"dr-dupont"`, `"dr-new"`, dupont, "899999009998", "Dr Jean DUPONT", "Dr Anne NEUVE").Replace(string(text))
		if _, page = dev.press("do", "document", "document", strings.ReplaceAll(document, "\n", "\r\n")); !strings.Contains(page, "Dr Anne NEUVE") {
			t.Error("nobody new")
		}
		_, page = dev.press("do", "document", "document", strings.ReplaceAll(document, "899999009998", "899999009999"))
		expect(t, page, "Erreur", "the key of the RPPS number 99999009999 is wrong", `"national_id": "899999009999"`)
	})
	t.Run("ends a session", func(t *testing.T) {
		c, _ := rp.signIn(t, "dr-martin")
		sid := regexp.MustCompile(`name="value" value="([0-9a-f-]{36})"`).FindStringSubmatch(dev.look("/_mock/"))
		if sid == nil {
			t.Fatal("no session")
		}
		dev.press("do", "end", "value", sid[1]) // the latest
		if _, page := get(t, c, rp.authURL(nil)); !strings.Contains(page, "Connectez-vous") {
			t.Error("still signed in")
		}
	})
	t.Run("moves the clock, the keys and the drills", func(t *testing.T) {
		_, page := dev.press("do", "freeze")
		expect(t, page, "arrêtée", "Relancer l'horloge")
		dev.press("do", "advance", "value", "12h")
		_, page = dev.press("do", "resume")
		now := regexp.MustCompile(`class="now">([^<]+)<`).FindStringSubmatch(page)
		if now == nil {
			t.Fatal("no clock")
		}
		shown, err := time.ParseInLocation(time.DateTime, now[1], time.Local)
		if ahead := time.Until(shown); err != nil || ahead < 12*time.Hour-time.Minute || ahead > 12*time.Hour {
			t.Errorf("the clock is %v ahead, %v", ahead, err)
		}
		_, page = dev.press("do", "rotate")
		expect(t, page, "ancienne, encore publiée")
		if _, page = dev.press("do", "withdraw"); strings.Contains(page, "ancienne, encore publiée") {
			t.Error("the former keys are still there")
		}
		_, page = dev.press("do", "drill", "value", "outage")
		expect(t, page, "en cours", "Terminer l'exercice")
		dev.press("do", "drill", "value", "")
	})
	t.Run("says what is wrong", func(t *testing.T) {
		for _, pairs := range [][]string{
			{"do", "eat"}, {"do", "queue", "client", "nobody", "fault", "expired", "count", "1"}, {"do", "queue", "client", "carelink", "fault", "expired", "count", "many"},
			{"do", "advance", "value", "-1h"}, {"do", "drill", "value", "fire"}, {"do", "change", "persona", "nobody", "value", "moves"}, {"do", "ecps", "persona", "nobody", "value", "blocked"},
			{"do", "document", "document", "<script>evil()</script>"},
		} {
			to, page := dev.press(pairs...)
			if to != "" || !strings.Contains(page, "Refusé : ") || strings.Contains(page, "<script>evil") {
				t.Errorf("%v: leads to %q", pairs, to)
			}
		}
	})
	t.Run("starts again", func(t *testing.T) {
		to, page := dev.press("do", "reset")
		if to != "/_mock/" || strings.Contains(page, "Dr Anne NEUVE") {
			t.Errorf("leads to %q", to)
		}
		expect(t, page, "Aucune requête pour le moment.", "Personne n'est connecté.")
	})
	t.Run("takes no form of another site", func(t *testing.T) {
		req, err := http.NewRequest("POST", mock.URL+"/_mock/do", strings.NewReader("do=reset"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", formType)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, resp); resp.StatusCode != 403 {
			t.Errorf("got %d %.200s", resp.StatusCode, text)
		}
	})
}

// What comes in requests goes out in pages, and is harmless there.
func TestHostileRequestsInTheConsole(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	dev := &developer{t, mock.URL, newBrowser(t)}
	for i, evil := range hostile {
		get(t, stay(newBrowser(t)), rp.authURL(map[string]string{"scope": evil, "state": "s" + evil}))
		get(t, http.DefaultClient, mock.URL+"/auth?"+url.QueryEscape(evil)+"=x&client_id="+url.QueryEscape(evil))
		page := dev.look("/_mock/") + dev.look(fmt.Sprint("/_mock/requests/", 2*i+1)) + dev.look(fmt.Sprint("/_mock/requests/", 2*i+2))
		for _, bad := range []string{"<script>evil", "<img", "onerror=evil()>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%.30q: the page holds %s", evil, bad)
			}
		}
	}
}

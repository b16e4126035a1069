package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	realm = "/auth/realms/esante-wallet"
	oidc  = realm + "/protocol/openid-connect"
)

// mockProgram builds the command mockpsc, once for all tests.
var mockProgram = sync.OnceValues(func() (string, error) {
	return build("mockpsc", filepath.Join("..", "..", "..", "cmd", "mockpsc"))
})

// runMock runs the command mockpsc until the test ends, with one application
// declared to it, and returns the two in place of the mock and of CareLink.
func runMock(t *testing.T, flags ...string) *carelink {
	t.Helper()
	requireChromium(t)
	path, err := mockProgram()
	if err != nil {
		t.Fatal(err)
	}
	app := newAgenda(t)
	declared := agendaID + ":" + agendaSecret + ":" + app.url + "/callback," + app.url + "/bye"
	cmd := exec.Command(path, append([]string{"-addr", "127.0.0.1:0", "-client", declared}, flags...)...)
	terminal, log := launch(t, cmd)
	line, err := terminal.ReadString('\n')
	m := mockLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("mockpsc did not start: %v\n%s%s", err, line, log.String())
	}
	go io.Copy(io.Discard, terminal)
	app.use(strings.TrimSuffix(m[1], "/"))
	return &carelink{url: app.url, mock: app.psc.Load().(string)}
}

const agendaID, agendaSecret = "agenda", "agenda-secret"

// An agenda is the smallest application that people sign in to: it sends them to
// Pro Santé Connect and shows who comes back, or why nobody does.
type agenda struct {
	url string
	psc atomic.Value // base URL of the mock
}

func (a *agenda) use(mock string) { a.psc.Store(mock) }

// newAgenda serves the application until the test ends: at localhost, so that it
// is another site than the mock at 127.0.0.1, as in reality.
func newAgenda(t *testing.T) *agenda {
	a := &agenda{}
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, h1, text string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		agendaPage.Execute(w, map[string]string{"H1": h1, "Text": text})
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { page(w, "Agenda", "") })
	mux.HandleFunc("GET /bye", func(w http.ResponseWriter, r *http.Request) { page(w, "Au revoir", "") })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		q := url.Values{
			"client_id": {agendaID}, "redirect_uri": {a.url + "/callback"}, "response_type": {"code"},
			"scope": {"openid scope_all"}, "acr_values": {"eidas1"}, "state": {"s"}, "nonce": {"n"},
		}
		for name, values := range r.URL.Query() { // to ask for something else; "" leaves it out
			if q[name] = values; values[0] == "" {
				delete(q, name)
			}
		}
		http.Redirect(w, r, a.psc.Load().(string)+oidc+"/auth?"+q.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /logout", func(w http.ResponseWriter, r *http.Request) {
		q := url.Values{"client_id": {agendaID}, "post_logout_redirect_uri": {a.url + "/bye"}}
		http.Redirect(w, r, a.psc.Load().(string)+oidc+"/logout?"+q.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("code") == "" || q.Get("state") != "s" {
			page(w, "Non connecté", cmp.Or(q.Get("error"), "?"))
			return
		}
		who, err := a.redeem(q.Get("code"))
		if err != nil {
			t.Error(err)
		}
		page(w, "Connecté", who)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	a.url = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	return a
}

var agendaPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="fr"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.H1}} – l'application</title><link rel="icon" href="data:,">
<main><h1>{{.H1}}</h1><p>{{.Text}}</p><p><a href="/login">Se connecter</a></p><p><a href="/logout">Se déconnecter</a></p></main></html>`))

// redeem exchanges a code, and returns the name of whom it stands for.
func (a *agenda) redeem(code string) (string, error) {
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.url + "/callback"}}
	if err := a.call("/token", form, "", &tokens); err != nil {
		return "", err
	}
	var who struct {
		Given  string `json:"given_name"`
		Family string `json:"family_name"`
	}
	err := a.call("/userinfo", nil, tokens.AccessToken, &who)
	return who.Given + " " + who.Family, err
}

// call posts a form as the application, or as the bearer of a token.
func (a *agenda) call(path string, form url.Values, token string, answer any) error {
	r, err := http.NewRequest(http.MethodPost, a.psc.Load().(string)+oidc+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if r.SetBasicAuth(agendaID, agendaSecret); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

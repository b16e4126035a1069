package mockpsc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

const (
	cibaGrant = "urn:openid:params:grant-type:ciba"
	dupont    = "899999001011"
	pending   = `{"error":"authorization_pending","error_description":"The authorization request is still pending as the end-user hasn't yet been authenticated."}`
)

// thickClient is an application without a browser.
type thickClient struct {
	t    *testing.T
	mock *mockpsc.Server
	now  *clock
}

func newThickClient(t *testing.T) *thickClient {
	mock, now := newMockWithClock(t)
	return &thickClient{t, mock, now}
}

// ask sends a correct request, then changed: "" removes.
func (c *thickClient) ask(change map[string]string) (int, string) {
	c.t.Helper()
	form := map[string]string{
		"client_id": "carelink", "client_secret": "carelink-secret", "scope": "openid scope_all", "acr_values": "eidas1",
		"login_hint": dupont, "binding_message": "07", "channel": "MOBILE",
	}
	for k, v := range change {
		form[k] = v
	}
	var pairs []string
	for k, v := range form {
		if v != "" {
			pairs = append(pairs, k, v)
		}
	}
	resp, text := submit(c.t, http.DefaultClient, c.mock.URL+issuerPath+"/protocol/openid-connect/ext/ciba/auth", pairs...)
	return resp.StatusCode, text
}

func (c *thickClient) begin(change map[string]string) (id string) {
	c.t.Helper()
	status, text := c.ask(change)
	var ans struct {
		ID string `json:"auth_req_id"`
	}
	if err := json.Unmarshal([]byte(text), &ans); status != 200 || err != nil || ans.ID == "" {
		c.t.Fatalf("got %d %s", status, text)
	}
	return ans.ID
}

func (c *thickClient) pollAs(client, id string) tokens {
	c.t.Helper()
	rp := &relyingParty{mock: c.mock}
	return rp.exchange(c.t, map[string][]string{
		"grant_type": {cibaGrant}, "auth_req_id": {id}, "client_id": {client}, "client_secret": {client + "-secret"},
	})
}

// poll waits as long as it must.
func (c *thickClient) poll(id string) tokens {
	c.t.Helper()
	c.now.advance(time.Second)
	return c.pollAs("carelink", id)
}

func TestCIBARequest(t *testing.T) {
	c := newThickClient(t)
	for _, tt := range []struct {
		name   string
		change map[string]string
		status int
		err    string
	}{
		{"a correct request", nil, 200, ""},
		{"scopes the other way round", map[string]string{"scope": "scope_all openid"}, 200, ""},
		{"by card", map[string]string{"channel": "CARD"}, 200, ""},
		{"a wish for the expiry", map[string]string{"requested_expiry": "60"}, 200, ""},
		{"nonsense for the expiry", map[string]string{"requested_expiry": "soon"}, 400, "invalid_request"},
		{"a wrong secret", map[string]string{"client_secret": "x"}, 401, "unauthorized_client"},
		{"an unknown client", map[string]string{"client_id": "x"}, 401, "invalid_client"},
		{"no scope", map[string]string{"scope": ""}, 400, "invalid_scope"},
		{"another scope", map[string]string{"scope": "openid"}, 400, "invalid_scope"},
		{"no acr_values", map[string]string{"acr_values": ""}, 400, "invalid_request"},
		{"no hint", map[string]string{"login_hint": ""}, 400, "invalid_request"},
		{"two hints", map[string]string{"id_token_hint": "x"}, 400, "invalid_request"},
		{"two hints, one a token", map[string]string{"login_hint_token": "x"}, 400, "invalid_request"},
		{"another hint", map[string]string{"login_hint": "", "id_token_hint": "x"}, 400, "invalid_request"},
		{"a request object", map[string]string{"request": "x"}, 400, "invalid_request"},
		{"nobody", map[string]string{"login_hint": "899999009998"}, 400, "unknown_user_id"},
		{"the mock's name of somebody", map[string]string{"login_hint": "dr-dupont"}, 400, "unknown_user_id"},
		{"a number without its prefix", map[string]string{"login_hint": dupont[1:]}, 400, "unknown_user_id"},
		{"an e-CPS that is not activated", map[string]string{"login_hint": personaOf(t, "inf-benali").NationalID}, 403, "access_denied"},
		{"no number", map[string]string{"binding_message": ""}, 400, "invalid_binding_message"},
		{"one digit", map[string]string{"binding_message": "7"}, 400, "invalid_binding_message"},
		{"three digits", map[string]string{"binding_message": "123"}, 400, "invalid_binding_message"},
		{"letters", map[string]string{"binding_message": "ab"}, 400, "invalid_binding_message"},
		{"digits of another alphabet", map[string]string{"binding_message": "١"}, 400, "invalid_binding_message"},
		{"no channel", map[string]string{"channel": ""}, 400, "invalid_request"},
		{"another channel", map[string]string{"channel": "mobile"}, 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, text := c.ask(tt.change)
			if status != tt.status || tt.err != "" && !strings.Contains(text, `{"error":"`+tt.err+`"`) {
				t.Errorf("got %d %s, want %d %s", status, text, tt.status, tt.err)
			}
			if status == 200 && !regexp.MustCompile(`^\{"auth_req_id":"eyJ[\w.-]+","expires_in":120,"interval":1\}$`).MatchString(text) {
				t.Errorf("got %s", text)
			}
		})
	}
}

func personaOf(t *testing.T, id string) mockpsc.Persona {
	t.Helper()
	for _, p := range mockpsc.Personas() {
		if p.ID == id {
			return p
		}
	}
	t.Fatal("no persona " + id)
	return mockpsc.Persona{}
}

func TestCIBAOnThePhone(t *testing.T) {
	c := newThickClient(t)
	id := c.begin(nil)
	if tok := c.pollAs("carelink", id); tok.Status != 400 || tok.Body != pending {
		t.Errorf("at once: got %d %s", tok.Status, tok.Body)
	}
	_, start := get(t, http.DefaultClient, c.mock.URL+"/")
	expect(t, start, "Demandes sans navigateur", "CareLink</strong> demande à vous identifier", "Ouvrir le téléphone simulé de Dr Jean DUPONT")
	phone := device{t, c.mock.URL + only(t, regexp.MustCompile(`href="(/_mock/phone/[^"]+)"`), start)}
	if strings.Contains(id, strings.TrimPrefix(phone.address, c.mock.URL)) {
		t.Error("the client holds the phone's address")
	}
	expect(t, phone.show(), "CareLink</strong> demande à vous identifier", "Nombre à vérifier : 0 7", "Téléphone de Dr Jean DUPONT")
	expect(t, phone.answer("pin", "1234"), "Oui, c'est le même") // the number first
	expect(t, phone.answer("same", "yes"), "Votre code e-CPS")
	expect(t, phone.answer("pin", "9999"), "Code erroné")
	if tok := c.poll(id); tok.Body != pending {
		t.Errorf("after a wrong code: got %s", tok.Body)
	}
	expect(t, phone.answer("pin", "1234"), "Connexion validée")
	if tok := c.pollAs("carelink", "x"+id); tok.Error != "invalid_grant" {
		t.Errorf("another auth_req_id: got %s", tok.Body)
	}
	tok := c.poll(id)
	if tok.Status != 200 {
		t.Fatalf("got %d %s", tok.Status, tok.Body)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"token answer", tok.Body, "access_token expires_in refresh_expires_in refresh_token token_type id_token not-before-policy session_state scope"},
		{"ID token", payload(t, tok.IDToken), "exp iat auth_time jti iss aud sub typ azp session_state at_hash sid authMode acr SubjectNameID preferred_username given_name family_name"},
		{"access token", payload(t, tok.AccessToken), "exp iat auth_time jti iss sub typ azp session_state preferred_username email_verified acr scope sid"},
	} {
		if got := memberNames(t, tt.text); got != tt.want {
			t.Errorf("%s: got members\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
	rp := &relyingParty{mock: c.mock}
	if claims, err := rp.verify(t, tok.IDToken); err != nil || claims["SubjectNameID"] != dupont || claims["authMode"] != "MOBILE" {
		t.Errorf("ID token: %v %v", claims, err)
	}
	if status, text := rp.userinfo(t, tok.AccessToken); status != 200 || !strings.Contains(text, dupont) {
		t.Errorf("userinfo: got %d %s", status, text)
	}
	if again := c.poll(id); again.Error != "invalid_grant" {
		t.Errorf("a second time: got %s", again.Body)
	}
	expect(t, phone.show(), "Cette demande a déjà été traitée.")
	if _, start := get(t, http.DefaultClient, c.mock.URL+"/"); strings.Contains(start, "CIBA") {
		t.Error("the start page still lists it")
	}
}

func TestCIBAByCard(t *testing.T) {
	c := newThickClient(t)
	id := c.begin(map[string]string{"channel": "CARD"})
	_, start := get(t, http.DefaultClient, c.mock.URL+"/")
	expect(t, start, "Ouvrir le lecteur de carte simulé de Dr Jean DUPONT")
	reader := device{t, c.mock.URL + only(t, regexp.MustCompile(`href="(/_mock/card/[^"]+)"`), start)}
	expect(t, reader.show(), "Code porteur", "Nombre à vérifier : 0 7", "CPS-Gestion", "pas cette page")
	expect(t, reader.answer("pin", ""), "Saisissez votre code à 4 chiffres.")
	expect(t, reader.answer("pin", "12"), "Le code compte 4 chiffres.")
	expect(t, reader.answer("pin", "9999"), "Il vous reste 2 essai(s).")
	if tok := c.poll(id); tok.Body != pending {
		t.Errorf("after a wrong code: got %s", tok.Body)
	}
	expect(t, reader.answer("pin", personaOf(t, "dr-dupont").Card.PIN), "Connexion validée", "Revenez à CareLink.")
	tok := c.poll(id)
	if tok.Status != 200 || !strings.Contains(payload(t, tok.IDToken), `"authMode":"CARD"`) {
		t.Errorf("got %d %s", tok.Status, tok.Body)
	}
	expect(t, reader.show(), "Cette demande a déjà été traitée.")

	t.Run("a reader's ticket opens no phone", func(t *testing.T) {
		id := c.begin(map[string]string{"channel": "CARD"})
		_, start := get(t, http.DefaultClient, c.mock.URL+"/")
		phone := device{t, c.mock.URL + "/_mock/phone/" + only(t, regexp.MustCompile(`href="/_mock/card/([^"]+)"`), start)}
		phone.answer("same", "yes")
		expect(t, phone.answer("pin", personaOf(t, "dr-dupont").ECPS.PIN), "Cette demande a déjà été traitée.")
		if tok := c.poll(id); tok.Body != pending {
			t.Errorf("the code of the e-CPS has answered for the card: %d %s", tok.Status, tok.Body)
		}
		if err := c.mock.AnswerCIBA(dupont, ""); err != nil { // out of the way
			t.Error(err)
		}
	})
	t.Run("a phone's ticket opens no reader", func(t *testing.T) {
		c.begin(nil)
		_, start := get(t, http.DefaultClient, c.mock.URL+"/")
		ticket := only(t, regexp.MustCompile(`href="/_mock/phone/([^"]+)"`), start)
		resp, _ := get(t, http.DefaultClient, c.mock.URL+"/_mock/card/"+ticket)
		if resp.StatusCode != http.StatusGone {
			t.Errorf("got %d", resp.StatusCode)
		}
		for _, r := range c.mock.Requests() {
			if strings.Contains(r.Path, ticket) {
				t.Error("a ticket stands in the log")
			}
		}
	})
}

func TestCIBAAnswers(t *testing.T) {
	wrong := func(c *thickClient) {
		c.t.Helper()
		if err := c.mock.AnswerCIBA(dupont, "9999"); err == nil {
			c.t.Error("a wrong code is no error")
		}
	}
	for _, channel := range []string{"MOBILE", "CARD"} {
		pin := personaOf(t, "dr-dupont").ECPS.PIN
		if channel == "CARD" {
			pin = personaOf(t, "dr-dupont").Card.PIN
		}
		right := func(c *thickClient) {
			c.t.Helper()
			if err := c.mock.AnswerCIBA(dupont, pin); err != nil {
				c.t.Error(err)
			}
		}
		for _, tt := range []struct {
			name   string
			person func(*thickClient)
			err    string
		}{
			{"nothing", func(*thickClient) {}, "authorization_pending"},
			{"the right code", right, ""},
			{"two wrong codes, then the right one", func(c *thickClient) { wrong(c); wrong(c); right(c) }, ""},
			{"three wrong codes", func(c *thickClient) { wrong(c); wrong(c); wrong(c) }, "access_denied"},
			{"no", func(c *thickClient) { c.mock.AnswerCIBA(dupont, "") }, "access_denied"},
			{"too late", func(c *thickClient) {
				c.now.advance(120 * time.Second)
				if c.mock.AnswerCIBA(dupont, pin) == nil {
					c.t.Error("a late answer is no error")
				}
			}, "expired_token"},
			{"in time, but the client comes too late", func(c *thickClient) { right(c); c.now.advance(120 * time.Second) }, "expired_token"},
		} {
			t.Run(channel+"/"+tt.name, func(t *testing.T) {
				c := newThickClient(t)
				id := c.begin(map[string]string{"channel": channel})
				tt.person(c)
				if tok := c.poll(id); tok.Error != tt.err || tt.err == "" && tok.Status != 200 {
					t.Errorf("got %d %s, want %q", tok.Status, tok.Body, tt.err)
				}
			})
		}
	}
	t.Run("three wrong codes block the means", func(t *testing.T) {
		c := newThickClient(t)
		c.begin(nil)
		for range 3 {
			wrong(c)
		}
		if status, text := c.ask(nil); status != 403 || !strings.Contains(text, "blocked") {
			t.Errorf("got %d %s", status, text)
		}
		if status, _ := c.ask(map[string]string{"channel": "CARD"}); status != 200 {
			t.Errorf("the card: got %d", status)
		}
	})
	t.Run("nobody asked", func(t *testing.T) {
		c := newThickClient(t)
		if err := c.mock.AnswerCIBA(dupont, "1234"); err == nil {
			t.Error("no error")
		}
		if err := c.mock.AnswerCIBA("x", "1234"); err == nil {
			t.Error("no error for nobody")
		}
	})
	t.Run("a refusal is told once", func(t *testing.T) {
		c := newThickClient(t)
		id := c.begin(nil)
		c.mock.AnswerCIBA(dupont, "")
		if got := fmt.Sprint(c.poll(id).Error, " ", c.poll(id).Error); got != "access_denied invalid_grant" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("an expired request is forgotten in the end", func(t *testing.T) {
		c := newThickClient(t)
		id := c.begin(nil)
		c.now.advance(10 * time.Minute)
		if tok := c.pollAs("carelink", id); tok.Error != "invalid_grant" {
			t.Errorf("got %s", tok.Body)
		}
	})
}

func TestCIBASlowDown(t *testing.T) {
	c := newThickClient(t)
	id := c.begin(nil)
	for i, tt := range []struct {
		wait time.Duration
		want string
	}{
		{0, "authorization_pending"},
		{900 * time.Millisecond, "slow_down"}, // from now on 6 s
		{5 * time.Second, "slow_down"},        // from now on 11 s
		{11 * time.Second, "authorization_pending"},
		{10 * time.Second, "slow_down"},
		{16 * time.Second, "authorization_pending"},
	} {
		c.now.advance(tt.wait)
		if tok := c.pollAs("carelink", id); tok.Status != 400 || tok.Error != tt.want {
			t.Errorf("question %d: got %d %s, want %s", i+1, tok.Status, tok.Body, tt.want)
		}
	}
	if err := c.mock.AnswerCIBA(dupont, "1234"); err != nil {
		t.Fatal(err)
	}
	if tok := c.pollAs("carelink", id); tok.Error != "slow_down" {
		t.Errorf("early after the approval: got %s", tok.Body)
	}
	c.now.advance(21 * time.Second)
	if tok := c.pollAs("carelink", id); tok.Status != 200 {
		t.Errorf("patient after the approval: got %s", tok.Body)
	}
}

func TestCIBAIsBoundToTheClient(t *testing.T) {
	c := newThickClient(t)
	c.mock.Clients = []mockpsc.Client{
		{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{"https://a.example/"}},
		{ID: "other", Secret: "other-secret", RedirectURIs: []string{"https://b.example/"}},
	}
	id := c.begin(nil)
	if err := c.mock.AnswerCIBA(dupont, "1234"); err != nil {
		t.Fatal(err)
	}
	if tok := c.pollAs("other", id); tok.Error != "invalid_grant" {
		t.Errorf("another client: got %s", tok.Body)
	}
	if tok := c.pollAs("carelink", id); tok.Status != 200 {
		t.Errorf("the right client after that: got %s", tok.Body)
	}
}

func TestCIBARequestsAreAnsweredLatestFirst(t *testing.T) {
	c := newThickClient(t)
	first, second := c.begin(nil), c.begin(map[string]string{"binding_message": "99"})
	if err := c.mock.AnswerCIBA(dupont, "1234"); err != nil {
		t.Fatal(err)
	}
	if a, b := c.pollAs("carelink", first), c.pollAs("carelink", second); a.Error != "authorization_pending" || b.Status != 200 {
		t.Errorf("got %s and %s", a.Body, b.Body)
	}
	c.mock.Reset()
	if tok := c.poll(first); tok.Error != "invalid_grant" {
		t.Errorf("after Reset: got %s", tok.Body)
	}
}

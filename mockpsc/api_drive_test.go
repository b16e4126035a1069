package mockpsc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// redeem takes the way back from a sign-in to the tokens.
func (d *driver) redeem(rp *relyingParty, location string) tokens {
	d.t.Helper()
	return rp.exchange(d.t, rp.form(query(d.t, location).Get("code")))
}

func nonceOf(t *testing.T, tok tokens) string {
	t.Helper()
	var claims struct{ Nonce string }
	if tok.Status != 200 {
		t.Fatalf("tokens: %d %s", tok.Status, tok.Body)
	}
	if err := json.Unmarshal([]byte(payload(t, tok.IDToken)), &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Nonce
}

func TestASignInWithoutABrowser(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)

	t.Run("leads where a browser is led, without a cookie", func(t *testing.T) {
		ask := fmt.Sprintf(`{"authorization_url":%q,"persona":"dr-dupont","means":"card"}`, rp.authURL(nil))
		resp, text := send(t, "POST", mock.URL+"/_mock/api/sign-in", "application/json", ask)
		var answer map[string]string
		if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer) != 1 || len(resp.Cookies()) > 0 {
			t.Fatalf("%v %s %v", err, text, resp.Header)
		}
		back := answer["redirect_to"]
		if q := query(t, back); !strings.HasPrefix(back, rp.redirectURI()+"?state=the-state&session_state=") || q.Get("iss") != mock.URL+issuerPath {
			t.Errorf("redirect_to %s", back)
		}
		tok := d.redeem(rp, back)
		if !strings.Contains(payload(t, tok.IDToken), `"authMode":"CARD"`) {
			t.Errorf("ID token %s", payload(t, tok.IDToken))
		}
	})
	t.Run("each is its own, whoever was signed in before", func(t *testing.T) {
		first, second := d.signIn(rp.authURL(nil), "dr-dupont"), d.signIn(rp.authURL(nil), "dr-martin")
		if a, b := query(t, first).Get("session_state"), query(t, second).Get("session_state"); a == b || a == "" {
			t.Errorf("sessions %q and %q", a, b)
		}
	})
	t.Run("with a fault", func(t *testing.T) {
		if got := nonceOf(t, d.redeem(rp, d.signIn(rp.authURL(nil), "dr-dupont", "wrong-nonce"))); got == "the-nonce" {
			t.Error("no lie")
		}
	})
	t.Run("by another name of this machine", func(t *testing.T) {
		other := strings.Replace(rp.authURL(nil), "127.0.0.1", "localhost", 1)
		if iss := query(t, d.signIn(other, "dr-dupont")).Get("iss"); !strings.HasPrefix(iss, "http://localhost:") {
			t.Errorf("iss %q", iss)
		}
	})
	t.Run("at an address that lies", func(t *testing.T) {
		address := strings.Replace(rp.authURL(nil), "/auth?", "/auth~wrong-nonce?", 1)
		if iss := query(t, d.signIn(address, "dr-dupont")).Get("iss"); iss != mock.URL+issuerPath+"~wrong-nonce" {
			t.Errorf("iss %q", iss)
		}
	})
	t.Run("at Keycloak's own endpoint", func(t *testing.T) {
		d.signIn(strings.Replace(rp.authURL(nil), "/auth?", issuerPath+"/protocol/openid-connect/auth?", 1), "dr-dupont")
	})
	for _, tt := range []struct {
		name, address, persona, means, why string
		status                             int
	}{
		{"no address", "", "dr-dupont", "", "an absolute URL is required", 400},
		{"another port", strings.Replace(rp.authURL(nil), mock.URL, "http://127.0.0.1:1", 1), "dr-dupont", "", "is not this mock", 400},
		{"another scheme", "https" + strings.TrimPrefix(rp.authURL(nil), "http"), "dr-dupont", "", "is not this mock", 400},
		{"somebody else's host", strings.Replace(rp.authURL(nil), "127.0.0.1", "evil.example", 1), "dr-dupont", "", "is not this mock", 400},
		{"a name before the host", strings.Replace(rp.authURL(nil), "127.0.0.1", "127.0.0.1@evil.example", 1), "dr-dupont", "", "is not this mock", 400},
		{"another path", mock.URL + "/?client_id=carelink", "dr-dupont", "", "not the path of an authorization endpoint", 400},
		{"an unknown fault in the address", mock.URL + "/auth~nothing?x=1", "dr-dupont", "", "unknown fault", 400},
		{"an unknown client", rp.authURL(map[string]string{"client_id": "nobody"}), "dr-dupont", "", "is unknown; declared: carelink", 400},
		{"an undeclared redirect URI", rp.authURL(map[string]string{"redirect_uri": "http://evil.example/"}), "dr-dupont", "", "is not declared", 400},
		{"no state", rp.authURL(map[string]string{"state": ""}), "dr-dupont", "", "state is required and missing", 400},
		{"no acr_values", rp.authURL(map[string]string{"acr_values": ""}), "dr-dupont", "", "acr_values=eidas1 is required", 400},
		{"a parameter twice", rp.authURL(nil) + "&nonce=2", "dr-dupont", "", "given twice", 400},
		{"an unknown person", rp.authURL(nil), "nobody", "", "unknown persona", 400},
		{"an unknown means", rp.authURL(nil), "dr-dupont", "face", "unknown means", 400},
		{"an e-CPS that is blocked", rp.authURL(nil), "pharma-costa", "ecps", "is in state blocked", 409},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"authorization_url": tt.address, "persona": tt.persona, "means": tt.means})
			if err != nil {
				t.Fatal(err)
			}
			if text := d.must(tt.status, "POST", "sign-in", string(body)); !strings.Contains(text, tt.why) {
				t.Errorf("got %s, want %q", text, tt.why)
			}
		})
	}
	t.Run("what the application hears of goes back to it", func(t *testing.T) {
		for parameter, want := range map[string]string{"scope": "invalid_scope", "response_type": "unsupported_response_type"} {
			if got := query(t, d.signIn(rp.authURL(map[string]string{parameter: "x"}), "dr-dupont")); got.Get("error") != want || got.Get("state") != "the-state" || got.Has("code") {
				t.Errorf("%s: %v", parameter, got)
			}
		}
		if got := query(t, d.signIn(rp.authURL(map[string]string{"prompt": "none"}), "dr-dupont")); got.Get("error") != "login_required" {
			t.Errorf("prompt=none: %v", got)
		}
	})
}

func TestASignInWithoutABrowserAtTheConfiguredAddress(t *testing.T) {
	mock := mockpsc.NewServer(t)
	port := mock.URL[strings.LastIndex(mock.URL, ":"):]
	mock.Issuer = "http://127.0.0.1" + port + issuerPath
	mock.WalletURL = "http://localhost" + port
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	for address, want := range map[string]int{
		strings.Replace(rp.authURL(nil), "127.0.0.1", "localhost", 1): 200,
		rp.authURL(nil): 400, // the issuer's host has no such page
		strings.Replace(rp.authURL(nil), "/auth?", issuerPath+"/protocol/openid-connect/auth?", 1):                                           200,
		strings.Replace(strings.Replace(rp.authURL(nil), "127.0.0.1", "[::1]", 1), "/auth?", issuerPath+"/protocol/openid-connect/auth?", 1): 400,
	} {
		d.must(want, "POST", "sign-in", fmt.Sprintf(`{"authorization_url":%q,"persona":"dr-dupont"}`, address))
	}
}

func TestQueuedFaults(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	// told reports whether the next sign-in lies about the nonce.
	told := func(t *testing.T, state string) bool {
		t.Helper()
		return nonceOf(t, d.redeem(rp, d.signIn(rp.authURL(map[string]string{"state": state}), "dr-dupont"))) != "the-nonce"
	}
	queue := func(body string) { d.must(204, "POST", "faults", body) }

	t.Run("hit as many sign-ins as they should, and no more", func(t *testing.T) {
		queue(`{"client":"carelink","faults":["wrong-nonce"],"count":2}`)
		if a, b, c := told(t, "s"), told(t, "s"), told(t, "s"); !a || !b || c {
			t.Error(a, b, c)
		}
	})
	t.Run("of a state wait for it", func(t *testing.T) {
		queue(`{"client":"carelink","state":"mine","faults":["wrong-nonce"]}`)
		if a, b, c := told(t, "other"), told(t, "mine"), told(t, "mine"); a || !b || c {
			t.Error(a, b, c)
		}
	})
	t.Run("one entry a sign-in, in order, those of its state first", func(t *testing.T) {
		queue(`{"client":"carelink","faults":["expired"]}`)
		queue(`{"client":"carelink","faults":["wrong-nonce"]}`)
		queue(`{"client":"carelink","state":"mine","faults":["wrong-audience"]}`)
		if a := told(t, "mine"); a {
			t.Error("the state's own was not first")
		}
		if a, b, c := told(t, "mine"), told(t, "mine"), told(t, "mine"); a || !b || c {
			t.Error(a, b, c)
		}
	})
	t.Run("go when they are taken back", func(t *testing.T) {
		queue(`{"client":"carelink","faults":["wrong-nonce"],"count":9}`)
		d.must(204, "DELETE", "faults?client=carelink", "")
		if told(t, "s") {
			t.Error("they stayed")
		}
	})
	t.Run("add to those of the sign-in", func(t *testing.T) {
		queue(`{"client":"carelink","faults":["wrong-nonce"]}`)
		_, tok := rp.signIn(t, "dr-dupont", "expired")
		if nonceOf(t, tok) == "the-nonce" {
			t.Error("no lie")
		}
	})
	t.Run("and Go queues them too", func(t *testing.T) {
		if err := mock.Queue("carelink", "wrong-nonce"); err != nil {
			t.Fatal(err)
		}
		if !told(t, "s") {
			t.Error("no lie")
		}
		if err := mock.Queue("nobody", "wrong-nonce"); err == nil || !strings.Contains(err.Error(), "declared: carelink") {
			t.Errorf("an unknown client: %v", err)
		}
	})
	t.Run("however the sign-in ends", func(t *testing.T) {
		signedIn, _ := rp.signIn(t, "dr-martin")
		ends := map[string]func() tokens{
			"at the list of people": func() tokens { _, tok := rp.signIn(t, "dr-dupont"); return tok },
			"on the phone": func() tokens {
				p := begin(t, rp)
				phone := device{t, p.phone()}
				phone.answer("phone", "dr-dupont")
				phone.answer("same", "yes")
				phone.answer("pin", "1234")
				p.wait()
				return rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
			},
			"at the card reader": func() tokens {
				p := begin(t, rp)
				p.post("/auth/card", "card", "dr-dupont")
				p.post("/auth/card", "pin", "5678")
				return rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
			},
			"by single sign-on": func() tokens {
				get(t, signedIn, rp.authURL(nil))
				return rp.exchange(t, rp.form(rp.lastCallback().Get("code")))
			},
		}
		for name, end := range ends {
			queue(`{"client":"carelink","faults":["wrong-nonce"]}`)
			if tok := end(); nonceOf(t, tok) == "the-nonce" {
				t.Errorf("%s: no lie", name)
			}
		}
		auto := mockpsc.NewServer(t)
		auto.Auto = "dr-dupont"
		if err := auto.Queue("carelink", "wrong-nonce"); err != nil {
			t.Fatal(err)
		}
		app := newRelyingParty(t, auto)
		get(t, newBrowser(t), app.authURL(nil))
		if nonceOf(t, app.exchange(t, app.form(app.lastCallback().Get("code")))) == "the-nonce" {
			t.Error("at once: no lie")
		}
	})
	t.Run("of the metadata hit the next readings", func(t *testing.T) {
		queue(`{"client":"carelink","faults":["metadata-500"],"count":2}`)
		for i, want := range []int{500, 500, 200} {
			if resp, _ := get(t, http.DefaultClient, mock.URL+issuerPath+"/.well-known/wallet-openid-configuration"); resp.StatusCode != want {
				t.Errorf("reading %d: %d", i, resp.StatusCode)
			}
		}
	})
	t.Run("of the keys hit the next reading, and make the client read", func(t *testing.T) {
		queue(`{"client":"carelink","faults":["keys-500"]}`)
		tok := d.redeem(rp, d.signIn(rp.authURL(nil), "dr-dupont"))
		for i, want := range []int{500, 200} {
			if resp, _ := get(t, http.DefaultClient, mock.URL+issuerPath+"/protocol/openid-connect/certs"); resp.StatusCode != want {
				t.Errorf("reading %d: %d", i, resp.StatusCode)
			}
		}
		if _, err := rp.verify(t, tok.IDToken); err == nil {
			t.Error("a key that is known signed")
		}
	})
	t.Run("that are none are refused", func(t *testing.T) {
		for body, why := range map[string]string{
			`{"client":"carelink","faults":[]}`:                       "no fault is named",
			`{"client":"carelink","faults":["nothing"]}`:              "unknown fault",
			`{"client":"carelink","faults":["expired"],"count":0}`:    "count must be 1 to 1000",
			`{"client":"carelink","faults":["expired"],"count":1001}`: "count must be 1 to 1000",
			`{"client":"carelink","Faults":["expired"]}`:              "unknown member",
			`{"client":"carelink","client":"carelink"}`:               "there twice",
		} {
			if text := d.must(400, "POST", "faults", body); !strings.Contains(text, why) {
				t.Errorf("%s: %s", body, text)
			}
		}
	})
}

func TestTheClock(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	type reading struct {
		Now    time.Time
		Frozen bool
	}
	read := func() (c reading) { d.must(200, "GET", "clock", "", &c); return c }
	start := read().Now
	if !start.Equal(now.now()) {
		t.Fatalf("the clock is %v, Now is %v", start, now.now())
	}
	set := func(body string) { d.must(200, "POST", "clock", body) }
	after := func(what string, want time.Duration, frozen bool) {
		t.Helper()
		if c := read(); c.Now.Sub(start) != want || c.Frozen != frozen {
			t.Errorf("%s: %v later, frozen %v; want %v, %v", what, c.Now.Sub(start), c.Frozen, want, frozen)
		}
	}
	set(`{"advance":"10m"}`)
	after("advanced", 10*time.Minute, false)
	now.advance(time.Minute)
	after("and it runs", 11*time.Minute, false)
	set(`{"freeze":true}`)
	now.advance(time.Hour)
	after("frozen", 11*time.Minute, true)
	set(`{"advance":"1m"}`)
	after("advanced while frozen", 12*time.Minute, true)
	set(`{"resume":true}`)
	now.advance(time.Minute)
	after("resumed where it stood", 13*time.Minute, false)
	set(`{"freeze":true,"advance":"1m"}`)
	after("both", 14*time.Minute, true)

	code := query(t, d.signIn(rp.authURL(nil), "dr-dupont")).Get("code")
	set(`{"advance":"31s"}`)
	if tok := rp.exchange(t, rp.form(code)); tok.Error != "invalid_grant" {
		t.Errorf("a code after 31 seconds: %s", tok.Body)
	}
	for _, body := range []string{`{}`, `{"advance":"0s"}`, `{"advance":"x"}`, `{"advance":"2000000h"}`, `{"freeze":true,"resume":true}`} {
		d.must(400, "POST", "clock", body)
	}
	d.must(204, "POST", "reset", "")
	if c := read(); !c.Now.Equal(now.now()) || c.Frozen {
		t.Errorf("after the reset %+v, Now is %v", c, now.now())
	}
}

func TestKeysAndDrillsFromOutside(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	before := len(rp.keys(t).Keys)
	d.must(204, "POST", "keys", `{"do":"rotate"}`)
	rotated := len(rp.keys(t).Keys)
	d.must(204, "POST", "keys", `{"do":"withdraw"}`)
	if left := len(rp.keys(t).Keys); before != 2 || rotated != 4 || left != 2 {
		t.Errorf("%d keys, then %d, then %d", before, rotated, left)
	}
	d.must(204, "POST", "drill", `{"name":"keys-gone"}`)
	var drill struct{ Name string }
	d.must(200, "GET", "drill", "", &drill)
	if resp, _ := get(t, http.DefaultClient, mock.URL+issuerPath+"/protocol/openid-connect/certs"); resp.StatusCode != 404 || drill.Name != "keys-gone" {
		t.Errorf("drill %q: %d", drill.Name, resp.StatusCode)
	}
}

func TestPeopleFromOutside(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	type person struct {
		ID, Name, Place string
		ECPS, Card      struct{ State, PIN string }
		Changes         []struct{ ID, Label string }
	}
	people := func() (list []person) { d.must(200, "GET", "personas", "", &list); return list }
	start := people()
	if len(start) != len(mockpsc.Personas()) || start[0].ID != "dr-dupont" || start[0].ECPS.PIN != "1234" {
		t.Fatalf("people %+v", start[0])
	}
	text, err := os.ReadFile("personas/01-dr-dupont.json")
	if err != nil {
		t.Fatal(err)
	}
	document := strings.NewReplacer(`"dr-dupont"`, `"dr-new"`, dupont, "899999009998").Replace(string(text))
	d.must(201, "PUT", "personas/dr-new", document)
	tok := d.redeem(rp, d.signIn(rp.authURL(nil), "dr-new"))
	if !strings.Contains(payload(t, tok.IDToken), `"899999009998"`) {
		t.Errorf("the new one: %s", payload(t, tok.IDToken))
	}
	d.must(200, "PUT", "personas/dr-new", strings.Replace(document, `"1234"`, `"4321"`, 1))
	if list := people(); list[len(list)-1].ECPS.PIN != "4321" {
		t.Errorf("edited: %+v", list[len(list)-1])
	}
	for name, tt := range map[string]struct{ id, document, why string }{
		"another id":               {"dr-other", document, `document:2: id is \"dr-new\", but the address says \"dr-other\"`},
		"somebody's number":        {"dr-new", strings.ReplaceAll(document, "899999009998", "899999001029"), "is taken by dr-martin"},
		"an unknown member":        {"dr-new", strings.Replace(document, "{", `{"x":1,`, 1), `unknown field`},
		"a number that is a lie":   {"dr-new", strings.ReplaceAll(document, "899999009998", "899999009999"), "the key of the RPPS number 99999009999 is wrong"},
		"somebody else's userinfo": {"dr-new", strings.Replace(document, `"SubjectNameID":"899999009998"`, `"SubjectNameID":"899999001011"`, 1), "userinfo is somebody else's"},
	} {
		if text := d.must(400, "PUT", "personas/"+tt.id, tt.document); !strings.Contains(text, tt.why) {
			t.Errorf("%s: got %s, want %s", name, text, tt.why)
		}
	}
	d.must(200, "POST", "personas/dr-dupont", `{"ecps":"blocked","card":"revoked"}`)
	d.must(409, "POST", "sign-in", fmt.Sprintf(`{"authorization_url":%q,"persona":"dr-dupont"}`, rp.authURL(nil)))
	d.must(200, "POST", "personas/dr-dupont", `{"ecps":"active"}`)
	d.signIn(rp.authURL(nil), "dr-dupont")
	d.must(400, "POST", "personas/inf-benali", `{"ecps":"active"}`) // has no code
	i := slices.IndexFunc(start, func(p person) bool { return len(p.Changes) > 0 && p.ID == "inf-roux" })
	d.must(200, "POST", "personas/inf-roux", `{"change":"moves"}`)
	if moved := people()[i]; moved.Place == start[i].Place {
		t.Errorf("not moved: %+v", moved)
	}
	d.must(204, "POST", "reset", "")
	if again := people(); fmt.Sprint(again) != fmt.Sprint(start) {
		t.Error("the reset does not bring back the people of the start")
	}
}

// What the console shows of a request has no secret in it.
func TestTheLogExplainsTokensAndHoldsNoSecret(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	p := begin(t, rp)
	p.post("/auth/card", "card", "dr-dupont")
	p.post("/auth/card", "pin", "5678")
	code := rp.lastCallback().Get("code")
	tok := rp.exchange(t, rp.form(code))
	p.post("/auth/card", "pin", "5678")
	get(t, http.DefaultClient, mock.URL+issuerPath+"/protocol/openid-connect/logout?id_token_hint="+tok.IDToken)
	submit(t, http.DefaultClient, mock.URL+issuerPath+"/protocol/openid-connect/token", "client_id", "carelink", "my-secret", "carelink-secret")
	text := d.must(200, "GET", "requests", "")
	signature := tok.IDToken[strings.LastIndex(tok.IDToken, ".")+1:]
	for what, secret := range map[string]string{
		"the client's secret": "carelink-secret", "the verifier": verifier, "the card's code": "5678", "the code": code, "a signature": signature,
		"the refresh token": tok.RefreshToken, "the attempt": p.attempt,
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is there", what)
		}
	}
	for _, want := range []string{
		`{"name":"client_secret","value":"••• (15)"}`, `{"name":"pin","value":"•••"}`, `{"name":"nonce","value":"the-nonce"}`, `code=•••`,
		`"what":"id_token_hint"`, `"SubjectNameID":"` + dupont + `"`, `"path":"/auth/card"`,
	} {
		if !strings.Contains(strings.ReplaceAll(text, `\u0026`, "&"), want) {
			t.Errorf("lacks %s", want)
		}
	}
	var list []struct {
		Path   string
		Client string
		Status int
		Faults []string
		Tokens []struct {
			What   string
			Checks []struct {
				Rule string
				OK   bool
				Why  string
			}
		}
	}
	failing := func(faults ...string) (rules []string) {
		d.redeem(rp, d.signIn(rp.authURL(nil), "dr-dupont", faults...))
		d.must(200, "GET", "requests?client=carelink", "", &list)
		last := list[len(list)-1]
		if !slices.Equal(last.Faults, faults) && len(faults) > 0 || last.Tokens[0].What != "id_token" || last.Client != "carelink" || last.Status != 200 {
			t.Fatalf("%v: %+v", faults, last)
		}
		for _, c := range last.Tokens[0].Checks {
			if !c.OK {
				rules = append(rules, strings.Fields(c.Rule)[0])
			}
		}
		return rules
	}
	for fault, want := range map[string]string{
		"": "", "expired": "exp", "wrong-nonce": "nonce", "wrong-audience": "aud", "wrong-issuer": "iss", "bad-signature": "signature", "missing-acr": "acr", "wrong-at-hash": "at_hash",
	} {
		var faults []string
		if fault != "" {
			faults = []string{fault}
		}
		if got := strings.Join(failing(faults...), " "); got != want {
			t.Errorf("%s: the failing checks are %q, want %q", fault, got, want)
		}
	}
}

// No fault is too much for the log.
func TestTheLogExplainsEveryFault(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	for _, f := range mockpsc.Faults() {
		if f.Where != "id_token" {
			continue
		}
		d.redeem(rp, d.signIn(rp.authURL(nil), "dr-dupont", f.Name))
		var list []struct {
			Tokens []struct{ Checks []struct{ OK bool } }
		}
		d.must(200, "GET", "requests?client=carelink", "", &list)
		d.must(204, "POST", "reset?client=carelink", "")
		tokens := list[len(list)-1].Tokens
		if len(tokens) == 0 || !slices.ContainsFunc(tokens[0].Checks, func(c struct{ OK bool }) bool { return !c.OK }) {
			t.Errorf("no check fails for %s: %s", f.Name, f.Summary)
		}
	}
}

func TestResetOfOneClient(t *testing.T) {
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	mock.Clients = []mockpsc.Client{
		{ID: "carelink", Secret: "carelink-secret", RedirectURIs: []string{rp.redirectURI()}},
		{ID: "other", Secret: "other-secret", RedirectURIs: []string{rp.redirectURI()}},
	}
	d := newDriver(t, mock.URL)
	_, mine := rp.signIn(t, "dr-dupont")
	code := query(t, d.signIn(rp.authURL(map[string]string{"client_id": "other"}), "dr-martin")).Get("code")
	form := rp.form(code)
	form.Set("client_id", "other")
	form.Set("client_secret", "other-secret")
	others := rp.exchange(t, form)
	d.must(204, "POST", "faults", `{"client":"carelink","faults":["wrong-nonce"]}`)
	d.must(204, "POST", "faults", `{"client":"other","faults":["wrong-nonce"]}`)
	d.must(204, "POST", "reset?client=carelink", "")
	count := func(path string) int {
		var list []any
		d.must(200, "GET", path, "", &list)
		return len(list)
	}
	for path, want := range map[string]int{"sessions?client=carelink": 0, "requests?client=carelink": 0, "sessions?client=other": 1, "requests?client=other": 2} {
		if got := count(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if status, _ := rp.userinfo(t, mine.AccessToken); status != 401 {
		t.Errorf("its token: %d", status)
	}
	if status, _ := rp.userinfo(t, others.AccessToken); status != 200 {
		t.Errorf("the other's token: %d", status)
	}
	if nonceOf(t, d.redeem(rp, d.signIn(rp.authURL(nil), "dr-dupont"))) != "the-nonce" {
		t.Error("its queue is left")
	}
	form.Set("code", query(t, d.signIn(rp.authURL(map[string]string{"client_id": "other"}), "dr-dupont")).Get("code"))
	if nonceOf(t, rp.exchange(t, form)) == "the-nonce" {
		t.Error("the other's queue is gone")
	}
}

// Who may drive the mock.
func TestTheConsoleIsClosedToStrangers(t *testing.T) {
	request := func(mock *mockpsc.Server, method, path string, header ...string) (int, string) {
		base := mock.URL
		if len(header) > 0 && header[0] == "far" {
			base, header = stranger(t, mock), header[1:]
		}
		req, err := http.NewRequest(method, base+path, strings.NewReader(`{"advance":"1s"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			if req.Header.Set(header[i], header[i+1]); header[i] == "Host" {
				req.Host = header[i+1]
			}
		}
		resp, err := stay(&http.Client{}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body(t, resp)
	}
	plain := func(*mockpsc.Server) {}
	open := func(s *mockpsc.Server) { s.OpenConsole = true }
	public := func(s *mockpsc.Server) { s.Issuer = "http://psc.test.example" + issuerPath }
	publicOpen := func(s *mockpsc.Server) { public(s); open(s) }
	proxied := func(s *mockpsc.Server) { s.TrustForwarded = true }
	proxiedOpen := func(s *mockpsc.Server) { proxied(s); open(s) }
	for _, tt := range []struct {
		name    string
		set     func(*mockpsc.Server)
		method  string
		header  []string
		allowed bool
		why     string
	}{
		{"a program of this machine", plain, "POST", nil, true, ""},
		{"a page of the console", plain, "POST", []string{"Sec-Fetch-Site", "same-origin"}, true, ""},
		{"the address bar", plain, "GET", []string{"Sec-Fetch-Site", "none"}, true, ""},

		{"a form of another site", plain, "POST", []string{"Sec-Fetch-Site", "cross-site"}, false, "another site"},
		{"a form of another port", plain, "POST", []string{"Sec-Fetch-Site", "same-site"}, false, "another site"},
		{"a form of another origin, in an old browser", plain, "POST", []string{"Origin", "http://evil.example"}, false, "another site"},
		{"a form of no origin", plain, "POST", []string{"Origin", "null"}, false, "another site"},
		{"a script of another site that reads", plain, "GET", []string{"Sec-Fetch-Site", "cross-site"}, false, "another site"},
		{"a name that leads here", plain, "GET", []string{"Host", "evil.example"}, false, "not a loopback host"},
		{"a name that begins as ours", plain, "GET", []string{"Host", "localhost.evil.example"}, false, "not a loopback host"},
		{"another machine", plain, "POST", []string{"far"}, false, "does not come from this machine. Server.OpenConsole (mockpsc -open-console)"},
		{"a proxy", plain, "POST", []string{"X-Forwarded-For", "192.0.2.7"}, false, "by a proxy"},
		{"another proxy", plain, "POST", []string{"Forwarded", "for=192.0.2.7"}, false, "by a proxy"},
		{"a mock behind a proxy", proxied, "POST", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "psc.test.example"}, false, "by a proxy"},
		{"a mock with an address for others", public, "POST", nil, false, "Server.OpenConsole (mockpsc -open-console)"},

		{"open, another machine", open, "POST", []string{"far"}, true, ""},
		{"open, a form of another site", open, "POST", []string{"Sec-Fetch-Site", "cross-site"}, false, "another site"},
		{"open, at its address", publicOpen, "POST", []string{"far", "Host", "psc.test.example"}, true, ""},
		{"open, by a name that leads here", publicOpen, "POST", []string{"Host", "evil.example"}, false, "neither this machine nor that of Server.Issuer"},
		{"open behind a proxy, by a name that leads here and a header that says it is ours", proxiedOpen, "POST",
			[]string{"Host", "evil.example", "X-Forwarded-Host", "evil.example"}, false, "neither this machine nor that of Server.Issuer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mock := mockpsc.NewServer(t)
			tt.set(mock)
			status, text := request(mock, tt.method, "/_mock/api/clock", tt.header...)
			if tt.allowed != (status == 200) || !strings.Contains(text, tt.why) || !tt.allowed && status != 403 {
				t.Errorf("got %d %s, want %q", status, text, tt.why)
			}
		})
	}
	t.Run("by every path that leads there", func(t *testing.T) {
		mock := mockpsc.NewServer(t)
		for _, path := range []string{"/_mock/", "/_mock", "//_mock/", "/_mock/./api/clock", "/x/../_mock/api/clock", "/%5Fmock/api/clock", "/_mock/api/nothing", "/_mock/api/sessions/x%2f..%2f..%2f..%2f..%2ffoo"} {
			for _, method := range []string{"GET", "DELETE"} {
				if status, text := request(mock, method, path, "far"); status != 403 && (method != "GET" || status != 405) {
					t.Errorf("%s %s: %d %.200s", method, path, status, text)
				}
			}
		}
	})
	t.Run("a telephone is for everybody", func(t *testing.T) {
		mock := mockpsc.NewServer(t)
		for _, path := range []string{"/_mock/phone/x", "/_mock/card/x", "/_mock/activation"} {
			if status, _ := request(mock, "GET", path, "far"); status == 403 {
				t.Errorf("%s is closed", path)
			}
		}
	})
}

// Tests of different applications run beside each other and disturb nobody: each
// has a lie of its own, and meets it when it should and nothing else.
func TestClientsInParallel(t *testing.T) {
	const clients, rounds = 64, 4
	mock := mockpsc.NewServer(t)
	rp := newRelyingParty(t, mock)
	for i := range clients {
		mock.Clients = append(mock.Clients, mockpsc.Client{ID: fmt.Sprint("app-", i), Secret: fmt.Sprint("secret-", i), RedirectURIs: []string{rp.redirectURI()}})
	}
	d := newDriver(t, mock.URL)
	people := mockpsc.Personas()
	lies := slices.DeleteFunc(mockpsc.Faults(), func(f mockpsc.Fault) bool { return f.Where != "id_token" })
	if len(lies) < clients {
		t.Fatalf("%d lies for %d clients", len(lies), clients)
	}
	one := func(i int) {
		t.Run(lies[i].Name, func(t *testing.T) {
			d := d.on(t)
			id := fmt.Sprint("app-", i)
			for round := range rounds {
				state, want := fmt.Sprint("state-", i, "-", round), []string{}
				if round%2 == 0 {
					want = []string{lies[i].Name}
					d.must(204, "POST", "faults", fmt.Sprintf(`{"client":%q,"state":%q,"faults":[%q]}`, id, state, lies[i].Name))
				}
				address := rp.authURL(map[string]string{"client_id": id, "state": state, "nonce": "nonce-" + state})
				back := query(t, d.signIn(address, people[i%3].ID))
				form := rp.form(back.Get("code"))
				form.Set("client_id", id)
				form.Set("client_secret", fmt.Sprint("secret-", i))
				tok := rp.exchange(t, form)
				if tok.Status != 200 || back.Get("state") != state {
					t.Fatalf("%s: %d %s", state, tok.Status, tok.Body)
				}
				if round%2 == 1 {
					var claims struct{ Nonce, Aud, SubjectNameID string }
					if err := json.Unmarshal([]byte(payload(t, tok.IDToken)), &claims); err != nil {
						t.Fatal(err)
					}
					if claims.Nonce != "nonce-"+state || claims.Aud != id || claims.SubjectNameID != people[i%3].NationalID {
						t.Errorf("%s: %+v", state, claims)
					}
				}
				var requests []struct {
					Client string
					Faults []string
					Tokens []struct{ Checks []struct{ OK bool } }
				}
				d.must(200, "GET", "requests?client="+id, "", &requests)
				if len(requests) != 2 || requests[0].Client != id || requests[1].Client != id {
					t.Fatalf("%s: requests %+v", state, requests)
				}
				failing := slices.ContainsFunc(requests[1].Tokens[0].Checks, func(c struct{ OK bool }) bool { return !c.OK })
				if !slices.Equal(requests[1].Faults, want) || failing != (len(want) > 0) {
					t.Errorf("%s: faults %v, a check fails: %v; want %v", state, requests[1].Faults, failing, want)
				}
				var sessions []struct{ Client string }
				d.must(200, "GET", "sessions?client="+id, "", &sessions)
				if len(sessions) != 1 || sessions[0].Client != id {
					t.Errorf("%s: sessions %+v", state, sessions)
				}
				d.must(204, "POST", "reset?client="+id, "")
			}
		})
	}
	var wg sync.WaitGroup
	for i := range clients { // t.Parallel would run as many as there are processors
		wg.Go(func() { one(i) })
	}
	wg.Wait()
}

package mockpsc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// A call that is refused has changed nothing.
func TestARefusedCallIsNotHalfDone(t *testing.T) {
	mock := mockpsc.NewServer(t)
	d := newDriver(t, mock.URL)
	d.must(400, "POST", "personas/dr-dupont", `{"ecps":"bogus","card":"blocked"}`)
	d.must(400, "POST", "personas/inf-roux", `{"change":"moves","card":"bogus"}`)
	d.must(404, "POST", "personas/nobody", `{"card":"blocked"}`)
	var people []struct {
		ID, Place string
		Card      struct{ State string }
	}
	d.must(200, "GET", "personas", "", &people)
	for _, p := range people {
		if p.ID == "dr-dupont" && p.Card.State != "valid" || p.ID == "inf-roux" && p.Place != mockpsc.Personas()[4].Place {
			t.Errorf("changed: %+v", p)
		}
	}
	d.must(400, "POST", "clock", `{"freeze":true,"advance":"2000000h"}`)
	var clock struct{ Frozen bool }
	if d.must(200, "GET", "clock", "", &clock); clock.Frozen {
		t.Error("the clock is frozen")
	}
}

// People come and go while others are changed: nobody is left waiting.
func TestPeopleAreChangedWhileTheMockIsReset(t *testing.T) {
	mock := mockpsc.NewServer(t)
	d := newDriver(t, mock.URL)
	text, err := os.ReadFile("personas/01-dr-dupont.json")
	if err != nil {
		t.Fatal(err)
	}
	added := strings.NewReplacer(`"dr-dupont"`, `"dr-new"`, "899999001011", "899999009998").Replace(string(text))
	var wg sync.WaitGroup
	for _, call := range [][3]string{
		{"PUT", "personas/dr-new", added}, {"POST", "personas/dr-new", `{"ecps":"blocked"}`},
		{"POST", "reset", ""}, {"POST", "personas/dr-new", `{"card":"blocked"}`}, {"POST", "clock", `{"advance":"1s"}`}, {"GET", "personas", ""},
	} {
		wg.Go(func() {
			for range 300 {
				if status, text := d.do(call[0], call[1], call[2]); status >= 500 {
					t.Errorf("%s %s: %d %s", call[0], call[1], status, text)
				}
			}
		})
	}
	wg.Wait()
	d.must(200, "GET", "personas", "")
}

// A document that is put is looked at as closely as a file.
func TestAPutDocumentHasEachMemberOnceAndInLowerCase(t *testing.T) {
	mock := mockpsc.NewServer(t)
	d := newDriver(t, mock.URL)
	text, err := os.ReadFile("personas/01-dr-dupont.json")
	if err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]string{`"name":"Dr Jean DUPONT",`: "is given twice", `"PLACE":"Cabinet",`: "must be in lower case"} {
		if got := d.must(400, "PUT", "personas/dr-dupont", strings.Replace(string(text), "{", "{"+member, 1)); !strings.Contains(got, want) {
			t.Errorf("%s: got %s", member, got)
		}
	}
}

// An address is anybody's to write, an <img> of another site included.
func TestFaultsOfAnAddressAreFewAndDifferent(t *testing.T) {
	mock := mockpsc.NewServer(t)
	var many []string
	for _, f := range mockpsc.Faults()[:17] {
		many = append(many, f.Name)
	}
	for names, want := range map[string]string{
		"metadata-oversized+metadata-oversized": "is named twice",
		strings.Join(many, "+"):                 "more than 16 faults",
	} {
		resp, text := get(t, http.DefaultClient, mock.URL+issuerPath+"~"+names+"/.well-known/openid-configuration")
		if resp.StatusCode != 404 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.200s, want %q", names, resp.StatusCode, text, want)
		}
	}
}

// What must not be read again is nowhere in the log, wherever somebody put it.
func TestTheLogHoldsNoSecretThatIsInTheWrongPlace(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.Issuer, mock.WalletURL = mock.URL+issuerPath, "http://localhost:1"
	base := mock.URL + issuerPath + "/protocol/openid-connect"
	post := func(address, contentType, body string, header ...string) {
		req, err := http.NewRequest("POST", address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		if len(header) == 2 {
			req.SetBasicAuth(header[0], header[1])
		}
		resp, err := stay(&http.Client{}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	const form = "application/x-www-form-urlencoded"
	post(base+"/token", form, `{"client_secret":"SESAME-1","code":"SESAME-2","code_verifier":"SESAME-3"}`)
	post(base+"/token", form, "grant_type=authorization_code&code=x", "carelink-secret", "carelink")
	for _, path := range []string{"/auth?client_id=carelink&client_secret=SESAME-4&pin=SESAME-5", "/logout?refresh_token=SESAME-6"} {
		get(t, stay(&http.Client{}), base+path)
	}
	for _, path := range []string{"/_mock/phone/SESAME-7", "/_mock/phone/SESAME-8/", "/_mock/card/SESAME-9/x"} {
		req, err := http.NewRequest("DELETE", mock.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	d := newDriver(t, mock.URL)
	text := d.must(200, "GET", "requests", "")
	if strings.Contains(text, "SESAME") || strings.Contains(text, "carelink-secret") {
		t.Error(text)
	}
	var list []struct{ Path string }
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) < 7 {
		t.Errorf("%d requests, %v", len(list), err)
	}
}

// A request with thousands of parameters and a long refusal is kept in brief.
func TestTheLogAndItsHeadersAreBounded(t *testing.T) {
	mock := mockpsc.NewServer(t)
	q := url.Values{}
	for i := range 5000 {
		q.Set(fmt.Sprint("p", i), "x")
	}
	get(t, http.DefaultClient, mock.URL+"/auth?"+q.Encode())
	resp, _ := get(t, http.DefaultClient, mock.URL+"/auth?client_id="+strings.Repeat("x", 9000))
	if n := len(resp.Header.Get("X-Mock-PSC-Error")); n == 0 || n > 1<<10 {
		t.Errorf("a header of %d characters", n)
	}
	var list []struct{ Query []struct{ Name string } }
	d := newDriver(t, mock.URL)
	d.must(200, "GET", "requests", "", &list)
	if n := len(list[0].Query); n != 64 {
		t.Errorf("%d parameters are kept", n)
	}
	d.must(400, "POST", "faults", fmt.Sprintf(`{"client":"carelink","state":%q,"faults":["expired"]}`, strings.Repeat("s", 4097)))
	resp, err := http.Post(mock.URL+"/_mock/do", "application/x-www-form-urlencoded", strings.NewReader("do=document&document="+strings.Repeat("x", 1<<17)))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != 413 {
		t.Errorf("a form that is too long: %d", resp.StatusCode)
	}
}

// A session that two applications share outlives the reset of either, whether
// the other has redeemed its code or not.
func TestResetOfOneClientLeavesASharedSession(t *testing.T) {
	rp, _ := twoClients(t)
	d := newDriver(t, rp.mock.URL)
	c, _ := rp.signIn(t, "dr-dupont")
	resp, _ := get(t, stay(c), rp.authURL(map[string]string{"client_id": "other"}))
	d.must(204, "POST", "reset?client=carelink", "")
	form := rp.form(rp.codeOf(resp.Header.Get("Location")))
	form.Set("client_id", "other")
	form.Set("client_secret", "other-secret")
	if tok := rp.exchange(t, form); tok.Status != 200 {
		t.Errorf("the other's code: %d %s", tok.Status, tok.Body)
	}
	var sessions []struct{ Client string }
	if d.must(200, "GET", "sessions?client=carelink", "", &sessions); len(sessions) != 0 {
		t.Errorf("its own: %+v", sessions)
	}
	if d.must(200, "GET", "sessions?client=other", "", &sessions); len(sessions) != 1 || sessions[0].Client != "other" {
		t.Errorf("the other's: %+v", sessions)
	}
	d.must(204, "POST", "reset?client=other", "")
	if d.must(200, "GET", "sessions", "", &sessions); len(sessions) != 0 {
		t.Errorf("nobody's: %+v", sessions)
	}
}

// The lies about the keys that wait because of one application's sign-in are
// neither taken away by another's, nor left behind by a reset of the first.
func TestLiesAboutTheKeysAreOneApplications(t *testing.T) {
	rp, _ := twoClients(t)
	d := newDriver(t, rp.mock.URL)
	count := func() int { return len(rp.keys(t).Keys) }
	honest := count()
	lie := func() { d.redeem(rp, d.signIn(rp.authURL(nil), "dr-dupont", "no-keys")) }
	lie()
	d.signIn(rp.authURL(map[string]string{"client_id": "other"}), "dr-martin")
	if n := count(); n != 0 {
		t.Errorf("after a sign-in at another application %d keys are published", n)
	}
	lie()
	d.must(204, "POST", "reset?client=carelink", "")
	if n := count(); n != honest {
		t.Errorf("after its reset %d keys are published, want %d", n, honest)
	}
}

// Keys that were changed when the clock was ahead are withdrawn all the same.
func TestFormerKeysOfATimeThatHasNotCome(t *testing.T) {
	mock, now := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	d := newDriver(t, mock.URL)
	d.must(200, "POST", "clock", `{"advance":"240h"}`)
	d.must(204, "POST", "keys", `{"do":"rotate"}`)
	d.must(204, "POST", "reset", "")
	now.advance(11 * time.Minute)
	if n := len(rp.keys(t).Keys); n != 2 {
		t.Errorf("%d keys are published, want 2", n)
	}
}

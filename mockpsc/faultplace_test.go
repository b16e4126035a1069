package mockpsc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// A sight is all that an application sees of one sign-in at an address, place by
// place, without what is new in each.
type sight map[string]string

// volatile is what differs between two honest sign-ins.
var volatile = []*regexp.Regexp{
	regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
	regexp.MustCompile(`"(access_token|refresh_token)":"[^"]+"`),
}

// look goes through a sign-in at the mock's address with a suffix, as an
// application does that takes everything for granted and goes on whatever comes.
func look(t *testing.T, rp *relyingParty, suffix string) sight {
	t.Helper()
	seen := sight{}
	note := func(place, text string) {
		text = strings.ReplaceAll(text, suffix, "")
		for _, v := range volatile {
			text = v.ReplaceAllString(text, "…")
		}
		seen[place] = text
	}
	c := stay(newBrowser(t))
	if strings.HasSuffix(suffix, "-hanging") || strings.HasSuffix(suffix, "-dripping") {
		c.Timeout = 300 * time.Millisecond // for what never comes
	}
	ask := func(req *http.Request, err error) (string, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			return "no answer", ""
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
		how := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type"), " ", resp.Header.Get("Location") != "", " ", err != nil)
		if len(text) > 6<<20 {
			how += " huge"
			text = nil
		}
		return how, string(text)
	}
	get := func(address string, bearer ...string) (string, string) {
		req, err := http.NewRequest("GET", address, nil)
		if err == nil && len(bearer) > 0 {
			req.Header.Set("Authorization", "Bearer "+bearer[0])
		}
		return ask(req, err)
	}
	issuer := rp.mock.URL + issuerPath + suffix
	how, text := get(issuer + "/.well-known/wallet-openid-configuration")
	note("metadata", how+text)

	resp, err := rp.mock.SignIn(newBrowser(t), strings.Replace(rp.authURL(nil), "/auth?", "/auth"+suffix+"?", 1), "dr-dupont")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back := resp.Request.URL
	note("callback", back.RawQuery+" # "+back.Fragment)
	code := rp.lastCallback().Get("code")

	form := rp.form(code)
	req, err := http.NewRequest("POST", issuer+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	how, text = ask(req, err)
	var tok struct {
		IDToken any    `json:"id_token"`
		Access  string `json:"access_token"`
	}
	json.Unmarshal([]byte(text), &tok)
	idToken, _ := tok.IDToken.(string)
	if quoted, _ := json.Marshal(idToken); idToken != "" {
		text = strings.ReplaceAll(text, string(quoted), `"…"`)
	}
	note("token", how+text)
	hash := sha256.Sum256([]byte(tok.Access))
	note("id_token", strings.Replace(apart(idToken, rp, t), base64.RawURLEncoding.EncodeToString(hash[:16]), "(that of the access token)", 1))

	how, text = get(issuer + "/protocol/openid-connect/certs")
	note("keys", how+text)
	if tok.Access != "" {
		how, text = get(issuer+"/protocol/openid-connect/userinfo", tok.Access)
		note("userinfo", how+text)
	}
	return seen
}

// apart writes a token as text: its header, its claims, and whether the key that
// an honest mock publishes verifies it.
func apart(token string, rp *relyingParty, t *testing.T) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) > 10 {
		return fmt.Sprint(len(parts), " parts")
	}
	var b strings.Builder
	for i, p := range parts {
		if text, err := base64.RawURLEncoding.DecodeString(p); err == nil && i != 2 && len(text) < 1<<20 {
			b.Write(text)
		}
		fmt.Fprint(&b, len(p) > 1<<20, " ", strings.ContainsAny(p, " \n="))
		b.WriteString(" . ")
	}
	canonical := false
	if len(parts) == 3 {
		sig, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
		canonical = err == nil && len(sig) == 256
	}
	_, err := rp.verify(t, token)
	return fmt.Sprint(b.String(), canonical, " verifies ", err == nil)
}

func TestAFaultStrikesWhereItSaysAndNowhereElse(t *testing.T) {
	mock, _ := newMockWithClock(t)
	rp := newRelyingParty(t, mock)
	truth := look(t, rp, "")
	if again := look(t, rp, ""); fmt.Sprint(again) != fmt.Sprint(truth) {
		t.Fatalf("two honest sign-ins differ:\n%v\n%v", truth, again)
	}
	places := []string{"metadata", "keys", "callback", "token", "id_token", "userinfo", "logout_token"}
	names := map[string]bool{}
	for _, f := range mockpsc.Faults() {
		t.Run(f.Name, func(t *testing.T) {
			if names[f.Name] || f.Summary == "" || f.Expect == "" || !slices.Contains(places, f.Where) || !slices.Contains([]string{"critical", "serious", "minor"}, f.Severity) {
				t.Errorf("incomplete or twice: %+v", f)
			}
			names[f.Name] = true
			if f.Where == "logout_token" {
				return // TestALyingLogoutToken
			}
			seen := look(t, rp, "~"+f.Name)
			struck := seen[f.Where] != truth[f.Where]
			switch {
			case slices.Contains([]string{"invented-code", "expired-code", "replayed-code", "swapped-code"}, f.Name):
				struck = strings.Contains(seen["token"], "invalid_grant")
			case strings.HasSuffix(f.Name, "-for-id-token"):
				struck = seen["id_token"] != truth["id_token"]
			}
			if !struck {
				t.Errorf("%s tells the truth: %.300s", f.Where, seen[f.Where])
			}
			for _, place := range places {
				after := slices.Contains([]string{"callback", "token"}, f.Where) && place != "metadata" && place != "keys" // nothing comes after a code or a token that is none
				signs := f.Where == "keys" && place == "id_token"
				if place != f.Where && !after && !signs && seen[place] != truth[place] {
					t.Errorf("%s differs too:\n%.400s\n%.400s", place, seen[place], truth[place])
				}
			}
		})
	}
	if len(names) < 120 {
		t.Errorf("%d faults", len(names))
	}
}

func TestALyingLogoutToken(t *testing.T) {
	for _, f := range mockpsc.Faults() {
		if f.Where != "logout_token" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			rp, now := twoClients(t)
			heard := listeners(t, rp)
			_, tok := rp.signIn(t, "dr-dupont")
			signOut(t, rp, now, tok)
			truth := hear(t, heard, 1)[0].form["logout_token"][0]

			_, tok = rp.signIn(t, "dr-dupont", f.Name)
			signOut(t, rp, now, tok)
			lie := hear(t, heard, 1)[0].form["logout_token"][0]
			plain := func(token string) string {
				text := apart(token, rp, t)
				for _, v := range volatile {
					text = v.ReplaceAllString(text, "…")
				}
				return text
			}
			times := func(token string) (late, age float64) {
				var c struct{ Exp, Iat float64 }
				json.Unmarshal([]byte(payload(t, token)), &c)
				return c.Exp - c.Iat, c.Iat
			}
			l1, a1 := times(truth)
			l2, a2 := times(lie)
			if plain(lie) == plain(truth) && l1 == l2 && a1 == a2 {
				t.Errorf("the truth: %s", plain(lie))
			}
		})
	}
}

// Sixty-four applications at once, each at an address with another fault: each is
// told its own lie and no other, the same that it is told when it is alone.
func TestAddressesDoNotDisturbEachOther(t *testing.T) {
	mock, _ := newMockWithClock(t) // so that times are the same
	rp := newRelyingParty(t, mock)
	truth := look(t, rp, "")
	var faults []mockpsc.Fault
	var alone []sight
	chosen := map[string]int{}
	for _, f := range mockpsc.Faults() {
		slow := strings.HasSuffix(f.Name, "-hanging") || strings.HasSuffix(f.Name, "-dripping") || strings.HasSuffix(f.Name, "-bomb")
		if f.Where == "logout_token" || slow || len(faults) == 64 || chosen[f.Where] == 16 {
			continue
		}
		seen := look(t, rp, "~"+f.Name)
		if fmt.Sprint(seen) == fmt.Sprint(look(t, rp, "~"+f.Name)) { // some lies are new each time
			chosen[f.Where]++
			faults, alone = append(faults, f), append(alone, seen)
		}
	}
	if len(faults) != 64 || len(chosen) < 4 {
		t.Fatalf("%d faults at %v", len(faults), chosen)
	}
	together := make([]sight, len(faults))
	var all sync.WaitGroup
	for i, f := range faults {
		party := newRelyingParty(t, mock)
		all.Go(func() { together[i] = look(t, party, "~"+f.Name) })
	}
	all.Wait()
	for i, f := range faults {
		if fmt.Sprint(together[i]) == fmt.Sprint(truth) {
			t.Errorf("%s was told the truth", f.Name)
		}
		for place := range alone[i] {
			if got, want := together[i][place], alone[i][place]; got != want {
				t.Errorf("%s, %s: together\n%.300s\nalone\n%.300s", f.Name, place, got, want)
			}
		}
	}
}

func TestAnAddressWithAnUnknownFault(t *testing.T) {
	mock := mockpsc.NewServer(t)
	resp, text := get(t, http.DefaultClient, mock.URL+issuerPath+"~wrong-colour/.well-known/wallet-openid-configuration")
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(text, `unknown fault \"wrong-colour\"`) {
		t.Errorf("got %d %.200s", resp.StatusCode, text)
	}
	if _, err := url.Parse(mock.URL + issuerPath + "~expired+wrong-nonce"); err != nil {
		t.Error(err)
	}
}

func TestThePanelListsEveryFaultOnDemand(t *testing.T) {
	mock := mockpsc.NewServer(t)
	p := begin(t, newRelyingParty(t, mock))
	_, short := get(t, p.browser, mock.URL+"/auth?attempt="+p.attempt)
	_, long := get(t, p.browser, mock.URL+"/auth?attempt="+p.attempt+"&means=card&faults=all")
	expect(t, short, "<option>wrong-nonce</option>", "&means=ecps&faults=all")
	for _, f := range mockpsc.Faults() {
		if listed := strings.Contains(long, "<option>"+f.Name+"</option>"); listed != (f.Where != "metadata") {
			t.Errorf("%s is listed: %t", f.Name, listed)
		}
	}
	if strings.Contains(short, "key-too-short") {
		t.Error("the short list is long")
	}
	resp, text := submit(t, p.browser, mock.URL+"/auth/sign-in", "attempt", p.attempt, "persona", "dr-dupont", "fault", "key-too-short")
	if text != "back" {
		t.Errorf("came to %s", resp.Request.URL)
	}
}

package auth_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

// TestCorpus runs the adversarial cases of testdata/adversarial.json, one subtest
// each. A case is interpreted by code, or is in waived or in elsewhere with the
// reason; one of which nobody knows what to do fails.
//
// The counts, and the loads and loops at full size, by
//
//	CORPUS=full go test ./auth -run '^TestCorpus$' -count=1 -v -timeout 60m | grep corpus:
//
// What the app decided where a case leaves a choice is in chosen; where the app
// holds to another rule than the case, in policies. Both are part of the test.
func TestCorpus(t *testing.T) {
	text, err := os.ReadFile("testdata/adversarial.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []corpusCase
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // some cases are about numbers that no float64 holds
	if err := d.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	count := map[string]map[string]int{}
	add := func(c corpusCase, how string) {
		if count[c.family()] == nil {
			count[c.family()] = map[string]int{}
		}
		count[c.family()][how]++
	}
	bomb() // which takes longer to make than a call may take
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.ID] {
			t.Fatalf("%s twice", c.ID)
		}
		seen[c.ID] = true
		if w, ok := waivedCase(c); ok {
			if w.why == "" || interpretation(c) != nil {
				t.Errorf("%s is waived without a reason, or is waived and run", c.ID)
			}
			add(c, w.category)
			continue
		}
		if _, ok := chosen[c.ID]; c.Expect.Verdict == "either" && !ok {
			t.Errorf("%s leaves a choice, and the table chosen does not say which was made", c.ID)
		}
		run := interpretation(c)
		if run == nil {
			t.Errorf("%s: nobody knows how to run %v", c.ID, c.Input)
			continue
		}
		add(c, c.side())
		t.Run(c.ID, func(t *testing.T) {
			if c.family() != "DOS" { // which look at the whole process
				t.Parallel()
			}
			run(t, c)
		})
	}
	for _, table := range [][]string{slices.Collect(maps.Keys(waived)), slices.Collect(maps.Keys(chosen)), slices.Collect(maps.Keys(byHand))} {
		for _, id := range table {
			if !seen[id] {
				t.Errorf("a table names %s, which is no case", id)
			}
		}
	}
	t.Cleanup(func() { // when the subtests have ended
		total := map[string]int{}
		for _, family := range slices.Sorted(maps.Keys(count)) {
			t.Logf("corpus: %s %s", family, tally(count[family]))
			for how, n := range count[family] {
				total[how] += n
			}
		}
		t.Logf("corpus: all %s", tally(total))
	})
}

func tally(count map[string]int) string {
	var parts []string
	for _, how := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s %d", how, count[how]))
	}
	return strings.Join(parts, ", ")
}

// full says that loads and loops run at the size that the cases name.
var full = os.Getenv("CORPUS") == "full"

// scaled returns n in a full run, and few otherwise.
func scaled(n, few int) int {
	if full {
		return n
	}
	return few
}

// corpusCase is one case, in the words of the format.
type corpusCase struct {
	ID     string
	Area   string
	Input  map[string]any
	Expect struct {
		Verdict string
		HTTP    []int
		Reason  string
		Also    []string
		Inv     []string
	}

	Says string `json:"-"` // in place of says[Reason]
}

func (c corpusCase) family() string { return c.ID[:3] }

// accepted reports what must come of the case: a session, or whatever else its
// input asks for.
func (c corpusCase) accepted() bool {
	if ours, ok := chosen[c.ID]; ok {
		return ours.accept
	}
	return c.Expect.Verdict == "accept"
}

// side names the heading under which the case is counted.
func (c corpusCase) side() string {
	switch v := c.Expect.Verdict; {
	case v == "hold", v == "degrade":
		return "held"
	case strings.HasPrefix(v, "fallback"):
		return "fell back"
	case c.accepted():
		return "accepted"
	}
	return "refused"
}

func (c corpusCase) has(invariant string) bool {
	return slices.Contains(c.Expect.Inv, invariant) && policies[invariant+" "+c.ID] == "" && policies[invariant+" "+c.family()] == ""
}

type runner = func(t *testing.T, c corpusCase)

// byHand interprets the cases whose input is a sentence.
var byHand = map[string]runner{}

// hand adds to byHand, one file a family.
func hand(cases map[string]runner) bool {
	for id, run := range cases {
		if byHand[id] != nil {
			panic("corpus: two interpretations of " + id)
		}
		byHand[id] = run
	}
	return true
}

func interpretation(c corpusCase) runner {
	if run := byHand[c.ID]; run != nil {
		return run
	}
	_, patched := c.Input["userinfo"].(map[string]any)
	_, returns := c.Input["return_to"].(string)
	switch {
	case returns:
		return runReturnTo
	case c.family() == "JWT" && c.Input["token"] == "id_token":
		return runToken
	case patched:
		return runUserInfo
	}
	return nil
}

// waiver says why a case is not run here.
type waiver struct{ category, why string }

const (
	absent   = "does not exist yet" // the thing that the case is about
	elsewise = "run elsewhere"
)

// waivedFamilies are about things that do not exist yet, or that are tested in
// their own package.
var waivedFamilies = map[string]waiver{
	"BCL": {absent, "back-channel logout"},
	"FCL": {absent, "front-channel logout"},
	"CIB": {absent, "CIBA as a client"},
	"STO": {absent, "the suite of the stores: package store has tests of its own"},
	"MOP": {elsewise, "mockpsc, TestCorpus: the mock shares no code with auth"},
}

func waivedCase(c corpusCase) (waiver, bool) {
	if w, ok := waivedFamilies[c.family()]; ok {
		return w, true
	}
	w, ok := waived[c.ID]
	return w, ok
}

// chosen says what auth does where a case allows both, or where our rule is
// another than the case's.
var chosen = map[string]struct {
	accept bool
	why    string
}{
	"JWT-086": {false, "a member that is null is refused for kid, which selects the key"},
	"JWT-106": {true, "jwk is ignored, whatever it holds"},
	"JWT-132": {false, "zip has no meaning in a JWS"},
	"JWT-189": {true, "names are compared exactly: sub is A"},
	"JWT-242": {true, "exp has the leeway of a minute"},
	"JWT-254": {false, "a NumericDate with an exponent is no integer; no provider writes one"},
	"JWT-262": {false, "an ID token older than ten minutes was kept by somebody"},
	"JWT-272": {true, "null counts as absent, and nbf is optional"},
	"JWT-287": {true, "acr is ordered; PSC gives eidas2 to card users who asked for eidas1"},

	"UIN-031": {true, "ADELI numbers exist; every kind of national identifier is typed, and the app decides"},
	"UIN-032": {true, "likewise, a practice known by ADELI"},
	"UIN-034": {true, "likewise, a company's register"},
	"UIN-036": {true, "likewise, a practice known by RPPS"},
	"UIN-042": {true, "a name is text: pages escape it"},
	"UIN-044": {true, "an ordinary French name"},
	"UIN-046": {true, "a name is text; the key of a person is the national identifier"},
	"UIN-047": {false, "U+0000 is refused in every string"},
	"UIN-049": {false, "a name of more than 256 bytes is none, and fits no session token"},
	"UIN-051": {true, "a name is text; who writes spreadsheets quotes it"},
	"UIN-052": {true, "a name is text; our log does not hold it"},
	"UIN-054": {true, "missing data is mostly the empty string at PSC"},
	"UIN-056": {false, "a name has one type"},
	"UIN-057": {false, "a name has one type"},
	"UIN-059": {true, "an e-mail is proven by nobody, and is a key of nothing"},

	"JWK-006": {true, "all keys of one kid are tried"},
	"JWK-026": {true, "whether its primes are good is PSC's affair; no client factors keys"},
	"JWK-041": {false, "a key set is application/json, which an upload to PSC's host can hardly forge"},
	"JWK-046": {false, "keys lie on the issuer's host"},

	"BRR-054": {false, "one answer for all; the MAC is compared in constant time. Its timing is not measured on a shared machine"},
	"LGO-014": {true, "Clear-Site-Data is not sent: the cookie is cleared, and pages are not stored"},

	"DSC-007": {false, "the sign-in page lies on the issuer's host or on Environment.AuthorizeHost"},
	"DSC-009": {true, "the sign-out then stays in the app, and the log warns"},
	"DSC-022": {true, "the issuer is configured and its certificate checked; where its name leads is the operator's network"},
}

const (
	noCallback   = "what is no GET of the callback's path is no answer of PSC's: it spends nothing, or another site's form could cancel a sign-in"
	notTold      = "what is no sign-in has no event: anybody can send any number of them"
	quietRestart = "a quiet restart, 303 to our own login, is neither a sign-in nor its failure: its end will be told"
)

// policies says why an invariant does not hold for a case, by both names.
var policies = map[string]string{
	"I4 CBK-034": noCallback, "I7 CBK-034": notTold, "I4 CBK-036": noCallback, "I7 CBK-036": notTold,
	"I4 CBK-037": noCallback, "I7 CBK-037": notTold, "I4 CBK-039": noCallback, "I7 CBK-039": notTold,
	"I4 CBK-041": noCallback, "I7 CBK-041": notTold, "I4 CBK-042": noCallback, "I7 CBK-042": notTold,
	"I4 CBK-046": noCallback, "I7 CBK-046": notTold,
	"I7 BRR":     "a credential that is not good tells of nobody, and anybody can send any number of them; the end of a session by time is told when its cookie comes",
	"I7 CLK-004": "as for BRR", "I7 CLK-009": "as for BRR", "I7 CLK-011": "as for BRR", "I7 CLK-012": "as for BRR",
	"I6 BRR-047": "the address that was asked for comes back in login_url, to the one who sent it; auth itself puts no token into an address",
	"I7 LGO-001": "nothing happened: a GET asks first",
	"I7 LGO-004": "as for BRR",
	"I7 CBK-017": quietRestart, "I7 CBK-022": quietRestart,
}

// says translates a reason of the corpus into what our log line says: the reason
// of the audit event, and the cause where several share one. What PSC's endpoints
// get wrong has the endpoint for its reason.
var says = map[string]string{
	"alg_not_allowed":      `reason=(alg_not_allowed|malformed_header .*\\"alg\\")`,
	"malformed":            `reason=(malformed |(token|keys|userinfo|metadata) .*unusable answer)`,
	"malformed_header":     `reason=malformed_header `,
	"malformed_claims":     `reason=malformed_claims `,
	"bad_signature":        `reason=bad_signature `,
	"alg_key_mismatch":     `reason=(unknown_kid|keys) `,
	"unknown_kid":          `reason=(unknown_kid|malformed_header .*\\"kid\\")`,
	"too_large":            `reason=(too_large |[a-z]+ .*more than \d+ bytes)`,
	"unsupported_crit":     `reason=malformed_header .*(\\"crit\\"|\\"b64\\")`,
	"wrong_typ":            `reason=wrong_typ `,
	"nested_not_supported": `reason=malformed_header .*\\"cty\\"`,
	"wrong_iss":            `reason=wrong_iss `,
	"bad_sub":              `reason=(bad_sub|malformed_claims .*\\"sub\\")`,
	"wrong_aud":            `reason=(wrong_aud|malformed_claims .*\\"aud\\")`,
	"wrong_azp":            `reason=(wrong_azp|wrong_aud|malformed_claims .*\\"azp\\")`,
	"bad_exp":              `reason=(bad_exp|malformed_claims .*\\"exp\\")`,
	"bad_iat":              `reason=(bad_iat|malformed_claims .*\\"iat\\")`,
	"bad_nbf":              `reason=(bad_nbf|malformed_claims .*\\"nbf\\")`,
	"nonce_mismatch":       `reason=(nonce_mismatch|malformed_claims .*\\"nonce\\")`,
	"acr_too_low":          `reason=(acr_too_low|malformed_claims .*\\"acr\\")`,
	"stale_auth":           `reason=(stale_auth|malformed_claims .*\\"auth_time\\")`,
	"at_hash_mismatch":     `reason=(at_hash_mismatch|malformed_claims .*\\"at_hash\\")`,

	"exchange_failed":  `reason=exchange_failed `,
	"misconfigured":    `reason=misconfigured `,
	"no_id_token":      `reason=token .*no id_token`,
	"no_access_token":  `reason=token .*no usable access_token`,
	"bad_token_type":   `reason=token .*token_type is not Bearer`,
	"content_type":     `reason=(token|keys|userinfo|metadata) .*not application/json`,
	"upstream":         `reason=(token|keys|userinfo|metadata) .*(status [245]\d\d|unusable answer)`,
	"redirect_refused": `reason=(token|keys|userinfo|metadata) .*status 30\d`,
	"timeout":          `reason=(token|keys|userinfo|metadata) .*(Client\.Timeout|deadline exceeded)`,
	"tls":              `reason=(keys|userinfo) .*x509: `,

	"sub_mismatch":                   `reason=userinfo .*(sub is not the ID token's|no sub|\\"sub\\")`,
	"sub_mismatch_or_case_sensitive": `reason=userinfo .*not a national identifier`,
	"no_national_id":                 `reason=userinfo .*SubjectNameID: psc: not a national identifier`,
	"bad_type":                       `reason=userinfo .*want a string`,
	"bad_rpps":                       `reason=userinfo .*SubjectNameID`,
	"bad_rpps_luhn":                  `reason=userinfo .*RPPS number with a wrong key`,
	"id_type_not_allowed":            `reason=userinfo .*not a national identifier`,
	"identity_mismatch_flagged":      `reason=userinfo .*otherIds holds another RPPS`,
	"malformed_or_replaced_flagged":  `reason=userinfo .*invalid UTF-8`,

	"missing_state":    `reason=missing_state `,
	"state_mismatch":   `reason=state_mismatch `,
	"duplicate_param":  `reason=duplicate_param `,
	"bad_query":        `reason=bad_query `,
	"unexpected_param": `reason=unexpected_param `,
	"op_error":         `reason=op_error `,
	"mixup":            `reason=mixup `,

	"no_keys":           `reason=keys .*(no key that may verify|want an array)`,
	"wrong_use":         `reason=keys .*no key that may verify`,
	"weak_key":          `reason=keys .*no key that may verify`,
	"key_too_large":     `reason=keys .*no key that may verify`,
	"malformed_key":     `reason=keys .*no key that may verify`,
	"symmetric_in_jwks": `reason=alg_not_allowed `,
	"host_allowlist":    `reason=metadata .*which is neither the issuer's nor`,
	"insecure_url":      `reason=metadata .*it must be https`,

	"issuer_mismatch":  `reason=metadata .*issuer`,
	"missing_endpoint": `reason=metadata .*jwks_uri: `,
	"unsupported":      `reason=metadata .* lacks `,
}

// What must never be told, beside what a sign-in makes itself.
const (
	corpusCode   = "a-code-that-nobody-may-read"
	corpusSecret = "a-client-secret-that-nobody-may-read"
)

// lab is a hostile provider and an app, watched.
type lab struct {
	*hostile
	c     corpusCase
	logs  *logs
	audit *journal
	app   http.Handler // guarded but for /open

	status []int  // in place of those of the case
	says   string // in place of says[reason]

	secretsMu sync.Mutex
	secrets   []string
}

func newLab(t *testing.T, c corpusCase, change ...func(*auth.Config)) *lab {
	t.Helper()
	l := &lab{hostile: newHostile(t), c: c, logs: &logs{}, audit: &journal{}}
	l.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
		l.hear(r)
		l.tokens(w, l.idToken(l.issuer()))
	}
	l.renew(append([]func(*auth.Config){func(cfg *auth.Config) {
		cfg.ClientSecret, cfg.Sessions = corpusSecret, auth.NewMemorySessions()
		cfg.Logger, cfg.Audit = textLogger(l.logs), l.audit
	}}, change...)...)
	return l
}

// renew makes a new process of the app.
func (l *lab) renew(change ...func(*auth.Config)) {
	l.restart(change...)
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := auth.SessionFromContext(r.Context())
		fmt.Fprint(w, "page for "+s.LastName)
	})
	mux := http.NewServeMux()
	mux.Handle("/", l.rp.Require(who))
	mux.Handle("/open", who)
	l.app = l.rp.Handler(mux)
}

func (l *lab) issuer() string { return l.server.URL + "/auth/realms/esante-wallet" }

// hear notes the secrets of a token request.
func (l *lab) hear(r *http.Request) {
	r.ParseForm()
	l.keep(r.PostForm.Get("code_verifier"))
}

// tokens answers with an ID token as any JSON encoder would.
func (l *lab) tokens(w http.ResponseWriter, id string) {
	l.keep(id)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"access_token": accessToken, "token_type": "Bearer", "expires_in": 120, "id_token": id})
}

// keep notes a text that nobody may be told.
func (l *lab) keep(secrets ...string) {
	l.secretsMu.Lock()
	defer l.secretsMu.Unlock()
	for _, s := range secrets {
		if len(s) >= 16 { // shorter ones are found by accident
			l.secrets = append(l.secrets, s)
		}
	}
}

// forget begins anew what silent and lastLine look through: a loop of two thousand
// sign-ins would look through all of it two thousand times.
func (l *lab) forget() {
	l.secretsMu.Lock()
	l.secrets = nil
	l.secretsMu.Unlock()
	l.logs.mu.Lock()
	l.logs.buf.Reset()
	l.logs.mu.Unlock()
}

// serve sends a request to the app. A panic fails the case (I5).
func (l *lab) serve(r *http.Request) *httptest.ResponseRecorder {
	l.t.Helper()
	rec := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			l.t.Errorf("I5: %s %s panicked: %v", r.Method, r.URL.Path, p)
		}
	}()
	l.app.ServeHTTP(rec, r)
	cookiesThatBrowsersKeep(l.t, rec)
	return rec
}

// cookiesThatBrowsersKeep checks that an answer sets no cookie twice, of which
// browsers keep the last, and none so large that they drop it (RFC 6265bis 4.1.1
// and 5.6).
func cookiesThatBrowsersKeep(t testing.TB, rec *httptest.ResponseRecorder) {
	t.Helper()
	seen := map[string]bool{}
	for _, k := range rec.Result().Cookies() {
		if seen[k.Name] {
			t.Errorf("%s is set twice", k.Name)
		}
		seen[k.Name] = true
		if len(k.Name)+len(k.Value) > 4096 || len(k.Path) > 1024 || k.MaxAge > 400*24*3600 {
			t.Errorf("%s has %d bytes and lives %d s", k.Name, len(k.Name)+len(k.Value), k.MaxAge)
		}
	}
}

func page(target string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return r
}

// begun is a sign-in that waits for its callback.
type begun struct {
	state, nonce string
	pending      *http.Cookie
	to           *url.URL // PSC's page
}

func (l *lab) begin() begun {
	l.t.Helper()
	rec := l.serve(page("/auth/login?return_to=/x" + l.loginQuery))
	to, _ := url.Parse(rec.Header().Get("Location"))
	b := begun{state: to.Query().Get("state"), nonce: to.Query().Get("nonce"), to: to}
	for _, c := range rec.Result().Cookies() {
		if c.Value != "" {
			b.pending = c
		}
	}
	if rec.Code != http.StatusSeeOther || b.state == "" || b.nonce == "" || b.pending == nil {
		l.t.Fatalf("a sign-in cannot begin: %d\n%s", rec.Code, rec.Body)
	}
	l.keep(b.state, b.nonce, b.pending.Value, corpusCode, corpusSecret)
	l.nonce = b.nonce
	return b
}

// back is the browser's request to the callback.
func (b begun) back(query string) *http.Request {
	r := page("/auth/callback" + query)
	r.AddCookie(b.pending)
	return r
}

func (b begun) honest() string { return "?state=" + b.state + "&code=" + corpusCode }

// outcome is what came of one request, and what had been before.
type outcome struct {
	rec     *httptest.ResponseRecorder
	request *http.Request
	calls   map[string]int // before
	users   int            // before
	session *http.Cookie   // that was opened
	events  []auth.Event
	begun   time.Time
}

// send sends r and watches.
func (l *lab) send(r *http.Request) outcome {
	l.t.Helper()
	l.audit.take()
	o := outcome{request: r, calls: l.counts(), users: l.saved(), begun: time.Now()}
	o.rec = l.serve(r)
	o.events = l.audit.take()
	for _, c := range o.rec.Result().Cookies() {
		if strings.Contains(c.Name, "psc_session") && c.Value != "" {
			o.session = c
			l.keep(c.Value)
		}
	}
	return o
}

func (l *lab) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.calls)
}

func (l *lab) saved() int {
	l.users.mu.Lock()
	defer l.users.mu.Unlock()
	return l.users.n
}

// try runs one whole sign-in and judges it.
func (l *lab) try() outcome {
	l.t.Helper()
	b := l.begin()
	o := l.send(b.back(b.honest()))
	l.judge(o)
	return o
}

// tryLogin sends somebody to PSC, which cannot be when its metadata is bad.
func (l *lab) tryLogin() outcome {
	l.t.Helper()
	o := l.send(page("/auth/login"))
	l.judge(o)
	return o
}

// judge checks the verdict on a callback, and the invariants that the case lists.
func (l *lab) judge(o outcome) {
	l.t.Helper()
	c := l.c
	status := l.status
	if status == nil {
		status = c.Expect.HTTP
	}
	if c.accepted() {
		if o.session == nil || o.rec.Code != http.StatusSeeOther {
			l.t.Errorf("got %d, want a session: %s", o.rec.Code, l.lastLine())
		}
	} else {
		if o.session != nil { // I1, whether it is listed or not
			l.t.Errorf("I1: a session was opened")
		}
		if c.Expect.Verdict == "either" && l.status == nil {
			status = append([]int{400, 401, 502}, status...)
		}
		if status != nil && !slices.Contains(status, o.rec.Code) || o.rec.Code < 300 {
			l.t.Errorf("got %d, want one of %v: %s", o.rec.Code, status, l.lastLine())
		}
		l.checkReason(o)
	}
	l.invariants(o)
}

// lastLine is what the log says of the last refusal.
func (l *lab) lastLine() (last string) {
	for line := range strings.Lines(l.logs.String()) {
		if strings.Contains(line, "auth: refused") {
			last = strings.TrimSpace(line)
		}
	}
	return last
}

// checkReason compares the cause in the log, and the reason of the event, with
// the case's.
func (l *lab) checkReason(o outcome) {
	l.t.Helper()
	want := cmp.Or(l.says, l.c.Says, says[l.c.Expect.Reason])
	if want == "" {
		if l.c.Expect.Reason != "" {
			l.t.Errorf("the table says has no %q", l.c.Expect.Reason)
		}
		return
	}
	last := l.lastLine()
	if !regexp.MustCompile(want).MatchString(last) {
		l.t.Errorf("the log says %s, want %s", last, want)
	}
	if l.c.has("I7") && len(o.events) == 1 && !strings.Contains(last, "reason="+o.events[0].Reason+" ") {
		l.t.Errorf("the event says %s, the log %s", o.events[0].Reason, last)
	}
}

// invariants checks I1 to I10 as far as the case lists them. I1 to I4 are about
// refusals; a case of which the app chose to accept the input has none.
func (l *lab) invariants(o outcome) {
	l.t.Helper()
	c, rec := l.c, o.rec
	in := o.session != nil
	if !c.accepted() {
		if c.has("I1") && (in || strings.Contains(rec.Body.String(), `"access_token":`)) {
			l.t.Error("I1: a session was issued")
		}
		if n := l.saved(); c.has("I2") && n != o.users {
			l.t.Errorf("I2: %d users were saved", n-o.users)
		}
		if c.has("I3") && l.count("userinfo") != o.calls["userinfo"] {
			l.t.Error("I3: userinfo was called after a bad ID token")
		}
		if c.has("I4") {
			l.consumed(o)
		}
	}
	if rec.Code == http.StatusInternalServerError {
		l.t.Errorf("I5: got 500\n%s", l.logs)
	}
	if c.has("I6") {
		l.silent(o)
	}
	if c.has("I7") {
		if len(o.events) != 1 || o.events[0].Kind == "" || o.events[0].Reason == "" && o.events[0].Kind != auth.SignedIn {
			l.t.Errorf("I7: %d events: %+v", len(o.events), o.events)
		}
	}
	// I8 always: one call of each kind at most, and no waiting.
	for name, n := range l.counts() {
		if n-o.calls[name] > 1 {
			l.t.Errorf("I8: %d calls of %s", n-o.calls[name], name)
		}
	}
	if d := time.Since(o.begun); d > 20*time.Second {
		l.t.Errorf("I8: it took %v", d)
	}
	if to := rec.Header().Get("Location"); to != "" && browserOrigin(to) != "https://app.example" && !strings.HasPrefix(to, l.server.URL+"/auth/realms/") { // I9 always
		l.t.Errorf("I9: Location leads to %s", to)
	}
	if got := rec.Header().Get("Cache-Control"); c.has("I10") && got != "no-store" {
		l.t.Errorf("I10: Cache-Control %q", got)
	}
}

// consumed checks that the pending sign-in that came along is spent: its cookie is
// cleared, and the same request again neither exchanges a code nor gains anything.
func (l *lab) consumed(o outcome) {
	l.t.Helper()
	l.cleared(o)
	before := l.count("token")
	again := o.request.Clone(o.request.Context())
	rec := l.serve(again)
	for _, k := range rec.Result().Cookies() {
		if strings.Contains(k.Name, "psc_session") && k.Value != "" {
			l.t.Error("I4: the same request again opened a session")
		}
	}
	if n := l.count("token") - before; n != 0 {
		l.t.Errorf("I4: the same request again caused %d exchanges", n)
	}
	if events := l.audit.take(); o.calls["token"] != before && len(events) != 0 {
		l.t.Errorf("I7: the same request again was told: %+v", events)
	}
}

// cleared checks that no pending cookie that came along stays.
func (l *lab) cleared(o outcome) {
	l.t.Helper()
	cleared := map[string]bool{}
	for _, k := range o.rec.Result().Cookies() {
		cleared[k.Name] = k.MaxAge < 0 && k.Value == ""
	}
	for _, k := range o.request.Cookies() {
		if strings.Contains(k.Name, "psc_pending") && !cleared[k.Name] {
			l.t.Errorf("I4: %s was not cleared", k.Name)
		}
	}
}

// silent checks I6. Cookies carry what is sealed, and the audit names people once
// PSC has vouched for them: these two may.
func (l *lab) silent(o outcome) {
	l.t.Helper()
	header := o.rec.Header().Clone()
	header.Del("Set-Cookie")
	var head strings.Builder
	header.Write(&head)
	events := slices.Clone(o.events)
	for i := range events {
		if events[i].UserID != "" {
			events[i].NationalID = ""
		}
	}
	told, _ := json.Marshal(events)
	l.secretsMu.Lock()
	secrets := append([]string{accessToken, "899999001011", "99999001011"}, l.secrets...)
	l.secretsMu.Unlock()
	for where, text := range map[string]string{"body": o.rec.Body.String(), "header": head.String(), "log": l.logs.String(), "audit": string(told)} {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				l.t.Errorf("I6: the %s holds %.60q", where, s)
			}
		}
	}
}

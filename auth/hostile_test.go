package auth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pscauth/pscauth/auth"
	"github.com/pscauth/pscauth/auth/psc"
)

// hostile is a provider of which each answer can be replaced. The mock lies in
// ways that have a name; this one lies in any way.
type hostile struct {
	t      testing.TB
	server *httptest.Server
	clock  *clock
	rp     *auth.RelyingParty
	users  *countingUsers

	key     *rsa.PrivateKey // signs
	header  map[string]any
	claims  map[string]any // patches; a nil value removes the claim
	rawHead string         // replaces the header's text
	payload string         // replaces the payload's text
	mangle  func(token string) string

	metadata map[string]any // patches
	keys     string
	userinfo string
	answers  map[string]http.HandlerFunc // by last part of the path, in place of the honest one

	loginQuery string // beside return_to
	cfg        auth.Config

	mu    sync.Mutex
	calls map[string]int
	nonce string
}

var signingKey, otherKey = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// countingUsers is a UserStore that notes that it was called, and with whom.
type countingUsers struct {
	mu   sync.Mutex
	n    int
	last psc.UserInfo
}

func (c *countingUsers) SaveUser(_ ctx, info psc.UserInfo, at time.Time) (auth.User, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.last = info
	return auth.User{ID: "1", NationalID: info.NationalID, FirstName: info.GivenName, LastName: info.FamilyName, CreatedAt: at}, c.n == 1, nil
}

func newHostile(t testing.TB) *hostile {
	t.Helper()
	h := &hostile{}
	h.server = httptest.NewServer(h)
	t.Cleanup(h.server.Close)
	h.init(t, &http.Client{Timeout: 5 * time.Second})
	return h
}

// init makes h tell the truth, to a relying party that asks through client.
func (h *hostile) init(t testing.TB, client *http.Client) {
	t.Helper()
	*h = hostile{
		server: h.server,
		t:      t, clock: newClock(), key: signingKey(), users: &countingUsers{},
		header: map[string]any{"alg": "RS256", "typ": "JWT", "kid": "k1"}, claims: map[string]any{},
		metadata: map[string]any{}, answers: map[string]http.HandlerFunc{}, calls: map[string]int{},
	}
	h.keys = keySet(jwk(&h.key.PublicKey, map[string]any{"kid": "k1", "use": "sig", "alg": "RS256"}))
	h.userinfo = `{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT"}`
	h.cfg = auth.Config{
		Provider: psc.At(h.server.URL), ClientID: "client", ClientSecret: "secret",
		RedirectURL: "https://app.example/auth/callback", Secrets: [][]byte{testSecret},
		Users: h.users, Now: h.clock.Now, Logger: quiet(),
		HTTPClient: client,
	}
	h.restart()
}

// restart makes a new relying party, which has cached nothing.
func (h *hostile) restart(change ...func(*auth.Config)) {
	h.t.Helper()
	for _, c := range change {
		c(&h.cfg)
	}
	rp, err := auth.New(h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.rp = rp
}

func jwk(key *rsa.PublicKey, members map[string]any) string {
	m := map[string]any{"kty": "RSA", "n": b64(key.N.Bytes()), "e": "AQAB"}
	maps.Copy(m, members)
	b, _ := json.Marshal(m)
	return string(b)
}

func keySet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

const accessToken = "an-access-token"

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	issuer := h.server.URL + "/auth/realms/esante-wallet"
	last := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	h.mu.Lock()
	h.calls[last]++
	f := h.answers[last]
	h.mu.Unlock()
	if f != nil {
		f(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch last {
	case "wallet-openid-configuration":
		m := map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token",
			"userinfo_endpoint": issuer + "/userinfo", "jwks_uri": issuer + "/certs", "end_session_endpoint": issuer + "/logout",
			"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"plain", "S256"},
		}
		patch(m, h.metadata)
		json.NewEncoder(w).Encode(m)
	case "certs":
		fmt.Fprint(w, h.keys)
	case "token":
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":120,"id_token":%q}`, accessToken, h.idToken(issuer))
	case "userinfo":
		fmt.Fprint(w, h.userinfo)
	default:
		http.NotFound(w, r)
	}
}

// count returns how often a path that ends in last was asked for.
func (h *hostile) count(last string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[last]
}

func patch(m, changes map[string]any) {
	for name, v := range changes {
		if v == nil {
			delete(m, name)
		} else {
			m[name] = v
		}
	}
}

func (h *hostile) idToken(issuer string) string {
	now := h.clock.Now().Unix()
	sum := sha256.Sum256([]byte(accessToken))
	claims := map[string]any{
		"iss": issuer, "aud": "client", "azp": "client", "sub": "f:x:899999001011", "exp": now + 120, "iat": now, "auth_time": now,
		"nonce": h.nonce, "acr": "eidas1", "typ": "ID", "sid": "s", "at_hash": b64(sum[:16]), "SubjectNameID": "899999001011",
	}
	patch(claims, h.claims)
	payload, _ := json.Marshal(claims)
	head, _ := json.Marshal(h.header)
	if h.rawHead != "" {
		head = []byte(h.rawHead)
	}
	if h.payload != "" {
		payload = []byte(strings.NewReplacer("NONCE", h.nonce, "ISS", issuer, "NOW", fmt.Sprint(now), "EXP", fmt.Sprint(now+120)).Replace(h.payload))
	}
	text := b64(head) + "." + b64(payload)
	token := text + "." + b64(sign(h.key, text))
	if h.mangle != nil {
		token = h.mangle(token)
	}
	return token
}

func sign(key *rsa.PrivateKey, text string) []byte {
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return sig
}

// signIn runs one sign-in and returns the callback's answer and whether it
// opened a session.
func (h *hostile) signIn() (rec *httptest.ResponseRecorder, in bool) {
	h.t.Helper()
	login, state := h.begin()
	if state == "" {
		return login, false
	}
	r := navigation("/auth/callback?code=c&state=" + state)
	for _, c := range login.Result().Cookies() {
		r.AddCookie(c)
	}
	return h.end(r)
}

// begin begins a sign-in. It returns the answer, and the state if it leads to
// the provider.
func (h *hostile) begin() (login *httptest.ResponseRecorder, state string) {
	login = httptest.NewRecorder()
	h.rp.ServeHTTP(login, navigation("/auth/login?return_to=/x"+h.loginQuery))
	if login.Code != http.StatusSeeOther {
		return login, ""
	}
	to, _ := url.Parse(login.Header().Get("Location"))
	h.nonce = to.Query().Get("nonce")
	return login, to.Query().Get("state")
}

// end sends a callback and reports whether it opened a session.
func (h *hostile) end(callback *http.Request) (rec *httptest.ResponseRecorder, in bool) {
	rec = httptest.NewRecorder()
	h.rp.ServeHTTP(rec, callback)
	for _, c := range rec.Result().Cookies() {
		in = in || strings.Contains(c.Name, "psc_session") && c.Value != ""
	}
	return rec, in
}

// signOut signs out who was let in by an answer.
func (h *hostile) signOut(in *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/auth/logout", nil)
	for _, c := range in.Result().Cookies() {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	h.rp.ServeHTTP(rec, r)
	return rec
}

func TestIDToken(t *testing.T) {
	type m = map[string]any
	now := func(h *hostile, d time.Duration) int64 { return h.clock.Now().Add(d).Unix() }
	hmacBy := func(key []byte) func(string) string {
		return func(token string) string {
			text := token[:strings.LastIndex(token, ".")]
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(text))
			return text + "." + b64(mac.Sum(nil))
		}
	}
	unsigned := func(token string) string { return token[:strings.LastIndex(token, ".")+1] }
	const whole = `{"iss":"ISS","aud":"client","azp":"client","sub":"f:x:899999001011","exp":EXP,"iat":NOW,"nonce":"NONCE","acr":"eidas1"`
	for _, tt := range []struct {
		name string
		lie  func(h *hostile)
		ok   bool
	}{
		{"the truth", func(h *hostile) {}, true},
		{"no typ in the header", func(h *hostile) { delete(h.header, "typ") }, true},
		{"typ in lower case", func(h *hostile) { h.header["typ"] = "jwt" }, true},
		{"no kid and one key", func(h *hostile) { delete(h.header, "kid") }, true},
		{"no kid and two keys", func(h *hostile) {
			delete(h.header, "kid")
			h.keys = keySet(jwk(&otherKey().PublicKey, m{"kid": "k0"}), jwk(&h.key.PublicKey, m{"kid": "k1"}))
		}, true},
		{"two keys of one kid", func(h *hostile) {
			h.keys = keySet(jwk(&otherKey().PublicKey, m{"kid": "k1"}), jwk(&h.key.PublicKey, m{"kid": "k1"}))
		}, true},
		{"the client in a list of one", func(h *hostile) { h.claims["aud"] = []string{"client"} }, true},
		{"no azp", func(h *hostile) { h.claims["azp"] = nil }, true},
		{"no at_hash", func(h *hostile) { h.claims["at_hash"] = nil }, true},
		{"a higher acr", func(h *hostile) { h.claims["acr"] = "eidas3" }, true},
		{"no auth_time", func(h *hostile) { h.claims["auth_time"] = nil }, true},
		{"a clock 50 s ahead of ours", func(h *hostile) { h.claims["iat"] = now(h, 50*time.Second) }, true},
		{"iat nine minutes ago", func(h *hostile) { h.claims["iat"] = now(h, -9*time.Minute) }, true},
		{"nbf a minute ago", func(h *hostile) { h.claims["nbf"] = now(h, -time.Minute) }, true},
		{"nbf 50 s ahead", func(h *hostile) { h.claims["nbf"] = now(h, 50*time.Second) }, true},
		{"a sub of 255", func(h *hostile) {
			sub := strings.Repeat("a", 255)
			h.claims["sub"], h.userinfo = sub, strings.Replace(h.userinfo, "f:x:899999001011", sub, 1)
		}, true},
		{"a kid of 256", func(h *hostile) {
			kid := strings.Repeat("k", 256)
			h.header["kid"], h.keys = kid, keySet(jwk(&h.key.PublicKey, m{"kid": kid}))
		}, true},
		{"claims nobody asked for", func(h *hostile) { h.claims["x"] = m{"y": []any{1, nil}} }, true},
		{"nearly 32 KiB", func(h *hostile) { h.claims["x"] = strings.Repeat("x", 23<<10) }, true},
		{"bad keys beside the good one", func(h *hostile) {
			h.keys = keySet(`{}`, `null`, `{"kty":"AKP","alg":"ML-DSA-44","pub":"x"}`, `{"kty":"OKP","crv":"X448","x":"AA"}`, `{"kty":"RSA"}`, `{"kty":"oct","kid":"k1","k":"AAAA"}`,
				jwk(&h.key.PublicKey, m{"kid": "k1"}))
		}, true},

		{"alg none, unsigned", func(h *hostile) { h.header["alg"] = "none"; h.mangle = unsigned }, false},
		{"alg nOnE, unsigned", func(h *hostile) { h.header["alg"] = "nOnE"; h.mangle = unsigned }, false},
		{"alg none by escape", func(h *hostile) { h.rawHead = `{"alg":"\u006eone"}`; h.mangle = unsigned }, false},
		{"alg in lower case", func(h *hostile) { h.header["alg"] = "rs256" }, false},
		{"alg null", func(h *hostile) { h.rawHead = `{"alg":null,"kid":"k1"}` }, false},
		{"alg RS512 over an RS256 signature", func(h *hostile) { h.header["alg"] = "RS512" }, false},
		{"HS256 with the public modulus", func(h *hostile) { h.header["alg"] = "HS256"; h.mangle = hmacBy(h.key.N.Bytes()) }, false},
		{"HS256 with the client secret", func(h *hostile) { h.header["alg"] = "HS256"; h.mangle = hmacBy([]byte("secret")) }, false},
		{"HS256 with an empty key", func(h *hostile) { h.header["alg"] = "HS256"; h.mangle = hmacBy(nil) }, false},
		{"another key's signature", func(h *hostile) { h.key = otherKey() }, false},
		{"another key, offered in the header", func(h *hostile) {
			h.key = otherKey()
			h.header["jwk"] = json.RawMessage(jwk(&h.key.PublicKey, m{"kid": "k1"}))
		}, false},
		{"another key, offered by address", func(h *hostile) { h.key = otherKey(); h.header["jku"] = h.server.URL + "/evil" }, false},
		{"an unknown kid", func(h *hostile) { h.header["kid"] = "k2" }, false},
		{"a kid that is a path", func(h *hostile) { h.header["kid"] = "../../etc/passwd" }, false},
		{"an empty kid", func(h *hostile) { h.header["kid"] = "" }, false},
		{"a kid of 257", func(h *hostile) {
			kid := strings.Repeat("k", 257)
			h.header["kid"], h.keys = kid, keySet(jwk(&h.key.PublicKey, m{"kid": kid}))
		}, false},
		{"a kid that is a number", func(h *hostile) { h.header["kid"] = 1 }, false},
		{"crit", func(h *hostile) { h.header["crit"] = []string{"exp"} }, false},
		{"an empty crit", func(h *hostile) { h.header["crit"] = []string{} }, false},
		{"b64 false", func(h *hostile) { h.header["b64"] = false }, false},
		{"typ of an access token", func(h *hostile) { h.header["typ"] = "at+jwt" }, false},
		{"typ of a logout token", func(h *hostile) { h.header["typ"] = "logout+jwt" }, false},
		{"a nested token", func(h *hostile) { h.header["cty"] = "JWT" }, false},
		{"a header member twice", func(h *hostile) { h.rawHead = `{"alg":"RS256","kid":"k1","kid":"k1"}` }, false},
		{"a header that is no object", func(h *hostile) { h.rawHead = `"RS256"` }, false},
		{"a header very deep", func(h *hostile) {
			h.rawHead = `{"alg":"RS256","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`
		}, false},

		{"a line end behind", func(h *hostile) { h.mangle = func(s string) string { return s + "\n" } }, false},
		{"a line end inside", func(h *hostile) { h.mangle = func(s string) string { return s[:60] + "\n" + s[60:] } }, false},
		{"padding", func(h *hostile) { h.mangle = func(s string) string { return s + "==" } }, false},
		{"other spare bits", func(h *hostile) { h.mangle = func(s string) string { return s[:len(s)-1] + string(s[len(s)-1]+1) } }, false},
		{"four parts", func(h *hostile) { h.mangle = func(s string) string { return s + ".x" } }, false},
		{"five parts", func(h *hostile) { h.mangle = func(s string) string { return s + ".x.y" } }, false},
		{"more than 32 KiB", func(h *hostile) { h.claims["x"] = strings.Repeat("x", 24<<10) }, false},
		{"a million dots", func(h *hostile) { h.mangle = func(string) string { return strings.Repeat(".", 100_000) } }, false},
		{"JSON serialisation", func(h *hostile) {
			h.mangle = func(s string) string {
				p := strings.Split(s, ".")
				return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
			}
		}, false},
		{"a changed payload", func(h *hostile) {
			h.mangle = func(s string) string {
				p := strings.Split(s, ".")
				return p[0] + "." + b64([]byte(`{"sub":"other"}`)) + "." + p[2]
			}
		}, false},

		{"a payload that is a list", func(h *hostile) { h.payload = `[]` }, false},
		{"a payload that is null", func(h *hostile) { h.payload = `null` }, false},
		{"an empty payload", func(h *hostile) { h.payload = `{}` }, false},
		{"two payloads", func(h *hostile) { h.payload = whole + `}{}` }, false},
		{"the minimum", func(h *hostile) { h.payload = whole + `}` }, true},
		{"sub twice", func(h *hostile) { h.payload = whole + `,"sub":"f:x:899999001029"}` }, false},
		{"a duplicate below", func(h *hostile) { h.payload = whole + `,"x":{"y":1,"y":2}}` }, false},
		{"SUB beside sub: sub counts", func(h *hostile) { h.payload = whole + `,"SUB":"f:x:899999001029","ſub":"x"}` }, true},
		{"invalid UTF-8", func(h *hostile) { h.payload = whole + ",\"x\":\"\xff\"}" }, false},

		{"another iss", func(h *hostile) { h.claims["iss"] = "https://evil.example" }, false},
		{"iss with a slash", func(h *hostile) { h.claims["iss"] = h.server.URL + "/auth/realms/esante-wallet/" }, false},
		{"iss of another realm", func(h *hostile) { h.claims["iss"] = h.server.URL + "/auth/realms/other" }, false},
		{"no iss", func(h *hostile) { h.claims["iss"] = nil }, false},
		{"another aud", func(h *hostile) { h.claims["aud"] = "other" }, false},
		{"aud in capitals", func(h *hostile) { h.claims["aud"] = "CLIENT" }, false},
		{"aud for us and others", func(h *hostile) { h.claims["aud"] = []string{"client", "other"} }, false},
		{"an empty list of aud", func(h *hostile) { h.claims["aud"] = []string{} }, false},
		{"no aud", func(h *hostile) { h.claims["aud"] = nil }, false},
		{"another azp", func(h *hostile) { h.claims["azp"] = "other" }, false},
		{"an empty azp", func(h *hostile) { h.claims["azp"] = "" }, false},
		{"an access token in its place", func(h *hostile) { h.claims["typ"] = "Bearer" }, false},
		{"no sub", func(h *hostile) { h.claims["sub"] = nil }, false},
		{"a blank sub", func(h *hostile) { h.claims["sub"] = " " }, false},
		{"a sub of 256", func(h *hostile) { h.claims["sub"] = strings.Repeat("a", 256) }, false},
		{"a sub that is a list", func(h *hostile) { h.claims["sub"] = []string{"s"} }, false},
		{"no exp", func(h *hostile) { h.claims["exp"] = nil }, false},
		{"exp 61 s ago", func(h *hostile) { h.claims["exp"] = now(h, -61*time.Second) }, false},
		{"exp as text", func(h *hostile) { h.claims["exp"] = "2209030520" }, false},
		{"exp beyond all time", func(h *hostile) { h.claims["exp"] = json.Number("1e300") }, false},
		{"exp of 2^63-1", func(h *hostile) { h.claims["exp"] = json.Number("9223372036854775807") }, false},
		{"exp negative", func(h *hostile) { h.claims["exp"] = -1 }, false},
		{"no iat", func(h *hostile) { h.claims["iat"] = nil }, false},
		{"iat two minutes ahead", func(h *hostile) { h.claims["iat"] = now(h, 2*time.Minute) }, false},
		{"iat a week ago", func(h *hostile) { h.claims["iat"] = now(h, -7*24*time.Hour) }, false},
		{"nbf two minutes ahead", func(h *hostile) { h.claims["nbf"] = now(h, 2*time.Minute) }, false},
		{"nbf as text", func(h *hostile) { h.claims["nbf"] = "x" }, false},
		{"no nonce", func(h *hostile) { h.claims["nonce"] = nil }, false},
		{"an empty nonce", func(h *hostile) { h.claims["nonce"] = "" }, false},
		{"another nonce", func(h *hostile) { h.claims["nonce"] = strings.Repeat("A", 43) }, false},
		{"a nonce that is a number", func(h *hostile) { h.claims["nonce"] = 0 }, false},
		{"no acr", func(h *hostile) { h.claims["acr"] = nil }, false},
		{"a lower acr", func(h *hostile) { h.claims["acr"] = "eidas0" }, false},
		{"two acr in one", func(h *hostile) { h.claims["acr"] = "eidas1 eidas0" }, false},
		{"acr in a list", func(h *hostile) { h.claims["acr"] = []string{"eidas1"} }, false},
		{"auth_time as text", func(h *hostile) { h.claims["auth_time"] = "x" }, false},
		{"auth_time an hour ahead", func(h *hostile) { h.claims["auth_time"] = now(h, time.Hour) }, false},
		{"at_hash of another token", func(h *hostile) { h.claims["at_hash"] = "C3cGSbYxk2pJXyhDRRgWJQ" }, false},
		{"an empty at_hash", func(h *hostile) { h.claims["at_hash"] = "" }, false},
		{"another national identifier than userinfo's", func(h *hostile) { h.claims["SubjectNameID"] = "899999001029" }, false},

		{"a key for encryption", func(h *hostile) { h.keys = keySet(jwk(&h.key.PublicKey, m{"kid": "k1", "use": "enc"})) }, false},
		{"a key for another algorithm", func(h *hostile) { h.keys = keySet(jwk(&h.key.PublicKey, m{"kid": "k1", "alg": "PS256"})) }, false},
		{"a key that may only encrypt", func(h *hostile) {
			h.keys = keySet(jwk(&h.key.PublicKey, m{"kid": "k1", "key_ops": []string{"encrypt"}}))
		}, false},
		{"a private key in the set", func(h *hostile) { h.keys = keySet(jwk(&h.key.PublicKey, m{"kid": "k1", "d": "AA"})) }, false},
		{"an even exponent", func(h *hostile) { h.keys = keySet(jwk(&h.key.PublicKey, m{"kid": "k1", "e": "AQAA"})) }, false},
		{"no keys", func(h *hostile) { h.keys = `{"keys":[]}` }, false},
		{"keys twice", func(h *hostile) { h.keys = `{"keys":[],` + h.keys[1:] }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			tt.lie(h)
			rec, in := h.signIn()
			if in != tt.ok || (rec.Code == http.StatusSeeOther) != tt.ok {
				t.Fatalf("got %d, session %v\n%s", rec.Code, in, rec.Body)
			}
			if tt.ok {
				return
			}
			if rec.Code != 401 && rec.Code != 502 || h.users.n != 0 {
				t.Errorf("got %d and %d users", rec.Code, h.users.n)
			}
			if h.count("userinfo") != 0 && !strings.Contains(tt.name, "userinfo") {
				t.Error("userinfo was called after a bad ID token")
			}
			if h.count("evil") != 0 {
				t.Error("an address in the token was visited")
			}
		})
	}
}

func TestAWeakKeyOfPSCs(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	h := newHostile(t)
	h.key = weak
	h.keys = keySet(jwk(&weak.PublicKey, map[string]any{"kid": "k1"}))
	if rec, in := h.signIn(); in || rec.Code != 502 {
		t.Errorf("got %d, session %v", rec.Code, in)
	}
}

func TestOtherAnswers(t *testing.T) {
	text := func(contentType string, status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	const js = "application/json"
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", js)
		fmt.Fprint(w, `{"sub":"`)
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat("a", 64<<10)); err != nil {
				return
			}
		}
	}
	redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	hang := func(w http.ResponseWriter, r *http.Request) {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	for _, tt := range []struct {
		name, where string
		answer      http.HandlerFunc
		status      int
		page        string
	}{
		{"the code is refused", "token", text(js, 400, `{"error":"invalid_grant","error_description":"Code not valid"}`), 401, "a pris trop de temps"},
		{"the client is refused", "token", text(js, 401, `{"error":"invalid_client"}`), 502, "Réponse de Pro Santé Connect refusée"},
		{"no ID token", "token", text(js, 200, `{"access_token":"a","token_type":"Bearer"}`), 502, ""},
		{"an empty ID token", "token", text(js, 200, `{"access_token":"a","token_type":"Bearer","id_token":""}`), 502, ""},
		{"no access token", "token", text(js, 200, `{"token_type":"Bearer","id_token":"x"}`), 502, ""},
		{"an access token with a line end", "token", text(js, 200, `{"access_token":"a\r\nb","token_type":"Bearer","id_token":"x"}`), 502, ""},
		{"another type of token", "token", text(js, 200, `{"access_token":"a","token_type":"mac","id_token":"x"}`), 502, ""},
		{"an error with status 200", "token", text(js, 200, `{"error":"invalid_grant"}`), 502, ""},
		{"a form instead of JSON", "token", text("application/x-www-form-urlencoded", 200, "access_token=a&id_token=x"), 502, ""},
		{"HTML with status 200", "token", text("text/html", 200, "<h1>Maintenance</h1>"), 502, ""},
		{"nothing", "token", text(js, 204, ""), 502, ""},
		{"half an answer", "token", text(js, 200, `{"access_token":"a`), 502, ""},
		{"an endless answer", "token", endless, 502, ""},
		{"a redirect", "token", redirect, 502, ""},
		{"status 500", "token", text(js, 500, `{}`), 503, "ne répond pas"},
		{"status 504", "token", text(js, 504, `{}`), 504, "tarde à répondre"},
		{"a connection that breaks", "token", hang, 503, "ne répond pas"},

		{"keys: status 500", "certs", text(js, 500, `{}`), 503, ""},
		{"keys: HTML", "certs", text("text/html", 200, "<p>"), 502, ""},
		{"keys: a redirect", "certs", redirect, 502, ""},

		{"userinfo: another subject", "userinfo", text(js, 200, `{"sub":"f:x:899999001029","SubjectNameID":"899999001029"}`), 502, ""},
		{"userinfo: no subject", "userinfo", text(js, 200, `{"SubjectNameID":"899999001011"}`), 502, ""},
		{"userinfo: an error with status 200", "userinfo", text(js, 200, `{"error":"invalid_token"}`), 502, ""},
		{"userinfo: no national identifier", "userinfo", text(js, 200, `{"sub":"f:x:899999001011"}`), 502, ""},
		{"userinfo: another person's identifier", "userinfo", text(js, 200, `{"sub":"f:x:899999001011","SubjectNameID":"899999001029"}`), 502, ""},
		{"userinfo: a JWT", "userinfo", text("application/jwt", 200, "a.b.c"), 502, ""},
		{"userinfo: forbidden", "userinfo", text(js, 403, `{}`), 502, ""},
		{"userinfo: status 500", "userinfo", text("text/html", 500, "<p>"), 503, ""},
		{"userinfo: an endless answer", "userinfo", endless, 502, ""},
		{"userinfo: a redirect", "userinfo", redirect, 502, ""},
		{"userinfo: a list", "userinfo", text(js, 200, `[]`), 502, ""},

		{"metadata: status 503", "wallet-openid-configuration", text(js, 503, `{}`), 503, "ne répond pas"},
		{"metadata: HTML with status 200", "wallet-openid-configuration", text("text/html", 200, "<h1>Maintenance</h1>"), 502, ""},
		{"metadata: a redirect", "wallet-openid-configuration", redirect, 502, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.answers[tt.where] = tt.answer
			rec, in := h.signIn()
			if in || rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.page) || h.users.n != 0 {
				t.Errorf("got %d, session %v, %d users\n%s", rec.Code, in, h.users.n, rec.Body)
			}
			if h.count("token") > 1 || h.count("elsewhere") > 0 {
				t.Errorf("%d exchanges, %d redirects followed: want one at most and none", h.count("token"), h.count("elsewhere"))
			}
		})
	}
}

// A key set has a media type of its own, which certified providers use (RFC 7517
// 8.5.1). No other answer has it.
func TestMediaTypeOfKeySets(t *testing.T) {
	for _, tt := range []struct {
		name, where, contentType string
		in                       bool
	}{
		{"keys as a key set", "certs", "application/jwk-set+json", true},
		{"keys as a key set with a charset", "certs", "application/jwk-set+json; charset=utf-8", true},
		{"keys as JSON", "certs", "application/json", true},
		{"keys as another kind of JSON", "certs", "application/problem+json", false},
		{"keys as one key", "certs", "application/jwk+json", false},
		{"userinfo as a key set", "userinfo", "application/jwk-set+json", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			body := map[string]string{"certs": h.keys, "userinfo": h.userinfo}[tt.where]
			h.answers[tt.where] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				fmt.Fprint(w, body)
			}
			if rec, in := h.signIn(); in != tt.in || !in && rec.Code != 502 {
				t.Errorf("got %d, session %v: %s", rec.Code, in, rec.Body)
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	for _, tt := range []struct {
		name, member string
		value        any
		ok           bool
	}{
		{"the truth", "x", 1, true},
		{"nothing about PKCE", "code_challenge_methods_supported", nil, true},
		{"no end_session_endpoint", "end_session_endpoint", nil, true},
		{"another issuer", "issuer", "https://evil.example", false},
		{"no issuer", "issuer", nil, false},
		{"an issuer that is a number", "issuer", 1, false},
		{"no keys", "jwks_uri", nil, false},
		{"keys on another host", "jwks_uri", "https://evil.example/certs", false},
		{"a token endpoint over http", "token_endpoint", "http://psc.example/token", false},
		{"an authorization endpoint elsewhere", "authorization_endpoint", "https://evil.example/auth", false},
		{"no code flow", "response_types_supported", []string{"id_token"}, false},
		{"only plain PKCE", "code_challenge_methods_supported", []string{"plain"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			h.metadata[tt.member] = tt.value
			if rec, in := h.signIn(); in != tt.ok || !in && (rec.Code != 502 || h.count("token") != 0) {
				t.Errorf("got %d, session %v, %d exchanges: %s", rec.Code, in, h.count("token"), rec.Body)
			}
		})
	}
}

func TestKeyRotation(t *testing.T) {
	h := newHostile(t)
	told := &logs{}
	h.restart(func(c *auth.Config) { c.Logger = textLogger(told) })
	good := func(when string) {
		t.Helper()
		if rec, in := h.signIn(); !in {
			t.Errorf("%s: got %d", when, rec.Code)
		}
	}
	bad := func(when string) {
		t.Helper()
		if rec, in := h.signIn(); in {
			t.Errorf("%s: got %d", when, rec.Code)
		}
	}
	old, oldKeys := h.key, h.keys
	good("at first")
	good("again")
	if n := h.count("certs"); n != 1 {
		t.Errorf("the keys were read %d times, want 1", n)
	}
	h.key, h.header["kid"] = otherKey(), "k2"
	h.keys = keySet(jwk(&h.key.PublicKey, map[string]any{"kid": "k2"}))
	good("rotated just before signing")
	h.key, h.header["kid"] = old, "k1"
	bad("the withdrawn key")

	// A flood of invented kids: one reading, then none for ten seconds.
	before := h.count("certs")
	for i := range 50 {
		h.header["kid"] = fmt.Sprint("flood", i)
		bad("an invented kid")
	}
	if n := h.count("certs") - before; n > 1 {
		t.Errorf("fifty invented kids caused %d readings", n)
	}
	h.header["kid"], h.keys = "k1", oldKeys
	h.clock.Advance(11 * time.Second)
	good("rotated back, ten seconds after the flood")

	// PSC's keys are out of reach: those known serve for a day.
	h.answers["certs"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	h.clock.Advance(23 * time.Hour)
	good("keys read 23 hours ago")
	if !strings.Contains(told.String(), `level=WARN msg="auth: cannot read PSC's keys again`) {
		t.Errorf("the operator is told %s", told)
	}
	h.clock.Advance(2 * time.Hour)
	bad("keys read 25 hours ago")
	delete(h.answers, "certs")
	h.clock.Advance(2 * time.Second)
	good("PSC is back")
}

func TestPSCComesBackWithoutARestart(t *testing.T) {
	h := newHostile(t)
	h.answers["wallet-openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	if rec, _ := h.signIn(); rec.Code != 503 {
		t.Fatalf("got %d", rec.Code)
	}
	delete(h.answers, "wallet-openid-configuration")
	h.clock.Advance(2 * time.Second)
	if rec, in := h.signIn(); !in {
		t.Errorf("got %d", rec.Code)
	}
	h.answers["wallet-openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	h.clock.Advance(3 * time.Hour)
	if rec, in := h.signIn(); !in {
		t.Errorf("with metadata of three hours ago: got %d", rec.Code)
	}
}

func TestTheTokenRequest(t *testing.T) {
	h := newHostile(t)
	var got *http.Request
	h.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		got = r
		w.WriteHeader(500)
	}
	h.signIn()
	id, secret, ok := got.BasicAuth()
	if !ok || id != "client" || secret != "secret" || got.URL.RawQuery != "" {
		t.Errorf("authenticated as %q", id)
	}
	for name, want := range map[string]string{
		"grant_type": "authorization_code", "code": "c", "redirect_uri": "https://app.example/auth/callback",
		"client_secret": "", "client_id": "",
	} {
		if v := got.PostForm.Get(name); v != want {
			t.Errorf("%s: got %q, want %q", name, v, want)
		}
	}
	if v := got.PostForm.Get("code_verifier"); len(v) != 43 {
		t.Errorf("code_verifier of %d characters", len(v))
	}
}

// Any library verifies the session token, given the key; ours is only faster and
// stricter.
func TestTheSessionTokenIsAnOrdinaryJWT(t *testing.T) {
	w := newWorld(t)
	token := w.token("dr-dupont")
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(auth.SessionKey(w.rp))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iss", "aud", "sub", "sid", "jti", "iat", "exp", "auth_time", "roles", "tenant_id", "rpps", "national_id", "acr"} {
		if _, ok := claims[name]; !ok {
			t.Errorf("no %s in %s", name, payload)
		}
	}
	if typ := jws.Signatures[0].Header.ExtraHeaders["typ"]; typ != "psc-session+jwt" {
		t.Errorf("typ %v", typ)
	}
	if len(token) > 1024 {
		t.Errorf("the token has %d bytes, want at most 1024", len(token))
	}

	// The same key over other claims: each that is missing, doubled or of another
	// type is refused; one that is unknown passes.
	header := token[:strings.Index(token, ".")]
	for _, tt := range []struct {
		name, old, new string
		ok             bool
	}{
		{"as it was", "", "", true},
		{"an unknown claim", `"iss"`, `"new":{"x":[1]},"iss"`, true},
		{"another issuer", w.url, "http://localhost:1", false},
		{"no issuer", `"iss"`, `"xiss"`, false},
		{"no national identifier", `"national_id"`, `"xnational_id"`, false},
		{"7 KiB", `"iss"`, `"x":"` + strings.Repeat("x", 5<<10-300) + `","iss"`, true},
		{"more than 8 KiB", `"iss"`, `"x":"` + strings.Repeat("x", 6<<10) + `","iss"`, false},
		{"no subject", `"sub"`, `"xsub"`, false},
		{"no session", `"sid"`, `"xsid"`, false},
		{"no jti", `"jti"`, `"xjti"`, false},
		{"no exp", `"exp"`, `"xexp"`, false},
		{"no iat", `"iat"`, `"xiat"`, false},
		{"no auth_time", `"auth_time"`, `"xauth_time"`, false},
		{"no roles", `"roles"`, `"xroles"`, false},
		{"no audience", `"aud"`, `"xaud"`, false},
		{"a subject twice", `"sub"`, `"sub":"2","sub"`, false},
		{"a subject that is a number", `"sub":"` + claims["sub"].(string) + `"`, `"sub":1`, false},
		{"roles that are text", `"roles":[]`, `"roles":"admin"`, false},
		{"a role that is a number", `"roles":[]`, `"roles":[1]`, false},
	} {
		changed := strings.Replace(string(payload), tt.old, tt.new, 1)
		if changed == string(payload) && tt.old != "" {
			t.Fatalf("%s: the row changes nothing in %s", tt.name, payload)
		}
		text := header + "." + b64([]byte(changed))
		mac := hmac.New(sha256.New, auth.SessionKey(w.rp))
		mac.Write([]byte(text))
		got := w.get(program(), "/patients", "Authorization", "Bearer "+text+"."+b64(mac.Sum(nil)))
		if (got.StatusCode == 200) != tt.ok {
			t.Errorf("%s: got %s", tt.name, got.Status)
		}
	}
}

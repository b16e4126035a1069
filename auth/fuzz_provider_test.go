package auth_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

// The fuzz targets of this file let the provider say anything at one place, and
// hold the whole sign-in to what a plain second reading of the same bytes allows.

// newDirect is a hostile provider that is asked without a socket, so that a
// target goes a thousand times a second.
func newDirect(t testing.TB) (*hostile, *direct) {
	t.Helper()
	h := &hostile{server: &httptest.Server{URL: "http://127.0.0.1:9"}} // the port that discards
	line := &direct{provider: h, host: "127.0.0.1:9"}
	h.init(t, &http.Client{Transport: line})
	h.restart(func(c *auth.Config) { c.Sessions = auth.NewMemorySessions() })
	return h, line
}

// direct leads to the provider, and notes what was sent elsewhere.
type direct struct {
	provider  http.Handler
	host      string
	elsewhere []string
}

func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != d.host || r.URL.Scheme != "http" {
		d.elsewhere = append(d.elsewhere, r.URL.String())
		return nil, fmt.Errorf("no route to %s", r.URL.Host)
	}
	rec := httptest.NewRecorder()
	d.provider.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// hold checks what holds for every sign-in, whatever was said: an answer that is
// no fault of ours, in time, with a session only at its end, and PSC asked no
// more often than once.
func (h *hostile) hold(t *testing.T, rec *httptest.ResponseRecorder, in bool, since time.Time) {
	t.Helper()
	to := rec.Header().Get("Location")
	switch {
	case in:
		if rec.Code != 303 || to != "/x" || h.users.n != 1 {
			t.Errorf("signed in with %d to %q and %d users", rec.Code, to, h.users.n)
		}
	case rec.Code == 303:
		if !strings.HasPrefix(to, "/auth/login?") || h.users.n != 0 {
			t.Errorf("sent to %q with %d users", to, h.users.n)
		}
	case !slices.Contains([]int{400, 401, 502, 503, 504}, rec.Code) || h.users.n != 0:
		t.Errorf("refused with %d and %d users", rec.Code, h.users.n)
	case !referenceForm.MatchString(rec.Body.String()):
		t.Errorf("refused without a reference: %s", rec.Body)
	}
	for _, call := range []string{"token", "userinfo", "certs"} {
		if n := h.count(call); n > 1 {
			t.Errorf("%s was asked %d times", call, n)
		}
	}
	if took := time.Since(since); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// saying makes one answer of the provider's.
func saying(contentType string, status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// splice returns text with cut bytes from at on replaced.
func splice(text string, at uint16, cut uint8, insert string) string {
	from := int(at) % (len(text) + 1)
	return text[:from] + insert + text[min(from+int(cut), len(text)):]
}

// members reads one JSON object as encoding/json does, which lets the last of
// two members win; nil if it is none.
func members(doc []byte) (m map[string]any) {
	if json.Unmarshal(doc, &m) != nil {
		return nil
	}
	return m
}

const honestHeader, honestClaims = `{"alg":"RS256","typ":"JWT","kid":"k1"}`,
	`{"iss":"ISS","aud":"client","azp":"client","sub":"f:x:899999001011","exp":EXP,"iat":NOW,"auth_time":NOW,"nonce":"NONCE","acr":"eidas1"}`

// An ID token leads on, to userinfo, only if the published key signed exactly
// these bytes, and they say what OIDC Core 3.1.3.7 asks for.
func FuzzIDToken(f *testing.F) {
	f.Add(honestHeader, honestClaims, true, uint16(0), uint8(0), "")
	f.Add(honestHeader, honestClaims, false, uint16(0), uint8(0), "")
	f.Add(`{"alg":"none"}`, honestClaims, true, uint16(0), uint8(0), "")
	f.Add(`{"alg":"RS256"}`, `{"aud":["client"],"iss":"ISS","exp":EXP,"iat":NOW,"nonce":"NONCE","acr":"eidas3","sub":"s"}`, true, uint16(0), uint8(0), "")
	f.Add(honestHeader, honestClaims, true, uint16(60), uint8(1), "_")
	f.Add(honestHeader, honestClaims, true, uint16(60), uint8(0), "\n")
	f.Add(honestHeader, honestClaims, true, uint16(65535), uint8(1), "h")
	f.Add(honestHeader, honestClaims[:len(honestClaims)-1]+`,"sub":"x"}`, true, uint16(0), uint8(0), "")
	f.Add(honestHeader, honestClaims[:len(honestClaims)-1]+`,"at_hash":"x","nbf":1,"typ":"ID","sid":"s","SubjectNameID":"899999001011"}`, true, uint16(0), uint8(0), "")
	for _, wrong := range []string{ // claims that are signed and not right
		`"nonce":"x"`, `"aud":["client","other"]`, `"aud":"other"`, `"iss":"https://evil.example"`, `"exp":1`, `"iat":1`, `"sub":""`, `"acr":"0"`,
	} {
		name, _, _ := strings.Cut(wrong, ":")
		right := regexp.MustCompile(name + `:("[^"]*"|[A-Z]+)`).FindString(honestClaims)
		f.Add(honestHeader, strings.Replace(honestClaims, right, wrong, 1), true, uint16(0), uint8(0), "")
	}
	f.Fuzz(func(t *testing.T, header, claims string, ours bool, at uint16, cut uint8, insert string) {
		h, _ := newDirect(t)
		h.rawHead, h.payload = header, claims
		if !ours {
			h.key = otherKey()
		}
		var signed, sent string
		h.mangle = func(token string) string {
			signed, sent = token, splice(token, at, cut, insert)
			return sent
		}
		since := time.Now()
		rec, in := h.signIn()
		h.hold(t, rec, in, since)
		if h.count("userinfo") == 0 {
			if ours && header == honestHeader && claims == honestClaims && sent == signed {
				t.Errorf("an honest token got %d: %s", rec.Code, rec.Body)
			}
			return
		}
		said, err := h.reread(sent)
		if err != nil {
			t.Fatalf("userinfo was asked for, though %v\n%q", err, sent)
		}
		if in && said["sub"] != "f:x:899999001011" {
			t.Errorf("a token about %v opened a session", said["sub"])
		}
	})
}

// reread reads an ID token as a second, slower library would, and says what
// about it forbids to go on.
func (h *hostile) reread(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("it has %d parts", len(parts))
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil || b64(b) != p {
			return nil, fmt.Errorf("part %d has a second spelling", i)
		}
		raw[i] = b
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&signingKey().PublicKey, crypto.SHA256, sum[:], raw[2]); err != nil {
		return nil, err
	}
	header, claims := members(raw[0]), members(raw[1])
	number := func(name string) int64 { n, _ := claims[name].(float64); return int64(n) }
	now := h.clock.Now().Unix()
	audience := claims["aud"]
	if list, ok := audience.([]any); ok && len(list) == 1 {
		audience = list[0]
	}
	subject, _ := claims["sub"].(string)
	acr, _ := claims["acr"].(string)
	switch {
	case header["alg"] != "RS256":
		return nil, fmt.Errorf("alg is %v", header["alg"])
	case header["crit"] != nil || header["b64"] != nil:
		return nil, fmt.Errorf("it has extensions: %v", header)
	case claims["iss"] != h.cfg.Provider.Issuer:
		return nil, fmt.Errorf("iss is %v", claims["iss"])
	case audience != "client":
		return nil, fmt.Errorf("aud is %v", claims["aud"])
	case claims["nonce"] != h.nonce || h.nonce == "":
		return nil, fmt.Errorf("nonce is %v", claims["nonce"])
	case subject == "" || len(subject) > 255:
		return nil, fmt.Errorf("sub is %q", subject)
	case number("exp") <= now-60:
		return nil, fmt.Errorf("exp is %v", claims["exp"])
	case number("iat") < now-600 || number("iat") > now+60:
		return nil, fmt.Errorf("iat is %v", claims["iat"])
	case !slices.Contains([]string{"eidas1", "eidas2", "eidas3"}, acr):
		return nil, fmt.Errorf("acr is %v", claims["acr"])
	}
	return claims, nil
}

// A key set yields only RSA keys of 2048 bits and more that are published for
// signatures, and a sign-in only if the key that signed is among them.
func FuzzKeySet(f *testing.F) {
	good := `{"kty":"RSA","kid":"k1","use":"sig","alg":"RS256","n":"GOOD","e":"AQAB"}`
	for _, s := range []string{
		keySet(good),
		keySet(`{"kty":"RSA","n":"GOOD","e":"AQAB"}`),
		keySet(`{"kty":"RSA","n":"WEAK","e":"AQAB","kid":"k1"}`, good),
		keySet(`{"kty":"RSA","kid":"k1","use":"enc","alg":"RSA-OAEP","n":"GOOD","e":"AQAB"}`),
		keySet(`{"kty":"RSA","kid":"k1","use":"enc","n":"GOOD","e":"AQAB"}`),
		keySet(`{"kty":"RSA","kid":"k1","alg":"PS256","n":"GOOD","e":"AQAB"}`),
		keySet(`{"kty":"RSA","kid":"k1","key_ops":["encrypt"],"n":"GOOD","e":"AQAB"}`, `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`),
		keySet(`{"kty":"RSA","kid":"k1","n":"GOOD","e":"Aw","d":"AA"}`, `{"kty":"oct","k":"AAAA"}`, `{}`, `null`),
		keySet(`{"kty":"RSA","kid":"k1","n":"HUGE","e":"AQAB","x5c":["AA"],"x5t":"AA"}`, good),
		`{"keys":[],"keys":[` + good + `]}`, `{"keys":null}`, `[]`,
	} {
		f.Add(s)
	}
	modulus := signingKey().N
	bits := func(n uint) string { // odd, of exactly n bits
		v := new(big.Int).Lsh(big.NewInt(1), n-1)
		return b64(v.Add(v, big.NewInt(1)).Bytes())
	}
	names := strings.NewReplacer("GOOD", b64(modulus.Bytes()), "WEAK", bits(1024), "HUGE", bits(8192))
	f.Fuzz(func(t *testing.T, doc string) {
		doc = names.Replace(doc)
		h, line := newDirect(t)
		h.answers["certs"] = saying("application/json", 200, doc)
		since := time.Now()
		rec, in := h.signIn()
		h.hold(t, rec, in, since)
		if len(line.elsewhere) > 0 {
			t.Errorf("%v was visited", line.elsewhere)
		}
		var set struct{ Keys []json.RawMessage }
		json.Unmarshal([]byte(doc), &set)
		published := func(n *big.Int) bool {
			return slices.ContainsFunc(set.Keys, func(raw json.RawMessage) bool {
				k := members(raw)
				text, _ := k["n"].(string)
				got, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
				ops, hasOps := k["key_ops"].([]any)
				return err == nil && new(big.Int).SetBytes(got).Cmp(n) == 0 && k["kty"] == "RSA" &&
					(k["use"] == nil || k["use"] == "" || k["use"] == "sig") &&
					(k["alg"] == nil || k["alg"] == "" || k["alg"] == "RS256") &&
					(!hasOps || slices.Contains(ops, any("verify")))
			})
		}
		good := false
		keys := auth.Keys(h.rp)
		for _, k := range keys {
			good = good || k.N.Cmp(modulus) == 0
			if n := k.N.BitLen(); n < 2048 || n > 4096 || k.E < 3 || k.E%2 == 0 || !published(k.N) {
				t.Errorf("a key of %d bits with exponent %d, published for signatures: %v", n, k.E, published(k.N))
			}
		}
		if in && !good || len(keys) > 32 {
			t.Errorf("session %v with %d keys, the signer's among them: %v", in, len(keys), good)
		}
	})
}

// Whatever the metadata says, nobody is sent, and nothing is sent, to another
// host than the issuer's.
func FuzzMetadata(f *testing.F) {
	const start = `{"issuer":"ISS","authorization_endpoint":"ISS/auth","token_endpoint":"ISS/token","userinfo_endpoint":"ISS/userinfo","jwks_uri":"ISS/certs"`
	for _, s := range []string{
		start + `}`,
		start + `,"end_session_endpoint":"ISS/logout","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}`,
		start + `,"end_session_endpoint":"https://evil.example/?x"}`,
		start + `,"authorization_response_iss_parameter_supported":true,"token_endpoint_auth_methods_supported":["client_secret_post"]}`,
		start + `,"mtls_endpoint_aliases":{"token_endpoint":"https://evil.example","userinfo_endpoint":"ISS/u"}}`,
		start + `,"issuer":"https://evil.example"}`,
		strings.Replace(start, "ISS/token", "http://127.0.0.1:99/token", 1) + `}`,
		strings.Replace(start, "ISS/auth", "http://127.0.0.1:9@evil.example/auth", 1) + `}`,
		strings.Replace(start, "ISS/auth", `http:\\evil.example\auth`, 1) + `}`,
		strings.Replace(start, "ISS/certs", "http://127.0.0.1:9#@evil.example/certs", 1) + `}`,
		strings.Replace(start, "ISS/auth", "ISS/auth?a=b", 1) + `}`, `{}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		h, line := newDirect(t)
		h.answers["wallet-openid-configuration"] = saying("application/json", 200, strings.ReplaceAll(doc, "ISS", h.cfg.Provider.Issuer))
		own := func(what, address string) {
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "http" || u.Host != "127.0.0.1:9" || u.User != nil || browserHost(address) != "127.0.0.1:9" ||
				strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				t.Errorf("%s to %q", what, address)
			}
		}
		since := time.Now()
		login, state := h.begin()
		if login.Code != 303 {
			h.hold(t, login, false, since)
			return
		}
		own("login", login.Header().Get("Location"))
		r := navigation("/auth/callback?code=c&state=" + url.QueryEscape(state))
		for _, c := range login.Result().Cookies() {
			r.AddCookie(c)
		}
		rec, in := h.end(r)
		h.hold(t, rec, in, since)
		if len(line.elsewhere) > 0 {
			t.Errorf("%v was asked", line.elsewhere)
		}
		if !in {
			return
		}
		out := httptest.NewRequest("POST", "/auth/logout", nil)
		for _, c := range rec.Result().Cookies() {
			out.AddCookie(c)
		}
		bye := httptest.NewRecorder()
		h.rp.ServeHTTP(bye, out)
		if leave, _ := members(bye.Body.Bytes())["logout_url"].(string); leave != "" {
			own("logout", leave)
		}
	})
}

// browserHost returns the host of an absolute address as a browser reads it.
func browserHost(address string) string {
	address = strings.ReplaceAll(address, `\`, "/")
	_, rest, _ := strings.Cut(address, ":")
	rest = strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest[strings.LastIndex(rest, "@")+1:]
}

// Only a JSON answer with status 200 that holds both genuine tokens, each once,
// opens a session.
func FuzzTokenAnswer(f *testing.F) {
	const js = "application/json"
	for _, s := range []string{
		`{"access_token":"ACCESS","token_type":"Bearer","expires_in":120,"id_token":"IDTOKEN"}`,
		`{"access_token":"ACCESS","token_type":"bearer","id_token":"IDTOKEN","scope":"openid scope_all","refresh_token":"r"}`,
		`{"Access_Token":"ACCESS","token_type":"Bearer","ID_TOKEN":"IDTOKEN"}`,
		`{"access_token":"other","token_type":"Bearer","id_token":"IDTOKEN"}`,
		`{"access_token":"ACCESS","token_type":"mac","id_token":"IDTOKEN"}`,
		`{"error":"invalid_grant","error_description":"Code not valid"}`, `{"error":"invalid_client"}`,
		`access_token=ACCESS&token_type=Bearer&id_token=IDTOKEN`, `null`, ``,
	} {
		f.Add(s, js, uint16(200))
		f.Add(s, js, uint16(400))
	}
	f.Add(`{"access_token":"ACCESS","token_type":"Bearer","id_token":"IDTOKEN"}`, "application/json; charset=utf-8", uint16(200))
	f.Add(`{"access_token":"ACCESS","token_type":"Bearer","id_token":"IDTOKEN"}`, "text/html", uint16(200))
	f.Fuzz(func(t *testing.T, doc, contentType string, status uint16) {
		if status < 200 || status > 599 {
			status = 200
		}
		h, _ := newDirect(t)
		genuine := ""
		h.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
			genuine = h.idToken(h.cfg.Provider.Issuer)
			doc = strings.NewReplacer("IDTOKEN", genuine, "ACCESS", accessToken).Replace(doc)
			saying(contentType, int(status), doc)(w, r)
		}
		since := time.Now()
		rec, in := h.signIn()
		h.hold(t, rec, in, since)
		if strings.Contains(rec.Body.String(), accessToken) || strings.Contains(rec.Body.String(), genuine) {
			t.Errorf("the page repeats a token: %s", rec.Body)
		}
		m := members([]byte(doc))
		kind, _ := m["token_type"].(string)
		if in && (status != 200 || m["id_token"] != genuine || m["access_token"] != accessToken || !strings.EqualFold(kind, "Bearer") ||
			!strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), js)) {
			t.Errorf("status %d, %q, %s opened a session", status, contentType, doc)
		}
	})
}

// Userinfo opens a session only for the subject of the ID token, by the members
// that are spelt exactly so.
func FuzzUserInfo(f *testing.F) {
	for _, s := range []string{
		`{"sub":"f:x:899999001011","SubjectNameID":"899999001011","given_name":"Jean","family_name":"DUPONT"}`,
		`{"sub":"f:x:899999001011","SubjectNameID":"99999001011"}`,
		`{"Sub":"f:x:899999001011","SubjectNameID":"899999001011"}`,
		`{"sub":"f:x:899999001011","SUB":"f:x:899999001029","SubjectNameID":"899999001011","subjectnameid":"899999001029"}`,
		`{"sub":"f:x:899999001029","SubjectNameID":"899999001029"}`,
		`{"sub":"f:x:899999001011","SubjectNameID":"899999001011","SubjectRefPro":{"codeCivilite":"M","exercices":[{"codeProfession":"10","prenomDexercice":"<b>","activities":[{"codeRole":"x"}]}]}}`,
		`{"sub":"f:x:899999001011","SubjectNameID":"899999001011","otherIds":[{"identifiant":"899999001011","origine":"RPPS"}],"SubjectRole":["10^1.2.3"]}`,
		`{"sub":"f:x:899999001011","SubjectNameID":null}`, `[]`, `{"error":"invalid_token"}`,
	} {
		f.Add(s, "application/json")
	}
	f.Add(`{"sub":"f:x:899999001011","SubjectNameID":"899999001011"}`, "application/jwt")
	f.Fuzz(func(t *testing.T, doc, contentType string) {
		h, _ := newDirect(t)
		h.answers["userinfo"] = saying(contentType, 200, doc)
		since := time.Now()
		rec, in := h.signIn()
		h.hold(t, rec, in, since)
		if !in {
			return
		}
		m := members([]byte(doc))
		if id := m["SubjectNameID"]; m["sub"] != "f:x:899999001011" || id != "899999001011" && id != "99999001011" {
			t.Errorf("%s opened a session", doc)
		}
		given, _ := m["given_name"].(string)
		if got := h.users.last; got.NationalID != "899999001011" || got.GivenName != given || string(got.Raw) != doc {
			t.Errorf("%s became %+v", doc, got)
		}
	})
}

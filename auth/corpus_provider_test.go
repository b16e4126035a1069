package auth_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/auth"
)

const asJSON = "application/json"

// writes answers with a status, a type and a body.
func writes(contentType string, status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// endless never stops, which stands for every size.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", asJSON)
	io.WriteString(w, `{"sub":"`)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, strings.Repeat("a", 64<<10)); err != nil {
			return
		}
	}
}

// bomb is 16 MiB of JSON in 16 KiB.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, `{"x":"`)
	for range 16 {
		z.Write(bytes.Repeat([]byte("a"), 1<<20))
	}
	io.WriteString(z, `"}`)
	z.Close()
	return b.Bytes()
})

func gzipBomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", asJSON)
	w.Header().Set("Content-Encoding", "gzip")
	w.Write(bomb())
}

// drips sends one byte now and then, and never ends.
func drips(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", asJSON)
	for r.Context().Err() == nil {
		io.WriteString(w, " ")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// silentServer sends no header.
func silentServer(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func redirects(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", status) }
}

// impatient is a client that waits as little as a test can.
func impatient(cfg *auth.Config) { cfg.HTTPClient = &http.Client{Timeout: 300 * time.Millisecond} }

// ownClient is the client of an app that configures none.
func ownClient(cfg *auth.Config) { cfg.HTTPClient = nil }

// answer runs a case once for each answer of one endpoint.
func answering(endpoint string, answers ...http.HandlerFunc) runner {
	return answeringTo(endpoint, nil, answers...)
}

func answeringTo(endpoint string, change func(*auth.Config), answers ...http.HandlerFunc) runner {
	return func(t *testing.T, c corpusCase) {
		for i, answer := range answers {
			l := newLab(t, c, change0(change))
			l.answers[endpoint] = func(w http.ResponseWriter, r *http.Request) {
				if endpoint == "token" {
					l.hear(r)
				}
				answer(w, r)
			}
			l.status = c.Expect.HTTP
			if c.Expect.Reason == "timeout" {
				l.status = append([]int{504}, l.status...) // policy: a time-out is a 504
			}
			l.try()
			if n := l.count("elsewhere"); n != 0 {
				t.Errorf("answer %d: a redirect was followed", i)
			}
			if n := l.count(endpoint); n != 1 {
				t.Errorf("answer %d: %s was called %d times", i, endpoint, n)
			}
		}
	}
}

func change0(change func(*auth.Config)) func(*auth.Config) {
	if change == nil {
		return func(*auth.Config) {}
	}
	return change
}

// all runs one case in several ways.
func all(runs ...runner) runner {
	return func(t *testing.T, c corpusCase) {
		for _, run := range runs {
			run(t, c)
		}
	}
}

// because replaces the reason of a case by a pattern for our log line.
func because(pattern string, run runner) runner {
	return func(t *testing.T, c corpusCase) {
		c.Says = pattern
		run(t, c)
	}
}

// tokenAnswer is a good answer with some members replaced; nil removes one.
func tokenAnswer(changes map[string]any) runner {
	return func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
			l.hear(r)
			m := map[string]any{"access_token": accessToken, "token_type": "Bearer", "expires_in": 120, "id_token": l.idToken(l.issuer())}
			l.keep(m["id_token"].(string))
			patch(m, changes)
			w.Header().Set("Content-Type", asJSON)
			json.NewEncoder(w).Encode(m)
		}
		l.try()
	}
}

// The token endpoint.
var _ = hand(map[string]runner{
	"TKN-001": answering("token", writes(asJSON, 400, `{"error":"invalid_grant","error_description":"Code not valid"}`)),
	"TKN-002": answering("token", writes(asJSON, 401, `{"error":"invalid_client"}`)),
	"TKN-004": tokenAnswer(map[string]any{"id_token": nil}),
	"TKN-006": tokenAnswer(map[string]any{"id_token": ""}),
	"TKN-007": tokenAnswer(map[string]any{"access_token": nil}),
	"TKN-009": all(tokenAnswer(map[string]any{"token_type": "mac"}), tokenAnswer(map[string]any{"token_type": "DPoP"}), tokenAnswer(map[string]any{"token_type": nil})),
	"TKN-011": tokenAnswer(map[string]any{"expires_in": "120"}),
	"TKN-012": all(
		tokenAnswer(map[string]any{"expires_in": -1}), tokenAnswer(map[string]any{"expires_in": 0}),
		tokenAnswer(map[string]any{"expires_in": json.Number("1e300")}), tokenAnswer(map[string]any{"expires_in": nil}),
	),
	"TKN-014": tokenAnswer(map[string]any{"refresh_expires_in": 1800, "session_state": "s", "not-before-policy": 0, "refresh_token": "r"}),
	"TKN-016": answering("token", writes("application/x-www-form-urlencoded", 200, "access_token=a&token_type=Bearer&id_token=x")),
	"TKN-017": answering("token", writes("text/plain", 200, "access_token=a&token_type=Bearer&id_token=x")),
	"TKN-019": answering("token", writes(asJSON, 204, "")),
	"TKN-021": answering("token", endless),
	"TKN-022": all(answering("token", gzipBomb), because(`reason=token .*unusable answer`, answeringTo("token", ownClient, gzipBomb))),
	"TKN-024": answeringTo("token", impatient, drips),
	"TKN-026": answering("token", writes(asJSON, 200, `{"access_token":"a`)),
	"TKN-027": because(`reason=token .*(1xx|exceeded|Timeout)`, answeringTo("token", impatient, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		for {
			if _, err := io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return
			}
		}
	})),
	"TKN-029": answering("token", redirects(303), redirects(307)),
	"TKN-031": because(`reason=token .*no usable access_token`, all(
		tokenAnswer(map[string]any{"access_token": "a\r\nb"}), tokenAnswer(map[string]any{"access_token": "a\u00e9"}), tokenAnswer(map[string]any{"access_token": "a b"}),
	)),
	"TKN-032": tokenAnswer(map[string]any{"access_token": strings.Repeat("a", 1<<20)}),
	"TKN-034": all(
		answering("token", writes(asJSON, 500, `{}`)),
		because(`reason=token .*EOF`, answering("token", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })),
	),
	"TKN-036": answering("token", writes(asJSON, 401, `{"error":"invalid_client"}`)),
	"TKN-037": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		honest := l.answers["token"]
		l.answers["token"] = func(w http.ResponseWriter, r *http.Request) {
			honest(w, r)
			id, secret, basic := r.BasicAuth()
			names := slices.Sorted(maps.Keys(r.PostForm))
			if !slices.Equal(names, []string{"code", "code_verifier", "grant_type", "redirect_uri"}) || !basic || id != "client" || secret != corpusSecret || r.URL.RawQuery != "" || r.Method != "POST" {
				t.Errorf("%s with %v, as %q", r.Method, names, id)
			}
			if f := r.PostForm; f.Get("grant_type") != "authorization_code" || f.Get("code") != corpusCode || f.Get("redirect_uri") != "https://app.example/auth/callback" || len(f.Get("code_verifier")) != 43 {
				t.Errorf("the form is %v", names)
			}
		}
		l.try()
	},
	"TKN-039": func(t *testing.T, c corpusCase) {
		w := newTLSWorld(t)
		if status, _ := w.signIn(t); status != 200 {
			t.Errorf("with the first certificate: got %d", status)
		}
		writePair(t, w.file, w.psc.ClientCertificate("another-app"))
		os.Chtimes(w.file, time.Now().Add(time.Minute), time.Now().Add(time.Minute))
		if status, _ := w.signIn(t); status == 200 {
			t.Error("the former certificate was presented after the rotation")
		}
		// What an operator reads of a certificate that is refused names the matter.
		// There is no readiness probe: the sign-in page says 502, the log why.
		if !strings.Contains(w.logs.String(), "reason=misconfigured") && !strings.Contains(w.logs.String(), "tls: ") {
			t.Errorf("the operator is told %s", w.logs)
		}
		writePair(t, w.file, w.psc.ClientCertificate("agenda"))
		os.Chtimes(w.file, time.Now().Add(time.Hour), time.Now().Add(time.Hour))
		if status, _ := w.signIn(t); status != 200 {
			t.Errorf("rotated again: got %d", status)
		}
	},
})

// document is userinfo with some members replaced; nil stands for null.
func document(l *lab, changes map[string]any) string {
	m := map[string]any{"sub": "f:x:899999001011", "SubjectNameID": "899999001011", "given_name": "Jean", "family_name": "DUPONT"}
	maps.Copy(m, changes)
	text, err := json.Marshal(m)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// runUserInfo interprets the cases that patch userinfo.
func runUserInfo(t *testing.T, c corpusCase) {
	changes := object(c.Input["userinfo"])
	variants := []map[string]any{changes}
	id, named := changes["SubjectNameID"].(string)
	if !named {
		variants[0] = maps.Clone(changes)
		for name, v := range changes {
			if s, ok := v.(string); ok && s == "A*100000" {
				variants[0][name] = strings.Repeat("A", 100_000)
			}
		}
	} else {
		real := map[string][]string{
			"8<11 digits, wrong Luhn>":  {"899999001012"},
			"810001234567\\n":           {"899999001011\n", "899999001011\\n"},
			" 810001234567":             {" 899999001011", "899999001011 "},
			"٨١٠ (Arabic-Indic digits)": {"٨٩٩٩٩٩٠٠١٠١١"},
			"81000123456X":              {"81000123456X", "89999900101X"},
			"0<ADELI 9 digits>":         {"0999300015"},
			"1<cabinet ADELI>/<id>":     {"10999300015/1"},
			"4<SIREN>/<id>":             {"4000000000/CPAT1"},
			"6<cabinet RPPS>/<id>":      {"699999000013001/1"},
			"9xxxxxxxxxxx":              {"9xxxxxxxxxxx", "999999001011"},
		}[id]
		if real == nil {
			real = []string{id}
		}
		variants = nil
		for _, v := range real {
			variants = append(variants, map[string]any{"SubjectNameID": v})
		}
	}
	for _, changes := range variants {
		l := newLab(t, c)
		if named {
			l.claims["SubjectNameID"] = nil // which would have to agree
		}
		l.userinfo = document(l, changes)
		if !named && c.Expect.Reason == "" {
			l.says = `reason=userinfo `
		}
		o := l.try()
		if c.accepted() && !named && (len(o.events) != 1 || o.events[0].NationalID != "899999001011" || o.events[0].UserID != "1") {
			t.Errorf("signed in %+v", o.events)
		}
	}
}

// literally serves a document as it stands.
func literally(documents ...string) runner {
	return func(t *testing.T, c corpusCase) {
		for _, text := range documents {
			l := newLab(t, c)
			l.userinfo = text
			l.try()
		}
	}
}

const person = `"sub":"f:x:899999001011","SubjectNameID":"899999001011"`

var _ = hand(map[string]runner{
	"UIN-006": func(t *testing.T, c corpusCase) {
		literally(`{"sub":"f:x:899999001011","ſub":"other"}`)(t, c) // nothing names a person
		l := newLab(t, c)                                           // and with one: names are compared exactly
		l.userinfo = `{` + person + `,"ſub":"other","SUB":"other","subjectNameID":"899999001029"}`
		b := l.begin()
		if o := l.send(b.back(b.honest())); o.session == nil || o.events[0].NationalID != "899999001011" {
			t.Errorf("got %d %+v", o.rec.Code, o.events)
		}
	},
	"UIN-007": literally(`{"sub":"other",` + person + `}`),
	"UIN-009": literally(`{"sub":"f:x:899999001011 ","SubjectNameID":"899999001011"}`),
	"UIN-039": literally(`{` + person + `,"otherIds":[{"identifiant":"899999001029","origine":"RPPS"}]}`),
	"UIN-041": literally(`{` + person + `,"SubjectRefPro":{"exercices":[]}}`),
	"UIN-061": answering("userinfo", writes(asJSON, 403, `{}`)),
	"UIN-062": answering("userinfo", writes("text/html", 500, `<h1>500</h1>`)),
	"UIN-064": answering("userinfo", writes(asJSON, 200, ``)),
	"UIN-066": answering("userinfo", writes("application/jwt", 200, `a.b.c`)),
	// Policy: userinfo is JSON, and nothing can be configured otherwise.
	"UIN-067": because(`reason=userinfo .*not application/json`, func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.answers["userinfo"] = func(w http.ResponseWriter, r *http.Request) {
			writes("application/jwt", 200, l.tokenOf(map[string]any{"iss": "https://evil.example"}))(w, r)
		}
		l.try()
	}),
	"UIN-069": literally(`{` + person + ",\"family_name\":\"D\xff\"}"),
	"UIN-071": literally(`{`+person+`}garbage`, `{`+person+`}{}`),
	"UIN-072": literally(`[{`+person+`}]`, `null`, `"x"`),
	"UIN-074": answering("userinfo", endless),
	"UIN-076": all(answering("userinfo", gzipBomb), because(`reason=userinfo .*unusable answer`, answeringTo("userinfo", ownClient, gzipBomb))),
	"UIN-077": answeringTo("userinfo", impatient, drips),
	"UIN-079": answering("userinfo", redirects(302)),
	"UIN-081": badTLS("/userinfo", "elsewhere.example", time.Hour),
	"UIN-082": literally(`{`+person+`,"x":1e400}`, `{`+person+`,"x":`+strings.Repeat("1", 100_000)+`}`, `{`+person+`,"family_name":1e400}`),
	"UIN-084": literally(
		`{`+person+`,`+person+`}`, `{`+person+`,"SubjectRefPro":{"exercices":[],"exercices":[]}}`,
		`{`+person+`,"SubjectRefPro":{"exercices":[{"activities":[{"codeRole":"1","codeRole":"1"}]}]}}`, `{`+person+`,"unknown":[{"a":1,"a":2}]}`,
	),
})

// badTLS lets one call go to a server whose certificate is for another host, or is
// over.
func badTLS(path, host string, ends time.Duration) runner {
	return func(t *testing.T, c corpusCase) {
		key := ecKey()
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
			NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(ends),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a bad certificate was believed") }))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(cert)
		elsewhere := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
		l := newLab(t, c, func(cfg *auth.Config) {
			cfg.HTTPClient = &http.Client{Timeout: 5 * time.Second, Transport: tripper(func(r *http.Request) (*http.Response, error) {
				if !strings.HasSuffix(r.URL.Path, path) {
					return http.DefaultTransport.RoundTrip(r)
				}
				r = r.Clone(r.Context())
				r.URL.Scheme, r.URL.Host = "https", strings.Replace(server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
				return elsewhere.RoundTrip(r)
			})}
		})
		l.try()
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// keys runs a case once for each key set; the provider goes on signing with its
// own key.
func keys(sets ...func(l *lab) string) runner {
	return func(t *testing.T, c corpusCase) {
		for _, set := range sets {
			l := newLab(t, c)
			l.keys = set(l)
			l.try()
		}
	}
}

func set(text string) func(*lab) string { return func(*lab) string { return text } }

// own is the provider's key with some members changed.
func own(changes map[string]any, beside ...string) func(*lab) string {
	return func(l *lab) string {
		m := map[string]any{"kid": "k1"}
		maps.Copy(m, changes)
		return keySet(append(beside, jwk(&l.key.PublicKey, m))...)
	}
}

// oddKey makes an RSA key that no library makes, and signs with it.
func oddKey(bits int, e *big.Int, near bool) runner {
	return func(t *testing.T, c corpusCase) {
		var p, q, d *big.Int
		one := big.NewInt(1)
		for d == nil {
			if primes := signingKey().Primes; bits == 2048 {
				p, q = primes[0], primes[1] // which take a second to find
			} else {
				var err error
				if p, err = rand.Prime(rand.Reader, bits/2); err != nil {
					t.Fatal(err)
				}
				if q, err = rand.Prime(rand.Reader, bits/2); err != nil {
					t.Fatal(err)
				}
			}
			if near {
				for q = new(big.Int).Add(p, big.NewInt(2)); !q.ProbablyPrime(1); q.Add(q, big.NewInt(2)) {
				}
			}
			phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
			if e.Bit(0) == 0 {
				d = one // nothing undoes an even exponent
			} else if d = new(big.Int).ModInverse(e, phi); d == nil {
				e = new(big.Int).Add(e, big.NewInt(2))
			}
		}
		n := new(big.Int).Mul(p, q)
		l := newLab(t, c)
		l.keys = keySet(fmt.Sprintf(`{"kty":"RSA","kid":"k1","n":%q,"e":%q}`, b64(n.Bytes()), b64(e.Bytes())))
		l.mangle = resigned(func(text string) []byte {
			info := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
			digest := sha256.Sum256([]byte(text))
			size := (n.BitLen() + 7) / 8
			block := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(info)-32)...)
			block = append(append(append(block, 0), info...), digest[:]...)
			return new(big.Int).Exp(new(big.Int).SetBytes(block), d, n).FillBytes(make([]byte, size))
		})
		l.try()
	}
}

var f4 = big.NewInt(65537)

// keysOver serves the honest keys, or what f does of them.
func keysOver(f func(w http.ResponseWriter, honest string)) runner {
	return func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.answers["certs"] = func(w http.ResponseWriter, _ *http.Request) { f(w, l.keys) }
		l.try()
		l.try()
		if n := l.count("certs"); n != 1 {
			t.Errorf("the keys were read %d times by two sign-ins", n)
		}
		l.clock.Advance(25 * time.Hour)
		l.try()
		if n := l.count("certs"); n != 2 {
			t.Errorf("a day later the keys had been read %d times", n)
		}
	}
}

var _ = hand(map[string]runner{
	"JWK-001": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.try()
		l.key, l.header["kid"] = otherKey(), "k2"
		l.keys = keySet(jwk(&l.key.PublicKey, map[string]any{"kid": "k2"}))
		l.try()
		if n := l.count("certs"); n != 2 {
			t.Errorf("the keys were read %d times, want 2", n)
		}
	},
	"JWK-002": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.keys = keySet(jwk(&otherKey().PublicKey, map[string]any{"kid": "k2"}), jwk(&l.key.PublicKey, map[string]any{"kid": "k1"}))
		l.try()
	},
	"JWK-004": keys(set(`{}`), set(`{"keys":null}`), set(`{"keys":[]}`)),
	"JWK-006": func(t *testing.T, c corpusCase) {
		keys(func(l *lab) string { return own(nil, jwk(&otherKey().PublicKey, map[string]any{"kid": "k1"}))(l) })(t, c)
	},
	"JWK-007": func(t *testing.T, c corpusCase) {
		keys(func(l *lab) string { return own(nil, jwk(&l.key.PublicKey, map[string]any{"kid": "k1"}))(l) })(t, c)
	},
	"JWK-009": keys(own(map[string]any{"key_ops": []string{"encrypt"}}), own(map[string]any{"use": "enc"})),
	"JWK-011": keys(own(map[string]any{"alg": "PS256"})),
	"JWK-012": keys(own(nil)),
	"JWK-014": func(t *testing.T, c corpusCase) {
		secret := []byte("a key that everybody can read")
		oct := own(nil, `{"kty":"oct","kid":"k1","alg":"HS256","k":"`+b64(secret)+`"}`)
		l := newLab(t, c)
		l.keys, l.header["alg"] = oct(l), "HS256"
		l.mangle = resigned(func(text string) []byte { return hmacOf(sha256.New, secret, text) })
		l.try()
		// Policy: a bad key does not take the good one down.
		l = newLab(t, c)
		l.keys = oct(l)
		b := l.begin()
		if o := l.send(b.back(b.honest())); o.session == nil {
			t.Errorf("the good key beside it: got %d", o.rec.Code)
		}
	},
	"JWK-016": oddKey(512, f4, false),
	"JWK-017": oddKey(1024, f4, false),
	"JWK-019": func(t *testing.T, c corpusCase) {
		n := bytes.Repeat([]byte{0xd5}, 16384/8)
		l := newLab(t, c)
		l.keys = keySet(fmt.Sprintf(`{"kty":"RSA","kid":"k1","n":%q,"e":"AQAB"}`, b64(n)))
		l.try()
	},
	"JWK-021": all(oddKey(2048, big.NewInt(2), false), oddKey(2048, big.NewInt(65536), false), oddKey(2048, big.NewInt(1), false)),
	"JWK-022": oddKey(2048, new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 65), big.NewInt(13)), false),
	"JWK-024": func(t *testing.T, c corpusCase) {
		keys(func(l *lab) string { return own(map[string]any{"n": b64(append([]byte{0}, l.key.N.Bytes()...))})(l) })(t, c)
	},
	"JWK-026": oddKey(2048, f4, true),
	"JWK-027": func(t *testing.T, c corpusCase) {
		x := b64(bytes.Repeat([]byte{1}, 32))
		off := `{"kty":"EC","crv":"P-256","kid":"k1","x":"` + x + `","y":"` + x + `"}`
		keys(set(keySet(off)))(t, c)
		// A token that claims to be signed by it falls with its alg.
		l := newLab(t, c)
		l.keys, l.header["alg"], l.says = keySet(off), "ES256", says["alg_not_allowed"]
		l.mangle = resigned(func(string) []byte { return make([]byte, 64) })
		l.try()
	},
	"JWK-029": keys(own(nil, `{"kty":"AKP","alg":"ML-DSA-44","kid":"k1","pub":"AA"}`), own(nil, `{"kty":"FOO","kid":"k1"}`)),
	"JWK-031": keys(own(nil, `{"kty":"EC","crv":"P-999","kid":"k1","x":"AA","y":"AA"}`), own(nil, `{"kty":"OKP","crv":"X999","kid":"k1","x":"AA"}`)),
	"JWK-032": keys(func(l *lab) string { return own(map[string]any{"x5c": []string{attackerCertificate()}})(l) }),
	"JWK-034": keys(own(map[string]any{"kid": strings.Repeat("k", 1<<20)})),
	"JWK-036": all(answering("certs", gzipBomb), because(`reason=keys .*unusable answer`, answeringTo("certs", ownClient, gzipBomb))),
	"JWK-037": answering("certs", writes(asJSON, 500, `{}`)),
	"JWK-039": answering("certs", writes(asJSON, 404, `{}`)),
	"JWK-041": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.answers["certs"] = func(w http.ResponseWriter, r *http.Request) { writes("application/octet-stream", 200, l.keys)(w, r) }
		l.try()
	},
	"JWK-042": answering("certs", redirects(302)),
	"JWK-044": answering("certs", redirects(301), redirects(308)),
	"JWK-046": metadataWith("jwks_uri", "https://keys.example/certs"),
	"JWK-047": metadataWith("jwks_uri", "http://169.254.169.254/"),
	"JWK-049": answeringTo("certs", impatient, silentServer),
	"JWK-051": all(
		keysOver(func(w http.ResponseWriter, honest string) {
			w.Header().Set("Cache-Control", "max-age=0")
			writes(asJSON, 200, honest)(w, nil)
		}),
		keysOver(func(w http.ResponseWriter, honest string) {
			w.Header().Set("Cache-Control", "no-store")
			writes(asJSON, 200, honest)(w, nil)
		}),
	),
	"JWK-052": keysOver(func(w http.ResponseWriter, honest string) {
		w.Header().Set("Cache-Control", "max-age=1000000000000")
		writes(asJSON, 200, honest)(w, nil)
	}),
	"JWK-054": badTLS("/certs", "localhost", -time.Hour),
	"JWK-056": keys(func(l *lab) string { return `{"keys":[],` + l.keys[1:] }, func(l *lab) string { return l.keys[:len(l.keys)-1] + `,"keys":[]}` }),
})

// metadataWith changes one member of the metadata; nil removes it. The sign-in
// then ends before it begins, or goes its way.
func metadataWith(member string, values ...any) runner {
	return func(t *testing.T, c corpusCase) {
		for _, v := range values {
			l := newLab(t, c)
			l.metadata[member] = v
			if c.accepted() {
				l.try()
			} else {
				l.tryLogin()
			}
		}
	}
}

// metadataAnswer replaces the whole answer.
func metadataAnswer(answer http.HandlerFunc) runner {
	return func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.answers["wallet-openid-configuration"] = answer
		l.tryLogin()
		if l.count("elsewhere") != 0 {
			t.Error("a redirect was followed")
		}
	}
}

var _ = hand(map[string]runner{
	"DSC-001": metadataWith("issuer", "https://evil.example"),
	"DSC-002": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		l.metadata["issuer"] = l.issuer() + "/"
		l.tryLogin()
	},
	"DSC-004": metadataWith("issuer", nil, 1),
	"DSC-006": metadataWith("token_endpoint", "http://psc.example/token"),
	"DSC-007": metadataWith("authorization_endpoint", "https://evil.example/auth"),
	"DSC-009": func(t *testing.T, c corpusCase) {
		for _, v := range []any{"http://psc.example/logout", nil} {
			l := newLab(t, c)
			l.metadata["end_session_endpoint"] = v
			session := l.try().session
			if !strings.Contains(l.logs.String(), "level=WARN") || !strings.Contains(l.logs.String(), "end_session_endpoint") {
				t.Errorf("no warning in %s", l.logs)
			}
			r := httptest.NewRequest("POST", "/auth/logout", nil)
			r.Header.Set("Accept", "application/json")
			r.AddCookie(session)
			if rec := l.serve(r); rec.Code != 200 || !strings.Contains(rec.Body.String(), `"logout_url":null`) {
				t.Errorf("the sign-out: %d %s", rec.Code, rec.Body)
			}
			if rec := l.serve(guarded(session)); rec.Code != 303 {
				t.Errorf("after the sign-out: %d", rec.Code)
			}
		}
	},
	"DSC-011": metadataWith("jwks_uri", nil, ""),
	"DSC-012": metadataWith("response_types_supported", []string{"id_token"}),
	"DSC-014": metadataWith("code_challenge_methods_supported", []string{"plain"}),
	"DSC-016": func(t *testing.T, c corpusCase) {
		l := newLab(t, c, func(cfg *auth.Config) { cfg.Provider.AuthorizeHost = "wallet.example" })
		l.metadata["authorization_endpoint"] = "https://wallet.example/auth"
		if to := l.begin().to; to.Host != "wallet.example" {
			t.Errorf("sent to %s", to.Host)
		}
		l.try()
	},
	"DSC-017": metadataAnswer(redirects(301)),
	"DSC-019": metadataAnswer(writes("text/html", 200, "<h1>Maintenance</h1>")),
	"DSC-021": func(t *testing.T, c corpusCase) {
		l := newLab(t, c)
		b := l.begin()
		if l.send(b.back(b.honest())).session == nil {
			t.Fatal("no first sign-in")
		}
		l.metadata["token_endpoint"] = "https://evil.example/token"
		l.clock.Advance(2 * time.Hour)
		// The change is refused and told, and what was known before serves on.
		b = l.begin()
		if o := l.send(b.back(b.honest())); o.session == nil || l.count("token") != 2 {
			t.Errorf("got %d after %d exchanges\n%s", o.rec.Code, l.count("token"), l.logs)
		}
		if !strings.Contains(l.logs.String(), "level=WARN") || !strings.Contains(l.logs.String(), "evil.example") {
			t.Errorf("no alarm in %s", l.logs)
		}
		// A process that has known no other gets nowhere.
		l.renew()
		l.says = `reason=metadata .*evil\.example`
		l.tryLogin()
	},
	"DSC-022": func(t *testing.T, c corpusCase) {
		// The lab's provider is at 127.0.0.1, whatever its name.
		l := newLab(t, c)
		l.server.URL = strings.Replace(l.server.URL, "127.0.0.1", "localhost", 1)
		l.renew(func(cfg *auth.Config) { cfg.Provider.Issuer = l.issuer() })
		l.try()
	},
})

// guarded is a navigation to a guarded page with cookies.
func guarded(cookies ...*http.Cookie) *http.Request {
	r := page("/patients")
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

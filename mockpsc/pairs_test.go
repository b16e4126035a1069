package mockpsc

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Two faults of one place, in whichever order: each bends what the other has
// left, which may be no JSON and no token any more, and nothing breaks.
func TestAnyTwoFaultsOfOnePlaceGoTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("eighteen thousand pairs, one after the other")
	}
	heavy := func(f Fault) bool {
		return slices.ContainsFunc([]string{"oversized", "bomb", "huge", "dots-only"}, func(s string) bool { return strings.HasSuffix(f.Name, s) })
	}
	who := roster()[0]
	other := func() persona {
		return persona{sub: otherSub, nationalID: "899999009998", userinfo: roster()[1].Userinfo}
	}
	k := signingKey()
	published := func() []byte { return []byte(`{"keys":[` + string(k.jwk().text()) + `]}`) }
	fresh := map[string]func() *outgoing{
		"metadata": func() *outgoing {
			return &outgoing{issuer: "http://127.0.0.1:9090" + realmPath, status: http.StatusOK, document: []byte(metadataCompact())}
		},
		"keys": func() *outgoing { return &outgoing{status: http.StatusOK, document: published()} },
		"userinfo": func() *outgoing {
			return &outgoing{status: http.StatusOK, document: who.Userinfo, sub: "sub", other: other}
		},
		"token": func() *outgoing {
			return &outgoing{issuer: "i", status: http.StatusOK, members: object{{"access_token", "a.b.c"}, {"id_token", "a.b.c"}, {"token_type", "Bearer"}}, other: other}
		},
		"callback": func() *outgoing {
			g := &grant{who: &who.situation, lives: defaultLifetimes}
			return &outgoing{issuer: "i", grant: g, params: []param{{"state", "s"}, {"session_state", "x"}, {"code", "c"}, {"iss", "i"}}, other: other}
		},
	}
	token := func() *outgoing {
		return &outgoing{
			issuer: "http://127.0.0.1:9090" + realmPath, secret: "s", key: k, enc: encryptionKey(), other: other,
			header: tokenHeader("RS256", "JWT", k.kid), sign: func(string) []byte { return make([]byte, 256) },
			claims: object{{"exp", int64(1)}, {"iat", int64(1)}, {"iss", "i"}, {"aud", "a"}, {"sub", strings.Repeat("s", 301)}, {"azp", "a"}, {"nonce", "n"}, {"acr", "eidas1"}, {"sid", "s"}},
		}
	}
	fresh["id_token"], fresh["logout_token"] = token, token
	tried := 0
	for _, a := range allFaults() {
		for _, b := range allFaults() {
			if a.Where != b.Where || heavy(a) || heavy(b) {
				continue
			}
			tried++
			func() {
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("%s+%s: %v", a.Name, b.Name, v)
					}
				}()
				out := fresh[a.Where]()
				bend([]Fault{a, b}, a.Where, out)
				if out.header != nil {
					out.compact()
				} else {
					out.body()
				}
			}()
		}
	}
	if tried < 15_000 {
		t.Errorf("%d pairs", tried)
	}
}

// What a fault adds to an answer is not written behind the document, which is
// everybody's: another sign-in of that person may be reading it.
func TestFaultsLeaveTheDocumentAsItIs(t *testing.T) {
	for _, f := range allFaults() {
		if f.Where != "userinfo" {
			continue
		}
		text := roster()[0].Userinfo
		whole := append(append(make([]byte, 0, len(text)+16), text...), "0123456789abcdef"...)
		other := func() persona {
			return persona{sub: otherSub, nationalID: "899999009998", userinfo: roster()[1].Userinfo}
		}
		out := &outgoing{status: http.StatusOK, document: whole[:len(text)], sub: "sub", other: other}
		bend([]Fault{f}, "userinfo", out)
		out.body()
		if string(whole) != string(text)+"0123456789abcdef" {
			t.Errorf("%s writes into the document", f.Name)
		}
	}
}

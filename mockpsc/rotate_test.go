package mockpsc_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

func TestKeyRotation(t *testing.T) {
	rp, now := twoClients(t)
	c, before := rp.signIn(t, "dr-dupont")
	old := rp.keys(t)
	rp.mock.RotateKeys()
	_, after := rp.signIn(t, "dr-martin")

	verifies := func(t *testing.T, who string, tok tokens, want bool) {
		t.Helper()
		for kind, token := range map[string]string{"ID": tok.IDToken, "access": tok.AccessToken} {
			if _, err := rp.verify(t, token); (err == nil) != want {
				t.Errorf("the %s token from %s: %v", kind, who, err)
			}
		}
	}
	published := func(t *testing.T) map[string]int {
		t.Helper()
		uses, seen := map[string]int{}, map[string]bool{}
		for _, k := range rp.keys(t).Keys {
			if seen[k.KeyID] || !k.IsPublic() {
				t.Errorf("key %s is there twice, or private", k.KeyID)
			}
			seen[k.KeyID] = true
			uses[k.Use]++
		}
		return uses
	}

	t.Run("the new key signs at once", func(t *testing.T) {
		if strings.Split(before.IDToken, ".")[0] == strings.Split(after.IDToken, ".")[0] {
			t.Error("the same header: the same kid")
		}
		verifies(t, "after", after, true)
	})
	t.Run("the former keys stay published for ten minutes", func(t *testing.T) {
		now.advance(10*time.Minute - time.Second)
		if uses := published(t); uses["sig"] != 2 || uses["enc"] != 2 {
			t.Errorf("got %v", uses)
		}
		verifies(t, "before", before, true)
	})
	t.Run("and are then withdrawn", func(t *testing.T) {
		now.advance(time.Second)
		if uses := published(t); uses["sig"] != 1 || uses["enc"] != 1 {
			t.Errorf("got %v", uses)
		}
		left := rp.keys(t)
		for _, k := range old.Keys {
			if len(left.Key(k.KeyID)) != 0 {
				t.Errorf("the former %s key is published", k.Use)
			}
		}
		verifies(t, "before", before, false)
		verifies(t, "after", after, true)
	})
	t.Run("a refresh goes on, under the new key", func(t *testing.T) {
		verifies(t, "the refresh", rp.refresh(t, before.RefreshToken), true)
	})
	t.Run("a withdrawn key's ID token still signs its person out", func(t *testing.T) {
		if resp, page := get(t, c, rp.endpoint("/logout")+"?id_token_hint="+before.IDToken); resp.StatusCode != 200 || !strings.Contains(page, "Session fermée") {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	t.Run("two rotations in a row leave three keys of each kind", func(t *testing.T) {
		rp.mock.RotateKeys()
		rp.mock.RotateKeys()
		if uses := published(t); uses["sig"] != 3 || uses["enc"] != 3 {
			t.Errorf("got %v", uses)
		}
		verifies(t, "after", after, true)
	})
	t.Run("a reset keeps the keys", func(t *testing.T) {
		kept := rp.keys(t).Keys[0].KeyID
		rp.mock.Reset()
		if got := rp.keys(t).Keys[0].KeyID; got != kept {
			t.Error("other keys")
		}
	})
	t.Run("another server keeps its own", func(t *testing.T) {
		other := newRelyingParty(t, mockpsc.NewServer(t))
		if other.keys(t).Keys[0].KeyID != old.Keys[0].KeyID {
			t.Error("a rotation reached another server")
		}
	})
}

func TestTheFaultWithThePublishedKeyUsesTheOneOfNow(t *testing.T) {
	rp, _ := twoClients(t)
	rp.mock.RotateKeys()
	_, tok := rp.signIn(t, "dr-dupont", "hs256-public-key")
	if _, err := rp.verify(t, tok.AccessToken); err != nil {
		t.Error(err)
	}
	id, access := headerOf(t, tok.IDToken), headerOf(t, tok.AccessToken)
	if id["alg"] != "HS256" || id["kid"] != access["kid"] {
		t.Errorf("got %v, the key in use is %v", id, access)
	}
}

func headerOf(t *testing.T, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	var h map[string]any
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSignInsGoOnDuringARotation(t *testing.T) {
	rp, _ := twoClients(t)
	var wg sync.WaitGroup
	wg.Go(rp.mock.RotateKeys)
	for range 4 {
		wg.Go(func() { get(t, http.DefaultClient, rp.endpoint("/certs")) })
	}
	for range 4 {
		_, tok := rp.signIn(t, "dr-dupont")
		if _, err := rp.verify(t, tok.IDToken); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

package mockpsc

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyGrace is how long a former key stays published, for those who hold a token
// that it signed or have read the keys a moment ago. The value is assumed.
const keyGrace = 10 * time.Minute

// A keyring is the keys of one server. Until the first rotation it is empty,
// and the process's keys serve.
type keyring struct {
	mu      sync.Mutex
	current *keyPair
	former  []formerKeys // the latest first
}

type keyPair struct{ signing, encryption key }

type formerKeys struct {
	keyPair
	since time.Time // of being former
}

// RotateKeys makes a new key to sign and a new one to encrypt. From now on the
// new one signs; the former ones stay published for ten minutes by [Server.Now]
// and are then withdrawn. Other servers of the process keep their keys, and so
// does a sign-out: an ID token of the last four hours still serves as its hint.
//
// How PSC rotates its keys is unknown, and so is whether it leaves a grace
// period; Keycloak leaves that to its administrator. A client that copied the
// keys by hand breaks here, as it will there one day.
func (s *Server) RotateKeys() {
	next := &keyPair{newKey(), newKey()} // slow; nobody waits meanwhile
	now := s.now()
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	former := formerKeys{s.keys.pair(), now}
	s.keys.former = slices.Insert(s.keys.former, 0, former)
	s.keys.former = slices.DeleteFunc(s.keys.former, func(f formerKeys) bool { return now.Sub(f.since) >= ssoMax })
	s.keys.current = next
}

// pair returns the keys in use. Called with mu held.
func (k *keyring) pair() keyPair {
	if k.current == nil {
		return keyPair{signingKey(), encryptionKey()}
	}
	return *k.current
}

// signing returns the key that signs now.
func (s *Server) signing() key {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if s.keys.current == nil {
		return signingKey()
	}
	return s.keys.current.signing
}

// keysSince returns the keys in use and those in use less than d ago, the latest first.
func (s *Server) keysSince(d time.Duration) []keyPair {
	now := s.now()
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	list := []keyPair{s.keys.pair()}
	for _, f := range s.keys.former {
		if now.Sub(f.since) < d {
			list = append(list, f.keyPair)
		}
	}
	return list
}

// publishedKeys is the JWKS: one key to sign and one to encrypt, as Keycloak
// has them, and for a while those before.
func (s *Server) publishedKeys() []byte {
	var set jose.JSONWebKeySet
	for _, k := range s.keysSince(keyGrace) {
		set.Keys = append(set.Keys,
			jose.JSONWebKey{Key: &k.encryption.private.PublicKey, KeyID: k.encryption.kid, Algorithm: "RSA-OAEP", Use: "enc"},
			jose.JSONWebKey{Key: &k.signing.private.PublicKey, KeyID: k.signing.kid, Algorithm: "RS256", Use: "sig"})
	}
	body, err := json.Marshal(set)
	if err != nil {
		panic("mockpsc: publishing the keys: " + err.Error())
	}
	return body
}

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
	until time.Time // of being published
}

// RotateKeys makes a new key to sign and a new one to encrypt. From now on the
// new one signs; the former ones stay published for ten minutes by [Server.Now]
// and are then withdrawn, or earlier by WithdrawKeys. Other servers of the process keep their keys, and so
// does a sign-out: an ID token of the last four hours still serves as its hint.
//
// How PSC rotates its keys is unknown, and so is whether it leaves a grace
// period; Keycloak leaves that to its administrator. A client that copied the
// keys by hand breaks here, as it will there one day.
func (s *Server) RotateKeys() {
	next := &keyPair{newKey(), newKey()} // slow; nobody waits meanwhile
	now := s.now()
	longest, _ := s.sessionLifetimes()
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	former := formerKeys{s.keys.pair(), now, now.Add(keyGrace)}
	s.keys.former = slices.Insert(s.keys.former, 0, former)
	s.keys.former = slices.DeleteFunc(s.keys.former, func(f formerKeys) bool { return now.Sub(f.since) >= longest })
	s.keys.current = next
}

// WithdrawKeys ends the grace of the former keys: from now on only those in use
// are published, and a token that an earlier one signed can no longer be
// verified by a client that reads the keys again.
func (s *Server) WithdrawKeys() {
	now := s.now()
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	for i := range s.keys.former {
		s.keys.former[i].until = now
	}
}

// onTime has no former key be published because the time was once set ahead.
func (k *keyring) onTime(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, f := range k.former {
		if f.since.After(now) {
			k.former[i].since, k.former[i].until = now, now
		}
	}
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

func (s *Server) keysInUse() keyPair {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	return s.keys.pair()
}

// keysOf returns the keys in use and those former ones that are wanted, the latest first.
func (s *Server) keysOf(want func(formerKeys) bool) []keyPair {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	list := []keyPair{s.keys.pair()}
	for _, f := range s.keys.former {
		if want(f) {
			list = append(list, f.keyPair)
		}
	}
	return list
}

// hintKeys are the keys that may have signed a hint: a rotation signs nobody out.
func (s *Server) hintKeys() []keyPair {
	longest, _ := s.sessionLifetimes()
	now := s.now()
	return s.keysOf(func(f formerKeys) bool { return now.Sub(f.since) < longest })
}

// publishedKeys is the JWKS: one key to sign and one to encrypt, as Keycloak
// has them, and for a while those before. More keys to sign, if they are
// assumed, come first: who takes the first one instead of reading kid is wrong.
func (s *Server) publishedKeys() []byte {
	var set jose.JSONWebKeySet
	for i := range s.Assume.SigningKeys - 1 {
		k := spareKeys[i]()
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.kid, Algorithm: "RS256", Use: "sig"})
	}
	now := s.now()
	for _, k := range s.keysOf(func(f formerKeys) bool { return now.Before(f.until) }) {
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

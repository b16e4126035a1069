package auth

import "crypto/rsa"

// NewMemorySessions lets the acceptance tests reach what Sessions nil means.
func NewMemorySessions() SessionStore { return newMemorySessions() }

// SessionKey returns the key that signs session tokens.
func SessionKey(rp *RelyingParty) []byte {
	return keyMaker{cfg: rp.cfg}.keys("session token", "", 32)[0]
}

// SafeReturn is what every redirect goes through.
var SafeReturn = safeReturn

// Keys returns the keys of PSC's that rp would verify an ID token with.
func Keys(rp *RelyingParty) []*rsa.PublicKey {
	rp.provider.mu.Lock()
	defer rp.provider.mu.Unlock()
	var keys []*rsa.PublicKey
	for _, k := range rp.provider.keys {
		keys = append(keys, k.public)
	}
	return keys
}

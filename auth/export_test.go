package auth

// NewMemorySessions lets the acceptance tests reach what Sessions nil means.
func NewMemorySessions() SessionStore { return newMemorySessions() }

// SessionKey returns the key that signs session tokens.
func SessionKey(rp *RelyingParty) []byte {
	return keyMaker{cfg: rp.cfg}.keys("session token", "", 32)[0]
}

// SafeReturn is what every redirect goes through.
var SafeReturn = safeReturn

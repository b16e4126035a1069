package mockpsc

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"sync"
)

// The keys are made once per process and shared by its servers: RSA keys are
// slow to make, and tests make many servers. They live in memory only. A server
// that rotates its keys has its own from then on.
var (
	signingKey    = sync.OnceValue(newKey)
	encryptionKey = sync.OnceValue(newKey) // published, as Keycloak does; nothing is encrypted with it
	foreignKey    = sync.OnceValue(newKey) // never published; signs for faults
	refreshKey    = sync.OnceValue(func() []byte { k := make([]byte, 64); rand.Read(k); return k })
)

// maxSigningKeys bounds Assumptions.SigningKeys.
const maxSigningKeys = 8

// spareKeys are published, if so many are assumed, and sign nothing.
var spareKeys = func() (list [maxSigningKeys - 1]func() key) {
	for i := range list {
		list[i] = sync.OnceValue(newKey)
	}
	return list
}()

type key struct {
	private *rsa.PrivateKey
	kid     string
}

func newKey() key { return newKeyOf(2048) }

func newKeyOf(bits int) key {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic("mockpsc: making an RSA key: " + err.Error())
	}
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&private.PublicKey))
	return key{private, base64.RawURLEncoding.EncodeToString(sum[:])}
}

func warmKeys() {
	signingKey()
	encryptionKey()
}

// sign returns the RS256 signature (RFC 7518, section 3.3) of a text.
func (k key) sign(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, sum[:])
	if err != nil {
		panic("mockpsc: signing: " + err.Error()) // a 2048-bit key always holds a SHA-256
	}
	return sig
}

// publicPEM is what an attacker finds in the JWKS and may try as an HMAC key.
func (k key) publicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		panic("mockpsc: " + err.Error())
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func hs256(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// certs publishes the keys; see RotateKeys.
func (s *Server) certs(a *answer, r *http.Request) {
	out := &outgoing{status: http.StatusOK, document: s.publishedKeys()}
	chosen := s.keyLies(r)
	bend(chosen, "keys", out)
	a.told(chosen, "keys")
	a.send(r, out)
}

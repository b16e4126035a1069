package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// keyMaker derives every key from Config.Secrets with HKDF. The label holds the
// purpose, so that no key serves two, and the issuer, client and RedirectURL, so
// that moving from mock to sandbox to production leaves all that came before
// behind.
type keyMaker struct{ cfg Config }

// keys returns one key of n bytes for each secret, in their order.
func (m keyMaker) keys(purpose, process string, n int) [][]byte {
	label := ""
	for _, part := range []string{"pscauth v1", purpose, m.cfg.Provider.Issuer, m.cfg.ClientID, m.cfg.RedirectURL, process} {
		label += fmt.Sprintf("%d:%s,", len(part), part)
	}
	keys := make([][]byte, len(m.cfg.Secrets))
	for i, secret := range m.cfg.Secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, label, n)
		if err != nil {
			panic("auth: hkdf: " + err.Error()) // only when n is beyond 255 hashes
		}
		keys[i] = key
	}
	return keys
}

// vault seals what is stored but must not be read there (AES-256-GCM). The first
// key seals, all open.
type vault struct{ aeads []cipher.AEAD }

func newVault(m keyMaker, process string) vault {
	var v vault
	for _, key := range m.keys("vault", process, 32) {
		block, err := aes.NewCipher(key)
		if err != nil {
			panic("auth: aes: " + err.Error()) // only for another length of key
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic("auth: gcm: " + err.Error())
		}
		v.aeads = append(v.aeads, aead)
	}
	return v
}

// seal encrypts text for one session: it opens under that id only.
func (v vault) seal(text, sessionID string) []byte {
	return v.aeads[0].Seal(nil, nil, []byte(text), []byte(sessionID))
}

func (v vault) open(sealed []byte, sessionID string) (string, error) {
	for _, aead := range v.aeads {
		if text, err := aead.Open(nil, nil, sealed, []byte(sessionID)); err == nil {
			return string(text), nil
		}
	}
	return "", errors.New("auth: sealed with another secret")
}

// randomID returns 256 random bits as 43 characters of the URL-safe alphabet.
func randomID() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64URL.EncodeToString(b[:])
}

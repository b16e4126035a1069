package mockpsc

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
)

// An object is a JSON object whose members keep their order and may repeat: the
// tokens are written in the real order, and a fault may break the rule that a
// name appears once.
type object []member

type member struct {
	name  string // as in the JSON text, escaped if it must be; ours need no escape
	value any
}

// set replaces the value of a member, in its place.
func (o object) set(name string, value any) {
	for i := range o {
		if o[i].name == name {
			o[i].value = value
		}
	}
}

func (o *object) del(name string) {
	*o = slices.DeleteFunc(*o, func(m member) bool { return m.name == name })
}

func (o object) text() []byte {
	var b bytes.Buffer
	b.Grow(1 << 10) // what a token takes
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the real service does not
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + m.name + `":`) // written as it is: see member
		if err := enc.Encode(m.value); err != nil {
			panic("mockpsc: writing JSON: " + err.Error()) // only strings, numbers and booleans come here
		}
		b.Truncate(b.Len() - 1) // the encoder's line feed
	}
	b.WriteByte('}')
	return b.Bytes()
}

// newUUID returns a random UUID (RFC 9562, version 4), the form of Keycloak's identifiers.
func newUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u[:])
}

func formatUUID(u []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// digest is under what an access token is kept: it is as good as the token to
// find it again, a thirtieth of its size, and nobody's key to anything.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return string(sum[:])
}

// newHandle returns 128 random bits that nobody can guess.
func newHandle() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

package mockpsc

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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

func (o object) text() []byte { return o.write(":") }

// oddText has blanks around the colons, but for the first member: Keycloak writes
// the headers of its tokens so.
func (o object) oddText() []byte { return o.write(" : ") }

func (o object) write(colon string) []byte {
	var b bytes.Buffer
	b.Grow(1 << 10) // what a token takes
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the real service does not
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + m.name + `"`) // written as it is: see member
		if i == 0 {
			b.WriteByte(':')
		} else {
			b.WriteString(colon)
		}
		if text, ok := m.value.(json.RawMessage); ok { // as it is, which may be no JSON at all
			b.Write(text)
			continue
		}
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

const hexDigits = "0123456789abcdef"

func formatUUID(u []byte) string {
	b := make([]byte, 0, 36)
	for i, c := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return string(b)
}

// digest is under what a code or an access token is kept: as good as the thing
// itself to find it again, smaller, and nobody's key to anything.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return string(sum[:])
}

// newHandle returns 128 random bits that nobody can guess.
func newHandle() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

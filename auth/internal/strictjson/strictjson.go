// Package strictjson reads JSON that somebody else wrote.
//
// encoding/json is made for friends: it folds the case of member names (so
// that "SUB" overwrites "sub"), lets the last of two equal members win, and
// replaces invalid UTF-8 in silence. A document from a provider or a browser
// must not be open to two readings, so this package refuses, at every depth:
// duplicate members, invalid UTF-8, lone surrogates, U+0000, numbers that no
// float64 holds, more than 32 levels, more than 256 members in one object, and
// anything after the document. Member names are compared exactly.
//
// It reads; it does not write, and it bounds no size: the caller caps the bytes
// before it calls. Errors name the place, never the value.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth   = 32
	maxMembers = 256
	maxNumber  = 64 // bytes of a number's text
)

// A Decoder stands at one value of a document. Each method consumes the value
// whose type it names and fails on any other.
type Decoder struct {
	data  []byte
	pos   int
	depth int
}

// Object reads data, which must be exactly one JSON object, and calls member
// once for each of its members, in order. member must consume the value: with
// the method of the wanted type, or with Skip. name is only valid during the
// call.
func Object(data []byte, member func(d *Decoder, name []byte) error) error {
	if !utf8.Valid(data) {
		return errors.New("strictjson: invalid UTF-8")
	}
	d := Decoder{data: data}
	if err := d.Object(member); err != nil {
		return fmt.Errorf("strictjson: %w", err)
	}
	if d.space(); d.pos != len(d.data) {
		return fmt.Errorf("strictjson: %w", d.fail("data after the document"))
	}
	return nil
}

// Object reads an object; see the function of that name.
func (d *Decoder) Object(member func(d *Decoder, name []byte) error) error {
	if err := d.open('{', "an object"); err != nil {
		return err
	}
	var few [24][]byte // the usual object fits, and needs no allocation
	seen := few[:0]
	for first := true; ; first = false {
		if d.closed('}') {
			return nil
		}
		if !first && !d.take(',') {
			return d.fail("want , or }")
		}
		d.space()
		name, err := d.text()
		if err != nil {
			return err
		}
		for _, s := range seen {
			if bytes.Equal(s, name) {
				return d.fail("duplicate member")
			}
		}
		if len(seen) == maxMembers {
			return d.fail("too many members")
		}
		seen = append(seen, name)
		if d.space(); !d.take(':') {
			return d.fail("want :")
		}
		before := d.pos
		if err := member(d, name); err != nil {
			return fmt.Errorf("%.40q: %w", name, err)
		}
		if d.pos == before {
			return d.fail("a value was not read")
		}
	}
}

// Array reads an array and calls element at each of its values, which element
// must consume.
func (d *Decoder) Array(element func(d *Decoder) error) error {
	if err := d.open('[', "an array"); err != nil {
		return err
	}
	for first := true; ; first = false {
		if d.closed(']') {
			return nil
		}
		if !first && !d.take(',') {
			return d.fail("want , or ]")
		}
		before := d.pos
		if err := element(d); err != nil {
			return err
		}
		if d.pos == before {
			return d.fail("a value was not read")
		}
	}
}

// String reads a string into dst. A null leaves dst as it is: a member that is
// null counts as absent.
func (d *Decoder) String(dst *string) error {
	if d.Null() {
		return nil
	}
	d.space()
	b, err := d.text()
	if err != nil {
		return err
	}
	*dst = string(b)
	return nil
}

// Strings reads an array of strings into dst. A null leaves dst as it is.
func (d *Decoder) Strings(dst *[]string) error {
	if d.Null() {
		return nil
	}
	out := []string{}
	err := d.Array(func(d *Decoder) error {
		if d.peek() != '"' {
			return d.fail("want a string")
		}
		var s string
		if err := d.String(&s); err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	if err == nil {
		*dst = out
	}
	return err
}

// Int reads an integer into dst. It takes neither a fraction nor an exponent,
// and nothing beyond ±2^53, where a double would lose digits. A null leaves dst
// as it is.
func (d *Decoder) Int(dst *int64) error {
	if d.Null() {
		return nil
	}
	num, err := d.number()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(num), 10, 64)
	if err != nil || n > 1<<53 || n < -1<<53 {
		return d.fail("want an integer")
	}
	*dst = n
	return nil
}

// Bool reads true or false into dst. A null leaves dst as it is.
func (d *Decoder) Bool(dst *bool) error {
	switch {
	case d.Null():
	case d.literal("true"):
		*dst = true
	case d.literal("false"):
		*dst = false
	default:
		return d.fail("want true or false")
	}
	return nil
}

// Null consumes a null and reports whether it did.
func (d *Decoder) Null() bool { return d.literal("null") }

// IsString reports whether the next value is a string, and consumes nothing.
func (d *Decoder) IsString() bool { return d.peek() == '"' }

// IsObject reports whether the next value is an object, and consumes nothing.
func (d *Decoder) IsObject() bool { return d.peek() == '{' }

// Skip reads one value of any type, as strictly as if it were wanted, and
// drops it.
func (d *Decoder) Skip() error {
	switch c := d.peek(); {
	case c == '{':
		return d.Object(func(d *Decoder, _ []byte) error { return d.Skip() })
	case c == '[':
		return d.Array((*Decoder).Skip)
	case c == '"':
		_, err := d.text()
		return err
	case c == '-' || '0' <= c && c <= '9':
		_, err := d.number()
		return err
	case d.Null() || d.literal("true") || d.literal("false"):
		return nil
	}
	return d.fail("want a value")
}

// Raw reads one value of any type, as strictly as Skip, and returns its bytes,
// which belong to the document.
func (d *Decoder) Raw() ([]byte, error) {
	d.space()
	start := d.pos
	if err := d.Skip(); err != nil {
		return nil, err
	}
	return d.data[start:d.pos], nil
}

func (d *Decoder) fail(what string) error {
	return fmt.Errorf("%s at byte %d", what, d.pos)
}

func (d *Decoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the first byte of the next value, 0 at the end.
func (d *Decoder) peek() byte {
	d.space()
	if d.pos == len(d.data) {
		return 0
	}
	return d.data[d.pos]
}

func (d *Decoder) take(c byte) bool {
	if d.pos < len(d.data) && d.data[d.pos] == c {
		d.pos++
		return true
	}
	return false
}

func (d *Decoder) literal(word string) bool {
	if d.space(); bytes.HasPrefix(d.data[d.pos:], []byte(word)) {
		d.pos += len(word)
		return true
	}
	return false
}

func (d *Decoder) open(c byte, what string) error {
	if d.space(); !d.take(c) {
		return d.fail("want " + what)
	}
	if d.depth++; d.depth > maxDepth {
		return d.fail("too deep")
	}
	return nil
}

func (d *Decoder) closed(c byte) bool {
	if d.space(); d.take(c) {
		d.depth--
		return true
	}
	return false
}

// number reads the text of a number, by the grammar of RFC 8259 section 6.
func (d *Decoder) number() ([]byte, error) {
	d.space()
	start := d.pos
	digits := func() bool {
		from := d.pos
		for d.pos < len(d.data) && '0' <= d.data[d.pos] && d.data[d.pos] <= '9' {
			d.pos++
		}
		return d.pos > from
	}
	d.take('-')
	if !d.take('0') && !digits() {
		return nil, d.fail("want a number")
	}
	if d.take('.') && !digits() {
		return nil, d.fail("want a digit")
	}
	if d.take('e') || d.take('E') {
		if !d.take('+') {
			d.take('-')
		}
		if !digits() {
			return nil, d.fail("want a digit")
		}
	}
	num := d.data[start:d.pos]
	if len(num) > maxNumber {
		return nil, d.fail("number too long")
	}
	if _, err := strconv.ParseFloat(string(num), 64); err != nil {
		return nil, d.fail("number out of range")
	}
	return num, nil
}

// text reads a string and returns its decoded bytes: a part of the document
// where it holds no escape, a copy otherwise.
func (d *Decoder) text() ([]byte, error) {
	if !d.take('"') {
		return nil, d.fail("want a string")
	}
	start := d.pos
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			d.pos++
			return d.data[start : d.pos-1], nil
		case c == '\\':
			return d.escaped(start)
		case c < 0x20:
			return nil, d.fail("control character in a string")
		default:
			d.pos++
		}
	}
	return nil, d.fail("string without end")
}

// escaped reads on, from the first backslash of a string that began at start.
func (d *Decoder) escaped(start int) ([]byte, error) {
	out := append([]byte(nil), d.data[start:d.pos]...)
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		d.pos++
		switch {
		case c == '"':
			return out, nil
		case c < 0x20:
			return nil, d.fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			continue
		}
		if d.pos == len(d.data) {
			break
		}
		c = d.data[d.pos]
		d.pos++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, err := d.hex4()
			if err != nil {
				return nil, err
			}
			if utf16.IsSurrogate(r) {
				if !d.take('\\') || !d.take('u') {
					return nil, d.fail("lone surrogate")
				}
				low, err := d.hex4()
				if err != nil {
					return nil, err
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return nil, d.fail("lone surrogate")
				}
			}
			if r == 0 {
				return nil, d.fail("U+0000 in a string")
			}
			out = utf8.AppendRune(out, r)
		default:
			return nil, d.fail("unknown escape")
		}
	}
	return nil, d.fail("string without end")
}

func (d *Decoder) hex4() (rune, error) {
	if len(d.data)-d.pos < 4 {
		return 0, d.fail("short escape")
	}
	var r rune
	for _, c := range d.data[d.pos : d.pos+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, d.fail("want four hexadecimal digits")
		}
	}
	d.pos += 4
	return r, nil
}

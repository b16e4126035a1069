package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/auth/internal/strictjson"
)

func skipAll(d *strictjson.Decoder, _ []byte) error { return d.Skip() }

func TestRefusesWhatCouldBeReadInTwoWays(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"` + strings.Repeat("x", i+1) + `":0,`)
		}
		return "{" + strings.TrimSuffix(b.String(), ",") + "}"
	}
	for _, tt := range []struct {
		name, doc string
		ok        bool
	}{
		{"an empty object", `{}`, true},
		{"every type of value", ` { "a" : [1,-2.5e3,"x",true,false,null,{}] } `, true},
		{"members that differ in case", `{"sub":1,"SUB":2,"ſub":3}`, true},
		{"31 levels of arrays in an object", deep(31), true},
		{"256 members", many(256), true},
		{"a pair of surrogates", `{"a":"\ud83d\ude00"}`, true},

		{"a duplicate", `{"sub":1,"sub":2}`, false},
		{"a duplicate written with an escape", `{"sub":1,"\u0073ub":2}`, false},
		{"a duplicate below", `{"a":{"x":[{"y":1,"y":1}]}}`, false},
		{"data after the document", `{}{}`, false},
		{"a byte order mark", "\ufeff{}", false},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", false},
		{"a lone surrogate", `{"a":"\ud83d"}`, false},
		{"two high surrogates", `{"a":"\ud83d\ud83d"}`, false},
		{"a NUL by escape", `{"a":"x\u0000"}`, false},
		{"a raw line end in a string", "{\"a\":\"x\ny\"}", false},
		{"an unknown escape", `{"a":"\x41"}`, false},
		{"32 levels of arrays in an object", deep(32), false},
		{"100,000 levels", deep(100_000), false},
		{"257 members", many(257), false},
		{"a number beyond a double", `{"a":1e400}`, false},
		{"a very long number", `{"a":` + strings.Repeat("1", 100) + `}`, false},
		{"a number with a leading zero", `{"a":01}`, false},
		{"a number with a plus", `{"a":+1}`, false},
		{"a comma at the end", `{"a":1,}`, false},
		{"no comma", `{"a":1 "b":2}`, false},
		{"a name without quotes", `{a:1}`, false},
		{"an array", `[]`, false},
		{"null", `null`, false},
		{"nothing", ``, false},
		{"half a document", `{"a":`, false},
		{"half a string", `{"a":"x`, false},
		{"half an escape", `{"a":"\`, false},
		{"a word that only begins well", `{"a":nullify}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := strictjson.Object([]byte(tt.doc), skipAll)
			if (err == nil) != tt.ok {
				t.Errorf("got %v, want ok %v", err, tt.ok)
			}
		})
	}
}

func TestTypesAreNotConverted(t *testing.T) {
	for _, tt := range []struct {
		name, value             string
		str, num, boolean, strs bool
	}{
		{"a string", `"12"`, true, false, false, false},
		{"an integer", `12`, false, true, false, false},
		{"a fraction", `12.5`, false, false, false, false},
		{"an exponent", `1e3`, false, false, false, false},
		{"2^53", `9007199254740992`, false, true, false, false},
		{"more than 2^53", `9007199254740993`, false, false, false, false},
		{"true", `true`, false, false, true, false},
		{"strings", `["a","b"]`, false, false, false, true},
		{"strings and a number", `["a",1]`, false, false, false, false},
		{"strings and a null", `["a",null]`, false, false, false, false},
		{"an object", `{}`, false, false, false, false},
		{"null counts as absent for each", `null`, true, true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			try := func(read func(d *strictjson.Decoder) error) bool {
				return strictjson.Object([]byte(`{"v":`+tt.value+`}`), func(d *strictjson.Decoder, _ []byte) error { return read(d) }) == nil
			}
			var s string
			var n int64
			var b bool
			var ss []string
			got := [4]bool{
				try(func(d *strictjson.Decoder) error { return d.String(&s) }),
				try(func(d *strictjson.Decoder) error { return d.Int(&n) }),
				try(func(d *strictjson.Decoder) error { return d.Bool(&b) }),
				try(func(d *strictjson.Decoder) error { return d.Strings(&ss) }),
			}
			if want := [4]bool{tt.str, tt.num, tt.boolean, tt.strs}; got != want {
				t.Errorf("string, int, bool, strings: got %v, want %v", got, want)
			}
		})
	}
}

func TestAMemberThatIsNotReadIsAnError(t *testing.T) {
	err := strictjson.Object([]byte(`{"a":1}`), func(*strictjson.Decoder, []byte) error { return nil })
	if err == nil {
		t.Error("a value that nobody read was let pass")
	}
}

// What this package takes, encoding/json takes too, and reads the same.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"\ud83d\ude00é","b":[1,2.5,null,true],"c":{"d":"e"}}`, `{"a":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		texts := map[string]string{}
		err := strictjson.Object(doc, func(d *strictjson.Decoder, name []byte) error {
			if !d.IsString() {
				return d.Skip()
			}
			key, s := string(name), ""
			err := d.String(&s)
			texts[key] = s
			return err
		})
		if err != nil {
			return
		}
		var other map[string]any
		if err := json.Unmarshal(doc, &other); err != nil {
			t.Fatalf("encoding/json refuses what was taken: %v", err)
		}
		for name, s := range texts {
			if other[name] != s {
				t.Errorf("%q: got %q, encoding/json has %q", name, s, other[name])
			}
		}
	})
}

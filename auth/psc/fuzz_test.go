package psc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pscauth/pscauth/auth/psc"
)

// What parses prints the same, parses again to itself, and is of one kind. An
// RPPS number has its key; nothing but bare RPPS digits gets a prefix.
func FuzzNationalID(f *testing.F) {
	for _, s := range []string{
		"899999001011", "99999001011", "899999001012", "0999000001", "02A9000001", "3990000019/0000000012", "4999999999/ab.c_d-1", "599999999900018/x",
		"1999000001/1", "699999001011/1", "ANS20231130123456", "ans20231130123456", "8999990010110", " 899999001011", "899999001011\n", "٨٩٩٩٩٩٠٠١٠١١", "null", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := psc.ParseNationalID(s)
		if err != nil {
			if id != "" || s != "" && len(s) > 4 && strings.Contains(err.Error(), s) {
				t.Errorf("%q: got %q and %v", s, id, err)
			}
			return
		}
		if string(id) != s && string(id) != "8"+s {
			t.Errorf("%q became %q", s, id)
		}
		if again, err := psc.ParseNationalID(string(id)); err != nil || again != id {
			t.Errorf("%q became %q, and that became %q, %v", s, id, again, err)
		}
		if strings.ContainsFunc(string(id), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q is not printable ASCII", id)
		}
		number := id.RPPS()
		if (id.Kind() == psc.RPPS) != (number != "") || number != "" && (len(number) != 11 || !hasKey(number) || "8"+number != string(id)) {
			t.Errorf("%q: kind %s, RPPS %q", id, id.Kind(), number)
		}
		before, _, slash := strings.Cut(string(id), "/")
		if id.Kind() == "" || slash && id.Structure() != before[1:] || !slash && id.Structure() != "" {
			t.Errorf("%q: kind %q, structure %q", id, id.Kind(), id.Structure())
		}
		if shown := len(strings.ReplaceAll(id.Masked(), "•", "")); shown > len(id)-5 {
			t.Errorf("%q logs as %q", id, id.Masked())
		}
	})
}

// hasKey doubles every second digit from the right and adds up (ISO/IEC 7812-1).
func hasKey(digits string) bool {
	doubled := [10]int{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}
	sum := 0
	for i := len(digits) - 1; i >= 0; i -= 2 {
		sum += int(digits[i] - '0')
		if i > 0 {
			sum += doubled[digits[i-1]-'0']
		}
	}
	return sum%10 == 0
}

// What is taken has the exact-case members that a plain second reading finds.
func FuzzParseUserInfo(f *testing.F) {
	for _, s := range []string{
		`{"sub":"f:x:899999001011","SubjectNameID":"899999001011"}`,
		`{"sub":"s","SubjectNameID":"899999001011","codeCivilite":"M","SubjectRefPro":{"codeCivilite":"MME","exercices":[{"codeProfession":"10","activities":[{"codeRole":"x"},{}]},{}]}}`,
		`{"sub":"s","SubjectNameID":"899999001011","SubjectRefPro":null,"otherIds":[{"identifiant":"899999001029","origine":"RPPS"}]}`,
		`{"sub":"s","SUB":"t","SubjectNameID":"899999001011","subjectnameid":"899999001029","SubjectRole":["10^1"]}`,
		`{"sub":"s","sub":"t","SubjectNameID":"899999001011"}`, `{"sub":"s","SubjectNameID":"null"}`, `null`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		u, err := psc.ParseUserInfo(doc)
		if err != nil {
			if u.Subject != "" || u.NationalID != "" || u.Raw != nil {
				t.Errorf("%s: a refused document left %+v", doc, u)
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal(doc, &m); err != nil {
			t.Fatalf("%s: encoding/json says %v", doc, err)
		}
		id, _ := m["SubjectNameID"].(string)
		if m["sub"] != u.Subject || u.Subject == "" || id != string(u.NationalID) && "8"+id != string(u.NationalID) || u.NationalID.Kind() == "" {
			t.Errorf("%s became %+v", doc, u)
		}
		record, _ := m["SubjectRefPro"].(map[string]any)
		exercises, _ := record["exercices"].([]any)
		if len(exercises) != len(u.Exercises) || string(u.Raw) != string(doc) {
			t.Errorf("%s became %+v", doc, u)
		}
	})
}

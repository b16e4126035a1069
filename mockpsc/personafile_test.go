package mockpsc_test

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pscauth/pscauth/mockpsc"
)

// personaText is a built-in document, with parts replaced.
func personaText(t *testing.T, file string, oldnew ...string) string {
	t.Helper()
	b, err := os.ReadFile("personas/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(b), oldnew[i]) {
			t.Fatalf("%s lacks %s", file, oldnew[i])
		}
	}
	return strings.NewReplacer(oldnew...).Replace(string(b))
}

func folder(files ...string) fs.FS {
	m := fstest.MapFS{"README.md": {Data: []byte("not a persona")}}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

const dupontFile = "01-dr-dupont.json"

func TestPersonaFilesAddAndReplace(t *testing.T) {
	mock := mockpsc.NewServer(t)
	mock.PersonaFiles = folder(
		"a.json", personaText(t, dupontFile, `"dr-dupont"`, `"dr-neuf"`, "899999001011", "899999009998", "Dr Jean DUPONT", "Dr Neuf"),
		"b.json", personaText(t, dupontFile, "Dr Jean DUPONT", "Dr Jean REMPLACE", `"family_name": "DUPONT"`, `"family_name": "REMPLACE"`),
	)
	mock.Auto = "dr-neuf"
	if err := mock.Check(); err != nil {
		t.Fatal(err)
	}
	mock.Auto = ""
	people := mock.Personas()
	if n := len(people); n != 25 || people[0].Name != "Dr Jean REMPLACE" || people[n-1].ID != "dr-neuf" {
		t.Fatalf("got %d people, %q first, %q last", n, people[0].Name, people[n-1].ID)
	}
	if builtIn := mockpsc.Personas(); len(builtIn) != 24 || builtIn[0].Name != "Dr Jean DUPONT" {
		t.Error("the built-in people have changed")
	}
	rp := newRelyingParty(t, mock)
	_, tok := rp.signIn(t, "dr-neuf")
	if _, doc := rp.userinfo(t, tok.AccessToken); !strings.Contains(doc, `"SubjectNameID":"899999009998"`) {
		t.Errorf("userinfo %s", doc)
	}
	_, tok = rp.signIn(t, "dr-dupont")
	if claims := payload(t, tok.IDToken); !strings.Contains(claims, `"family_name":"REMPLACE"`) {
		t.Errorf("ID token %s", claims)
	}
	p := begin(t, rp)
	expect(t, p.page, "Dr Neuf", "Dr Jean REMPLACE")
	mock.Reset()
	if n := len(mock.Personas()); n != 25 {
		t.Errorf("after Reset: %d people", n)
	}
}

func TestPersonaFilesMayGiveSomebodyTheNumberOfOneWhoIsReplaced(t *testing.T) {
	mock := &mockpsc.Server{PersonaFiles: folder(
		"a.json", personaText(t, dupontFile, "899999001011", "899999009998"),
		"b.json", personaText(t, dupontFile, `"dr-dupont"`, `"dr-neuf"`),
	)}
	if err := mock.Check(); err != nil {
		t.Error(err)
	}
}

func TestTheBuiltInPersonasStandUpToTheSameLook(t *testing.T) {
	if err := (&mockpsc.Server{PersonaFiles: os.DirFS("personas")}).Check(); err != nil {
		t.Error(err)
	}
}

func TestBadPersonaFilesAreRefusedWithFileLineAndReason(t *testing.T) {
	good := personaText(t, dupontFile)
	for _, tt := range []struct {
		name string
		text string
		want string
	}{
		{"no JSON", "{\n  \"id\": \"x\",\n  oops\n}", "x.json:3: invalid character 'o'"},
		{"an unknown member", personaText(t, dupontFile, `"place"`, `"plaec"`), `x.json:6: unknown field "plaec"`},
		{"a number for a PIN", personaText(t, dupontFile, `"pin": "1234"`, `"pin": 1234`), "x.json:10: cannot unmarshal number"},
		{"two documents", good + "\n" + good, "there is more than one document"},
		{"an empty file", "", "x.json:1: EOF"},
		{"half a document", good[:200], "unexpected EOF"},
		{"a member twice", personaText(t, dupontFile, `"place"`, `"name": "Other", "place"`), `x.json:6: the member "name" is given twice`},
		{"a member twice in userinfo", personaText(t, dupontFile, `"SubjectNameID":"899999001011"`, `"SubjectNameID":"x","SubjectNameID":"899999001011"`), `the member "SubjectNameID" is given twice`},
		{"a member in capitals", personaText(t, dupontFile, `"place"`, `"Place"`), `x.json:6: the member "Place" must be in lower case`},
		{"a company that is not UTF-8", personaText(t, dupontFile, "TILLEULS FICTIF", "TILLEULS FICTIF\xff"), "it is not UTF-8"},
		{"an id without a letter", personaText(t, dupontFile, `"dr-dupont"`, `"99999001011"`), "one letter at least"},
		{"an id with a blank", personaText(t, dupontFile, `"dr-dupont"`, `"dr dupont"`), "x.json:2: id"},
		{"the id of the impostor's phone", personaText(t, dupontFile, `"dr-dupont"`, `"none"`), "x.json:2: id"},
		{"a wrong key", personaText(t, dupontFile, "899999001011", "899999001012"), "x.json:9: the key of the RPPS number 99999001012 is wrong"},
		{"a number that may be somebody's", personaText(t, dupontFile, "899999001011", "810000000016"), "x.json:9: RPPS numbers"},
		{"a number that is another persona's", personaText(t, dupontFile, `"dr-dupont"`, `"dr-neuf"`), `x.json:9: national_id "899999001011" is taken by dr-dupont`},
		{"an unknown state", personaText(t, dupontFile, `"active"`, `"fine"`), `x.json:10: ecps: unknown state "fine"`},
		{"a short PIN", personaText(t, dupontFile, `"5678"`, `"567"`), "x.json:11: card: a PIN"},
		{"nothing on acr", personaText(t, dupontFile, `"MOBILE": "eidas1", `, ""), "x.json:12: acr says nothing of MOBILE"},
		{"somebody else's userinfo", personaText(t, dupontFile, `"SubjectNameID":"899999001011"`, `"SubjectNameID":"899999009998"`), `x.json:13: userinfo is somebody else's: SubjectNameID is "899999009998", want "899999001011"`},
		{"userinfo that is a list", `{"id":"x","userinfo":` + "\n[]}", "x.json:1: userinfo is not an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&mockpsc.Server{PersonaFiles: folder("x.json", tt.text)}).Check()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
	t.Run("the line of a change", func(t *testing.T) {
		text := personaText(t, "05-inf-roux.json")
		i := strings.LastIndex(text, `"national_id"`)
		line := 1 + strings.Count(text[:i], "\n")
		text = text[:i] + strings.Replace(text[i:], "899999", "810000", 1)
		err := (&mockpsc.Server{PersonaFiles: folder("x.json", text)}).Check()
		if want := "x.json:" + strconv.Itoa(line) + ": RPPS numbers"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	})
	t.Run("two files, one id", func(t *testing.T) {
		err := (&mockpsc.Server{PersonaFiles: folder("a.json", good, "b.json", good)}).Check()
		if want := `b.json:2: id "dr-dupont" is taken by a.json`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	})
	t.Run("every file is reported", func(t *testing.T) {
		err := (&mockpsc.Server{PersonaFiles: folder("a.json", "{", "b.json", "[")}).Check()
		if err == nil || !strings.Contains(err.Error(), "a.json:1") || !strings.Contains(err.Error(), "b.json:1") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no file", func(t *testing.T) {
		if err := (&mockpsc.Server{PersonaFiles: folder()}).Check(); err == nil || !strings.Contains(err.Error(), "no *.json") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheBuiltInPersonaFilesAreGood(t *testing.T) {
	if err := (&mockpsc.Server{PersonaFiles: os.DirFS("personas")}).Check(); err != nil {
		t.Error(err)
	}
}

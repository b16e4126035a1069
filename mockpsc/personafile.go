package mockpsc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// documents are the people of this server: the embedded ones, with those of
// PersonaFiles in the place of who has the same id, or after them.
func (s *Server) documents() ([]*document, error) {
	if s.PersonaFiles == nil {
		return roster(), nil
	}
	return readPersonas(s.PersonaFiles, ".", roster())
}

// readPersonas reads every JSON document of a directory, in the order of their
// names, and adds them to the people there are. All faults of all documents are
// reported at once, each with file and line.
func readPersonas(files fs.FS, dir string, people []*document) ([]*document, error) {
	names, err := fs.Glob(files, path.Join(dir, "*.json"))
	if err == nil && len(names) == 0 {
		if _, err = fs.ReadDir(files, dir); err == nil {
			err = errors.New("there is no *.json file")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("mockpsc: reading personas: %w", err)
	}
	list := slices.Clone(people)
	texts := map[*document]docFile{} // of those read here
	var errs []error
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("mockpsc: reading personas: %w", err))
			continue
		}
		file := docFile{path.Base(name), text}
		d, err := file.read()
		if err == nil && people != nil { // the built-in ones are looked at by a test
			err = errors.Join(file.names()...)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		i := slices.IndexFunc(list, func(other *document) bool { return other.ID == d.ID })
		switch {
		case i < 0:
			list = append(list, d)
		case texts[list[i]].text != nil:
			errs = append(errs, file.fault(docFault{fmt.Sprintf("id %q is taken by %s", d.ID, texts[list[i]].name), []string{"id"}}))
			continue
		default:
			list[i] = d
		}
		texts[d] = file
	}
	// Last, because a document may give its person the number of one who is replaced.
	owner := map[string]*document{}
	for _, d := range list {
		other := owner[d.NationalID]
		if other == nil {
			owner[d.NationalID] = d
			continue
		}
		if texts[d].text == nil { // the embedded one stays; the one who was read before it is at fault
			d, other = other, d
		}
		errs = append(errs, texts[d].fault(docFault{fmt.Sprintf("national_id %q is taken by %s", d.NationalID, other.ID), []string{"national_id"}}))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return list, nil
}

// A docFile is the text of one document.
type docFile struct {
	name string
	text []byte
}

// A docFault says what is wrong in a document, and at which member.
type docFault struct {
	reason string
	path   []string // such as "then", "0", "national_id"
}

func (f docFile) fault(fault docFault) error { return f.at(f.lineOf(fault.path), fault.reason) }

func (f docFile) at(line int, reason string) error {
	return fmt.Errorf("mockpsc: persona %s:%d: %s", f.name, line, reason)
}

func (f docFile) read() (*document, error) {
	d := new(document)
	if !utf8.Valid(f.text) {
		return nil, f.at(f.lineOfBadText(), "it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(f.text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return nil, f.at(f.lineOfError(err), strings.TrimPrefix(err.Error(), "json: "))
	}
	end := dec.InputOffset()
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, f.at(f.line(end+1), "there is more than one document")
	}
	var errs []error
	for _, fault := range d.check() {
		errs = append(errs, f.fault(fault))
	}
	return d, errors.Join(errs...)
}

// lineOfBadText is the first line that is not UTF-8.
func (f docFile) lineOfBadText() int {
	for i, line := range bytes.Split(f.text, []byte("\n")) {
		if !utf8.Valid(line) {
			return i + 1
		}
	}
	return 1
}

// names finds members that encoding/json takes and that would mislead whoever
// reads the document: given twice, in any object, or, outside what is served byte
// for byte, in another case than theirs.
func (f docFile) names() (errs []error) {
	dec := json.NewDecoder(bytes.NewReader(f.text))
	var walk func(ours bool) error // one value
	walk = func(ours bool) error {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		open, _ := token.(json.Delim)
		if open == 0 {
			return nil
		}
		seen := map[string]bool{}
		for dec.More() {
			below := ours
			if open == '{' {
				token, err := dec.Token()
				if err != nil {
					return err
				}
				name := token.(string)
				line := f.line(dec.InputOffset() - 1)
				switch {
				case seen[name]:
					errs = append(errs, f.at(line, fmt.Sprintf("the member %q is given twice", name)))
				case ours && name != strings.ToLower(name) && name != string(byPhone) && name != string(byCard):
					errs = append(errs, f.at(line, fmt.Sprintf("the member %q must be in lower case", name)))
				}
				seen[name] = true
				below = ours && name != "userinfo" && name != "userinfo_card"
			}
			if err := walk(below); err != nil {
				return err
			}
		}
		_, err = dec.Token() // the end
		return err
	}
	walk(true) // read has read it
	return errs
}

// line is the line of an offset.
func (f docFile) line(offset int64) int {
	return 1 + bytes.Count(f.text[:min(max(offset, 0), int64(len(f.text)))], []byte("\n"))
}

var unknownMember = regexp.MustCompile(`unknown field ("(?:[^"\\]|\\.)*")`)

func (f docFile) lineOfError(err error) int {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return f.line(syntax.Offset - 1)
	case errors.As(err, &wrongType):
		return f.line(wrongType.Offset - 1)
	}
	if m := unknownMember.FindStringSubmatch(err.Error()); m != nil { // encoding/json does not say where
		member := regexp.MustCompile(regexp.QuoteMeta(m[1]) + `\s*:`)
		if at := member.FindIndex(f.text); at != nil {
			return f.line(int64(at[0]))
		}
	}
	return f.line(int64(len(bytes.TrimSpace(f.text))))
}

// lineOf finds the line of a member, or of the innermost one that is there.
func (f docFile) lineOf(path []string) int {
	dec := json.NewDecoder(bytes.NewReader(f.text))
	line, depth := 1, 0 // depth: how much of the path has been found
	var walk func(on bool) error
	walk = func(on bool) error { // one value; on: the path leads here
		token, err := dec.Token()
		if err != nil {
			return err
		}
		open, _ := token.(json.Delim)
		if open == 0 {
			return nil
		}
		here := depth
		for i := 0; dec.More(); i++ {
			name := strconv.Itoa(i)
			start := dec.InputOffset()
			if open == '{' {
				token, err := dec.Token()
				if err != nil {
					return err
				}
				name = token.(string)
			}
			next := on && here < len(path) && name == path[here]
			if next {
				for start < int64(len(f.text)) && strings.IndexByte(" \t\r\n,", f.text[start]) >= 0 {
					start++
				}
				depth, line = here+1, f.line(start)
			}
			if err := walk(next); err != nil {
				return err
			}
		}
		_, err = dec.Token() // the end
		return err
	}
	if err := walk(true); err != nil { // read has read it
		return 1
	}
	return line
}

var personaID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (d *document) check() []docFault {
	var list []docFault
	if !personaID.MatchString(d.ID) || d.ID == "none" || strings.Trim(d.ID, "0123456789-") == "" { // "none" is the phone without an e-CPS
		list = append(list, docFault{fmt.Sprintf("id %q: lower-case letters, digits and hyphens are required, one letter at least", d.ID), []string{"id"}})
	}
	list = append(list, d.situation.check()...)
	seen := map[string]bool{}
	for i, t := range d.Then {
		at := []string{"then", strconv.Itoa(i)}
		if t.ID == "" || t.Label == "" || seen[t.ID] {
			list = append(list, docFault{"a change needs an id of its own and a label", at})
		}
		seen[t.ID] = true
		for _, fault := range t.situation.check() {
			list = append(list, docFault{fault.reason, append(slices.Clone(at), fault.path...)})
		}
	}
	return list
}

func (d *situation) check() []docFault {
	var list []docFault
	need := func(ok bool, member, format string, args ...any) {
		if !ok {
			list = append(list, docFault{fmt.Sprintf(format, args...), []string{member}})
		}
	}
	for _, m := range [][2]string{{"name", d.Name}, {"given_name", d.GivenName}, {"family_name", d.FamilyName}, {"national_id", d.NationalID}} {
		need(m[1] != "", m[0], "%s is missing", m[0])
	}
	if n, ok := strings.CutPrefix(d.NationalID, "8"); ok {
		need(strings.HasPrefix(n, "99999") && len(n) == 11, "national_id", "RPPS numbers of personas are 99999 and six digits, so that they are nobody's; found %s", n)
		need(luhn(n), "national_id", "the key of the RPPS number %s is wrong", n)
	}
	for _, m := range []struct {
		member string
		means  Means
		mode   authMode
		states []string
	}{
		{"ecps", d.ECPS, byPhone, meansStates[byPhone]},
		{"card", d.Card, byCard, meansStates[byCard]},
	} {
		need(slices.Contains(m.states, m.means.State), m.member, "%s: unknown state %q; known: %s", m.member, m.means.State, strings.Join(m.states, ", "))
		if m.means.Works() {
			need(pinForm(m.means.PIN), m.member, "%s: a PIN has four digits, as text", m.member)
			_, ok := d.ACR[string(m.mode)]
			need(ok, "acr", "acr says nothing of %s; null is for no claim", m.mode)
		}
	}
	for mode := range d.ACR {
		need(mode == string(byPhone) || mode == string(byCard), "acr", "acr: unknown mode %q; known: MOBILE, CARD", mode)
	}
	need(d.Userinfo != nil, "userinfo", "userinfo is missing")
	for _, doc := range []struct {
		member string
		text   json.RawMessage
	}{{"userinfo", d.Userinfo}, {"userinfo_card", d.UserinfoCard}} {
		if doc.text == nil {
			continue
		}
		var u map[string]any
		if err := json.Unmarshal(doc.text, &u); err != nil || u == nil {
			need(false, doc.member, "%s is not an object", doc.member)
			continue
		}
		for _, m := range [][2]string{{"sub", d.sub()}, {"SubjectNameID", d.NationalID}} {
			got, _ := u[m[0]].(string)
			need(got == m[1], doc.member, "%s is somebody else's: %s is %q, want %q", doc.member, m[0], got, m[1])
		}
	}
	return list
}

package auth_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The checklist's chapters, and how many lines each has.
var checklist = map[string]int{
	"LI": 14, "RT": 4, "CB": 17, "ID": 13, "JW": 9, "UI": 5, "SJ": 12, "CK": 10, "MW": 9, "LO": 7, "BL": 7, "ST": 10, "MO": 7, "OP": 18,
}

var (
	checklistLine = regexp.MustCompile(`^\| ([A-Z]{2}-\d+) \| (.+) \| (.+) \|$`)
	corpusID      = regexp.MustCompile(`\b[A-Z]{3}-\d{3}\b`)
)

// Every line of the checklist stands in docs/security.md, once, with a test that
// exists, a case that is run, or why there is none.
func TestEveryLineOfTheChecklist(t *testing.T) {
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "\n## Line by line\n")
	if !found {
		t.Fatal("docs/security.md has no section Line by line")
	}
	text, err := os.ReadFile("testdata/adversarial.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []corpusCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	run := map[string]bool{}
	for _, c := range cases {
		w, skipped := waivedCase(c)
		run[c.ID] = !skipped || w.category == elsewise
	}

	left := map[string]bool{}
	for chapter, lines := range checklist {
		for n := range lines {
			left[fmt.Sprintf("%s-%d", chapter, n+1)] = true
		}
	}
	proven, unproven := 0, 0
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| id |") {
			continue
		}
		m := checklistLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Errorf("no line of three cells: %s", line)
			continue
		}
		id, proof := m[1], m[3]
		if !left[id] {
			t.Errorf("%s is not in the checklist, or stands twice", id)
		}
		delete(left, id)
		ids := corpusID.FindAllString(proof, -1)
		for _, c := range ids {
			if !run[c] {
				t.Errorf("%s: the case %s does not exist, or is not run", id, c)
			}
		}
		switch { // that tests exist is for TestTheDocumentsNameTestsThatExist
		case strings.HasPrefix(proof, "Why not: "):
			unproven++
		case len(ids) == 0 && !namedTest.MatchString(proof):
			t.Errorf("%s has neither a test nor a reason: %s", id, proof)
		default:
			proven++
		}
	}
	for id := range left {
		t.Errorf("%s is missing", id)
	}
	t.Logf("%d lines with a test, %d with a reason", proven, unproven)
}

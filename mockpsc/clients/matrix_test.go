package clients

import (
	"os"
	"testing"

	"github.com/pscauth/pscauth/mockpsc"
)

func committed(t *testing.T) *Matrix {
	t.Helper()
	text, err := os.ReadFile("testdata/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadMatrix(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if m.Text() != string(text) {
		t.Error("testdata/matrix.txt is not of these faults and clients: .ci/clients/run -write")
	}
	return m
}

// An update of a library that sees more, or less, is seen here.
func TestForeignClientsDoWhatTheTableSays(t *testing.T) {
	m := committed(t)
	results, why := TryLibraries(mockpsc.NewServer(t))
	for _, lib := range libraries {
		if n := len(results[lib.name]); n < 200 {
			t.Errorf("%s: only %d faults were tried", lib.name, n)
		}
		for _, difference := range m.Compare(lib.name, results[lib.name]) {
			t.Errorf("%s: %s", lib.name, difference)
		}
	}
	if t.Failed() {
		for _, f := range mockpsc.Faults() {
			for _, lib := range libraries {
				if m.Results[f.Name][lib.name] != results[lib.name][f.Name] && f.Where != "logout_token" {
					t.Logf("%s, %s: %s", lib.name, f.Name, why(lib.name, f.Name))
				}
			}
		}
	}
}

func TestEveryFaultHasSomebodyWhoRefusesItOrAReasonWhyNobodyDoes(t *testing.T) {
	m := committed(t)
	if missing := m.Missing(); len(missing) > 0 {
		t.Errorf("nothing is known of %v", missing)
	}
	reasons := map[string]bool{}
	for _, r := range nobodys {
		for _, name := range r.faults {
			if reasons[name] {
				t.Errorf("%s has two reasons", name)
			}
			reasons[name] = true
		}
	}
	for _, f := range mockpsc.Faults() {
		who := m.refusers(f)
		if (len(who) == 0) != reasons[f.Name] {
			t.Errorf("%s (%s): refused by %v, and a reason why nobody does: %t", f.Name, f.Summary, who, reasons[f.Name])
		}
		delete(reasons, f.Name)
	}
	for name := range reasons {
		t.Errorf("%s is no fault", name)
	}
}

func TestTheDocumentIsThatOfTheTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/what-clients-catch.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != committed(t).Document() {
		t.Error("docs/what-clients-catch.md is not what the table says: .ci/clients/run -write")
	}
}

func TestAMatrixIsReadAsItWasWritten(t *testing.T) {
	m := &Matrix{Versions: map[string]string{}, Results: map[string]map[string]Result{}}
	for i, c := range columns {
		m.Versions[c.key] = "1." + string(rune('0'+i))
		for j, f := range mockpsc.Faults() {
			m.Put(f.Name, c.key, []Result{Refuses, Passes, Drops, Breaks, Apart}[(i+j)%5])
		}
	}
	again, err := ReadMatrix(m.Text())
	if err != nil || again.Text() != m.Text() || again.Document() != m.Document() {
		t.Fatalf("%v:\n%s", err, again.Text())
	}
	first := mockpsc.Faults()[0]
	tried := map[string]Result{first.Name: Breaks}
	if got := again.Compare(columns[0].key, tried); len(got) != 1 {
		t.Errorf("one difference was made, got %q", got)
	}
	if got := again.Compare(columns[3].key, tried); len(got) != 0 {
		t.Errorf("no difference was made, got %q", got)
	}
	for _, bad := range []string{"", "client a 1\nexpired + +\n", "client a 1\n"} {
		if _, err := ReadMatrix(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if len(m.Missing()) == 0 {
		t.Error("a matrix with results where none can be is complete")
	}
}

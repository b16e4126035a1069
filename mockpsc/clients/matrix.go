package clients

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pscauth/pscauth/mockpsc"
)

// A Result is what one client does about one fault.
type Result byte

const (
	Refuses Result = '+' // nobody is signed in, and the application says so
	Passes  Result = '-' // somebody is signed in, or the client does what the lie wants
	Drops   Result = '~' // signs in by the ID token alone, and uses nothing of userinfo
	Breaks  Result = '!' // dies, or does not answer
	Apart   Result = '.' // the fault does not reach this client
)

// A Matrix says what clients do about faults: by fault, then by client.
type Matrix struct {
	Versions map[string]string // by client
	Results  map[string]map[string]Result
}

// Put notes one result.
func (m *Matrix) Put(fault, client string, r Result) {
	if m.Results[fault] == nil {
		m.Results[fault] = map[string]Result{}
	}
	m.Results[fault][client] = r
}

const matrixHead = `# What clients that are not ours do about each fault of the mock.
# Written by .ci/clients/run -write; do not edit.
# + refuses   - does not see it   ~ signs in by the ID token alone   ! breaks   . is not reached
`

// Text writes a matrix, a line for each fault in the order of mockpsc.Faults.
func (m *Matrix) Text() string {
	var b strings.Builder
	b.WriteString(matrixHead)
	for _, c := range columns {
		fmt.Fprintf(&b, "client %s %s\n", c.key, m.Versions[c.key])
	}
	for _, f := range mockpsc.Faults() {
		fmt.Fprintf(&b, "%-40s", f.Name)
		for _, c := range columns {
			r := m.Results[f.Name][c.key]
			if r == 0 {
				r = Apart
			}
			fmt.Fprintf(&b, " %c", r)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// ReadMatrix reads what Text has written.
func ReadMatrix(text string) (*Matrix, error) {
	m := &Matrix{Versions: map[string]string{}, Results: map[string]map[string]Result{}}
	var clients []string
	for line := range strings.Lines(text) {
		switch word := strings.Fields(line); {
		case len(word) == 0 || word[0] == "#":
		case word[0] == "client" && len(word) == 3:
			clients = append(clients, word[1])
			m.Versions[word[1]] = word[2]
		case len(word) != len(clients)+1:
			return nil, fmt.Errorf("clients: matrix: %q has %d results for %d clients", word[0], len(word)-1, len(clients))
		default:
			for i, r := range word[1:] {
				m.Put(word[0], clients[i], Result(r[0]))
			}
		}
	}
	if len(m.Results) == 0 {
		return nil, errors.New("clients: matrix: empty")
	}
	return m, nil
}

// Compare lists how a client differs from the matrix, a line for each fault. Only
// the faults that were tried are compared.
func (m *Matrix) Compare(client string, tried map[string]Result) []string {
	var list []string
	for _, f := range mockpsc.Faults() {
		got, ok := tried[f.Name]
		if want := m.Results[f.Name][client]; ok && got != want {
			list = append(list, fmt.Sprintf("%s: got %c, want %c: %s", f.Name, got, want, f.Summary))
		}
	}
	return list
}

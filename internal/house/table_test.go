package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wrapped is where a line of a document goes on in the next one.
var wrapped = regexp.MustCompile(`\n +`)

// compatibility is the document about compatibility, with each entry in one line.
func compatibility(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "docs/genesys-compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	return wrapped.ReplaceAllString(string(b), " ")
}

// entry is an entry of that document: what, how, the verdict and what holds it.
var entry = regexp.MustCompile(`^\* \*\*(.+?)\*\*: (.+) — \*(.+?)\*\. Held by (.+)\.$`)

// Every entry about compatibility has a verdict of the four there are, a reason
// if something is not supported, and names what holds it.
func TestTheTableIsComplete(t *testing.T) {
	entries := 0
	for line := range strings.SplitSeq(compatibility(t), "\n") {
		if !strings.HasPrefix(line, "* **") || !strings.Contains(line, "**: ") {
			continue // the list of the verdicts is one, too
		}
		m := entry.FindStringSubmatch(line)
		if m == nil {
			if !strings.HasPrefix(line, "* **documented**:") && !strings.HasPrefix(line, "* **needed**:") &&
				!strings.HasPrefix(line, "* **ours**:") && !strings.HasPrefix(line, "* **not supported**:") {
				t.Errorf("an entry without a verdict or without what holds it: %s", line)
			}
			continue
		}
		entries++
		if fault := faultOfRow(m[3], m[4]); fault != "" {
			t.Errorf("got the row %s, want it without the fault: %s", line, fault)
		}
	}
	if entries < 200 {
		t.Errorf("only %d entries were found, want at least 200", entries)
	}
}

// faultOfRow is what is wrong with the end of an entry.
func faultOfRow(verdict, held string) string {
	known := false
	for _, v := range []string{"documented", "needed", "ours", "not supported"} {
		known = known || strings.HasPrefix(verdict, v)
	}
	switch {
	case !known:
		return "there is no such verdict"
	case strings.HasPrefix(verdict, "not supported") && !strings.Contains(verdict, "because") && !strings.Contains(verdict, ", see "):
		return "there is no reason"
	case strings.Contains(verdict, "not yet"):
		return "what is missing has a reason"
	case !testName.MatchString(held) && !strings.Contains(held, "conversation") && !strings.Contains(held, "clients") && !strings.Contains(held, "the schema"):
		return "nothing holds it"
	}
	return ""
}

func TestFaultOfRow(t *testing.T) {
	for _, c := range []struct {
		verdict, held string
		good          bool
	}{
		{"documented", "gms `TestX`", true},
		{"not supported, because it is not", "conversation `x`", true},
		{"not supported", "gms `TestX`", false},
		{"not yet", "gms `TestX`", false},
		{"needed", "", false},
		{"", "gms `TestX`", false},
	} {
		if got := faultOfRow(c.verdict, c.held); (got == "") != c.good {
			t.Errorf("%+v: got the fault %q, want none: %v", c, got, c.good)
		}
	}
}

var scenario = regexp.MustCompile(`clients "([^"]+)"`)

// The scenarios that the table names are played.
func TestTheTableNamesScenarios(t *testing.T) {
	table := compatibility(t)
	played, err := os.ReadFile(filepath.Join(root, "test/cometd/scenarios.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	named := scenario.FindAllStringSubmatch(table, -1)
	for _, m := range named {
		if !strings.Contains(string(played), "test('"+m[1]+"'") {
			t.Errorf("docs/genesys-compatibility.md names %q, which no client plays", m[1])
		}
	}
	if len(named) < 4 {
		t.Errorf("only %d scenarios were found in the table", len(named))
	}
}

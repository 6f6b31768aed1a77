package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every row of the table of compatibility has a verdict of the four there are,
// a reason if something is not supported, and names what holds it.
func TestTheTableIsComplete(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(root, "docs/genesys-compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, columns, verdicts := 0, 0, false
	for i, line := range strings.Split(string(table), "\n") {
		if !strings.HasPrefix(line, "|") {
			verdicts = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		switch {
		case strings.HasSuffix(line, "| Verdict | Held by |"):
			verdicts, columns = true, strings.Count(line, "|")
			continue
		case !verdicts || strings.HasPrefix(line, "|---"):
			continue
		case strings.Count(line, "|") != columns:
			t.Errorf("line %d has not as many cells as its table", i+1)
			continue
		}
		rows++
		if fault := faultOfRow(strings.TrimSpace(cells[len(cells)-2]), strings.TrimSpace(cells[len(cells)-1])); fault != "" {
			t.Errorf("line %d: %s: %s", i+1, fault, line)
		}
	}
	if rows < 200 {
		t.Errorf("only %d rows were found", rows)
	}
}

// faultOfRow is what is wrong with a row's last cells.
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
			t.Errorf("%+v: %q", c, got)
		}
	}
}

var scenario = regexp.MustCompile(`clients "([^"]+)"`)

// The scenarios that the table names are played.
func TestTheTableNamesScenarios(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(root, "docs/genesys-compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	played, err := os.ReadFile(filepath.Join(root, "test/cometd/scenarios.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	named := scenario.FindAllSubmatch(table, -1)
	for _, m := range named {
		if !strings.Contains(string(played), "test('"+string(m[1])+"'") {
			t.Errorf("docs/genesys-compatibility.md names %q, which no client plays", m[1])
		}
	}
	if len(named) < 4 {
		t.Errorf("only %d scenarios were found in the table", len(named))
	}
}

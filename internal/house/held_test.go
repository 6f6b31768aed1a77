package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testFunc     = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	testName     = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	conversation = regexp.MustCompile("conversations? ((?:`[a-z-]+`(?:, )?)+)")
)

// What the table of compatibility says to be held by a test is held by one that
// exists, and so for conversations.
func TestTheTableNamesTests(t *testing.T) {
	table := compatibility(t)
	known := make(map[string]bool)
	for _, path := range tracked(t) {
		switch {
		case strings.HasSuffix(path, "_test.go"):
			b, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testFunc.FindAllSubmatch(b, -1) {
				known[string(m[1])] = true
			}
		case strings.HasPrefix(path, "test/conversations/"):
			known[strings.TrimSuffix(filepath.Base(path), ".txtar")] = true
		}
	}
	named := 0
	check := func(name string) {
		if named++; !known[name] {
			t.Errorf("docs/genesys-compatibility.md names %s, which there is not", name)
		}
	}
	for _, m := range testName.FindAllStringSubmatch(table, -1) {
		check(m[1])
	}
	for _, m := range conversation.FindAllStringSubmatch(table, -1) {
		for _, name := range strings.Split(m[1], ", ") {
			if name != "" {
				check(strings.Trim(name, "`"))
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests and conversations were found in the table", named)
	}
}

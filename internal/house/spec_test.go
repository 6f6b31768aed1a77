package house

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	ruleLine = regexp.MustCompile(`(?m)^\*\*(\d+\.\d+(?:\.\d+)?)\*\* `)
	citation = regexp.MustCompile(`\bspec:(\d+(?:\.\d+)*)`)
	clause   = regexp.MustCompile(`\bclause (\d+(?:\.\d+)*)`)
	section  = regexp.MustCompile(`(?m)^## (\d+)\. `)
)

// The rules of bayeux/SPEC.md are kept by code and proved by tests that say
// so, and no citation names a rule that is not there.
func TestNoRuleIsAnOrphan(t *testing.T) {
	spec, err := os.ReadFile(filepath.Join(root, "bayeux/SPEC.md"))
	if err != nil {
		t.Fatal(err)
	}
	rules, named := make(map[string]bool), make(map[string]bool)
	for _, m := range section.FindAllSubmatch(spec, -1) {
		named[string(m[1])] = true
	}
	for _, m := range ruleLine.FindAllSubmatch(spec, -1) {
		n := string(m[1])
		if rules[n] {
			t.Errorf("rule %s is there twice", n)
		}
		if top, _, _ := strings.Cut(n, "."); !named[top] {
			t.Errorf("rule %s belongs to no section", n)
		}
		rules[n], named[n] = true, true
	}
	if len(rules) < 100 {
		t.Fatalf("only %d rules were found", len(rules))
	}

	inCode, inTests := make(map[string]bool), make(map[string]bool)
	err = filepath.WalkDir(filepath.Join(root, "bayeux"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		cited := inCode
		if strings.HasSuffix(path, "_test.go") {
			cited = inTests
		} else if filepath.Base(filepath.Dir(path)) == "bayeuxtest" {
			// The conformance suite is a test that others can run too.
			cited = inTests
		}
		for _, m := range citation.FindAllSubmatch(b, -1) {
			n := string(m[1])
			if !rules[n] {
				t.Errorf("%s cites rule %s, which is not there", path, n)
			}
			cited[n] = true
		}
		for _, m := range clause.FindAllSubmatch(b, -1) {
			if n := string(bytes.TrimRight(m[1], ".")); !named[n] {
				t.Errorf("%s speaks of clause %s, which is not there", path, n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range rules {
		if !inCode[n] {
			t.Errorf("no code says that it keeps rule %s", n)
		}
		if !inTests[n] {
			t.Errorf("no test says that it proves rule %s", n)
		}
	}
}

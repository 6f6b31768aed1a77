package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxNouns is how many nouns of our own a reader can be asked to learn.
const maxNouns = 39

func TestNounsOfOurOwnAreFew(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs/glossary.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, own, ok := strings.Cut(string(b), "\n## Nouns of our own\n")
	if !ok {
		t.Fatal("docs/glossary.md has no section \"Nouns of our own\"")
	}
	own, _, _ = strings.Cut(own, "\n## ")
	seen := make(map[string]bool)
	for line := range strings.Lines(own) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for noun := range strings.SplitSeq(cells[1], ",") {
			if noun = strings.TrimSpace(noun); noun == "Noun" || strings.HasPrefix(noun, "---") {
				continue
			}
			if seen[noun] {
				t.Errorf("%q has two rows", noun)
			}
			seen[noun] = true
		}
	}
	if n := len(seen); n < 10 || n > maxNouns {
		t.Errorf("got %d nouns of our own, want at least 10 and at most %d", n, maxNouns)
	}
}

package house

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The decisions are numbered from 001 without a gap, and each page begins with its
// number.
func TestDecisionsAreNumbered(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/decisions/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(pages)
	for i, path := range pages {
		want := fmt.Sprintf("%03d", i+1)
		if got, _, _ := strings.Cut(filepath.Base(path), "-"); got != want {
			t.Errorf("%s: got number %s, want %s", path, got, want)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(b), "\n"); !strings.HasPrefix(first, "# "+want+" ") {
			t.Errorf("%s: got the title %q, want one that begins with %q", path, first, "# "+want+" ")
		}
	}
	if len(pages) < 20 {
		t.Errorf("got %d decisions, want at least 20", len(pages))
	}
}

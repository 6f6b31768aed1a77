package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	station     = regexp.MustCompile(`(?s)\n\*\*(\d+)\. .*?\n\n`)
	roadFile    = regexp.MustCompile("`([\\w./-]+\\.(?:go|ts|js))`")
	stationLine = regexp.MustCompile(`^// Station (\d+) of docs/road\.md: .`)
)

// What docs/road.md names is there. Each file that a station names says at its top
// that it belongs to it, and no other file does.
func TestTheRoadAndItsFilesAgree(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs/road.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range roadFile.FindAllStringSubmatch(string(b), -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("docs/road.md names %s: %v", m[1], err)
		}
	}
	// The end of a paragraph is the beginning of the next one.
	text := strings.ReplaceAll(string(b), "\n\n", "\n\n\n")
	want := make(map[string][]string)
	stations := station.FindAllStringSubmatch(text, -1)
	for _, m := range stations {
		for _, f := range roadFile.FindAllStringSubmatch(m[0], -1) {
			if !slices.Contains(want[f[1]], m[1]) {
				want[f[1]] = append(want[f[1]], m[1])
			}
		}
	}
	if len(stations) != 12 || len(want) < 40 {
		t.Fatalf("got %d stations with %d files, want 12 with at least 40", len(stations), len(want))
	}
	for _, path := range tracked(t) {
		if filepath.Ext(path) != ".go" {
			continue
		}
		got := stationsOf(t, path)
		if !slices.Equal(got, want[path]) {
			t.Errorf("%s: got stations %q at its top, want %q, as in docs/road.md", path, got, want[path])
		}
	}
}

// stationsOf are the stations that a file's first comment names.
func stationsOf(t *testing.T, path string) (list []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		m := stationLine.FindStringSubmatch(line)
		if m == nil {
			break
		}
		list = append(list, m[1])
	}
	return list
}

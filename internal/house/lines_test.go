package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is how long a line of a document may be, in characters.
const maxColumns = 120

// oneLink is a line with nothing but one link or picture, which cannot be broken.
var oneLink = regexp.MustCompile(`^\s*(?:[*-] )?!?\[[^\]]*\]\([^)]*\)[.,:;]?$`)

// Lines of documents are short, but for code and for what cannot be broken.
func TestLinesOfDocumentsAreShort(t *testing.T) {
	for _, path := range tracked(t) {
		if filepath.Ext(path) != ".md" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range longLines(string(b)) {
			t.Errorf("%s:%d: got more than %d characters", path, n, maxColumns)
		}
	}
}

// longLines are the numbers of the lines that are too long, from 1.
func longLines(text string) (list []int) {
	fenced, n := false, 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced, strings.HasPrefix(line, "    "), oneLink.MatchString(line):
		case utf8.RuneCountInString(line) > maxColumns:
			list = append(list, n)
		}
	}
	return list
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("a b ", maxColumns/4) + "c"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"prose":          {long + "\n", 1},
		"just short":     {long[1:] + "\n", 0},
		"characters":     {strings.Repeat("é", maxColumns), 0},
		"indented code":  {"    " + long, 0},
		"fenced code":    {"```\n" + long + "\n```\n", 0},
		"after a fence":  {"```\nx\n```\n" + long, 1},
		"one link":       {"[" + long + "](x.md)", 0},
		"a link in text": {"See [" + long + "](x.md)", 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := len(longLines(c.text)); got != c.want {
				t.Errorf("got %d long lines, want %d", got, c.want)
			}
		})
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A suite that fails in some of its runs is told, with the output of those runs
// and of no other.
func TestSoakKeepsWhatFailed(t *testing.T) {
	out := t.TempDir()
	count := filepath.Join(out, "count")
	fails := program("flaky", out, "sh", "-c", `echo x >> count; echo "run $(wc -l < count)"; [ "$(wc -l < count)" != 2 ]`)
	r := soak(t.Context(), fails, 4, out)
	if !r.broken() || len(r.took) != 4 || r.busy != 1 {
		t.Errorf("got broken %v, %d runs, %d beside busy loops, want true, 4, 1", r.broken(), len(r.took), r.busy)
	}
	want := filepath.Join(out, "flaky-002.log")
	if len(r.kept) != 1 || r.kept[0] != want {
		t.Fatalf("got %q kept, want only %q", r.kept, want)
	}
	if b, err := os.ReadFile(want); err != nil || !strings.Contains(string(b), "run 2\n") {
		t.Errorf("got %q, %v in the kept output, want run 2", b, err)
	}
	if logs, err := filepath.Glob(filepath.Join(out, "*.log")); err != nil || len(logs) != 1 {
		t.Errorf("got the files %q, %v, want one", logs, err)
	}
	if line := r.String(); !strings.HasPrefix(line, "FAIL  flaky") || !strings.Contains(line, "3 of   4") || !strings.Contains(line, want) {
		t.Errorf("got the line %q, want FAIL, 3 of 4 and the file", line)
	}
	if b, err := os.ReadFile(count); err != nil || len(b) != 8 {
		t.Errorf("got %q, %v, want four runs counted", b, err)
	}
}

func TestSoakOfNothing(t *testing.T) {
	missing := program("missing", t.TempDir(), filepath.Join(t.TempDir(), "no such program"))
	if r := soak(t.Context(), missing, 2, t.TempDir()); len(r.kept) != 2 {
		t.Errorf("a program that is not there: got %d failed runs, want 2", len(r.kept))
	}
	if r := soak(t.Context(), missing, 0, t.TempDir()); !r.broken() {
		t.Errorf("no runs at all: got %q, want FAIL", r)
	}
	if _, err := choose([]suite{missing}, []string{"other"}); err == nil {
		t.Error("a suite that is not there was chosen")
	}
}

// Every part of make test that runs tests is a suite.
func TestSuitesAreThoseOfMakeTest(t *testing.T) {
	t.Chdir("../..")
	list, err := suites(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for _, s := range list {
		have[s.name] = true
	}
	for _, name := range []string{
		"bayeux", "internal/gms", "internal/sqlite", "test/schema", "test/conversations", "web/desk",
		"test/cometd", "test/bayeuxjs", "test/record", "test/kill", "test/blackbox", "web/e2e",
	} {
		if !have[name] {
			t.Errorf("got no suite %s among %d", name, len(list))
		}
	}
}

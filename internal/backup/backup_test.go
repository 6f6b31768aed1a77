package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record is the body of one that decodes.
var record = func() []byte {
	body, err := chat.Event{Fact: chat.Said{No: 1, Text: "hello"}}.Encode()
	if err != nil {
		panic(err)
	}
	return body
}()

// fixture is a data directory with a store that is open, a secret, a shared
// file, and one on its way in.
func fixture(t *testing.T) (dir string, s *sqlite.Store) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, body := range map[string]string{"secret": strings.Repeat("s", 32), "files/01/0000000000000001/f": "a file", "files/new/x": "half"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(body), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, s
}

func add(ctx context.Context, s *sqlite.Store, id chat.ID, after int64) error {
	_, err := s.Append(ctx, engine.Append{
		Log: engine.ChatLog(id), Expect: after, Records: []engine.Record{{Index: after + 1, At: time.Now(), Body: record}},
		Summary: &chat.Summary{Chat: id, Phase: chat.PhaseActive},
	})
	return err
}

// What was acknowledged before a backup began is in it, although the server
// goes on writing; the restored directory has that, the files and the secret.
func TestBackupUnderLoad(t *testing.T) {
	dir, s := fixture(t)
	const writers = 8
	acknowledged := make([]chan int64, writers)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, writers)
	for w := range writers {
		acknowledged[w] = make(chan int64, 1)
		go func() {
			for n := int64(0); ; n++ {
				if err := add(ctx, s, chat.ID(w+1), n); err != nil {
					done <- err
					return
				}
				select { // the latest one
				case <-acknowledged[w]:
				default:
				}
				acknowledged[w] <- n + 1
			}
		}()
	}
	for round := range 3 {
		before := make([]int64, writers)
		for w := range writers {
			before[w] = <-acknowledged[w]
		}
		to := filepath.Join(t.TempDir(), "backup")
		l, err := Make(t.Context(), dir, to, "v1")
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if len(l.Files) != 3 || l.Version != "v1" {
			t.Errorf("round %d: got %+v, want the database, the secret and one file", round, l)
		}
		data := filepath.Join(t.TempDir(), "restored")
		_, r, err := Restore(t.Context(), to, data, func(p sqlite.Problem) { t.Errorf("round %d: %s: %v", round, p.What, p.Err) })
		if err != nil || r.Logs != writers {
			t.Fatalf("round %d: got %+v, %v, want %d logs", round, r, err, writers)
		}
		restored, err := sqlite.Open(t.Context(), data, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for w, n := range before {
			last, err := restored.Last(t.Context(), engine.ChatLog(chat.ID(w+1)))
			if err != nil || last < n {
				t.Errorf("round %d, chat %d: got %d records, %v, want the %d that were acknowledged", round, w+1, last, err, n)
			}
		}
		if err := restored.Close(); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"secret": strings.Repeat("s", 32), "files/01/0000000000000001/f": "a file"} {
			path := filepath.Join(data, filepath.FromSlash(name))
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != want || info.Mode().Perm() != 0o600 {
				t.Errorf("round %d, %s: got %q with mode %v, %v, want %q for its owner alone", round, name, b, info.Mode(), err, want)
			}
		}
		if _, err := os.Stat(filepath.Join(data, "files", "new")); !os.IsNotExist(err) {
			t.Errorf("round %d: a file on its way in was copied (%v)", round, err)
		}
	}
	stop()
	for range writers {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a writer: %v", err)
		}
	}
}

// Nothing is overwritten, and whatever is not as it was written is refused and
// leaves nothing behind.
func TestRefusals(t *testing.T) {
	dir, s := fixture(t)
	if err := add(t.Context(), s, 1, 0); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, to, data string)
		want    string
	}{
		"nothing":            {func(*testing.T, string, string) {}, ""},
		"an empty directory": {func(t *testing.T, _, data string) { must(t, os.Mkdir(data, 0o700)) }, ""},
		"data": {func(t *testing.T, _, data string) {
			must(t, os.Mkdir(data, 0o700))
			must(t, os.WriteFile(filepath.Join(data, "x"), nil, 0o600))
		}, "is not empty"},
		"no list":            {func(t *testing.T, to, _ string) { must(t, os.Remove(filepath.Join(to, list))) }, "no backup.json"},
		"a broken list":      {func(t *testing.T, to, _ string) { must(t, os.WriteFile(filepath.Join(to, list), []byte("{"), 0o600)) }, "backup.json"},
		"a list of nothing":  {func(t *testing.T, to, _ string) { must(t, os.WriteFile(filepath.Join(to, list), []byte("{}"), 0o600)) }, "no database"},
		"a changed file":     {func(t *testing.T, to, _ string) { must(t, os.WriteFile(filepath.Join(to, secret), []byte("x"), 0o600)) }, "secret in the backup is not"},
		"a missing file":     {func(t *testing.T, to, _ string) { must(t, os.Remove(filepath.Join(to, secret))) }, "no such file"},
		"a name that leaves": {func(t *testing.T, to, _ string) { rename(t, to, `"secret"`, `"../secret"`) }, "which is not in it"},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			to, data := filepath.Join(base, "backup"), filepath.Join(base, "restored")
			if _, err := Make(t.Context(), dir, to, "v1"); err != nil {
				t.Fatal(err)
			}
			if _, err := Make(t.Context(), dir, to, "v1"); err == nil || !strings.Contains(err.Error(), "exists already") {
				t.Errorf("a second backup to the same place: got %v, want a refusal", err)
			}
			c.prepare(t, to, data)
			before := names(t, base)
			_, _, err := Restore(t.Context(), to, data, func(p sqlite.Problem) { t.Errorf("got the problem %s: %v, want none", p.What, p.Err) })
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if got := names(t, base); err != nil && got != before {
				t.Errorf("the refused restore has left %s, want %s", got, before)
			}
		})
	}
	base := t.TempDir()
	if _, err := Make(t.Context(), filepath.Join(base, "nowhere"), filepath.Join(base, "backup"), "v1"); err == nil || names(t, base) != "[]" {
		t.Errorf("a backup of nothing: got %v and left %s, want an error and nothing", err, names(t, base))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, to, from, with string) {
	t.Helper()
	path := filepath.Join(to, list)
	body, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(body), from, with, 1)), 0o600))
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return fmt.Sprint(list)
}

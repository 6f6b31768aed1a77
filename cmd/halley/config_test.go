package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/config"
)

// What default-config prints is in order for check-config, and every fault of
// another document is told with its place. The server does not start with it,
// and tells the same.
func TestCheckConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "halley.toml")
	faulty := "[services.a]\nqueue = \"b\"\ncolour = \"red\"\n[queues.a]\nmembers = [\"*\"]\n"
	for name, c := range map[string]struct {
		document, out, err string
	}{
		"the default": {config.Document(), " is in order\n", ""},
		"faults": {
			faulty,
			"FILE:2:1: services.a.queue: there is no queue \"b\"\nFILE:3:1: there is no setting \"services.a.colour\"\n",
			" has 2 faults",
		},
		"not TOML": {"x", "FILE:1:1: ", " has a fault"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.document), 0o600); err != nil {
				t.Fatal(err)
			}
			for file, shown := range map[string]string{path: path, "-": "-"} {
				var out strings.Builder
				err := checkConfig(file, strings.NewReader(c.document), &out)
				if (err == nil) != (c.err == "") || err != nil && !strings.HasSuffix(err.Error(), c.err) {
					t.Errorf("%s of %s: %v", name, file, err)
				}
				if want := strings.ReplaceAll(c.out, "FILE", shown); !strings.Contains(out.String(), want) {
					t.Errorf("%s of %s: it says\n%swant\n%s", name, file, out.String(), want)
				}
			}
		})
	}
	if err := os.WriteFile(path, []byte(faulty+"offer_time = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	if err := checkConfig(path, nil, &told); err == nil || strings.Count(told.String(), "\n") != 3 {
		t.Errorf("it says %v\n%s", err, &told)
	}
	err := serveCommand{Config: path}.Run(t.Context())
	if err == nil || err.Error()+"\n" != told.String() {
		t.Errorf("serve says\n%v\nand check-config\n%s", err, &told)
	}
	var out strings.Builder
	if err := checkConfig(path+".not", nil, &out); err == nil || out.Len() > 0 {
		t.Errorf("a file that is not there: %v, %q", err, out.String())
	}
}

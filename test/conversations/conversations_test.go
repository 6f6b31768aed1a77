package conversations

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// standard is the configuration of a conversation that has none.
const standard = `
[services.customer-support]
origins = ["https://shop.example", "null"]
callback_polling = true
[queues.customer-support]
members = ["anna", "ben"]
`

func TestConversations(t *testing.T) {
	files, err := filepath.Glob("*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	shared := readMacros(t)
	template := t.TempDir()
	if err := accounts(t.Context(), template); err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, path := range files {
		if path == macroFile {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseScript(path, text)
		if err != nil {
			t.Error(err)
			continue
		}
		steps, err := shared.expand(s.steps)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, transport := range s.transports {
			played++
			t.Run(s.name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				playOn(t, template, s, transport, steps)
			})
		}
	}
	if played < 20 {
		t.Errorf("only %d conversations were found", played)
	}
}

const macroFile = "macros.txtar"

func readMacros(t *testing.T) macros {
	t.Helper()
	text, err := os.ReadFile(macroFile)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseMacros(macroFile, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// playOn plays a conversation against a server of its own.
func playOn(t *testing.T, template string, s *script, transport string, steps []step) {
	dir := t.TempDir()
	if err := copyDir(template, dir); err != nil {
		t.Fatal(err)
	}
	toml := s.config
	if toml == "" {
		toml = standard
	}
	toml, hook := configured(toml)
	if hook != nil {
		defer hook.close()
	}
	halley, err := serve(toml, dir)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(t.Context(), transport, func() string { return halley.url })
	p.restart, p.hook = halley.restart, hook
	if err := p.play(steps); err != nil {
		t.Error(err)
	}
	secrets := p.secrets()
	p.close()
	if err := halley.stop(); err != nil {
		t.Errorf("the server did not stop well: %v", err)
	}
	log := halley.log.String()
	if t.Failed() {
		t.Logf("the server said:\n%s", log)
	}
	for _, secret := range slices.Compact(slices.Sorted(slices.Values(secrets))) {
		if strings.Contains(log, secret) {
			t.Error("the server's log shows a key, a clientId or a cookie")
		}
	}
}

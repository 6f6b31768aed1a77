package config

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"
)

// What the decoder takes, our own reading takes too, and finds the same in it.
// It is stricter in two things only, which are lists of tables in the place of
// one, and a setting that is written twice in upper and lower case.
func FuzzReadingAgrees(f *testing.F) {
	for _, doc := range []string{
		"", Document(), "[services.a]\nQueue = 'x'\nfiles = {scan.within = '1s', scan.command=['a']}\n", "services.a.hours = {}\n[queues]\n a.members = ['''x''']\n",
		"[a.b]\n[a]\nc.d = 1\n[a.c]\n", "[services.a.hours]\n[services.a]\nqueue = \"\\u00e9\"\nmax_message_length = 0x_1\n", "[[services.a]]\n", "secure_cookies = true # x\r\n\r\n[push.texts.de]\nbody='x'\n",
		"[queues.a]\noffer_time = 0\nreserve_after = 1.5\n", "push.texts = {a = {body = \"1\"}}\npush.fcm.endpoint = \"\"\n", "[push.customhttp.headers]\n\"X-A\" = \"b\"\n\"x.a\" = '3'",
	} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		var want, got Config
		err := toml.NewDecoder(bytes.NewReader([]byte(doc))).DisallowUnknownFields().Decode(&want)
		r := read([]byte(doc))
		filled := fill(&got, r.root)
		faults := append(r.faults, filled.faults...)
		if err != nil {
			return
		}
		for _, fault := range faults {
			if !strings.Contains(fault.Reason, "twice") && !strings.Contains(fault.Reason, "a list of tables") {
				t.Errorf("the decoder takes it, and ours says %s", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-decoder +ours):\n%s", diff)
		}
	})
}

package replay

import (
	"encoding/json"
	"testing"
)

// What a site calls "code" or "type" in its own data is masked, and what stands
// in for it comes back from the server: that is no difference. What is one of
// the API's still counts.
func TestMaskedValuesAreNotCompared(t *testing.T) {
	for _, x := range []struct {
		name           string
		recorded, live any
		differs        bool
	}{
		{"code", "digits-1(8)", "00000001", false},
		{"code", "number-1", json.Number("1"), false},
		{"type", "text-2(4)", "2xxx", false},
		{"code", "digits-1(8)", json.Number("1"), true},
		{"code", json.Number("201"), json.Number("249"), true},
		{"type", "Message", "Notice", true},
		{"type", "word-1", "Message", true},
		{"type", "word-1", "word-1", false},
	} {
		n := 0
		c := &comparison{p: &player{}, s: &session{}, add: func(difference) { n++ }}
		c.values("data", x.name, x.recorded, x.live)
		if (n > 0) != x.differs {
			t.Errorf("%s, %v now %v: %d differences", x.name, x.recorded, x.live, n)
		}
	}
}

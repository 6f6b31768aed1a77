package bayeux

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// matches says by the words of the contract (clause 4.4) whether a name
// subscribed to receives what is published on a channel.
func matches(name, channel string) bool {
	n, c := strings.Split(name, "/")[1:], strings.Split(channel, "/")[1:]
	for i, segment := range n {
		last := i == len(n)-1
		switch {
		case segment == "**" && last:
			return len(c) > i
		case segment == "*" && last:
			return len(c) == i+1
		case i >= len(c) || c[i] != segment:
			return false
		}
	}
	return len(n) == len(c)
}

// spec:4.4
func TestPatternsAgreeWithTheContract(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "c", "foo*"})
	rapid.Check(t, func(t *rapid.T) {
		channel := "/" + strings.Join(rapid.SliceOfN(segment, 1, 5).Draw(t, "channel"), "/")
		name := "/" + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "prefix"), "/")
		tail := rapid.SampledFrom([]string{"*", "**", "a", "foo*"}).Draw(t, "tail")
		name = strings.TrimSuffix(name, "/") + "/" + tail
		got := 0
		patterns(channel, func(n string) bool {
			if n == name {
				got++
			}
			return true
		})
		want := 0
		if matches(name, channel) {
			want = 1
		}
		if got != want {
			t.Fatalf("%s is looked up %d times for %s, want %d", name, got, channel, want)
		}
	})
}

// spec:4.1 spec:4.2 spec:4.2.1
func TestNormalChannel(t *testing.T) {
	for in, want := range map[string]struct {
		name     string
		wild, ok bool
	}{
		"/a":          {"/a", false, true},
		" /a/b/ ":     {"/a/b", false, true},
		"/a/*":        {"/a/*", true, true},
		"/**":         {"/**", true, true},
		"/foo*/bar":   {"/foo*/bar", false, true},
		"/a b.c+{x}~": {"/a b.c+{x}~", false, true},
		"/":           {},
		"":            {},
		"a":           {},
		"/a//b":       {},
		"//":          {},
		"/a?":         {},
		`/a"`:         {},
		"/a%":         {},
	} {
		name, wild, ok := normalChannel(in)
		if ok != want.ok || ok && (name != want.name || wild != want.wild) {
			t.Errorf("%q: got %q, wild %v, ok %v; want %+v", in, name, wild, ok, want)
		}
	}
	if _, _, ok := normalChannel("/a/**/b"); ok {
		t.Error("a pattern in the middle")
	}
}

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
			t.Errorf("%q: %q %v %v", in, name, wild, ok)
		}
	}
	if _, _, ok := normalChannel("/a/**/b"); ok {
		t.Error("a pattern in the middle")
	}
}

// TestOutboxModel plays random pushes, takes and failed writes against a
// plain list: nothing is lost, doubled or reordered below the bound, and a
// reader that takes whenever it is told never leaves something behind.
func TestOutboxModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		o := outbox{maxMessages: limit, maxBytes: 1 << 20}
		var model []byte // the last byte of each waiting message
		told, full := false, false
		next := byte(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				wake, err := o.push(entry{body: []byte{next}})
				switch {
				case full:
					if err != ErrGone {
						t.Fatalf("after an overflow: %v", err)
					}
				case len(model) >= limit:
					if err != ErrOverflow {
						t.Fatalf("over the bound: %v", err)
					}
					full = true
				default:
					if err != nil || wake == told {
						t.Fatalf("wake %v although told is %v, %v", wake, told, err)
					}
					model = append(model, next)
					told = true
				}
				next++
			},
			"take": func(t *rapid.T) {
				got := o.take()
				told = false
				if len(got) != len(model) {
					t.Fatalf("took %d, want %d", len(got), len(model))
				}
				for i, e := range got {
					if e.body[0] != model[i] {
						t.Fatalf("message %d is %d, want %d", i, e.body[0], model[i])
					}
				}
				if rapid.Bool().Draw(t, "the write fails") && !full {
					o.failed(got)
					told = told || len(got) > 0
				} else {
					model = nil
				}
			},
			"": func(t *rapid.T) {
				if o.waiting() != (len(model) > 0) {
					t.Fatalf("waiting %v with %d", o.waiting(), len(model))
				}
			},
		})
	})
}

package bayeux

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A set does what a map does, whatever its size.
func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s set[int]
		want := make(map[int]bool)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				v := rapid.IntRange(0, 3*fewValues).Draw(t, "value")
				if s.add(v) == want[v] {
					t.Fatalf("add %d: it was there is %v", v, want[v])
				}
				want[v] = true
			},
			"remove": func(t *rapid.T) {
				v := rapid.IntRange(0, 3*fewValues).Draw(t, "value")
				if s.remove(v) != want[v] {
					t.Fatalf("remove %d: it was there is %v", v, want[v])
				}
				delete(want, v)
			},
			"": func(t *rapid.T) {
				if got := slices.Sorted(slices.Values(s.list)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
					t.Fatalf("%v instead of %v", got, want)
				}
				for v := range 3*fewValues + 1 {
					if s.has(v) != want[v] {
						t.Fatalf("has %d", v)
					}
				}
			},
		})
	})
}

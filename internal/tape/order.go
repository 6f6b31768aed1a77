package tape

import (
	"maps"
	"slices"
)

// sortedKeys are a map's keys in order, so that one value always gives the
// same line.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

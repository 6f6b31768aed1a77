package config

import (
	"reflect"
	"strings"
)

// suggest is the setting that may have been meant by the first part of a key that
// is none, or empty if none resembles it. t is the type of the document.
func suggest(t reflect.Type, key []string) string {
	for _, name := range key {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Map, reflect.Slice:
			t = t.Elem()
		case reflect.Struct:
			fields := settings(reflect.New(t).Elem())
			next, ok := field(fields, name)
			if !ok {
				return resembling(fields, name)
			}
			t = next.value.Type()
		default:
			return ""
		}
	}
	return ""
}

// field finds a setting as the decoder does: letters differ in case alone.
func field(fields []setting, name string) (setting, bool) {
	for _, s := range fields {
		if strings.EqualFold(s.name, name) {
			return s, true
		}
	}
	return setting{}, false
}

// resembling is the setting whose name differs least from a name, if it differs
// little.
func resembling(fields []setting, name string) string {
	name = plain(name)
	if len(name) > 64 {
		return ""
	}
	best, most := "", len(name)/3+1 // of mistakes, less than that
	for _, s := range fields {
		if d := mistakes(name, plain(s.name)); d < most {
			best, most = s.name, d
		}
	}
	return best
}

// plain is a name without what people write in different ways.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// mistakes are how many letters must be put in, left out or changed to make b
// of a.
func mistakes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

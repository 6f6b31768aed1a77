package config

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Parse reads a TOML document, fills in the defaults and validates the result.
// Unknown keys are refused. The error is of type [*Faults], with everything that
// is wrong in the order of the document; each fault says where it is.
func Parse(body []byte) (Config, error) {
	// The decoder decides what a document says, and whether it may be used. It
	// stops at the first fault, so that all of them are found by a reading of
	// our own.
	var c Config
	err := toml.NewDecoder(bytes.NewReader(body)).DisallowUnknownFields().Decode(&c)
	var own Config
	doc := read(body)
	filled := fill(&own, doc.root)
	faults := slices.Concat(doc.faults, filled.faults)
	if err != nil && len(faults) == 0 {
		faults = append(faults, doc.first(err))
	}
	if err != nil {
		c = own
	}
	c = c.withDefaults()
	for _, f := range c.faults() {
		if followsFrom(f, filled, doc.lost) {
			continue
		}
		at := filled.nearest(f.Key)
		f.Line, f.Column = at.line, at.column
		faults = append(faults, f)
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, inOrder)
		return Config{}, &Faults{List: faults}
	}
	return c, nil
}

// first is the fault that the decoder stopped at.
func (r *reader) first(err error) Fault {
	f := Fault{Line: 1, Column: 1, Reason: strings.TrimPrefix(err.Error(), "toml: ")}
	var at interface{ Position() (int, int) }
	if errors.As(err, &at) {
		line, column := at.Position()
		f.Line, f.Column = min(max(line, 1), len(r.lines)), max(column, 1)
	}
	return f
}

// nearest is where a setting stands, or the nearest table around it that the
// document has, or its beginning.
func (f *filling) nearest(key string) place {
	for key != "" {
		if p, ok := f.found[key]; ok {
			return p
		}
		key = key[:max(strings.LastIndexByte(key, '.'), 0)]
	}
	return place{1, 1}
}

// followsFrom says whether a fault may be there only because something else
// could not be read: because its own value could not, or one that it was
// compared with.
func followsFrom(f Fault, filled *filling, lost map[string]bool) bool {
	_, stands := filled.found[f.Key]
	for path := range lost {
		if !stands && within(f.Key, path) {
			return true
		}
	}
	for _, key := range append([]string{f.Key}, f.needs...) {
		for path := range filled.unknown {
			if within(key, path) {
				return true
			}
		}
	}
	for _, key := range f.needs {
		for path := range lost {
			if within(key, path) {
				return true
			}
		}
	}
	return false
}

// within says whether a path is another one or below it.
func within(path, other string) bool {
	return other == "" || path == other || strings.HasPrefix(path, other+".")
}

package config

import (
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where a key stands in a document.
type place struct{ line, column int }

// places finds every key of a document that can be parsed, by its path joined
// with dots. A key that stands there more than once, as the tables of a list
// do, is found where it stands first.
func places(document []byte) map[string]place {
	found := make(map[string]place)
	var p unstable.Parser
	p.Reset(document)
	var table []string
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = note(&p, found, nil, e.Key())
		case unstable.KeyValue:
			keyValue(&p, found, table, e)
		}
	}
	return found
}

// note notes every part of a key, below a path, and returns the path with it.
func note(p *unstable.Parser, found map[string]place, path []string, key unstable.Iterator) []string {
	path = path[:len(path):len(path)]
	for key.Next() {
		n := key.Node()
		path = append(path, string(n.Data))
		name := strings.Join(path, ".")
		if _, twice := found[name]; !twice {
			at := p.Shape(n.Raw).Start
			found[name] = place{at.Line, at.Column}
		}
	}
	return path
}

func keyValue(p *unstable.Parser, found map[string]place, table []string, e *unstable.Node) {
	within(p, found, note(p, found, table, e.Key()), e.Value())
}

// within looks for keys in a value.
func within(p *unstable.Parser, found map[string]place, path []string, v *unstable.Node) {
	if v.Kind != unstable.InlineTable && v.Kind != unstable.Array {
		return
	}
	for it := v.Children(); it.Next(); {
		if n := it.Node(); n.Kind == unstable.KeyValue {
			keyValue(p, found, path, n)
		} else {
			within(p, found, path, n)
		}
	}
}

// located says where each fault is: at its key, or at the nearest table around
// it that the document has, or at its beginning.
func located(faults []Fault, document []byte) []Fault {
	found := places(document)
	for i, f := range faults {
		if f.Line > 0 {
			continue
		}
		at := place{1, 1}
		for key := f.Key; key != ""; {
			if p, ok := found[key]; ok {
				at = p
				break
			}
			key = key[:max(strings.LastIndexByte(key, '.'), 0)]
		}
		faults[i].Line, faults[i].Column = at.line, at.column
	}
	return faults
}

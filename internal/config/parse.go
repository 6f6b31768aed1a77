package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Parse reads a TOML document strictly, fills in the defaults and validates the
// result. The error is of type [*Faults], in the order of the document: every
// setting that does not exist and every value that is not valid, each with its
// line. What is not TOML, or a value of the wrong type, is told alone, because
// the rest of the document cannot be judged then.
func Parse(document []byte) (Config, error) {
	var c Config
	var strict *toml.StrictMissingError
	err := toml.NewDecoder(bytes.NewReader(document)).DisallowUnknownFields().Decode(&c)
	if err != nil && !errors.As(err, &strict) {
		return Config{}, &Faults{List: []Fault{undecoded(err, document)}}
	}
	places := locate(document)
	var faults []Fault
	if strict != nil {
		for _, e := range strict.Errors {
			faults = append(faults, places.unknown(e))
		}
	}
	bare := bareDurations(reflect.ValueOf(c), "")
	c = c.withDefaults()
	for _, f := range slices.Concat(bare, c.faults()) {
		told := slices.ContainsFunc(bare, func(b Fault) bool { return b.Key == f.Key && b.Reason != f.Reason })
		if !told {
			faults = append(faults, places.put(f))
		}
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return Config{}, &Faults{List: faults}
	}
	return c, nil
}

// unknown says that there is no such setting, and which one may have been meant.
func (p places) unknown(e toml.DecodeError) Fault {
	line, column := e.Position()
	path := strings.Join(e.Key(), ".")
	for known, at := range p {
		if at.Line == line && at.Column == column {
			path = known // with the tables that are written inline, which the decoder leaves out
		}
	}
	reason := fmt.Sprintf("there is no setting %q", path)
	if like := suggest(reflect.TypeFor[Config](), strings.Split(path, ".")); like != "" {
		reason += fmt.Sprintf("; did you mean %q?", like)
	}
	return Fault{Line: line, Column: column, Reason: reason}
}

// undecoded is the fault at which the decoder stopped.
func undecoded(err error, document []byte) Fault {
	f := Fault{Line: 1, Column: 1, Reason: strings.TrimPrefix(err.Error(), "toml: ")}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, column := at.Position()
		// What is not closed ends behind the document's last line.
		f.Line, f.Column = min(max(line, 1), 1+bytes.Count(document, []byte("\n"))), max(column, 1)
		f.Key = strings.Join(at.Key(), ".")
	}
	if m := wrongType.FindStringSubmatch(f.Reason); m != nil {
		f.Reason = fmt.Sprintf("%s is needed, not %s", needed(m[2]), found(m[1]))
	} else if f.Key == "" {
		f.Reason = "this is not TOML: " + f.Reason
	}
	return f
}

// wrongType is how the decoder tells of a value that does not fit its setting: it
// names the Go type, which means nothing to an operator.
var wrongType = regexp.MustCompile(`^cannot decode TOML (\w+) into struct field \S+ of type (\S+)$`)

func needed(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case goType == "bool", goType == "*bool":
		return "true or false"
	case goType == "string":
		return "a text"
	case strings.HasSuffix(goType, ".Duration"):
		return `a duration such as "20s"`
	default:
		return "a table"
	}
}

func found(tomlType string) string {
	switch tomlType {
	case "integer":
		return "a whole number"
	case "float":
		return "a number with a fraction"
	case "boolean", "bool":
		return "true or false"
	case "string":
		return "a text"
	case "array":
		return "a list"
	case "table":
		return "a table"
	default:
		return "a date or a time"
	}
}

// bareDurations finds durations that were written as numbers, which the decoder
// takes for nanoseconds.
func bareDurations(v reflect.Value, path string) []Fault {
	var faults []Fault
	at := func(name string, v reflect.Value) {
		faults = append(faults, bareDurations(v, strings.TrimPrefix(path+"."+name, "."))...)
	}
	switch d, ok := v.Interface().(Duration); {
	case ok && d != 0 && -Duration(time.Millisecond) < d && d < Duration(time.Millisecond):
		return []Fault{{Key: path, Reason: errDuration.Error()}}
	case v.Kind() == reflect.Struct:
		for _, s := range settings(v) {
			at(s.name, s.value)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return bareDurations(v.Elem(), path)
	case v.Kind() == reflect.Map:
		for _, k := range v.MapKeys() {
			at(k.String(), v.MapIndex(k))
		}
	}
	return faults
}

// places are where the settings and tables of a document stand, by their paths.
type places map[string]unstable.Position

// locate finds the settings and tables of a document that is TOML.
func locate(document []byte) places {
	var p unstable.Parser
	p.Reset(document)
	found := make(places)
	mark := func(path string, part *unstable.Node) string {
		path = strings.TrimPrefix(path+"."+string(part.Data), ".")
		if _, twice := found[path]; !twice {
			found[path] = p.Shape(part.Raw).Start
		}
		return path
	}
	var value func(path string, kv *unstable.Node)
	value = func(path string, kv *unstable.Node) {
		for key := kv.Key(); key.Next(); {
			path = mark(path, key.Node())
		}
		if v := kv.Value(); v.Kind == unstable.InlineTable {
			for it := v.Children(); it.Next(); {
				value(path, it.Node())
			}
		}
	}
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.KeyValue {
			value(table, e)
			continue
		}
		table = ""
		for key := e.Key(); key.Next(); {
			table = mark(table, key.Node())
		}
	}
	return found
}

// put gives a fault the place of its setting, or of the nearest table around it
// that the document has, or of the document's beginning.
func (p places) put(f Fault) Fault {
	f.Line, f.Column = 1, 1
	for key := f.Key; key != ""; key = key[:max(strings.LastIndexByte(key, '.'), 0)] {
		if at, ok := p[key]; ok {
			f.Line, f.Column = at.Line, at.Column
			break
		}
	}
	return f
}

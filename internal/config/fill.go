package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// filling takes a document's values into settings, and notes every one that is
// not of the setting's type, and every key that is none. What is noted stays as
// it is by default.
type filling struct {
	faults []Fault
	// found is where each setting and each table stands, by its path.
	found map[string]place
	// unknown are the settings and tables whose value cannot be used.
	unknown map[string]bool
}

func fill(c *Config, root *node) *filling {
	f := &filling{found: make(map[string]place), unknown: make(map[string]bool)}
	f.table(reflect.ValueOf(c).Elem(), root, "")
	return f
}

func (f *filling) fault(at place, path, format string, args ...any) {
	f.faults = append(f.faults, Fault{Line: at.line, Column: at.column, Key: path, Reason: fmt.Sprintf(format, args...)})
	f.unknown[path] = true
}

// value takes n into v, which can be set.
func (f *filling) value(v reflect.Value, n *node, path string) {
	if _, twice := f.found[path]; !twice {
		f.found[path] = n.key
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	text, written := v.Addr().Interface().(encoding.TextUnmarshaler)
	kind := v.Kind()
	switch {
	case written && n.form == scalar && !moment(n):
		if err := text.UnmarshalText([]byte(n.text)); err != nil {
			f.fault(n.at, path, "%v", err)
		}
	case written:
		f.wrong(n, path, "a text")
	case kind == reflect.Struct && n.form == table:
		f.table(v, n, path)
	case kind == reflect.Map && n.form == table:
		f.named(v, n, path)
	case kind == reflect.Slice && (n.form == list || n.form == tables && nested(v.Type())):
		items := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
		for i, item := range n.items {
			f.value(items.Index(i), item, path)
		}
		v.Set(items)
	case kind == reflect.String && n.form == scalar && n.kind == unstable.String:
		v.SetString(n.text)
	case kind == reflect.Bool && n.form == scalar && n.kind == unstable.Bool:
		v.SetBool(n.text == "true")
	case v.CanInt() && n.form == scalar && n.kind == unstable.Integer:
		var number struct{ V int64 }
		if err := toml.Unmarshal([]byte("V = "+n.text), &number); err != nil || v.OverflowInt(number.V) {
			f.fault(n.at, path, "%s is not a whole number of %d bits", n.text, v.Type().Bits())
			return
		}
		v.SetInt(number.V)
	default:
		f.wrong(n, path, needed(v))
	}
}

// table takes the keys of n into the fields of v.
func (f *filling) table(v reflect.Value, n *node, path string) {
	fields := settings(v)
	spelt := make(map[string]*node)
	for _, child := range n.items {
		s, ok := field(fields, child.name)
		if !ok {
			reason := fmt.Sprintf("there is no setting %q", below(path, child.name))
			if like := resembling(fields, child.name); like != "" {
				reason += fmt.Sprintf("; did you mean %q?", like)
				if _, stands := n.names[like]; !stands {
					f.unknown[below(path, like)] = true // that it is missing is not told besides
				}
			}
			f.faults = append(f.faults, Fault{Line: child.key.line, Column: child.key.column, Reason: reason})
			continue
		}
		full := below(path, s.name)
		// Upper and lower case are the same to the decoder, and not to TOML.
		if first := spelt[s.name]; first != nil && first.name != child.name {
			f.faults = append(f.faults, Fault{
				Line: child.key.line, Column: child.key.column,
				Reason: fmt.Sprintf("%q stands there twice, first in line %d", full, first.key.line),
			})
		} else if first == nil {
			spelt[s.name] = child
		}
		f.value(s.value, child, full)
	}
}

// named takes tables, or values, that have names.
func (f *filling) named(v reflect.Value, n *node, path string) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, child := range n.items {
		name := reflect.ValueOf(child.name)
		one := reflect.New(v.Type().Elem()).Elem()
		if before := v.MapIndex(name); before.IsValid() {
			one.Set(before)
		}
		f.value(one, child, below(path, child.name))
		v.SetMapIndex(name, one)
	}
}

func (f *filling) wrong(n *node, path, need string) {
	f.fault(n.at, path, "it is %s, and %s is needed", n, need)
}

// String is what a node is, in words, without its value, which may be secret.
func (n *node) String() string {
	switch {
	case n.form == table:
		return "a table"
	case n.form == tables:
		return "a list of tables"
	case n.form == list:
		return "a list"
	case n.kind == unstable.String:
		return "a text"
	case n.kind == unstable.Integer:
		return "a whole number"
	case n.kind == unstable.Float:
		return "a number that is not whole"
	case n.kind == unstable.Bool:
		return n.text
	default:
		return "a date or a time"
	}
}

// needed is the same for a setting.
func needed(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		return "a table"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	default:
		return "a whole number"
	}
}

// moment says whether a scalar is one of TOML's dates and times.
func moment(n *node) bool {
	switch n.kind {
	case unstable.DateTime, unstable.LocalDateTime, unstable.LocalDate, unstable.LocalTime:
		return true
	default:
		return false
	}
}

// field finds a setting as the decoder does: by its name, or else by a name
// that differs in case alone.
func field(fields []setting, name string) (setting, bool) {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for _, s := range fields {
			if same(s.name, name) {
				return s, true
			}
		}
	}
	return setting{}, false
}

// resembling is the setting that was meant by a name that is none, or empty.
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

package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Document is the default configuration as a TOML document with every setting
// there is, its default, and what it means. [Parse] reads it back as
// [Default].
func Document() string {
	w := &writer{}
	w.comment("Every setting of Halley, with its default. A file needs only what is to be different.")
	w.table(reflect.ValueOf(Default()), nil, nil)
	return w.b.String()
}

// writer writes a document. In its methods path is where a table stands, and
// means is the same in the words of descriptions.
type writer struct {
	b      strings.Builder
	prefix string // of every line that is an example
}

func (w *writer) line(s string) { w.b.WriteString(w.prefix + s + "\n") }

// commentWidth is how long lines of comments get.
const commentWidth = 100

func (w *writer) comment(s string) {
	line := "#"
	for _, word := range strings.Fields(s) {
		if len(line)+1+len(word) > commentWidth {
			w.b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	w.b.WriteString(line + "\n")
}

// setting is a field of a table.
type setting struct {
	name  string
	value reflect.Value
}

// settings are the fields of a table, those of embedded ones among them.
func settings(v reflect.Value) []setting {
	var list []setting
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			list = append(list, settings(v.Field(i))...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("toml"), ","); name != "" && name != "-" {
			list = append(list, setting{name, v.Field(i)})
		}
	}
	return list
}

// table writes the plain settings of a table, then the tables in it, as TOML
// wants it.
func (w *writer) table(v reflect.Value, path, means []string) {
	list := settings(v)
	for _, s := range list {
		if !nested(s.value.Type()) {
			w.b.WriteString("\n")
			w.comment(descriptions[strings.Join(append(means, s.name), ".")])
			w.line(s.name + " = " + literal(s.value))
		}
	}
	for _, s := range list {
		if nested(s.value.Type()) {
			w.nested(s.value, append(path[:len(path):len(path)], s.name), append(means[:len(means):len(means)], s.name))
		}
	}
}

// nested says whether a type is written as a table or as several.
func nested(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return nested(t.Elem())
	case reflect.Struct:
		return !t.Implements(marshaler)
	case reflect.Map:
		return true
	case reflect.Slice:
		return nested(t.Elem())
	default:
		return false
	}
}

var marshaler = reflect.TypeFor[encoding.TextMarshaler]()

func (w *writer) nested(v reflect.Value, path, means []string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			w.example(func() { w.nested(reflect.New(v.Type().Elem()).Elem(), path, means) })
			return
		}
		w.nested(v.Elem(), path, means)
	case reflect.Struct:
		w.head(path, means, "[", "]")
		w.table(v, path, means)
	case reflect.Map:
		w.named(v, path, means)
	case reflect.Slice:
		// There is none by default.
		w.example(func() {
			w.head(path, means, "[[", "]]")
			w.table(reflect.New(v.Type().Elem()).Elem(), path, means)
		})
	}
}

// named writes tables that have names, or the one of their values.
func (w *writer) named(v reflect.Value, path, means []string) {
	if !nested(v.Type().Elem()) {
		w.head(path, means, "[", "]")
		w.example(func() { w.line("NAME = " + literal(reflect.New(v.Type().Elem()).Elem())) })
		return
	}
	means = append(means[:len(means):len(means)], "*")
	one := func(name string, value reflect.Value) {
		w.nested(value, append(path[:len(path):len(path)], name), means)
	}
	if v.Len() == 0 {
		w.example(func() { one("NAME", reflect.New(v.Type().Elem()).Elem()) })
	}
	for _, name := range sorted(names(v)) {
		one(name, v.MapIndex(reflect.ValueOf(name)))
	}
}

func names(v reflect.Value) map[string]bool {
	m := make(map[string]bool, v.Len())
	for _, k := range v.MapKeys() {
		m[k.String()] = true
	}
	return m
}

// head writes the head of a table.
func (w *writer) head(path, means []string, open, shut string) {
	w.b.WriteString("\n")
	w.comment(descriptions[strings.Join(means, ".")])
	w.line(open + strings.Join(path, ".") + shut)
}

// example writes something that is not there by default, as a comment.
func (w *writer) example(write func()) {
	before := w.prefix
	w.prefix = "#"
	write()
	w.prefix = before
}

// literal is a plain value as TOML has it.
func literal(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			panic("config: a default cannot be written: " + err.Error())
		}
		return strconv.Quote(string(b))
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return literal(reflect.New(v.Type().Elem()).Elem())
		}
		return literal(v.Elem())
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = literal(v.Index(i))
		}
		return "[" + strings.Join(list, ", ") + "]"
	case reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return fmt.Sprint(v.Interface())
	default:
		panic("config: nobody knows how to write a " + v.Type().String())
	}
}

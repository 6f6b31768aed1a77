package conversations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A pattern is JSON in which a string in angle brackets stands for a sort of
// value: "<any>", "<int>", "<number>", "<string>", "<text>" (a string that is
// not empty), "<bool>", "<object>", "<array>", "<id>" (16 hexadecimal digits) or
// "</regexp/>". With a name behind it, as in "<string clientId>", the value is
// kept under that name. In an object the key "..." allows keys that the pattern
// does not name, and at the end of an array "<...>" allows more elements.

// parseValues reads JSON values that follow each other; elements of arrays at
// the top count as such values.
func parseValues(text string) ([]any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var out []any
	for {
		var v any
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if list, ok := v.([]any); ok {
			out = append(out, list...)
		} else {
			out = append(out, v)
		}
	}
}

var placeholder = regexp.MustCompile(`^<(\.\.\.|/.*/|[a-z]+)(?: ([A-Za-z][A-Za-z0-9]*))?>$`)

var identifier = regexp.MustCompile(`^[0-9A-F]{16}$`)

// matcher compares a value with a pattern and collects what differs.
type matcher struct {
	subset bool              // objects may have more keys and arrays more elements
	keep   map[string]string // captured values
	diffs  []string
}

// match says whether a value fits; if not, the lines say where and how.
func match(pattern, value any, subset bool) (kept map[string]string, diffs []string) {
	m := &matcher{subset: subset, keep: make(map[string]string)}
	m.compare("", pattern, value)
	return m.keep, m.diffs
}

func (m *matcher) differ(path, format string, args ...any) {
	if path == "" {
		path = "."
	}
	m.diffs = append(m.diffs, path+": "+fmt.Sprintf(format, args...))
}

func (m *matcher) compare(path string, pattern, value any) {
	switch p := pattern.(type) {
	case map[string]any:
		v, ok := value.(map[string]any)
		if !ok {
			m.differ(path, "want an object, got %s", show(value))
			return
		}
		m.object(path, p, v)
	case []any:
		v, ok := value.([]any)
		if !ok {
			m.differ(path, "want an array, got %s", show(value))
			return
		}
		m.array(path, p, v)
	case string:
		if g := placeholder.FindStringSubmatch(p); g != nil {
			m.sort(path, g[1], g[2], value)
			return
		}
		m.equal(path, pattern, value)
	default:
		m.equal(path, pattern, value)
	}
}

func (m *matcher) equal(path string, want, got any) {
	if want != got { // numbers are compared as they are written
		m.differ(path, "want %s, got %s", show(want), show(got))
	}
}

func (m *matcher) object(path string, pattern, value map[string]any) {
	_, open := pattern["..."]
	for _, key := range slices.Sorted(maps.Keys(pattern)) {
		if key == "..." {
			continue
		}
		if v, ok := value[key]; ok {
			m.compare(path+"."+key, pattern[key], v)
		} else if pattern[key] != "<missing>" {
			m.differ(path+"."+key, "missing, want %s", show(pattern[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(value)) {
		if _, named := pattern[key]; !named && !open && !m.subset {
			m.differ(path+"."+key, "not wanted, got %s", show(value[key]))
		}
	}
}

func (m *matcher) array(path string, pattern, value []any) {
	open := m.subset
	if n := len(pattern); n > 0 && pattern[n-1] == "<...>" {
		pattern, open = pattern[:n-1], true
	}
	for i, p := range pattern {
		at := path + "[" + strconv.Itoa(i) + "]"
		if i < len(value) {
			m.compare(at, p, value[i])
		} else {
			m.differ(at, "missing, want %s", show(p))
		}
	}
	for i := len(pattern); i < len(value) && !open; i++ {
		m.differ(path+"["+strconv.Itoa(i)+"]", "not wanted, got %s", show(value[i]))
	}
}

// sort says whether a value is of a sort, and keeps it under a name.
func (m *matcher) sort(path, sort, name string, value any) {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	var ok bool
	switch {
	case sort == "any":
		ok = true
	case sort == "int":
		_, err := strconv.ParseInt(number.String(), 10, 64)
		ok = isNumber && err == nil
	case sort == "number":
		ok = isNumber
	case sort == "string":
		ok = isText
	case sort == "text":
		ok = isText && text != ""
	case sort == "id":
		ok = isText && identifier.MatchString(text)
	case sort == "bool":
		_, ok = value.(bool)
	case sort == "object":
		_, ok = value.(map[string]any)
	case sort == "array":
		_, ok = value.([]any)
	case sort == "missing":
	case sort[0] == '/':
		re, err := regexp.Compile(sort[1 : len(sort)-1])
		if err != nil {
			m.differ(path, "%v", err)
			return
		}
		if isNumber {
			text = number.String()
		}
		ok = (isText || isNumber) && re.MatchString(text)
	default:
		m.differ(path, "there is no sort <%s>", sort)
		return
	}
	switch {
	case !ok:
		m.differ(path, "want <%s>, got %s", sort, show(value))
	case name == "":
	case isText:
		m.keep[name] = text
	default:
		m.keep[name] = show(value)
	}
}

// show is a value as JSON on one line.
func show(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprintf("%v", v)
	}
	return strings.TrimSpace(b.String())
}

// pretty is a value as JSON to read.
func pretty(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("    ", "  ")
	if err := enc.Encode(v); err != nil {
		return show(v)
	}
	return "    " + strings.TrimSpace(b.String())
}

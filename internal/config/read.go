package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"sort"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where something stands in a document, from 1.
type place struct{ line, column int }

// form is what a node is.
type form uint8

const (
	scalar form = iota
	list        // an array
	table
	tables // several tables of one name, written as [[name]]
)

// origin is how a table came to be, which decides who may add to it.
type origin uint8

const (
	implied origin = iota // it is around another one
	headed                // it has a [head]
	dotted                // it is a part of a key such as a.b
	inline                // it is written as { … }
)

// node is a key of a document with what it says, or one item of a list.
type node struct {
	name   string
	key    place // of the key
	at     place // of the value; that of the key for a table and a list
	form   form
	origin origin        // of a table
	kind   unstable.Kind // of a scalar
	text   string        // of a scalar, without quotes
	items  []*node       // of all but a scalar; of a table all its keys, also those that stand there twice
	names  map[string]*node
}

func (n *node) add(child *node) {
	n.items = append(n.items, child)
	if n.names == nil {
		n.names = make(map[string]*node)
	}
	if _, twice := n.names[child.name]; !twice {
		n.names[child.name] = child
	}
}

// reader reads a document into a tree. It does not stop at what is wrong with
// its form: that is noted, and reading goes on behind it.
type reader struct {
	document []byte
	lines    []int // where each line begins
	from     int   // where the parser's part of the document begins
	parser   unstable.Parser

	root *node
	// table is where keys belong; nil behind a head that cannot be used, whose
	// keys are not looked at. path is the same in words.
	table *node
	path  string

	faults []Fault
	// lost are the tables of which something could not be read; "" stands for
	// all of them.
	lost map[string]bool
}

func read(document []byte) *reader {
	r := &reader{document: document, lines: []int{0}, root: &node{form: table, at: place{1, 1}, key: place{1, 1}}, lost: make(map[string]bool)}
	for i, c := range document {
		if c == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	r.table = r.root
	for r.from < len(document) && r.part() {
	}
	return r
}

// place is that of a byte of the document.
func (r *reader) place(offset int) place {
	offset = min(offset, max(len(r.document)-1, 0))
	line := sort.SearchInts(r.lines, offset+1)
	return place{line, offset - r.lines[line-1] + 1}
}

// of is the place of a part of what the parser has read.
func (r *reader) of(raw unstable.Range) place { return r.place(r.from + int(raw.Offset)) }

func (r *reader) fault(at place, format string, args ...any) {
	r.faults = append(r.faults, Fault{Line: at.line, Column: at.column, Reason: fmt.Sprintf(format, args...)})
}

// part reads until the end, or until something is not TOML, and says whether
// there is more behind that.
func (r *reader) part() bool {
	p := &r.parser
	p.Reset(r.document[r.from:])
	last := r.from // a byte of the last expression
	for p.NextExpression() {
		e := p.Expression()
		for key := e.Key(); key.Next(); {
			last = r.from + int(key.Node().Raw.Offset)
		}
		if e.Kind == unstable.KeyValue {
			last = r.from + int(e.Raw.Offset+e.Raw.Length) - 1
			if r.table != nil {
				r.keyValue(r.table, e, r.path)
			}
		} else {
			r.head(e)
		}
	}
	var wrong *unstable.ParserError
	if !errors.As(p.Error(), &wrong) {
		return false
	}
	offset := r.from
	if part := r.document[r.from:]; cap(wrong.Highlight) <= cap(part) {
		offset += min(cap(part)-cap(wrong.Highlight), len(part)) // as [unstable.Parser.Range] does, without its panic
	}
	begin := r.begins(last, r.place(offset).line)
	at, open := r.place(offset), offset >= len(r.document)-1
	if open && at.line > begin {
		// It is of more use to know where it begins.
		at = place{begin, 1}
	}
	r.fault(at, "this is not TOML: %s", wrong.Message)

	if headLine.Match(r.line(begin)) {
		r.table, r.path = nil, ""
	}
	r.lost[r.path] = true
	// What is not closed is read until the document ends, or until something
	// is not as it should be, which is where the next thing may begin.
	more := keyLine
	if at.line == begin && !open {
		more = wordLine
	}
	for next := max(begin+1, at.line); next <= len(r.lines); next++ {
		if l := r.line(next); headLine.Match(l) || more.Match(l) {
			r.from = r.lines[next-1]
			return true
		}
	}
	return false
}

// What a line looks like at which reading can go on.
var (
	headLine = regexp.MustCompile(`^[ \t]*\[\[?[ \t]*["'A-Za-z0-9_-]`)
	// wordLine is looked for only if the line before has a fault in itself, and
	// nothing that is not closed.
	wordLine = regexp.MustCompile(keyLine.String() + `|^[ \t]*[A-Za-z_][A-Za-z0-9_-]*[ \t]`)
	keyLine  = regexp.MustCompile(`^[ \t]*` + key + `([ \t]*\.[ \t]*` + key + `)*[ \t]*=`)
)

const key = `([A-Za-z0-9_-]+|"[^"]*"|'[^']*')`

// line is the text of a line.
func (r *reader) line(n int) []byte {
	end := len(r.document)
	if n < len(r.lines) {
		end = r.lines[n] - 1
	}
	return r.document[r.lines[n-1]:max(end, r.lines[n-1])]
}

// emptyLine is one without anything that the parser returns.
var emptyLine = regexp.MustCompile(`^[ \t\r]*(#|$)`)

// begins is the line at which the expression begins that cannot be read:
// behind the last one that can, and not behind the fault itself.
func (r *reader) begins(last, fault int) int {
	n := 1
	if last > 0 {
		if n = r.place(last).line; last > r.from {
			n++
		}
	}
	for n < fault && emptyLine.Match(r.line(n)) {
		n++
	}
	return min(n, fault)
}

// twice tells of a key that is there already.
func (r *reader) twice(at place, path string, first *node) {
	r.fault(at, "%q stands there twice, first in line %d", path, first.key.line)
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// head reads [a.b] or [[a.b]]. The keys behind one that is there already are
// looked at as if it were not.
func (r *reader) head(e *unstable.Node) {
	n, path := r.root, ""
	for key := e.Key(); key.Next(); {
		part := key.Node()
		name, at := string(part.Data), r.of(part.Raw)
		path = below(path, name)
		next := n.names[name]
		several := key.IsLast() && e.Kind == unstable.ArrayTable
		switch {
		case next == nil:
			next = &node{name: name, key: at, at: at, form: table}
			if key.IsLast() {
				next.origin = headed
			}
			n.add(next)
			if several {
				next.form = tables
				next = next.another(at)
			}
		case next.form == tables && several:
			next = next.another(at)
		case next.form == tables && !key.IsLast():
			next = next.items[len(next.items)-1]
		case next.form == table && !key.IsLast() && next.origin != inline:
		case next.form == table && next.origin == implied && !several:
			next.origin = headed
		case next.form == table && !several:
			r.twice(at, path, next)
		default:
			r.twice(at, path, next)
			r.table, r.path = nil, ""
			return
		}
		n = next
	}
	r.table, r.path = n, path
}

// another is one more of several tables.
func (n *node) another(at place) *node {
	item := &node{name: n.name, key: at, at: at, form: table, origin: headed}
	n.items = append(n.items, item)
	return item
}

// keyValue reads a.b = value in the table of a path. What stands there twice is told, and
// its value is looked at all the same.
func (r *reader) keyValue(n *node, e *unstable.Node, path string) {
	for key := e.Key(); key.Next(); {
		part := key.Node()
		name, at := string(part.Data), r.of(part.Raw)
		path = below(path, name)
		next := n.names[name]
		if key.IsLast() {
			if next != nil {
				r.twice(at, path, next)
			}
			n.add(r.value(name, at, e.Value(), path))
			return
		}
		switch {
		case next == nil:
			next = &node{name: name, key: at, at: at, form: table, origin: dotted}
			n.add(next)
		case next.form == table && next.origin == dotted:
		case next.form == table:
			r.twice(at, path, next)
		default:
			r.twice(at, path, next)
			return
		}
		n = next
	}
}

// value reads what the key of a path says. key is where the key is.
func (r *reader) value(name string, key place, v *unstable.Node, path string) *node {
	n := &node{name: name, key: key, at: key, kind: v.Kind}
	if v.Raw.Length > 0 {
		n.at = r.of(v.Raw)
	}
	switch v.Kind {
	case unstable.InlineTable:
		n.form, n.origin = table, inline
		for it := v.Children(); it.Next(); {
			r.keyValue(n, it.Node(), path)
		}
	case unstable.Array:
		n.form = list
		for it := v.Children(); it.Next(); {
			n.items = append(n.items, r.value(name, key, it.Node(), path))
		}
	default:
		n.text = string(v.Data)
	}
	return n
}

// inOrder compares faults by their place.
func inOrder(a, b Fault) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	// Line and Column are where in the document, from 1; 0 if the
	// configuration did not come from one.
	Line, Column int
	// Key is the path of the setting. It is empty if there is no such setting,
	// which Reason tells with the path, and for what is not TOML.
	Key    string
	Reason string
}

// String is the fault as one line, beginning with its place if it has one.
func (f Fault) String() string {
	s := oneLine(f.Reason)
	if f.Key != "" {
		s = oneLine(f.Key) + ": " + s
	}
	if f.Line > 0 {
		s = fmt.Sprintf("%d:%d: %s", f.Line, f.Column, s)
	}
	return s
}

// oneLine quotes what would not be one, as names in a document can be.
func oneLine(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}

// Faults are all that is wrong with a configuration, at least one thing.
type Faults struct {
	// File is the path of the document; empty if it did not come from one.
	File string
	List []Fault
}

// Error has one line for each fault, which begins with file:line:column as far
// as that is known.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		switch {
		case f.File == "":
			lines[i] = fault.String()
		case fault.Line > 0:
			lines[i] = f.File + ":" + fault.String()
		default:
			lines[i] = f.File + ": " + fault.String()
		}
	}
	return strings.Join(lines, "\n")
}

package gms

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Text of strangers. What is no valid Unicode becomes U+FFFD, as browsers have
// it, so that a fault in one string costs nothing else. What nobody can see is no
// message and no name.

// repairJSON returns JSON in which invalid UTF-8 and lone surrogates are replaced
// by U+FFFD; ok is false if it is no JSON value. An object may have a key twice.
func repairJSON(v jsontext.Value) (repaired jsontext.Value, ok bool) {
	duplicates := jsontext.AllowDuplicateNames(true)
	if v.IsValid(duplicates) {
		return v, true
	}
	v = bytes.ToValidUTF8(v, []byte(string(utf8.RuneError)))
	dec := jsontext.NewDecoder(bytes.NewReader(v), duplicates, jsontext.AllowInvalidUTF8(true))
	value, err := dec.ReadValue()
	if err != nil || len(bytes.TrimSpace(v[dec.InputOffset():])) > 0 {
		return nil, false
	}
	// Formatting writes every string anew.
	value = value.Clone()
	if err := value.Format(duplicates, jsontext.AllowInvalidUTF8(true), jsontext.CanonicalizeRawInts(false)); err != nil || !value.IsValid(duplicates) {
		return nil, false
	}
	return value, true
}

// blank says whether a text shows nothing.
func blank(s string) bool { return !strings.ContainsFunc(s, visible) }

// visible says whether a rune can be seen. Format characters and the fillers,
// which have a width and no glyph, cannot.
func visible(r rune) bool {
	switch r {
	case '\u034F', '\u115F', '\u1160', '\u2800', '\u3164', '\uFFA0':
		return false
	}
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me)
}

// cleanName returns a name without control characters and without marks that
// change the direction of what stands around it; "" if it shows nothing.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, s)
	if blank(s) {
		return ""
	}
	return strings.TrimSpace(s)
}

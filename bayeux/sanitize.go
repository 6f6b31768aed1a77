package bayeux

import (
	"bytes"
	"encoding/hex"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// sanitizeText makes text of a body that a client could send and no reader could
// decode, so that a fault in one string spoils that string alone: bytes that
// are no UTF-8, and escaped halves of surrogate pairs, become U+FFFD, which is
// what browsers make of them.
// spec:1.4.5
func sanitizeText(body []byte) []byte {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	replaceLoneSurrogates(body)
	return body
}

// replaceLoneSurrogates overwrites the escapes of lone surrogates in JSON. An escape
// of U+FFFD is as long.
// spec:1.4.5
func replaceLoneSurrogates(body []byte) {
	const escape = len(`\uFFFD`)
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			return
		}
		body = body[i:]
		unit, ok := escapedUnit(body)
		size := escape
		switch {
		case !ok:
			size = min(2, len(body)) // another escape, or nothing that is JSON
		case !utf16.IsSurrogate(unit):
		default:
			if low, ok := escapedUnit(body[escape:]); ok && utf16.DecodeRune(unit, low) != unicode.ReplacementChar {
				size = 2 * escape
			} else {
				copy(body, `\ufffd`)
			}
		}
		body = body[size:]
	}
}

// escapedUnit is the UTF-16 code unit whose escape b begins with.
func escapedUnit(b []byte) (unit rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var two [2]byte
	if _, err := hex.Decode(two[:], b[2:6]); err != nil {
		return 0, false
	}
	return rune(two[0])<<8 | rune(two[1]), true
}

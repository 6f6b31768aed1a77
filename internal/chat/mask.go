package chat

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The sizes of card numbers, in digits, and of a run that is masked while it
// is still being typed.
const (
	minCard    = 13
	maxCard    = 19
	maxPreview = 8 // digits that a preview may show in a row
)

// maxGap is how many spaces and dashes in a row may stand between the digits
// of one number.
const maxGap = 3

// maskRounds bounds how often the patterns are looked for again, since
// covering one thing can bring out another.
const maskRounds = 8

// Mask covers parts of texts, character by character, so that they keep their
// length in characters. It never changes and may be used by any number of
// goroutines at once; a nil Mask covers nothing.
type Mask struct {
	cards    bool
	patterns []*regexp.Regexp
	with     byte
}

// NewMask makes a mask. With cards it covers card numbers: 13 to 19 digits
// that are no part of a longer row of digits, with or without spaces and dashes
// between them, whose check digit is right. It also covers whatever the
// patterns match. with is the character that covers, in ASCII and no digit,
// space or dash; 0 means an asterisk.
func NewMask(cards bool, patterns []*regexp.Regexp, with byte) *Mask {
	if with == 0 {
		with = '*'
	}
	return &Mask{cards: cards, patterns: slices.Clone(patterns), with: with}
}

// Text is a text that is complete, as it may be stored and shown.
func (m *Mask) Text(s string) string {
	if m == nil || s == "" {
		return s
	}
	if m.cards {
		s = m.numbers(s, m.coverCards)
	}
	return m.match(s)
}

// Preview is a text that is still being typed, as it may be shown: besides what
// [Mask.Text] covers, nine or more digits in a row, since they may become a
// card number.
func (m *Mask) Preview(s string) string {
	if m == nil || s == "" {
		return s
	}
	if m.cards {
		s = m.numbers(s, func(run []digit, cover []bool) {
			if len(run) > maxPreview {
				coverAll(run, cover)
			}
		})
	}
	return m.match(s)
}

// digit is a digit of a run.
type digit struct {
	at    int // its place among the characters
	value int
	first bool // what stands before it is no digit
	last  bool // what stands after it is no digit
}

// numbers covers the digits that find chooses of each run: digits with at most
// maxGap spaces and dashes between two of them.
func (m *Mask) numbers(s string, find func(run []digit, cover []bool)) string {
	digits := 0
	for i := 0; i < len(s) && digits <= maxPreview; i++ {
		if s[i] >= '0' && s[i] <= '9' || s[i] >= utf8.RuneSelf {
			digits++
		}
	}
	if digits <= maxPreview {
		return s // by far the most texts
	}
	text := []rune(s)
	cover := make([]bool, len(text))
	var run []digit
	end := func() {
		if len(run) > maxPreview {
			run[len(run)-1].last = true
			find(run, cover)
		}
		run = run[:0]
	}
	gap := 0
	for i, r := range text {
		if v, ok := digitOf(r); ok {
			first := len(run) == 0 || gap > 0
			if first && len(run) > 0 {
				run[len(run)-1].last = true
			}
			run, gap = append(run, digit{at: i, value: v, first: first}), 0
			continue
		}
		if gap++; !separates(r) || gap > maxGap {
			end()
		}
	}
	end()
	if !slices.Contains(cover, true) {
		return s
	}
	for i, c := range cover {
		if c {
			text[i] = rune(m.with)
		}
	}
	return string(text)
}

// coverCards covers every card number of a run that begins and ends where a
// group of its digits does.
func (m *Mask) coverCards(run []digit, cover []bool) {
	for i := range run {
		if !run[i].first {
			continue
		}
		for n := minCard; n <= maxCard && i+n <= len(run); n++ {
			if card := run[i : i+n]; card[n-1].last && luhn(card) {
				coverAll(card, cover)
			}
		}
	}
}

func coverAll(run []digit, cover []bool) {
	for _, d := range run {
		cover[d.at] = true
	}
}

// luhn says whether the check digit of a card number is right.
func luhn(card []digit) bool {
	sum := 0
	for i, d := range card {
		v := d.value
		if (len(card)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// zeros are the zeros of the scripts in which people type numbers: Latin,
// Arabic in two forms, Devanagari, Bengali, Thai and full width.
var zeros = [...]rune{'0', '\u0660', '\u06F0', '\u0966', '\u09E6', '\u0E50', '\uFF10'}

func digitOf(r rune) (value int, ok bool) {
	for _, zero := range zeros {
		if r >= zero && r <= zero+9 {
			return int(r - zero), true
		}
	}
	return 0, false
}

// separates says whether a character may stand between the digits of one
// number: a space or dash of any kind, or one that cannot be seen.
func separates(r rune) bool {
	switch r {
	case ' ', '-', '\t', '\u00A0', '\u00AD', '\u2007', '\u2009', '\u200B', '\u200C', '\u200D', '\u202F', '\u2060', '\u3000', '\u2212', '\uFE58', '\uFE63', '\uFF0D', '\uFEFF':
		return true
	}
	return r >= '\u2010' && r <= '\u2015'
}

// match covers what the patterns match.
func (m *Mask) match(s string) string {
	for range maskRounds {
		before := s
		for _, p := range m.patterns {
			s = p.ReplaceAllStringFunc(s, func(found string) string {
				return strings.Repeat(string(rune(m.with)), utf8.RuneCountInString(found))
			})
		}
		if s == before {
			break
		}
	}
	return s
}

package gms

import (
	"slices"
	"strings"
)

// Advice in the visitor's language. What is said stands in status.go, in
// English; here is what it is in the other languages. A test sees to it that
// none is missing. The texts are plain, because clients show them as they are,
// some of them as HTML.

// English is the language of what has no other.
const English = "en"

// Languages are those in which there is advice, English first.
func Languages() []string { return []string{English, "de", "fr", "es", "it", "nl", "pt", "pl"} }

// languageField is the key of userData under which clients say what their
// visitor reads.
const languageField = "GCTI_LanguageCode"

// maxLanguage bounds a language tag, in bytes; longer ones are none.
const maxLanguage = 35

// languageTag is what userData says of the visitor's language; "" if that is
// nothing which looks like a tag.
func languageTag(data map[string]string) string {
	tag := strings.TrimSpace(data[languageField])
	letters := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if len(tag) > maxLanguage || strings.ContainsFunc(tag, func(r rune) bool { return !letters(r) }) {
		return ""
	}
	return tag
}

// language is the language in which a service speaks to somebody who asks for
// a tag such as "de", "de-DE" or "de_AT": that one, if the service offers it,
// and otherwise the first that it offers.
func (s Service) language(tag string) string {
	offered := s.Languages
	if len(offered) == 0 {
		offered = Languages()
	}
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(tag), "_", "-"), "-")
	if slices.Contains(offered, primary) {
		return primary
	}
	return offered[0]
}

// translate says an English text in a language, and in English if it is not
// known there.
func translate(text, language string) string {
	if t, ok := translations[text][language]; ok {
		return t
	}
	return text
}

package push

import "strings"

// usual is what a device shows for want of anything better.
var usual = Text{Title: "Chat", Body: "There is news in your chat."}

// textFor finds the text in a language: that of the language with its region,
// that of the language alone, or the one for all others.
func textFor(texts map[string]Text, language string) Text {
	language = strings.ToLower(strings.ReplaceAll(language, "_", "-"))
	short, _, _ := strings.Cut(language, "-")
	for _, want := range []string{language, short, ""} {
		for name, t := range texts {
			if strings.ToLower(strings.ReplaceAll(name, "_", "-")) == want {
				return t
			}
		}
	}
	return usual
}

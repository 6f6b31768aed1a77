package config

import "slices"

// Behavior is how a service deals with visitors and their clients.
type Behavior struct {
	// Languages are those in which it tells visitors what is wrong, the
	// preferred one first; by default all of [Languages].
	Languages []string `toml:"languages"`
	// TypingPreview shows agents what a visitor is typing; true by default.
	TypingPreview *bool `toml:"typing_preview"`
	// AgentTypingPreview shows visitors what an agent is typing, letter by letter;
	// false by default.
	AgentTypingPreview bool `toml:"agent_typing_preview"`
	// CallbackPolling serves clients that can do nothing but load scripts.
	// Pages of every origin can do that.
	CallbackPolling bool `toml:"callback_polling"`
	// OneChatPerBrowser answers a browser that asks for a new chat with the one
	// that it has.
	OneChatPerBrowser bool `toml:"one_chat_per_browser"`
}

// Languages are what [Behavior.Languages] may hold.
func Languages() []string { return []string{"en", "de", "fr", "es", "it", "nl", "pt", "pl"} }

func (m Behavior) withDefaults() Behavior {
	if len(m.Languages) == 0 {
		m.Languages = Languages()
	}
	if m.TypingPreview == nil {
		on := true
		m.TypingPreview = &on
	}
	return m
}

func (m Behavior) validate(v *validation, key string) {
	for i, l := range m.Languages {
		switch {
		case !slices.Contains(Languages(), l):
			v.fault(key+".languages", "%q is not one of %q", l, Languages())
		case slices.Contains(m.Languages[:i], l):
			v.fault(key+".languages", "%q stands there twice", l)
		}
	}
}

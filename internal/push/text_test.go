package push

import (
	"testing"
	"time"
)

func TestTextFor(t *testing.T) {
	texts := map[string]Text{"": {Body: "any"}, "de": {Body: "de"}, "pt-BR": {Body: "br"}}
	for language, want := range map[string]string{
		"de": "de", "DE": "de", "de-AT": "de", "de_AT": "de", "pt-br": "br", "pt_BR": "br", "pt": "any", "": "any", "xx": "any",
	} {
		t.Run(language, func(t *testing.T) {
			if got := textFor(texts, language).Body; got != want {
				t.Errorf("%q gives %q, want %q", language, got, want)
			}
		})
	}
	if textFor(nil, "de") != usual {
		t.Error("there is no text without texts")
	}
}

func TestBackoff(t *testing.T) {
	for attempts := 1; attempts < 200; attempts++ {
		want := time.Minute
		if attempts < 7 {
			want = min(time.Second<<(attempts-1), time.Minute)
		}
		if d := backoff(attempts); d < want/2 || d > want {
			t.Errorf("after %d attempts %v", attempts, d)
		}
	}
}

package gms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// advised is where a text that clients may show stands in the code.
type advised struct{ file, code, text string }

// allAdvice finds every text beside a code, in all files of the package.
func allAdvice(t *testing.T) []advised {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var list []advised
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			l, ok := n.(*ast.CompositeLit)
			if !ok || len(l.Elts) != 2 {
				return true
			}
			if name, ok := l.Type.(*ast.Ident); !ok || name.Name != "failure" {
				return true
			}
			text, ok := l.Elts[1].(*ast.BasicLit)
			if !ok {
				return true
			}
			s, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			code, _ := l.Elts[0].(*ast.Ident)
			if code == nil {
				t.Errorf("%s: %q has no code with a name", path, s)
				return true
			}
			list = append(list, advised{path, code.Name, s})
			return true
		})
	}
	return list
}

// Every code stands in the one table, and every text is there in every
// language and is plain.
func TestAdviceInEveryLanguage(t *testing.T) {
	list := allAdvice(t)
	if len(list) < 15 {
		t.Fatalf("only %d texts were found", len(list))
	}
	used := make(map[string]bool)
	check := func(text string) {
		if strings.TrimSpace(text) != text || text == "" || strings.ContainsAny(text, "<>&\n") {
			t.Errorf("%q is not plain text", text)
		}
	}
	for _, a := range list {
		if a.text == "" {
			continue // what is said is a number
		}
		if a.file != "status.go" {
			t.Errorf("%s has an error of its own: %s %q", a.file, a.code, a.text)
		}
		used[a.text] = true
		check(a.text)
		for _, language := range Languages()[1:] {
			got := translate(a.text, language)
			if got == a.text {
				t.Errorf("%s %q is not there in %s", a.code, a.text, language)
			}
			check(got)
		}
	}
	for text, in := range translations {
		if !used[text] {
			t.Errorf("%q is translated and never said", text)
		}
		for language := range in {
			if !slices.Contains(Languages(), language) {
				t.Errorf("%q is there in %q, which is not offered", text, language)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	all, some := Service{}, Service{Languages: []string{"nl", "de"}}
	for _, c := range []struct {
		s         Service
		tag, want string
	}{
		{all, "", "en"},
		{all, "de", "de"},
		{all, "DE-de", "de"},
		{all, "pt_BR", "pt"},
		{all, "zh-Hans", "en"},
		{all, "deutsch", "en"},
		{some, "", "nl"},
		{some, "de-AT", "de"},
		{some, "en", "nl"},
		{some, "fr", "nl"},
	} {
		if got := c.s.language(c.tag); got != c.want {
			t.Errorf("%v, asked for %q: %q", c.s.Languages, c.tag, got)
		}
	}
	for tag, want := range map[string]string{" de-DE ": "de-DE", "": "", "d e": "", "<b>": "", strings.Repeat("d", 36): ""} {
		if got := languageTag(map[string]string{languageField: tag}); got != want {
			t.Errorf("%q is read as %q", tag, got)
		}
	}
	if got := languageTag(nil); got != "" {
		t.Errorf("no data is read as %q", got)
	}
}

// advice is the first error of a notification or answer.
func advice(t testing.TB, n bayeuxtest.Frame) (code float64, text string) {
	t.Helper()
	list, _ := n["errors"].([]any)
	if n["statusCode"] != 2.0 || len(list) != 1 {
		t.Fatalf("no refusal: %v", n)
	}
	e := list[0].(map[string]any)
	return e["code"].(float64), e["advice"].(string)
}

// What the visitor's client said at the start holds for all later refusals,
// over both sides and after a restart.
func TestAdviceSpeaksTheVisitorsLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"dutch": {Queue: "q", Languages: []string{"nl", "de"}}})
		invalid := map[string]string{}
		for _, language := range Languages() {
			invalid[language] = translate("The request is not complete or not valid.", language)
		}
		german := map[string]any{"GCTI_LanguageCode": "de-DE"}
		v := h.visitor("support", nil)
		v.do("requestChat", map[string]any{"nickname": "Vera", "userData": german})
		check := func(what string, n bayeuxtest.Frame, want string) {
			t.Helper()
			if _, got := advice(t, n); got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		check("over CometD", v.do("sendMessage", map[string]any{"message": ""})[0], invalid["de"])
		check("another for once", v.do("updateNickname", map[string]any{"userData": map[string]any{"GCTI_LanguageCode": "fr"}})[0], invalid["fr"])
		h.restart()
		w := h.visitor("support", nil)
		w.key = v.key
		w.do("requestNotifications", nil)
		check("after a restart", w.do("sendMessage", map[string]any{"message": ""})[0], invalid["de"])
		p := &restClient{h: h, service: "support", key: v.key, chat: v.chat}
		check("over REST", p.do("send", "message", ""), invalid["de"])
		w.do("disconnect", nil)
		check("after the end", w.do("sendMessage", map[string]any{"message": "x"})[0], translate("This chat has ended.", "de"))
		check("no chat yet", h.visitor("nowhere", nil).do("requestChat", map[string]any{"userData": german})[0], translate("This chat service does not exist.", "de"))
		// A service speaks what it offers.
		p = h.polling("dutch")
		check("the service's first language", p.do("send", "message", ""), invalid["nl"])
		p = h.restClient("dutch")
		p.do("", "nickname", "x", "userData[GCTI_LanguageCode]", "de")
		check("another that it offers", p.do("send", "message", ""), invalid["de"])
		p = h.restClient("dutch")
		p.do("", "nickname", "x", "userData[GCTI_LanguageCode]", "pl")
		check("one that it does not offer", p.do("send", "message", ""), invalid["nl"])
	})
}

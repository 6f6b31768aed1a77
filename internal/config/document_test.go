package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The document says exactly the defaults.
func TestDocumentIsTheDefault(t *testing.T) {
	got, err := Parse([]byte(Document()))
	if err != nil {
		t.Fatalf("parsing the document: got %v, want no error:\n%s", err, Document())
	}
	if diff := cmp.Diff(Default(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-default +document):\n%s", diff)
	}
}

// allKeys are the paths of all settings and tables of a type, by its tags.
func allKeys(t reflect.Type, path string, add func(string)) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		if nested(t) {
			allKeys(t.Elem(), path, add)
		}
	case reflect.Map:
		if nested(t.Elem()) {
			add(path + ".*")
		}
		allKeys(t.Elem(), path+".*", add)
	case reflect.Struct:
		if t.Implements(marshaler) {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			switch {
			case f.Anonymous && name == "":
				allKeys(f.Type, path, add)
				continue
			case name == "" && f.IsExported():
				add(path + "." + f.Name + " without a tag")
				continue
			}
			below := strings.TrimPrefix(path+"."+name, ".")
			if f.Type.Kind() != reflect.Map || !nested(f.Type.Elem()) {
				add(below)
			}
			allKeys(f.Type, below, add)
		}
	}
}

// Every setting has a meaning, stands in the document, and is explained in
// docs/configuration.md; and no meaning is left over.
func TestEverySettingIsExplained(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	page, document := string(b), Document()
	known := make(map[string]bool)
	allKeys(reflect.TypeFor[Config](), "", func(key string) {
		known[key] = true
		text := descriptions[key]
		if text == "" {
			t.Errorf("descriptions does not say what %s is", key)
		}
		name := key[strings.LastIndexByte(key, '.')+1:]
		if name == "*" {
			return
		}
		if !strings.Contains(document, "\n"+name+" = ") && !strings.Contains(document, "\n#"+name+" = ") && !strings.Contains(document, "."+name+"]") && !strings.Contains(document, "\n["+key+"]") && !strings.Contains(document, "\n#["+key+"]") {
			t.Errorf("the document does not have %s", key)
		}
		if !strings.Contains(page, "`"+name+"`") && !strings.Contains(page, "."+name+"]`") && !strings.Contains(page, "`["+key+"]`") {
			t.Errorf("docs/configuration.md does not have %s", key)
		}
	})
	if strings.Contains(document, "\n#\n") {
		t.Error("a comment of the document is empty")
	}
	if len(known) < 20 {
		t.Fatalf("only %d settings were found", len(known))
	}
	for key := range descriptions {
		if !known[key] {
			t.Errorf("descriptions explains %s, which does not exist", key)
		}
	}
}

// A document can show what there is none of by default, and values of all
// sorts.
func TestDocumentOfOtherShapes(t *testing.T) {
	type rule struct {
		Pattern string  `toml:"pattern"`
		Weight  float64 `toml:"weight"`
		On      *bool   `toml:"on"`
	}
	type shape struct {
		Rules []rule           `toml:"rules"`
		By    map[string]rule  `toml:"by"`
		One   *rule            `toml:"one"`
		Names map[string]int   `toml:"names"`
		Long  []Duration       `toml:"long"`
		Any   map[string]*rule `toml:"any"`
	}
	w := &writer{}
	w.table(reflect.ValueOf(shape{Long: []Duration{DefaultOfferTime}, By: map[string]rule{"b": {}, "a": {Pattern: `"\`}}}), nil, nil)
	var got []string
	for line := range strings.Lines(w.b.String()) {
		if line = strings.TrimRight(line, "\n"); line != "" && line != "#" {
			got = append(got, line)
		}
	}
	want := []string{
		`long = ["20s"]`,
		`#[[rules]]`, `#pattern = ""`, `#weight = 0`, `#on = false`,
		`[by.a]`, `pattern = "\"\\"`, `weight = 0`, `on = false`,
		`[by.b]`, `pattern = ""`, `weight = 0`, `on = false`,
		`#[one]`, `#pattern = ""`, `#weight = 0`, `#on = false`,
		`[names]`, `#NAME = 0`,
		`#[any.NAME]`, `#pattern = ""`, `#weight = 0`, `#on = false`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

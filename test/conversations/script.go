package conversations

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// script is one conversation as it stands in a file.
type script struct {
	name       string
	transports []string // over which it is played; "rest" for one that has no Bayeux client
	config     string   // TOML; empty means the suite's own
	steps      []step
}

// step is one directive with what is indented below it.
type step struct {
	at     string // file:line
	verb   string
	client string // after @; empty for the visitor
	args   []string
	body   string // without its indentation
}

// macros are steps with a name, for those that many conversations share.
type macros map[string][]step

// The transports that a conversation can be played over. REST is one as far as
// a conversation without a Bayeux client is played once.
const (
	overWebSocket = "websocket"
	overPolling   = "long-polling"
	overCallback  = "callback-polling"
	overREST      = "rest"
)

// verbs says of every directive whether something is indented below it.
var verbs = map[string]struct{ body, optional bool }{
	"send": {body: true}, "want": {body: true}, "told": {body: true, optional: true}, "quiet": {}, "client": {body: true, optional: true},
	"close": {}, "post": {body: true, optional: true}, "form": {body: true, optional: true}, "multipart": {body: true, optional: true},
	"get": {body: true, optional: true}, "answer": {body: true, optional: true}, "answered": {body: true, optional: true}, "header": {body: true},
	"agent": {body: true}, "take": {}, "goes": {}, "sees": {body: true}, "unseen": {body: true}, "restart": {}, "let": {}, "do": {},
	"delete": {body: true, optional: true}, "hook": {}, "pushed": {body: true},
}

// parseScript reads a conversation.
func parseScript(path string, text []byte) (*script, error) {
	a := txtar.Parse(text)
	s := &script{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), transports: []string{overWebSocket, overPolling, overCallback}}
	line := 1 + strings.Count(string(a.Comment), "\n")
	for _, f := range a.Files {
		line++ // the line with the name
		body := string(f.Data)
		switch f.Name {
		case "transports":
			s.transports = strings.Fields(body)
			for _, t := range s.transports {
				if !slices.Contains([]string{overWebSocket, overPolling, overCallback, overREST}, t) {
					return nil, fmt.Errorf("%s:%d: there is no transport %q", path, line, t)
				}
			}
		case "halley.toml":
			s.config = body
		case "conversation":
			var err error
			if s.steps, err = parseSteps(path, line, body); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%s:%d: there is no section %q", path, line-1, f.Name)
		}
		line += strings.Count(body, "\n")
	}
	if len(s.steps) == 0 {
		return nil, fmt.Errorf("%s: nothing is said in it", path)
	}
	return s, nil
}

// parseMacros reads an archive whose files are macros.
func parseMacros(path string, text []byte) (macros, error) {
	a := txtar.Parse(text)
	m := make(macros)
	line := 1 + strings.Count(string(a.Comment), "\n")
	for _, f := range a.Files {
		line++
		steps, err := parseSteps(path, line, string(f.Data))
		if err != nil {
			return nil, err
		}
		m[f.Name] = steps
		line += strings.Count(string(f.Data), "\n")
	}
	return m, nil
}

func parseSteps(path string, line int, text string) ([]step, error) {
	var steps []step
	var body []string
	flush := func() {
		if len(steps) > 0 && len(body) > 0 {
			steps[len(steps)-1].body = dedent(body)
		}
		body = nil
	}
	for i, l := range strings.Split(text, "\n") {
		at := fmt.Sprintf("%s:%d", path, line+i)
		switch {
		case strings.TrimSpace(l) == "":
			if len(body) > 0 {
				body = append(body, "")
			}
		case l[0] == ' ' || l[0] == '\t':
			if len(steps) == 0 {
				return nil, fmt.Errorf("%s: it belongs to no directive", at)
			}
			body = append(body, l)
		case l[0] == '#':
		default:
			flush()
			words := strings.Fields(l)
			s := step{at: at, verb: words[0]}
			if _, ok := verbs[s.verb]; !ok {
				return nil, fmt.Errorf("%s: there is no directive %q", at, s.verb)
			}
			for _, w := range words[1:] {
				if name, ok := strings.CutPrefix(w, "@"); ok && s.client == "" {
					s.client = name
				} else {
					s.args = append(s.args, w)
				}
			}
			steps = append(steps, s)
		}
	}
	flush()
	for _, s := range steps {
		switch v := verbs[s.verb]; {
		case s.body == "" && v.body && !v.optional:
			return nil, fmt.Errorf("%s: nothing is indented below %s", s.at, s.verb)
		case s.body != "" && !v.body:
			return nil, fmt.Errorf("%s: %s takes nothing below it", s.at, s.verb)
		}
	}
	return steps, nil
}

// dedent takes away the indentation of the first line, and empty lines at the
// end.
func dedent(lines []string) string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	indent := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], " \t"))]
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimPrefix(l, indent)
	}
	return strings.Join(out, "\n")
}

// expand replaces the steps that call a macro by what it stands for. $1, $2 …
// are the words after its name; @name is handed on to the steps that name no
// client.
func (m macros) expand(steps []step) ([]step, error) { return m.expandWithin(steps, 8) }

func (m macros) expandWithin(steps []step, depth int) ([]step, error) {
	var out []step
	for _, s := range steps {
		if s.verb != "do" {
			out = append(out, s)
			continue
		}
		if len(s.args) == 0 || m[s.args[0]] == nil {
			return nil, fmt.Errorf("%s: there is no macro %q", s.at, strings.Join(s.args, " "))
		}
		if depth == 0 {
			return nil, fmt.Errorf("%s: macros call each other without an end", s.at)
		}
		var inner []step
		for _, i := range m[s.args[0]] {
			i.at = s.at + ": " + i.at
			if i.client == "" {
				i.client = s.client
			}
			var err error
			if i.body, err = argued(i.body, s.args[1:]); err != nil {
				return nil, fmt.Errorf("%s: %w", i.at, err)
			}
			args := make([]string, len(i.args))
			for n, a := range i.args {
				if args[n], err = argued(a, s.args[1:]); err != nil {
					return nil, fmt.Errorf("%s: %w", i.at, err)
				}
			}
			i.args = args
			inner = append(inner, i)
		}
		expanded, err := m.expandWithin(inner, depth-1)
		if err != nil {
			return nil, err
		}
		out = append(out, expanded...)
	}
	return out, nil
}

var argument = regexp.MustCompile(`\$[1-9]`)

func argued(text string, args []string) (string, error) {
	var missing error
	out := argument.ReplaceAllStringFunc(text, func(m string) string {
		n := int(m[1] - '1')
		if n >= len(args) {
			missing = fmt.Errorf("the macro needs a word for %s", m)
			return m
		}
		return args[n]
	})
	return out, missing
}

var variable = regexp.MustCompile(`\$(\$|[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)?)`)

// fill puts values in the place of names. $$ is a dollar sign.
func fill(text string, value func(name string) (string, bool)) (string, error) {
	var missing error
	out := variable.ReplaceAllStringFunc(text, func(m string) string {
		if m == "$$" {
			return "$"
		}
		v, ok := value(m[1:])
		if !ok {
			missing = fmt.Errorf("nothing is known as %s", m)
		}
		return v
	})
	return out, missing
}

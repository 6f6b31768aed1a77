package conversations

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// told is what a response object must say, in short: flags, and a line for
// every event, as in "3 Message Anna: Hello". The index may be "+" for any, or
// "+name" to keep it, or "~" for typing, which may have expired by then; what
// follows may be a regular expression between slashes.
type told struct {
	status string // of HTTP; empty over Bayeux
	code   string // statusCode
	ended  bool
	error  string // the code in errors; empty means no errors
	next   string // nextPosition; empty is not looked at
	from   string // the role of the first event's author; empty is not looked at
	lines  []string
}

func parseTold(args []string, body string) (told, error) {
	t := told{code: "0"}
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "http":
			t.status = value
		case "status":
			t.code = value
		case "ended":
			t.ended = true
		case "error":
			t.error, t.code = value, "2"
		case "next":
			t.next = value
		case "from":
			t.from = value
		default:
			return t, fmt.Errorf("there is no flag %q", a)
		}
	}
	for l := range strings.Lines(body) {
		if l = strings.TrimSpace(l); l != "" {
			t.lines = append(t.lines, l)
		}
	}
	return t, nil
}

// compare says how a response object differs from what it must say, and which
// values it brought.
func (t told) compare(v any) (kept map[string]string, diffs []string) {
	kept = make(map[string]string)
	r, _ := v.(map[string]any)
	differ := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	text := func(key string) string { s, _ := r[key].(string); return s }
	if got := show(r["statusCode"]); got != t.code {
		differ("statusCode: want %s, got %s", t.code, got)
	}
	if got := r["chatEnded"]; got != t.ended {
		differ("chatEnded: want %v, got %s", t.ended, show(got))
	}
	failures, _ := r["errors"].([]any)
	got := ""
	if len(failures) > 0 {
		m, _ := failures[0].(map[string]any)
		got = show(m["code"])
	}
	if got != t.error {
		differ("errors: want code %q, got %q", t.error, got)
	}
	if got := show(r["nextPosition"]); t.next != "" && got != t.next {
		differ("nextPosition: want %s, got %s", t.next, got)
	}
	events, _ := r["messages"].([]any)
	lines := t.present(events)
	for i := range max(len(events), len(lines)) {
		switch {
		case i >= len(events):
			differ("messages[%d]: missing, want %s", i, lines[i])
		case i >= len(lines):
			differ("messages[%d]: not wanted, got %s", i, line(events[i]))
		case !fitsLine(lines[i], line(events[i]), kept):
			differ("messages[%d]: want %s\n%12s got %s", i, lines[i], "", line(events[i]))
		}
	}
	if t.from != "" && len(events) > 0 {
		m, _ := events[0].(map[string]any)
		from, _ := m["from"].(map[string]any)
		if from["type"] != t.from {
			differ("messages[0].from.type: want %s, got %s", t.from, show(from["type"]))
		}
	}
	if len(diffs) > 0 {
		return nil, diffs
	}
	for name, key := range map[string]string{"key": "secureKey", "chat": "chatId", "user": "userId", "alias": "alias"} {
		if s := text(key); s != "" {
			kept[name] = s
		}
	}
	if n, ok := r["nextPosition"].(json.Number); ok {
		kept["next"] = n.String()
	}
	return kept, nil
}

// present are the lines without those of typing that is not there any more: a
// replay leaves it out once it is 10 s old, which it is on a slow machine.
func (t told) present(events []any) (lines []string) {
	for _, l := range t.lines {
		rest, may := strings.CutPrefix(l, expiring)
		switch {
		case !may:
			lines = append(lines, l)
		case len(lines) < len(events) && fitsLine("+ "+rest, line(events[len(lines)]), make(map[string]string)):
			lines = append(lines, "+ "+rest)
		}
	}
	return lines
}

// expiring begins the line of an event that may have expired meanwhile.
const expiring = "~ "

// line is an event in short.
func line(v any) string {
	m, _ := v.(map[string]any)
	from, _ := m["from"].(map[string]any)
	s := fmt.Sprintf("%s %v %v", show(m["index"]), m["type"], from["nickname"])
	if text, ok := m["text"].(string); ok {
		s += ": " + text
	}
	return s
}

func fitsLine(want, got string, kept map[string]string) bool {
	wantIndex, want, _ := strings.Cut(want, " ")
	index, got, _ := strings.Cut(got, " ")
	if name, any := strings.CutPrefix(wantIndex, "+"); !any && wantIndex != index {
		return false
	} else if name != "" && any {
		kept[name] = index
	}
	if len(want) > 1 && want[0] == '/' && strings.HasSuffix(want, "/") {
		re, err := regexp.Compile(want[1 : len(want)-1])
		return err == nil && re.MatchString(got)
	}
	return want == strings.TrimRight(got, " ")
}

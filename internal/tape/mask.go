package tape

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// own stands for a sort where the fields are the site's own and only look like
// those of the API: userData.code may be anything, and no number shows there.
const own = "own"

// object masks an object's names and values. over is the sort of every string
// within, if there is one, or [own].
func (m *Masker) object(o map[string]any, over string) map[string]any {
	masked := make(map[string]any, len(o))
	for _, name := range sortedKeys(o) { // so that tokens are given out in one order
		masked[m.name(name)] = m.value(name, o[name], over)
	}
	return masked
}

func (m *Masker) name(s string) string {
	if s == "" || names[s] {
		return s
	}
	return m.plain(field, s)
}

// value masks what a field of a name holds.
func (m *Masker) value(name string, v any, over string) any {
	switch {
	case over != "" && over != own:
	case sorts[name] == secret:
		over = secret
	case free[name] || !names[name]:
		over = own
	}
	switch v := v.(type) {
	case map[string]any:
		return m.object(v, over)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = m.value(name, e, over)
		}
		return list
	case json.Number:
		if over == "" && small(name, v.String()) {
			return v
		}
		if name == "utcTime" {
			return m.plain(moment, moment)
		}
		return m.plain(number, v.String())
	case string:
		if over != "" && over != own {
			return m.plain(over, v)
		}
		return m.string(name, v, over)
	case bool, nil:
		return v
	}
	return m.plain(word, "?") // no such thing comes out of JSON
}

// string masks a string in a field of a name.
func (m *Masker) string(name, s, over string) string {
	switch {
	case s == "" || values[name][s] || over == "" && small(name, s):
		return s
	case name == "channel" || name == "subscription":
		return m.channel(s)
	case name == "error":
		return m.error(s)
	}
	switch sort := sorts[name]; sort {
	case "":
		return m.text(s)
	case date:
		return m.plain(date, date)
	default:
		return m.plain(sort, s)
	}
}

// small says whether a field holds a number that may be written.
func small(name, s string) bool {
	limit, ok := numbers[name]
	if !ok {
		return false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n >= -1 && n <= limit && strconv.FormatInt(n, 10) == s
}

func (m *Masker) channel(s string) string {
	if kind, ok := strings.CutPrefix(s, "/meta/"); ok && cometdSteps[kind] {
		return s
	}
	if name, ok := strings.CutPrefix(s, "/service/chatV2/"); ok {
		return "/service/chatV2/" + m.service(name)
	}
	return m.plain(channel, s)
}

var serviceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,47}$`)

// service is a service's name. Names of services are settings and are written,
// as long as they look like names: two digits at most, and no token.
func (m *Masker) service(s string) string {
	count := 0
	for _, r := range s {
		if r >= '0' && r <= '9' {
			count++
		}
	}
	if _, token := ParseToken(s); !token && count <= 2 && serviceName.MatchString(s) {
		return s
	}
	return m.plain(service, s)
}

var bayeuxError = regexp.MustCompile(`^([0-9]{3}):([^:]*):(.*)$`)

// error is a Bayeux error: its code stays.
func (m *Masker) error(s string) string {
	p := bayeuxError.FindStringSubmatch(s)
	if p == nil {
		return m.text(s)
	}
	if p[3] != "Unknown client" {
		p[3] = m.text(p[3])
	}
	return p[1] + ":" + m.text(p[2]) + ":" + p[3]
}

var errNoJSON = errors.New("tape: not one value of JSON")

// parse reads one value of JSON, with its numbers as they are written.
func parse(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoJSON
	}
	return v, nil
}

// messages reads a body of Bayeux messages: a list, or one by itself.
func messages(b []byte) (list []map[string]any, bare, ok bool) {
	v, err := parse(b)
	if err != nil {
		return nil, false, false
	}
	if o, single := v.(map[string]any); single {
		return []map[string]any{o}, true, true
	}
	all, ok := v.([]any)
	if !ok {
		return nil, false, false
	}
	list = make([]map[string]any, len(all))
	for i, e := range all {
		if list[i], ok = e.(map[string]any); !ok {
			return nil, false, false
		}
	}
	return list, false, true
}

// Why a content is not on the tape.
const (
	hiddenLong   = "too long"
	hiddenBroken = "not readable"
	hiddenOther  = "not part of the chat API"
	hiddenFile   = "a file"
)

// bayeux puts a body of Bayeux messages into a line.
func (m *Masker) bayeux(l *Line, body []byte) {
	list, bare, ok := messages(body)
	if !ok {
		l.Hidden = hiddenBroken
		return
	}
	l.Bare = bare
	l.Messages = make([]map[string]any, len(list))
	for i, o := range list {
		l.Messages[i] = m.object(o, "")
	}
}

// rest puts an object of the REST side into a line.
func (m *Masker) rest(l *Line, body []byte) {
	v, err := parse(body)
	o, ok := v.(map[string]any)
	if err != nil || !ok {
		l.Hidden = hiddenBroken
		return
	}
	l.Body = m.object(o, "")
}

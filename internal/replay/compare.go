package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/halley-chat/halley/internal/tape"
)

// difference is one thing that is not as it was recorded.
type difference struct {
	line           int // of the tape
	who            string
	where          string
	recorded, live string
}

// compared are the fields whose values count, not only their types.
var compared = map[string]bool{
	"statusCode": true, "chatEnded": true, "successful": true, "code": true, "type": true, "reconnect": true, "channel": true, "subscription": true,
}

// comparison compares one session.
type comparison struct {
	p          *player
	s          *session
	line       int
	add        func(difference)
	uncompared func(what string, n int)
}

// differ tells of a difference, unless it follows from the other side having
// ended the chat on the tape and not now.
func (c *comparison) differ(where, recorded, live string) {
	if c.s.open && c.line >= c.s.endLine {
		c.uncompared("what came after the other side had ended a chat", 1)
		return
	}
	c.add(difference{line: c.line, who: c.s.name, where: where, recorded: recorded, live: live})
}

// values compares two values by shape.
func (c *comparison) values(where, name string, recorded, live any) {
	if name == "error" {
		if r, l := code(recorded), code(live); r != l {
			c.differ(where, r, l)
		}
		return
	}
	r, l := sortOf(recorded), sortOf(live)
	if r != l {
		c.differ(where, r, l)
		return
	}
	switch recorded := recorded.(type) {
	case map[string]any:
		c.objects(where, recorded, live.(map[string]any))
	case []any:
		c.lists(where, name, recorded, live.([]any))
	default:
		if compared[name] && !stoodIn(recorded) {
			if r, l := c.shown(name, recorded), shown(live); r != l {
				c.differ(where, r, l)
			}
		}
	}
}

func (c *comparison) objects(where string, recorded, live map[string]any) {
	names := maps.Clone(recorded)
	maps.Copy(names, live)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		at := where + "." + name
		if strings.HasSuffix(where, ":") {
			at = where + " " + name
		}
		r, inRecorded := recorded[name]
		l, inLive := live[name]
		switch {
		case !inLive:
			c.differ(at, sortOf(r), "missing")
		case !inRecorded:
			c.differ(at, "missing", sortOf(l))
		default:
			c.values(at, name, r, l)
		}
	}
}

// lists compares lists by their first elements; errors by all. Events are
// compared for themselves, and not as part of what carried them.
func (c *comparison) lists(where, name string, recorded, live []any) {
	if name == "messages" {
		recorded, live = withoutIndex(recorded), withoutIndex(live)
	}
	if (name == "errors" || name == "messages") && len(recorded) != len(live) {
		c.differ(where, fmt.Sprintf("%d entries", len(recorded)), fmt.Sprintf("%d entries", len(live)))
	}
	n := min(len(recorded), len(live))
	if name != "errors" && name != "messages" {
		n = min(n, 1)
	}
	for i := range n {
		c.values(where+"[]", name, recorded[i], live[i])
	}
}

func withoutIndex(list []any) []any {
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		o, _ := v.(map[string]any)
		return o["index"] != nil
	})
}

// stoodIn says whether a value is masked so that another one stood in for it.
func stoodIn(recorded any) bool {
	s, _ := recorded.(string)
	t, ok := tape.ParseToken(s)
	return ok && (t.Numeric() || t.Length >= 0)
}

// shown is a recorded value as it would be now.
func (c *comparison) shown(name string, v any) string {
	s := shown(v)
	if service, ok := strings.CutPrefix(s, chatChannel); ok {
		return chatChannel + c.p.service(service)
	}
	return s
}

func shown(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}

// sortOf is the JSON type of a value.
func sortOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		if t, ok := tape.ParseToken(v); ok && t.Numeric() {
			return "number"
		}
		return "string"
	case []any:
		return "list"
	}
	return "object"
}

// code is the part of a Bayeux error that is compared.
func code(v any) string {
	s, ok := v.(string)
	if !ok {
		return "no error"
	}
	before, _, _ := strings.Cut(s, ":")
	return "error " + before
}

// session compares what a session was told. The order of what the visitor's
// own doing led to counts; of what others did, only what is there.
func (c *comparison) session() {
	r, l := c.s.recorded, c.s.live
	for _, key := range slices.Sorted(maps.Keys(r.replies)) {
		c.pairs("reply to "+strings.Fields(key)[0]+":", r.replies[key], l.replies[key])
	}
	for _, key := range slices.Sorted(maps.Keys(l.replies)) {
		if _, known := r.replies[key]; !known && !c.s.abandoned[key] {
			c.line = c.s.line
			c.differ("reply to "+strings.Fields(key)[0], "none", fmt.Sprint(len(l.replies[key])))
		}
	}
	c.pairs("failure:", r.failures, l.failures)
	c.pairs(emptyAnswer, r.empties, l.empties)
	c.connects()
	c.events()
}

// emptyAnswer is how answers without events are told of. Whether somebody who
// asks for what is new finds something is a matter of moments.
const emptyAnswer = "answer without events:"

// pairs compares two lists of what was said, one by one. A client that left
// without waiting for the outcome of its last operations may not have been told
// on the tape what it is told now. What comes word for word a second time may
// have been sent again, because the server did not know that it had arrived.
func (c *comparison) pairs(what string, recorded, live []said) {
	more, repeated, spare := 0, 0, 0
	if what == emptyAnswer {
		spare = c.s.asked
	}
	for i, r := range recorded {
		c.line = r.line
		switch {
		case i < len(live):
			c.objects(what, r.object, live[i].object)
		case again(recorded, i):
			repeated++
		case spare > 0:
			spare--
			c.uncompared(strings.TrimSuffix(what, ":")+": it depends on the clock", 1)
		default:
			c.differ(strings.TrimSuffix(what, ":"), "there", "missing")
		}
	}
	for i := len(recorded); i < len(live); i++ {
		if again(live, i) {
			repeated++
		} else if spare > 0 {
			spare--
			c.uncompared(strings.TrimSuffix(what, ":")+": it depends on the clock", 1)
		} else {
			more++
		}
	}
	if what = strings.TrimSuffix(what, ":"); more > c.s.unconfirmed {
		c.line = c.s.line
		c.differ(what, fmt.Sprint(len(recorded)), fmt.Sprint(len(recorded)+more))
	}
	if repeated > 0 {
		c.uncompared(what+", word for word as before", repeated)
	}
}

// again says whether one of a list is word for word one before it.
func again(list []said, i int) bool {
	return slices.ContainsFunc(list[:i], func(s said) bool { return reflect.DeepEqual(s.object, list[i].object) })
}

// connects compares the first successful replies to connects: how many there
// are depends on the clock.
func (c *comparison) connects() {
	pick := func(l *history, ok bool) []said {
		return slices.DeleteFunc(slices.Clone(l.connects), func(s said) bool { yes, _ := s.object["successful"].(bool); return yes != ok })
	}
	if r, l := pick(c.s.recorded, true), pick(c.s.live, true); len(r) > 0 {
		c.pairs("reply to /meta/connect:", r[:1], l[:min(len(l), 1)])
	}
	if n := len(pick(c.s.recorded, false)) - len(pick(c.s.live, false)); n > 0 {
		c.uncompared("refused /meta/connect: it depends on the clock", n)
	}
}

// events compares the events, and what carried them.
func (c *comparison) events() {
	own := c.s.recorded.ordered(ownLasting)
	live := c.s.live.ordered(ownLasting)
	for i := range max(len(own), len(live)) {
		r, l := "nothing", "nothing"
		c.line = c.s.line
		if i < len(own) {
			r, c.line = own[i].name(), own[i].in.line
		}
		if i < len(live) {
			l = live[i].name()
		}
		if i >= len(own) && len(live)-len(own) <= c.s.unconfirmed {
			break
		}
		if r != l {
			c.differ(fmt.Sprintf("order of events, %d", i+1), r, l)
			break // from here on everything is shifted
		}
	}
	_, at := c.s.live.ordinals()
	of, _ := c.s.recorded.ordinals()
	for _, e := range c.s.recorded.ordered(func(event) bool { return true }) {
		c.line = e.in.line
		p := of[e.index]
		now, there := at[p]
		switch {
		case there:
			r, l := e.object, now.object
			if e.typing() {
				r, l = c.alikeInText(e, now)
			}
			c.objects(e.name()+":", r, l)
			if ended(e) == ended(now) {
				c.objects("with "+e.name()+":", e.in.object, now.in.object)
			}
		case e.own() && e.typing() && c.s.live.count(func(l event) bool { return l.kind == e.kind && l.own() }) > 0:
			// Fewer of them: they are merged while they wait.
		case e.own() && e.typing():
			c.differ(e.name(), "there", "missing")
		case !e.own():
			c.uncompared(e.name(), 1)
		}
	}
	if c.s.recorded.ended != c.s.live.ended {
		c.line = max(c.s.line, c.s.endLine)
		c.differ("chatEnded", fmt.Sprint(c.s.recorded.ended), fmt.Sprint(c.s.live.ended))
	}
}

// alikeInText leaves the text out of two events of typing if only one has it: what
// somebody types is told while it is typed, and not to whoever asks later, so that
// it depends on the clock.
func (c *comparison) alikeInText(e, now event) (recorded, live map[string]any) {
	_, before := e.object["text"]
	_, still := now.object["text"]
	if before == still {
		return e.object, now.object
	}
	c.uncompared(e.name()+": text", 1)
	recorded, live = maps.Clone(e.object), maps.Clone(now.object)
	delete(recorded, "text")
	delete(live, "text")
	return recorded, live
}

func ended(e event) bool { b, _ := e.data["chatEnded"].(bool); return b }

// exchange compares an answer to a request.
func (c *comparison) exchange(a *action) {
	r, l := a.answer, a.live
	c.line = r.n
	where := a.Method + " " + a.Path
	if l.err != nil {
		c.differ(where, fmt.Sprint("HTTP ", r.Status), "no answer")
		return
	}
	if r.Status != l.status {
		c.differ(where, fmt.Sprint("HTTP ", r.Status), fmt.Sprint("HTTP ", l.status))
		return
	}
	for _, name := range []string{"Content-Type", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Content-Disposition"} {
		had, has := r.Headers[name], l.header.Get(name)
		if strings.HasPrefix(name, "Access-") && a.Headers["Origin"] != "" && c.p.o.Origin == "" {
			continue // another one was sent
		}
		has, _, _ = strings.Cut(has, ";")
		if had == "other" || had != "" && has != "" && name != "Content-Type" {
			continue
		}
		if had != has {
			c.differ(where+" "+name, or(had, "missing"), or(has, "missing"))
		}
	}
	switch {
	case a.Via != tape.REST && a.Via != tape.Files, r.Hidden == "too long":
	case r.Body == nil && l.body != nil:
		c.differ(where, "no object", "an object")
	case r.Body != nil && l.body == nil:
		c.differ(where, "an object", "no object")
	case r.Body != nil:
		c.objects(last(a.Path)+":", r.Body, l.body)
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

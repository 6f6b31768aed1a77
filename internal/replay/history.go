package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/halley-chat/halley/internal/tape"
)

// history is what a session has received. It is guarded by whoever owns it.
type history struct {
	replies  map[string][]said // by channel and id, connects apart
	connects []said
	events   map[int64]event // by index, each as it first came
	failures []said          // notifications over Bayeux that tell of a failure
	empties  []said          // and those without an event
	given    map[string][]string
	next     int64 // nextPosition, as told last
	last     int64 // the highest index
	ended    bool
	closed   bool // the chat has ended, and not only as a refusal says it
}

// chatChannel is what the channels of the services begin with.
const chatChannel = "/service/chatV2/"

// said is something that the server said.
type said struct {
	line   int // of the tape; 0 if it was not read there
	object map[string]any
}

// event is one event of a chat.
type event struct {
	index  int64
	kind   string
	from   string // type of the participant
	object map[string]any
	in     said // what carried it
	data   map[string]any
}

func newHistory() *history {
	return &history{replies: make(map[string][]said), events: make(map[int64]event), given: make(map[string][]string)}
}

// own says whether the event is of the visitor's doing, so that a server can be
// expected to have it again.
func (e event) own() bool { return e.from == "Client" }

func (e event) typing() bool { return strings.HasPrefix(e.kind, "Typing") }

// name is how the event is spoken of.
func (e event) name() string { return e.kind + " from " + e.from }

// message takes a Bayeux message of the server.
func (l *history) message(line int, m map[string]any) {
	l.collect(m)
	data, isNote := m["data"].(map[string]any)
	if _, reply := m["successful"]; isNote && !reply {
		l.note(said{line, m}, data, true)
		return
	}
	if str(m["channel"]) == "/meta/connect" {
		l.connects = append(l.connects, said{line, m})
		return
	}
	key := replyKey(m)
	l.replies[key] = append(l.replies[key], said{line, m})
}

// replyKey is the same for a message and the reply to it.
func replyKey(m map[string]any) string {
	channel := str(m["channel"])
	if strings.HasPrefix(channel, chatChannel) {
		channel = chatChannel + "…" // the service may be another one
	}
	return channel + " " + str(m["id"])
}

// body takes an object of the REST side.
func (l *history) body(line int, o map[string]any) {
	l.collect(o)
	l.note(said{line, o}, o, false)
}

func (l *history) note(in said, data map[string]any, pushed bool) {
	if n, ok := integer(data["nextPosition"]); ok {
		l.next = n
	}
	list, _ := data["messages"].([]any)
	status, _ := integer(data["statusCode"])
	if ended, _ := data["chatEnded"].(bool); ended {
		l.ended = true
		l.closed = l.closed || status == 0
	}
	if pushed && (status != 0 || data["errors"] != nil) {
		l.failures = append(l.failures, in)
	} else if pushed && len(list) == 0 {
		l.empties = append(l.empties, in)
	}
	for _, v := range list {
		o, _ := v.(map[string]any)
		index, ok := integer(o["index"])
		if !ok {
			continue
		}
		if _, known := l.events[index]; known {
			continue
		}
		from, _ := o["from"].(map[string]any)
		l.events[index] = event{index: index, kind: str(o["type"]), from: str(from["type"]), object: o, in: in, data: data}
		l.last = max(l.last, index)
	}
}

// collect notes the values that the server gives out, in the order in which
// they first appear.
func (l *history) collect(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			sort, given := givenBy[name]
			s, isText := v[name].(string)
			if !given || !isText {
				l.collect(v[name])
				continue
			}
			if s != "" && !slices.Contains(l.given[sort], s) {
				l.given[sort] = append(l.given[sort], s)
			}
		}
	case []any:
		for _, e := range v {
			l.collect(e)
		}
	}
}

// givenBy says in which fields the server gives out values, and their sort.
var givenBy = map[string]string{
	"secureKey": tape.Key, "clientId": tape.Session, "chatId": tape.Chat, "userId": tape.User, "alias": tape.Alias,
	"file-id": tape.FileID, "fileId": tape.FileID,
}

// ordered are the events by index, those that match.
func (l *history) ordered(want func(event) bool) []event {
	var list []event
	for _, index := range slices.Sorted(maps.Keys(l.events)) {
		if e := l.events[index]; want(e) {
			list = append(list, e)
		}
	}
	return list
}

func (l *history) count(want func(event) bool) int {
	n := 0
	for _, e := range l.events {
		if want(e) {
			n++
		}
	}
	return n
}

func ownLasting(e event) bool   { return e.own() && !e.typing() }
func otherLasting(e event) bool { return !e.own() && !e.typing() }

// others is what deficits has for events that are not the visitor's own.
const others = "others"

// deficits is what of this history, the recorded one, another one does not have
// yet, by what it is.
func (l *history) deficits(live *history) map[string]int {
	missing := make(map[string]int)
	lack := func(what string, want, have int) {
		if want > have {
			missing[what] = want - have
		}
	}
	for key, list := range l.replies {
		lack("reply to "+key, len(list), len(live.replies[key]))
	}
	lack("own events", l.count(ownLasting), live.count(ownLasting))
	lack(others, l.count(otherLasting), live.count(otherLasting))
	for _, kind := range []string{"TypingStarted", "TypingStopped"} {
		this := func(e event) bool { return e.own() && e.kind == kind }
		lack(kind, min(l.count(this), 1), live.count(this))
	}
	lack("failures", len(l.failures), len(live.failures))
	lack("answers without events", len(l.empties), len(live.empties))
	return missing
}

// ordinal is the identity of an event in both histories: its number among those
// of its kind and sender.
type ordinal struct {
	kind, from string
	n          int
}

func (l *history) ordinals() (of map[int64]ordinal, at map[ordinal]event) {
	of, at = make(map[int64]ordinal), make(map[ordinal]event)
	counts := make(map[ordinal]int)
	for _, e := range l.ordered(func(event) bool { return true }) {
		p := ordinal{e.kind, e.from, 0}
		counts[p]++
		p.n = counts[ordinal{e.kind, e.from, 0}]
		of[e.index], at[p] = p, e
	}
	return of, at
}

// position translates a transcriptPosition of the tape: what lay at the place
// that it named lies elsewhere now.
func position(recorded, live *history, n int64) (int64, bool) {
	switch {
	case n <= 1:
		return n, true
	case n == recorded.next && live.next > 0:
		return live.next, true
	case n == recorded.last+1 && recorded.last > 0:
		return live.last + 1, true
	}
	of, _ := recorded.ordinals()
	_, at := live.ordinals()
	if _, there := at[of[n]]; n == recorded.last && !there {
		return live.last, true
	}
	for offset := range int64(n) {
		p, known := of[n-offset]
		if e, there := at[p]; known && there {
			if offset == 0 {
				return e.index, true
			}
			return e.index + 1, true
		}
	}
	return n, false
}

// str is a string, or a number as it is written; "" for anything else.
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case nil:
		return ""
	}
	return fmt.Sprintf("%T", v)
}

func integer(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

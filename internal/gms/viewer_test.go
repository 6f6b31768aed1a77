package gms

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/test/schema"
)

// entry is something in what a viewer saw: that it asked from a position on,
// that this was acknowledged, or a notification.
type entry struct {
	asked, acked bool
	from         int64
	next         int64 // over REST: where the client would have gone on
	raced        *bool // somebody else asked for the chat at the same time
	note         *heard
}

// barrier knows who asks for a chat at the same time. Of several only one stays
// bound, and one that lost its place before it was answered is not answered.
type barrier struct {
	mu     sync.Mutex
	asking map[*bool]bool // guarded by mu, as what the keys point to
}

func (c *barrier) begin() *bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	raced := new(bool)
	for other := range c.asking {
		*other, *raced = true, true
	}
	c.asking[raced] = true
	return raced
}

func (c *barrier) end(raced *bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asking, raced)
}

// heard is a response object as far as the properties need it.
type heard struct {
	StatusCode   int    `json:"statusCode"`
	ChatEnded    bool   `json:"chatEnded"`
	ChatID       string `json:"chatId"`
	SecureKey    string `json:"secureKey"`
	NextPosition int64  `json:"nextPosition"`
	Messages     []struct {
		Index int64  `json:"index"`
		Type  string `json:"type"`
		Text  string `json:"text"`
	} `json:"messages"`
}

// viewer is a client on a WebSocket that reads all the time.
type viewer struct {
	*bayeuxtest.Socket
	t         *recorder
	h         *fixture
	service   string
	barrier   *barrier
	chat, key string

	mu sync.Mutex
	// Guarded by mu.
	n     int
	acks  map[string]chan struct{}
	asks  map[string]bool // those that ask from a position on
	saw   []entry
	notes []heard
	over  chan struct{} // closed when the socket has ended
}

// view opens a session for a chat, or for one that is still to be opened.
func (s *simulation) view(i int) *viewer {
	v := &viewer{
		Socket: s.h.net.Socket(s.t, nil).Shake(), t: s.t, h: s.h, service: s.service,
		acks: make(map[string]chan struct{}), asks: make(map[string]bool), over: make(chan struct{}),
	}
	if i < len(s.chats) {
		v.chat, v.key = s.chats[i].id, s.chats[i].key
	}
	v.barrier = s.crowds[i]
	s.assign("", v)
	go v.read()
	s.t.Cleanup(func() {
		_ = v.Conn.Close()
		<-v.over
	})
	return v
}

// assign notes a new viewer, under a name if it has one.
func (s *simulation) assign(name string, v *viewer) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if name == "" {
		s.all = append(s.all, v)
		return
	}
	s.seats[name] = v
}

func (v *viewer) read() {
	defer close(v.over)
	for {
		b, code := v.ReadFrame()
		if code != 0 {
			return
		}
		var frames []struct {
			ID   string          `json:"id"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(b, &frames); err != nil {
			v.t.Errorf("%v: %s", err, b)
			return
		}
		for _, f := range frames {
			v.take(f.ID, f.Data)
		}
	}
}

func (v *viewer) take(id string, data []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if data == nil {
		if ack := v.acks[id]; ack != nil {
			if v.asks[id] {
				v.saw = append(v.saw, entry{acked: true})
			}
			delete(v.acks, id)
			close(ack)
		}
		return
	}
	var n heard
	if err := errors.Join(schema.Response(data), json.Unmarshal(data, &n)); err != nil {
		v.t.Errorf("%v", err)
		return
	}
	if v.chat == "" { // the chat that it has just opened
		v.key, v.chat = n.SecureKey, n.ChatID
	}
	v.saw = append(v.saw, entry{note: &n})
	v.notes = append(v.notes, n)
}

func (v *viewer) told() []heard {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.notes
}

// last is the highest index seen.
func (v *viewer) last() (last int64) {
	for _, n := range v.told() {
		for _, m := range n.Messages {
			last = max(last, m.Index)
		}
	}
	return last
}

// ask publishes an operation and waits for its acknowledgement. A position
// other than 0 says that the answer begins there.
func (v *viewer) ask(operation string, fields map[string]any, from int64) {
	v.mu.Lock()
	v.n++
	id, acked := fmt.Sprint("p", v.n), make(chan struct{})
	v.acks[id], v.asks[id] = acked, from != 0
	data := map[string]any{"operation": operation, "secureKey": v.key}
	if from != 0 {
		raced := v.barrier.begin()
		defer v.barrier.end(raced)
		v.saw = append(v.saw, entry{asked: true, from: from, raced: raced})
	}
	v.mu.Unlock()
	for k, f := range fields {
		data[k] = f
	}
	b, err := json.Marshal(data)
	if err != nil {
		v.t.Fatal(err)
	}
	if v.TrySend(fmt.Sprintf(`[{"channel":"/service/chatV2/%s","clientId":"$","id":%q,"data":%s}]`, v.service, id, b)) != nil {
		return
	}
	select {
	case <-acked:
	case <-v.over:
	}
}

func (v *viewer) do(d action) {
	switch d.What {
	case "ask":
		from := d.From
		switch from {
		case -3:
			from = v.last() + 1
		case -2, 0:
			from = 1
		}
		v.ask("requestNotifications", map[string]any{"transcriptPosition": from}, from)
	case "say":
		v.ask("sendMessage", map[string]any{"message": "from the visitor"}, 0)
	case "type":
		v.ask("startTyping", map[string]any{"message": "pre"}, 0)
	case "stop":
		v.ask("stopTyping", nil, 0)
	case "rename":
		v.ask("updateNickname", map[string]any{"nickname": "Vera " + strconv.FormatInt(d.From, 10)}, 0)
	case "push":
		v.ask("pushUrl", map[string]any{"pushUrl": "https://example.org/"}, 0)
	case "notice":
		v.ask("customNotice", map[string]any{"message": "n"}, 0)
	case "data":
		v.ask("updateData", map[string]any{"userData": map[string]any{"k": strconv.FormatInt(d.From, 10)}}, 0)
	case "read":
		v.ask("readReceipt", map[string]any{"transcriptPosition": d.From}, 0)
	case "forge":
		v.ask("sendMessage", map[string]any{"message": "forged", "secureKey": forged(v.key)}, 0)
	case "empty":
		v.ask("sendMessage", map[string]any{"message": "from the visitor", "secureKey": ""}, 0)
	case "end":
		v.ask("disconnect", nil, 0)
	default:
		v.featureAction(d)
	}
}

// check compares what the viewer saw with the log.
func (v *viewer) check(log []chat.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := follows(log, v.saw, 0); err != nil {
		v.t.Errorf("chat %s: %v\nit saw:%s", v.chat, err, transcript(v.saw))
	}
}

// follows says whether what was seen can be: next is the index up to which the
// viewer has been told everything, 0 if it does not listen. Of the
// notifications that came before an answer to a position, some can belong to
// what it listened to before; which, nobody can tell, so every place is tried.
func follows(log []chat.Event, saw []entry, next int64) error {
	for i, e := range saw {
		switch {
		case e.acked:
			return follows(log, saw[i+1:], next)
		case e.asked:
			return answered(log, saw[i+1:], next, e)
		case e.note.StatusCode != 0:
			if len(e.note.Messages) > 0 {
				return fmt.Errorf("a refusal with events: %v", *e.note)
			}
		default:
			var err error
			if next, err = told(log, e.note, next, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// answered tries every notification up to the acknowledgement as the answer to
// a position.
func answered(log []chat.Event, saw []entry, next int64, ask entry) error {
	err := errors.New("a position was not answered")
	for i, e := range saw {
		if e.acked {
			if *ask.raced {
				return follows(log, saw[i+1:], 0)
			}
			break
		}
		if e.note == nil {
			continue
		}
		if e.note.StatusCode != 0 {
			// Refused: whoever listened goes on.
			if err = follows(log, saw[i+1:], next); err == nil {
				return nil
			}
			continue
		}
		after, failed := told(log, e.note, ask.from, true)
		if failed == nil {
			failed = follows(log, saw[i+1:], after)
		}
		if failed == nil {
			return nil
		}
		err = failed
		if next, failed = told(log, e.note, next, false); failed != nil {
			return err
		}
	}
	if !slices.ContainsFunc(saw, func(e entry) bool { return !e.asked }) {
		return nil // the session ended before the answer
	}
	return err
}

// told checks one notification against the log: it holds what the visitor may
// see from next up to its nextPosition, typing apart, and nothing else. It
// returns the index up to which the viewer has been told.
func told(log []chat.Event, n *heard, next int64, answer bool) (int64, error) {
	fail := func(format string, args ...any) (int64, error) {
		return 0, fmt.Errorf(format+"; asked or told up to %d: %+v", append(args, next, *n)...)
	}
	got := make(map[int64]bool)
	prev := int64(0)
	for _, m := range n.Messages {
		if m.Index <= prev || m.Index > int64(len(log)) {
			return fail("index %d after %d", m.Index, prev)
		}
		prev = m.Index
		e := log[m.Index-1]
		if e.Index != m.Index {
			return fail("the log has holes")
		}
		kind, text, visible := shown(e)
		if !visible || kind != m.Type || kind != "TypingStarted" && kind != "TypingStopped" && text != m.Text {
			return fail("event %d is not %s %q, or may not be seen", m.Index, kind, text)
		}
		got[m.Index] = true
	}
	end := n.NextPosition
	lastOnly := answer && next < 0
	if lastOnly || n.ChatEnded && len(n.Messages) == 1 && n.Messages[0].Index < next {
		// The last one alone, which an ended chat shows although it was seen.
		for i := end - 2; i >= 0; i-- {
			if kind, _, visible := shown(log[i]); visible && kind != "TypingStarted" && kind != "TypingStopped" {
				if len(n.Messages) != 1 || n.Messages[0].Index < i+1 {
					return fail("the last event is %d", i+1)
				}
				return end, nil
			}
		}
		return fail("no event at all")
	}
	if next == 0 && len(n.Messages) > 0 {
		return fail("events for one who does not listen")
	}
	if len(n.Messages) > 0 && n.Messages[0].Index < next {
		return fail("an event for the second time")
	}
	for i := max(next, 1); i < end && i <= int64(len(log)); i++ {
		kind, _, visible := shown(log[i-1])
		if visible && !got[i] && kind != "TypingStarted" && kind != "TypingStopped" {
			return fail("event %d is missing", i)
		}
	}
	switch {
	case answer:
		return end, nil // which is before what was asked for, if that lies beyond the end
	case next == 0:
		return 0, nil
	}
	return max(next, end), nil
}

// forged is a key that nobody made.
func forged(key string) string {
	b := []byte(key)
	b[len(b)-3] ^= 1
	return string(b)
}

// shown is how a visitor sees an event, as the contract says and not as the
// renderer does.
func shown(e chat.Event) (kind, text string, visible bool) {
	switch f := e.Fact.(type) {
	case chat.Joined:
		return "ParticipantJoined", "", f.Role != chat.RoleHouse
	case chat.Left:
		return "ParticipantLeft", "", true
	case chat.Said:
		return "Message", f.Text, f.Audience == ""
	case chat.Typed:
		if f.On {
			return "TypingStarted", "", true
		}
		return "TypingStopped", "", true
	case chat.Renamed:
		return "NicknameUpdated", "", true
	case chat.Pushed:
		return "PushUrl", f.URL, true
	case chat.Noticed:
		return "CustomNotice", f.Text, true
	case chat.IdleWarned:
		return "IdleAlert", f.Text, true
	case chat.IdleClosed:
		return "IdleClose", f.Text, true
	case chat.SurveyOffered:
		return "CustomNotice", `{"Survey_URL":"` + f.URL + `","Cancel_URL":"` + f.Cancel + `"}`, true
	case chat.Shared:
		return "FileUploaded", "", true
	case chat.Unshared:
		return "FileDeleted", "", true
	}
	return "", "", false
}

func transcript(saw []entry) (s string) {
	for _, e := range saw {
		switch {
		case e.asked:
			s += fmt.Sprintf("\n  asks from %d", e.from)
		case e.acked:
			s += "\n  acknowledged"
		default:
			s += fmt.Sprintf("\n  %+v", *e.note)
		}
	}
	return s
}

// polling is a client that asks over REST, from where it was told to go on.
type polling struct {
	*restClient
	t    *recorder
	next int64
	saw  []entry
}

func (p *polling) do(d action) {
	switch d.What {
	case "poll":
		from := d.From
		if from <= 0 && from != -1 || from > p.next+1 {
			from = max(p.next, 1)
		}
		p.ask("refresh", from)
	case "say":
		p.ask("send", 0, "message", "from the visitor")
	case "type":
		p.ask("startTyping", 0, "message", "pre")
	case "data":
		p.ask("updateData", 0, "userData[k]", "v")
	case "notice":
		p.ask("customNotice", max(p.next, 1), "message", "n")
	case "forge":
		key := p.key
		p.key = forged(key)
		p.ask("send", 0, "message", "forged")
		p.key = key
	case "end":
		p.ask("disconnect", 0)
	default:
		p.featureAction(d)
	}
}

func (p *polling) ask(op string, from int64, fields ...string) {
	key, id := p.key, p.chat
	if from != 0 {
		fields = append(fields, "transcriptPosition", strconv.FormatInt(from, 10))
	}
	b, err := json.Marshal(p.restClient.do(op, fields...))
	if err != nil {
		p.t.Fatal(err)
	}
	p.key, p.chat = key, id
	var n heard
	if err := json.Unmarshal(b, &n); err != nil {
		p.t.Fatal(err)
	}
	p.saw = append(p.saw, entry{from: from, next: max(p.next, 1), note: &n})
	if n.StatusCode == 0 && from != 0 {
		p.next = max(p.next, n.NextPosition)
	}
}

// check compares every answer with the log.
func (p *polling) check(log []chat.Event) {
	for _, e := range p.saw {
		var err error
		switch n := e.note; {
		case n.StatusCode != 0 && len(n.Messages) > 0:
			err = fmt.Errorf("a refusal with events: %+v", *n)
		case n.StatusCode != 0:
		case e.from == 0 && n.NextPosition > e.next:
			err = fmt.Errorf("who goes on from there misses what came after %d: %+v", e.next, *n)
		case e.from == 0 && n.ChatEnded:
			// The end shows what it caused.
			_, err = told(log, n, n.Messages[0].Index, true)
		case e.from == 0 && len(n.Messages) > 0:
			err = fmt.Errorf("events although none were asked for: %+v", *n)
		case e.from == 0:
		default:
			_, err = told(log, n, e.from, true)
		}
		if err != nil {
			p.t.Errorf("over REST from %d: %v", e.from, err)
		}
	}
}

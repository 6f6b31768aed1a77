package gms

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
)

// The cost of an answer follows the answer: in a long chat only what is shown is read
// from the store, apart from the first use of the chat after a start.
func TestLongChatsAreNotReadForShortAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		anna := h.agent(v.chat, 7, "Anna")
		v.leave()
		for i := range 10_000 {
			anna(chat.Say{Text: strconv.Itoa(i)})
		}
		last := int64(len(h.all(v.chat)))
		p := h.restClient("support")
		p.chat, p.key = v.chat, v.key
		for _, c := range []struct {
			name  string
			ask   func() int // the number of events in the answer
			want  int
			reads int
		}{
			{"requestNotifications of the last event", func() int {
				w := h.visitor("support", nil)
				w.key = v.key
				return len(lines(w.do("requestNotifications", map[string]any{"transcriptPosition": -1})...))
			}, 1, 16},
			{"requestNotifications from near the end", func() int {
				w := h.visitor("support", nil)
				w.key = v.key
				return len(lines(w.do("requestNotifications", map[string]any{"transcriptPosition": last - 1})...))
			}, 2, 16},
			{"refresh of the last event", func() int {
				return len(lines(p.do("refresh", "transcriptPosition", "-1")))
			}, 1, 16},
			{"refresh from near the end", func() int {
				return len(lines(p.do("refresh", "transcriptPosition", fmt.Sprint(last-1))))
			}, 2, 16},
			{"refresh from the middle", func() int {
				return len(lines(p.do("refresh", "transcriptPosition", "5000")))
			}, pageEvents, pageEvents + 16},
		} {
			before := h.log.RecordsRead()
			if got := c.ask(); got != c.want {
				t.Errorf("%s: got %d events, want %d", c.name, got, c.want)
			}
			if got := h.log.RecordsRead() - before; got > c.reads {
				t.Errorf("%s: %d records were read, want at most %d", c.name, got, c.reads)
			}
		}
	})
}

// all is a chat's whole log, however long it is.
func (h *fixture) all(id string) []chat.Event {
	h.t.Helper()
	n, err := chat.ParseID(id)
	if err != nil {
		h.t.Fatalf("%q is no chat: %v", id, err)
	}
	list, err := h.engine.Read(context.Background(), n, 1, 1<<20)
	if err != nil {
		h.t.Fatalf("read chat %s: %v", id, err)
	}
	return list
}

// Over REST a client that goes on from nextPosition until the chat has ended has
// seen every event once, in answers of a bounded size.
func TestRESTPages(t *testing.T) {
	for _, ended := range []bool{false, true} {
		t.Run(fmt.Sprintf("ended %v", ended), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				p := h.polling("support")
				want := h.longChat(p.chat)
				if ended {
					h.act(p.chat, 7, chat.End{})
				}
				got, answers := readPages(t, p)
				if len(got) != len(want) {
					t.Fatalf("got %d lines in %d answers, want %d", len(got), answers, len(want))
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("line %d: got %.20q, want %.20q", i, got[i], want[i])
					}
				}
				if answers < 4 {
					t.Errorf("got %d answers, want at least 4", answers)
				}
			})
		})
	}
}

// longChat lets an agent write many lines and long ones, and then rename itself.
func (h *fixture) longChat(id string) (want []string) {
	h.t.Helper()
	anna := h.agent(id, 7, "Anna")
	line := func(text string) {
		anna(chat.Say{Text: text})
		want = append(want, text)
	}
	for i := range 1200 {
		line(strconv.Itoa(i))
	}
	for i := range 40 {
		line(strconv.Itoa(i) + strings.Repeat("x", 12_000))
	}
	anna(chat.Rename{Name: "Ann"})
	line("bye")
	return want
}

// act lets an agent do something in a chat.
func (h *fixture) act(id string, staff chat.StaffID, a chat.Action) {
	h.t.Helper()
	n, err := chat.ParseID(id)
	if err == nil {
		_, err = h.engine.Do(context.Background(), n, chat.Command{By: chat.Staff(staff), Do: a})
	}
	if err != nil {
		h.t.Fatalf("%T in chat %s: %v", a, id, err)
	}
}

// readPages asks for a chat from its beginning, always from nextPosition on, until
// there is no more, and returns its lines and the number of answers.
func readPages(t *testing.T, p *restClient) (got []string, answers int) {
	t.Helper()
	for next := "1"; ; {
		n := p.do("refresh", "transcriptPosition", next)
		answers++
		size, list := 0, n["messages"].([]any)
		for _, m := range list {
			f := bayeuxtest.Frame(m.(map[string]any))
			if f["type"] != "Message" {
				continue
			}
			text := f["text"].(string)
			size += len(text)
			got = append(got, text)
			if name := f.At("from", "nickname"); (name == "Ann") != (text == "bye") {
				t.Fatalf("the line %.20q: got the name %v", text, name)
			}
		}
		if len(list) > pageEvents+2 || size > pageBytes {
			t.Fatalf("an answer has %d events and %d bytes, want at most %d and %d", len(list), size, pageEvents+2, pageBytes)
		}
		if n["chatEnded"] == true || len(list) == 0 {
			return got, answers
		}
		next = strconv.FormatFloat(n["nextPosition"].(float64), 'f', 0, 64)
	}
}

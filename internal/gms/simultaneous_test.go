package gms

import (
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/internal/chat"
)

// A chat may end in the same turn of its room in which something was done that
// causes no event for the visitor. That it has ended is told beside an event all
// the same, to the session and to whoever sends a file.
func TestEndedInTheSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("files")
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		f := &fileClient{h: h, service: "files", key: v.key, chat: v.chat}
		w := httptest.NewRecorder()
		var work sync.WaitGroup
		release := h.log.Hold()
		for _, do := range []func(){
			func() { anna(chat.Say{Text: "bye"}) }, // keeps the room busy
			func() { h.edge.Notify().ServeHTTP(w, uploadForm(NotifyPath, f.ids(note("hello"))...)) },
			func() {
				v.Send(`[{"channel":"/service/chatV2/files","clientId":"$","id":"u","data":{"operation":"updateData","secureKey":"` + v.key + `","userData":{"a":"b"}}}]`)
			},
			func() { anna(chat.End{}) },
		} {
			work.Go(do)
			synctest.Wait()
		}
		release()
		work.Wait()
		// Both look at what they are told by the schema, which wants an event.
		if n := f.take(w); n["chatEnded"] != true || len(eventsOf(n, "ParticipantLeft")) != 1 {
			t.Errorf("the upload: %v", n)
		} else {
			fileID(t, n)
		}
		for {
			m := v.next()
			if m["id"] == "u" {
				break
			}
			v.note(m)
		}
		if last := v.notes[len(v.notes)-1]; last["chatEnded"] != true || len(eventsOf(last, "ParticipantLeft")) != 1 {
			t.Errorf("the session: %v", last)
		}
	})
}

// A poller that did something in the turn in which somebody else ended the chat
// is shown the end and nothing ahead of it: it goes on from where it is.
func TestPollerIsToldTheEndInTheSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		p := h.restClient("support")
		p.key, p.chat = v.key, v.chat
		p.do("refresh") // without a position: it has been shown nothing
		var got map[string]any
		var work sync.WaitGroup
		release := h.log.Hold()
		for _, do := range []func(){
			func() { anna(chat.Say{Text: "one moment"}) }, // keeps the room busy
			func() { got = p.do("customNotice", "message", "n") },
			func() { anna(chat.End{}) },
		} {
			work.Go(do)
			synctest.Wait()
		}
		release()
		work.Wait()
		if got["chatEnded"] != true || len(eventsOf(got, "ParticipantLeft")) != 1 || len(got["messages"].([]any)) != 1 || got["nextPosition"] != 1.0 {
			t.Errorf("%v", got)
		}
	})
}

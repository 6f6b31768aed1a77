package desk

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/audit"
)

// recorded keeps events in memory.
type recorded struct {
	// Guarded by mu.
	mu     sync.Mutex
	events []audit.Event
}

func (r *recorded) Record(e audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Who is shown a chat, because it takes it or looks it up, and who downloads a
// file, is recorded; who is refused is not shown anything.
func TestAudit(t *testing.T) {
	inBubble(t, func(h *fixture) {
		var log recorded
		h.desk.audit = &log
		b, other := h.signIn("anna"), h.signIn("ben")
		b.resume(nil)
		other.resume(nil)
		id := h.taken(b)
		h.say(id, "hello")
		b.settled()
		c, stranger := h.clerk("anna"), h.clerk("ben")
		var file struct{ File string }
		if w := c.send(form(filesOf(id), "offer.txt", "an offer", "id", "c-7")); json.Unmarshal(w.Body.Bytes(), &file) != nil || file.File == "" {
			t.Fatalf("upload: got %d %s, want a file", w.Code, w.Body)
		}
		if w := c.call("GET", filesOf(id)+"/"+file.File); w.Code != 200 {
			t.Fatalf("download: got %d, want 200", w.Code)
		}
		if w := stranger.call("GET", filesOf(id)+"/"+file.File); w.Code == 200 {
			t.Fatal("a stranger has downloaded the file")
		}
		b.must(object{"op": "leave", "chat": id.String()})
		b.send(object{"op": "open", "chat": id.String()})
		if code := other.code(object{"op": "open", "chat": id.String()}); code != "forbidden" {
			t.Fatalf("open by a stranger: got %q, want forbidden", code)
		}
		log.mu.Lock()
		defer log.mu.Unlock()
		opened := audit.Event{Kind: audit.ChatOpened, Actor: anna, Chat: id}
		want := []audit.Event{opened, {Kind: audit.FileFetched, Actor: anna, Chat: id, File: file.File}, opened}
		if diff := cmp.Diff(want, log.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if slices.ContainsFunc(log.events, func(e audit.Event) bool { return e.Actor == ben }) {
			t.Errorf("somebody who was refused is recorded as having seen the chat: %v", log.events)
		}
	})
}

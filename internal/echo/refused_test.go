package echo

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A cursor that the server refuses is dropped, however many chats it names: the
// next resume asks for everything, and nothing is said twice.
func TestRefusedCursorIsDropped(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		h.offer("A", "one")
		h.offer("B", "two")
		dismiss := h.employ(transport)
		h.want("A", greeting, "echo: one")
		h.want("B", greeting, "echo: two")
		h.mu.Lock()
		h.refuse = func(op, _ string) string {
			if op == "resume" && h.cursors[len(h.cursors)-1] > 0 {
				return "invalid"
			}
			return ""
		}
		h.cursors = nil
		h.mu.Unlock()
		h.restart()
		h.say("A", "three")
		h.want("A", greeting, "echo: one", "echo: three")
		h.want("B", greeting, "echo: two")
		dismiss()
		if want := []int{2, 0}; !slices.Equal(h.cursors, want) {
			t.Errorf("got resumes that name %v chats, want %v", h.cursors, want)
		}
		if h.repeats != 0 {
			t.Errorf("got %d commands repeated, want none", h.repeats)
		}
	})
}

// Commands that are refused for long are repeated ever less often. One line in
// the log says when that begins, and one when it ends.
func TestRefusalsAreLogged(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		refused := 0
		h.refuse = func(op, _ string) string {
			if op == "ready" {
				refused++
				return "unavailable"
			}
			return ""
		}
		dismiss := h.employ(transport)
		time.Sleep(10 * time.Minute)
		h.mu.Lock()
		// After 1, 2, 4, 8, 16, 32 s and then once a minute.
		if refused < 14 || refused > 17 {
			t.Errorf("got %d attempts in 10 min, want 14 to 17", refused)
		}
		h.refuse = nil
		h.mu.Unlock()
		time.Sleep(2 * time.Minute)
		dismiss()
		text := h.logged.String()
		for _, line := range []string{"command refused, will retry", "commands are accepted again"} {
			if n := strings.Count(text, line); n != 1 {
				t.Errorf("got %q %d times in the log, want once:\n%s", line, n, text)
			}
		}
	})
}

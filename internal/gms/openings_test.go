package gms

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// opener sends a requestChat over one of the transports, each time as a client that
// has not heard of an earlier one.
type opener func(h *fixture, name, id string) bayeuxtest.Frame

var openers = map[string]opener{
	"CometD": func(h *fixture, name, id string) bayeuxtest.Frame {
		v := h.visitor("support", nil)
		return v.do("requestChat", map[string]any{"nickname": name, "userData": map[string]any{openingID: id, "a": "b"}})[0]
	},
	"REST": func(h *fixture, name, id string) bayeuxtest.Frame {
		return h.restClient("support").do("", "nickname", name, "userData[a]", "b", "userData["+openingID+"]", id)
	},
}

// A requestChat that is sent again with its id is answered with the chat of the first.
func TestRepeatedOpening(t *testing.T) {
	for transport, ask := range openers {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				id := strings.Repeat("i", 22)
				first := ask(h, "Vera", id)
				again := ask(h, "Vera", id)
				if again["chatId"] != first["chatId"] || again["secureKey"] != first["secureKey"] || again["statusCode"] != 0.0 {
					t.Errorf("the repeat: got %v, want the chat and key of %v", again, first)
				}
				if got := lines(again); len(got) != 1 || got[0] != "1 ParticipantJoined Vera" {
					t.Errorf("the repeat: got %v, want the chat from its beginning", got)
				}
				for name, other := range map[string]bayeuxtest.Frame{
					"another id":   ask(h, "Vera", strings.Repeat("j", 22)),
					"another name": ask(h, "Wera", id),
				} {
					if other["chatId"] == first["chatId"] || other["statusCode"] != 0.0 {
						t.Errorf("%s: got %v, want another chat", name, other)
					}
				}
				joined := h.all(first["chatId"].(string))[0].Fact.(chat.Joined)
				if diff := cmp.Diff(map[string]string{"a": "b"}, joined.Opening.Data); diff != "" {
					t.Errorf("the chat's data: %s", diff)
				}
				p := h.restClient("support")
				p.chat, p.key = first["chatId"].(string), first["secureKey"].(string)
				p.do("disconnect")
				if n := ask(h, "Vera", id); n["chatId"] == first["chatId"] || n["statusCode"] != 0.0 {
					t.Errorf("after the end: got %v, want another chat", n)
				}
				for _, bad := range []string{"", "short", strings.Repeat("i", maxIdentifier+1)} {
					if n := ask(h, "Vera", bad); n["statusCode"] != 2.0 {
						t.Errorf("the id %q: got %v, want a refusal", bad, n)
					}
				}
			})
		})
	}
}

// A repeat that comes while the first is still being carried out waits for it; if that
// comes to nothing, the repeat opens the chat.
func TestRepeatedOpeningAtOnce(t *testing.T) {
	for name, fails := range map[string]bool{"the first succeeds": false, "the first fails": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				failed := false
				h.log.Fail(func(engine.Append) error {
					if fails && !failed {
						failed = true
						return errors.New("no space")
					}
					return nil
				})
				release := h.log.Hold()
				answers := make(chan bayeuxtest.Frame, 2)
				for range 2 {
					go func() { answers <- openers["REST"](h, "Vera", strings.Repeat("i", 22)) }()
				}
				synctest.Wait()
				if got := h.log.Waiting(); got != 1 {
					t.Errorf("%d appends wait, want the one of the first request", got)
				}
				release()
				a, b := <-answers, <-answers
				switch {
				case !fails && (a["chatId"] == nil || a["chatId"] != b["chatId"]):
					t.Errorf("got the chats %v and %v, want one", a["chatId"], b["chatId"])
				case fails && (a["statusCode"] == b["statusCode"]):
					t.Errorf("got the answers %v and %v, want one refusal and one chat", a, b)
				}
			})
		})
	}
}

// What is remembered of openings is bounded in time and number.
func TestOpeningsAreForgotten(t *testing.T) {
	key := func(i int) (k [sha256.Size]byte) {
		binary.BigEndian.PutUint64(k[:], uint64(i))
		return k
	}
	o, now := newOpenings(), time.Now()
	for i := range maxOpenings + 5 {
		op, first := o.begin(key(i), now)
		if !first {
			t.Fatalf("opening %d: got a repeat, want a new one", i)
		}
		o.end(op, 1)
	}
	if len(o.byKey) != maxOpenings || len(o.order) != maxOpenings {
		t.Errorf("got %d openings in a list of %d, want %d", len(o.byKey), len(o.order), maxOpenings)
	}
	if _, first := o.begin(key(maxOpenings), now); first {
		t.Error("the latest opening is forgotten")
	}
	if _, first := o.begin(key(maxOpenings), now.Add(openingsKept)); !first || len(o.byKey) != 1 {
		t.Errorf("after %v: first is %v and %d openings are kept, want true and 1", openingsKept, first, len(o.byKey))
	}
}

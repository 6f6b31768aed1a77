package push_test

import (
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

var rejected = &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.Misconfigured, Status: 403, Code: "PERMISSION_DENIED"}

// What somebody can mend kills no event before its time: a probe is sent, one
// at a time, ever less often, it is logged once, and when it is mended
// everything goes out.
func TestCircuitOpens(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		h.device.set(func(push.Message) error {
			time.Sleep(100 * time.Millisecond)
			return rejected
		})
		want := make(map[chat.ID][]int64)
		for range 40 {
			id := h.chat(phone)
			h.unbind(id, "c1")
			want[id] = []int64{h.say(id, "x"), h.say(id, "y")}
		}
		h.rest(5 * time.Minute)
		// At once 16, which is how many may be under way, and then one by one: after
		// 1 s, 2 s and so on up to 1 min, or half of it.
		tries := h.device.seen().tries
		if n := len(tries); n < 16+8 || n > 16+18 {
			t.Fatalf("%d attempts in 5 min", n)
		}
		for i := 16; i < len(tries); i++ {
			want := min(time.Second<<(i-16), time.Minute)
			if gap := tries[i].Sub(tries[i-1]) - 100*time.Millisecond; gap < want/2 || gap > want {
				t.Errorf("pause %d is %v, want up to %v", i-15, gap, want)
			}
		}
		if n := len(h.dead()); n != 0 {
			t.Errorf("%d events were given up", n)
		}
		if n := strings.Count(h.logged.String(), "circuit open"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
		h.device.set(nil)
		h.rest(2 * time.Minute)
		for id, indexes := range want {
			same(t, "after it was mended", indexes, h.device.indexes(id))
		}
		if n := strings.Count(h.logged.String(), "circuit closed"); n != 1 {
			t.Errorf("its end was logged %d times:\n%s", n, h.logged)
		}
	})
}

// What nobody mends in an event's time is given up for the reason that the circuit
// is rejected, whether it has been tried itself or not.
func TestOpenCircuitExpires(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		h.device.set(func(push.Message) error { return rejected })
		for range 20 {
			id := h.chat(phone)
			h.unbind(id, "c1")
			h.say(id, "x")
		}
		h.rest(9*time.Minute + 59*time.Second)
		if n := len(h.dead()); n != 0 {
			t.Errorf("%d events were given up too soon", n)
		}
		h.rest(time.Minute)
		dead := h.dead()
		if len(dead) != 20 {
			t.Errorf("%d events were given up", len(dead))
		}
		for _, d := range dead {
			if d.Reason != "403 PERMISSION_DENIED" {
				t.Errorf("got the dead letter %+v, want the reason 403 PERMISSION_DENIED", d)
			}
		}
	})
}

// A probe that fails for another reason opens nothing, and neither does one
// whose message or device is refused.
func TestOnlySuccessClosesTheCircuit(t *testing.T) {
	inBubble(t, func(o *push.Options) { o.Expiry = time.Hour }, func(t *testing.T, h *fixture) {
		a, b := h.chat(phone), h.chat(phone)
		h.unbind(a, "c1")
		h.unbind(b, "c1")
		h.device.set(func(push.Message) error { return rejected })
		h.say(a, "x")
		second := h.say(b, "y")
		h.rest(time.Second / 4)
		for _, f := range []*push.Fault{busy, {Carrier: chat.CarrierFCM, Verdict: push.DeviceTransient, Status: 404}, rejected} {
			h.device.set(func(push.Message) error { return f })
			before := len(h.device.seen().tries)
			h.rest(4 * time.Minute)
			if n := len(h.device.seen().tries) - before; n < 2 {
				t.Errorf("%v: %d attempts in 4 min", f, n)
			}
		}
		if text := h.logged.String(); strings.Count(text, "circuit open") != 1 || strings.Contains(text, "circuit closed") {
			t.Errorf("got the log\n%s\nwant the circuit opened once and never closed", text)
		}
		h.device.set(func(m push.Message) error {
			if m.Chat == a {
				return &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.Permanent, Status: 400}
			}
			return nil
		})
		h.rest(3 * time.Minute)
		same(t, "taken", []int64{second}, h.device.indexes(0))
		if n := len(h.dead()); n != 1 {
			t.Errorf("%d events were given up", n)
		}
	})
}

// A device that does not go with the credentials holds up nobody else.
func TestDeviceFaultAffectsNoOther(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		a, b := h.chat(phone), h.chat(phone)
		h.unbind(a, "c1")
		h.unbind(b, "c1")
		h.device.set(func(m push.Message) error {
			if m.Chat == a {
				return &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.DeviceTransient, Status: 403, Code: "SENDER_ID_MISMATCH", After: time.Minute}
			}
			return nil
		})
		h.say(a, "x")
		h.rest(time.Second)
		index := h.say(b, "y")
		h.rest(time.Second)
		same(t, "the other one's", []int64{index}, h.device.indexes(b))
		if n := len(h.device.seen().tries); n != 2 || len(h.dead()) != 0 {
			t.Errorf("%d attempts, %v", n, h.dead())
		}
		h.rest(11 * time.Minute)
		if d := h.dead(); len(d) != 1 || d[0].Attempts < 5 {
			t.Errorf("got the dead letters %v, want one after at least 5 attempts", d)
		}
	})
}

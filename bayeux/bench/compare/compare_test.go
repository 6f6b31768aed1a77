package main

import (
	"testing"
	"time"
)

func TestQuantileIsWithinThreePerCent(t *testing.T) {
	var h histogram
	for us := 1; us <= 100_000; us++ {
		h.add(time.Duration(us) * time.Microsecond)
	}
	for _, q := range []float64{0.01, 0.5, 0.99, 0.999} {
		want := time.Duration(q * 100_000 * float64(time.Microsecond))
		if got := h.quantile(q); got < want || float64(got) > 1.04*float64(want)+2000 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	h.reset()
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("an empty histogram says %v", got)
	}
}

func TestBucketsHoldWhatBelongsInThem(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d = d*9/8 + 333 {
		b := bucket(d)
		if d > upper(b) || b > 0 && d <= upper(b-1) {
			t.Fatalf("%v is in bucket %d, which ends at %v", d, b, upper(b))
		}
	}
}

func TestScanFindsEveryTimestamp(t *testing.T) {
	payload := batch(nil, "me", 7, 1234567, []byte("xx"), func() int { return 3 })
	n := scan(payload, func(at int64) {
		if at != 1234567 {
			t.Errorf("found %d", at)
		}
	})
	if n != batchSize {
		t.Errorf("found %d of %d", n, batchSize)
	}
	if holdsConnect(payload) || !holdsConnect(connectBody("websocket", "me")) {
		t.Error("a connect is mistaken")
	}
}

func TestSeatingsFanOut(t *testing.T) {
	members := make(map[string]map[int]bool)
	for who, list := range seatings() {
		if len(list) != roomsPerClient {
			t.Fatalf("client %d is in %d rooms", who, len(list))
		}
		for _, room := range list {
			if members[room] == nil {
				members[room] = make(map[int]bool)
			}
			members[room][who] = true
		}
	}
	if len(members) != rooms {
		t.Fatalf("%d rooms", len(members))
	}
	for room, who := range members {
		if len(who) != fanOut {
			t.Errorf("%s has %d members", room, len(who))
		}
	}
}

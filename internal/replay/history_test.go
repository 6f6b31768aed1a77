package replay

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/tape"
)

// told is a history of events with some indexes left out.
func told(kinds []string, gaps []int) *history {
	l := newHistory()
	index := 0
	var list []any
	for i, kind := range kinds {
		index += 1 + gaps[i]
		list = append(list, object{"index": json.Number(fmt.Sprint(index)), "type": kind, "from": object{"type": "Client"}})
	}
	l.message(1, object{"data": object{
		"statusCode": json.Number("0"), "messages": list, "nextPosition": json.Number(fmt.Sprint(index + 3)),
	}})
	return l
}

// A position means the same event in both histories, wherever it lies.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"Message", "TypingStarted", "Notice"}), 1, 12).Draw(t, "kinds")
		gaps := func(name string) []int {
			return rapid.SliceOfN(rapid.IntRange(0, 2), len(kinds), len(kinds)).Draw(t, name)
		}
		recorded, live := told(kinds, gaps("recorded")), told(kinds, gaps("live"))
		every := func(event) bool { return true }
		is := live.ordered(every)
		for i, e := range recorded.ordered(every) {
			if e.index == 1 {
				continue // the beginning, in both
			}
			if got, ok := position(recorded, live, e.index); !ok || got != is[i].index {
				t.Fatalf("event %d: %d becomes %d, want %d", i, e.index, got, is[i].index)
			}
		}
		for n, want := range map[int64]int64{-1: -1, 0: 0, 1: 1, recorded.next: live.next, recorded.last + 1: live.last + 1} {
			if got, ok := position(recorded, live, n); !ok || got != want {
				t.Fatalf("%d becomes %d, want %d", n, got, want)
			}
		}
		// What came only now does not shift where somebody reads on from the last
		// event that it knows.
		known := is[len(is)-1].index
		live.message(1, object{"data": object{"messages": []any{object{"index": json.Number(fmt.Sprint(known + 4)), "type": "Message", "from": object{"type": "Agent"}}}}})
		if got, _ := position(recorded, live, recorded.last); recorded.last > 1 && got != known {
			t.Fatalf("the last one becomes %d, want %d", got, known)
		}
		if missing := recorded.deficits(live); len(missing) > 0 {
			t.Fatalf("missing: %v", missing)
		}
	})
}

// Lines belong together if they share a client, a key, a chat or a browser, and
// not if they only share a name.
func TestPlan(t *testing.T) {
	publish := func(conn, client, key string) tape.Line {
		return tape.Line{Kind: tape.KindRequest, From: tape.Client, Via: tape.LongPolling, Conn: conn, Path: "cometd", Messages: []map[string]any{
			{"channel": "/service/chatV2/x", "clientId": client, "data": object{"secureKey": key, "message": "text-1(4)"}},
		}}
	}
	conversations, actions := plan([]tape.Line{
		publish("h1", "client-1", "key-1"),
		publish("h2", "client-2", "key-2"),
		publish("h3", "client-3", "key-1"), // the chat of the first
		{Kind: tape.KindRequest, From: tape.Client, Via: tape.REST, Conn: "h4", Path: "2/chat/x/chat-2/send", Fields: []tape.Field{{Name: "secureKey", Value: "key-2"}}},
		{Kind: tape.KindRequest, From: tape.Client, Via: tape.WebSocket, Conn: "w5", Path: "cometd", Cookies: map[string]string{"BAYEUX_BROWSER": "cookie-1"}},
		{Kind: tape.KindFrame, From: tape.Client, Via: tape.WebSocket, Conn: "w5", Messages: []map[string]any{{"channel": "/meta/handshake"}}},
		{Kind: tape.KindFrame, From: tape.Server, Via: tape.WebSocket, Conn: "w5", Messages: []map[string]any{{"channel": "/meta/handshake", "clientId": "client-4"}}},
		{Kind: tape.KindRequest, From: tape.Client, Via: tape.Other, Conn: "h6"},
	})
	var got []string
	for _, c := range conversations {
		var lines []int
		for _, a := range c.actions {
			lines = append(lines, a.n)
		}
		got = append(got, fmt.Sprint(lines))
	}
	if want := []string{"[2 4]", "[3 5]", "[6 7 8]"}; !slices.Equal(got, want) {
		t.Errorf("conversations: got %v, want %v", got, want)
	}
	if actions[5].session.name != "client-4" || actions[3].session.name != "chat-2" {
		t.Errorf("got the sessions %s and %s, want client-4 and chat-2", actions[5].session.name, actions[3].session.name)
	}
}

// What the server still said when the client had closed is waited for before the
// connection is closed.
func TestAClosingIsPlayedBehindWhatWasOnItsWay(t *testing.T) {
	frame := func(from, conn, channel string) tape.Line {
		return tape.Line{Kind: tape.KindFrame, From: from, Via: tape.WebSocket, Conn: conn, Messages: []map[string]any{{"channel": channel, "clientId": "client-1", "id": "1"}}}
	}
	end := func(from, conn string) tape.Line {
		return tape.Line{Kind: tape.KindClose, From: from, Via: tape.WebSocket, Conn: conn}
	}
	conversations, _ := plan([]tape.Line{
		frame(tape.Client, "w1", "/meta/disconnect"),
		end(tape.Client, "w1"),
		frame(tape.Client, "w2", "/meta/connect"),
		frame(tape.Server, "w1", "/meta/disconnect"),
		end(tape.Client, "w2"),
	})
	if len(conversations) != 1 {
		t.Fatalf("got %d conversations, want 1", len(conversations))
	}
	var got []int
	for _, a := range conversations[0].actions {
		got = append(got, a.n)
	}
	if want := []int{2, 4, 5, 3, 6}; !slices.Equal(got, want) {
		t.Errorf("got the lines in the order %v, want %v", got, want)
	}
}

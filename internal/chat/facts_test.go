package chat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var (
	someText  = rapid.String()
	someNo    = rapid.IntRange(1, 9)
	someStaff = rapid.Map(rapid.Int64Range(1, 1<<40), func(n int64) StaffID { return StaffID(n) })
	someID    = rapid.Map(rapid.Uint64Range(1, 1<<63-1), func(n uint64) ID { return ID(n) })
	someTime  = rapid.Map(rapid.Int64Range(0, 1<<42), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() })
	someRole  = rapid.SampledFrom([]Role{RoleVisitor, RoleAgent, RoleSupervisor, RoleBot, RoleHouse})
	someJSON  = rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{}`), json.RawMessage(`{"a":["<&>\u2028",1.50,null]}`)})
)

func drawOpening(t *rapid.T) *Opening {
	if rapid.Bool().Draw(t, "no opening") {
		return nil
	}
	return &Opening{
		Service: someText.Draw(t, "service"), Queue: someText.Draw(t, "queue"), Subject: someText.Draw(t, "subject"),
		FirstName: someText.Draw(t, "first"), LastName: someText.Draw(t, "last"), Email: someText.Draw(t, "email"),
		Data:    rapid.MapOfN(someText, someText, 0, 3).Draw(t, "data"),
		Channel: someText.Draw(t, "channel"), Browser: someText.Draw(t, "browser"), KeyEpoch: rapid.Uint16().Draw(t, "epoch"),
		Language: someText.Draw(t, "language"),
		Async:    rapid.Bool().Draw(t, "async"),
	}
}

// chatDraws and agentDraws draw a fact of every kind.
var chatDraws = map[string]func(*rapid.T) Fact{
	"joined": func(t *rapid.T) Fact {
		return Joined{
			No: someNo.Draw(t, "no"), Role: someRole.Draw(t, "role"), Name: someText.Draw(t, "name"),
			Staff: someStaff.Draw(t, "staff"), Opening: drawOpening(t),
		}
	},
	"left": func(t *rapid.T) Fact {
		return Left{
			someNo.Draw(t, "no"), rapid.SampledFrom([]LeaveReason{LeftByChoice, LeftEnding, LeftLost, LeftHolding, LeftSignedOut}).Draw(t, "reason"), someTime.Draw(t, "until"),
		}
	},
	"said": func(t *rapid.T) Fact {
		return Said{
			No: someNo.Draw(t, "no"), Text: someText.Draw(t, "text"), Type: someText.Draw(t, "type"),
			Attributes: someJSON.Draw(t, "attributes"), Audience: rapid.SampledFrom([]Audience{AudienceAll, AudienceStaff, AudiencePrivate}).Draw(t, "to"),
			Only: rapid.SliceOfN(someNo, 0, 3).Draw(t, "only"),
		}
	},
	"typed": func(t *rapid.T) Fact {
		return Typed{No: someNo.Draw(t, "no"), On: rapid.Bool().Draw(t, "on"), Expired: rapid.Bool().Draw(t, "expired")}
	},
	"renamed": func(t *rapid.T) Fact { return Renamed{someNo.Draw(t, "no"), someText.Draw(t, "name")} },
	"pushed":  func(t *rapid.T) Fact { return Pushed{someNo.Draw(t, "no"), someText.Draw(t, "url")} },
	"noticed": func(t *rapid.T) Fact {
		return Noticed{someNo.Draw(t, "no"), someText.Draw(t, "text"), someJSON.Draw(t, "attributes")}
	},
	"data": func(t *rapid.T) Fact {
		return DataSet{someNo.Draw(t, "no"), rapid.MapOfN(someText, someText, 0, 3).Draw(t, "data")}
	},
	"seen": func(t *rapid.T) Fact { return Seen{someNo.Draw(t, "no"), rapid.Int64Range(1, 1<<40).Draw(t, "upto")} },
	"queued": func(t *rapid.T) Fact {
		return Queued{someText.Draw(t, "queue"), someStaff.Draw(t, "prefer"), someTime.Draw(t, "since")}
	},
	"offered": func(t *rapid.T) Fact {
		return Offered{
			someStaff.Draw(t, "agent"), someText.Draw(t, "name"), someRole.Draw(t, "role"), someTime.Draw(t, "until"), someText.Draw(t, "reason"),
		}
	},
	"accepted": func(t *rapid.T) Fact { return Accepted{someStaff.Draw(t, "agent")} },
	"declined": func(t *rapid.T) Fact {
		return Declined{someStaff.Draw(t, "agent"), someTime.Draw(t, "until"), someText.Draw(t, "reason")}
	},
	"missed":    func(t *rapid.T) Fact { return Missed{someStaff.Draw(t, "agent"), someTime.Draw(t, "until")} },
	"withdrawn": func(t *rapid.T) Fact { return Withdrawn{someStaff.Draw(t, "agent"), someText.Draw(t, "reason")} },
	"bound":     func(t *rapid.T) Fact { return Bound{someText.Draw(t, "channel"), someText.Draw(t, "browser")} },
	"unbound": func(t *rapid.T) Fact {
		return Unbound{Channel: someText.Draw(t, "channel"), Since: someTime.Draw(t, "since"), Heard: someTime.Draw(t, "heard")}
	},
	"away": func(t *rapid.T) Fact {
		return Away{rapid.SampledFrom([]AwayReason{AwayLost, AwayBackground}).Draw(t, "reason"), rapid.Int64Range(0, 1<<40).Draw(t, "from")}
	},
	"subscribed": func(t *rapid.T) Fact {
		return Subscribed{Device{
			Carrier: Carrier(someText.Draw(t, "carrier")), Token: Token(someText.Draw(t, "token")), Provider: someText.Draw(t, "provider"),
			Language: someText.Draw(t, "language"), Debug: rapid.Bool().Draw(t, "debug"), Payload: rapid.Bool().Draw(t, "payload"),
		}}
	},
	"lapsed": func(t *rapid.T) Fact {
		return Unsubscribed{rapid.SampledFrom([]UnsubscribeReason{UnsubscribedByChoice, UnsubscribedInvalid}).Draw(t, "reason")}
	},
	"shared": func(t *rapid.T) Fact {
		return Shared{
			someNo.Draw(t, "no"), FileID(someText.Draw(t, "file")), someText.Draw(t, "name"),
			rapid.Int64Range(1, 1<<40).Draw(t, "size"), someText.Draw(t, "type"), someText.Draw(t, "description"),
		}
	},
	"unshared": func(t *rapid.T) Fact { return Unshared{someNo.Draw(t, "no"), FileID(someText.Draw(t, "file"))} },
	"fetched":  func(t *rapid.T) Fact { return Fetched{someNo.Draw(t, "no"), FileID(someText.Draw(t, "file"))} },
	"ended": func(t *rapid.T) Fact {
		return Finished{someNo.Draw(t, "by"), rapid.SampledFrom([]EndReason{EndedByVisitor, EndedByAgent, EndedGone, EndedIdle}).Draw(t, "reason")}
	},
	"idle-warned": func(t *rapid.T) Fact {
		return IdleWarned{
			someNo.Draw(t, "no"), rapid.IntRange(1, 2).Draw(t, "stage"), someText.Draw(t, "text"), someTime.Draw(t, "again"), someTime.Draw(t, "closes"),
		}
	},
	"idle-reset":  func(*rapid.T) Fact { return IdleReset{} },
	"idle-closed": func(t *rapid.T) Fact { return IdleClosed{someNo.Draw(t, "no"), someText.Draw(t, "text")} },
	"survey": func(t *rapid.T) Fact {
		return SurveyOffered{someNo.Draw(t, "no"), someText.Draw(t, "url"), someText.Draw(t, "cancel")}
	},
	"held": func(t *rapid.T) Fact { return Held{someNo.Draw(t, "no"), someStaff.Draw(t, "agent")} },
}

var agentDraws = map[string]func(*rapid.T) AgentFact{
	"presence": func(t *rapid.T) AgentFact {
		return PresenceChanged{
			rapid.SampledFrom([]Presence{Offline, NotReady, Ready, NotResponding}).Draw(t, "to"), someText.Draw(t, "reason"),
		}
	},
	"offer-made": func(t *rapid.T) AgentFact {
		return OfferMade{
			someID.Draw(t, "chat"), someTime.Draw(t, "until"), someText.Draw(t, "queue"), someText.Draw(t, "name"),
			someText.Draw(t, "subject"), someTime.Draw(t, "since"), someText.Draw(t, "reason"),
		}
	},
	"offer-closed": func(t *rapid.T) AgentFact {
		return OfferClosed{
			someID.Draw(t, "chat"), rapid.SampledFrom([]Outcome{OutcomeAccepted, OutcomeDeclined, OutcomeMissed, OutcomeWithdrawn}).Draw(t, "outcome"),
		}
	},
	"assigned": func(t *rapid.T) AgentFact { return Assigned{someID.Draw(t, "chat")} },
	"freed":    func(t *rapid.T) AgentFact { return Freed{someID.Draw(t, "chat")} },
	"unbound":  func(t *rapid.T) AgentFact { return AgentUnbound{someTime.Draw(t, "warn"), someTime.Draw(t, "release")} },
	"bound":    func(*rapid.T) AgentFact { return AgentBound{} },
}

func keys[V any](m map[string]V) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func TestFactsComeBack(t *testing.T) {
	if diff := cmp.Diff(keys(chatFacts), keys(chatDraws)); diff != "" {
		t.Fatalf("the test does not draw the facts that there are (-are +drawn):\n%s", diff)
	}
	for kind, draw := range chatDraws {
		t.Run(kind, rapid.MakeCheck(func(t *rapid.T) {
			e := Event{Command: someText.Draw(t, "command"), Fact: draw(t)}
			body, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			e2, err := DecodeEvent(body)
			if diff := cmp.Diff(e, e2, cmpopts.EquateEmpty()); diff != "" || err != nil {
				t.Fatalf("%s came back otherwise (-before +after), %v:\n%s", body, err, diff)
			}
			if again, err := e2.Encode(); err != nil || !bytes.Equal(body, again) {
				t.Fatalf("%s became %s, %v", body, again, err)
			}
		}))
	}
}

func TestAgentFactsComeBack(t *testing.T) {
	if diff := cmp.Diff(keys(agentFacts), keys(agentDraws)); diff != "" {
		t.Fatalf("the test does not draw the facts that there are (-are +drawn):\n%s", diff)
	}
	for kind, draw := range agentDraws {
		t.Run(kind, rapid.MakeCheck(func(t *rapid.T) {
			e := AgentEvent{Command: someText.Draw(t, "command"), Fact: draw(t)}
			body, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := DecodeAgentEvent(body); err != nil || !cmp.Equal(e, back) {
				t.Fatalf("%s came back as %+v, %v", body, back, err)
			}
		}))
	}
}

func TestPreviewIsNotStored(t *testing.T) {
	body, err := Event{Fact: Typed{No: 1, On: true}, Preview: "my secret"}.Encode()
	if err != nil || bytes.Contains(body, []byte("secret")) {
		t.Errorf("the record is %s, %v", body, err)
	}
}

func TestForeignRecords(t *testing.T) {
	for _, body := range []string{
		"", "{", "null", "[]", `{"k":"sung"}`, `{"f":{}}`, `{"k":"said"}`, `{"k":"said","f":[]}`, `{"k":"said","f":{"no":"one"}}`,
	} {
		t.Run(body, func(t *testing.T) {
			if e, err := DecodeEvent([]byte(body)); err == nil {
				t.Errorf("%q was read as %+v", body, e)
			}
		})
	}
	for _, body := range []string{"", `{"k":"sung"}`, `{"k":"freed","f":{"chat":"no id"}}`} {
		t.Run(body, func(t *testing.T) {
			if e, err := DecodeAgentEvent([]byte(body)); err == nil {
				t.Errorf("%q was read as %+v", body, e)
			}
		})
	}
}

// What a newer version wrote comes back as it was.
func TestUnknownFactsComeBack(t *testing.T) {
	const body = `{"k":"transferred","c":"s7:1","f":{"to":8,"note":"<&>","more":[1.50,null]}}`
	e, err := DecodeEvent([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := e.Fact.(UnknownFact); !ok || f.Kind != "transferred" || e.Command != "s7:1" || e.VisibleToVisitor() {
		t.Errorf("got %+v, visible to the visitor: %v, want an unknown fact that is not", e, e.VisibleToVisitor())
	}
	if again, err := e.Encode(); err != nil || string(again) != body {
		t.Errorf("a chat's event was written again as\n%s, %v, want\n%s", again, err, body)
	}
	own, err := DecodeAgentEvent([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := own.Encode(); err != nil || string(again) != body {
		t.Errorf("an agent's event was written again as\n%s, %v, want\n%s", again, err, body)
	}
}

// A chat to which a newer version has written takes no command that depends on
// what this version does not know; listening goes on, and nothing falls due.
func TestNewerChat(t *testing.T) {
	s := talk(t)
	s.Apply(Event{Index: s.Last + 1, At: s.LastAt, Fact: UnknownFact{Kind: "transferred", Body: json.RawMessage(`{}`)}})
	if due := s.Deadline(); !due.IsZero() {
		t.Errorf("got the deadline %v, want none", due)
	}
	visitor, agent := TheVisitor(), Staff(7)
	for _, c := range []struct {
		name string
		by   Actor
		do   Action
		want Kind
		adds int
	}{
		{"say", visitor, Say{Text: "hello"}, Newer, 0},
		{"end", agent, End{}, Newer, 0},
		{"share", visitor, Share{}, Newer, 0},
		{"offer", Actor{}, Offer{Agent: 8}, Newer, 0},
		{"bind", visitor, Bind{Channel: "c9"}, 0, 1},
		{"tick", Actor{}, Tick{}, 0, 0},
		{"recover", Actor{}, Recover{}, 0, 0},
		{"withdraw", Actor{}, Withdraw{Agent: 8}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Decide(s, Command{At: s.LastAt.Add(time.Hour), By: c.by, Do: c.do})
			if KindOf(err) != c.want || len(d.Events) != c.adds {
				t.Errorf("got %d events, %v, want %d and the kind %v", len(d.Events), err, c.adds, c.want)
			}
		})
	}
}

// TestRecordFormat compares with the records that were written when the format
// was frozen. The lines of the file are never changed: stores hold records like
// them. New facts and fields get new lines.
func TestRecordFormat(t *testing.T) {
	until := time.Date(2026, 3, 1, 9, 30, 0, 250_000_000, time.UTC)
	since := until.Add(-20 * time.Second)
	samples := []any{
		Event{Command: "v:1", Fact: Joined{No: 1, Role: RoleVisitor, Name: "Ada <é>", Opening: &Opening{
			Service: "support", Queue: "people", Subject: "a bill", FirstName: "Ada", LastName: "L", Email: "ada@example.org",
			Data: map[string]string{"b": "2", "a": "1"}, Channel: "c1", Browser: "b1", KeyEpoch: 1,
		}}},
		Event{Fact: Joined{No: 1, Role: RoleVisitor, Name: "Ada", Opening: &Opening{Service: "s", Queue: "q", KeyEpoch: 2}}},
		Event{Fact: Joined{No: 1, Role: RoleVisitor, Name: "Ada", Opening: &Opening{Service: "s", Queue: "q", KeyEpoch: 1, Language: "de-DE"}}},
		Event{Command: "s7:x", Fact: Joined{No: 2, Role: RoleAgent, Name: "Ben", Staff: 7}},
		Event{Fact: Left{No: 2}},
		Event{Fact: Left{No: 2, Reason: LeftEnding}},
		Event{Fact: Left{No: 1, Reason: LeftLost}},
		Event{Command: "v:2", Fact: Said{No: 1, Text: "hello & \"good\" <day>\n\u2028"}},
		Event{Fact: Said{No: 2, Text: "psst", Type: "text", Attributes: json.RawMessage(`{"x":{"y":"<&>"}}`), Audience: AudienceStaff}},
		Event{Fact: Typed{No: 1, On: true}},
		Event{Fact: Typed{No: 1}},
		Event{Fact: Queued{Queue: "people"}},
		Event{Fact: Offered{Agent: 7, Name: "Ben", Role: RoleAgent, Until: until, Reason: "waited 41 s"}},
		Event{Fact: Accepted{Agent: 7}},
		Event{Fact: Declined{Agent: 7, Until: until, Reason: "busy"}},
		Event{Fact: Missed{Agent: 7, Until: until}},
		Event{Fact: Withdrawn{Agent: 7, Reason: "the chat has ended"}},
		Event{Fact: Bound{Channel: "c2", Browser: "b2"}},
		Event{Fact: Unbound{Channel: "c2"}},
		Event{Fact: Unbound{}},
		Event{Fact: Away{}},
		Event{Fact: Finished{By: 1, Reason: EndedByVisitor}},
		Event{Fact: Finished{Reason: EndedGone}},
		Event{Fact: Renamed{No: 1, Name: "Ada L"}},
		Event{Fact: Pushed{No: 2, URL: "https://example.org/?a=1&b=2"}},
		Event{Fact: Noticed{No: 1, Text: "n1", Attributes: json.RawMessage(`{"purpose":"cancel-idle-timer"}`)}},
		Event{Fact: DataSet{No: 1, Data: map[string]string{"a": "2", "b": "3"}}},
		Event{Fact: Seen{No: 1, Upto: 12}},
		AgentEvent{Command: "9", Fact: PresenceChanged{To: NotReady, Reason: "lunch"}},
		AgentEvent{Fact: OfferMade{
			Chat: 0x1A2B3C4D5E6F7081, Until: until, Queue: "people", Name: "Ada", Subject: "a bill", Since: since, Reason: "waited 41 s",
		}},
		AgentEvent{Fact: OfferClosed{Chat: 0x1A2B3C4D5E6F7081, Outcome: OutcomeMissed}},
		AgentEvent{Fact: Assigned{Chat: 0x1A2B3C4D5E6F7081}},
		AgentEvent{Fact: Freed{Chat: 0x1A2B3C4D5E6F7081}},
		Event{Fact: Unbound{Channel: "c2", Since: since, Heard: until}},
		Event{Fact: Away{Reason: AwayBackground, From: 7}},
		Event{Fact: Subscribed{Device{Carrier: CarrierFCM, Token: "a:b_c", Provider: "app", Language: "de", Debug: true, Payload: true}}},
		Event{Fact: Subscribed{Device{Carrier: CarrierAPNs, Token: "00ff"}}},
		Event{Fact: Unsubscribed{}},
		Event{Fact: Unsubscribed{Reason: UnsubscribedInvalid}},
		Event{Fact: Joined{No: 1, Role: RoleVisitor, Name: "Ada", Opening: &Opening{Service: "s", Queue: "q", Async: true, KeyEpoch: 1}}},
		Event{Fact: Joined{No: 2, Role: RoleHouse, Name: "System"}},
		Event{Command: "s7:1", Fact: Left{No: 3, Until: until}},
		Event{Command: "s7:2", Fact: Left{No: 3, Reason: LeftHolding}},
		Event{Command: "s7:2", Fact: Held{No: 3, Agent: 7}},
		Event{Command: "v:3", Fact: Queued{Queue: "people", Prefer: 7}},
		Event{Fact: Said{No: 3, Text: "psst", Audience: AudiencePrivate, Only: []int{4, 5}}},
		Event{Fact: IdleWarned{No: 2, Stage: 1, Text: "still there?", Again: since, Closes: until}},
		Event{Fact: IdleWarned{No: 2, Stage: 2, Closes: until}},
		Event{Fact: IdleReset{}},
		Event{Fact: IdleClosed{No: 2, Text: "good bye"}},
		Event{Fact: SurveyOffered{No: 4, URL: "https://example.org/s?a=1&b=2", Cancel: "https://example.org/no"}},
		Event{Fact: Finished{Reason: EndedIdle}},
		Event{Fact: Shared{No: 1, File: "00D35C5AEFF602DB", Name: "bill <1>.pdf", Size: 1234, Type: "application/pdf", Description: "the bill"}},
		Event{Command: "s7:y", Fact: Shared{No: 2, File: "00D35C5AEFF602DC", Name: "a.txt", Size: 1, Type: "text/plain; charset=utf-8"}},
		Event{Fact: Unshared{No: 1, File: "00D35C5AEFF602DB"}},
		Event{Fact: Fetched{No: 1, File: "00D35C5AEFF602DC"}},
		AgentEvent{Fact: AgentUnbound{Warn: until, Release: until.Add(time.Minute)}},
		AgentEvent{Fact: AgentBound{}},
		Event{Fact: Left{No: 2, Reason: LeftSignedOut}},
		Event{Fact: Queued{Queue: "people", Prefer: 7, Since: until}},
	}
	lines := goldenLines(t)
	if len(lines) != len(samples) {
		t.Errorf("%d lines for %d samples", len(lines), len(samples))
	}
	seen := make(map[string]bool)
	for i, sample := range samples {
		var body []byte
		var back any
		var err, err2 error
		var line string
		if i < len(lines) {
			line = lines[i]
		}
		switch e := sample.(type) {
		case Event:
			body, err = e.Encode()
			back, err2 = DecodeEvent([]byte(line))
			seen["chat "+e.Fact.fact()] = true
		case AgentEvent:
			body, err = e.Encode()
			back, err2 = DecodeAgentEvent([]byte(line))
			seen["agent "+e.Fact.fact()] = true
		}
		if err != nil || string(body) != line {
			t.Errorf("sample %d is written as\n%s\nthe frozen record is\n%s\n%v", i+1, body, line, err)
		}
		if diff := cmp.Diff(sample, back); diff != "" || err2 != nil {
			t.Errorf("line %d is read otherwise (-sample +read), %v:\n%s", i+1, err2, diff)
		}
	}
	for log, facts := range map[string]registry{"chat ": chatFacts, "agent ": agentFacts} {
		for _, kind := range keys(facts) {
			if !seen[log+kind] {
				t.Errorf("the format of the fact %s%s is not frozen", log, kind)
			}
		}
	}
}

func goldenLines(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		lines = append(lines, strings.TrimSpace(sc.Text()))
	}
	return lines
}

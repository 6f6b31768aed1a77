package engine

import (
	"encoding/json"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// agentLedger is the ledger of an agent. Chats write into it too, as tails of
// their own appends, so its room meets conflicts as a matter of course.
type agentLedger struct {
	s *chat.AgentState
}

func newAgentLedger(id chat.StaffID) *agentLedger { return &agentLedger{chat.NewAgentState(id)} }

func (l *agentLedger) last() int64 { return l.s.Last }

func (l *agentLedger) decide(c chat.AgentCommand) (verdict[chat.AgentEvent], error) {
	events, err := chat.DecideAgent(l.s, c)
	return verdict[chat.AgentEvent]{events: events}, err
}

func (l *agentLedger) apply(e chat.AgentEvent) { l.s.Apply(e) }

// view copies the struct alone: Apply replaces the slices and never writes
// into them.
func (l *agentLedger) view() chat.AgentState { return *l.s }

func (l *agentLedger) row(chat.AgentState) *chat.Summary { return nil }

func (l *agentLedger) record(e chat.AgentEvent) (Record, error) {
	body, err := e.Encode()
	return Record{Index: e.Index, At: e.At, Body: body}, err
}

func (l *agentLedger) event(rec Record) (chat.AgentEvent, error) {
	e, err := chat.DecodeAgentEvent(rec.Body)
	e.Index, e.At = rec.Index, rec.At
	return e, err
}

func (l *agentLedger) stale(chat.AgentEvent, time.Time) bool { return false }

func (l *agentLedger) command(e chat.AgentEvent) string { return e.Command }

func (l *agentLedger) frees(chat.AgentEvent) (int, bool) { return 0, false }

func (l *agentLedger) checkpoint() ([]byte, bool) {
	body, err := json.Marshal(l.s)
	return body, err == nil
}

func (l *agentLedger) restore(c Checkpoint) bool {
	s := chat.NewAgentState(l.s.ID)
	if err := json.Unmarshal(c.Body, s); err != nil || s.ID != l.s.ID || s.Last != c.Index {
		return false
	}
	l.s = s
	return true
}

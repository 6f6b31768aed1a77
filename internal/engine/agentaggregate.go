package engine

import (
	"encoding/json"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// agentAggregate is the aggregate of an agent. Chats write into it too, as tails of
// their own appends, so its room meets conflicts as a matter of course.
type agentAggregate struct {
	s *chat.AgentState
}

func newAgentAggregate(id chat.StaffID) *agentAggregate {
	return &agentAggregate{chat.NewAgentState(id)}
}

func (l *agentAggregate) last() int64 { return l.s.Last }

func (l *agentAggregate) decide(c chat.AgentCommand) (decision[chat.AgentEvent], error) {
	events, err := chat.DecideAgent(l.s, c)
	return decision[chat.AgentEvent]{events: events}, err
}

func (l *agentAggregate) apply(e chat.AgentEvent) { l.s.Apply(e) }

// view copies the struct alone: Apply replaces the slices and never writes
// into them.
func (l *agentAggregate) view() chat.AgentState { return *l.s }

func (l *agentAggregate) row(chat.AgentState) *chat.Summary { return nil }

func (l *agentAggregate) record(e chat.AgentEvent) (Record, error) {
	body, err := e.Encode()
	return Record{Index: e.Index, At: e.At, Body: body}, err
}

func (l *agentAggregate) event(rec Record) (chat.AgentEvent, error) {
	e, err := chat.DecodeAgentEvent(rec.Body)
	e.Index, e.At = rec.Index, rec.At
	return e, err
}

func (l *agentAggregate) lastVisible() int64 { return l.s.Last }

func (l *agentAggregate) due() time.Time { return time.Time{} }

func (l *agentAggregate) tick() chat.AgentCommand { return chat.AgentCommand{} }

func (l *agentAggregate) stale(chat.AgentEvent, time.Time) bool { return false }

func (l *agentAggregate) command(e chat.AgentEvent) string { return e.Command }

func (l *agentAggregate) supersedes(chat.AgentEvent) (int, bool) { return 0, false }

// checkpointVersion is that of the fold. A checkpoint of any other version is
// not taken up: what another fold had made of the log is not known here.
const checkpointVersion = 1

type agentCheckpoint struct {
	Version int `json:"v"`
	*chat.AgentState
}

func (l *agentAggregate) checkpoint() ([]byte, bool) {
	if l.s.Newer {
		return nil, false
	}
	body, err := json.Marshal(agentCheckpoint{checkpointVersion, l.s})
	return body, err == nil
}

func (l *agentAggregate) checkpointEvery() int64 { return 64 }

func (l *agentAggregate) restore(c Checkpoint) bool {
	s := chat.NewAgentState(l.s.ID)
	found := agentCheckpoint{AgentState: s}
	if err := json.Unmarshal(c.Body, &found); err != nil || found.Version != checkpointVersion || s.ID != l.s.ID || s.Last != c.Index {
		return false
	}
	l.s = s
	return true
}

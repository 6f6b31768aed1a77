package chat

import (
	"encoding/json"
	"errors"
	"time"
)

// checkpointVersion is that of the fold of a chat. It is raised whenever [State.Apply]
// makes something else of the same log, so that no state of another fold is taken up.
const checkpointVersion = 1

// plainState is a [State] without its methods, for encoding.
type plainState State

// checkpoint is a [State] as it is stored beside its log: the exported fields, and
// the others under names of their own. The rules are the configuration's.
type checkpoint struct {
	Version int `json:"v"`
	*plainState
	Rules    *struct{}      `json:",omitempty"` // hides those of the state
	Major    storedMark     `json:"major"`
	Any      storedMark     `json:"any"`
	Warned   IdleWarned     `json:"warned"`
	Alerted  int64          `json:"alerted"`
	Answered bool           `json:"answered"`
	Left     time.Time      `json:"left"`
	Seen     map[int]int64  `json:"seen"`
	Typing   map[int]Typing `json:"typing"`
	Commands []storedKey    `json:"commands"`
}

type storedMark struct {
	Index int64     `json:"x"`
	At    time.Time `json:"at"`
}

type storedKey struct {
	Key   string `json:"k"`
	Index int64  `json:"x"`
}

// Checkpoint is the state for [RestoreState]. ok is false for a state that must not be
// kept: one whose log holds what only a newer version knows.
func (s *State) Checkpoint() (body []byte, ok bool) {
	if s.newer {
		return nil, false
	}
	c := checkpoint{
		Version: checkpointVersion, plainState: (*plainState)(s),
		Major: storedMark{s.silence.major.index, s.silence.major.at}, Any: storedMark{s.silence.any.index, s.silence.any.at},
		Warned: s.silence.warned, Alerted: s.silence.alerted, Answered: s.answered, Left: s.left, Seen: s.seen, Typing: s.typing,
	}
	for _, key := range s.order {
		c.Commands = append(c.Commands, storedKey{key, s.commands[key]})
	}
	body, err := marshal(c)
	return body, err == nil
}

// RestoreState is the state behind a checkpoint, without rules. It fails on one that
// another version of the fold has made.
func RestoreState(body []byte) (*State, error) {
	s := new(State)
	c := checkpoint{plainState: (*plainState)(s)}
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, err
	}
	if c.Version != checkpointVersion {
		return nil, errors.New("chat: a checkpoint of another version")
	}
	s.silence = silence{
		major: mark{c.Major.Index, c.Major.At}, any: mark{c.Any.Index, c.Any.At}, warned: c.Warned, alerted: c.Alerted,
	}
	s.answered, s.left, s.seen, s.typing = c.Answered, c.Left, c.Seen, c.Typing
	for _, k := range c.Commands {
		if s.commands == nil {
			s.commands = make(map[string]int64, len(c.Commands))
		}
		s.commands[k.Key] = k.Index
		s.order = append(s.order, k.Key)
	}
	return s, nil
}

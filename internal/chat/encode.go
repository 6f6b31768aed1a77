package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// stored is the body of a log record: the fact's name, the command's id and
// the fact itself. Index and time stand beside the body in the log.
type stored struct {
	Kind    string          `json:"k"`
	Command string          `json:"c,omitempty"`
	Fact    json.RawMessage `json:"f"`
}

type named interface{ fact() string }

// UnknownFact is a fact of a kind that this version does not know: a newer one
// has written it, of a chat or of an agent. It is kept as it is, the fold skips
// it, and nobody is shown it. A chat whose log holds one can be read, but takes no
// commands that depend on its state; see [Newer].
type UnknownFact struct {
	Kind string
	Body json.RawMessage // never changed once read
}

func (f UnknownFact) fact() string { return f.Kind }
func (UnknownFact) agentFact()     {}

func encodeFact(f named, command string) ([]byte, error) {
	if u, ok := f.(UnknownFact); ok {
		return marshal(stored{Kind: u.Kind, Command: command, Fact: u.Body})
	}
	body, err := marshal(f)
	if err != nil {
		return nil, fmt.Errorf("chat: encode %s: %w", f.fact(), err)
	}
	return marshal(stored{Kind: f.fact(), Command: command, Fact: body})
}

// marshal is [json.Marshal] without its escapes for HTML, which would change
// the bytes of the JSON that a client sent along.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// registry maps the names of facts to their Go types. Each log has its own.
type registry map[string]reflect.Type

func register(facts ...named) registry {
	r := make(registry, len(facts))
	for _, f := range facts {
		r[f.fact()] = reflect.TypeOf(f)
	}
	return r
}

func (r registry) decode(body []byte) (fact any, command string, err error) {
	var s stored
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, "", fmt.Errorf("chat: decode a record: %w", err)
	}
	if s.Kind == "" || len(s.Fact) == 0 {
		return nil, "", errors.New("chat: decode a record: it has no fact")
	}
	t, ok := r[s.Kind]
	if !ok {
		return UnknownFact{s.Kind, s.Fact}, s.Command, nil
	}
	v := reflect.New(t)
	if err := json.Unmarshal(s.Fact, v.Interface()); err != nil {
		return nil, "", fmt.Errorf("chat: decode %s: %w", s.Kind, err)
	}
	return v.Elem().Interface(), s.Command, nil
}

var chatFacts = register(
	Joined{}, Left{}, Said{}, Typed{}, Queued{}, Offered{}, Accepted{}, Declined{},
	Missed{}, Withdrawn{}, Bound{}, Unbound{}, Away{}, Finished{},
	Renamed{}, Pushed{}, Noticed{}, DataSet{}, Seen{},
	Subscribed{}, Unsubscribed{},
	IdleWarned{}, IdleReset{}, IdleClosed{}, SurveyOffered{}, Held{},
	Shared{}, Unshared{}, Fetched{},
)

// Encode is the event's body as it is stored; index and time are stored beside
// it, the preview is not stored.
func (e Event) Encode() ([]byte, error) { return encodeFact(e.Fact, e.Command) }

// DecodeEvent reads what [Event.Encode] wrote, here or in a newer version: a fact
// that is not known is an [UnknownFact]. It fails on a body that is not a record.
func DecodeEvent(body []byte) (Event, error) {
	f, command, err := chatFacts.decode(body)
	if err != nil {
		return Event{}, err
	}
	return Event{Command: command, Fact: f.(Fact)}, nil
}

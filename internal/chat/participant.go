package chat

import "slices"

// Participant is somebody who is or was in a chat.
type Participant struct {
	No      int     `json:"no"`
	Role    Role    `json:"role"`
	Name    string  `json:"name"` // as of now
	Staff   StaffID `json:"staff,omitempty"`
	Present bool    `json:"present,omitempty"`
	Joined  int64   `json:"joined"` // index of the event
	// Former are earlier names, oldest first; never changed in place. The oldest of very
	// many are forgotten.
	Former []FormerName `json:"former,omitempty"`
}

// FormerName is what a participant was called before the event with an index.
type FormerName struct {
	Until int64  `json:"until"`
	Name  string `json:"name"`
}

// formerNames is how many former names are remembered.
const formerNames = 32

// NameAt is what the participant was called before the event with an index.
func (p Participant) NameAt(index int64) string {
	for _, f := range p.Former {
		if index <= f.Until {
			return f.Name
		}
	}
	return p.Name
}

// rename lets a participant go by another name from the event with an index on.
func (p *Participant) rename(name string, index int64) {
	former := append(slices.Clone(p.Former), FormerName{index, p.Name})
	p.Former = former[max(0, len(former)-formerNames):]
	p.Name = name
}

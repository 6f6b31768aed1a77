package chat

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ID names a chat. Its high 42 bits are the milliseconds since the start of
// 2020 (UTC) at which the chat was opened, its low 21 bits are random; the
// sign bit is never set, so that every store can keep it as a signed 64-bit
// number and ids sort by time. The zero ID names no chat.
type ID uint64

const idRandomBits = 21

var idEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// NewID makes the id of a chat opened at the given time. Only the low 21 bits
// of random are used. Two chats opened in one millisecond can collide; the
// append of the first event at index 1 then conflicts, and the caller tries
// again with other bits.
func NewID(at time.Time, random uint32) ID {
	ms := uint64(max(at.UnixMilli()-idEpoch, 0)) & (1<<42 - 1)
	return ID(ms<<idRandomBits | uint64(random)&(1<<idRandomBits-1))
}

// Time is the moment at which the chat was opened, to the millisecond.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(id>>idRandomBits) + idEpoch).UTC()
}

// String is the id as it stands on the wire: 16 upper-case hexadecimal digits.
func (id ID) String() string { return fmt.Sprintf("%016X", uint64(id)) }

var errID = errors.New("chat: not a chat id")

// ParseID reads what [ID.String] writes, in either case.
func ParseID(s string) (ID, error) {
	if len(s) != 16 {
		return 0, errID
	}
	n, err := strconv.ParseUint(s, 16, 63)
	if err != nil || n == 0 {
		return 0, errID
	}
	return ID(n), nil
}

// MarshalText writes the id as [ID.String] does.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what [ID.MarshalText] wrote.
func (id *ID) UnmarshalText(b []byte) error {
	n, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = n
	return nil
}

// StaffID names a staff account: an agent, a supervisor or a scripted agent.
// Accounts are numbered from 1; zero names nobody.
type StaffID int64

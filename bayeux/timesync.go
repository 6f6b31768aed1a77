package bayeux

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Timesync is the time synchronisation extension (clause 11, timesync): a
// client that sends its clock with a meta message is told the server's, and
// how long the server kept the message.
// spec:11.2
func Timesync() Extension {
	return Extension{Incoming: func(_ context.Context, _ *Session, m *Message) error {
		field := m.ExtField("timesync")
		if !isMeta(m.Channel) || field == nil {
			return nil
		}
		received := time.Now()
		clock, ok := number(objectField(field, "tc"))
		if !ok {
			return nil
		}
		lag, hasLag := number(objectField(field, "l"))
		offset, _ := number(objectField(field, "o"))
		server := received.UnixMilli()
		accuracy := clock + offset + lag - server
		if hasLag && lag != 0 && accuracy < 25 && accuracy > -25 {
			return nil // the client is close enough
		}
		m.OnReply(func(_ *Session, r *Reply) {
			b := append([]byte(nil), `{"tc":`...)
			b = strconv.AppendInt(b, clock, 10)
			b = append(b, `,"ts":`...)
			b = strconv.AppendInt(b, server, 10)
			b = append(b, `,"p":`...)
			b = strconv.AppendInt(b, time.Since(received).Milliseconds(), 10)
			if hasLag {
				b = append(b, `,"a":`...)
				b = strconv.AppendInt(b, accuracy, 10)
			}
			r.SetExt("timesync", append(b, '}'))
		})
		return nil
	}}
}

// number is a JSON number without its fraction; ok is false for anything else.
func number(v []byte) (n int64, ok bool) {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f > 1e15 || f < -1e15 {
		return 0, false
	}
	return int64(f), true
}

// Timestamp is the timestamp extension (clause 11, timestamp): it puts the
// time on every message that goes out, as HTTP writes it.
// spec:11.3
func Timestamp() Extension {
	now := func() []byte { return []byte(`"` + time.Now().UTC().Format(http.TimeFormat) + `"`) }
	return Extension{
		Incoming: func(_ context.Context, _ *Session, m *Message) error {
			m.OnReply(func(_ *Session, r *Reply) { r.Set("timestamp", now()) })
			return nil
		},
		Outgoing: func(_ *Session, d *Delivery) bool {
			d.Set("timestamp", now())
			return true
		},
	}
}

// Binary data (clause 11, binary) needs nothing of the server: it is passed on
// as the text that it was encoded to. These two are for handlers that want to
// read or write it.

const z85Alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

// AppendZ85 appends bytes as Z85 text, padded as CometD does: a rest of k
// bytes becomes k+1 characters.
func AppendZ85(to, from []byte) []byte {
	for len(from) > 0 {
		var four [4]byte
		n := copy(four[:], from)
		from = from[n:]
		v := uint32(four[0])<<24 | uint32(four[1])<<16 | uint32(four[2])<<8 | uint32(four[3])
		var five [5]byte
		for i := 4; i >= 0; i-- {
			five[i] = z85Alphabet[v%85]
			v /= 85
		}
		to = append(to, five[:n+1]...)
	}
	return to
}

// ParseZ85 reads what [AppendZ85] writes; ok is false if it is something else.
func ParseZ85(text string) (data []byte, ok bool) {
	for len(text) > 0 {
		n := min(len(text), 5)
		if n == 1 {
			return nil, false
		}
		var v uint64
		for i := range 5 {
			c := byte('#')
			if i < n {
				c = text[i]
			}
			d := strings.IndexByte(z85Alphabet, c)
			if d < 0 {
				return nil, false
			}
			v = v*85 + uint64(d)
		}
		if v > 1<<32-1 {
			return nil, false
		}
		four := [4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
		data = append(data, four[:n-1]...)
		text = text[n:]
	}
	return data, true
}

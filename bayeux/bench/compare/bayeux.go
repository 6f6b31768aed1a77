package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// The load generator speaks raw Bayeux. It never decodes what arrives while
// it measures: a look for the timestamps is enough.

var (
	atKey      = []byte(`"at":`)
	metaOf     = []byte(`"/meta/connect"`)
	failedMark = []byte(`"successful":false`)
)

// scan calls found with every timestamp in a payload and says how many there
// are.
func scan(payload []byte, found func(at int64)) (n int) {
	for {
		i := bytes.Index(payload, atKey)
		if i < 0 {
			return n
		}
		payload = payload[i+len(atKey):]
		var at int64
		for len(payload) > 0 && '0' <= payload[0] && payload[0] <= '9' {
			at = at*10 + int64(payload[0]-'0')
			payload = payload[1:]
		}
		found(at)
		n++
	}
}

func holdsConnect(payload []byte) bool { return bytes.Contains(payload, metaOf) }

// batch appends a body of messages to rooms, all with the same timestamp.
func batch(b []byte, clientID string, user int, at int64, text []byte, room func() int) []byte {
	b = append(b, '[')
	for i := range batchSize {
		if i > 0 {
			b = append(b, ',')
		}
		r := int64(room())
		b = append(b, `{"channel":"/room/`...)
		b = strconv.AppendInt(b, r, 10)
		b = append(b, `","clientId":"`...)
		b = append(b, clientID...)
		b = append(b, `","id":"`...)
		b = strconv.AppendInt(b, int64(i+10), 10)
		b = append(b, `","data":{"room":`...)
		b = strconv.AppendInt(b, r, 10)
		b = append(b, `,"user":`...)
		b = strconv.AppendInt(b, int64(user), 10)
		b = append(b, `,"chat":"`...)
		b = append(b, text...)
		b = append(b, `","at":`...)
		b = strconv.AppendInt(b, at, 10)
		b = append(b, `}}`...)
	}
	return append(b, ']')
}

// The bodies of a client's beginning, for a transport.

func handshakeBody(transport string) []byte {
	return fmt.Appendf(nil, `[{"channel":"/meta/handshake","version":"1.0","id":"1","supportedConnectionTypes":["%s"]}]`, transport)
}

// firstConnect asks for an answer at once, as the clients do.
func firstConnect(transport, id string) []byte {
	return fmt.Appendf(nil, `[{"channel":"/meta/connect","clientId":"%s","connectionType":"%s","id":"2","advice":{"timeout":0}}]`, id, transport)
}

func connectBody(transport, id string) []byte {
	return fmt.Appendf(nil, `[{"channel":"/meta/connect","clientId":"%s","connectionType":"%s","id":"4"}]`, id, transport)
}

func subscribeBody(id string, channels []string) ([]byte, error) {
	list, err := json.Marshal(channels)
	return fmt.Appendf(nil, `[{"channel":"/meta/subscribe","clientId":"%s","id":"3","subscription":%s}]`, id, list), err
}

// begin exchanges the messages of a client's beginning, one after the other,
// and returns its session.
func begin(transport string, channels []string, exchange func(body []byte, channel string) ([]byte, error)) (id string, err error) {
	ask := func(body []byte, channel string) []byte {
		if err != nil {
			return nil
		}
		var answer []byte
		answer, err = exchange(body, channel)
		if err == nil && bytes.Contains(answer, failedMark) {
			err = fmt.Errorf("refused: %s", answer)
		}
		return answer
	}
	answer := ask(handshakeBody(transport), "handshake")
	if err != nil {
		return "", err
	}
	var replies []struct {
		ClientID string `json:"clientId"`
	}
	if err := json.Unmarshal(answer, &replies); err != nil {
		return "", err
	}
	if len(replies) != 1 || replies[0].ClientID == "" {
		return "", errors.New("the handshake's answer has no clientId")
	}
	id = replies[0].ClientID
	ask(firstConnect(transport, id), "connect")
	body, e := subscribeBody(id, channels)
	if e != nil {
		return "", e
	}
	ask(body, "subscribe")
	return id, err
}

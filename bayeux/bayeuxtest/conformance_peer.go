package bayeuxtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gobwas/ws"
)

// patience is how long a conversation waits for what must come. It is longer
// than every hold of the suite, because a bubble's clock runs while it waits.
const patience = time.Minute

// party is a client of a conversation: it speaks in raw messages, over
// whichever transport the case runs over. In what it sends, $ stands for id.
type party struct {
	*conversation
	id, cookie string
	header     http.Header // of the last HTTP answer, or of the upgrade
	sent       int

	socket *Socket
	frames chan []Frame       // of the socket
	closed chan ws.StatusCode // how the socket ended
	early  []Frame            // replies that came while another one was awaited
}

// party makes a client that has not said anything yet.
func (c *conversation) party() *party {
	c.Helper()
	p := &party{conversation: c}
	if !c.polling() {
		p.dial()
	}
	return p
}

// shaken makes a client that has shaken hands and connected once.
func (c *conversation) shaken() *party {
	c.Helper()
	p := c.party()
	p.handshake("")
	p.say(p.connect(`"advice":{"timeout":0}`))
	return p
}

// open opens a socket, from which nobody reads yet.
func (p *party) open() *Socket {
	p.Helper()
	address, err := url.Parse(p.e.URL)
	if err != nil {
		p.Fatal(err)
	}
	s := &Socket{T: p.T, ID: p.id, Header: http.Header{}}
	d := ws.Dialer{NetDial: p.e.Dial, OnHeader: func(k, v []byte) error {
		s.Header.Add(string(k), string(v))
		return nil
	}}
	conn, br, _, err := d.Dial(p.Context(), "ws://"+address.Host+address.Path)
	if err != nil {
		p.Fatalf("dial: %v", err)
	}
	s.Conn, s.in = conn, br
	if br == nil {
		s.in = bufio.NewReader(conn)
	}
	p.Cleanup(func() { _ = conn.Close() })
	return s
}

// dial opens a socket and reads from it; one that is open already is left to
// itself.
func (p *party) dial() {
	p.Helper()
	s := p.open()
	frames, closed := make(chan []Frame, 1000), make(chan ws.StatusCode, 1)
	p.socket, p.header, p.frames, p.closed = s, s.Header, frames, closed
	go func() {
		for {
			b, code := s.ReadFrame()
			if code != 0 {
				closed <- code
				close(frames)
				return
			}
			var list []Frame
			if json.Unmarshal(b, &list) == nil {
				frames <- list
			}
		}
	}()
}

// handshake shakes hands, with more fields if there are any, and returns the
// reply. A successful one gives the party its id.
func (p *party) handshake(more string) Frame {
	p.Helper()
	if more != "" {
		more = "," + more
	}
	f := p.say(`{"channel":"/meta/handshake","version":"1.0","id":"` + p.next() + `","supportedConnectionTypes":["` + p.kind + `"]` + more + `}`)
	if len(f) != 1 {
		p.Fatalf("handshake: %v", f)
	}
	if id, ok := f[0]["clientId"].(string); ok {
		p.id = id
	}
	return f[0]
}

// next is an id that was not used before.
func (p *party) next() string {
	p.sent++
	return fmt.Sprintf("n%d", p.sent)
}

// on is a message on a channel with an id of its own.
func (p *party) on(channel, fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	return fmt.Sprintf(`{"channel":%q,"clientId":"$","id":%q%s}`, channel, p.next(), fields)
}

func (p *party) connect(fields string) string { return p.on("/meta/connect", fields) }

func (p *party) subscribe(channels ...string) string {
	if channels == nil {
		channels = []string{}
	}
	list, _ := json.Marshal(channels) // strings have a JSON form
	return p.on("/meta/subscribe", `"subscription":`+string(list))
}

// push asks the server to publish.
func (p *party) push(channel, data string) string {
	return p.on("/service/push", fmt.Sprintf(`"data":{"channel":%q,"data":%s}`, channel, data))
}

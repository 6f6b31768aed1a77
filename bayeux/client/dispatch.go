package client

// event is something to tell the application.
type event struct {
	kind    kind
	message *Message // nil for reconnected
}

type kind int

const (
	delivered  kind = iota
	handshaken      // message is the reply
	reconnected
)

// enqueue puts an event into the queue, waiting for room until the client
// closes or nobody reads the queue any more.
func (c *Client) enqueue(e event) {
	select {
	case c.queue <- e:
		return
	default:
	}
	select {
	case c.queue <- e:
	case <-c.closing:
	case <-c.done:
	}
}

// dispatch calls the callbacks. Once Close has begun no more are called; when
// the client has ended by itself, what had arrived before is still told.
func (c *Client) dispatch() {
	defer close(c.done)
	for {
		select {
		case e := <-c.queue:
			c.notify(e)
			continue
		case <-c.closing:
			<-c.loopDone
			return
		case <-c.loopDone:
		}
		for {
			select {
			case e := <-c.queue:
				c.notify(e)
			default:
				return
			}
		}
	}
}

func (c *Client) notify(e event) {
	if isClosed(c.closing) {
		return
	}
	switch e.kind {
	case delivered:
		c.listeners.deliver(e.message)
	case handshaken:
		if c.opts.OnHandshake != nil {
			c.opts.OnHandshake(c, e.message)
		}
	case reconnected:
		if c.opts.OnReconnect != nil {
			c.opts.OnReconnect(c)
		}
	}
}

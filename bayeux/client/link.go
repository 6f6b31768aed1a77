package client

import (
	"context"
	"time"
)

// link is one way to the server: a WebSocket, or the pair of HTTP requests
// that long-polling allows itself. It hands everything it receives to
// [Client.receive].
type link interface {
	name() string
	// send sends messages together. Any number of goroutines may send. Where
	// replies come with the answer to the sending, outcome ends, within wait,
	// when there will be no more of them, and its cause is why those that are
	// missing did not come. Otherwise outcome is nil and wait bounds the sending
	// only. An error says that nothing is under way any more.
	send(ctx context.Context, wait time.Duration, messages []*wireMessage) (outcome context.Context, err error)
	// lost is closed when nothing can be sent or received any more, and err is
	// then why.
	lost() <-chan struct{}
	err() error
	// fail ends the link with a reason; later reasons are ignored.
	fail(reason error)
	// close ends the link politely and waits for its goroutines.
	close()
}

// open makes a link for a transport. For long-polling nothing is sent.
func (c *Client) open(ctx context.Context, transport string) (link, error) {
	if transport == WebSocket {
		return dialSocket(ctx, c)
	}
	return newPolling(c), nil
}

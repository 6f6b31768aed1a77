// Package bayeuxtest helps to test Bayeux servers and clients: an in-memory
// network that works inside a synctest bubble.
package bayeuxtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// Network is a listener in memory and the dialer that belongs to it. Its
// connections are pairs of [net.Pipe], without addresses or buffers.
type Network struct {
	queue chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewNetwork makes a network on which nobody listens yet.
func NewNetwork() *Network {
	return &Network{queue: make(chan net.Conn), done: make(chan struct{})}
}

var errNetworkClosed = errors.New("bayeuxtest: the network is closed")

// Accept waits for the next connection, as [net.Listener] says.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.queue:
		return c, nil
	case <-n.done:
		return nil, errNetworkClosed
	}
}

// Close ends Accept and Dial. Connections stay open.
func (n *Network) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }

// Addr is an address that says nothing.
func (n *Network) Addr() net.Addr { return memoryAddr{} }

// Dial connects to whoever accepts; the network and the address are ignored.
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.queue <- server:
		return client, nil
	case <-n.done:
		return nil, errNetworkClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Client is an HTTP client on this network. It keeps no cookies.
func (n *Network) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: n.Dial, DisableCompression: true}}
}

// Serve serves h until the returned function is called, which closes the
// network and every connection of the server's.
func (n *Network) Serve(h http.Handler) (stop func()) {
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// It ends by Close and always with an error that says so.
		_ = srv.Serve(n)
	}()
	return func() {
		_ = srv.Close()
		<-done
	}
}

package client

import (
	"errors"
	"strconv"
	"strings"
)

// The ways in which a request can fail besides a refusal by the server, which
// is an [*Error], and the end of its context.
var (
	// ErrClosed: the client has ended. It wraps the reason if there is one
	// beyond [Client.Close].
	ErrClosed = errors.New("bayeux client: closed")
	// ErrLost: the connection was lost, or no reply came in time. Nobody knows
	// whether the server got the message.
	ErrLost = errors.New("bayeux client: the connection was lost before the reply")
	// ErrDisconnected: the server has ended the session and does not want it
	// back.
	ErrDisconnected = errors.New("bayeux client: the server ended the session")
	// ErrTransport: client and server have no transport in common.
	ErrTransport = errors.New("bayeux client: the server has none of the transports")
)

// Causes inside of [ErrLost] and of the end of a session.
var (
	errNoReply  = errors.New("no reply in time")
	errReplaced = errors.New("the server has forgotten the session")
)

// Error is a refusal by the server.
type Error struct {
	// Channel is the channel of the refused request.
	Channel string
	// Code, Args and Text are the parts of a Bayeux error, "code:args:text".
	// Code is 0 if the server's text does not have that form; all of it is in
	// Text then.
	Code int
	Args []string
	Text string
	// Raw is the error string as the server wrote it.
	Raw string
	// Advice is what came with it; nil if nothing did.
	Advice *Advice
}

// Error is the channel and the server's error string.
func (e *Error) Error() string {
	return "bayeux client: " + e.Channel + ": " + strconv.Quote(e.Raw)
}

func parseError(raw string) *Error {
	e := &Error{Raw: raw, Text: raw}
	parts := strings.SplitN(raw, ":", 3)
	if len(parts) != 3 {
		return e
	}
	code, err := strconv.Atoi(parts[0])
	if err != nil {
		return e
	}
	e.Code, e.Text = code, parts[2]
	if parts[1] != "" {
		e.Args = strings.Split(parts[1], ",")
	}
	return e
}

// StatusError is an HTTP status in place of a Bayeux answer.
type StatusError struct {
	// Status is the HTTP status code.
	Status int
}

// Error tells the status.
func (e *StatusError) Error() string {
	return "bayeux client: HTTP status " + strconv.Itoa(e.Status)
}

// dialError marks failures to open a connection at all, which say nothing
// about the transport that wanted it.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

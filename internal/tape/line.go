package tape

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Format and Version are what the first line of a tape says. A reader refuses
// versions that it does not know; fields may be added within one.
const (
	Format  = "halley-tape"
	Version = 1
)

// Header is the first line.
type Header struct {
	Format  string `json:"tape"`
	Version int    `json:"version"`
	Started string `json:"started"` // RFC 3339, UTC
	By      string `json:"by"`      // the version of the program
}

// What a line is about.
const (
	KindRequest  = "request"  // a request of HTTP, also the one that opens a WebSocket
	KindResponse = "response" // the answer; Status 0 if there was none
	KindFrame    = "frame"    // a message over a WebSocket
	KindClose    = "close"    // the end of a WebSocket
	KindGap      = "gap"      // lines are missing here, because the recorder could not keep up
	KindFull     = "full"     // the recording ends here, because it became too long
)

// How the client and the server talk.
const (
	WebSocket       = "websocket"
	LongPolling     = "long-polling"
	CallbackPolling = "callback-polling"
	REST            = "rest"     // /2/chat/{service}
	Files           = "chat-ntf" // /2/chat-ntf
	Other           = "other"    // anything else: only its size is recorded
)

// Client and Server are the two directions: who sent it.
const (
	Client = "client"
	Server = "server"
)

// Line is one thing that happened. Which fields are there depends on the kind.
type Line struct {
	At   int64  `json:"at"`             // milliseconds since the recording began
	Kind string `json:"kind"`           //
	Conn string `json:"conn,omitempty"` // an exchange of HTTP ("h7") or a WebSocket ("w7")
	From string `json:"from,omitempty"` // Client or Server
	Via  string `json:"via,omitempty"`  // the transport

	Method  string            `json:"method,omitempty"`
	Path    string            `json:"path,omitempty"` // from "cometd" or "2" on, without what is before
	Headers map[string]string `json:"headers,omitempty"`
	Cookies map[string]string `json:"cookies,omitempty"` // sent, or set
	Query   []Field           `json:"query,omitempty"`
	Form    string            `json:"form,omitempty"` // how Fields or Body were sent: urlencoded, multipart, json
	Fields  []Field           `json:"fields,omitempty"`
	Status  int               `json:"status,omitempty"`

	Messages []map[string]any `json:"messages,omitempty"` // Bayeux
	Bare     bool             `json:"bare,omitempty"`     // one message that was not in an array
	Body     map[string]any   `json:"body,omitempty"`     // an object of REST

	Size   int64  `json:"size,omitempty"`   // of the body, about, in bytes
	Hidden string `json:"hidden,omitempty"` // why the content is not here
	Failed string `json:"failed,omitempty"` // why there is no answer: "upstream" or "client"
	Code   int    `json:"code,omitempty"`   // of a close frame; 0 if there was none
	Lost   int64  `json:"lost,omitempty"`   // lines, of a gap
}

// Field is one field of a form or a query.
type Field struct {
	Name  string `json:"name"`
	Value any    `json:"value,omitempty"` // a string, or what a string of JSON held
	File  *File  `json:"file,omitempty"`
}

// File is what is kept of a file that was uploaded.
type File struct {
	Name string `json:"name"`           // a token
	Ext  string `json:"ext,omitempty"`  // if it is a common one; OtherExt if it is not
	Type string `json:"type,omitempty"` // the media type that the client named, if it is a common one
	Size int64  `json:"size"`
}

// OtherExt stands for the extensions of files that are not written.
const OtherExt = "other"

// ErrCut is returned beside the lines of a tape whose last line is not whole,
// as it is after a crash.
var ErrCut = errors.New("the last line of the recording is cut off")

// maxLine bounds a line, in bytes.
const maxLine = 64 << 20

// Read reads a whole tape.
func Read(r io.Reader) (Header, []Line, error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), maxLine)
	var h Header
	if !in.Scan() {
		return h, nil, errors.Join(errors.New("the recording is empty"), in.Err())
	}
	if err := json.Unmarshal(in.Bytes(), &h); err != nil || h.Format != Format {
		return h, nil, errors.New("this is not a recording of halley record")
	}
	if h.Version != Version {
		return h, nil, fmt.Errorf("the recording has version %d, this program reads %d", h.Version, Version)
	}
	var lines []Line
	for n := 2; in.Scan(); n++ {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(in.Bytes()))
		dec.UseNumber()
		var l Line
		if err := dec.Decode(&l); err != nil {
			if !in.Scan() {
				return h, lines, ErrCut
			}
			return h, nil, fmt.Errorf("line %d: %w", n, err)
		}
		lines = append(lines, l)
	}
	return h, lines, in.Err()
}

// Append appends a header or a line, with its end of line.
func Append(b []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return b, err
	}
	return append(b, buf.Bytes()...), nil
}

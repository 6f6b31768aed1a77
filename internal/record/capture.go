package record

import (
	"errors"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net/http"
	"sync"

	"github.com/halley-chat/halley/internal/tape"
)

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// Bounds of a multipart body's values.
const (
	maxParts = 200
	maxValue = 64 << 10 // bytes of one value; what is longer is cut
)

// capture is a body of which a copy is kept while it is read. It is read by one
// goroutine at a time, as every body is; content may be called from another.
type capture struct {
	body   io.ReadCloser
	expect int64            // bytes; -1 if that is not known
	end    func(whole bool) // called once, before the last bytes are handed on
	ended  sync.Once
	broken bool             // reading failed
	parts  chan []tape.Part // of a multipart body: what the splitter found
	pipe   *io.PipeWriter   // feeds the splitter; nil without one

	mu     sync.Mutex // guards what follows
	keep   bool       // the content matters and is not too long
	copied []byte
	size   int64
	cut    bool // it was too long to be kept
	found  []tape.Part
	closed bool // the copy is handed over and no longer grows
}

func newCapture(body io.ReadCloser, expect int64, keep bool) *capture {
	return &capture{body: body, expect: expect, keep: keep}
}

// split reads a multipart body as it passes instead of keeping it: of files
// only the sizes stay.
func (c *capture) split(header http.Header) {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" || !c.keep {
		return
	}
	c.keep = false
	from, to := io.Pipe()
	c.pipe, c.parts = to, make(chan []tape.Part, 1)
	go func() {
		c.parts <- splitParts(from, parameters["boundary"])
		_, _ = io.Copy(io.Discard, from) // whoever feeds it must never wait
	}()
}

// splitParts holds at most maxBody bytes of what is not in a file, names
// included; parts beyond that are left out.
func splitParts(from io.Reader, boundary string) []tape.Part {
	var list []tape.Part
	in := &meter{r: from, left: maxBody}
	r := multipart.NewReader(in, boundary)
	for len(list) < maxParts {
		p, err := r.NextRawPart()
		if err != nil {
			return list
		}
		part := tape.Part{Name: p.FormName(), FileName: p.FileName(), Type: p.Header.Get("Content-Type"), File: p.FileName() != ""}
		if !part.File {
			if part.Value, err = io.ReadAll(io.LimitReader(p, maxValue)); err != nil {
				return list
			}
		}
		in.free = true
		rest, err := io.Copy(io.Discard, p)
		in.free = false
		if err != nil {
			return list
		}
		part.Size = int64(len(part.Value)) + rest
		list = append(list, part)
	}
	return list
}

// meter reads no more than is left, except while that is free.
type meter struct {
	r    io.Reader
	left int64
	free bool
}

func (m *meter) Read(p []byte) (int, error) {
	if m.free {
		return m.r.Read(p)
	}
	if m.left <= 0 {
		return 0, errMuch
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

var errMuch = errors.New("record: more than is looked at")

func (c *capture) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	if n > 0 {
		c.add(p[:n])
	}
	switch {
	case err == io.EOF, err == nil && c.expect > 0 && c.seen() >= c.expect:
		c.finish(true)
	case err != nil:
		c.broken = true
		c.finish(false)
	}
	return n, err
}

// Close ends the body, whole or not.
func (c *capture) Close() error {
	c.finish(false)
	return c.body.Close()
}

func (c *capture) finish(whole bool) { c.ended.Do(func() { c.end(whole) }) }

func (c *capture) seen() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

func (c *capture) add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size += int64(len(p))
	switch {
	case c.closed:
	case c.pipe != nil:
		_, _ = c.pipe.Write(p) // the splitter takes everything
	case !c.keep:
	case len(c.copied)+len(p) > maxBody:
		c.cut, c.keep, c.copied = true, false, nil
	default:
		c.copied = append(c.copied, p...)
	}
}

// content is what was kept. What comes later is not.
func (c *capture) content() (body []byte, cut bool, size int64, parts []tape.Part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.pipe != nil {
		_ = c.pipe.Close() // always nil
		c.found = <-c.parts
	}
	c.closed = true
	return c.copied, c.cut, c.size, c.found
}

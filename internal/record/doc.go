// Package record is the proxy behind "halley record": it stands in front of a
// chat server, passes on what clients and server say to each other, and writes
// it to a tape with secrets and texts masked.
//
// What passes is not altered, with two exceptions that keep it readable: an
// offer to compress WebSocket messages is not passed on, and of the encodings
// of bodies only gzip is. Bytes go through as they come; the recorder looks at
// copies, of which it keeps at most [maxBody] a body.
//
// Masking and writing is the work of one goroutine, the writer, which owns the
// masker and the file. It is fed through a bounded queue. When the queue is full,
// lines are dropped and the tape says how many: the conversation never waits
// for its recording. A line enters the queue before the last byte of what it
// tells of is passed on, so that no consequence stands before its cause.
package record

// Package tape is the form in which a conversation between clients and a chat
// server is written down, with its secrets and texts masked.
//
// A tape is a file of JSON lines: a [Header], then one [Line] for each request,
// response, frame and end of a connection, in the order in which they passed.
// A [Masker] makes lines from raw bytes. What it does not know it hides: a name
// or a value is written in clear only if it is in the lists of allow.go, and is
// a token otherwise.
//
// A token such as "text-3(12)" or "key-1" says what sort of value was there
// and, by its number, which values were the same; see [Token]. Nothing else of
// the value is kept: the table from values to tokens is in memory, under a hash
// with a key that is never written.
//
// The package is pure: no files, no network, no clock.
package tape

// Package replay is behind "halley replay": it plays the clients of a tape to a
// server and compares what the server says with what the recorded one said.
//
// A tape is taken apart into conversations, which have nothing in common, and
// sessions: a Bayeux session, or a chat over REST. A conversation's lines are
// played in their order by one goroutine. Before a client's line is played, what
// the recorded server had said until then must have arrived, or a wait is over:
// the order of the recording counts, not its clock. Two things are not played
// line by line, because their number depends on the clock: /meta/connect is kept
// up as a client keeps it up, and refresh is repeated until what is expected is
// there.
//
// What a session has received is kept in a history, one for the tape and one
// for the server, made by the same code. The comparison is between the two.
package replay

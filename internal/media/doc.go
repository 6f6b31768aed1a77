// Package media keeps the files that are shared in chats, outside of the log:
// it takes them in as streams, bounded while they are read and never held in
// memory, says by their content what they are, has them looked at by a
// scanner, and hands them out again.
//
// Where the bytes lie is behind a port, [Store]; [Dir] is a directory. A file
// is durable in its store before the chat's log says that it was shared, so a
// crash leaves a file that no log knows, and never the other way round;
// [Service.Sweep] removes such files after a while.
package media

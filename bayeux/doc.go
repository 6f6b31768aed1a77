// Package bayeux is a server of the Bayeux protocol 1.0, as the CometD
// clients speak it, over WebSocket, long-polling and, where it is needed,
// callback-polling.
//
// A [Server] is an [net/http.Handler]. It keeps a [Session] for every client
// that shook hands; sessions survive their connections for
// [Options.MaxInterval], so that a lost connection loses nothing that still
// waits in the session's outbox. Broadcast channels fan out by themselves;
// what clients publish to a service channel goes to the [Handler] registered
// for it with [Server.Handle].
//
// # Ordering
//
// Messages reach one session in the order in which they were queued. Messages
// that a [Handler] delivers to the session that published are sent ahead of
// the acknowledgement of that publish, in the same response or on the same
// socket.
//
// # Concurrency
//
// Everything exported may be used from any goroutine. There are three tiers
// of locks, session → hub shard → outbox, besides the server's table of
// sessions and each socket's own; nobody calls out while holding one.
//
// SPEC.md in this directory numbers the rules that the server keeps.
package bayeux

// Package desk is the edge at which agents work: docs/desk-api.md in Go. It
// signs agents in over HTTP, takes their commands over Bayeux, and shows them
// their own log and the chats that they are in.
//
// Every Bayeux session has one goroutine, which owns what that session has
// been shown. Commands are carried out by the goroutine that brought them;
// their answers wait until the session's own goroutine has shown what they
// caused.
package desk

// Package chat is the domain: what a chat is, what may happen to it and what
// has happened to it. It is pure. Nothing here reads a clock, does I/O or
// starts a goroutine; time enters as a field of a command, and everything
// else follows from the state and the command alone.
//
// A chat is an append-only log of events, numbered 1, 2, 3, … Its [State] is
// the fold of those events. [Decide] looks at a state and a [Command] and
// either refuses it or answers with the events that it causes; [State.Apply]
// folds one event in. An agent has a log of the same kind, see [AgentState].
package chat

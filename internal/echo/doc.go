// Package echo is a scripted agent. It signs in at a desk like a person,
// becomes ready, accepts every chat that is offered, says one line on joining
// and then repeats every line of the visitor, each exactly once.
//
// It speaks the public desk API and nothing else, so it also proves that a
// desk can be written against docs/desk-api.md. What it ok to a chat follows
// from the chat's events alone, and every command it sends has an id that
// follows from the line it answers: however often connection, server or agent
// break down, nothing is answered twice and nothing is left out.
package echo

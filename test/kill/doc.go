// Package kill holds the test that kills the server, again and again and
// without warning, while a few hundred chats are under way, and then compares
// what everybody was told with what is stored. It runs the real binary.
package kill

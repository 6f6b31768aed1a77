// Package conversations plays conversations with the Chat API Version 2: text
// files with the frames that clients send, byte by byte, and the frames that
// they must get, over WebSocket, long-polling, callback-polling and REST,
// against a whole server. README.md describes the language.
package conversations

// Package visitor is the visitor's side of a chat as a program: it speaks the
// Chat API Version 2 over CometD, survives lost connections and killed
// servers, and keeps book of everything it was shown, so that a test can
// compare it with what others saw. Load and failure tests drive it by the
// hundred.
package visitor

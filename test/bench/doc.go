// Command bench measures the Chat API under load: how many lines a second
// visitors can write, each acknowledged after it is durable, and how many
// times a second they can ask for news over REST, while many chats are live.
// The server runs in a process of its own, so that each has its own limit of
// descriptors and its CPU can be told apart.
package main

// Package push is the edge outward: while a visitor listens through no
// channel, it brings what happens in its chat to the device that the visitor
// named, through Firebase Cloud Messaging, Apple's push notification service
// or an HTTP address of the operator's.
//
// The chat's log is the queue. A [Pusher] follows the logs of the chats whose
// visitors cannot be reached otherwise, finds out from the log alone what each
// has missed, and hands over one event after the other. How far it has come is
// kept in a [Store], so that after a crash nothing is left out, and at worst
// the latest event goes out twice.
package push

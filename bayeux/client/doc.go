// Package client is a client of the Bayeux protocol 1.0, as CometD servers
// speak it, over WebSocket and long-polling.
//
// A [Client] has one life. It begins with [Client.Handshake], [Client.Start]
// or [Client.Run]; from then on the client keeps a /meta/connect with the
// server, opens lost connections again with a growing and jittered delay, and
// handshakes anew when the server has forgotten the session. It ends with
// [Client.Close], when the server ends the session, or when
// [Options.GiveUp] says so.
//
//	c, err := client.New(client.Options{
//		URL: "https://chat.example.org/cometd",
//		OnHandshake: func(c *client.Client, reply *client.Message) {
//			// The session is new: bring back what the old one was bound to.
//		},
//	})
//	if err != nil { … }
//	c.Listen("/service/news", func(m *client.Message) { … })
//	if _, err := c.Handshake(ctx); err != nil { … }
//	defer c.Close(ctx)
//	reply, err := c.Publish(ctx, "/service/news", map[string]string{"op": "latest"})
//
// # What survives what
//
// A lost connection does not end the session: the client comes back with the
// same clientId, and what the server queued meanwhile is delivered. A session
// that the server has forgotten (error 402) is lost together with what it
// queued; [Options.OnHandshake] is the place to restore. Subscriptions made
// with [Client.Subscribe] are renewed before it is called. A publish is sent
// at most once: if its connection is lost before the reply, the error is
// [ErrLost] and nobody knows whether the server got it.
//
// # Callbacks
//
// Listeners, OnHandshake and OnReconnect are called one at a time, in the order of arrival,
// from one goroutine of the client. They may call every method, but while one
// of them waits for a reply, deliveries queue up behind it; when
// [Options.Queue] of them wait, the client stops reading, and that reply cannot
// arrive any more. A callback that publishes in answer to many deliveries does
// so from a goroutine of its own.
//
// # Concurrency
//
// Everything exported may be used from any goroutine. The client has one
// goroutine that keeps the session, one that calls the callbacks, and one that
// reads while a WebSocket is open; all of them are gone when the channel
// returned by [Client.Done] is closed.
package client

package desk

import (
	"context"

	"github.com/halley-chat/halley/bayeux"
)

// Mount takes the agents' commands from a Bayeux server. The server must have
// been made with [Desk.Authenticate] as its Options.Authenticate.
func (d *Desk) Mount(srv *bayeux.Server) {
	srv.Handle(channel, func(ctx context.Context, s *bayeux.Session, m *bayeux.Message) error {
		who, ok := s.Principal().(Principal)
		if !ok {
			return &bayeux.Error{Code: 403, Text: "not signed in"}
		}
		c, fresh := d.attach(s, who)
		if c == nil {
			return &bayeux.Error{Code: 503, Text: "the server is going away"}
		}
		if fresh {
			s.OnClose(func(r bayeux.Reason) {
				if r == bayeux.Expired {
					d.expired(c)
				}
				c.close()
			})
			// The sign-in may have ended between the handshake and now.
			if err := d.confirm(ctx, c); err != nil {
				d.complain("confirm a sign-in", err)
			}
		}
		c.handle(ctx, m.Data)
		return nil
	})
}

// expired notes that a desk's session ends because nothing was heard of it.
func (d *Desk) expired(c *client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.silent = d.silentFor
}

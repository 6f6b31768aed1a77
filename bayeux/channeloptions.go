package bayeux

import (
	"context"
	"time"
)

// ChannelOptions are what [Server.Configure] says of channels.
type ChannelOptions struct {
	// Lazy messages cause no write of their own: they leave with the next message
	// or reply to the client, or when LazyTimeout has passed (clause 7.5); 0 means
	// [Options.LazyTimeout].
	Lazy        bool
	LazyTimeout time.Duration
	// NoEcho keeps a message from the session that published it.
	NoEcho bool
	// Authorize is asked for each operation on a broadcast channel, after the
	// policy. If there are authorizers for a channel, none may deny and at
	// least one must grant (clause 12).
	Authorize func(ctx context.Context, s *Session, op Operation, channel string) Verdict
}

// Operation is what a client wants with a channel.
type Operation uint8

// The operations. A channel is created by the first subscription or publish
// while nobody is subscribed to it.
const (
	Create Operation = iota
	Subscribe
	Publish
)

// Verdict is the answer of an authorizer. The zero value neither grants nor
// denies.
type Verdict struct {
	granted bool
	denied  bool
	reason  string
}

// Grant allows, unless another authorizer denies.
func Grant() Verdict { return Verdict{granted: true} }

// Ignore leaves the decision to others.
func Ignore() Verdict { return Verdict{} }

// Deny refuses; the reason goes to the client, in the arguments of the error.
func Deny(reason string) Verdict { return Verdict{denied: true, reason: reason} }

// Configure sets the options of a channel or of a pattern of channels. What
// several patterns say of one channel adds up; the shortest lazy timeout
// counts. Call it before the server serves. It panics on a name that is no
// channel, a meta channel or a service.
func (srv *Server) Configure(channel string, o ChannelOptions) {
	name, _, ok := normalChannel(channel)
	if !ok || isMeta(name) || isService(name) {
		panic("bayeux: Configure needs a broadcast channel, got " + channel)
	}
	srv.channels[name] = o
}

// settings are the options of a channel, added up.
type settings struct {
	lazy     time.Duration // 0 if it is not lazy
	noEcho   bool
	deciders []func(context.Context, *Session, Operation, string) Verdict
}

func (srv *Server) settings(channel string) (s settings) {
	if len(srv.channels) == 0 {
		return s
	}
	patterns(channel, func(name string) bool {
		o, ok := srv.channels[name]
		if !ok {
			return true
		}
		if o.Lazy {
			d := or(o.LazyTimeout, srv.opts.LazyTimeout)
			if s.lazy == 0 || d < s.lazy {
				s.lazy = d
			}
		}
		s.noEcho = s.noEcho || o.NoEcho
		if o.Authorize != nil {
			s.deciders = append(s.deciders, o.Authorize)
		}
		return true
	})
	return s
}

// authorize asks the authorizers of a channel; an empty reason means yes.
// spec:12.2
func (s *settings) authorize(ctx context.Context, session *Session, op Operation, channel string) (reason string) {
	granted := len(s.deciders) == 0
	for _, ask := range s.deciders {
		v := ask(ctx, session, op, channel)
		if v.denied {
			return or(v.reason, "denied_by_authorizer")
		}
		granted = granted || v.granted
	}
	if !granted {
		return "denied_by_not_granting"
	}
	return ""
}

// mayUse asks policy and authorizers whether a session may do something with
// a broadcast channel, and first whether it may create it if it is not there.
// spec:12.1
func (srv *Server) mayUse(ctx context.Context, s *Session, op Operation, channel string) *Error {
	set := srv.settings(channel)
	ask := func(op Operation, policy func(context.Context, *Session, string) error, refusal *Error) *Error {
		if policy != nil {
			if err := policy(ctx, s, channel); err != nil {
				return asError(err, refusal)
			}
		}
		if reason := set.authorize(ctx, s, op, channel); reason != "" {
			return &Error{Code: refusal.Code, Args: reason, Text: refusal.Text}
		}
		return nil
	}
	policy := &srv.opts.Policy
	create, refusal, do := errCreate, errSubDenied, policy.Subscribe
	if op == Publish {
		create, refusal, do = errCreateDenied, errPublishDenied, policy.Publish
	}
	if (policy.Create != nil || len(set.deciders) > 0) && !srv.hub.has(channel) {
		if err := ask(Create, policy.Create, create); err != nil {
			return err
		}
	}
	return ask(op, do, refusal)
}

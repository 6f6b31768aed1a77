package client

import (
	"slices"
	"strings"
	"sync"
)

// listeners are the callbacks by channel or channel pattern.
type listeners struct {
	mu  sync.Mutex
	all []*listener // in the order of registration; replaced, never changed in place
}

type listener struct {
	pattern string
	call    func(*Message)
}

// add registers a callback and returns what takes it away again.
func (l *listeners) add(pattern string, call func(*Message)) (remove func()) {
	added := &listener{pattern, call}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(slices.Clip(l.all), added)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = slices.DeleteFunc(slices.Clone(l.all), func(x *listener) bool { return x == added })
	}
}

func (l *listeners) deliver(m *Message) {
	l.mu.Lock()
	all := l.all
	l.mu.Unlock()
	for _, x := range all {
		if matches(x.pattern, m.Channel) {
			x.call(m)
		}
	}
}

// matches says whether a channel is named by a pattern: itself, a name ending
// in "/*" for exactly one more segment, or in "/**" for one or more.
func matches(pattern, channel string) bool {
	if pattern == channel {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, "**"); ok && strings.HasSuffix(prefix, "/") {
		return len(channel) > len(prefix) && strings.HasPrefix(channel, prefix)
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasSuffix(prefix, "/") {
		rest, ok := strings.CutPrefix(channel, prefix)
		return ok && rest != "" && !strings.Contains(rest, "/")
	}
	return false
}

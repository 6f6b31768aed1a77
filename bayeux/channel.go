package bayeux

import "strings"

// Kinds of channels, by their name (clause 4.3).
// spec:4.3
func isMeta(channel string) bool    { return strings.HasPrefix(channel, "/meta/") }
func isService(channel string) bool { return strings.HasPrefix(channel, "/service/") }

// legalChannelByte holds the characters that CometD accepts in a channel name
// after the leading slash (clause 4.1).
// spec:4.1 spec:4.6
var legalChannelByte = func() (legal [256]bool) {
	for c := '0'; c <= '9'; c++ {
		legal[c] = true
	}
	for c := 'A'; c <= 'Z'; c++ {
		legal[c], legal[c-'A'+'a'] = true, true
	}
	for _, c := range " !#$()*+-./@_{~}" {
		legal[c] = true
	}
	return legal
}()

const maxChannelLength = 512

// normalChannel is a channel name without surrounding blanks and one trailing
// slash (clause 4.2); ok is false if it is no channel name. wild says whether
// it is a pattern, which may only be the whole last segment.
// spec:4.2 spec:4.2.1
func normalChannel(name string) (channel string, wild, ok bool) {
	name = strings.Trim(name, " ")
	if len(name) < 2 || len(name) > maxChannelLength || name[0] != '/' {
		return "", false, false
	}
	if name[len(name)-1] == '/' {
		name = strings.TrimRight(name[:len(name)-1], " ")
	}
	for i := range len(name) {
		if !legalChannelByte[name[i]] {
			return "", false, false
		}
	}
	for rest := name[1:]; ; {
		segment, tail, more := strings.Cut(rest, "/")
		if segment == "" {
			return "", false, false
		}
		if segment == "*" || segment == "**" {
			return name, true, !more
		}
		if !more {
			return name, false, true
		}
		rest = tail
	}
}

// patterns calls yield with every name under which a session may have
// subscribed to receive what is published on the channel (clause 4.4): the
// channel itself, its parent with /*, and every ancestor with /**.
// spec:4.4
func patterns(channel string, yield func(name string) bool) {
	if !yield(channel) {
		return
	}
	i := strings.LastIndexByte(channel, '/')
	if !yield(channel[:i] + "/*") {
		return
	}
	for ; i >= 0; i = strings.LastIndexByte(channel[:i], '/') {
		if !yield(channel[:i] + "/**") {
			return
		}
	}
}

package gms

import "slices"

// Service is a chat service as visitors name it.
type Service struct {
	// Queue is where its chats wait.
	Queue string
	// Origins are the pages that may use it besides Halley's own, as they stand
	// in an Origin header; "*" is any page and "null" one from a file. Those two
	// never get a chat's key by a handshake.
	Origins []string
}

// allows says whether pages of an origin may use the service. A request
// without an origin does not come from a page.
func (s Service) allows(origin string, own bool) bool {
	return origin == "" || own || slices.Contains(s.Origins, origin) ||
		origin != "null" && slices.Contains(s.Origins, "*")
}

// trusts says whether the key of a live chat may be handed to a page of that
// origin because its browser's cookie is known: only Halley's own pages and
// those that the service names one by one.
func (s Service) trusts(origin string, own bool) bool {
	if origin == "" || origin == "null" || origin == "*" {
		return false
	}
	return own || slices.Contains(s.Origins, origin)
}

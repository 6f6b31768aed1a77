package gms

import (
	"slices"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
)

// Service is a chat service as visitors name it.
type Service struct {
	// Queue is where its chats wait.
	Queue string
	// Origins are the pages that may use it besides Halley's own, as they stand
	// in an Origin header; "*" is any page and "null" one from a file. Those two
	// never get a chat's key by a handshake.
	Origins []string
	// Endpoints are the queues that a requestChat may choose, by what it calls
	// them; any other endpoint leads to Queue.
	Endpoints map[string]string
	// Required are fields without which no chat is opened; CheckEmail refuses
	// an e-mail address that cannot be one.
	Required   []Field
	CheckEmail bool
	// Hours are when new chats are taken.
	Hours chat.Hours
	// Languages are those of [Languages] in which the service speaks, the
	// preferred one first; none means all.
	Languages []string
	// MaxMessage is the longest line in characters; 0 means that only
	// [chat.MaxText] bounds it.
	MaxMessage int
	// NewChatsPerMinute bounds the chats that are opened from one network
	// address, OperationsPerSecond what is asked of one chat, counted over 5 s;
	// 0 means no limit.
	NewChatsPerMinute   int
	OperationsPerSecond int
	// HideTyping keeps from everybody what a visitor is typing; that it types
	// is still told.
	HideTyping bool
	// AgentPreviews shows visitors what agents are typing, letter by letter.
	AgentPreviews bool
	// CallbackPolling lets the service be used over that transport, by pages of
	// any origin.
	CallbackPolling bool
	// OneChatPerBrowser answers a requestChat over CometD with the one live chat
	// that the browser has in this service.
	OneChatPerBrowser bool
	// Async lets a visitor ask for a chat that lives for days.
	Async bool
	// Files say which files its chats take; nil means none.
	Files *media.Policy
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

// Station 9 of docs/road.md: the others hear of it.

package engine

import "github.com/halley-chat/halley/internal/chat"

// Notice tells that a log has grown. It is a hint: it may be lost, doubled or
// late, and whoever sees a gap reads the log. A notice without records says
// only that the log has grown, and whoever keeps it looks. The zero Notice says
// that notices have been lost, and whoever keeps anything looks.
type Notice struct {
	Log     LogID
	Records []Record
	// Summary is the chat's summary if the append changed it.
	Summary *chat.Summary
}

// Bus is the port through which the nodes hear of each other's appends. All
// methods may be called from any number of goroutines at once.
type Bus interface {
	// Publish tells every subscriber, this process's own included. It does not
	// wait for them to hear of it, and it never fails: a lost notice is found
	// by its gap.
	Publish(n Notice)
	// Subscribe calls hear for every notice, one at a time and in the order in
	// which one publisher published, until cancel is called; cancel waits for a
	// call in progress. hear must not block and must not change the notice.
	Subscribe(hear func(Notice)) (cancel func())
}

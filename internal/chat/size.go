package chat

// MaxSize is how much a chat may hold, in bytes as [State.Size] counts them: a
// log is read, replayed and kept in memory as a whole, and whoever follows the chat
// must be able to load it. When it is full the visitor can only leave and the agent
// can still answer for a little longer; nobody is cut off.
const MaxSize = 8 << 20

// staffReserve is what is kept free for agents beyond [MaxSize].
const staffReserve = MaxSize / 8

// eventSize is what an event counts for beside the text in it. It bounds the
// number of events to 65,536.
const eventSize = 128

// Size is what the event counts for in [State.Size], in bytes.
func (e Event) Size() int64 { return sizeOf(e.Fact) }

// sizeOf is what an event counts for.
func sizeOf(f Fact) int64 {
	n := eventSize
	switch f := f.(type) {
	case Joined:
		if o := f.Opening; o != nil {
			n += len(o.Subject) + dataSize(o.Data)
		}
	case Said:
		n += len(f.Text) + len(f.Attributes)
	case Noticed:
		n += len(f.Text) + len(f.Attributes)
	case Pushed:
		n += len(f.URL)
	case DataSet:
		n += dataSize(f.Data)
	case Shared:
		n += len(f.Name) + len(f.Description)
	case UnknownFact:
		n += len(f.Body)
	}
	return int64(n)
}

func dataSize(data map[string]string) int {
	n := 0
	for k, v := range data {
		n += len(k) + len(v)
	}
	return n
}

// room refuses what a participant adds to a chat that is full. Everything that
// leads to its end is always possible.
func (d *decider) room(a Action) error {
	switch a.(type) {
	case Say, Type, Rename, Push, Notify, SetData, Share, MarkRead, Subscribe:
	default:
		return nil
	}
	limit := int64(MaxSize)
	if d.by.Staff != 0 {
		limit += staffReserve
	}
	if d.s.Size >= limit {
		return RefuseOver(Full, "this chat is full; please start a new one", limit)
	}
	return nil
}

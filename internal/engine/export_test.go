package engine

// SetRandom makes the engine take the random part of chat ids from f.
func (e *Engine) SetRandom(f func() uint32) { e.random = f }

// Rooms is the number of open rooms for chats and agents.
func (e *Engine) Rooms() int { return len(e.chats.all()) + len(e.agents.all()) }

package app

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/admin"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/media"
)

// storeMetrics are the distributions that the store's observer fills.
type storeMetrics struct{ append, commit, group func(seconds float64) }

func newStoreMetrics(m *admin.Metrics) *storeMetrics {
	latency := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	return &storeMetrics{
		append: m.Histogram("store_append_duration_seconds", "From an append's call to its answer, synced.", latency),
		commit: m.Histogram("store_commit_duration_seconds", "One transaction, synced.", latency),
		group:  m.Histogram("store_group_items", "Appends and other writes that one transaction makes durable.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}),
	}
}

// measure registers everything that the parts of a server count.
func (a *App) measure(m *admin.Metrics) {
	for _, line := range []struct {
		name  string
		stats *bayeux.Stats
	}{{"visitor", a.gms.BayeuxStats()}, {"desk", a.deskLine.Stats()}} {
		measureBayeux(m, line.name, line.stats)
	}
	m.Counter("visitor_keys_refused_total", "Keys that were not made here, or not for that chat.", a.gms.Stats().WrongKeys.Load)
	m.Counter("visitor_operations_refused_total", "Operations that were answered with a statusCode other than 0.", a.gms.Stats().Refused.Load)
	m.Counter("visitor_operations_limited_total", "Operations that were more than a service's rates allow.", a.gms.Stats().Limited.Load)
	m.Gauge("store_queue_items", "Writes that wait for the store's writer.", func() float64 { return float64(a.store.Stats().Queue) })
	m.Gauge("store_queue_capacity_items", "Beyond so many, callers wait to be let in.", func() float64 { return float64(a.store.Stats().QueueCapacity) })
	m.Counter("store_commits_failed_total", "Transactions that failed.", func() int64 { return a.store.Stats().Failures })
	m.Counter("store_damaged_total", "Things found damaged, each counted once; halley check lists them.", func() int64 { return a.store.Stats().Damaged })
	m.Gauge("store_outage", "1 while the store takes no writes.", func() float64 { return flag(a.outage.lasts()) })
	m.Gauge("disk_space_low", "1 while uploads are refused because the disk is nearly full.", func() float64 { return flag(a.space.isLow.Load()) })
	m.Gauge("draining", "1 while the server sends its clients away to stop.", func() float64 { return flag(a.health.down.Load()) })
	m.Counter("push_sent_total", "Events that a carrier has taken.", a.push.Stats().Sent.Load)
	m.Counter("push_attempts_failed_total", "Attempts that will be repeated.", a.push.Stats().Failed.Load)
	m.Counter("push_dead_total", "Events that were given up; halley push dead lists them.", a.push.Stats().Dead.Load)
	m.Counter("push_devices_unknown_total", "Devices that a carrier does not know any more.", a.push.Stats().Unknown.Load)
	if a.files != nil {
		for side, s := range map[string]*media.Stats{"visitor": a.files.Stats(), "agent": a.deskFiles.Stats()} {
			m.Counters(side+"_files_total", "Files that were sent here, by what became of them.", "outcome", func(set func(string, float64)) {
				set("kept", float64(s.Taken.Load()))
				set("wrong_type", float64(s.WrongTypes.Load()))
				set("infected", float64(s.Infected.Load()))
				set("not_scanned", float64(s.ScanFailed.Load()))
			})
		}
	}
	a.measureChats(m)
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func measureBayeux(m *admin.Metrics, line string, s *bayeux.Stats) {
	name := func(what string) string { return line + "_bayeux_" + what }
	m.Counter(name("handshakes_total"), "Successful handshakes.", s.Handshakes.Load)
	m.Counter(name("messages_received_total"), "Messages received, of every kind.", s.Messages.Load)
	m.Counter(name("messages_refused_total"), "Messages answered with successful: false.", s.Refused.Load)
	m.Counter(name("deliveries_total"), "Messages queued for a session.", s.Deliveries.Load)
	m.Counter(name("messages_sent_total"), "Messages handed to a connection, again if redelivered.", s.Sent.Load)
	m.Counter(name("writes_total"), "Writes and answers that carried messages.", s.Writes.Load)
	m.Gauge(name("outbox_high_water_messages"), "The most messages that one session's outbox has held.", func() float64 { return float64(s.OutboxMessages.Load()) })
	m.Gauge(name("outbox_high_water_bytes"), "The most bytes that one session's outbox has held.", func() float64 { return float64(s.OutboxBytes.Load()) })
	m.Gauge(name("sessions"), "Sessions that live now.", func() float64 {
		n := s.Handshakes.Load()
		s.Ended.Each(func(_ bayeux.Reason, ended int64) { n -= ended })
		return float64(n)
	})
	m.Counters(name("sessions_ended_total"), "Sessions that have ended.", "reason", func(set func(string, float64)) {
		s.Ended.Each(func(reason bayeux.Reason, n int64) { set(string(reason), float64(n)) })
	})
	m.Counters(name("bad_bodies_total"), "Requests, frames and upgrades refused as a whole.", "reason", func(set func(string, float64)) {
		s.BadBodies.Each(func(reason string, n int64) { set(reason, float64(n)) })
	})
}

// measureChats registers what the board and the logs tell of chats.
func (a *App) measureChats(m *admin.Metrics) {
	board := a.engine.Board()
	m.Gauges("chats", "Live chats.", "phase", func(set func(string, float64)) {
		n := map[chat.Phase]int{chat.PhaseWaiting: 0, chat.PhaseActive: 0, chat.PhaseHeld: 0}
		for _, s := range board.All() {
			n[s.Phase]++
		}
		for phase, n := range n {
			set(string(phase), float64(n))
		}
	})
	m.Gauges("queue_oldest_wait_seconds", "How long the chat at the head of each queue has waited; 0 for an empty one.", "queue", func(set func(string, float64)) {
		oldest := make(map[string]time.Duration)
		for name := range a.o.Config.Queues {
			oldest[name] = 0
		}
		now := time.Now()
		for _, s := range board.All() {
			if s.Phase == chat.PhaseWaiting {
				oldest[s.Queue] = max(oldest[s.Queue], now.Sub(s.Waiting))
			}
		}
		for name, d := range oldest {
			set(name, d.Seconds())
		}
	})
	a.flow = newFlow(m.Histogram("chat_wait_seconds", "How long chats waited until an agent had them.", []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600}))
	m.Counters("offers_total", "Offers, by their outcome.", "outcome", a.flow.each)
}

// flow counts what becomes of offers and how long chats wait. It hears of
// agents' logs over the bus and of chats from the board.
type flow struct {
	waited   func(seconds float64)
	outcomes map[chat.Outcome]*atomic.Int64 // static

	mu sync.Mutex
	// Guarded by mu: since when chats wait.
	waiting map[chat.ID]time.Time
}

func newFlow(waited func(float64)) *flow {
	f := &flow{waited: waited, outcomes: make(map[chat.Outcome]*atomic.Int64), waiting: make(map[chat.ID]time.Time)}
	for _, o := range []chat.Outcome{chat.OutcomeAccepted, chat.OutcomeDeclined, chat.OutcomeMissed, chat.OutcomeWithdrawn} {
		f.outcomes[o] = new(atomic.Int64)
	}
	return f
}

func (f *flow) each(set func(string, float64)) {
	for o, n := range f.outcomes {
		set(string(o), float64(n.Load()))
	}
}

// notice is called by the bus, once for every append of this process.
func (f *flow) notice(n engine.Notice) {
	if n.Log.Kind != engine.AgentKind {
		return
	}
	for _, rec := range n.Records {
		e, err := chat.DecodeAgentEvent(rec.Body)
		if closed, ok := e.Fact.(chat.OfferClosed); err == nil && ok {
			if n, known := f.outcomes[closed.Outcome]; known {
				n.Add(1)
			}
		}
	}
}

// changed is called by the board, one chat at a time.
func (f *flow) changed(s chat.Summary) {
	f.mu.Lock()
	since, waited := f.waiting[s.Chat]
	if s.Phase == chat.PhaseWaiting {
		f.waiting[s.Chat] = s.Waiting
	} else {
		delete(f.waiting, s.Chat)
	}
	f.mu.Unlock()
	if waited && s.Phase == chat.PhaseActive {
		f.waited(time.Since(since).Seconds())
	}
}

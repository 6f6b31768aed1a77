package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/audit/audittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	audittest.StoreSuite(t, func(*testing.T) audit.Store { return new(audittest.Memory) })
}

func events(t *testing.T, s audit.Store) (list []audit.Event) {
	t.Helper()
	err := audit.Each(t.Context(), s, 0, func(e audit.Entry) error {
		ev, err := e.Event()
		list = append(list, ev)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// What verify detects, and what it does not unless a head was kept elsewhere.
func TestVerify(t *testing.T) {
	const n = 700 // more than a page
	filled := func(t *testing.T) *audittest.Memory {
		s := new(audittest.Memory)
		for i := range n {
			if err := audit.Append(t.Context(), s, audit.Event{Kind: audit.SignedIn, Actor: 1, Count: int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	rehash := func(list []audit.Entry) []audit.Entry {
		var head audit.Hash
		for i := range list {
			list[i].Number = int64(i) + 1
			list[i].Hash = audit.Next(head, list[i].Number, list[i].Body)
			head = list[i].Hash
		}
		return list
	}
	for name, c := range map[string]struct {
		edit                func([]audit.Entry) []audit.Entry
		detected, againHead string // parts of the error, alone and with the head that was noted
	}{
		"untouched":       {func(l []audit.Entry) []audit.Entry { return l }, "", ""},
		"a changed body":  {func(l []audit.Entry) []audit.Entry { l[599].Body = []byte(`{"kind":"x"}`); return l }, "entry 600 was changed", "entry 600"},
		"a changed hash":  {func(l []audit.Entry) []audit.Entry { l[9].Hash[0]++; return l }, "entry 10 was changed", "entry 10"},
		"a removed entry": {func(l []audit.Entry) []audit.Entry { return append(l[:4], l[5:]...) }, "entry 6 follows entry 4", "entry 6"},
		"a removed start": {func(l []audit.Entry) []audit.Entry { return l[5:] }, "entry 6 follows entry 0", "entry 6"},
		"a removed end":   {func(l []audit.Entry) []audit.Entry { return l[:n-1] }, "", "the last entry is 699"},
		"nothing left":    {func([]audit.Entry) []audit.Entry { return nil }, "", "the last entry is 0"},
		"no event": {func(l []audit.Entry) []audit.Entry {
			l[n-1].Body = []byte("{")
			return rehash(l)
		}, "entry 700: ", "entry 700"},
		"made anew": {func(l []audit.Entry) []audit.Entry {
			l[0].Body = []byte(`{"kind":"x"}`)
			return rehash(l)
		}, "", "another hash than was noted"},
	} {
		t.Run(name, func(t *testing.T) {
			s := filled(t)
			head, err := s.AuditHead(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			noted, err := audit.ParseHead(head.String())
			if err != nil || noted != head {
				t.Fatalf("a head that was written and read: got %v, %v, want %v", noted, err, head)
			}
			s.Edit(c.edit)
			_, alone := audit.Verify(t.Context(), s)
			_, with := audit.Verify(t.Context(), s, noted)
			for what, got := range map[string]struct {
				err  error
				want string
			}{"alone": {alone, c.detected}, "with a noted head": {with, c.againHead}} {
				broken := errors.Is(got.err, audit.ErrBroken)
				if broken != (got.want != "") || broken && !strings.Contains(got.err.Error(), got.want) {
					t.Errorf("%s: got %v, want an error with %q", what, got.err, got.want)
				}
			}
		})
	}
}

func TestParseHeadRefuses(t *testing.T) {
	for _, s := range []string{"", "1", "1:", "1:00", ":" + strings.Repeat("00", 32), "-1:" + strings.Repeat("00", 32), "x:" + strings.Repeat("00", 32)} {
		t.Run(s, func(t *testing.T) {
			if h, err := audit.ParseHead(s); err == nil {
				t.Errorf("ParseHead(%q): got %v, want an error", s, h)
			}
		})
	}
}

// A log writes what it was given, also what was queued when it was stopped.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(audittest.Memory)
		var out bytes.Buffer
		l := audit.NewLog(s, slog.New(slog.NewTextHandler(&out, nil)))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		l.Record(audit.Event{Kind: audit.SignedIn, Actor: 7, Detail: strings.Repeat("é", 200) + "\xff"})
		synctest.Wait()
		list := events(t, s)
		if len(list) != 1 || list[0].Actor != 7 || !list[0].At.Equal(time.Now()) {
			t.Fatalf("one event was recorded: got %+v, want it with the time", list)
		}
		if d := list[0].Detail; len(d) > 200 || !utf8.ValidString(d) || !strings.HasPrefix(d, "ééé") {
			t.Errorf("a long detail: got %q, want at most 200 bytes of valid UTF-8", d)
		}
		stop()
		l.Record(audit.Event{Kind: audit.SignedOut, Actor: 7})
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		head, err := audit.Verify(t.Context(), s)
		if err != nil || head.Number != 2 {
			t.Errorf("verify: got %v, %v, want 2 entries", head, err)
		}
		if want := head.String(); !strings.Contains(out.String(), want) {
			t.Errorf("the server's log: got %q, want the head %s", out.String(), want)
		}
	})
}

// While the store fails, events wait; those that do not fit are counted, and
// the count is an event once the store works again.
func TestLogOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(audittest.Memory)
		s.Fail(errors.New("disk full"))
		var out bytes.Buffer
		l := audit.NewLog(s, slog.New(slog.NewTextHandler(&out, nil)))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		l.Record(audit.Event{Kind: audit.SignedIn})
		synctest.Wait() // it is being retried, alone
		for range 5000 {
			l.Record(audit.Event{Kind: audit.ChatOpened})
		}
		time.Sleep(time.Minute) // virtual: many attempts
		s.Fail(nil)
		time.Sleep(time.Minute)
		st := l.Stats()
		if st.Lost != 5000-4096 || st.Waiting != 0 {
			t.Errorf("stats: got %+v, want %d lost and nobody waiting", st, 5000-4096)
		}
		var lost, opened int64
		for _, e := range events(t, s) {
			switch e.Kind {
			case audit.EventsLost:
				lost += e.Count
			case audit.ChatOpened:
				opened++
			}
		}
		if lost != st.Lost || opened != 4096 {
			t.Errorf("stored: got %d lost and %d opened, want %d and 4096", lost, opened, st.Lost)
		}
		if n := strings.Count(out.String(), "cannot be written"); n != 1 {
			t.Errorf("the outage was logged %d times, want once:\n%s", n, &out)
		}
		if !strings.Contains(out.String(), "can be written again") {
			t.Errorf("the end of the outage was not logged:\n%s", &out)
		}
		stop()
		<-done
	})
}

// A flood of wrong passwords is counted, not listed one by one; other events
// are all kept.
func TestRefusedSignInsAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(audittest.Memory)
		l := audit.NewLog(s, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		const attempts = 3000
		for range attempts {
			l.Record(audit.Event{Kind: audit.SignInRefused, Address: "192.0.2.1"})
			l.Record(audit.Event{Kind: audit.SignedIn})
			time.Sleep(10 * time.Millisecond) // virtual: 30 s in all
		}
		time.Sleep(2 * time.Minute)
		stop()
		<-done
		var entries, refused, signedIn int64
		for _, e := range events(t, s) {
			switch e.Kind {
			case audit.SignInRefused:
				entries++
				refused += max(e.Count, 1)
			case audit.SignedIn:
				signedIn++
			}
		}
		if refused != attempts || entries > 270 || signedIn != attempts {
			t.Errorf("got %d refusals in %d entries and %d sign-ins, want %d in at most 270, and %d", refused, entries, signedIn, attempts, attempts)
		}
	})
}

package wake_test

import (
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/internal/wake"
)

// However often it is notified, nobody blocks, and the reader wakes once.
func TestSignalHoldsOneToken(t *testing.T) {
	s := wake.New()
	for range 3 {
		s.Notify()
	}
	<-s
	select {
	case <-s:
		t.Error("got a second token, want one for all notifications")
	default:
	}
}

func TestSignalWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wake.New()
		woken := false
		go func() { <-s; woken = true }()
		synctest.Wait()
		if woken {
			t.Fatal("got woken before anybody notified")
		}
		s.Notify()
		synctest.Wait()
		if !woken {
			t.Error("got no wake-up after Notify")
		}
	})
}

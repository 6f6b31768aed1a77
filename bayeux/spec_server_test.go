package bayeux_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// spec:1.4.3
func TestDataIsPassedByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s, p := w.socket(), w.poller()
		s.Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/a"}`)
		const data = `{"n" : 12345678901234567890123,"e":-1.50E+3 ,"z":-0,"k":1,"k":[2],"__proto__":{"x":null},"u":"\u00e9\/\ud83d\ude00"}`
		p.send(`{"channel":"/a","clientId":"$","data":` + data + `}`)
		if b, code := s.ReadFrame(); code != 0 || string(b) != `[{"channel":"/a","data":`+data+`}]` {
			t.Errorf(`got %d %s, want code == 0, string(b) == '[{"channel":"/a","data":'+data+'}]'`, code, b)
		}
	})
}

// spec:4.7
func TestChannelsLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxSubscriptions: 2000})
		s := w.socket()
		for i := range 500 {
			s.Ask(fmt.Sprintf(`{"channel":"/service/made/up/%d","clientId":"$","data":1}`, i))
			s.Ask(fmt.Sprintf(`{"channel":"/up/%d","clientId":"$","data":1}`, i))
			s.Ask(fmt.Sprintf(`{"channel":"/meta/subscribe","clientId":"$","subscription":["/sub/%d","/sub/%d/**","/service/x/%d"]}`, i, i, i))
		}
		if n := w.srv.Remains().Names; n != 1000 {
			t.Errorf("%d names while they are subscribed to", n)
		}
		for i := range 500 {
			s.Ask(fmt.Sprintf(`{"channel":"/meta/unsubscribe","clientId":"$","subscription":["/sub/%d","/sub/%d/**","/never/%d"]}`, i, i, i))
		}
		if n := w.srv.Remains().Names; n != 0 {
			t.Errorf("%d names afterwards", n)
		}
	})
}

// Every session expires at its own moment, and between them nothing runs.
//
// spec:9.6 spec:9.1
func TestExpiryNeedsNoSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := bayeux.New(bayeux.Options{Interval: time.Second, MaxInterval: 10 * time.Second})
		before := runtime.NumGoroutine()
		const sessions, apart = 500, 7 * time.Millisecond
		var late atomic.Int64
		for range sessions {
			w := httptest.NewRecorder()
			srv.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(`{"channel":"/meta/handshake"}`)))
			id := strings.Split(strings.Split(w.Body.String(), `"clientId":"`)[1], `"`)[0]
			born := time.Now()
			srv.Session(id).OnClose(func(r bayeux.Reason) {
				if r != bayeux.Expired || time.Since(born) != 11*time.Second {
					late.Add(1)
				}
			})
			time.Sleep(apart)
		}
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%d goroutines for %d sessions", n-before, sessions)
		}
		time.Sleep(12 * time.Second)
		if r := srv.Remains(); late.Load() != 0 || r != (bayeux.Remains{}) {
			t.Errorf("%d expired at another time; left: %+v", late.Load(), r)
		}
	})
}

// spec:12.3
func TestServicesAskTheirHandlerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		no := func(context.Context, *bayeux.Session, string) error {
			asked.Add(1)
			return errors.New("no")
		}
		w := newWorld(t, bayeux.Options{Policy: bayeux.Policy{Create: no, Subscribe: no, Publish: no}})
		w.srv.Configure("/**", bayeux.ChannelOptions{Authorize: func(context.Context, *bayeux.Session, bayeux.Operation, string) bayeux.Verdict {
			asked.Add(1)
			return bayeux.Deny("no")
		}})
		handled := 0
		w.srv.Handle("/service/a", func(context.Context, *bayeux.Session, *bayeux.Message) error {
			handled++
			return nil
		})
		p := w.poller()
		p.send(`[{"channel":"/service/a","clientId":"$","data":1},{"channel":"/meta/subscribe","clientId":"$","subscription":"/service/a"}]`)
		if asked.Load() != 0 || handled != 1 {
			t.Errorf("asked %d times, handled %d times", asked.Load(), handled)
		}
	})
}

// spec:14.11 spec:1.3.7 spec:10.3.3
func TestTransportsAreListedInOrder(t *testing.T) {
	for _, on := range []bool{false, true} {
		t.Run(fmt.Sprint("on ", on), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{CallbackPolling: on})
				_, _, f := w.post(t.Context(), "", `{"channel":"/meta/handshake","supportedConnectionTypes":["callback-polling","long-polling"]}`)
				want := []any{"websocket", "long-polling"}
				if on {
					want = append(want, "callback-polling")
				}
				if diff := cmp.Diff(want, f[0]["supportedConnectionTypes"]); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			})
		})
	}
}

// spec:14.16 spec:2.5
func TestClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxSessionsPerAddress: 100})
		idle, p := w.socket(), w.poller()
		held := p.connect("3")
		synctest.Wait()
		closed := make(chan int, 1)
		go func() {
			_, code := idle.ReadFrame()
			closed <- int(code)
		}()
		closeServer(t, w.srv)
		if f := <-held; f[0]["error"] != "402::Unknown client" || f[0].At("advice", "reconnect") != "handshake" {
			t.Errorf("the held connect: %v", f)
		}
		if code := <-closed; code != 1001 {
			t.Errorf("closed with %d", code)
		}
		_, _, f := w.post(t.Context(), "", `{"channel":"/meta/handshake"}`)
		if f[0]["successful"] != false || f[0].At("advice", "reconnect") != "retry" {
			t.Errorf("a handshake: %v", f)
		}
		if _, err := w.srv.NewLocal(nil); err == nil {
			t.Error("a local session was made")
		}
		if r := w.srv.Remains(); r != (bayeux.Remains{}) {
			t.Errorf("left: %+v", r)
		}
	})
}

// A broadcast is encoded once, and a subscriber that does not read keeps
// nobody waiting.
//
// spec:14.19
func TestOneEncodingForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var encoded atomic.Int64
		w := newWorld(t, bayeux.Options{Extensions: []bayeux.Extension{{Outgoing: func(*bayeux.Session, *bayeux.Delivery) bool {
			encoded.Add(1)
			return true
		}}}})
		const subscribers = 20
		for range subscribers {
			w.socket().Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/a"}`) // and never reads again
		}
		p := w.poller()
		start := time.Now()
		p.send(`{"channel":"/a","clientId":"$","data":1}`)
		if encoded.Load() != 1 || time.Since(start) != 0 {
			t.Errorf("encoded %d times in %v", encoded.Load(), time.Since(start))
		}
	})
}

// Whatever the order in which connects come, one is held.
//
// spec:7.6 spec:14.7
func TestOneConnectIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{HoldsPerBrowser: -1})
		p := w.poller()
		const connects = 10
		answers := make(chan int, connects)
		for i := range connects {
			go func() {
				status, _, _ := p.post(t.Context(), p.cookie, fmt.Sprintf(`{"channel":"/meta/connect","clientId":%q,"id":"%d"}`, p.id, i))
				answers <- status
			}()
		}
		synctest.Wait()
		counts := make(map[int]int)
		for range connects - 1 {
			counts[<-answers]++
		}
		w.deliver(p.id, 1, 1)
		counts[<-answers]++
		if diff := cmp.Diff(map[int]int{500: connects - 1, 200: 1}, counts); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

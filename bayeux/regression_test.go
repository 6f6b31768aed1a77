package bayeux_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// A handshake spelled with a slash at its end is no way around the rule that a
// handshake stands alone, and leaves no session behind.
func TestAHandshakeStandsAloneHoweverItIsSpelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		m := `{"channel":"/meta/handshake/"}`
		w.post(t.Context(), "", "["+m+","+m+","+m+"]")
		time.Sleep(time.Hour)
		if n := w.srv.Sessions(); n != 0 {
			t.Errorf("%d sessions never expire", n)
		}
	})
}

// A handler that panics does not keep its session from expiring.
func TestASessionOutlivesAPanicAndExpires(t *testing.T) {
	for _, over := range []string{"polling", "websocket", "handshake"} {
		t.Run(over, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				boom := func(context.Context, *bayeux.Session, *bayeux.Message, *bayeux.Reply) {}
				if over == "handshake" {
					boom = func(context.Context, *bayeux.Session, *bayeux.Message, *bayeux.Reply) { panic(http.ErrAbortHandler) }
				}
				w := newWorld(t, bayeux.Options{OnHandshake: boom})
				w.srv.Handle("/service/boom", func(context.Context, *bayeux.Session, *bayeux.Message) error { panic(http.ErrAbortHandler) })
				switch over {
				case "polling":
					p := w.poller()
					w.post(t.Context(), p.cookie, `{"channel":"/service/boom","clientId":"`+p.id+`","data":1}`)
				case "websocket":
					s := w.socket()
					s.Send(`{"channel":"/service/boom","clientId":"$","data":1}`)
					s.ReadFrame()
				case "handshake":
					w.post(t.Context(), "", `{"channel":"/meta/handshake"}`)
				}
				time.Sleep(time.Hour)
				if n := w.srv.Sessions(); n != 0 {
					t.Errorf("%d sessions never expire", n)
				}
			})
		})
	}
}

// With an Interval, a message extends the life of its session by as much as a
// connect does.
func TestAMessageNeverShortensTheLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Interval: time.Minute, MaxInterval: 10 * time.Second})
		p := w.poller()
		p.send(`{"channel":"/service/none","clientId":"$","data":1}`)
		time.Sleep(30 * time.Second) // half of what the client was told to wait
		if w.srv.Session(p.id) == nil {
			t.Error("it expired before the client may connect")
		}
	})
}

// The advice shows the interval that the client asked for.
func TestATransientIntervalIsAdvised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		f := w.poller().send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0,"interval":4000}}`)
		if f[0].At("advice", "interval") != 4000.0 {
			t.Errorf(`got %v, want f[0].At("advice", "interval") == 4000.0`, f)
		}
	})
}

// Reply.Set cannot write a field of the handshake a second time.
func TestReplySetLeavesTheProtocolsFieldsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := bayeux.New(bayeux.Options{OnHandshake: func(_ context.Context, _ *bayeux.Session, _ *bayeux.Message, r *bayeux.Reply) {
			r.Set("version", []byte(`"2.0"`))
			r.Set("supportedConnectionTypes", []byte(`[]`))
		}})
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(`{"channel":"/meta/handshake"}`)))
		if n := strings.Count(w.Body.String(), `"version"`); n != 1 {
			t.Errorf("version is there %d times: %s", n, w.Body)
		}
		time.Sleep(time.Minute)
	})
}

// broken fails to write bodies.
type broken struct{ http.ResponseWriter }

func (b broken) Write([]byte) (int, error)   { return 0, errors.New("the client has gone") }
func (b broken) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// What an answer could not carry leaves with a connect that came meanwhile.
func TestAFailedAnswerWakesAHeldConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{HoldsPerBrowser: -1})
		p := w.poller()
		w.deliver(p.id, 1, 1) // waits, and nobody is there to be told
		var held <-chan []frame
		w.srv.Handle("/service/slow", func(context.Context, *bayeux.Session, *bayeux.Message) error {
			return nil
		})
		// The publish's answer takes it; while it is written a connect comes.
		rec := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/", strings.NewReader(`{"channel":"/service/slow","clientId":"`+p.id+`","data":1}`))
		req.AddCookie(&http.Cookie{Name: "BAYEUX_BROWSER", Value: p.cookie})
		w.srv.ServeHTTP(&during{broken{rec}, func() {
			held = p.connect("7")
			synctest.Wait()
		}}, req)
		start := time.Now()
		if f := <-held; len(numbers(f)) != 1 || time.Since(start) != 0 {
			t.Errorf(`after %v: got %v, want len(numbers(f)) == 1, time.Since(start) == 0`, time.Since(start), f)
		}
	})
}

// aborting is a response writer that panics, as middleware may.
type aborting struct{ http.ResponseWriter }

func (aborting) Write([]byte) (int, error) { panic(http.ErrAbortHandler) }

// What an answer was to carry whose writer panicked leaves with the next one.
func TestAnAbortedAnswerIsRequeued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		p := w.poller()
		w.deliver(p.id, 1, 1)
		req := httptest.NewRequest("POST", "/", strings.NewReader(`{"channel":"/service/none","clientId":"`+p.id+`","data":1}`))
		req.AddCookie(&http.Cookie{Name: "BAYEUX_BROWSER", Value: p.cookie})
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("recovered %v, want ErrAbortHandler", v)
				}
			}()
			w.srv.ServeHTTP(aborting{httptest.NewRecorder()}, req)
		}()
		if got := numbers(<-p.connect("c")); len(got) != 1 || got[0] != 1 {
			t.Errorf("the next connect: got %v, want message 1", got)
		}
		if err := w.srv.Session(p.id).CheckOutbox(); err != nil {
			t.Error(err)
		}
	})
}

// during calls back before it fails to write.
type during struct {
	broken
	then func()
}

func (d *during) Write(b []byte) (int, error) {
	d.then()
	return d.broken.Write(b)
}

// A plain OPTIONS is answered with 200.
func TestOptionsIsAnswered(t *testing.T) {
	srv := bayeux.New(bayeux.Options{})
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, httptest.NewRequest("OPTIONS", "/cometd", nil))
	if w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

// A negative MultiSessionInterval refuses what is over the limit.
func TestANegativeMultiSessionIntervalRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MultiSessionInterval: -1, MaxInterval: time.Minute})
		a := w.poller()
		_, _, f := w.post(t.Context(), a.cookie, `{"channel":"/meta/handshake"}`)
		b := &poller{w, a.cookie, f[0]["clientId"].(string)}
		b.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
		a.connect("5")
		synctest.Wait()
		f = <-b.connect("6")
		if f[0]["successful"] != false || f[0].At("advice", "reconnect") != "none" || f[0].At("advice", "multiple-clients") != true {
			t.Errorf(`got %v, want f[0]["successful"] == false, f[0].At("advice", "reconnect") == "none", f[0].At("advice", "multiple-clients") == true`, f)
		}
	})
}

// Close does not wait for one client after the other that does not read.
func TestCloseDoesNotWaitForSocketsThatDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		for range 30 {
			w.socket() // and never reads
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := w.srv.Close(ctx)
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("it took %v: %v", d, err)
		}
	})
}

// A client that does not read is not read from: its replies do not pile up.
func TestRepliesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s := w.socket()
		w.deliver(s.ID, 1, 1) // somebody is now stuck in writing this
		synctest.Wait()
		sent := make(chan int)
		go func() {
			n := 0
			_ = s.Conn.SetWriteDeadline(time.Now().Add(time.Second))
			for ; n < 100_000; n++ {
				if s.TrySend(fmt.Sprintf(`{"channel":"/service/x","clientId":"$","id":"%d"}`, n)) != nil {
					break
				}
			}
			sent <- n
		}()
		if n := <-sent; n > 20_000 {
			t.Errorf("%d messages were read and answered to a client that reads nothing", n)
		}
		_ = s.Conn.Close()
	})
}

// A connect that is still being processed gives way to a newer one that is
// held already.
func TestAStaleConnectNeverReplacesANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{HoldsPerBrowser: -1})
		p := w.poller()
		var newer <-chan []frame
		w.srv.Handle("/service/meanwhile", func(context.Context, *bayeux.Session, *bayeux.Message) error {
			newer = p.connect("new")
			time.Sleep(time.Millisecond)
			return nil
		})
		s := w.dial(nil)
		s.ID = p.id
		s.Send(`[{"channel":"/meta/connect","clientId":"$","id":"old"},{"channel":"/service/meanwhile","clientId":"$","id":"x"}]`)
		s.Read()
		synctest.Wait()
		start := time.Now()
		if f := <-newer; len(f) != 1 || f[0]["id"] != "new" || time.Since(start) < 19*time.Second {
			t.Errorf(`after %v: got %v, want len(f) == 1, f[0]["id"] == "new", time.Since(start) >= 19*time.Second`, time.Since(start), f)
		}
	})
}

package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/halley-chat/halley/bayeux"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHandshakeReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxInterval: 90 * time.Second})
		status, cookie, frames := w.post(t.Context(), "", `{"channel":"/meta/handshake","id":7,"minimumVersion":"1.0beta"}`)
		if status != 200 || len(frames) != 1 {
			t.Fatalf(`got %d %v, want status == 200, len(frames) == 1`, status, frames)
		}
		got := frames[0]
		if id, _ := got["clientId"].(string); len(id) < 20 || got["successful"] != true || got["id"] != 7.0 || got["version"] != "1.0" {
			t.Errorf("reply %v", got)
		}
		if diff := cmp.Diff(map[string]any{"reconnect": "retry", "interval": 0.0, "timeout": 20000.0}, got["advice"]); diff != "" {
			t.Errorf("advice: %s", diff)
		}
		if len(cookie) < 16 {
			t.Errorf("cookie %q", cookie)
		}
		if _, again, _ := w.post(t.Context(), cookie, `{"channel":"/meta/handshake"}`); again != cookie {
			t.Errorf("a known browser got another cookie")
		}
	})
}

// spec:8.2
func TestCookieGuardsTheSession(t *testing.T) {
	for _, trust := range []bool{false, true} {
		t.Run(fmt.Sprint("trust ", trust), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{TrustClientID: trust})
				p := w.poller()
				_, _, frames := w.post(t.Context(), "", `{"channel":"/meta/subscribe","clientId":"`+p.id+`","subscription":"/a","id":"3"}`)
				if ok := frames[0]["successful"] == true; ok != trust {
					t.Errorf("trust %v: %v", trust, frames)
				}
				if !trust && frames[0]["error"] != "402::Unknown client" {
					t.Errorf("error %v", frames[0]["error"])
				}
			})
		})
	}
}

func TestUnknownClientAdvice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		for channel, want := range map[string]any{"/meta/connect": "handshake", "/meta/subscribe": nil, "/service/x": nil} {
			_, _, f := w.post(t.Context(), "", `[{"channel":"`+channel+`","clientId":"nobody","id":"1"}]`)
			if f[0]["error"] != "402::Unknown client" || f[0].At("advice", "reconnect") != want || f[0]["successful"] != false {
				t.Errorf(`%s: got %v, want f[0]["error"] == "402::Unknown client", f[0].At("advice", "reconnect") == want, f[0]["successful"] == false`, channel, f)
			}
		}
	})
}

// spec:1.3 spec:7.7
func TestConnectIsHeldForTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		p, s := w.poller(), w.socket()
		start := time.Now()
		polled := p.connect("9")
		s.Send(`[{"channel":"/meta/connect","clientId":"$","connectionType":"websocket","id":"9"}]`)
		for name, f := range map[string][]frame{"poll": <-polled, "socket": s.Read()} {
			if d := time.Since(start); d != 20*time.Second {
				t.Errorf("%s: answered after %v", name, d)
			}
			if diff := cmp.Diff([]frame{{"channel": "/meta/connect", "id": "9", "successful": true}}, f); diff != "" {
				t.Errorf(`%s: got %s, want diff == ""`, name, diff)
			}
		}
	})
}

func TestFirstConnectIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s := w.dial(nil)
		f := s.Ask(`{"channel":"/meta/handshake"}`)
		s.ID = f[0]["clientId"].(string)
		start := time.Now()
		f = s.Ask(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":10000}}`)
		if time.Since(start) != 0 || f[0].At("advice", "timeout") != 20000.0 {
			t.Errorf(`after %v: got %v, want time.Since(start) == 0, f[0].At("advice", "timeout") == 20000.0`, time.Since(start), f)
		}
		// A client may ask for a shorter hold for one cycle.
		s.Ask(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":3000}}`)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("held for %v", d)
		}
	})
}

func TestBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s, p := w.socket(), w.poller()
		f := s.Ask(`[{"channel":"/meta/subscribe","clientId":"$","id":"3","subscription":["/a/*","/a/b","/**"]}]`)
		if f[0]["successful"] != true {
			t.Fatal(f)
		}
		p.send(`[{"channel":"/meta/subscribe","clientId":"$","id":"3","subscription":"/a/b"}]`)
		f = p.send(`[{"channel":"/a/b","clientId":"$","id":"4","data":{"x":1.50,"__proto__":null},"ext":{"e":1},"more":"m"}]`)
		want := frame{"channel": "/a/b", "data": map[string]any{"x": 1.5, "__proto__": nil}, "ext": map[string]any{"e": 1.0}, "more": "m"}
		if diff := cmp.Diff([]frame{want, {"channel": "/a/b", "id": "4", "successful": true}}, f); diff != "" {
			t.Errorf("the publisher: %s", diff)
		}
		if diff := cmp.Diff([]frame{want}, s.Read()); diff != "" {
			t.Errorf("the subscriber, once: %s", diff)
		}
		s.Ask(`[{"channel":"/meta/unsubscribe","clientId":"$","id":"5","subscription":["/a/b","/**","/a/*"]}]`)
		if err := w.srv.Publish("/a/b", []byte(`1`)); err != nil {
			t.Fatal(err)
		}
		if got := s.Ask(`{"channel":"/service/none","clientId":"$","id":"6","data":0}`); len(got) != 1 || got[0]["id"] != "6" {
			t.Errorf("after unsubscribing: %v", got)
		}
	})
}

// spec:3.5 spec:13.4
func TestHandlerDeliversAheadOfTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{HoldsPerBrowser: -1})
		w.srv.Handle("/service/chat/*", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
			if string(m.Data) == `"bad"` {
				return &bayeux.Error{Code: 403, Args: "no", Text: "refused"}
			}
			if string(m.Data) == `"odd"` {
				return errors.New("a detail that is nobody's business")
			}
			return s.Deliver(m.Channel, []byte(`"note"`))
		})
		p, s := w.poller(), w.socket()
		held := p.connect("8")
		synctest.Wait()
		note := frame{"channel": "/service/chat/x", "data": "note"}
		ack := frame{"channel": "/service/chat/x", "id": "9", "successful": true}
		got := p.send(`{"channel":"/service/chat/x","clientId":"$","id":"9","data":"good"}`)
		if diff := cmp.Diff([]frame{note, ack}, got); diff != "" {
			t.Errorf("poll: %s", diff)
		}
		s.Send(`{"channel":"/service/chat/x","clientId":"$","id":"9","data":"good"}`)
		if diff := cmp.Diff([]frame{note, ack}, append(s.Read(), s.Read()...)); diff != "" {
			t.Errorf("socket: %s", diff)
		}
		for data, want := range map[string]string{`"bad"`: "403:no:refused", `"odd"`: "500::server_error"} {
			f := s.Ask(`{"channel":"/service/chat/x","clientId":"$","id":"9","data":` + data + `}`)
			if f[0]["error"] != want || f[0]["successful"] != false {
				t.Errorf(`%s: got %v, want f[0]["error"] == want, f[0]["successful"] == false`, data, f)
			}
		}
		select {
		case f := <-held:
			t.Errorf("the held connect was answered: %v", f)
		default:
		}
		// A delivery outside of a handler ends the hold and carries the message.
		if err := w.srv.Session(p.id).Deliver("/service/chat/x", []byte(`"note"`)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]frame{note, {"channel": "/meta/connect", "id": "8", "successful": true}}, <-held); diff != "" {
			t.Errorf("hold: %s", diff)
		}
	})
}

// spec:9.3 spec:9.4
func TestSessionSurvivesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxInterval: 90 * time.Second})
		s := w.socket()
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3"}`)
		synctest.Wait()
		_ = s.Conn.Close()
		synctest.Wait()
		session := w.srv.Session(s.ID)
		for i := range 3 {
			if err := session.Deliver("/service/x", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(89 * time.Second)
		again := w.dial(nil)
		again.ID = s.ID
		again.Send(`{"channel":"/meta/connect","clientId":"$","id":"4","advice":{"timeout":0}}`)
		var got []frame
		for len(got) < 4 {
			got = append(got, again.Read()...)
		}
		for i, f := range got[:3] {
			if f["data"] != float64(i) {
				t.Errorf("message %d: %v", i, f)
			}
		}
		_ = again.Conn.Close()
		ended := make(chan bayeux.Reason, 1)
		session.OnClose(func(r bayeux.Reason) { ended <- r })
		start := time.Now()
		if r := <-ended; r != bayeux.Expired || time.Since(start) != 90*time.Second {
			t.Errorf(`got %s after %v, want r == bayeux.Expired, time.Since(start) == 90*time.Second`, r, time.Since(start))
		}
		if n := w.srv.Sessions(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// spec:9.2 spec:7.8
func TestPollerExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		p := w.poller()
		time.Sleep(9 * time.Second)
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/x"}`) // any message extends it
		time.Sleep(9 * time.Second)
		if w.srv.Session(p.id) == nil {
			t.Fatal("expired although it spoke")
		}
		// Giving up a held connect starts the clock as well.
		ctx, cancel := context.WithCancel(t.Context())
		go p.post(ctx, p.cookie, `{"channel":"/meta/connect","clientId":"`+p.id+`"}`)
		time.Sleep(5 * time.Second)
		cancel()
		time.Sleep(9 * time.Second)
		if w.srv.Session(p.id) == nil {
			t.Fatal("expired too early")
		}
		time.Sleep(2 * time.Second)
		f := p.send(`{"channel":"/meta/connect","clientId":"$"}`)
		if f[0].At("advice", "reconnect") != "handshake" || w.srv.Stats().Ended.Expired.Load() != 1 {
			t.Errorf(`got %v, want f[0].At("advice", "reconnect") == "handshake", w.srv.Stats().Ended.Expired.Load() == 1`, f)
		}
	})
}

func TestNewerConnectReplacesTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{HoldsPerBrowser: -1})
		p := w.poller()
		type answer struct {
			status int
			frames []frame
		}
		first := make(chan answer, 1)
		go func() {
			status, _, f := p.post(t.Context(), p.cookie, `{"channel":"/meta/connect","clientId":"`+p.id+`","id":"5"}`)
			first <- answer{status, f}
		}()
		synctest.Wait()
		second := p.connect("6")
		if a := <-first; a.status != http.StatusInternalServerError {
			t.Errorf("the older one: %v", a)
		}
		if err := w.srv.Session(p.id).Deliver("/service/x", []byte(`1`)); err != nil {
			t.Fatal(err)
		}
		if f := <-second; len(f) != 2 || f[1]["id"] != "6" {
			t.Errorf("the newer one: %v", f)
		}
		s := w.socket()
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"5"}`)
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"6"}`)
		if f := s.Read(); len(f) != 1 || f[0]["id"] != "6" {
			t.Errorf("socket: %v", f)
		}
	})
}

func TestHoldsPerBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxInterval: time.Minute})
		a := w.poller()
		_, _, f := w.post(t.Context(), a.cookie, `{"channel":"/meta/handshake"}`)
		b := &poller{w, a.cookie, f[0]["clientId"].(string)}
		b.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
		held := a.connect("5")
		synctest.Wait()
		start := time.Now()
		f = <-b.connect("6")
		if time.Since(start) != 0 || f[0].At("advice", "multiple-clients") != true || f[0].At("advice", "interval") != 2000.0 || f[0]["successful"] != true {
			t.Errorf("second tab: after %v %v", time.Since(start), f)
		}
		<-held
		// The other tab's hold is over: this one is held again and told so.
		f = <-b.connect("7")
		if d := time.Since(start); d != 40*time.Second || f[0].At("advice", "interval") != 0.0 {
			t.Errorf(`after %v: got %v, want d == 40*time.Second, f[0].At("advice", "interval") == 0.0`, d, f)
		}
	})
}

// spec:14.12
func TestOverflowEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OutboxMessages: 3})
		p := w.poller()
		session := w.srv.Session(p.id)
		for range 3 {
			if err := session.Deliver("/service/x", []byte(`1`)); err != nil {
				t.Fatal(err)
			}
		}
		if err := session.Deliver("/service/x", []byte(`1`)); !errors.Is(err, bayeux.ErrOverflow) {
			t.Errorf("the fourth: %v", err)
		}
		if err := session.Deliver("/service/x", []byte(`1`)); !errors.Is(err, bayeux.ErrGone) {
			t.Errorf("the fifth: %v", err)
		}
		if f := p.send(`{"channel":"/meta/connect","clientId":"$"}`); f[0].At("advice", "reconnect") != "handshake" {
			t.Errorf(`got %v, want f[0].At("advice", "reconnect") == "handshake"`, f)
		}
	})
}

// spec:14.15
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s, p := w.socket(), w.poller()
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3"}`)
		polled := p.connect("3")
		synctest.Wait()
		w.srv.Drain(5 * time.Second)
		for name, f := range map[string][]frame{"socket": s.Read(), "poll": <-polled, "next": s.Ask(`{"channel":"/meta/connect","clientId":"$","id":"4"}`)} {
			interval, _ := f[0].At("advice", "interval").(float64)
			if f[0]["successful"] != true || f[0].At("advice", "reconnect") != "retry" || interval < 1 || interval > 5000 {
				t.Errorf(`%s: got %v, want f[0]["successful"] == true, f[0].At("advice", "reconnect") == "retry", interval >= 1, interval <= 5000`, name, f)
			}
		}
		// However short it is: a while of none is no while.
		w.srv.Drain(time.Nanosecond)
		if f := s.Ask(`{"channel":"/meta/connect","clientId":"$","id":"5"}`); f[0].At("advice", "interval") != 1.0 {
			t.Errorf("within a moment: %v", f)
		}
	})
}

func TestBatchIsAnsweredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		p := w.poller()
		f := p.send(`[{"channel":"/meta/subscribe","clientId":"$","id":"a","subscription":"/x"},{"channel":"/x","clientId":"other","id":"b","data":1},{"channel":"/meta/connect","clientId":"$","id":"c"},{"channel":"/x","clientId":"$","id":"d","data":2}]`)
		var order []string
		for _, m := range f {
			if id, ok := m["id"].(string); ok {
				order = append(order, id)
			}
		}
		if got := strings.Join(order, ""); got != "abcd" || f[0]["data"] != 2.0 {
			t.Errorf("order %s in %v", got, f)
		}
	})
}

// spec:8.3
func TestSetCookieOnUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s := w.dial(nil)
		c, err := http.ParseSetCookie(s.Header.Get("Set-Cookie"))
		if err != nil || c.Name != "BAYEUX_BROWSER" || !c.HttpOnly || c.Path != "/" {
			t.Fatalf(`got %v %v, want err == nil, c.Name == "BAYEUX_BROWSER", c.HttpOnly, c.Path == "/"`, c, err)
		}
		f := s.Ask(`{"channel":"/meta/handshake"}`)
		id := f[0]["clientId"].(string)
		// A session made on a WebSocket goes on over HTTP with that cookie.
		_, _, f = w.post(t.Context(), c.Value, `{"channel":"/meta/subscribe","clientId":"`+id+`","subscription":"/x"}`)
		if f[0]["successful"] != true {
			t.Errorf(`got %v, want f[0]["successful"] == true`, f)
		}
		if w.srv.Session(id).Browser() != c.Value {
			t.Error("the session has another browser")
		}
	})
}

// spec:12.5 spec:12.6
func TestAuthenticateAndOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{
			TrustClientID: true,
			Authenticate: func(r *http.Request) (any, error) {
				if name := r.Header.Get("X-User"); name != "" {
					return name, nil
				}
				return nil, errors.New("who?")
			},
			CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") != "null" },
		})
		if status, _, _ := w.post(t.Context(), "", `{"channel":"/meta/handshake"}`); status != http.StatusUnauthorized {
			t.Errorf("status %d", status)
		}
		anna := w.dial(http.Header{"X-User": {"anna"}})
		f := anna.Ask(`{"channel":"/meta/handshake"}`)
		id := f[0]["clientId"].(string)
		if w.srv.Session(id).Principal() != "anna" {
			t.Error("no principal")
		}
		ben := w.dial(http.Header{"X-User": {"ben"}})
		if f := ben.Ask(`{"channel":"/meta/connect","clientId":"` + id + `"}`); f[0]["error"] != "402::Unknown client" {
			t.Errorf("another principal: %v", f)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://memory/cometd", nil)
		req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Origin": {"null"}, "X-User": {"x"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
		resp, err := w.web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// spec:12.1 spec:14.9
func TestPolicyAndHandshakeHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deny := func(context.Context, *bayeux.Session, string) error { return errors.New("no") }
		w := newWorld(t, bayeux.Options{
			Policy: bayeux.Policy{
				Handshake: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
					if m.Ext != nil {
						return errors.New("no")
					}
					return nil
				},
				Subscribe: deny, Publish: deny,
			},
			OnHandshake: func(_ context.Context, s *bayeux.Session, _ *bayeux.Message, r *bayeux.Reply) {
				r.Set("secureKey", []byte(`"k"`))
				r.Set("clientId", []byte(`"forged"`))
				if err := s.Deliver("/service/hello", []byte(`1`)); err != nil {
					t.Error(err)
				}
			},
		})
		_, _, f := w.post(t.Context(), "", `{"channel":"/meta/handshake","ext":{"deny":true}}`)
		if f[0]["error"] != "403::handshake_denied" || f[0].At("advice", "reconnect") != "none" || w.srv.Sessions() != 0 {
			t.Errorf(`got %v, want f[0]["error"] == "403::handshake_denied", f[0].At("advice", "reconnect") == "none", w.srv.Sessions() == 0`, f)
		}
		s := w.dial(nil)
		f = s.Ask(`{"channel":"/meta/handshake"}`)
		if len(f) != 1 || f[0]["secureKey"] != "k" || f[0]["clientId"] == "forged" {
			t.Errorf("the reply stands alone and first: %v", f)
		}
		s.ID = f[0]["clientId"].(string)
		if f := s.Read(); f[0]["channel"] != "/service/hello" {
			t.Errorf(`got %v, want f[0]["channel"] == "/service/hello"`, f)
		}
		if f := s.Ask(`{"channel":"/x","clientId":"$","data":1}`); f[0]["error"] != "403:denied_by_security_policy:publish_denied" {
			t.Errorf(`got %v, want f[0]["error"] == "403:denied_by_security_policy:publish_denied"`, f)
		}
		if f := s.Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/x"}`); f[0]["error"] != "403:denied_by_security_policy:subscribe_denied" || f[0]["subscription"] != "/x" {
			t.Errorf(`got %v, want f[0]["error"] == "403:denied_by_security_policy:subscribe_denied", f[0]["subscription"] == "/x"`, f)
		}
	})
}

// spec:14.20
func TestPanicInAHandlerClosesOneSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		w.srv.Handle("/service/boom", func(context.Context, *bayeux.Session, *bayeux.Message) error { panic("boom") })
		a, b := w.socket(), w.socket()
		a.Send(`{"channel":"/service/boom","clientId":"$","id":"1"}`)
		if _, code := a.ReadFrame(); code != 1011 {
			t.Errorf("close code %d", code)
		}
		if f := b.Ask(`{"channel":"/service/x","clientId":"$","id":"1"}`); f[0]["successful"] != true {
			t.Errorf(`got %v, want f[0]["successful"] == true`, f)
		}
	})
}

// spec:13.2 spec:13.3
func TestEverybodyReceivesOnceAndInOrder(t *testing.T) {
	// Many sessions at once, both transports, everything published arrives at
	// everybody exactly once and in order.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{HoldsPerBrowser: -1})
		const clients, messages = 12, 30
		done := make(chan []float64, clients)
		ready := make(chan struct{}, clients)
		for i := range clients {
			go func() {
				var got []float64
				if i%2 == 0 {
					p := w.poller()
					p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/room"}`)
					ready <- struct{}{}
					for n := 0; len(got) < messages; n++ {
						for _, f := range <-p.connect(fmt.Sprint(n)) {
							if f["channel"] == "/room" {
								got = append(got, f["data"].(float64))
							}
						}
					}
				} else {
					s := w.socket()
					s.Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/*"}`)
					ready <- struct{}{}
					for len(got) < messages {
						for _, f := range s.Read() {
							got = append(got, f["data"].(float64))
						}
					}
				}
				done <- got
			}()
		}
		for range clients {
			<-ready
		}
		var want []float64
		for n := range messages {
			want = append(want, float64(n))
			data, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.srv.Publish("/room", data); err != nil {
				t.Fatal(err)
			}
			if n%7 == 0 {
				synctest.Wait()
			}
		}
		for range clients {
			if diff := cmp.Diff(want, <-done); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
	})
}

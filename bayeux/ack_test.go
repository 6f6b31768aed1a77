package bayeux_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// acking is a poller that uses the acknowledgement extension.
func (w *world) acking() *poller {
	w.t.Helper()
	_, cookie, f := w.post(w.t.Context(), "", `{"channel":"/meta/handshake","ext":{"ack":true}}`)
	if f[0].At("ext", "ack") != true {
		w.t.Fatalf("handshake: %v", f)
	}
	return &poller{w, cookie, f[0]["clientId"].(string)}
}

func (p *poller) connectAck(batch int, timeout string) []frame {
	p.t.Helper()
	return p.send(fmt.Sprintf(`{"channel":"/meta/connect","clientId":"$","id":"c","ext":{"ack":%d}%s}`, batch, timeout))
}

const atOnce = `,"advice":{"timeout":0}`

func batchOf(f []frame) any { return f[len(f)-1].At("ext", "ack") }

// What is not acknowledged comes again with every connect, in order, until it
// is; and nothing leaves with any other reply.
func TestAckRedelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Ack: true, MaxInterval: time.Minute})
		p := w.acking()
		if f := p.connectAck(0, atOnce); batchOf(f) != 1.0 || len(f) != 1 {
			t.Fatalf(`got %v, want batchOf(f) == 1.0, len(f) == 1`, f)
		}
		w.deliver(p.id, 1, 2)
		if f := p.send(`{"channel":"/service/none","clientId":"$","id":"x","data":1}`); len(f) != 1 {
			t.Errorf("messages left without a connect: %v", f)
		}
		for _, c := range []struct {
			acked   int
			before  [2]int // delivered before the connect
			want    []int
			replied float64
		}{
			{1, [2]int{}, []int{1, 2}, 2},
			{1, [2]int{3, 3}, []int{1, 2, 3}, 3}, // batch 2 was lost on the way
			{2, [2]int{4, 4}, []int{3, 4}, 4},    // batch 2 was had after all, 3 not
			{4, [2]int{5, 5}, []int{5}, 5},
		} {
			if c.before[0] > 0 {
				w.deliver(p.id, c.before[0], c.before[1])
			}
			f := p.connectAck(c.acked, "")
			if diff := cmp.Diff(c.want, numbers(f)); diff != "" || batchOf(f) != c.replied {
				t.Errorf("acked %d: %s, batch %v", c.acked, diff, batchOf(f))
			}
		}
		// With everything acknowledged a connect is held again.
		start := time.Now()
		if f := p.connectAck(5, ""); time.Since(start) != 20*time.Second || len(f) != 1 {
			t.Errorf(`after %v: got %v, want time.Since(start) == 20*time.Second, len(f) == 1`, time.Since(start), f)
		}
	})
}

func TestAckOverWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Ack: true, MaxInterval: time.Minute})
		s := w.dial(nil)
		f := s.Ask(`{"channel":"/meta/handshake","ext":{"ack":true}}`)
		s.ID = f[0]["clientId"].(string)
		s.Ask(`{"channel":"/meta/connect","clientId":"$","ext":{"ack":0},"advice":{"timeout":0}}`)
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"a","ext":{"ack":1}}`)
		synctest.Wait()
		w.deliver(s.ID, 1, 1) // ends the hold
		read := func() (n []int) {
			for {
				f := s.Read()
				n = append(n, numbers(f)...)
				if f[len(f)-1]["channel"] == "/meta/connect" {
					return n
				}
			}
		}
		if diff := cmp.Diff([]int{1}, read()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		_ = s.Conn.Close()
		again := w.dial(nil)
		again.ID, s = s.ID, again
		again.Send(`{"channel":"/meta/connect","clientId":"$","id":"b","ext":{"ack":1},"advice":{"timeout":0}}`)
		if diff := cmp.Diff([]int{1}, read()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// spec:14.12
func TestAckHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Ack: true, OutboxMessages: 3})
		p := w.acking()
		p.connectAck(0, atOnce)
		w.deliver(p.id, 1, 3)
		p.connectAck(1, atOnce) // delivered, but never acknowledged
		if err := w.srv.Session(p.id).Deliver("/service/n", []byte("4")); err != bayeux.ErrOverflow {
			t.Errorf(`got %v, want err == bayeux.ErrOverflow`, err)
		}
	})
}

func TestConnectOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{ConnectOnly: true})
		s := w.socket()
		w.deliver(s.ID, 1, 1)
		if f := s.Ask(`{"channel":"/service/x","clientId":"$","id":"p","data":1}`); len(f) != 1 {
			t.Errorf(`got %v, want len(f) == 1`, f)
		}
		if f := append(s.Ask(`{"channel":"/meta/connect","clientId":"$","id":"3"}`), s.Read()...); numbers(f)[0] != 1 || f[1]["id"] != "3" {
			t.Errorf(`got %v, want numbers(f)[0] == 1, f[1]["id"] == "3"`, f)
		}
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"4"}`)
		synctest.Wait()
		w.deliver(s.ID, 2, 2)
		if f := append(s.Read(), s.Read()...); numbers(f)[0] != 2 || f[1]["id"] != "4" {
			t.Errorf(`got %v, want numbers(f)[0] == 2, f[1]["id"] == "4"`, f)
		}
	})
}

// spec:7.5
func TestLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{HoldsPerBrowser: -1})
		w.srv.Configure("/lazy/**", bayeux.ChannelOptions{Lazy: true, LazyTimeout: 3 * time.Second})
		p, s := w.poller(), w.socket()
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":["/lazy/a","/b"]}`)
		s.Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":["/lazy/a","/b"]}`)
		publish := func(channel string, n int) {
			t.Helper()
			if err := w.srv.Publish(channel, fmt.Append(nil, n)); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		held := p.connect("3")
		synctest.Wait()
		publish("/lazy/a", 1)
		publish("/lazy/a", 2)
		for name, f := range map[string][]frame{"poll": <-held, "socket": s.Read()} {
			if diff := cmp.Diff([]int{1, 2}, numbers(f)); diff != "" || time.Since(start) != 3*time.Second {
				t.Errorf(`%s after %v: got %s, want diff == "", time.Since(start) == 3*time.Second`, name, time.Since(start), diff)
			}
		}
		// Something urgent takes them along, in order.
		held = p.connect("4")
		synctest.Wait()
		publish("/lazy/a", 3)
		publish("/b", 4)
		for name, f := range map[string][]frame{"poll": <-held, "socket": s.Read()} {
			if diff := cmp.Diff([]int{3, 4}, numbers(f)); diff != "" || time.Since(start) != 3*time.Second {
				t.Errorf(`%s after %v: got %s, want diff == "", time.Since(start) == 3*time.Second`, name, time.Since(start), diff)
			}
		}
	})
}

// spec:10.3.3
func TestCallbackPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{CallbackPolling: true, TrustClientID: true})
		get := func(query string) (int, string, string) {
			t.Helper()
			resp, err := w.web.Get("http://memory/cometd?" + query)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b := new(strings.Builder)
			if _, err := fmt.Fprint(b, mustRead(t, resp.Body)); err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, resp.Header.Get("Content-Type"), b.String()
		}
		status, kind, body := get("jsonp=cb.f&message=%5B%7B%22channel%22%3A%22/meta/handshake%22%7D%5D")
		if status != 200 || kind != "text/javascript;charset=UTF-8" || !strings.HasPrefix(body, "cb.f([{") || !strings.HasSuffix(body, "}])") {
			t.Errorf(`got %d %s %s, want status == 200, kind == "text/javascript;charset=UTF-8", strings.HasPrefix(body, "cb.f([{"), strings.HasSuffix(body, "}])")`, status, kind, body)
		}
		id := strings.Split(strings.Split(body, `"clientId":"`)[1], `"`)[0]
		get("jsonp=f&message=%7B%22channel%22%3A%22/meta/connect%22,%22clientId%22%3A%22" + id + "%22%7D")
		if err := w.srv.Session(id).Deliver("/service/x", []byte("\"a\u2028b\"")); err != nil {
			t.Fatal(err)
		}
		if _, _, body := get("jsonp=f&message=%7B%22channel%22%3A%22/service/x%22,%22data%22%3A1,%22clientId%22%3A%22" + id + "%22%7D"); strings.Contains(body, "data") {
			t.Errorf("delivered without a connect: %s", body)
		}
		if _, _, body := get("jsonp=f&message=%7B%22channel%22%3A%22/meta/connect%22,%22clientId%22%3A%22" + id + "%22%7D"); !strings.Contains(body, `"a\u2028b"`) {
			t.Errorf(`got %s, want strings.Contains(body, '"a\u2028b"')`, body)
		}
		for _, bad := range []string{"jsonp=&message=%5B%5D", "jsonp=a()&message=%5B%5D", "jsonp=f", "jsonp=f&jsonp=g&message=%5B%5D", "jsonp=" + strings.Repeat("f", 65) + "&message=%5B%5D", "jsonp=f&message=x"} {
			if status, _, _ := get(bad); status != 400 {
				t.Errorf(`%s: got %d, want status == 400`, bad, status)
			}
		}
		off := newWorld(t, bayeux.Options{})
		resp, err := off.web.Get("http://memory/cometd?jsonp=f&message=%5B%5D")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("off: %d", resp.StatusCode)
		}
	})
}

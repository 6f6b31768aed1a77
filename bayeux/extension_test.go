package bayeux_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/halley-chat/halley/bayeux"
)

func mustRead(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// spec:11.7
func TestExtensionsSeeWholeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, s)
		}
		ext := func(name string) bayeux.Extension {
			return bayeux.Extension{
				Incoming: func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
					if m.Channel != "/a" {
						return nil
					}
					note(name + " in")
					if string(m.Data) == `"veto"` {
						return errors.New("no")
					}
					if s == nil {
						t.Error("no session")
					}
					m.Set("x"+name, []byte("1"))
					m.OnReply(func(_ *bayeux.Session, r *bayeux.Reply) {
						note(name + " reply")
						r.SetExt(name, []byte(fmt.Sprint(r.Successful())))
						r.Set("clientId", []byte(`"forged"`))
					})
					return nil
				},
				Outgoing: func(s *bayeux.Session, d *bayeux.Delivery) bool {
					note(name + " out")
					if s != nil {
						t.Error("a broadcast has no receiver")
					}
					d.Set("y"+name, []byte("2"))
					return string(d.Field("data")) != `"silent"`
				},
			}
		}
		w := newWorld(t, bayeux.Options{Extensions: []bayeux.Extension{ext("1"), ext("2")}})
		p := w.poller()
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/a"}`)
		f := p.send(`{"channel":"/a","clientId":"$","id":"9","data":"x"}`)
		want := []frame{
			{"channel": "/a", "data": "x", "x1": 1.0, "x2": 1.0, "y1": 2.0, "y2": 2.0},
			{"channel": "/a", "id": "9", "successful": true, "ext": map[string]any{"1": true, "2": true}},
		}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1 in", "2 in", "2 out", "1 out", "2 reply", "1 reply"}, order); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if f := p.send(`{"channel":"/a","clientId":"$","id":"9","data":"veto"}`); len(f) != 1 || f[0]["error"] != "404::message_deleted" {
			t.Errorf(`got %v, want len(f) == 1, f[0]["error"] == "404::message_deleted"`, f)
		}
		if f := p.send(`{"channel":"/a","clientId":"$","id":"9","data":"silent"}`); len(f) != 1 || f[0]["successful"] != true {
			t.Errorf(`got %v, want len(f) == 1, f[0]["successful"] == true`, f)
		}
	})
}

// spec:11.2 spec:11.3
func TestTimesyncAndTimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Extensions: []bayeux.Extension{bayeux.Timesync(), bayeux.Timestamp()}})
		s := w.socket()
		start := time.Now()
		f := s.Ask(`{"channel":"/meta/connect","clientId":"$","id":"1","ext":{"timesync":{"tc":1000,"l":0,"o":0}},"advice":{"timeout":4000}}`)
		want := map[string]any{"tc": 1000.0, "ts": float64(start.UnixMilli()), "p": 4000.0, "a": 1000.0 - float64(start.UnixMilli())}
		if diff := cmp.Diff(want, f[0].At("ext", "timesync")); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if f[0]["timestamp"] != time.Now().UTC().Format(http.TimeFormat) {
			t.Errorf("timestamp %v", f[0]["timestamp"])
		}
		f = s.Ask(fmt.Sprintf(`{"channel":"/meta/subscribe","subscription":"/a","clientId":"$","ext":{"timesync":{"tc":%d,"l":5,"o":0}}}`, time.Now().UnixMilli()))
		if f[0].At("ext", "timesync") != nil {
			t.Errorf("close enough, and yet answered: %v", f)
		}
		w.deliver(s.ID, 1, 1)
		if f := s.Read(); f[0]["timestamp"] == nil {
			t.Errorf(`got %v, want f[0]["timestamp"] != nil`, f)
		}
	})
}

// spec:11.5
func TestZ85(t *testing.T) {
	if got := string(bayeux.AppendZ85(nil, []byte{0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B})); got != "HelloWorld" {
		t.Errorf(`got %q, want got == "HelloWorld"`, got)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		text := string(bayeux.AppendZ85(nil, in))
		out, ok := bayeux.ParseZ85(text)
		if !ok || !bytes.Equal(in, out) {
			t.Fatalf("%x became %q and %x", in, text, out)
		}
	})
	for _, bad := range []string{"a", "abcdef", "ab\"de", "#####"} {
		if _, ok := bayeux.ParseZ85(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

// spec:12.1 spec:12.2
func TestAuthorizersAndCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Policy: bayeux.Policy{Create: func(_ context.Context, _ *bayeux.Session, channel string) error {
			if strings.HasPrefix(channel, "/closed") {
				return errors.New("no")
			}
			return nil
		}}})
		w.srv.Configure("/game/**", bayeux.ChannelOptions{Authorize: func(_ context.Context, _ *bayeux.Session, op bayeux.Operation, _ string) bayeux.Verdict {
			if op == bayeux.Publish {
				return bayeux.Ignore()
			}
			return bayeux.Grant()
		}})
		w.srv.Configure("/game/open", bayeux.ChannelOptions{Authorize: func(context.Context, *bayeux.Session, bayeux.Operation, string) bayeux.Verdict {
			return bayeux.Grant()
		}})
		w.srv.Configure("/game/*", bayeux.ChannelOptions{Authorize: func(_ context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string) bayeux.Verdict {
			if channel == "/game/bad" {
				return bayeux.Deny("because")
			}
			return bayeux.Ignore()
		}})
		p := w.poller()
		for body, want := range map[string]any{
			`{"channel":"/game/x","clientId":"$","data":1}`:                         "403:denied_by_not_granting:publish_denied",
			`{"channel":"/game/open","clientId":"$","data":1}`:                      nil,
			`{"channel":"/game/bad","clientId":"$","data":1}`:                       "403:because:channel_create_denied",
			`{"channel":"/meta/subscribe","clientId":"$","subscription":"/game/x"}`: nil,
			`{"channel":"/meta/subscribe","clientId":"$","subscription":"/closed"}`: "403:denied_by_security_policy:create_denied",
			`{"channel":"/closed/a","clientId":"$","data":1}`:                       "403:denied_by_security_policy:channel_create_denied",
			`{"channel":"/free","clientId":"$","data":1}`:                           nil,
		} {
			f := p.send(body)
			if f[len(f)-1]["error"] != want {
				t.Errorf(`%s: got %v, want f[len(f)-1]["error"] == want`, body, f)
			}
		}
	})
}

// spec:6.7
func TestNoEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		w.srv.Configure("/quiet", bayeux.ChannelOptions{NoEcho: true})
		p, s := w.poller(), w.socket()
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/quiet"}`)
		s.Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/quiet"}`)
		if f := p.send(`{"channel":"/quiet","clientId":"$","id":"9","data":7}`); len(f) != 1 {
			t.Errorf(`got %v, want len(f) == 1`, f)
		}
		if diff := cmp.Diff([]int{7}, numbers(s.Read())); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// spec:12.7
func TestSessionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxSessionsPerBrowser: 2, MaxSessionsPerAddress: 3, Address: func(r *http.Request) string { return "one" }})
		shake := func(cookie string) (string, frame) {
			_, c, f := w.post(t.Context(), cookie, `{"channel":"/meta/handshake"}`)
			return c, f[0]
		}
		cookie, first := shake("")
		shake(cookie)
		if _, f := shake(cookie); f["error"] != "403:too_many_sessions:handshake_denied" || f.At("advice", "reconnect") != "none" {
			t.Errorf("third of the browser: %v", f)
		}
		shake("")
		if _, f := shake(""); f["successful"] != false {
			t.Errorf("fourth of the address: %v", f)
		}
		w.post(t.Context(), cookie, `{"channel":"/meta/disconnect","clientId":"`+first["clientId"].(string)+`"}`)
		if _, f := shake(cookie); f["successful"] != true {
			t.Errorf("after one has gone: %v", f)
		}
	})
}

// spec:14.18
func TestLocal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		var got []frame
		l, err := w.srv.NewLocal(func(m jsontext.Value) {
			var f frame
			if err := json.Unmarshal(m, &f); err != nil {
				t.Error(err)
			}
			got = append(got, f)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Subscribe("/room/*"); err != nil {
			t.Fatal(err)
		}
		p := w.poller()
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/room/a"}`)
		p.send(`{"channel":"/room/a","clientId":"$","data":1}`)
		if err := l.Publish("/room/a", []byte("2")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if diff := cmp.Diff([]int{1, 2}, numbers(got)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if diff := cmp.Diff([]int{2}, numbers(<-p.connect("3"))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		l.Close()
		if err := l.Publish("/room/a", []byte("3")); err != bayeux.ErrGone {
			t.Errorf(`got %v, want err == bayeux.ErrGone`, err)
		}
		if err := l.Subscribe("/room/b"); err != bayeux.ErrGone {
			t.Errorf(`got %v, want err == bayeux.ErrGone`, err)
		}
	})
}

func TestInactivity(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(fmt.Sprint("both ", both), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{MaxInactivity: 50 * time.Second, ActiveByDelivery: both})
				s := w.socket()
				for range 2 {
					s.Ask(`{"channel":"/meta/connect","clientId":"$"}`) // 20 s each
				}
				w.deliver(s.ID, 1, 1)
				s.Read()
				s.Ask(`{"channel":"/meta/connect","clientId":"$"}`)
				f := s.Ask(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
				if kicked := f[0]["channel"] == "/meta/disconnect"; kicked == both {
					t.Errorf("both ways %v: %v", both, f)
				}
				if !both {
					f = append(f, s.Read()...)
					if f[1]["successful"] != false || f[1].At("advice", "reconnect") != "none" {
						t.Errorf(`got %v, want f[1]["successful"] == false, f[1].At("advice", "reconnect") == "none"`, f)
					}
				}
			})
		})
	}
}

// spec:14.21
func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		counts := make(map[bayeux.EventKind]int)
		w := newWorld(t, bayeux.Options{Observe: func(e bayeux.Event) {
			mu.Lock()
			defer mu.Unlock()
			n := 1
			if e.Kind == bayeux.Published || e.Kind == bayeux.Written {
				n = e.N
			}
			counts[e.Kind] += n
		}})
		p, s := w.poller(), w.socket()
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/a"}`)
		s.Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":["/a","/b"]}`)
		p.send(`{"channel":"/a","clientId":"$","data":1}`)
		s.Read()
		p.send(`[{"channel":"/meta/unsubscribe","clientId":"$","subscription":["/a","/never"]},{"channel":"/meta/disconnect","clientId":"$"}]`)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		want := map[bayeux.EventKind]int{
			bayeux.SessionOpened: 2, bayeux.SessionClosed: 1, bayeux.Subscribed: 3, bayeux.Unsubscribed: 1,
			bayeux.Published: 2, bayeux.Written: 2,
		}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// spec:6.9.1
func TestRemoteCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		w.srv.Handle("/service/double", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
			d := bayeux.NewDelivery(m.Channel, []byte(string(m.Data)+string(m.Data)))
			d.Set("id", m.ID.Clone())
			d.Set("successful", []byte("true"))
			return s.Send(d)
		})
		f := w.poller().send(`{"channel":"/service/double","clientId":"$","id":"7","data":4}`)
		want := []frame{
			{"channel": "/service/double", "id": "7", "data": 44.0, "successful": true},
			{"channel": "/service/double", "id": "7", "successful": true},
		}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

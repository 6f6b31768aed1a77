package gms

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
	"github.com/halley-chat/halley/test/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is the edge over a real engine on an in-memory store and network. It
// works inside a bubble.
type fixture struct {
	t       testing.TB
	log     *enginetest.Log
	files   *mediatest.Store
	uploads *media.Service
	engine  *engine.Engine
	edge    *Edge
	net     *bayeuxtest.Network
	stop    []func()
	more    map[string]Service // besides those that every fixture has
}

func open(t testing.TB) *fixture { t.Helper(); return openWith(t, nil) }

// openWith opens a fixture that has more services.
func openWith(t testing.TB, more map[string]Service) *fixture {
	t.Helper()
	h := &fixture{t: t, log: enginetest.NewLog(), files: mediatest.NewStore(), more: more}
	h.start()
	t.Cleanup(h.close)
	return h
}

func (h *fixture) start() {
	h.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	h.engine = engine.New(engine.Options{Log: h.log, Logger: quiet, Rules: fileRules})
	if err := h.engine.Start(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	keys, err := NewKeyring(make([]byte, MinSecret))
	if err != nil {
		h.t.Fatal(err)
	}
	services := map[string]Service{
		"files":     {Queue: "files", Origins: []string{"https://shop.example"}, Files: filePolicies["files"]},
		"manned":    {Queue: "manned", Files: filePolicies["manned"]},
		"support":   {Queue: "support", Origins: []string{"null", "https://shop.example"}},
		"open":      {Queue: "open", Origins: []string{"*", "null"}},
		"one-async": {Queue: "one-async", Async: true},
		"stays":     {Queue: "stays"},
	}
	maps.Copy(services, h.more)
	carries := func(v chat.Device) bool { return v.Carrier != chat.CarrierAPNs && v.Provider != "other" }
	h.uploads = media.NewService(h.files, quiet)
	h.edge = New(Options{Engine: h.engine, Keys: keys, Logger: quiet, Carries: carries, Files: h.uploads, Services: services})
	h.net = bayeuxtest.NewNetwork()
	stopServing := h.net.Serve(h.edge)
	h.stop = []func(){stopServing, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.edge.Close(ctx); err != nil {
			h.t.Error(err)
		}
		if err := h.engine.Close(ctx); err != nil {
			h.t.Error(err)
		}
	}}
}

func (h *fixture) close() {
	for _, f := range h.stop {
		f()
	}
	h.stop = nil
}

// restart ends the process, as far as sessions and rooms are concerned, and
// starts another over the same store.
func (h *fixture) restart() {
	h.close()
	h.start()
}

// events is the chat's whole log.
func (h *fixture) events(id string) []chat.Event {
	h.t.Helper()
	n, err := chat.ParseID(id)
	if err != nil {
		h.t.Fatalf("%q is no chat: %v", id, err)
	}
	list, err := h.engine.Read(context.Background(), n, 1, 10000)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// agent lets an agent take a chat and returns a function that acts for it.
func (h *fixture) agent(id string, staff chat.StaffID, name string) func(chat.Action) {
	h.t.Helper()
	n, err := chat.ParseID(id)
	if err != nil {
		h.t.Fatal(err)
	}
	do := func(by chat.Actor, a chat.Action) {
		h.t.Helper()
		if _, err := h.engine.Do(context.Background(), n, chat.Command{By: by, Do: a}); err != nil {
			h.t.Fatalf("%T: %v", a, err)
		}
	}
	do(chat.Actor{}, chat.Offer{Agent: staff, Name: name, Role: chat.RoleAgent, Until: time.Now().Add(time.Minute), Capacity: 9})
	do(chat.Staff(staff), chat.Accept{})
	return func(a chat.Action) { h.t.Helper(); do(chat.Staff(staff), a) }
}

// visitor is a client on a WebSocket.
type visitor struct {
	*bayeuxtest.Socket
	h       *fixture
	service string
	n       int
	read    []bayeuxtest.Frame // read and not looked at yet
	stays   bool               // connects again and again
	// What the notifications said last.
	key, chat string
	notes     []bayeuxtest.Frame // the data of every notification so far
}

func (h *fixture) visitor(service string, header http.Header) *visitor {
	h.t.Helper()
	return &visitor{Socket: h.net.Socket(h.t, header).Shake(), h: h, service: service}
}

// do publishes an operation and reads until its acknowledgement; it returns
// the notifications that came ahead of it.
func (v *visitor) do(operation string, fields map[string]any) []bayeuxtest.Frame {
	v.T.Helper()
	data := map[string]any{"operation": operation}
	if v.key != "" {
		data["secureKey"] = v.key
	}
	for k, f := range fields {
		data[k] = f
	}
	b, err := json.Marshal(data)
	if err != nil {
		v.T.Fatal(err)
	}
	return v.publish(string(b))
}

func (v *visitor) publish(data string) []bayeuxtest.Frame {
	v.T.Helper()
	v.n++
	id := fmt.Sprint("p", v.n)
	v.Send(fmt.Sprintf(`[{"channel":"/service/chatV2/%s","clientId":"$","id":%q,"data":%s}]`, v.service, id, data))
	var got []bayeuxtest.Frame
	for {
		f := v.next()
		if f["id"] == id {
			if f["successful"] != true || f["data"] != nil {
				v.T.Fatalf("acknowledgement %v", f)
			}
			return got
		}
		got = append(got, v.note(f))
	}
}

// note takes a notification apart and checks what each must have.
func (v *visitor) note(f bayeuxtest.Frame) bayeuxtest.Frame {
	v.T.Helper()
	if f["channel"] != "/service/chatV2/"+v.service || f["id"] != nil || f["successful"] != nil {
		v.T.Fatalf("no notification: %v", f)
	}
	data, _ := f["data"].(map[string]any)
	n := bayeuxtest.Frame(data)
	if err := schema.Value(n); err != nil {
		v.T.Fatal(err)
	}
	if key, ok := n["secureKey"].(string); ok {
		v.key = key
	} else if n["chatEnded"] == false && n["errors"] == nil && n["statusCode"] == 0.0 {
		v.T.Fatalf("no key: %v", n)
	}
	if n["chatId"] != "" {
		v.chat = n["chatId"].(string)
	}
	v.notes = append(v.notes, n)
	return n
}

// next is the next message, whichever frame it comes in.
func (v *visitor) next() bayeuxtest.Frame {
	v.T.Helper()
	for len(v.read) == 0 {
		v.read = v.Read()
	}
	f := v.read[0]
	v.read = v.read[1:]
	if v.stays && f["channel"] == "/meta/connect" {
		v.connect()
		return v.next()
	}
	return f
}

// wait reads the next notification, which nobody asked for.
func (v *visitor) wait() bayeuxtest.Frame {
	v.T.Helper()
	return v.note(v.next())
}

// line is an event in short: index, type, name and text.
func lines(notes ...bayeuxtest.Frame) []string {
	var out []string
	for _, n := range notes {
		for _, m := range n["messages"].([]any) {
			f := bayeuxtest.Frame(m.(map[string]any))
			s := fmt.Sprintf("%v %v %v", f["index"], f["type"], f.At("from", "nickname"))
			if f["text"] != nil {
				s += fmt.Sprintf(": %v", f["text"])
			}
			out = append(out, s)
		}
	}
	return out
}

// start opens a chat.
func (h *fixture) chatting(service string) *visitor {
	h.t.Helper()
	v := h.visitor(service, nil)
	if got := v.do("requestChat", map[string]any{"nickname": "Vera", "subject": "help"}); len(got) != 1 || got[0]["statusCode"] != 0.0 {
		h.t.Fatalf("requestChat: %v", got)
	}
	return v
}

package bayeux_test

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/halley-chat/halley/bayeux"
)

// spec:10.6 spec:10.2
func TestDeflate(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint("on ", on), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{Deflate: on, MaxMessageSize: 8 << 10})
				d := ws.Dialer{NetDial: w.net.Dial, Extensions: []httphead.Option{wsflate.DefaultParameters.Option()}}
				conn, br, hs, err := d.Dial(t.Context(), "ws://memory/cometd")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if agreed := len(hs.Extensions) > 0; agreed != on {
					t.Fatalf("deflate is %v, agreed %v", on, agreed)
				}
				if !on {
					return
				}
				if br == nil {
					br = bufio.NewReader(conn)
				}
				send := func(body string) {
					t.Helper()
					f, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(body)))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := conn.Write(ws.MustCompileFrame(ws.MaskFrameInPlace(f))); err != nil {
						t.Fatal(err)
					}
				}
				read := func() (text string, packed bool, code ws.StatusCode) {
					t.Helper()
					f, err := readFrame(br)
					if err != nil {
						t.Fatal(err)
					}
					if f.Header.OpCode == ws.OpClose {
						code, _ = ws.ParseCloseFrameData(f.Payload)
						return "", false, code
					}
					packed = f.Header.Rsv1()
					if packed {
						if f, err = wsflate.DecompressFrame(f); err != nil {
							t.Fatal(err)
						}
					}
					return string(f.Payload), packed, 0
				}
				send(`{"channel":"/meta/handshake"}`)
				text, _, _ := read()
				id := strings.Split(strings.Split(text, `"clientId":"`)[1], `"`)[0]
				send(`{"channel":"/meta/subscribe","clientId":"` + id + `","subscription":"/a"}`)
				read()
				long := strings.Repeat("again and ", 300)
				send(fmt.Sprintf(`{"channel":"/a","clientId":%q,"data":%q}`, id, long))
				if text, packed, _ := read(); !packed || !strings.Contains(text, long) {
					t.Errorf("packed %v: %.80s", packed, text)
				}
				read() // the publish reply
				send(fmt.Sprintf(`{"channel":"/a","clientId":%q,"data":%q}`, id, strings.Repeat("x", 1<<20)))
				if _, _, code := read(); code != ws.StatusMessageTooBig {
					t.Errorf("a bomb: close code %d", code)
				}
			})
		})
	}
}

func readFrame(br *bufio.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(br); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(br, f.Payload)
	return f, err
}

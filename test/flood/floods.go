package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/halley-chat/halley/bayeux/client"
	"github.com/halley-chat/halley/internal/echo"
)

// flood is something that many, or rude, clients do. play returns when ctx has
// ended and tells what it did.
type flood struct {
	name string
	play func(ctx context.Context, s *server) string
	// least is how long it must last for what the server does to show; 0 is as
	// long as all.
	least time.Duration
}

var floods = []flood{
	{"pages that are asked for and not read", unreadPages, 15 * time.Second},
	{"a large chat that is refreshed and not read", unreadRefresh, 15 * time.Second},
	{"half-sent bodies", halfBodies, 15 * time.Second},
	{"a desk that reads slowly", slowDesk, 0},
	{"wrong passwords", wrongPasswords, 0},
	{"handshakes and chats from one address", handshakes, 0},
	{"slow uploads", slowUploads, 0},
	{"announced frames", announcedFrames, 15 * time.Second},
	{"visitors that do not read", deafVisitors, 0},
}

// from dials from an address of this machine: 127.0.0.2 and up. Loopback has
// all of 127.0.0.0/8.
func from(n int) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(n/200), byte(2+n%200))}, Timeout: 10 * time.Second}
}

// each runs n clients at once until they have all ended, and counts those that
// say true.
func each(n int, run func(i int) bool) int {
	var all sync.WaitGroup
	var good atomic.Int64
	for i := range n {
		all.Go(func() {
			if run(i) {
				good.Add(1)
			}
		})
	}
	all.Wait()
	return int(good.Load())
}

// hold opens a connection from an address, writes, and keeps it without reading
// until ctx ends. It says whether it could write all of it.
func hold(ctx context.Context, s *server, address int, write func(net.Conn) error) bool {
	conn, err := from(address).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := write(conn); err != nil {
		return false
	}
	<-ctx.Done()
	return true
}

func unreadPages(ctx context.Context, s *server) string {
	n := scaled(300)
	page := "/desk/"
	for _, candidate := range []string{"/sample/metro.min.css"} {
		if res, err := http.Get(s.url(candidate)); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				page = candidate
			}
		}
	}
	request := strings.Repeat("GET "+page+" HTTP/1.1\r\nHost: "+s.address+"\r\n\r\n", 40)
	each(n, func(i int) bool {
		return hold(ctx, s, i%50, func(c net.Conn) error { _, err := io.WriteString(c, request); return err })
	})
	return fmt.Sprintf("%d connections, 40 times %s each", n, page)
}

// restChat is a chat over REST.
type restChat struct {
	ChatID, SecureKey, Alias, UserID string
}

func (c restChat) form(more url.Values) string {
	v := url.Values{"secureKey": {c.SecureKey}, "alias": {c.Alias}, "userId": {c.UserID}}
	for k := range more {
		v[k] = more[k]
	}
	return v.Encode()
}

// web is a client from one address.
func web(address int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: from(address).DialContext, MaxIdleConnsPerHost: 100}}
}

func post(ctx context.Context, c *http.Client, target, kind, body string, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", kind)
	res, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && into != nil {
		err = json.Unmarshal(b, into)
	}
	return res.StatusCode, err
}

const formType = "application/x-www-form-urlencoded"

func openChat(ctx context.Context, c *http.Client, s *server, service string) (chat restChat, err error) {
	status, err := post(ctx, c, s.url("/genesys/2/chat/"+service), formType, "nickname=Flood", &chat)
	if err == nil && chat.ChatID == "" {
		err = fmt.Errorf("no chat: status %d", status)
	}
	return chat, err
}

func unreadRefresh(ctx context.Context, s *server) string {
	c := web(60)
	defer c.CloseIdleConnections()
	chat, err := openChat(ctx, c, s, "echo")
	if err != nil {
		return err.Error()
	}
	path := "/genesys/2/chat/echo/" + chat.ChatID
	lines := 0
	for range scaled(200) {
		line := url.Values{"message": {strings.Repeat("x", 8000)}}
		if status, err := post(ctx, c, s.url(path+"/send"), formType, chat.form(line), nil); err != nil || status != http.StatusOK {
			break
		}
		lines++
	}
	body := chat.form(url.Values{"transcriptPosition": {"0"}})
	request := strings.Repeat(fmt.Sprintf("POST %s/refresh HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, s.address, formType, len(body), body), 20)
	n := scaled(100)
	each(n, func(i int) bool {
		return hold(ctx, s, i%50, func(c net.Conn) error { _, err := io.WriteString(c, request); return err })
	})
	return fmt.Sprintf("%d connections, 20 refreshes of %d lines each", n, lines)
}

func halfBodies(ctx context.Context, s *server) string {
	paths := []string{"/genesys/cometd", "/genesys/2/chat/echo", "/api/v1/session", "/desk/cometd", "/sample/", "/healthz", "/nowhere"}
	n := scaled(60) * len(paths)
	each(n, func(i int) bool {
		request := "POST " + paths[i%len(paths)] + " HTTP/1.1\r\nHost: " + s.address + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[{"
		return hold(ctx, s, i%50, func(c net.Conn) error { _, err := io.WriteString(c, request); return err })
	})
	return fmt.Sprintf("%d connections, half a body each, to %d addresses", n, len(paths))
}

// slow is a connection that reads few bytes in a second.
type slow struct {
	net.Conn
	perSecond int
}

func (c slow) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), c.perSecond/10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.perSecond))
	return n, err
}

func slowDesk(ctx context.Context, s *server) string {
	var agent sync.WaitGroup
	agent.Go(func() {
		_ = echo.Run(ctx, echo.Options{
			URL: "http://" + s.address, Login: "anna", Password: "halley-demo", Transport: client.WebSocket, Logger: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := from(70).DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return slow{c, 100 << 10}, c.(*net.TCPConn).SetReadBuffer(4096)
			},
		})
	})
	defer agent.Wait()
	c := web(71)
	defer c.CloseIdleConnections()
	chat, err := openChat(ctx, c, s, "customer-support")
	if err != nil {
		return err.Error()
	}
	sent := 0
	line := chat.form(url.Values{"message": {strings.Repeat("x", 16000)}})
	for ctx.Err() == nil && sent < scaled(1000) {
		if status, err := post(ctx, c, s.url("/genesys/2/chat/customer-support/"+chat.ChatID+"/send"), formType, line, nil); err != nil || status != http.StatusOK {
			break
		}
		sent++
	}
	<-ctx.Done()
	return fmt.Sprintf("%d lines of 16 kB for a desk that reads 100 kB/s", sent)
}

func wrongPasswords(ctx context.Context, s *server) string {
	var tries atomic.Int64
	var mu sync.Mutex
	statuses := map[int]int{}
	each(scaled(24), func(i int) bool {
		c := web(80 + i%12)
		defer c.CloseIdleConnections()
		for ctx.Err() == nil {
			status, err := post(ctx, c, s.url("/api/v1/session"), "application/json", `{"login":"anna","password":"wrong password"}`, nil)
			if err != nil {
				continue
			}
			tries.Add(1)
			mu.Lock()
			statuses[status]++
			mu.Unlock()
		}
		return true
	})
	own := web(0)
	defer own.CloseIdleConnections()
	status, err := post(context.WithoutCancel(ctx), own, s.url("/api/v1/session"), "application/json", `{"login":"anna","password":"halley-demo"}`, nil)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d tries from 12 addresses, answered by %v; the right one from another address then: %d", tries.Load(), statuses, status)
}

func handshakes(ctx context.Context, s *server) string {
	const hello = `[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"id":"1"}]`
	var taken, chats, refused atomic.Int64
	each(scaled(16), func(i int) bool {
		c := web(100)
		defer c.CloseIdleConnections()
		for n := 0; ctx.Err() == nil && n < 2000; n++ {
			var replies []struct{ Successful bool }
			if i%2 == 0 {
				if _, err := post(ctx, c, s.url("/genesys/cometd"), "application/json", hello, &replies); err == nil && len(replies) > 0 && replies[0].Successful {
					taken.Add(1)
				} else {
					refused.Add(1)
				}
				continue
			}
			if _, err := openChat(ctx, c, s, "echo"); err == nil {
				chats.Add(1)
			} else {
				refused.Add(1)
			}
		}
		return true
	})
	return fmt.Sprintf("%d sessions and %d chats were taken, %d refused", taken.Load(), chats.Load(), refused.Load())
}

func slowUploads(ctx context.Context, s *server) string {
	var begun atomic.Int64
	clients := scaled(20)
	upload := func(ctx context.Context, c *http.Client, body io.Reader, kind string) (int, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url("/genesys/2/chat-ntf"), body)
		if err != nil {
			return 0, err
		}
		r.Header.Set("Content-Type", kind)
		res, err := c.Do(r)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return res.StatusCode, nil
		}
		why, err := io.ReadAll(io.LimitReader(res.Body, 200))
		return res.StatusCode, errors.Join(err, errors.New(string(why)))
	}
	form := func(chat restChat) (*bytes.Buffer, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for k, v := range map[string]string{"operation": "fileUpload", "secureKey": chat.SecureKey, "alias": chat.Alias, "userId": chat.UserID} {
			_ = w.WriteField(k, v)
		}
		part, _ := w.CreateFormFile("file", "a.txt")
		_, _ = io.WriteString(part, "a file of text\n")
		return &b, w.FormDataContentType()
	}
	var others sync.WaitGroup
	others.Go(func() {
		each(clients, func(i int) bool {
			c := web(120 + i)
			defer c.CloseIdleConnections()
			chat, err := openChat(ctx, c, s, "echo")
			if err != nil {
				return false
			}
			each(4, func(int) bool {
				b, kind := form(chat)
				begun.Add(1)
				_, _ = upload(ctx, &http.Client{Transport: c.Transport}, io.MultiReader(b, trickle{ctx}), kind)
				return true
			})
			return true
		})
	})
	time.Sleep(*lasting / 2)
	c := web(0)
	defer c.CloseIdleConnections()
	outcome := "no chat for another visitor"
	if chat, err := openChat(ctx, c, s, "echo"); err == nil {
		b, kind := form(chat)
		boundary := kind[strings.Index(kind, "boundary=")+len("boundary="):]
		b.WriteString("\r\n--" + boundary + "--\r\n")
		status, err := upload(ctx, c, b, kind)
		outcome = fmt.Sprintf("another visitor's file meanwhile: %d %v", status, err)
	}
	others.Wait()
	return fmt.Sprintf("%d slow uploads of %d chats; %s", begun.Load(), clients, strings.TrimSuffix(outcome, " <nil>"))
}

// trickle is a body that goes on with ten bytes a second until ctx ends.
type trickle struct{ ctx context.Context }

func (t trickle) Read(b []byte) (int, error) {
	select {
	case <-t.ctx.Done():
		return 0, io.ErrUnexpectedEOF
	case <-time.After(100 * time.Millisecond):
		b[0] = 'x'
		return 1, nil
	}
}

// dialSocket opens a WebSocket from an address.
func dialSocket(ctx context.Context, s *server, address int) (net.Conn, error) {
	d := ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := from(address).DialContext(ctx, network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4096)
		}
		return c, err
	}}
	c, _, _, err := d.Dial(ctx, "ws://"+s.address+"/genesys/cometd")
	return c, err
}

func announcedFrames(ctx context.Context, s *server) string {
	n := scaled(1500)
	kept := each(n, func(i int) bool {
		c, err := dialSocket(ctx, s, i%150)
		if err != nil {
			return false
		}
		defer c.Close()
		h := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: 255 << 10}
		if err := ws.WriteHeader(c, h); err != nil {
			return false
		}
		_, _ = c.Write([]byte("[{"))
		<-ctx.Done()
		return true
	})
	return fmt.Sprintf("%d of %d sockets announced 255 KiB and sent 2 bytes", kept, n)
}

func deafVisitors(ctx context.Context, s *server) string {
	n := scaled(100)
	var sent atomic.Int64
	each(n, func(i int) bool {
		web := web(i)
		defer web.CloseIdleConnections()
		chat, err := openChat(ctx, web, s, "echo")
		if err != nil {
			return false
		}
		c, err := dialSocket(ctx, s, i)
		if err != nil {
			return false
		}
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		write := func(text string) bool { return wsutil.WriteClientText(c, []byte(text)) == nil }
		write(`[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"],"id":"1"}]`)
		reply, err := wsutil.ReadServerText(c)
		if err != nil {
			return false
		}
		var hello []struct{ ClientID string }
		if err := json.Unmarshal(reply, &hello); err != nil || len(hello) == 0 {
			return false
		}
		id := hello[0].ClientID
		data := func(operation, more string) string {
			return fmt.Sprintf(`[{"channel":"/service/chatV2/echo","clientId":%q,"data":{"operation":%q,"secureKey":%q%s}}]`, id, operation, chat.SecureKey, more)
		}
		write(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"websocket","id":"2"}]`, id))
		write(data("requestNotifications", `,"transcriptPosition":"0"`))
		line := data("sendMessage", `,"message":"`+strings.Repeat("x", 8000)+`"`)
		for n := 0; ctx.Err() == nil && n < 500; n++ {
			if !write(line) {
				return false
			}
			sent.Add(1)
		}
		<-ctx.Done()
		return true
	})
	return fmt.Sprintf("%d visitors wrote %d lines of 8 kB and read nothing", n, sent.Load())
}

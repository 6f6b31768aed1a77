package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

const channel = "/service/chatV2/customer-support"

// visitor is a client on a WebSocket with a chat.
type visitor struct {
	id, key, chat string
	conn          net.Conn
	in            *bufio.Reader
	replies       chan []byte // frames that bring the reply to a publish
	refused       atomic.Bool // a notification has come with another statusCode than 0

	mu sync.Mutex // one frame is written at a time
	n  int
}

// openChats opens chats, some at the same time.
func openChats(ctx context.Context, base string, n int) ([]*visitor, time.Duration, error) {
	began := time.Now()
	list := make([]*visitor, n)
	errs := make(chan error, 64)
	var work sync.WaitGroup
	for w := range cap(errs) {
		work.Go(func() {
			for i := w; i < n; i += cap(errs) {
				var err error
				if list[i], err = open(ctx, base); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	work.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	if len(all) > 0 {
		list = nil
	}
	return list, time.Since(began), errors.Join(all...)
}

func open(ctx context.Context, base string) (*visitor, error) {
	d := ws.Dialer{Timeout: 10 * time.Second, ReadBufferSize: 512, WriteBufferSize: 512}
	conn, br, _, err := d.Dial(ctx, "ws"+strings.TrimPrefix(base, "http")+"/genesys/cometd")
	if err != nil {
		return nil, err
	}
	if br == nil {
		br = bufio.NewReaderSize(conn, 1024)
	}
	v := &visitor{conn: conn, in: br, replies: make(chan []byte, 4)}
	var replies []struct {
		ClientID string `json:"clientId"`
		Data     struct {
			SecureKey string `json:"secureKey"`
			ChatID    string `json:"chatId"`
		} `json:"data"`
	}
	ask := func(text string) error {
		if err := v.write(text); err != nil {
			return err
		}
		b, err := v.frame()
		if err == nil {
			err = json.Unmarshal(b, &replies)
		}
		if err == nil && len(replies) == 0 {
			err = errors.New("an empty answer")
		}
		return err
	}
	if err := ask(`[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"],"id":"1"}]`); err != nil {
		return nil, err
	}
	v.id = replies[0].ClientID
	if err := ask(fmt.Sprintf(`[{"channel":%q,"clientId":%q,"id":"2","data":{"operation":"requestChat","nickname":"Vera"}}]`, channel, v.id)); err != nil {
		return nil, err
	}
	if v.key, v.chat = replies[0].Data.SecureKey, replies[0].Data.ChatID; v.key == "" {
		return nil, errors.New("no chat was opened")
	}
	go v.read()
	return v, v.connect()
}

func (v *visitor) connect() error {
	return v.write(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"websocket"}]`, v.id))
}

func (v *visitor) write(text string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return ws.WriteFrame(v.conn, ws.MaskFrame(ws.NewTextFrame([]byte(text))))
}

func (v *visitor) frame() ([]byte, error) {
	h, err := ws.ReadHeader(v.in)
	if err != nil {
		return nil, err
	}
	b := make([]byte, h.Length)
	_, err = io.ReadFull(v.in, b)
	if err == nil && h.OpCode != ws.OpText {
		err = errors.New("a frame without text")
	}
	return b, err
}

// read hands on the answers to publishes and keeps a connect with the server.
func (v *visitor) read() {
	defer close(v.replies)
	for {
		b, err := v.frame()
		switch {
		case err != nil:
			return
		case bytes.Contains(b, []byte(`"/meta/connect"`)):
			if v.connect() != nil {
				return
			}
		}
		if bytes.Contains(b, []byte(`"statusCode":`)) && !bytes.Contains(b, []byte(`"statusCode":0`)) {
			v.refused.Store(true)
		}
		if bytes.Contains(b, []byte(`"id":"m`)) {
			v.replies <- b
		}
	}
}

func (v *visitor) close() { _ = v.conn.Close() }

// say writes a line and waits for the acknowledgement, which comes after the
// line is durable and was shown.
func (v *visitor) say(ctx context.Context) error {
	v.n++
	id := "m" + strconv.Itoa(v.n)
	err := v.write(fmt.Sprintf(`[{"channel":%q,"clientId":%q,"id":%q,"data":{"operation":"sendMessage","secureKey":%q,"message":"Where is my order? It should have been here on Monday."}}]`,
		channel, v.id, id, v.key))
	if err != nil {
		return err
	}
	select {
	case b, ok := <-v.replies:
		if !ok || !bytes.Contains(b, []byte(`"id":"`+id+`"`)) || !bytes.Contains(b, []byte(`"successful":true`)) || v.refused.Swap(false) {
			return fmt.Errorf("not acknowledged: %s", b)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// polls are connections over which chats are asked for news.
type polls struct {
	base string
	web  http.Client
}

func newPolls(base string, n int) *polls {
	return &polls{base, http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}}
}

// refresh asks for what is new, as a client does every few seconds.
func (p *polls) refresh(ctx context.Context, v *visitor) error {
	body := url.Values{"secureKey": {v.key}, "userId": {""}, "alias": {"1"}, "transcriptPosition": {"2"}, "message": {""}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/genesys/2/chat/customer-support/"+v.chat+"/refresh", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.web.Do(req)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil && !bytes.Contains(b, []byte(`"statusCode":0`)) {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, b)
	}
	return err
}

package main

import (
	"bytes"
	"context"
	"fmt"
)

// echoClient is a connection to a bare echo.
type echoClient struct{ *wsClient }

// openEcho is an [open].
func openEcho(ctx context.Context, c *crowd, _ []string) (client, error) {
	w, err := dialWebSocket(ctx, c)
	if err != nil {
		return nil, err
	}
	go w.listen()
	return echoClient{w}, nil
}

// echoing sends single frames, of the size of a delivery, to ten connections
// at a time.
func echoing(c *crowd) workload {
	text := bytes.Repeat([]byte("x"), textSize)
	var b []byte
	return workload{batchSize, int64(len(c.members)), func(i int, at int64) {
		for k := range batchSize {
			b = fmt.Appendf(b[:0], `[{"channel":"/room/17","data":{"room":17,"user":123,"chat":"%s","at":%d}}]`, text, at)
			c.members[(i*batchSize+k)%len(c.members)].publish(b)
		}
	}}
}

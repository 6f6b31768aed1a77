// Command server is what the benchmarks measure on our side: a plain Bayeux
// server, and two that do as little as can be done on the same libraries, to
// compare with: a WebSocket echo and a held HTTP request. Each runs in a
// process of its own, so that its CPU and memory are nobody else's.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof" // profiles are how the figures are explained
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/halley-chat/halley/bayeux"
)

func main() {
	mode := flag.String("mode", "bayeux", "bayeux, echo (a bare WebSocket echo) or hold (a bare held request)")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	timeout := flag.Duration("timeout", 20*time.Second, "how long a connect is held")
	flag.Parse()
	if err := run(*mode, *listen, *timeout); err != nil {
		log.Fatal(err)
	}
}

func run(mode, listen string, timeout time.Duration) error {
	var srv *bayeux.Server
	switch mode {
	case "bayeux":
		srv = bayeux.New(bayeux.Options{Timeout: timeout, MaxInterval: time.Minute, HoldsPerBrowser: -1, MaxSessionsPerAddress: -1})
		http.Handle("/cometd", srv)
		http.Handle("/cometd/", srv)
	case "echo":
		http.HandleFunc("/cometd", echo)
	case "hold":
		http.HandleFunc("/cometd", hold)
		http.HandleFunc("/cometd/", hold)
	default:
		return fmt.Errorf("no such mode: %q", mode)
	}
	http.HandleFunc("/bench/gc", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		fmt.Fprintln(w, "done")
	})
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	stop, done := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer done()
	context.AfterFunc(stop, func() {
		if srv != nil {
			// The process ends anyway.
			_ = srv.Close(context.Background())
		}
		_ = web.Close()
	})
	fmt.Println("listening", l.Addr())
	if err := web.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

var frames = sync.Pool{New: func() any { return new([]byte) }}

// echo sends every frame back: a goroutine for each connection, a small read
// buffer and pooled frames, which is how the Bayeux server uses the library.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	go func() {
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 512)
		for echoOne(conn, in) == nil {
		}
	}()
}

func echoOne(conn net.Conn, in *bufio.Reader) error {
	h, err := ws.ReadHeader(in)
	if err != nil {
		return err
	}
	buf := frames.Get().(*[]byte)
	defer frames.Put(buf)
	const room = 10
	if n := room + int(h.Length); cap(*buf) < n {
		*buf = make([]byte, n)
	}
	payload := (*buf)[room : room+int(h.Length)]
	if _, err := io.ReadFull(in, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	head := header((*buf)[:0], ws.Header{Fin: true, OpCode: h.OpCode, Length: h.Length})
	copy((*buf)[room-head:room], (*buf)[:head])
	_, err = conn.Write((*buf)[room-head : room+int(h.Length)])
	return err
}

// header writes a frame's header into b's capacity and says how long it is.
func header(b []byte, h ws.Header) int {
	w := sliceWriter{b}
	// It cannot fail: b has room for every header.
	_ = ws.WriteHeader(&w, h)
	return len(w.b)
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// hold answers a body that asks for no hold at once and keeps every other
// request until its client goes away.
func hold(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	<-r.Context().Done()
}

package gms

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
)

// wire is a connection on which a request leaves, and its answer arrives, as
// slowly as a test likes. It has no buffer: what is not read was not sent.
func (h *fixture) wire() net.Conn {
	h.t.Helper()
	network := bayeuxtest.NewNetwork()
	stop := network.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.handler(r.URL.Path).ServeHTTP(w, r) }))
	conn, err := network.Dial(h.t.Context(), "", "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.stop = append([]func(){func() { _ = conn.Close(); stop() }}, h.stop...)
	return conn
}

// slowly sends a request in pieces, with a pause before each but the first.
func slowly(t testing.TB, conn net.Conn, r *http.Request, pieces int, pause func()) {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	size := b.Len()/pieces + 1
	for i := range pieces {
		if i > 0 {
			pause()
		}
		if _, err := conn.Write(b.Next(size)); err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
}

func answerOn(t testing.TB, conn net.Conn) (int, bayeuxtest.Frame) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var n bayeuxtest.Frame
	if err := json.NewDecoder(res.Body).Decode(&n); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, n
}

// here fails unless the visitor has been there all the time.
func (h *fixture) here(id string) {
	h.t.Helper()
	synctest.Wait()
	if s, ok := h.summary(id); !ok || s.Away || !s.Bound {
		h.t.Errorf("the visitor is not there: %v %+v", ok, s)
	}
}

// gone fails unless the visitor left after so long a silence.
func (h *fixture) gone(id string, last time.Time) {
	h.t.Helper()
	synctest.Wait()
	events := h.events(id)
	end := events[len(events)-1]
	if f, ok := end.Fact.(chat.Finished); !ok || f.Reason != chat.EndedGone {
		h.t.Errorf("the visitor has not gone: %+v", end)
	}
	since := last
	for _, e := range events {
		if f, ok := e.Fact.(chat.Unbound); ok {
			since = f.Since
		}
	}
	if d := since.Sub(last).Abs(); d > paceAfter {
		h.t.Errorf("silent since %v, last heard %v", since, last)
	}
}

// A visitor whose file takes longer than a visitor may be silent, and who asks
// for nothing else, is there all the time; also if it had not called before.
func TestASlowUploadIsPresence(t *testing.T) {
	for _, c := range []struct {
		name         string
		ntf, restart bool
	}{{"over REST", false, false}, {"at chat-ntf", true, false}, {"the first call after a restart", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
				f, p := h.fileClient("large")
				if c.restart {
					h.restart()
				}
				path := f.path("file")
				if c.ntf {
					path = NotifyPath
				}
				conn := h.wire()
				slowly(t, conn, uploadForm(path, f.ids(note(strings.Repeat("x", 480_000)))...), 10, func() {
					time.Sleep(11 * time.Second)
					h.here(p.chat)
				})
				status, n := answerOn(t, conn)
				if status != http.StatusOK {
					t.Fatalf("%d %v", status, n)
				}
				fileID(t, n)
				last := time.Now()
				time.Sleep(34 * time.Second)
				h.here(p.chat)
				time.Sleep(12 * time.Second)
				h.gone(p.chat, last)
			})
		})
	}
}

// A file that stops arriving is given up, and the visitor with it, from the
// moment that something came last.
func TestAStalledUploadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
		f, p := h.fileClient("large")
		conn := h.wire()
		r := uploadForm(f.path("file"), f.ids(note(strings.Repeat("x", 250_000)))...)
		r.ContentLength += 1000 // which never come
		r.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader(strings.Repeat("x", 1000))))
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		all := b.Bytes()
		for _, piece := range [][]byte{all[:100_000], all[100_000:200_000]} {
			if _, err := conn.Write(piece); err != nil {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Second)
		}
		h.here(p.chat)
		last := time.Now().Add(-15 * time.Second)
		status, n := answerOn(t, conn)
		if took := time.Since(last); status != http.StatusBadRequest || n["chatEnded"] != false || took < uploadPace.Stall || took > uploadPace.Stall+6*time.Second {
			t.Errorf("%d after %v: %v", status, took, n)
		}
		if h.files.Staged() != 0 || h.edge.uploads.used() != 0 {
			t.Errorf("%d files and %d uploads are left", h.files.Staged(), h.edge.uploads.used())
		}
		time.Sleep(time.Until(last.Add(44 * time.Second)))
		if _, ok := h.summary(p.chat); !ok {
			t.Error("gone too early")
		}
		time.Sleep(2 * time.Second)
		h.gone(p.chat, last)
	})
}

// A form that ends and a body that does not is no request to wait for.
func TestAnUploadWithATail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
		f, p := h.fileClient("large")
		id := fileID(t, f.rest("file", note("hello")))
		for tail, arrives := range map[int]bool{2: true, 4 * maxTail: true, 3: false} {
			conn, last := h.wire(), time.Now()
			r := uploadForm(f.path("file/"+id+"/download"), f.ids()...)
			form, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength += int64(tail)
			r.Body = io.NopCloser(strings.NewReader(string(form) + strings.Repeat("x", tail)))
			var b bytes.Buffer
			if err := r.Write(&b); err != nil {
				t.Fatal(err)
			}
			if !arrives {
				b.Truncate(b.Len() - tail)
			}
			if _, err := conn.Write(b.Bytes()); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if (res.StatusCode == http.StatusOK) != (tail == 2) || time.Since(last) > uploadPace.Stall+6*time.Second {
				t.Errorf("a tail of %d bytes: %d after %v", tail, res.StatusCode, time.Since(last))
			}
		}
		time.Sleep(46 * time.Second)
		synctest.Wait()
		if s, ok := h.summary(p.chat); ok {
			t.Errorf("the visitor is still there: %+v", s)
		}
	})
}

// Whoever sends a little all the time is stopped: an upload has to keep a rate.
func TestAnUploadMustKeepARate(t *testing.T) {
	for _, c := range []struct {
		name   string
		each   int // bytes a second
		status int
	}{
		{"fast enough", int(uploadPace.Rate) + 100, http.StatusOK},
		{"too slow", 500, http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
				f, _ := h.fileClient("large")
				conn := h.wire()
				var b bytes.Buffer
				if err := uploadForm(f.path("file"), f.ids(note(strings.Repeat("x", 400_000)))...).Write(&b); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				var work sync.WaitGroup
				defer work.Wait()
				work.Go(func() {
					for b.Len() > 0 {
						if _, err := conn.Write(b.Next(c.each)); err != nil {
							return // the server has stopped reading
						}
						time.Sleep(time.Second)
					}
				})
				status, n := answerOn(t, conn)
				if status != c.status {
					t.Errorf("after %v: got %d %v, want %d", time.Since(began), status, n, c.status)
				}
				if took := time.Since(began); c.status != http.StatusOK && took > 40*time.Second {
					t.Errorf("refused after %v, want soon after %v", took, uploadPace.Initial)
				}
				_ = conn.Close()
				time.Sleep(time.Second) // the server keeps a connection that it closes for half a second
			})
		})
	}
}

// A visitor who loads a file slowly is there until it is done, and one who
// stops loading is not for long.
func TestASlowDownloadIsPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
		f, p := h.fileClient("large")
		const size = 150_000
		id := fileID(t, f.rest("file", note(strings.Repeat("x", size))))
		ask := func() net.Conn {
			conn := h.wire()
			if err := uploadForm(f.path("file/"+id+"/download"), f.ids()...).Write(conn); err != nil {
				t.Fatal(err)
			}
			return conn
		}
		conn, b, got := ask(), make([]byte, 5000), 0
		for got < size {
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			got += n
			h.here(p.chat)
			time.Sleep(10 * time.Second)
		}
		h.here(p.chat)
		_ = conn.Close()
		conn = ask()
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatal(err)
		}
		last := time.Now()
		time.Sleep(downloadStall - time.Second)
		h.here(p.chat)
		time.Sleep(2 * time.Second)
		h.gone(p.chat, last)
		if n, _ := io.Copy(io.Discard, conn); n > size/2 || time.Since(last) > downloadStall+2*time.Second {
			t.Errorf("%d bytes more, closed after %v", n, time.Since(last))
		}
	})
}

// Looking at a file may take its time as well.
func TestAScannedUploadIsPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
		f, p := h.fileClient("large")
		var work sync.WaitGroup
		work.Go(func() { f.rest("file", note("HANG")) })
		time.Sleep(59 * time.Second)
		h.here(p.chat)
		work.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s, ok := h.summary(p.chat); ok {
			t.Errorf("the file came a minute ago: %+v", s)
		}
	})
}

// heldUploads are uploads that have begun and do not go on.
type heldUploads struct {
	h    *fixture
	work sync.WaitGroup
	open []*io.PipeWriter
}

// hold begins an upload from an address.
func (u *heldUploads) hold(from, path string, fields ...field) {
	t := u.h.t
	t.Helper()
	form := uploadForm(path, fields...)
	form.RemoteAddr = from + ":1"
	all, err := io.ReadAll(form.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, in := io.Pipe()
	u.open = append(u.open, in)
	form.Body = body
	u.work.Go(func() {
		u.h.handler(path).ServeHTTP(httptest.NewRecorder(), form)
		_ = body.Close()
	})
	_, _ = in.Write(all[:len(all)-10]) // one that is refused is not read
}

// end cuts the uploads off.
func (u *heldUploads) end() {
	for _, in := range u.open {
		_ = in.Close()
	}
	u.open = nil
	u.work.Wait()
}

// One visitor cannot keep the others from sending files.
func TestUploadsOfOneChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
		f, _ := h.fileClient("large")
		other, _ := h.fileClient("large")
		held := &heldUploads{h: h}
		for i := range maxUploadsOfChat {
			// Several addresses do not help.
			held.hold(fmt.Sprint("192.0.2.", 10+i), []string{f.path("file"), NotifyPath}[i%2], f.ids(note("hello"))...)
		}
		synctest.Wait()
		if n := h.files.Staged(); n != maxUploadsOfChat {
			t.Fatalf("%d files are on their way, want %d", n, maxUploadsOfChat)
		}
		for _, n := range []bayeuxtest.Frame{f.rest("file", note("one more")), f.ntf("", note("one more"))} {
			if code, advice := refusalOf(n); f.status != http.StatusBadRequest || code != codeRefused || advice != errTooManyUploads.Advice || n["chatEnded"] != false {
				t.Errorf("one more: got %d %v, want 400 with %q", f.status, n, errTooManyUploads.Advice)
			}
		}
		if got := h.edge.Stats().TooManyUploads.Load(); got != 2 {
			t.Errorf("counted: got %d, want 2", got)
		}
		fileID(t, other.rest("file", note("another chat's")))
		f.rest("file/limits")
		if f.status != http.StatusOK {
			t.Errorf("limits: got %d %s, want 200", f.status, f.body)
		}
		_ = held.open[0].Close()
		synctest.Wait()
		fileID(t, f.rest("file", note("once one has ended")))
		held.end()
		for range maxUploadsOfChat + 1 {
			fileID(t, f.rest("file", note("one after the other")))
		}
		if h.edge.uploads.used() != 0 || h.files.Staged() != 0 {
			t.Errorf("left: %d slots, %d files; want none", h.edge.uploads.used(), h.files.Staged())
		}
	})
}

// Nor can one address, however many chats it has.
func TestUploadsOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"large": {Queue: "q", Files: filePolicies["large"]}})
		held := &heldUploads{h: h}
		for range 20 {
			f, _ := h.fileClient("large")
			for range 4 {
				held.hold("[2001:db8::7]", f.path("file"), f.ids(note("hello"))...)
			}
		}
		synctest.Wait()
		if n := h.files.Staged(); n != maxUploadsOfNetwork {
			t.Errorf("files on their way from one address: got %d, want %d", n, maxUploadsOfNetwork)
		}
		for _, c := range []struct {
			from  string
			taken bool
		}{{"2001:db8::8", false}, {"2001:db8:0:1::8", true}, {"192.0.2.7", true}} {
			f, _ := h.fileClient("large")
			r := uploadForm(f.path("file"), f.ids(note("hello"))...)
			r.RemoteAddr = "[" + c.from + "]:1"
			f.send(r)
			if got := f.status == http.StatusOK; got != c.taken {
				t.Errorf("from %s: got %d %s, want it taken: %v", c.from, f.status, f.body, c.taken)
			}
		}
		held.end()
		if h.edge.uploads.used() != 0 || h.files.Staged() != 0 {
			t.Errorf("left: %d slots, %d files; want none", h.edge.uploads.used(), h.files.Staged())
		}
	})
}

// used returns how many slots are taken.
func (s *uploadSlots) used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, of := range s.networks {
		n += of
	}
	return n
}

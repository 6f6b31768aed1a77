package gms

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/media"
)

// Loads are counted for each file, also those that are tried too often.
func TestDownloadAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, p := h.fileClient("files")
		one, two := fileID(t, f.rest("file", note("one"))), fileID(t, f.rest("file", note("two")))
		for range 2 {
			f.rest("file/" + one + "/download")
			if f.body != "one" {
				t.Fatalf("download: %d %s", f.status, f.body)
			}
		}
		n := f.rest("file/" + one + "/download")
		if code, _ := refusalOf(n); f.status != 400 || code != 249 {
			t.Errorf("a third time: %d %v", f.status, n)
		}
		if f.rest("file/" + two + "/download"); f.body != "two" {
			t.Errorf("the other file: %d %s", f.status, f.body)
		}
		h.restart()
		if f.rest("file/" + one + "/download"); f.status != 400 {
			t.Errorf("after a restart: %d %s", f.status, f.body)
		}
		if got := lines(p.do("refresh", "transcriptPosition", "1")); len(got) != 3 {
			t.Errorf("the visitor sees %q", got)
		}
	})
}

// After the end files can be loaded as long as the chat can be read, and
// nothing else.
func TestFilesAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, p := h.fileClient("files")
		id := fileID(t, f.rest("file", note("hello")))
		p.do("disconnect")
		events := len(h.events(f.chat))
		time.Sleep(time.Hour)
		h.restart()
		for range 3 {
			if f.rest("file/" + id + "/download"); f.status != 200 || f.body != "hello" {
				t.Errorf("download: %d %s", f.status, f.body)
			}
		}
		if n := f.ntf("fileGetLimits"); n["chatEnded"] != true || n["secureKey"] != nil {
			t.Errorf("limits: %v", n)
		}
		for _, n := range []bayeuxtest.Frame{f.rest("file", note("more")), f.ntf("", note("more")), f.rest("file/" + id + "/delete")} {
			if code, _ := refusalOf(n); code != 249 || n["chatEnded"] != true {
				t.Errorf("%v", n)
			}
		}
		if got := len(h.events(f.chat)); got != events || len(h.files.Files()) != 1 {
			t.Errorf("%d events, %d before", got, events)
		}
		time.Sleep(24 * time.Hour)
		if n := f.rest("file/" + id + "/download"); f.status != 400 || n["chatEnded"] != true {
			t.Errorf("a day later: %d %v", f.status, n)
		}
	})
}

// While the store of the logs is down nothing is shared. A file whose fate is
// open stays, and is swept up if it was not.
func TestFilesWhenTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, p := h.fileClient("files")
		id := fileID(t, f.rest("file", note("one")))
		h.log.Fail(func(engine.Append) error { return errors.New("no space left") })
		n := f.ntf("", note("two"))
		if code, _ := refusalOf(n); code != 249 || f.status != 400 || n["chatEnded"] != false {
			t.Errorf("%d %v", f.status, n)
		}
		h.log.Fail(nil)
		if len(h.files.Files()) != 2 {
			t.Errorf("kept are %v", h.files.Files())
		}
		if got := eventsOf(p.do("refresh", "transcriptPosition", "1"), "FileUploaded"); len(got) != 1 {
			t.Errorf("the visitor sees %v", got)
		}
		time.Sleep(2 * time.Hour)
		if err := h.uploads.Sweep(t.Context(), h.edge.KnowsFile); err != nil {
			t.Fatal(err)
		}
		if got := h.files.Files(); len(got) != 1 || string(got[0].File) != id {
			t.Errorf("swept are all but %v", got)
		}
		// And the other way round: files cannot be kept.
		f, _ = h.fileClient("files")
		h.files.Fail(errors.New("no space left"))
		n = f.rest("file", note("three"))
		if code, _ := refusalOf(n); code != 249 || f.status != 400 || len(h.events(f.chat)) != 2 {
			t.Errorf("%d %v", f.status, n)
		}
		h.files.Fail(nil)
		// A file that is lost is missed, and not made up.
		id = fileID(t, f.rest("file", note("four")))
		if err := h.files.Remove(t.Context(), media.Ref{Chat: mustParse(t, f.chat), File: chat.FileID(id)}); err != nil {
			t.Fatal(err)
		}
		if f.rest("file/" + id + "/download"); f.status != 404 {
			t.Errorf("a lost file: %d %s", f.status, f.body)
		}
	})
}

// A visitor who polls and is busy with files is not thought to be gone.
func TestFilesKeepAPollerAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, p := h.fileClient("files")
		for range 10 {
			time.Sleep(30 * time.Second)
			if n := f.ntf("fileGetLimits"); n["chatEnded"] != false {
				t.Fatal(n)
			}
		}
		if sum, ok := h.summary(p.chat); !ok || sum.Away || !sum.Bound {
			t.Errorf("%v %+v", ok, sum)
		}
		time.Sleep(time.Minute)
		if n := f.ntf("fileGetLimits"); n["chatEnded"] != true {
			t.Error(n)
		}
	})
}

func mustParse(t *testing.T, s string) chat.ID {
	t.Helper()
	id, err := chat.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Package mediatest holds the suite that every [media.Store] must pass, and a
// store in memory.
package mediatest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
)

// Suite is what every store promises. open makes an empty one.
func Suite(t *testing.T, open func(*testing.T) media.Store) {
	for name, test := range map[string]func(*testing.T, media.Store){
		"KeepAndOpen": keepAndOpen, "Discard": discard, "Taken": taken, "Remove": remove, "Walk": each,
		"Names": names, "AtOnce": atOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func ref(c, f uint64) media.Ref { return media.Ref{Chat: chat.ID(c), File: chat.NewFileID(f)} }

func stage(t *testing.T, s media.Store, body string) media.Staged {
	t.Helper()
	f, err := s.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, body); err != nil {
		t.Fatal(err)
	}
	return f
}

func keep(t *testing.T, s media.Store, r media.Ref, body string) {
	t.Helper()
	f := stage(t, s, body)
	if err := f.Keep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Fatalf("discarding what was kept: %v", err)
	}
}

func read(t *testing.T, s media.Store, r media.Ref) string {
	t.Helper()
	f, err := s.Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func missing(t *testing.T, s media.Store, r media.Ref) {
	t.Helper()
	if f, err := s.Open(t.Context(), r); !errors.Is(err, media.ErrNoFile) {
		t.Errorf("%v is there: %v, %v", r, f, err)
	}
}

// all are the files kept before a moment, sorted.
func all(t *testing.T, s media.Store, before time.Time) []string {
	t.Helper()
	list := []string{}
	err := s.Walk(t.Context(), before, func(r media.Ref) error {
		list = append(list, fmt.Sprint(r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func keepAndOpen(t *testing.T, s media.Store) {
	missing(t, s, ref(1, 1))
	f := stage(t, s, "one ")
	if _, err := io.WriteString(f, "two"); err != nil {
		t.Fatal(err)
	}
	missing(t, s, ref(1, 1))
	for range 2 {
		r, err := f.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != "one two" {
			t.Errorf("staged is %q, %v", b, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := f.Keep(t.Context(), ref(1, 1)); err != nil {
		t.Fatal(err)
	}
	keep(t, s, ref(2, 1), "other")
	for range 2 {
		if got := read(t, s, ref(1, 1)) + read(t, s, ref(2, 1)); got != "one twoother" {
			t.Errorf("kept is %q", got)
		}
	}
	missing(t, s, ref(1, 2))
}

func discard(t *testing.T, s media.Store) {
	f := stage(t, s, "x")
	for range 2 {
		if err := f.Discard(); err != nil {
			t.Error(err)
		}
	}
	if got := all(t, s, time.Now().Add(time.Hour)); len(got) != 0 {
		t.Errorf("%v is left", got)
	}
}

func taken(t *testing.T, s media.Store) {
	keep(t, s, ref(1, 1), "first")
	f := stage(t, s, "second")
	if err := f.Keep(t.Context(), ref(1, 1)); !errors.Is(err, media.ErrTaken) {
		t.Errorf("a name was given twice: %v", err)
	}
	if got := read(t, s, ref(1, 1)); got != "first" {
		t.Errorf("the first file is %q now", got)
	}
	if err := f.Keep(t.Context(), ref(1, 2)); err != nil {
		t.Fatalf("under another name: %v", err)
	}
}

func remove(t *testing.T, s media.Store) {
	keep(t, s, ref(1, 1), "a")
	keep(t, s, ref(1, 2), "b")
	for range 2 {
		if err := s.Remove(t.Context(), ref(1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	missing(t, s, ref(1, 1))
	if got := read(t, s, ref(1, 2)); got != "b" {
		t.Errorf("the other file is %q", got)
	}
	if err := s.Remove(t.Context(), ref(1, 2)); err != nil {
		t.Fatal(err)
	}
	keep(t, s, ref(1, 1), "again")
	if got := read(t, s, ref(1, 1)); got != "again" {
		t.Errorf("the new file is %q", got)
	}
}

func each(t *testing.T, s media.Store) {
	var want []string
	for c := uint64(1); c < 400; c += 128 {
		for f := uint64(1); f <= 2; f++ {
			keep(t, s, ref(c, f), "x")
			want = append(want, fmt.Sprint(ref(c, f)))
		}
	}
	slices.Sort(want)
	if got := all(t, s, time.Now().Add(time.Minute)); !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	if got := all(t, s, time.Now().Add(-time.Minute)); len(got) != 0 {
		t.Errorf("%v are said to be old", got)
	}
	stop := errors.New("stop")
	seen := 0
	err := s.Walk(t.Context(), time.Now().Add(time.Minute), func(r media.Ref) error {
		seen++
		return errors.Join(s.Remove(t.Context(), r), stop)
	})
	if !errors.Is(err, stop) || seen != 1 {
		t.Errorf("stopped after %d with %v", seen, err)
	}
	if got := all(t, s, time.Now().Add(time.Minute)); len(got) != len(want)-1 {
		t.Errorf("%d of %d are left", len(got), len(want))
	}
}

// names that are no ids lead nowhere.
func names(t *testing.T, s media.Store) {
	for _, id := range []string{"", ".", "..", "../../x", "../0000000000000001/0000000000000001", strings.Repeat("A", 300)} {
		r := media.Ref{Chat: 1, File: chat.FileID(id)}
		missing(t, s, r)
		if err := s.Remove(t.Context(), r); err != nil {
			t.Errorf("removing %q: %v", id, err)
		}
	}
}

// atOnce keeps and removes files of one chat from many goroutines.
func atOnce(t *testing.T, s media.Store) {
	var work sync.WaitGroup
	for n := range uint64(8) {
		work.Go(func() {
			for range 20 {
				f, err := s.Stage(t.Context())
				if err == nil {
					_, err = io.WriteString(f, "x")
				}
				if err == nil {
					err = f.Keep(t.Context(), ref(1, n))
				}
				if err == nil {
					err = s.Remove(t.Context(), ref(1, n))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	if got := all(t, s, time.Now().Add(time.Minute)); len(got) != 0 {
		t.Errorf("%v are left", got)
	}
}

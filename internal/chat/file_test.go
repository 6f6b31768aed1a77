package chat

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// withFiles adds files, few and small ones, so that the limits are met.
func withFiles(r Rules) Rules {
	r.Files = FileRules{MaxFiles: 2, MaxFileSize: 100, MaxTotalSize: 150, NeedAgent: true, MaxFetches: 2}
	return r
}

func drawFileAction(t *rapid.T, s *State) Action {
	id := NewFileID(rapid.Uint64Range(0, 4).Draw(t, "file"))
	if len(s.Files) > 0 && rapid.Bool().Draw(t, "known") {
		id = rapid.SampledFrom(s.Files).Draw(t, "shared").ID
	}
	switch rapid.IntRange(0, 4).Draw(t, "do") {
	case 0:
		return Unshare{id}
	case 1:
		return Fetch{id}
	default:
		return Share{
			File: rapid.SampledFrom([]FileID{id, id, id, "", "../../x"}).Draw(t, "id"), Name: drawText.Draw(t, "name"), Type: "text/plain",
			Size: rapid.Int64Range(-1, 101).Draw(t, "size"), Description: drawText.Draw(t, "description"),
		}
	}
}

// checkFiles compares the files with the stored log, read in the plainest way,
// and with the rules.
func (c *modelChat) checkFiles(t *rapid.T) {
	files := make(map[FileID]int64)
	by := make(map[FileID]int)
	fetches := make(map[FileID]int)
	for _, body := range c.bodies {
		e, err := DecodeEvent(body)
		if err != nil {
			t.Fatal(err)
		}
		switch f := e.Fact.(type) {
		case Shared:
			files[f.File], by[f.File] = f.Size, f.No
		case Unshared:
			if f.No == VisitorNo && by[f.File] != VisitorNo {
				t.Fatalf("the visitor deleted the file of %d", by[f.File])
			}
			delete(files, f.File)
			delete(fetches, f.File)
		case Fetched:
			fetches[f.File]++
		}
	}
	rules, sum := c.state.Rules.Files, c.state.Summary()
	var count, total [2]int64
	for _, f := range sum.Files {
		side := min(by[f.ID], 2) - 1
		count[side]++
		total[side] += f.Size
		if size, there := files[f.ID]; !there || size != f.Size || by[f.ID] != f.No || f.Fetches != fetches[f.ID] || f.Fetches > rules.MaxFetches || f.Size > rules.MaxFileSize {
			t.Fatalf("the state has %+v, the log %d of %d, loaded %d times", f, size, by[f.ID], fetches[f.ID])
		}
	}
	if len(sum.Files) != len(files) || max(count[0], count[1]) > int64(rules.MaxFiles) || max(total[0], total[1]) > rules.MaxTotalSize {
		t.Fatalf("%d files of %d, by sides %v with %v bytes", len(sum.Files), len(files), count, total)
	}
}

// filing is a chat with an agent, for deciding about files one after the other.
type filing struct {
	t *testing.T
	s *State
}

func newFiling(t *testing.T, rules FileRules, agent bool) *filing {
	r := DefaultRules()
	r.Files = rules
	return openFiling(t, r, Opening{}, agent)
}

func openFiling(t *testing.T, r Rules, o Opening, agent bool) *filing {
	f := &filing{t, NewState(1, r)}
	o.Service, o.Queue, o.Channel = "s", "q", "c"
	f.must(TheVisitor(), Open{Name: "Ada", Opening: o})
	if agent {
		f.must(Actor{}, Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: filingTime.Add(time.Minute), Capacity: 1})
		f.must(Staff(7), Accept{})
	}
	return f
}

var filingTime = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func (f *filing) do(by Actor, a Action) error {
	d, err := Decide(f.s, Command{At: filingTime, By: by, Do: a})
	for _, e := range d.Events {
		f.s.Apply(e)
	}
	return err
}

func (f *filing) must(by Actor, a Action) {
	f.t.Helper()
	if err := f.do(by, a); err != nil {
		f.t.Fatalf("giving %T: got %v, want no error", a, err)
	}
}

// refused wants a refusal of a kind, with the limit that it names.
func (f *filing) refused(by Actor, a Action, kind Kind, limit int64) {
	f.t.Helper()
	err := f.do(by, a)
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Limit != limit {
		f.t.Errorf("%+v: %v with the limit %+v, want %v with %d", a, err, e, kind, limit)
	}
}

func file(n uint64, size int64) Share {
	return Share{File: NewFileID(n), Name: "a.txt", Size: size, Type: "text/plain"}
}

func TestFileLimits(t *testing.T) {
	rules := FileRules{MaxFiles: 3, MaxFileSize: 100, MaxTotalSize: 250, MaxFetches: 2}
	v, a := TheVisitor(), Staff(7)
	f := newFiling(t, rules, true)
	f.refused(v, file(1, 101), TooLarge, 100)
	f.refused(v, file(1, 0), Invalid, 0)
	f.must(v, file(1, 100))
	f.refused(v, file(1, 1), Conflict, 0)
	f.must(v, file(2, 100))
	f.refused(v, file(3, 51), TooLarge, 250)
	f.must(v, file(3, 50))
	f.refused(v, file(4, 1), TooMany, 3)
	// The other side has its own.
	f.must(a, file(5, 100))
	f.must(a, file(6, 100))
	f.refused(a, file(7, 51), TooLarge, 250)
	// Deleting makes room again.
	f.refused(v, Unshare{NewFileID(5)}, Forbidden, 0)
	f.refused(v, Unshare{NewFileID(9)}, NotFound, 0)
	f.must(v, Unshare{NewFileID(1)})
	f.refused(v, Unshare{NewFileID(1)}, NotFound, 0)
	f.refused(v, Fetch{NewFileID(1)}, NotFound, 0)
	f.must(v, file(4, 100))
	f.must(a, Unshare{NewFileID(4)})
	if use := UseOf(f.s.Files, true); use != (FileUse{Files: 2, Size: 150}) {
		t.Errorf("the visitor has used %+v", use)
	}
	for _, bad := range []Share{
		{File: "../x", Name: "a", Size: 1, Type: "t"},
		{File: "00d35c5aeff602db", Name: "a", Size: 1, Type: "t"},
		{File: NewFileID(9), Size: 1, Type: "t"},
		{File: NewFileID(9), Name: "a", Size: 1},
		{File: NewFileID(9), Name: "\xff", Size: 1, Type: "t"},
	} {
		f.refused(v, bad, Invalid, 0)
	}
	f.refused(v, Share{File: NewFileID(9), Name: strings.Repeat("a", MaxName+1), Size: 1, Type: "t"}, TooLong, 0)
	f.refused(v, Share{File: NewFileID(9), Name: "a", Size: 1, Type: "t", Description: strings.Repeat("a", MaxSubject+1)}, TooLong, 0)
}

func TestFilesNeedAnAgent(t *testing.T) {
	rules := FileRules{MaxFiles: 3, MaxFileSize: 100, MaxTotalSize: 250, NeedAgent: true, MaxFetches: 1}
	f := newFiling(t, rules, false)
	f.refused(TheVisitor(), file(1, 1), Conflict, 0)
	f.refused(Staff(7), file(1, 1), Forbidden, 0)
	newFiling(t, rules, true).must(TheVisitor(), file(1, 1))
	newFiling(t, FileRules{}, true).refused(TheVisitor(), file(1, 1), Unknown, 0)
}

func TestFetching(t *testing.T) {
	f := newFiling(t, FileRules{MaxFiles: 3, MaxFileSize: 100, MaxTotalSize: 250, MaxFetches: 2}, true)
	f.must(Staff(7), file(1, 1))
	f.must(Staff(7), file(2, 1))
	f.refused(Staff(7), Fetch{NewFileID(1)}, Forbidden, 0)
	before := f.s.Summary()
	f.must(TheVisitor(), Fetch{NewFileID(1)})
	f.must(TheVisitor(), Fetch{NewFileID(1)})
	f.refused(TheVisitor(), Fetch{NewFileID(1)}, TooOften, 2)
	if got := f.s.Summary(); UseOf(got.Files, true).Fetches != 2 || UseOf(before.Files, true).Fetches != 0 || got.Equal(before) {
		t.Errorf("before %+v, after %+v", before.Files, got.Files)
	}
	// After the end what is left may be loaded, and is not counted.
	f.must(Staff(7), End{})
	last := f.s.Last
	f.must(TheVisitor(), Fetch{NewFileID(2)})
	f.refused(TheVisitor(), Fetch{NewFileID(1)}, TooOften, 2)
	f.refused(TheVisitor(), Unshare{NewFileID(2)}, Ended, 0)
	f.refused(TheVisitor(), file(3, 1), Ended, 0)
	if f.s.Last != last {
		t.Errorf("%d events after the end", f.s.Last-last)
	}
}

func TestFileIDs(t *testing.T) {
	if got := NewFileID(0x00D35C5AEFF602DB); got != "00D35C5AEFF602DB" {
		t.Error(got)
	}
	for _, s := range []string{"", "0", "00d35c5aeff602db", "00D35C5AEFF602DBF", "../../../../etc/x", "+0D35C5AEFF602DB", "0X35C5AEFF602DB0"} {
		t.Run(s, func(t *testing.T) {
			if id, err := ParseFileID(s); KindOf(err) != NotFound {
				t.Errorf("%q is taken for %q, %v", s, id, err)
			}
		})
	}
}

// A file is something that happens in a chat: it wakes a chat that sleeps, and
// lets the time until an idle alert count anew.
func TestFilesAreActivity(t *testing.T) {
	r := withFiles(DefaultRules())
	r.AsyncIdle = Idle{Alert: time.Hour, Close: time.Hour}
	f := openFiling(t, r, Opening{Async: true}, true)
	f.must(Staff(7), Hold{})
	if f.s.Phase != PhaseHeld {
		t.Fatalf("the phase is %q", f.s.Phase)
	}
	// Nobody is there who needs to be.
	f.s.Rules.Files.NeedAgent = false
	before := f.s.silence.major.index
	f.must(TheVisitor(), file(9, 1))
	if f.s.Phase != PhaseWaiting || f.s.Prefer != 7 || f.s.silence.major.index <= before {
		t.Errorf("the phase is %q, the last activity %d, before %d", f.s.Phase, f.s.silence.major.index, before)
	}
}

// What must not be stored is not stored as a file's name or description
// either.
func TestFilesAreMasked(t *testing.T) {
	r := withFiles(DefaultRules())
	r.Mask = NewMask(true, nil, 0)
	f := openFiling(t, r, Opening{}, true)
	f.must(TheVisitor(), Share{File: NewFileID(1), Name: "4111111111111111.txt", Size: 1, Type: "t"})
	if got := f.s.Files[0].Name; got != "****************.txt" {
		t.Errorf("the name is %q", got)
	}
}

// A visitor who has left a chat to the agents may still load its files.
func TestFilesOfAnAbandonedChat(t *testing.T) {
	r := withFiles(DefaultRules())
	r.Abandon, r.Files.NeedAgent = AbandonStays, false
	f := openFiling(t, r, Opening{}, false)
	f.must(TheVisitor(), file(1, 1))
	f.must(TheVisitor(), Leave{})
	last := f.s.Last
	for range 3 {
		f.must(TheVisitor(), Fetch{NewFileID(1)})
	}
	f.refused(TheVisitor(), Unshare{NewFileID(1)}, Ended, 0)
	f.refused(TheVisitor(), file(2, 1), Ended, 0)
	if f.s.Last != last || f.s.Phase != PhaseWaiting {
		t.Errorf("%d events, the phase %q", f.s.Last-last, f.s.Phase)
	}
}

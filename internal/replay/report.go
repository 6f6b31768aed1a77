package replay

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

// report is what comes out of a replay. It belongs to one goroutine.
type report struct {
	differences []difference
	left        map[string]int // what was not compared
	played      int            // lines of clients
}

func newReport() *report { return &report{left: make(map[string]int)} }

func (r *report) uncompared(what string, n int) { r.left[what] += n }

// count notes what is not played.
func (r *report) count(p *player, actions []*action) {
	for _, a := range actions {
		switch {
		case a.Kind == tape.KindGap:
			r.uncompared("lines that the recorder dropped", int(a.Lost))
		case a.Kind == tape.KindFull:
			r.uncompared("what came after the recording was full", 1)
		case a.From == tape.Client && a.Kind != tape.KindClose:
			if why := a.skipped(p.o.Origin); why != "" {
				r.uncompared(why, 1)
			} else {
				r.played++
			}
		case a.Failed == "upstream":
			r.uncompared("requests that the recorded server did not answer", 1)
		case a.Hidden != "" && a.Kind == tape.KindFrame:
			r.uncompared("frames of the server that were "+a.Hidden, 1)
		}
	}
}

// compare compares a conversation that has been played.
func (r *report) compare(p *player, c *conversation) {
	add := func(d difference) { r.differences = append(r.differences, d) }
	for _, s := range c.sessions {
		(&comparison{p: p, s: s, add: add, uncompared: r.uncompared}).session()
	}
	for _, a := range c.actions {
		if a.live == nil || a.answer == nil || a.answer.Failed != "" || a.connect && a.live.err != nil {
			continue
		}
		(&comparison{p: p, s: a.session, add: add, uncompared: r.uncompared}).exchange(a)
	}
}

// print writes the report and says whether nothing differs.
func (r *report) print(o Options, conversations int, took time.Duration) (bool, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Played %s of %s (%s of clients) to %s in %v.\n", plural(conversations, "conversation"), o.File,
		plural(r.played, "line"), o.URL.Redacted(), took.Round(10*time.Millisecond))
	if len(r.differences) == 0 {
		b.WriteString("\nNo difference.\n")
	} else {
		r.table(&b)
	}
	if len(r.left) > 0 {
		b.WriteString("\nNot compared:\n\n")
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  TIMES\tWHAT")
		for _, what := range slices.Sorted(maps.Keys(r.left)) {
			fmt.Fprintf(w, "  %d\t%s\n", r.left[what], what)
		}
		if err := w.Flush(); err != nil {
			return false, err
		}
	}
	if _, err := o.Out.Write([]byte(b.String())); err != nil {
		return false, err
	}
	if r.played == 0 {
		return false, errors.New("the recording has nothing that can be played")
	}
	return len(r.differences) == 0, nil
}

// table writes the differences: those that are the same in one row, with the
// first place.
func (r *report) table(b *strings.Builder) {
	type key struct{ where, recorded, live string }
	first, times := make(map[key]difference), make(map[key]int)
	for _, d := range r.differences {
		k := key{d.where, d.recorded, d.live}
		if had, known := first[k]; !known || d.line < had.line {
			first[k] = d
		}
		times[k]++
	}
	rows := slices.SortedFunc(maps.Keys(first), func(x, y key) int {
		return cmp.Or(cmp.Compare(first[x].line, first[y].line), cmp.Compare(x.where, y.where), cmp.Compare(x.live, y.live))
	})
	fmt.Fprintf(b, "\n%s:\n\n", plural(len(rows), "difference"))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  LINE\tCLIENT\tWHERE\tRECORDED\tREPLAYED\tTIMES")
	for _, k := range rows {
		d := first[k]
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\t%s\t%d\n", d.line, d.who, d.where, d.recorded, d.live, times[k])
	}
	_ = w.Flush() // into memory
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report collects samples and makes tables of their medians.
type report struct {
	plan  plan
	began time.Time
	load  map[key][]sample
	idle  map[idleKey][]footprint
}

func newReport(p plan) *report {
	return &report{p, time.Now(), make(map[key][]sample), make(map[idleKey][]footprint)}
}

// key is a row of the load tables.
type key struct {
	server, transport string
	rate              int // 0 at saturation
	together          bool
}

func (k key) String() string {
	return fmt.Sprintf("%s, %s, %s, %s", k.server, k.transport, rateName(k.rate), shapeName(k.together))
}

// idleKey is a row of the memory table.
type idleKey struct {
	server, what string
	sessions     int
}

func rateName(rate int) string {
	if rate == 0 {
		return "saturation"
	}
	return fmt.Sprintf("%d,%03d/s", rate/1000, rate%1000)
}

func shapeName(together bool) string {
	if together {
		return "one room"
	}
	return "any rooms"
}

// median is the middle of what get says of the samples.
func median[S any, V cmp.Ordered](samples []S, get func(S) V) V {
	values := make([]V, len(samples))
	for i, s := range samples {
		values[i] = get(s)
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Bayeux servers compared\n\n%s; %d cores, %s, Node %s. %d round(s) of %v each, medians; loopback.\n",
		r.began.UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), runtime.Version(), nodeVersion(), r.plan.rounds, r.plan.length)
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(&b, "Load average at the end: %s.\n", strings.Join(strings.Fields(string(load))[:3], " "))
	}
	for _, transport := range []string{"websocket", "long-polling"} {
		for _, together := range r.plan.shapes {
			r.loadTable(&b, transport, together)
		}
	}
	r.ratioTable(&b)
	r.idleTable(&b)
	return b.String()
}

func (r *report) loadTable(b *strings.Builder, transport string, together bool) {
	names := slices.DeleteFunc([]string{ours, build, faye, cometd, echo}, func(name string) bool {
		return len(r.load[key{name, transport, r.plan.rates[0], together}]) == 0
	})
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s, the ten messages of a batch to %s\n\n", transport, shapeName(together))
	b.WriteString("| server | offered | arrived/s | CPU µs each | p50 ms | p99 ms | messages per frame | per read | per write | RSS MB | late | generator, cores |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, rate := range r.plan.rates {
		for _, name := range names {
			s := r.load[key{name, transport, rate, together}]
			if len(s) == 0 {
				continue
			}
			fmt.Fprintf(b, "| %s | %s | %.0f | %.2f | %s | %s | %.2f | %.2f | %.2f | %.0f | %d | %.2f |\n",
				name, rateName(rate),
				median(s, func(s sample) float64 { return s.rate }), median(s, func(s sample) float64 { return s.cpu }),
				ms(median(s, func(s sample) time.Duration { return s.p50 })), ms(median(s, func(s sample) time.Duration { return s.p99 })),
				median(s, func(s sample) float64 { return s.perFrame }), median(s, func(s sample) float64 { return s.perRead }),
				median(s, func(s sample) float64 { return s.perWrite }), float64(median(s, func(s sample) int64 { return s.rss }))/1e6,
				median(s, func(s sample) int64 { return s.lost }), median(s, func(s sample) float64 { return s.generator }))
		}
	}
}

// ratioTable says how many times our CPU per delivery goes into a rival's, and
// how our p99 compares: the median of the rounds' own ratios, since the rounds
// met different noise.
func (r *report) ratioTable(b *strings.Builder) {
	var rows strings.Builder
	for _, transport := range []string{"websocket", "long-polling"} {
		for _, together := range r.plan.shapes {
			for _, rate := range r.plan.rates {
				us := r.load[key{ours, transport, rate, together}]
				for _, name := range []string{build, faye, cometd} {
					them := r.load[key{name, transport, rate, together}]
					if len(them) == 0 || len(us) != len(them) {
						continue
					}
					rounds := make([]int, len(us))
					for i := range rounds {
						rounds[i] = i
					}
					ratio := func(get func(sample) float64) float64 {
						return median(rounds, func(i int) float64 { return get(them[i]) / get(us[i]) })
					}
					fmt.Fprintf(&rows, "| %s | %s | %s | %s | %.1f | %.1f | %.1f |\n", name, transport, shapeName(together), rateName(rate),
						ratio(func(s sample) float64 { return s.cpu }), ratio(func(s sample) float64 { return float64(s.p99) }),
						1/ratio(func(s sample) float64 { return s.rate }))
				}
			}
		}
	}
	if rows.Len() > 0 {
		b.WriteString("\n## How many times better\n\n| than | transport | batch to | offered | CPU per delivery | p99 | arrived/s |\n|---|---|---|---|---|---|---|\n" + rows.String())
	}
}

func (r *report) idleTable(b *strings.Builder) {
	if len(r.idle) == 0 {
		return
	}
	b.WriteString("\n## Idle sessions\n\n| server | what | sessions | KB of RSS each | after a collection |\n|---|---|---|---|---|\n")
	keys := make([]idleKey, 0, len(r.idle))
	for k := range r.idle {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y idleKey) int { return cmp.Or(cmp.Compare(x.what, y.what), cmp.Compare(x.server, y.server)) })
	for _, k := range keys {
		f := r.idle[k]
		fmt.Fprintf(b, "| %s | %s | %d | %.1f | %.1f |\n", k.server, k.what, k.sessions,
			median(f, func(f footprint) float64 { return f.each })/1000, median(f, func(f footprint) float64 { return f.collected })/1000)
	}
}

func nodeVersion() string {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

package admin

import (
	"sort"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// namespace begins the name of every metric of Halley's own.
const namespace = "halley"

// Metrics are what a server measures, under names of Prometheus' conventions:
// base units, and _total at the end of what only grows. All methods but Names
// are called before the handler serves; a name that is registered twice panics.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics makes a registry with the metrics of the Go runtime and of the
// process.
func NewMetrics(version string) *Metrics {
	m := &Metrics{prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "build_info", Help: "Always 1; the label says which version runs.",
			ConstLabels: prometheus.Labels{"version": version},
		}, func() float64 { return 1 }),
	)
	return m
}

// Counter registers something that only grows. value is called at every scrape,
// from any goroutine.
func (m *Metrics) Counter(name, help string, value func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, func() float64 { return float64(value()) }))
}

// Gauge registers something that goes up and down, as Counter does.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, value))
}

// Counters and Gauges register several values of one name, told apart by a
// label. each is called at every scrape and calls its argument for each of them.
func (m *Metrics) Counters(name, help, label string, each func(set func(value string, n float64))) {
	m.registry.MustRegister(newVector(prometheus.CounterValue, name, help, label, each))
}

// Gauges is Counters for what goes up and down.
func (m *Metrics) Gauges(name, help, label string, each func(set func(value string, n float64))) {
	m.registry.MustRegister(newVector(prometheus.GaugeValue, name, help, label, each))
}

// Histogram registers a distribution with these upper bounds and returns what
// observes a value; it may be called from any goroutine.
func (m *Metrics) Histogram(name, help string, bounds []float64) (observe func(float64)) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: bounds})
	m.registry.MustRegister(h)
	return h.Observe
}

// Names are the names of all metrics that a scrape has now, sorted.
func (m *Metrics) Names() ([]string, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.GetName()
	}
	sort.Strings(names)
	return names, nil
}

// vector is a metric whose values are read when they are scraped.
type vector struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	each func(set func(value string, n float64))
}

func newVector(kind prometheus.ValueType, name, help, label string, each func(set func(value string, n float64))) *vector {
	return &vector{prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{label}, nil), kind, each}
}

// Describe implements [prometheus.Collector].
func (v *vector) Describe(c chan<- *prometheus.Desc) { c <- v.desc }

// Collect implements [prometheus.Collector].
func (v *vector) Collect(c chan<- prometheus.Metric) {
	v.each(func(value string, n float64) { c <- prometheus.MustNewConstMetric(v.desc, v.kind, n, value) })
}

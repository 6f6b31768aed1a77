package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// Problem is something that [Check] found.
type Problem struct {
	What string // such as "record 3 of chat 0123456789ABCDEF"; it has no content
	Err  error
}

// Report is what [Check] has looked at.
type Report struct {
	Schema                    int64 // version
	Chats, Live               int64 // chats with a summary, and those of them that have not ended
	Logs, Records             int64 // records in log tables and chunks; each is counted once
	Packed                    int64 // records in chunks
	Unsummed                  int64 // rows and chunks that are older than checksums
	Unknown                   int64 // facts of a newer version
	Checkpoints, Accounts     int64
	Claims, DeadLetters       int64
	AuditEntries, ManifestIDs int64
	Problems                  int64
}

// checker reads a database in one read transaction.
type checker struct {
	c       *conn
	codec   *codec
	report  Report
	problem func(Problem)
	last    map[engine.LogID]int64 // the last index seen of each log
	packed  map[engine.LogID]int64 // of those, the last that is packed
}

// Check reads everything in the database of a data directory, beside a running
// server or without one, and calls problem for each thing that is wrong. It
// sees one moment of the database and changes nothing. ctx bounds only the time
// until a table is begun. An error means that it could not go on.
func Check(ctx context.Context, dir string, problem func(Problem)) (Report, error) {
	k := &checker{last: make(map[engine.LogID]int64), packed: make(map[engine.LogID]int64)}
	k.problem = func(p Problem) {
		k.report.Problems++
		problem(p)
	}
	if err := k.run(ctx, dir); err != nil {
		return k.report, fmt.Errorf("sqlite: check %s: %w", dir, err)
	}
	return k.report, nil
}

func (k *checker) run(ctx context.Context, dir string) (err error) {
	path, err := existing(dir)
	if err != nil {
		return err
	}
	if k.codec, err = newCodec(); err != nil {
		return err
	}
	if k.c, err = connect(dsn(path, true)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.c.close()) }()
	if k.report.Schema, err = version(k.c); err != nil {
		return err
	}
	if k.report.Schema != schemaVersion {
		return fmt.Errorf("its schema has version %d, and this halley checks version %d; a server of this version migrates an older one", k.report.Schema, schemaVersion)
	}
	if err := k.c.exec("BEGIN"); err != nil {
		return err
	}
	for _, step := range []func() error{k.quick, k.chunks, k.rows, k.manifest, k.summaries, k.checkpoints, k.others} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	k.report.Logs = int64(len(k.last))
	return k.c.exec("COMMIT")
}

func (k *checker) bad(err error, format string, args ...any) {
	k.problem(Problem{What: fmt.Sprintf(format, args...), Err: err})
}

// quick has SQLite check its own pages.
func (k *checker) quick() error {
	return k.c.query("PRAGMA quick_check(100)", nil, func(v []driver.Value) error {
		if text, _ := v[0].(string); text != "ok" {
			k.bad(errors.New(text), "the database file")
		}
		return nil
	})
}

// decode looks into a record that is as it was written.
func (k *checker) decode(log engine.LogID, index int64, body []byte) {
	var err error
	var unknown bool
	switch log.Kind {
	case engine.ChatKind:
		var e chat.Event
		e, err = chat.DecodeEvent(body)
		_, unknown = e.Fact.(chat.UnknownFact)
	case engine.AgentKind:
		var e chat.AgentEvent
		e, err = chat.DecodeAgentEvent(body)
		_, unknown = e.Fact.(chat.UnknownFact)
	default:
		err = fmt.Errorf("%w: there are no logs of this kind", ErrDamaged)
	}
	if err != nil {
		k.bad(err, "record %d of %s", index, logName(log))
	}
	if unknown {
		k.report.Unknown++
	}
}

func (k *checker) chunks() error {
	return k.c.query("SELECT kind, log, idx, n, body FROM chunk ORDER BY kind, log, idx", nil, func(v []driver.Value) error {
		n, err := integers(v[:4])
		body, ok := v[4].([]byte)
		if err != nil || !ok {
			k.bad(errors.Join(err, ErrDamaged), "a chunk")
			return nil
		}
		log := engine.LogID{Kind: engine.LogKind(n[0]), ID: n[1]}
		if len(body) > 0 && body[0] == zstdRecords {
			k.report.Unsummed++
		}
		records, err := k.codec.unpack(log, chunk{first: n[2], n: n[3], body: body})
		if err != nil {
			k.bad(err, "records %d to %d of %s", n[2], n[2]+n[3]-1, logName(log))
		}
		if n[2] != k.last[log]+1 {
			k.bad(ErrDamaged, "record %d of %s is followed by record %d", k.last[log], logName(log), n[2])
		}
		k.last[log] = n[2] + n[3] - 1
		k.packed[log] = k.last[log]
		for _, r := range records {
			k.report.Records++
			k.report.Packed++
			if !r.good(log) {
				k.bad(ErrDamaged, "record %d of %s", r.Index, logName(log))
				continue
			}
			k.decode(log, r.Index, r.Body)
		}
		return nil
	})
}

// rows checks both log tables in the order of their ids.
func (k *checker) rows() error {
	const columns = "SELECT id, kind, log, idx, ts, body, sum FROM log"
	return k.c.query(columns+"0 UNION ALL "+columns+"1 ORDER BY id", nil, func(v []driver.Value) error {
		e, named, err := checkRow(v)
		if v[6] == nil {
			k.report.Unsummed++
		}
		if err != nil {
			k.bad(err, "log row %d", e.id)
		}
		switch {
		case !named || e.index <= k.packed[e.log]:
			return nil
		case e.index != k.last[e.log]+1:
			k.bad(ErrDamaged, "record %d of %s is followed by record %d", k.last[e.log], logName(e.log), e.index)
		}
		k.last[e.log] = max(k.last[e.log], e.index)
		k.report.Records++
		if !e.bad {
			body, _ := v[5].([]byte)
			k.decode(e.log, e.index, body)
		}
		return nil
	})
}

func (k *checker) manifest() error {
	return k.c.query("SELECT id, n, body FROM roster", nil, func(v []driver.Value) error {
		n, err := integers(v[:2])
		body, _ := v[2].([]byte)
		if err == nil {
			err = decodeEntries(body, n[0], n[1], func(entry) { k.report.ManifestIDs++ })
		}
		if err != nil {
			k.bad(err, "a row of the manifest")
		}
		return nil
	})
}

func (k *checker) summaries() error {
	return k.c.query("SELECT "+summaryColumns+" FROM chat", nil, func(v []driver.Value) error {
		values := make([]any, len(v))
		for i := range v {
			values[i] = v[i]
		}
		id, s, err := decodeSummary(values)
		k.report.Chats++
		switch {
		case err != nil:
			k.bad(err, "summary of chat %v", id)
		case k.last[engine.ChatLog(id)] == 0:
			k.bad(ErrDamaged, "chat %v has a summary and no records", id)
		case s.Live():
			k.report.Live++
		}
		return nil
	})
}

func (k *checker) checkpoints() error {
	return k.c.query("SELECT kind, log, idx, body, sum FROM checkpoint", nil, func(v []driver.Value) error {
		n, err := integers(v[:2])
		if err != nil {
			k.bad(err, "a checkpoint")
			return nil
		}
		k.report.Checkpoints++
		log := engine.LogID{Kind: engine.LogKind(n[0]), ID: n[1]}
		if p, err := decodeCheckpoint(log, v[2], v[3], v[4]); err != nil || p.Index > k.last[log] {
			k.bad(errors.Join(err, ErrDamaged), "checkpoint of %s", logName(log))
		}
		return nil
	})
}

// others counts the rows of small tables and checks their types.
func (k *checker) others() error {
	for _, t := range []struct {
		query, what string
		count       *int64
	}{
		{"SELECT id, capacity, disabled FROM account", "account", &k.report.Accounts},
		{"SELECT agent, chat FROM claim", "claim of agent", &k.report.Claims},
		{"SELECT id, chat, idx, attempts, ts, asked FROM push_dead", "dead letter", &k.report.DeadLetters},
		{"SELECT chat, done FROM push_cursor", "push cursor of chat", new(int64)},
		{"SELECT id FROM audit", "audit entry", &k.report.AuditEntries},
	} {
		err := k.c.query(t.query, nil, func(v []driver.Value) error {
			*t.count++
			if _, err := integers(v); err != nil {
				k.bad(err, "%s %v", t.what, v[0])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

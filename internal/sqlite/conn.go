package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"modernc.org/sqlite"
)

// oldest is the oldest SQLite that is used: earlier ones can corrupt a
// database in WAL mode.
var oldest = [3]int{3, 51, 3}

// dsn names a database file and the settings of a connection to it. A
// connection that writes has 64 MB of cache, one that reads a quarter of it.
func dsn(path string, readOnly bool) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)",
	}}
	if readOnly {
		q["_pragma"] = append(q["_pragma"], "query_only(1)", "cache_size(-16384)")
	} else {
		q["_pragma"] = append(q["_pragma"], "wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "cache_size(-65536)")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// conn is one connection with a cache of prepared statements. It is not safe
// for concurrent use. Its queries must be a fixed set of texts, because a
// statement is never dropped from the cache. Statements take no context: they
// are short, and a commit must not be interrupted.
type conn struct {
	c     driver.Conn
	stmts map[string]driver.Stmt
}

// connect opens a connection and checks SQLite's version and the journal mode.
func connect(dsn string) (*conn, error) {
	dc, err := (&sqlite.Driver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	c := &conn{c: dc, stmts: make(map[string]driver.Stmt)}
	var version, mode string
	err = c.query("SELECT sqlite_version()", nil, func(row []driver.Value) error {
		version, _ = row[0].(string)
		return nil
	})
	if err == nil {
		err = c.query("PRAGMA journal_mode", nil, func(row []driver.Value) error {
			mode, _ = row[0].(string)
			return nil
		})
	}
	if err == nil {
		err = checkVersion(version)
	}
	if err == nil && mode != "wal" {
		err = fmt.Errorf("the journal mode is %q, not WAL: the file system may not support it", mode)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// checkVersion refuses a SQLite that is too old, or whose version cannot be
// read.
func checkVersion(version string) error {
	parts := strings.Split(version, ".")
	for i, least := range oldest {
		n := -1
		if i < len(parts) {
			if v, err := strconv.Atoi(parts[i]); err == nil {
				n = v
			}
		}
		switch {
		case n > least:
			return nil
		case n < least:
			return fmt.Errorf("SQLite %s is older than %d.%d.%d", version, oldest[0], oldest[1], oldest[2])
		}
	}
	return nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

func (c *conn) stmt(query string) (driver.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.c.Prepare(query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

func namedValues(args []any) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return values
}

// exec runs a statement. Arguments are int64, string or []byte that is not nil.
func (c *conn) exec(query string, args ...any) error {
	_, err := c.run(query, namedValues(args))
	return err
}

func (c *conn) run(query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.(driver.StmtExecContext).ExecContext(context.Background(), args)
}

// query runs a statement and calls each for every row. The row is only good
// during the call.
func (c *conn) query(query string, args []any, each func(row []driver.Value) error) (err error) {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), namedValues(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// transact runs f in a transaction, which it commits unless f fails.
func (c *conn) transact(f func(*conn) error) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f(c)
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		// A failed commit may have rolled back already, which makes this fail.
		_ = c.exec("ROLLBACK")
	}
	return err
}

// savepoint runs f inside the open transaction. If f fails, its changes are
// rolled back and its error is failed; fatal is set if the transaction as a whole
// is lost.
func (c *conn) savepoint(f func(*conn) error) (failed, fatal error) {
	if err := c.exec("SAVEPOINT work"); err != nil {
		return nil, err
	}
	failed = f(c)
	if failed != nil {
		// Some errors end the whole transaction; then there is no savepoint.
		if err := c.exec("ROLLBACK TO work"); err != nil {
			return nil, errors.Join(failed, err)
		}
	}
	return failed, c.exec("RELEASE work")
}

// errorCode is the SQLite result code in err's chain, with its extension; 0 if it
// has none.
func errorCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

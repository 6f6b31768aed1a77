package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/audit"
)

type auditCommands struct {
	List   auditList   `cmd:"" help:"List the entries, the oldest first."`
	Verify auditVerify `cmd:"" help:"Check that the entries are as they were written."`
}

type auditList struct {
	place
	After int64         `help:"Only entries after this number."`
	Since time.Duration `help:"Only entries of the last so much time, such as 24h."`
	JSON  bool          `help:"One JSON object a line, as it is stored."`
}

func (c auditList) Run(ctx context.Context) error {
	dir, err := c.existing()
	if err != nil {
		return err
	}
	from := time.Time{}
	if c.Since > 0 {
		from = time.Now().Add(-c.Since)
	}
	return app.WithAudit(ctx, dir, func(s audit.Store) error {
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(w, "NUMBER\tTIME\tKIND\tBY\tACCOUNT\tCHAT\tFILE\tADDRESS\tDETAIL")
		}
		err := audit.Each(ctx, s, c.After, func(e audit.Entry) error {
			ev, err := e.Event()
			if err != nil || ev.At.Before(from) {
				return err
			}
			if c.JSON {
				return json.NewEncoder(os.Stdout).Encode(struct {
					Number int64           `json:"number"`
					Event  json.RawMessage `json:"event"`
				}{e.Number, e.Body})
			}
			_, err = fmt.Fprintln(w, row(e.Number, ev))
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// row is an entry for people.
func row(number int64, e audit.Event) string {
	or := func(s string, empty bool) string {
		if empty || s == "" {
			return "-"
		}
		return s
	}
	by := or(fmt.Sprintf("account %d", e.Actor), e.Actor == 0)
	if e.Operator != "" {
		by = "operator " + e.Operator
	}
	detail := e.Detail
	if e.Count > 0 {
		detail = strings.TrimSpace(fmt.Sprintf("%d times %s", e.Count, detail))
	}
	return strings.Join([]string{
		fmt.Sprint(number), e.At.Format(time.DateTime), string(e.Kind), by, or(fmt.Sprint(e.Account), e.Account == 0),
		or(e.Chat.String(), e.Chat == 0), or(e.File, false), or(e.Address, false), or(detail, false),
	}, "\t")
}

type auditVerify struct {
	place
	Expect []string `help:"A head that was noted earlier, as verify and the server's log print it: it must still be part of the log." placeholder:"NUMBER:HASH"`
}

func (c auditVerify) Run(ctx context.Context) error {
	dir, err := c.existing()
	if err != nil {
		return err
	}
	var heads []audit.Head
	for _, s := range c.Expect {
		h, err := audit.ParseHead(s)
		if err != nil {
			return err
		}
		heads = append(heads, h)
	}
	return app.WithAudit(ctx, dir, func(s audit.Store) error {
		head, err := audit.Verify(ctx, s, heads...)
		if err != nil {
			return err
		}
		_, err = fmt.Printf("%d entries are as they were written; the head is\n%v\n", head.Number, head)
		return err
	})
}

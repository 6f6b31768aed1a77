package sqlite

import (
	"context"
	"fmt"
)

// rotate packs what is left in the older log table, empties it, and makes it the
// current one.
func (p *packer) rotate(ctx context.Context) error {
	if err := p.pack(ctx, p.s.positions.older()); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	if err := p.s.opts.step("rotate: packed"); err != nil {
		return err
	}
	if err := p.s.write(ctx, p.empty, p.s.positions.swap); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	return p.s.opts.step("rotate: committed")
}

// empty deletes the rows of the older table in the open transaction. The writer
// runs it, and only the writer adds rows, never to the older table: if no log has
// a position in it now, all of its rows are packed.
func (p *packer) empty(c *conn) error {
	if left := p.s.positions.older(); len(left) > 0 {
		return fmt.Errorf("%d logs still have records in the older table", len(left))
	}
	if err := trimManifest(c, p.s.positions.start()); err != nil {
		return err
	}
	// Without a WHERE clause SQLite truncates the table instead of visiting rows.
	if err := c.exec(fmt.Sprintf("DELETE FROM log%d", 1-p.s.positions.table())); err != nil {
		return err
	}
	return p.s.opts.step("rotate: emptied")
}

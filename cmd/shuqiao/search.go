package main

import (
	"fmt"

	"github.com/shuqiao/shuqiao/catalog"
)

type searchCommand struct {
	Rebuild searchRebuild `cmd:"" help:"Build what searches read anew from the directory. The hub may go on meanwhile."`
}

type searchRebuild struct {
	settings
	Missing bool `name:"missing" help:"Only entries that searches do not know, or know from an older program."`
}

func (c *searchRebuild) Run(t *terminal) error {
	cfg, log, err := t.load(c.flags())
	if err != nil {
		return err
	}
	d, closeAll, err := openDatabase(t, cfg, log)
	if err != nil {
		return err
	}
	defer closeAll()
	n, err := catalog.RebuildSearch(t.ctx, d, !c.Missing, func(done int) {
		if done%10_000 == 0 {
			fmt.Fprintf(t.err, "%d entries\n", done)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s indexed\n", plural(int64(n), "entry", "entries"))
	return nil
}

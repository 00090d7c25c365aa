package console

import (
	"time"

	"github.com/shuqiao/shuqiao/exchange/retention"
	"github.com/shuqiao/shuqiao/internal/retain"
)

// retentionRow is one kind of thing with its period, in the reader's language.
type retentionRow struct {
	retention.Line
	Name, From, Way, Law string
	Oldest, Run, Removed time.Time // Zero for none.
}

// showRetention shows how long what is kept, on what basis, and what was removed.
func (c *console) showRetention(v *visit) error {
	lines, err := v.Retention.Report(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	at := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return *t
	}
	rows := make([]retentionRow, 0, len(lines))
	for _, line := range lines {
		r, _ := retain.Find(line.Kind)
		rows = append(rows, retentionRow{
			Line: line, Name: v.pick(r.WhatZH, r.What), From: v.pick(r.SinceZH, r.Since), Way: v.pick(r.HowZH, r.How), Law: v.pick(r.Basis.TextZH(), r.Basis.Text()),
			Oldest: at(line.OldestKept), Run: at(line.LastRunAt), Removed: at(line.RemovedAt),
		})
	}
	return v.show("retention", "retention.title", rows)
}

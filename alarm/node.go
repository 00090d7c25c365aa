package alarm

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Node is what a process can say of itself.
type Node struct {
	ID     uuid.UUID
	Dir    string       // The data folder.
	Lapses func() int64 // How often the policy lease has lapsed since the start; nil means never.
}

// report writes down what only this node can measure, for whichever node judges.
func (s *Service) report(ctx context.Context, lapses *window) error {
	n := s.opt.Node
	if n.ID == uuid.Nil {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(n.Dir, &st); err != nil {
		return fmt.Errorf("measuring the disk of the data folder: %w", err)
	}
	size := uint64(st.Bsize)
	var recent int64
	if n.Lapses != nil {
		recent = lapses.add(time.Now(), n.Lapses())
	}
	_, err := s.db.Pool.Exec(ctx, `
		INSERT INTO node_report (node_id, disk_free, disk_size, lapses, at) VALUES ($1, $2, $3, $4, clock_timestamp())
		ON CONFLICT (node_id) DO UPDATE SET disk_free = excluded.disk_free, disk_size = excluded.disk_size, lapses = excluded.lapses, at = excluded.at`,
		n.ID, int64(st.Bavail*size), int64(st.Blocks*size), recent)
	if err != nil {
		return fmt.Errorf("reporting on this node: %w", err)
	}
	return nil
}

// windowLength is how far back lapses count.
const windowLength = time.Hour

// window turns a total that only grows into its growth within the last hour.
type window struct {
	marks []mark
}

type mark struct {
	at    time.Time
	total int64
}

// add notes the total at a time and returns by how much it has grown within the window. The first mark left is the newest one
// before the window, or the start of the process with a total of 0.
func (w *window) add(now time.Time, total int64) int64 {
	if len(w.marks) == 0 {
		w.marks = append(w.marks, mark{now, 0})
	}
	for len(w.marks) > 1 && now.Sub(w.marks[1].at) > windowLength {
		w.marks = w.marks[1:]
	}
	if last := w.marks[len(w.marks)-1]; last.total != total {
		w.marks = append(w.marks, mark{now, total})
	}
	return total - w.marks[0].total
}

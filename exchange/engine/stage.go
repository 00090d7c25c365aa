package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// stage reads the source to its end, converting and staging row by row.
func (r *reader) stage(ctx context.Context) error {
	if err := r.planWindow(ctx); err != nil {
		return err
	}
	staging, err := r.Store.Open(ctx, r.Job, r.Resume)
	if err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	r.staging = staging
	if err := r.followWindow(); err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	after, read, resumed, err := staging.Resumed(ctx)
	if err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	if resumed {
		r.read, r.resumed = read, true
	}
	r.observe(ctx, StageRead)
	if staging.Closing() != nil {
		return nil
	}
	if err := r.sweep(ctx); err != nil {
		return err
	}
	request := connectors.ReadRequest{Object: r.Object, Columns: r.columns, Since: r.since()}
	for _, k := range r.keyCells {
		request.OrderBy = append(request.OrderBy, r.columns[k])
	}
	if resumed {
		request.After = after
	}
	stream, err := r.Source.Read(ctx, request)
	if err != nil {
		return newFailure(StageRead, SideSource, r.Object, err)
	}
	defer stream.Close()
	if r.keyCells == nil {
		return r.drain(ctx, stream, nil)
	}
	last := make([]string, len(r.keyCells))
	copy(last, after)
	return r.drain(ctx, stream, last)
}

// drain stages everything a stream delivers, with a checkpoint per chunk. last is the source key behind which the stream
// began, and is moved on; with nil a checkpoint says nothing of where to go on.
func (r *reader) drain(ctx context.Context, stream *connectors.Stream, last []string) error {
	row := &transform.Row{}
	for {
		batch, err := stream.Next(ctx)
		if errors.Is(err, connectors.ErrEndOfData) {
			break
		}
		if err != nil {
			return newFailure(StageRead, SideSource, r.Object, err)
		}
		for i := range batch.Rows {
			if err := r.take(batch, i, row); err != nil {
				return newFailure(StageRead, SideHub, r.Object, err)
			}
			if !r.staging.Full() {
				continue
			}
			if err := r.checkpoint(ctx, r.position(batch, i, last)); err != nil {
				return newFailure(StageRead, SideHub, r.Object, err)
			}
		}
		if batch.Rows > 0 {
			r.position(batch, batch.Rows-1, last)
		}
	}
	if r.read == 0 {
		last = nil
	}
	err := r.checkpoint(ctx, last)
	if err == nil {
		err = r.staging.Flush()
	}
	return newFailure(StageRead, SideHub, r.Object, err)
}

// position writes the source key of a row into last, which is nil when the read cannot be resumed.
func (r *reader) position(batch *connectors.Batch, i int, last []string) []string {
	for j := range last {
		last[j] = string(batch.Cell(i, r.keyCells[j]))
	}
	return last
}

func (r *reader) checkpoint(ctx context.Context, after []string) error {
	if err := r.Continue(ctx); err != nil {
		return err
	}
	if after != nil {
		after = append([]string(nil), after...)
	}
	r.staging.SetMark(r.highest())
	if err := r.staging.Checkpoint(ctx, after); err != nil {
		return err
	}
	r.observe(ctx, StageRead)
	return nil
}

// take converts one row and stages it as accepted, rejected or filtered.
func (r *reader) take(batch *connectors.Batch, i int, row *transform.Row) error {
	r.read++
	r.plan.Row(batch, i, row)
	origin := r.meet(batch, i)
	if r.soft >= 0 && r.SoftDelete.marks(batch.Cell(i, r.soft)) {
		r.drop(row, origin)
		return nil
	}
	if r.Keep != nil && row.KeyOK && len(row.Reasons) == 0 && !r.Keep(row) {
		r.drop(row, origin)
		return nil
	}
	r.measure(row)
	if len(row.Reasons) > 0 {
		return r.refuse(batch, i, row, origin)
	}
	r.staged.Origin = origin
	r.staged.No, r.staged.Key, r.staged.Hash, r.staged.Box = r.read, row.Key, row.Hash, r.staged.Box[:0]
	for p, at := range r.planned {
		r.staged.Values[at] = row.Values[p]
		if r.Job.Columns[at].Geometry && row.Values[p] != nil {
			b := row.Boxes[p]
			r.staged.Box = append(r.staged.Box, b.MinLon, b.MinLat, b.MaxLon, b.MaxLat)
		}
	}
	if r.order >= 0 {
		r.staged.Order = batch.Cell(i, r.order)
	}
	r.staging.Append(r.staged)
	return nil
}

// drop stages a row that does not count as present. In a partial read nothing else says that its key is gone.
func (r *reader) drop(row *transform.Row, origin string) {
	r.staging.Filter()
	if r.Job.Part && row.KeyOK {
		r.staging.Gone(row.Key, origin, true)
	}
}

// maxIndexed bounds key and filterable text of a row, in bytes: together they must fit into an index entry of PostgreSQL,
// which holds 2,704 bytes with its header. One longer row would fail the index and with it every run.
const maxIndexed = 2600

// measure refuses a row whose key, alone or beside a filterable text, cannot be indexed.
func (r *reader) measure(row *transform.Row) {
	if len(row.Reasons) > 0 || !row.KeyOK {
		return
	}
	for p, at := range r.planned {
		m := r.Items[at]
		indexed := len(row.Key)
		if m.Filterable && m.Item.Letter != 'G' {
			indexed += len(row.Values[p])
		}
		if (m.Filterable || m.Item.Key) && indexed > maxIndexed {
			row.Reasons = append(row.Reasons, transform.Reason{ItemNo: m.Item.No, Code: transform.ReasonTooLong, Message: "the value is too long to be a key or to be filtered by"})
		}
	}
}

// refuse stages a rejected row: its reasons in the open, the row itself sealed for the provider.
func (r *reader) refuse(batch *connectors.Batch, i int, row *transform.Row, origin string) error {
	r.rejected++
	raw := make(map[string]*string, len(r.columns))
	digest := sha256.New()
	for c, name := range r.columns {
		cell := batch.Cell(i, c)
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(cell)))
		if cell == nil {
			length = [4]byte{0xff, 0xff, 0xff, 0xff}
			raw[name] = nil
		} else {
			text := string(cell)
			raw[name] = &text
		}
		digest.Write(length[:])
		digest.Write(cell)
	}
	body, err := json.Marshal(raw)
	if err != nil {
		return fmt.Errorf("encoding a rejected row: %w", err)
	}
	sealed, err := r.Seal(body)
	if err != nil {
		return fmt.Errorf("sealing a rejected row: %w", err)
	}
	reasons, err := json.Marshal(row.Reasons)
	if err != nil {
		return fmt.Errorf("encoding reasons: %w", err)
	}
	refused := store.Refused{No: r.read, Reasons: reasons, Hash: digest.Sum(nil)[:16], Sealed: sealed}
	if r.Incremental != nil {
		refused.Origin = &origin
	}
	if row.KeyOK && len(row.Key) <= maxIndexed {
		key := row.Key
		refused.Key = &key
	}
	if r.order >= 0 {
		if cell := batch.Cell(i, r.order); cell != nil {
			order := string(cell)
			refused.Order = &order
		}
	}
	r.staging.Refuse(refused)
	return nil
}

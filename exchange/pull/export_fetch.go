package pull

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// signOfLife is how often the record of a fetch says that it goes on, however slowly.
const signOfLife = 30 * time.Second

// ask repeats what the order said about itself.
func (e *Export) ask() sharing.Ask {
	return sharing.Ask{
		Resource: e.ResourceID.String(), GrantID: e.GrantID, Purpose: e.purpose, CaseNumber: e.caseNumber, Action: authz.DataPull,
	}
}

// Fetch is the right to fetch a file, found and not used yet. Close gives the file back.
type Fetch struct {
	Export Export
	Limits Limits

	session *session
	seal    *fileSeal
	file    File
}

// Fetch opens a client's file. The faults are those of sharing.Decide for its grant; NotFound; Conflict export_not_ready
// and terms_changed; Gone export_gone and export_failed; Unavailable export_elsewhere where this node has no such file, and
// hub_stopping.
func (x *Exports) Fetch(ctx context.Context, client authz.Principal, call Call, id uuid.UUID) (*Fetch, error) {
	select {
	case <-x.pull.stopping:
		return nil, hubStopping()
	default:
	}
	c, e, err := x.own(ctx, client, call, id)
	if err != nil {
		return nil, err
	}
	if err := c.usable(e); err != nil {
		return nil, err
	}
	key, err := x.key(e)
	if err != nil {
		return nil, err
	}
	seal, err := newFileSeal(key, e.ID)
	if err != nil {
		return nil, err
	}
	file, err := x.opt.Files.Open(e.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Unavailable, "export_elsewhere",
			"this node does not have the file; let the nodes share one folder of exports, or ask the node that wrote it").At("store").Wrap(err)
	}
	if err != nil {
		return nil, err
	}
	c.call.RequestID = call.RequestID
	return &Fetch{Export: *e, Limits: c.limits, session: c, seal: seal, file: file}, nil
}

// Close gives the file back.
func (f *Fetch) Close() error { return f.file.Close() }

// fetching is one fetch under way.
type fetching struct {
	*Fetch
	guard    *guard
	id       uuid.UUID
	at       time.Time
	reserved int64
	rows     int64 // At most so many rows lie in what was sent.
	signed   time.Time
	sum      hash.Hash
	pace     *pace
}

// Send writes the bytes from up to, excluding, to, paced to the grant's rows per second. As in Stream, each chunk is written
// after a look at policy and after the rows that may lie in it are in the usage record; a fetch that policy stops ends in an error with Begun true, upon
// which the connection is aborted.
func (f *Fetch) Send(ctx context.Context, from, to int64, w StreamWriter) (StreamEnd, error) {
	if from < 0 || to > f.Export.Size || from > to {
		return StreamEnd{}, fault.New(fault.Invalid, "range", "the file has no such part")
	}
	c := f.session
	s := &fetching{Fetch: f, sum: sha256.New(), pace: c.service.rates.pace(&c.terms.grant, f.Export.Rows, f.Export.Size)}
	s.guard = &guard{
		writer: w, clock: c.service.clock, left: c.service.follower.LeaseLeft, stopping: c.service.stopping,
		recheck: func(ctx context.Context) error { return c.service.sharing.Recheck(ctx, c.permit) },
	}
	if err := s.open(ctx, from, to); err != nil {
		return StreamEnd{}, err
	}
	asOf := time.Time{}
	if f.Export.AsOf != nil {
		asOf = *f.Export.AsOf
	}
	w.Begin(s.id, f.Limits, asOf)
	watched := watch(ctx, s.guard)
	err := s.send(watched, from, to)
	if lost := s.guard.reason(); err != nil && lost != nil {
		err = lost
	}
	s.guard.close()
	sum := s.sum.Sum(nil)
	end := StreamEnd{Begun: true, Rows: s.rows, Digest: contentDigest(sum)}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if recorded := c.service.recorder.End(closing, s.id, s.at, s.rows, sum); err == nil {
		err = recorded
	}
	if err != nil {
		return end, fmt.Errorf("sending the file of an export: %w", err)
	}
	return end, nil
}

// open makes the record that the fetch begins durable.
func (s *fetching) open(ctx context.Context, from, to int64) error {
	v, err := newView(s.session.terms, s.Export.Items, s.Export.Filter)
	if err != nil {
		return err
	}
	query, err := json.Marshal(struct {
		Export uuid.UUID       `json:"export"`
		Filter json.RawMessage `json:"filter,omitempty"`
		From   int64           `json:"from"`
		To     int64           `json:"to"`
	}{s.Export.ID, v.filter, from, to})
	if err != nil {
		return fmt.Errorf("describing a fetch: %w", err)
	}
	u := s.session.usage(audit.ModeExport, v.columns, query)
	u.SeqTo, u.AsOf = s.Export.seq, s.Export.AsOf
	s.id, s.at, err = s.session.service.recorder.Open(ctx, u)
	return err
}

func (s *fetching) send(ctx context.Context, from, to int64) error {
	buffer := make([]byte, sealedSize)
	for at := from; at < to; {
		n := at / sealChunk
		data, rows, err := s.seal.open(s.file, n, s.Export.Size, buffer)
		if err != nil {
			return err
		}
		start := n * sealChunk
		data = data[at-start : min(int64(len(data)), to-start)]
		at += int64(len(data))
		for len(data) > 0 {
			piece := data[:min(len(data), s.pace.piece)]
			if err := s.sendPiece(ctx, piece, rows); err != nil {
				return err
			}
			data = data[len(piece):]
		}
	}
	return nil
}

// sendPiece writes a part of a chunk, up to whose end there are so many rows.
func (s *fetching) sendPiece(ctx context.Context, piece []byte, rows int64) error {
	if err := s.pace.wait(ctx, len(piece)); err != nil {
		return err
	}
	if err := s.reserve(ctx, rows); err != nil {
		return err
	}
	if err := s.session.mayGoOn(ctx); err != nil {
		return err
	}
	s.rows = rows
	_, _ = s.sum.Write(piece) // A hash never fails to take bytes.
	_, err := s.guard.write(piece)
	return err
}

// reserve records the rows of the next chunk, and some ahead, before it leaves.
func (s *fetching) reserve(ctx context.Context, rows int64) error {
	now := s.session.service.clock()
	if rows <= s.reserved && now.Sub(s.signed) < signOfLife {
		return nil
	}
	s.reserved, s.signed = max(s.reserved, min(s.Export.Rows, rows+reserveRows)), now
	return s.session.service.recorder.Reserve(ctx, s.id, s.at, max(s.reserved, rows))
}

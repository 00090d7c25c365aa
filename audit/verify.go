package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyOptions says what to compare with.
type VerifyOptions struct {
	// VerifierKeys check the signatures of checkpoints; each must be signed by one of them. Without keys the notes are
	// compared with the tree, but whoever could rewrite the log could also have rewritten them.
	VerifierKeys []string
	// Published are checkpoints that were kept outside the hub. They show a log rewritten as a whole.
	Published []string
	// UsageSince leaves out the usage records of older events. Records that the hub removed after their period need no such
	// bound: the event that says so is gone by.
	UsageSince time.Time
	// MaxProblems bounds the list of problems; 0 means 1000.
	MaxProblems int
}

// window is how many leaves are read at once.
const window = 2000

// Verify reads the whole log in the order of its leaves and looks for contradictions: events altered, missing or slipped
// in; gaps and forgeries in leaves and tree; checkpoints that do not fit; usage records that are not what their events
// say. It works in one repeatable-read, read-only snapshot, so a hub may run meanwhile, and in memory that does not depend on the
// length of the log. Contradictions are in the report; an error means that it could not be finished. Malformed
// verifier keys and published checkpoints are Invalid faults.
func Verify(ctx context.Context, pool *pgxpool.Pool, opt VerifyOptions) (Report, error) {
	if opt.MaxProblems <= 0 {
		opt.MaxProblems = 1000
	}
	v := &verification{opt: opt, tree: &frontier{}}
	if err := v.checkpoints.prepare(opt); err != nil {
		return Report{}, err
	}
	v.report.Signatures = len(opt.VerifierKeys) > 0
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		v.tx = tx
		return v.run(ctx)
	})
	if err != nil {
		return v.report, fmt.Errorf("verifying the log: %w", err)
	}
	return v.report, nil
}

// verification is one pass over the log.
type verification struct {
	tx          pgx.Tx
	opt         VerifyOptions
	report      Report
	tree        *frontier
	broken      bool // The tree cannot be followed any further: a leaf is missing and so is its hash.
	gapFrom     int64
	gap         bool // Leaves from gapFrom to before the current one are missing.
	checkpoints checkpointCheck
	usage       []usageClaim // Of the current window.
	removed     []*purge     // Usage records that were removed after their period.
}

func (v *verification) run(ctx context.Context) error {
	if err := v.tx.QueryRow(ctx, "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM leaf), (SELECT count(*) FROM pending), (SELECT count(*) FROM usage WHERE at >= $1)", v.usageSince()).
		Scan(&v.report.Events, &v.report.Leaves, &v.report.Pending, &v.report.Usage); err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	for _, step := range []func(context.Context) error{v.purges, v.leaves, v.checkpointsBeyond, v.pending, v.unsealed, v.unevidenced, v.purgedWhole} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if !v.broken {
		root, err := v.tree.root()
		if err != nil {
			return err
		}
		v.report.Root = root
	}
	return nil
}

// usageSince is the bound as the database takes it: the beginning of time for none.
func (v *verification) usageSince() pgtype.Timestamptz {
	if v.opt.UsageSince.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: v.opt.UsageSince, Valid: true}
}

func (v *verification) add(p Problem) {
	v.report.Found++
	if len(v.report.Problems) < v.opt.MaxProblems {
		v.report.Problems = append(v.report.Problems, p)
	}
}

// record is an event as its columns tell it.
type record struct {
	id                                                    *uuid.UUID // nil: there is no such event.
	at                                                    *time.Time
	actorKind, actorID, action, objectKind, objectID, end *string
	department                                            *uuid.UUID
	body                                                  pgtype.DriverBytes
}

// boundedAt makes times readable that only a superuser's hand can have put there: infinite ones, and years that JSON has no
// form for. They then contradict the evidence instead of ending the reading.
func boundedAt(column string) string {
	return "least(greatest(" + column + ", '0001-01-01 00:00Z'), '9999-12-31 00:00Z')"
}

// boundedIf is boundedAt for a column that may be NULL and then stays so.
func boundedIf(column string) string {
	return "CASE WHEN " + column + " IS NOT NULL THEN " + boundedAt(column) + " END"
}

var recordColumns = "e.id, " + boundedAt("e.at") + ", e.actor_kind, e.actor_id, e.actor_department, e.action, e.object_kind, e.object_id, e.outcome, e.body"

func (r *record) targets() []any {
	return []any{&r.id, &r.at, &r.actorKind, &r.actorID, &r.department, &r.action, &r.objectKind, &r.objectID, &r.end, &r.body}
}

// problem starts a problem about this event.
func (r *record) problem(kind ProblemKind, leaf *int64, where []string, format string, args ...any) Problem {
	p := Problem{Kind: kind, Leaf: leaf, Where: where, Text: fmt.Sprintf(format, args...)}
	if r.id != nil {
		p.Event, p.At, p.Action = *r.id, r.at.UTC(), *r.action
	}
	return p
}

// differing names the columns that contradict the body.
func (r *record) differing(b *body) []string {
	var where []string
	check := func(same bool, column string) {
		if !same {
			where = append(where, column)
		}
	}
	check(*r.id == b.ID, "id")
	check(r.at.Equal(b.At), "at")
	check(*r.actorKind == string(b.Actor.Kind), "actor_kind")
	check(*r.actorID == b.Actor.ID, "actor_id")
	var department uuid.UUID
	if r.department != nil {
		department = *r.department
	}
	check(department == b.Actor.Department, "actor_department")
	check(*r.action == b.Action, "action")
	check(*r.objectKind == b.Object.Kind, "object_kind")
	check(*r.objectID == b.Object.ID, "object_id")
	check(*r.end == string(b.Outcome), "outcome")
	return where
}

// columns compares an event's columns with its body, notes what the body says about usage records, and returns the
// columns that contradict. A body that is no event at all contradicts in "body".
func (v *verification) columns(r *record) []string {
	var b body
	if err := json.Unmarshal(r.body, &b); err != nil {
		return []string{"body"}
	}
	if claim, ok := newUsageClaim(&b); ok && !v.gone(&claim) && !b.At.Before(v.opt.UsageSince) {
		v.usage = append(v.usage, claim)
	}
	return r.differing(&b)
}

// leaves follows the leaves and the tree over them, window by window.
func (v *verification) leaves(ctx context.Context) error {
	var end int64
	if err := v.tx.QueryRow(ctx, "SELECT coalesce(max(leaf) + 1, 0) FROM leaf").Scan(&end); err != nil {
		return fmt.Errorf("reading leaves: %w", err)
	}
	if err := v.checkpoints.reach(ctx, v); err != nil {
		return err
	}
	for from := int64(0); from < end; {
		to := min(from+window, end)
		if err := v.leafWindow(ctx, from, to); err != nil {
			return err
		}
		if err := v.checkUsage(ctx); err != nil {
			return err
		}
		from = to
		if v.broken {
			// Nothing can be followed through a gap without hashes: go on where there are leaves again.
			if err := v.tx.QueryRow(ctx, "SELECT coalesce(min(leaf), $2) FROM leaf WHERE leaf >= $1", from, end).Scan(&from); err != nil {
				return fmt.Errorf("reading leaves: %w", err)
			}
		}
	}
	return v.hashesBeyond(ctx, end)
}

func (v *verification) leafWindow(ctx context.Context, from, to int64) error {
	stored, err := v.storedHashes(ctx, from, to)
	if err != nil {
		return err
	}
	// Checkpoints are fetched ahead, because the connection is busy while the leaves stream by.
	if !v.broken {
		if err := v.checkpoints.fetch(ctx, v.tx, to); err != nil {
			return err
		}
	}
	rows, err := v.tx.Query(ctx, "SELECT l.leaf, l.event_id, l.data, l.hash, "+recordColumns+`
		FROM leaf l LEFT JOIN event e ON e.id = l.event_id
		WHERE l.leaf >= $1 AND l.leaf < $2 ORDER BY l.leaf`, from, to)
	if err != nil {
		return fmt.Errorf("reading leaves: %w", err)
	}
	defer rows.Close()
	next := from
	for rows.Next() {
		var l leafRow
		if err := rows.Scan(append([]any{&l.leaf, &l.event, &l.data, &l.hash}, l.record.targets()...)...); err != nil {
			return fmt.Errorf("reading leaves: %w", err)
		}
		if err := v.missing(next, l.leaf, stored); err != nil {
			return err
		}
		v.endGap(l.leaf)
		if err := v.leaf(&l, stored); err != nil {
			return err
		}
		next = l.leaf + 1
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading leaves: %w", err)
	}
	return v.missing(next, to, stored)
}

// leafRow is a leaf with the event it points to.
type leafRow struct {
	leaf       int64
	event      uuid.UUID
	data, hash []byte
	record
}

func (v *verification) storedHashes(ctx context.Context, from, to int64) (map[int64]tlog.Hash, error) {
	if v.broken {
		return nil, nil
	}
	rows, err := v.tx.Query(ctx, "SELECT idx, hash FROM tree_hash WHERE idx >= $1 AND idx < $2", tlog.StoredHashCount(from), tlog.StoredHashCount(to))
	if err != nil {
		return nil, fmt.Errorf("reading tree hashes: %w", err)
	}
	defer rows.Close()
	stored := make(map[int64]tlog.Hash, 2*(to-from))
	for rows.Next() {
		var index int64
		var hash pgtype.DriverBytes
		if err := rows.Scan(&index, &hash); err != nil {
			return nil, fmt.Errorf("reading tree hashes: %w", err)
		}
		stored[index] = tlog.Hash(padded(hash))
	}
	return stored, rows.Err()
}

// missing handles leaves that do not exist: the tree goes on with their stored hashes, where there are any.
func (v *verification) missing(from, to int64, stored map[int64]tlog.Hash) error {
	if from < to && !v.gap {
		v.gap, v.gapFrom = true, from
	}
	for n := from; n < to && !v.broken; n++ {
		hash, ok := stored[tlog.StoredHashIndex(0, n)]
		if !ok {
			v.broken = true
			v.add(Problem{Kind: TreeAltered, Leaf: &n, Text: "leaf and hash are both missing; the tree cannot be checked from here on"})
			return nil
		}
		if err := v.grow(hash, stored); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) endGap(next int64) {
	if !v.gap {
		return
	}
	v.gap = false
	first, text := v.gapFrom, "this leaf is missing"
	if last := next - 1; last > first {
		text = fmt.Sprintf("the leaves %d to %d are missing", first, last)
	}
	v.add(Problem{Kind: LeafMissing, Leaf: &first, Text: text})
}

// leaf checks one leaf with its event and puts it into the tree.
func (v *verification) leaf(l *leafRow, stored map[int64]tlog.Hash) error {
	index := tlog.StoredHashIndex(0, l.leaf)
	inTree, haveTree := stored[index]
	w := witness{data: tlog.RecordHash(l.data), leaf: tlog.Hash(padded(l.hash))}
	if haveTree {
		w.tree = &inTree
	}
	if l.id != nil {
		fromBody := tlog.RecordHash(LeafData(*l.id, l.body))
		w.body = &fromBody
	}
	truth := w.truth()
	v.leafProblems(l, w, truth)
	if v.broken {
		return nil
	}
	switch {
	case !haveTree:
		v.add(l.problem(TreeAltered, &l.leaf, nil, "the leaf's hash is missing in the tree (index %d)", index))
	case inTree != truth:
		v.add(l.problem(TreeAltered, &l.leaf, nil, "the leaf's hash in the tree (index %d) is not that of its event", index))
	}
	return v.grow(truth, stored)
}

func (v *verification) leafProblems(l *leafRow, w witness, truth tlog.Hash) {
	if w.body == nil {
		p := l.problem(EventMissing, &l.leaf, nil, "the leaf's event does not exist")
		p.Event = l.event
		v.add(p)
	} else {
		where := v.columns(&l.record)
		if *w.body != truth && (len(where) == 0 || where[0] != "body") {
			where = append([]string{"body"}, where...)
		}
		switch {
		case *w.body != truth:
			v.add(l.problem(EventAltered, &l.leaf, where, "the event is not the one that was sealed"))
		case len(where) > 0:
			v.add(l.problem(EventAltered, &l.leaf, where, "columns contradict the sealed body"))
		}
	}
	var where []string
	if w.data != truth {
		where = append(where, "data")
	}
	if w.leaf != truth {
		where = append(where, "hash")
	}
	if len(where) > 0 {
		v.add(l.problem(LeafAltered, &l.leaf, where, "the leaf contradicts its event or the tree"))
	}
}

// witness holds what four places say about the hash of one leaf.
type witness struct {
	body, tree *tlog.Hash // nil: the place is empty.
	data, leaf tlog.Hash
}

// truth is what most places say; of two against two, what the tree says, because the nodes above it and the checkpoints
// speak for it. Going on with it keeps one forged place from discrediting everything above.
func (w witness) truth() tlog.Hash {
	places := []tlog.Hash{w.data, w.leaf}
	if w.body != nil {
		places = append(places, *w.body)
	}
	if w.tree != nil {
		places = append([]tlog.Hash{*w.tree}, places...)
	}
	best, votes := places[0], 0
	for _, candidate := range places {
		n := 0
		for _, p := range places {
			if p == candidate {
				n++
			}
		}
		if n > votes {
			best, votes = candidate, n
		}
	}
	return best
}

// grow appends a leaf's hash, compares the nodes it completes with the stored ones, and the root with checkpoints of that
// size.
func (v *verification) grow(leaf tlog.Hash, stored map[int64]tlog.Hash) error {
	n := v.tree.size
	hashes, err := v.tree.append(leaf)
	if err != nil {
		return err
	}
	first := tlog.StoredHashIndex(0, n)
	for level := 1; level < len(hashes); level++ {
		index := first + int64(level)
		got, ok := stored[index]
		if ok && got == hashes[level] {
			continue
		}
		text := "is not the hash of the leaves below it"
		if !ok {
			text = "is missing"
		}
		from := n + 1 - int64(1)<<level
		v.add(Problem{Kind: TreeAltered, Leaf: &from, Text: fmt.Sprintf("tree hash %d (level %d, leaves %d to %d) %s", index, level, from, n, text)})
	}
	return v.checkpoints.compare(v)
}

// hashesBeyond looks for stored hashes of leaves past the last one: the end of the log was cut off.
func (v *verification) hashesBeyond(ctx context.Context, end int64) error {
	var count int64
	err := v.tx.QueryRow(ctx, "SELECT count(*) FROM tree_hash WHERE idx >= $1 OR idx < 0", tlog.StoredHashCount(end)).Scan(&count)
	if err != nil {
		return fmt.Errorf("reading tree hashes: %w", err)
	}
	if count > 0 {
		v.add(Problem{Kind: TreeAltered, Leaf: &end, Text: fmt.Sprintf("the tree holds %d hashes of leaves that do not exist; the end of the log may be cut off", count)})
	}
	return nil
}

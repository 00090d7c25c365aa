package pull

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The bounds of exports, choices of this project.
const (
	DefaultExportKeep  = 7 * 24 * time.Hour // How long a file may be fetched.
	MaxOpenExports     = 3                  // Exports of one grant that are queued or being written.
	DefaultExportSlots = 2                  // Exports that one node writes at the same time.
	DefaultExportSpace = 50 << 30           // Bytes that all files together may take.
)

// ExportState is how far an export has come.
type ExportState string

// The states. Queued is left by a claim, running by success or failure, or back to queued when its node dies; ready when
// the file expires or is deleted, or the right to it ends.
const (
	ExportQueued  ExportState = "queued"
	ExportRunning ExportState = "running"
	ExportReady   ExportState = "ready"
	ExportFailed  ExportState = "failed" // Reason says why; order another one.
	ExportGone    ExportState = "gone"   // The key of the file is destroyed; Reason says why.
)

// The reasons why an export is gone.
const (
	goneExpired = "expired"
	goneDeleted = "deleted"
	goneGrant   = "grant_ended"
	goneTerms   = "terms_changed"
)

// Export is a file of rows that a client ordered.
type Export struct {
	ID          uuid.UUID       `json:"id"`
	ResourceID  uuid.UUID       `json:"resource"`
	GrantID     uuid.UUID       `json:"grant"`
	Format      Format          `json:"format"`
	Compression Compression     `json:"compression"` // Of the whole file; none for parquet, which packs its pages.
	Items       []string        `json:"items"`       // As asked for; empty for all granted ones.
	State       ExportState     `json:"state"`
	Reason      string          `json:"reason,omitempty"` // Of failed and gone: a problem code.
	Rows        int64           `json:"rows"`             // Written so far, or in the file.
	Total       *int64          `json:"total"`            // There are to write; null until they were counted.
	Size        int64           `json:"size"`             // Of the file in bytes; 0 until it is ready.
	Digest      string          `json:"digest,omitempty"` // sha-256=:<base64>: of the file.
	EvidenceID  uuid.UUID       `json:"evidence_id"`      // The newest event about the export.
	AsOf        *time.Time      `json:"as_of"`            // Database time of the rows.
	CreatedAt   time.Time       `json:"created_at"`
	FinishedAt  *time.Time      `json:"finished_at"`
	ExpiresAt   *time.Time      `json:"expires_at"` // When the file can no longer be fetched; null until it is ready.
	Filter      json.RawMessage `json:"-"`

	terms      int64
	version    int
	demands    int // The version whose sharing attributes, grades and masks held.
	client     uuid.UUID
	department uuid.UUID
	purpose    string
	caseNumber string
	requestID  string
	attempt    int
	file       string
	sealedKey  []byte
	sum        []byte
	seq        *int64
	expected   int64
}

// ExportRequest orders a file.
type ExportRequest struct {
	Call
	Format      Format
	Compression Compression // "" means none; parquet takes nothing else.
	Items       []string
	Filter      json.RawMessage
}

// ExportOptions says what exports work with. Everything without a remark is required.
type ExportOptions struct {
	Pull    *Service
	DB      *db.DB
	Files   Files
	NodeID  uuid.UUID        // Of this node; it outlives the process. No other process runs under it.
	Keep    time.Duration    // How long files may be fetched; 0 means DefaultExportKeep.
	Silence time.Duration    // After which another node takes an export over; 0 means 8 s. The same on all nodes.
	Slots   int              // 0 means DefaultExportSlots.
	Space   int64            // Bytes that all files in Files may take; 0 means DefaultExportSpace. The same on all nodes.
	Clock   func() time.Time // nil means time.Now.
	Log     *slog.Logger     // nil means slog.Default.
}

// Exports writes files of rows in the background and hands them out. It may be used by several goroutines.
type Exports struct {
	opt  ExportOptions
	pull *Service
	db   *db.DB
	wake chan struct{} // Told when an export was ordered here.
}

// NewExports makes the service. Nothing is written until Run.
func NewExports(opt ExportOptions) *Exports {
	if opt.Keep == 0 {
		opt.Keep = DefaultExportKeep
	}
	if opt.Silence == 0 {
		opt.Silence = 8 * time.Second
	}
	if opt.Slots == 0 {
		opt.Slots = DefaultExportSlots
	}
	if opt.Space == 0 {
		opt.Space = DefaultExportSpace
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Exports{opt: opt, pull: opt.Pull, db: opt.DB, wake: make(chan struct{}, 1)}
}

// Create orders a file of all granted rows that meet the filter, as of the moment when writing begins. The faults are
// those of Rows; Invalid for unknown formats; Exhausted too_many_exports when the grant has MaxOpenExports under way, and
// exports_full when there is no space for it, even after that of files whose time is over was freed.
func (x *Exports) Create(ctx context.Context, client authz.Principal, r ExportRequest) (Export, error) {
	c, err := x.pull.begin(ctx, client, r.Call, authz.DataPull)
	if err != nil {
		return Export{}, err
	}
	if r.Compression == "" {
		r.Compression = CompressNone
	}
	if err := checkExport(r); err != nil {
		return Export{}, err
	}
	if _, err := newView(c.terms, r.Items, r.Filter); err != nil {
		return Export{}, err
	}
	g := &c.terms.grant
	e := Export{
		ID: db.NewID(), ResourceID: g.ResourceID, GrantID: g.ID, Format: r.Format, Compression: r.Compression, Items: slices.Clone(r.Items),
		State: ExportQueued, Filter: r.Filter, terms: g.TermsVersion, version: c.terms.version, demands: c.permit.Demands(), client: client.ID, department: client.Department,
		purpose: r.Purpose, caseNumber: r.CaseNumber, requestID: r.RequestID,
	}
	if e.Items == nil {
		e.Items = []string{}
	}
	order := func() error { return x.order(ctx, client, &e) }
	if err = order(); fault.CodeOf(err) == codeExportsFull && x.free() {
		err = order()
	}
	if err != nil {
		return Export{}, err
	}
	x.nudge()
	return e, nil
}

// order stores an order, if the bounds of its grant and of the folder allow it.
func (x *Exports) order(ctx context.Context, client authz.Principal, e *Export) error {
	return x.db.InTx(ctx, func(tx *db.Tx) error {
		e.CreatedAt = tx.Now()
		open, err := countOpenTx(ctx, tx, e.GrantID)
		if err != nil {
			return err
		}
		if open >= MaxOpenExports {
			return fault.New(fault.Exhausted, "too_many_exports", "the grant has %d exports under way; wait until one is ready", open).At("policy")
		}
		if err := x.takeSpaceTx(ctx, tx, e); err != nil {
			return err
		}
		if e.EvidenceID, err = audit.WriteTx(ctx, tx, e.event(client.Actor(), "export.create", audit.OK, nil)); err != nil {
			return err
		}
		return x.insertTx(ctx, tx, *e)
	})
}

func checkExport(r ExportRequest) error {
	var wrong []fault.Field
	switch r.Format {
	case FormatCSV, FormatNDJSON, FormatParquet:
	default:
		wrong = append(wrong, fault.Field{Name: "format", Code: "unknown", Message: "choose csv, ndjson or parquet"})
	}
	switch {
	case r.Compression != CompressNone && r.Compression != CompressGzip && r.Compression != CompressZstd:
		wrong = append(wrong, fault.Field{Name: "compression", Code: "unknown", Message: "choose none, gzip or zstd"})
	case r.Format == FormatParquet && r.Compression != CompressNone:
		wrong = append(wrong, fault.Field{Name: "compression", Code: "not_allowed", Message: "parquet packs its own pages with zstd; leave this out"})
	}
	return fault.InvalidFields(wrong)
}

// event describes something that happened to the export.
func (e *Export) event(actor audit.Actor, action string, outcome audit.Outcome, more map[string]any) audit.Event {
	detail := map[string]any{"grant": e.GrantID, "terms": e.terms, "resource": e.ResourceID, "format": e.Format}
	for key, value := range more {
		detail[key] = value
	}
	return audit.Event{Actor: actor, Action: action, Object: audit.Object{Kind: "export", ID: e.ID.String()}, Outcome: outcome, Detail: detail}
}

// own finds a client's export and the grant that decides about it. The faults: NotFound for exports that do not exist and
// those of others alike, then those of sharing.Decide.
func (x *Exports) own(ctx context.Context, client authz.Principal, call Call, id uuid.UUID) (*session, *Export, error) {
	e, err := x.find(ctx, id)
	notFound := fault.New(fault.NotFound, "not_found", "this client has no such export").At("store")
	switch {
	case db.NoRows(err):
		return nil, nil, notFound
	case err != nil:
		return nil, nil, err
	case e.client != client.ID, call.GrantID != uuid.Nil && call.GrantID != e.GrantID:
		return nil, nil, notFound
	}
	call.Resource, call.GrantID = e.ResourceID.String(), e.GrantID
	if call.Purpose == "" {
		// It was ordered for this purpose and no other.
		call.Purpose, call.CaseNumber = e.purpose, e.caseNumber
	}
	c, err := x.pull.begin(ctx, client, call, authz.DataPull)
	return c, e, err
}

// Get returns a client's export. The faults are those of sharing.Decide for its grant, and NotFound.
func (x *Exports) Get(ctx context.Context, client authz.Principal, call Call, id uuid.UUID) (Export, error) {
	_, e, err := x.own(ctx, client, call, id)
	if err != nil {
		return Export{}, err
	}
	return *e, nil
}

// Delete ends an export: what is being written stops, and the key of the file is destroyed. An export that is over already
// stays as it is.
func (x *Exports) Delete(ctx context.Context, client authz.Principal, call Call, id uuid.UUID) error {
	_, e, err := x.own(ctx, client, call, id)
	if err != nil {
		return err
	}
	err = x.db.InTx(ctx, func(tx *db.Tx) error {
		evidence, err := audit.WriteTx(ctx, tx, e.event(client.Actor(), "export.delete", audit.OK, nil))
		if err != nil {
			return err
		}
		changed, err := destroyTx(ctx, tx, e.ID, goneDeleted, evidence)
		if err == nil && !changed {
			return errNothingToDo
		}
		return err
	})
	if errors.Is(err, errNothingToDo) {
		return nil
	}
	return err
}

// errNothingToDo rolls a transaction back that found things as they should be.
var errNothingToDo = errors.New("nothing to do")

// usable reports why an export's file cannot be fetched under a session's terms, nil when it can.
func (c *session) usable(e *Export) error {
	switch e.State {
	case ExportReady:
	case ExportFailed:
		return fault.New(fault.Gone, "export_failed", "this export failed; order another one").At("store").With("reason", e.Reason)
	case ExportGone:
		return fault.New(fault.Gone, "export_gone", "the file of this export is gone; order another one").At("store").With("reason", e.Reason)
	default:
		return fault.New(fault.Conflict, "export_not_ready", "the file is still being written; ask for the export until it is ready").At("store")
	}
	if !c.fits(e) {
		return fault.New(fault.Conflict, CodeTermsChanged, "the terms of the grant changed since; order another export").At("policy")
	}
	if e.ExpiresAt != nil && !e.ExpiresAt.After(c.service.follower.Now()) {
		return fault.New(fault.Gone, "export_gone", "the file of this export is gone; order another one").At("store").With("reason", goneExpired)
	}
	return nil
}

// fits reports whether an export was ordered under the terms that hold now.
func (c *session) fits(e *Export) bool {
	return c.terms.grant.TermsVersion == e.terms && c.terms.version == e.version && c.permit.Demands() == e.demands
}

// key opens the key of the file.
func (x *Exports) key(e *Export) ([]byte, error) {
	key, err := x.pull.keyring.Open(exportKeyPurpose, e.sealedKey, e.ID[:])
	if err != nil {
		return nil, fmt.Errorf("opening the key of export %s: %w", e.ID, err)
	}
	return key, nil
}

// The purposes that separate the sealing keys of exports from all others.
const (
	exportKeyPurpose    = "export-key"
	exportFilterPurpose = "export-filter"
)

// ETag returns the name of the file's content for conditional requests.
func (e *Export) ETag() string { return `"` + hex.EncodeToString(e.sum) + `"` }

// FileName returns the name under which a file is saved.
func (e *Export) FileName() string {
	name := e.ID.String() + "." + string(e.Format)
	switch e.Compression {
	case CompressGzip:
		name += ".gz"
	case CompressZstd:
		name += ".zst"
	}
	return name
}

// ContentType returns the media type of the file as it is fetched.
func (e *Export) ContentType() string {
	switch e.Compression {
	case CompressGzip:
		return "application/gzip"
	case CompressZstd:
		return "application/zstd"
	}
	return e.Format.ContentType()
}

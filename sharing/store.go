package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The row structs mirror their tables column by column; the tag is the column's name.

type requestRow struct {
	ID              uuid.UUID       `db:"id"`
	Kind            string          `db:"kind"`
	ClientID        uuid.UUID       `db:"client_id"`
	ConsumerDeptID  uuid.UUID       `db:"consumer_dept_id"`
	ProviderDeptID  uuid.UUID       `db:"provider_dept_id"`
	ResourceID      uuid.UUID       `db:"resource_id"`
	ResourceVersion int             `db:"resource_version"`
	ShareType       string          `db:"share_type"`
	Items           []int           `db:"items"`
	RowFilter       json.RawMessage `db:"row_filter"`
	Lookup          []int           `db:"lookup"`
	Unmask          []int           `db:"unmask"`
	ShareMethods    []string        `db:"share_methods"`
	LegalBasis      string          `db:"legal_basis"`
	Scenario        string          `db:"scenario"`
	Purpose         string          `db:"purpose"`
	PurposeText     string          `db:"purpose_text"`
	CaseRequired    bool            `db:"case_required"`
	ValidUntil      time.Time       `db:"valid_until"`
	Quota           *int64          `db:"quota"`
	QuotaPeriod     string          `db:"quota_period"`
	RateCalls       int             `db:"rate_calls"`
	RateRows        int             `db:"rate_rows"`
	State           string          `db:"state"`
	ApplicantID     uuid.UUID       `db:"applicant_id"`
	ReceivedAt      *time.Time      `db:"received_at"`
	DueAt           *time.Time      `db:"due_at"`
	DueProvisional  bool            `db:"due_provisional"`
	ExtendedDays    int             `db:"extended_days"`
	Supplemented    bool            `db:"supplemented"`
	Supplement      string          `db:"supplement"`
	RefusalCode     string          `db:"refusal_code"`
	RefusalReason   string          `db:"refusal_reason"`
	DecidedBy       *uuid.UUID      `db:"decided_by"`
	DecidedAt       *time.Time      `db:"decided_at"`
	GrantID         *uuid.UUID      `db:"grant_id"`
	RowVersion      int64           `db:"row_version"`
	CreatedAt       time.Time       `db:"created_at"`
	UpdatedAt       time.Time       `db:"updated_at"`
}

func newRequestRow(r Request) requestRow {
	return requestRow{
		ID: r.ID, Kind: r.Kind, ClientID: r.ClientID, ConsumerDeptID: r.ConsumerDeptID, ProviderDeptID: r.ProviderDeptID,
		ResourceID: r.ResourceID, ResourceVersion: r.ResourceVersion, ShareType: string(r.ShareType), Items: notNil(r.Items),
		RowFilter: r.RowFilter, Lookup: notNil(r.Lookup), Unmask: notNil(r.Unmask), ShareMethods: methodTexts(r.ShareMethods),
		LegalBasis: r.LegalBasis, Scenario: r.Scenario, Purpose: r.Purpose, PurposeText: r.PurposeText,
		CaseRequired: r.CaseRequired, ValidUntil: r.ValidUntil, Quota: optional(r.Quota), QuotaPeriod: r.QuotaPeriod,
		RateCalls: r.RateCalls, RateRows: r.RateRows, State: string(r.State), ApplicantID: r.ApplicantID,
		ReceivedAt: r.ReceivedAt, DueAt: r.DueAt, DueProvisional: r.DueProvisional, ExtendedDays: r.ExtendedDays,
		Supplemented: r.Supplemented, Supplement: r.Supplement, RefusalCode: r.RefusalCode, RefusalReason: r.RefusalReason,
		DecidedBy: optional(r.DecidedBy), DecidedAt: r.DecidedAt, GrantID: optional(r.GrantID), RowVersion: r.RowVersion,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

func (r requestRow) request() Request {
	return Request{
		ID: r.ID, Kind: r.Kind, ClientID: r.ClientID, ConsumerDeptID: r.ConsumerDeptID, ProviderDeptID: r.ProviderDeptID,
		ResourceID: r.ResourceID, ResourceVersion: r.ResourceVersion, ShareType: catalog.ShareType(r.ShareType), Items: r.Items,
		RowFilter: r.RowFilter, Lookup: r.Lookup, Unmask: r.Unmask, ShareMethods: methods(r.ShareMethods),
		LegalBasis: r.LegalBasis, Scenario: r.Scenario, Purpose: r.Purpose, PurposeText: r.PurposeText,
		CaseRequired: r.CaseRequired, ValidUntil: r.ValidUntil.UTC(), Quota: given(r.Quota), QuotaPeriod: r.QuotaPeriod,
		RateCalls: r.RateCalls, RateRows: r.RateRows, State: RequestState(r.State), ApplicantID: r.ApplicantID,
		ReceivedAt: inUTC(r.ReceivedAt), DueAt: inUTC(r.DueAt), DueProvisional: r.DueProvisional, ExtendedDays: r.ExtendedDays,
		Supplemented: r.Supplemented, Supplement: r.Supplement, RefusalCode: r.RefusalCode, RefusalReason: r.RefusalReason,
		DecidedBy: given(r.DecidedBy), DecidedAt: inUTC(r.DecidedAt), GrantID: given(r.GrantID), RowVersion: r.RowVersion,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// grantRow is a row of sharing_grant. The sealed key of _rid never leaves the row with a Grant.
type grantRow struct {
	ID              uuid.UUID       `db:"id"`
	RequestID       uuid.UUID       `db:"request_id"`
	ClientID        uuid.UUID       `db:"client_id"`
	ConsumerDeptID  uuid.UUID       `db:"consumer_dept_id"`
	ProviderDeptID  uuid.UUID       `db:"provider_dept_id"`
	ResourceID      uuid.UUID       `db:"resource_id"`
	ResourceVersion int             `db:"resource_version"`
	ShareType       string          `db:"share_type"`
	Grade           string          `db:"grade"`
	Items           []int           `db:"items"`
	RowFilter       json.RawMessage `db:"row_filter"`
	Masks           map[int]string  `db:"masks"`
	Lookup          []int           `db:"lookup"`
	RidKey          []byte          `db:"rid_key"`
	ShareMethods    []string        `db:"share_methods"`
	Purpose         string          `db:"purpose"`
	PurposeText     string          `db:"purpose_text"`
	CaseRequired    bool            `db:"case_required"`
	Quota           *int64          `db:"quota"`
	QuotaPeriod     string          `db:"quota_period"`
	RateCalls       int             `db:"rate_calls"`
	RateRows        int             `db:"rate_rows"`
	ValidFrom       time.Time       `db:"valid_from"`
	ValidTo         time.Time       `db:"valid_to"`
	State           string          `db:"state"`
	StateReason     string          `db:"state_reason"`
	TermsVersion    int64           `db:"terms_version"`
	Standing        bool            `db:"standing"`
	RowVersion      int64           `db:"row_version"`
	CreatedAt       time.Time       `db:"created_at"`
	UpdatedAt       time.Time       `db:"updated_at"`
}

// named is what a row's references are called.
type named struct {
	ClientName   string `db:"client_name"`
	ConsumerName string `db:"consumer_name"`
	ProviderName string `db:"provider_name"`
	ResourceName string `db:"resource_name"`
}

// withNames reads the rows of a query over sharing_request or sharing_grant together with what their references are called, so
// that lists ask nothing per row.
func withNames(columns, sql string) string {
	return `SELECT t.*, ` + columns + `(SELECT name FROM client WHERE id = t.client_id) AS client_name,
		(SELECT name FROM department WHERE id = t.consumer_dept_id) AS consumer_name,
		(SELECT name FROM department WHERE id = t.provider_dept_id) AS provider_name,
		coalesce((SELECT name FROM resource_version WHERE resource_id = t.resource_id AND version = t.resource_version), '') AS resource_name
		FROM (` + sql + `) t`
}

type namedRequest struct {
	requestRow
	named
}

type namedGrant struct {
	grantRow
	named
	SuspendedSide string `db:"suspended_side"`
}

func (n namedGrant) grant() Grant {
	g := n.grantRow.grant()
	g.ClientName, g.ConsumerName, g.ProviderName, g.ResourceName = n.ClientName, n.ConsumerName, n.ProviderName, n.ResourceName
	g.SuspendedBy = suspendedFrom(Side(n.SuspendedSide))
	return g
}

// newGrantRow takes the sealed key beside the grant, which never holds it.
func newGrantRow(g Grant, sealed []byte) grantRow {
	masks := g.Masks
	if masks == nil {
		masks = map[int]string{}
	}
	return grantRow{
		ID: g.ID, RequestID: g.RequestID, ClientID: g.ClientID, ConsumerDeptID: g.ConsumerDeptID,
		ProviderDeptID: g.ProviderDeptID, ResourceID: g.ResourceID, ResourceVersion: g.ResourceVersion,
		ShareType: string(g.ShareType), Grade: string(g.Grade), Items: notNil(g.Items), RowFilter: g.RowFilter, Masks: masks,
		Lookup: notNil(g.Lookup), RidKey: sealed, ShareMethods: methodTexts(g.ShareMethods), Purpose: g.Purpose,
		PurposeText: g.PurposeText, CaseRequired: g.CaseRequired, Quota: optional(g.Quota), QuotaPeriod: g.QuotaPeriod,
		RateCalls: g.RateCalls, RateRows: g.RateRows, ValidFrom: g.ValidFrom, ValidTo: g.ValidTo, State: string(g.State),
		StateReason: g.StateReason, TermsVersion: g.TermsVersion, Standing: g.Standing, RowVersion: g.RowVersion,
		CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt,
	}
}

func (r grantRow) grant() Grant {
	return Grant{
		ID: r.ID, RequestID: r.RequestID, ClientID: r.ClientID, ConsumerDeptID: r.ConsumerDeptID,
		ProviderDeptID: r.ProviderDeptID, ResourceID: r.ResourceID, ResourceVersion: r.ResourceVersion,
		ShareType: catalog.ShareType(r.ShareType), Grade: catalog.Grade(r.Grade), Items: r.Items, RowFilter: r.RowFilter,
		Masks: r.Masks, Lookup: r.Lookup, ShareMethods: methods(r.ShareMethods), Purpose: r.Purpose,
		PurposeText: r.PurposeText, CaseRequired: r.CaseRequired, Quota: given(r.Quota), QuotaPeriod: r.QuotaPeriod,
		RateCalls: r.RateCalls, RateRows: r.RateRows, ValidFrom: r.ValidFrom.UTC(), ValidTo: r.ValidTo.UTC(),
		State: GrantState(r.State), StateReason: r.StateReason, TermsVersion: r.TermsVersion, Standing: r.Standing,
		RowVersion: r.RowVersion, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// columnsOf returns the columns of a row struct and its values, in the order of its fields.
func columnsOf(row any) (names []string, values []any) {
	v := reflect.ValueOf(row)
	for i := range v.NumField() {
		names = append(names, v.Type().Field(i).Tag.Get("db"))
		values = append(values, v.Field(i).Interface())
	}
	return names, values
}

// insertRow adds a row in the caller's transaction.
func insertRow(ctx context.Context, tx *db.Tx, table string, row any) error {
	names, values := columnsOf(row)
	params := make([]string, len(names))
	for i := range params {
		params[i] = fmt.Sprintf("$%d", i+1)
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(params, ", ")+")", values...)
	if err != nil {
		return fmt.Errorf("inserting into %s: %w", table, err)
	}
	return nil
}

// updateRequest writes a request back if it is still in the state and version it was read in.
func updateRequest(ctx context.Context, tx *db.Tx, r Request, from RequestState, version int64) error {
	names, values := columnsOf(newRequestRow(r))
	sets := make([]string, 0, len(names))
	for i, name := range names {
		if name != "id" {
			sets = append(sets, fmt.Sprintf("%s = $%d", name, i+1))
		}
	}
	values = append(values, string(from), version)
	tag, err := tx.Exec(ctx, fmt.Sprintf("UPDATE sharing_request SET %s WHERE id = $1 AND state = $%d AND row_version = $%d",
		strings.Join(sets, ", "), len(values)-1, len(values)), values...)
	if err != nil {
		return fmt.Errorf("updating a request: %w", err)
	}
	return one(tag.RowsAffected())
}

// one says that somebody else was first when not exactly one row was changed.
func one(rows int64) error {
	if rows != 1 {
		return fault.New(fault.Conflict, "try_again", "somebody else changed this at the same time; read it again")
	}
	return nil
}

// loadRequest reads one request; lock is "" or "FOR UPDATE". It is NotFound where there is none.
func loadRequest(ctx context.Context, q db.Querier, id uuid.UUID, lock string) (Request, error) {
	all, err := loadRequests(ctx, q, "SELECT * FROM sharing_request WHERE id = $1 "+lock, id)
	if err != nil {
		return Request{}, err
	}
	if len(all) == 0 {
		return Request{}, notFound("request")
	}
	return all[0], nil
}

// loadRequests reads whole rows of sharing_request that a query selects, with their names.
func loadRequests(ctx context.Context, q db.Querier, sql string, args ...any) ([]Request, error) {
	rows, err := q.Query(ctx, withNames("", sql), args...)
	if err != nil {
		return nil, fmt.Errorf("reading requests: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[namedRequest])
	if err != nil {
		return nil, fmt.Errorf("reading requests: %w", err)
	}
	out := make([]Request, len(found))
	for i, n := range found {
		r := n.request()
		r.ClientName, r.ConsumerName, r.ProviderName, r.ResourceName = n.ClientName, n.ConsumerName, n.ProviderName, n.ResourceName
		out[i] = r
	}
	return out, nil
}

// loadGrants reads whole rows of sharing_grant that a query selects, with their names and with who suspended them.
func loadGrants(ctx context.Context, q db.Querier, sql string, args ...any) ([]Grant, error) {
	rows, err := q.Query(ctx, withNames(`coalesce(CASE WHEN t.state = 'suspended' THEN (
		SELECT side FROM grant_step WHERE grant_id = t.id AND action = 'suspend' ORDER BY at DESC, id DESC LIMIT 1) END, '') AS suspended_side, `, sql), args...)
	if err != nil {
		return nil, fmt.Errorf("reading grants: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[namedGrant])
	if err != nil {
		return nil, fmt.Errorf("reading grants: %w", err)
	}
	out := make([]Grant, len(found))
	for i, n := range found {
		out[i] = n.grant()
	}
	return out, nil
}

// loadGrantRows reads grants with their sealed keys, for the hub's own work.
func loadGrantRows(ctx context.Context, q db.Querier, sql string, args ...any) ([]grantRow, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading grants: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[grantRow])
	if err != nil {
		return nil, fmt.Errorf("reading grants: %w", err)
	}
	return found, nil
}

// loadGrant reads one grant; lock is "" or "FOR UPDATE". It is NotFound where there is none.
func loadGrant(ctx context.Context, q db.Querier, id uuid.UUID, lock string) (Grant, error) {
	all, err := loadGrants(ctx, q, "SELECT * FROM sharing_grant WHERE id = $1 "+lock, id)
	if err != nil {
		return Grant{}, err
	}
	if len(all) == 0 {
		return Grant{}, notFound("grant")
	}
	return all[0], nil
}

func notFound(what string) error {
	return fault.New(fault.NotFound, "not_found", "there is no such %s, or it is not yours to see", what)
}

// optional returns nil, for SQL NULL, in place of a zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func given[T any](v *T) T {
	var zero T
	if v == nil {
		return zero
	}
	return *v
}

func notNil(numbers []int) []int {
	if numbers == nil {
		return []int{}
	}
	return numbers
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func methodTexts(m []catalog.ShareMethod) []string {
	out := make([]string, len(m))
	for i, x := range m {
		out[i] = string(x)
	}
	return out
}

func methods(texts []string) []catalog.ShareMethod {
	out := make([]catalog.ShareMethod, len(texts))
	for i, x := range texts {
		out[i] = catalog.ShareMethod(x)
	}
	return out
}

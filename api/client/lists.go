package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Filter narrows a list, by the names of the contract: {"state": "active"}. Empty values do not narrow.
type Filter map[string]string

func (f Filter) path(path string) string {
	v := url.Values{}
	for name, value := range f {
		if value != "" {
			v.Set(name, value)
		}
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// EachEntry iterates over a search of the directory.
func (c *Client) EachEntry(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return Each[Entry](ctx, c, f.path("/resources"))
}

// EachRequest iterates over sharing requests, newest first.
func (c *Client) EachRequest(ctx context.Context, f Filter) iter.Seq2[Request, error] {
	return Each[Request](ctx, c, f.path("/requests"))
}

// EachGrant iterates over grants, newest first.
func (c *Client) EachGrant(ctx context.Context, f Filter) iter.Seq2[Grant, error] {
	return Each[Grant](ctx, c, f.path("/grants"))
}

// EachTask iterates over tasks.
func (c *Client) EachTask(ctx context.Context, f Filter) iter.Seq2[Task, error] {
	return Each[Task](ctx, c, f.path("/tasks"))
}

// EachRun iterates over runs, newest first.
func (c *Client) EachRun(ctx context.Context, f Filter) iter.Seq2[Run, error] {
	return Each[Run](ctx, c, f.path("/runs"))
}

// EachSource iterates over the sources of a department.
func (c *Client) EachSource(ctx context.Context, f Filter) iter.Seq2[Source, error] {
	return Each[Source](ctx, c, f.path("/sources"))
}

// EachSystem iterates over information systems.
func (c *Client) EachSystem(ctx context.Context, f Filter) iter.Seq2[System, error] {
	return Each[System](ctx, c, f.path("/systems"))
}

// EachEvent iterates over evidence, newest first.
func (c *Client) EachEvent(ctx context.Context, f Filter) iter.Seq2[Event, error] {
	return Each[Event](ctx, c, f.path("/audit/events"))
}

// EachUsage iterates over disclosures, newest first.
func (c *Client) EachUsage(ctx context.Context, f Filter) iter.Seq2[Usage, error] {
	return Each[Usage](ctx, c, f.path("/audit/usage"))
}

// Facets counts the entries that a search finds.
func (c *Client) Facets(ctx context.Context, f Filter) (Facets, error) {
	return fetch[Facets](ctx, c, http.MethodGet, f.path("/resources/facets"), nil)
}

// Suggestions returns what somebody may mean who has typed the beginning of a search.
func (c *Client) Suggestions(ctx context.Context, text string) ([]Completion, error) {
	return All[Completion](ctx, c, Filter{"q": text}.path("/resources/suggestions"))
}

// Versions lists the versions of an entry.
func (c *Client) Versions(ctx context.Context, resource string) ([]Version, error) {
	return All[Version](ctx, c, "/resources/"+resource+"/versions")
}

// Version returns an entry as one of its versions.
func (c *Client) Version(ctx context.Context, resource string, number int) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodGet, "/resources/"+resource+"/versions/"+strconv.Itoa(number), nil)
}

// DiscardDraft removes the draft of an entry.
func (c *Client) DiscardDraft(ctx context.Context, resource string, changes ...Change) error {
	return c.Call(ctx, http.MethodDelete, "/resources/"+resource+"/draft", nil, nil, changes...)
}

// ResourceHistory lists the steps of an entry's reviews.
func (c *Client) ResourceHistory(ctx context.Context, resource string) ([]HistoryEntry, error) {
	return All[HistoryEntry](ctx, c, "/resources/"+resource+"/history")
}

// ReviewOf returns what stands against the newest version of an entry.
func (c *Client) ReviewOf(ctx context.Context, resource string) (Review, error) {
	return fetch[Review](ctx, c, http.MethodGet, "/resources/"+resource+"/review", nil)
}

// TakeOffline hides an entry on its provider's request.
func (c *Client) TakeOffline(ctx context.Context, resource, why string, r OfflineRequest, changes ...Change) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodPost, "/resources/"+resource+"/take-offline", map[string]any{"reason": why, "request": r}, changes...)
}

// FreshnessOf says how current the rows of an entry are.
func (c *Client) FreshnessOf(ctx context.Context, resource string) (Freshness, error) {
	return fetch[Freshness](ctx, c, http.MethodGet, "/resources/"+resource+"/freshness", nil)
}

// ResourceReconciliations lists the comparisons of an entry, newest first.
func (c *Client) ResourceReconciliations(ctx context.Context, resource string) ([]Reconciliation, error) {
	return All[Reconciliation](ctx, c, "/resources/"+resource+"/reconciliations")
}

// Mount returns one mount.
func (c *Client) Mount(ctx context.Context, id string) (Mount, error) {
	return fetch[Mount](ctx, c, http.MethodGet, "/mounts/"+id, nil)
}

// EditMount changes a mount that is not in use.
func (c *Client) EditMount(ctx context.Context, id string, m MountInput, changes ...Change) (Mount, error) {
	return fetch[Mount](ctx, c, http.MethodPut, "/mounts/"+id, m, changes...)
}

// MoveMount takes one step that needs no reason: activate or resume.
func (c *Client) MoveMount(ctx context.Context, id, step string, changes ...Change) (Mount, error) {
	return fetch[Mount](ctx, c, http.MethodPost, "/mounts/"+id+"/"+step, nil, changes...)
}

// MoveMountFor takes one step that needs a reason: reject, suspend or remove.
func (c *Client) MoveMountFor(ctx context.Context, id, step, why string, changes ...Change) (Mount, error) {
	return fetch[Mount](ctx, c, http.MethodPost, "/mounts/"+id+"/"+step, reason{why}, changes...)
}

// Source returns one source, without secrets.
func (c *Client) Source(ctx context.Context, id string) (Source, error) {
	return fetch[Source](ctx, c, http.MethodGet, "/sources/"+id, nil)
}

// EditSource changes a source; secrets left out stay.
func (c *Client) EditSource(ctx context.Context, id string, s SourceInput, changes ...Change) (Source, error) {
	return fetch[Source](ctx, c, http.MethodPut, "/sources/"+id, s, changes...)
}

// EditRequest replaces the terms of a draft.
func (c *Client) EditRequest(ctx context.Context, id string, t Terms, changes ...Change) (Request, error) {
	return fetch[Request](ctx, c, http.MethodPut, "/requests/"+id+"/draft", t, changes...)
}

// Extend extends the limit of the reply by working days.
func (c *Client) Extend(ctx context.Context, id string, days int, why string, changes ...Change) (Request, error) {
	return fetch[Request](ctx, c, http.MethodPost, "/requests/"+id+"/extend", map[string]any{"days": days, "reason": why}, changes...)
}

// RequestHistory lists what was done to a request.
func (c *Client) RequestHistory(ctx context.Context, id string) ([]RequestEntry, error) {
	return All[RequestEntry](ctx, c, "/requests/"+id+"/history")
}

// RefusalCodes lists the codes that a request can be refused with.
func (c *Client) RefusalCodes(ctx context.Context) ([]string, error) {
	return All[string](ctx, c, "/requests/refusal-codes")
}

// GrantHistory lists what was done to a grant.
func (c *Client) GrantHistory(ctx context.Context, id string) ([]GrantEntry, error) {
	return All[GrantEntry](ctx, c, "/grants/"+id+"/history")
}

// Task returns one task.
func (c *Client) Task(ctx context.Context, id string) (Task, error) {
	return fetch[Task](ctx, c, http.MethodGet, "/tasks/"+id, nil)
}

// MoveTask takes one step: enable, pause or disable.
func (c *Client) MoveTask(ctx context.Context, id, step string, changes ...Change) (Task, error) {
	return fetch[Task](ctx, c, http.MethodPost, "/tasks/"+id+"/"+step, nil, changes...)
}

// Repair queues a run that mends what a comparison found.
func (c *Client) Repair(ctx context.Context, task string, changes ...Change) (Run, error) {
	return create[Run](ctx, c, "/tasks/"+task+"/repair", nil, changes...)
}

// CancelRun stops a run before its merge.
func (c *Client) CancelRun(ctx context.Context, id string) (Run, error) {
	return fetch[Run](ctx, c, http.MethodPost, "/runs/"+id+"/cancel", nil)
}

// ConfirmDeletes queues a run that may delete what this one was refused to.
func (c *Client) ConfirmDeletes(ctx context.Context, id string, changes ...Change) (Run, error) {
	return create[Run](ctx, c, "/runs/"+id+"/confirm", nil, changes...)
}

// RejectsOf lists the rows that a run refused.
func (c *Client) RejectsOf(ctx context.Context, run string) ([]Reject, error) {
	return All[Reject](ctx, c, "/runs/"+run+"/rejects")
}

// RejectRow returns a refused row itself, for its provider.
func (c *Client) RejectRow(ctx context.Context, id string) (RejectRow, error) {
	return fetch[RejectRow](ctx, c, http.MethodGet, "/rejects/"+id+"/row", nil)
}

// Schedule returns one schedule.
func (c *Client) Schedule(ctx context.Context, id string) (Schedule, error) {
	return fetch[Schedule](ctx, c, http.MethodGet, "/schedules/"+id, nil)
}

// MoveSchedule takes one step: pause or resume.
func (c *Client) MoveSchedule(ctx context.Context, id, step string, changes ...Change) (Schedule, error) {
	return fetch[Schedule](ctx, c, http.MethodPost, "/schedules/"+id+"/"+step, nil, changes...)
}

// Department returns one department.
func (c *Client) Department(ctx context.Context, id string) (Department, error) {
	return fetch[Department](ctx, c, http.MethodGet, "/departments/"+id, nil)
}

// System returns one information system.
func (c *Client) System(ctx context.Context, id string) (System, error) {
	return fetch[System](ctx, c, http.MethodGet, "/systems/"+id, nil)
}

// EditSystem changes an information system.
func (c *Client) EditSystem(ctx context.Context, id, name, state string, changes ...Change) (System, error) {
	return fetch[System](ctx, c, http.MethodPut, "/systems/"+id, map[string]string{"name": name, "state": state}, changes...)
}

// BaseDatabase returns one base or theme database.
func (c *Client) BaseDatabase(ctx context.Context, code string) (BaseDatabase, error) {
	return fetch[BaseDatabase](ctx, c, http.MethodGet, "/base-databases/"+url.PathEscape(code), nil)
}

// CreateThemeDatabase adds and registers a theme database.
func (c *Client) CreateThemeDatabase(ctx context.Context, d ThemeDatabase, changes ...Change) (BaseDatabase, error) {
	return create[BaseDatabase](ctx, c, "/base-databases", d, changes...)
}

// ConsumingSystem returns one client.
func (c *Client) ConsumingSystem(ctx context.Context, id string) (ConsumingSystem, error) {
	return fetch[ConsumingSystem](ctx, c, http.MethodGet, "/clients/"+id, nil)
}

// User returns one account.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	return fetch[User](ctx, c, http.MethodGet, "/users/"+id, nil)
}

// EnableUser opens a closed account.
func (c *Client) EnableUser(ctx context.Context, id string, changes ...Change) (User, error) {
	return fetch[User](ctx, c, http.MethodPost, "/users/"+id+"/enable", nil, changes...)
}

// TryRules says who would gain and who would lose by changes of the rules, as JSON.
func (c *Client) TryRules(ctx context.Context, changes RuleChanges) (Raw, error) {
	return fetch[Raw](ctx, c, http.MethodPost, "/policy/rules/dry-run", changes)
}

// Event returns one event.
func (c *Client) Event(ctx context.Context, id string) (Event, error) {
	return fetch[Event](ctx, c, http.MethodGet, "/audit/events/"+id, nil)
}

// NewestCheckpoint returns the newest signed head of the log.
func (c *Client) NewestCheckpoint(ctx context.Context) (Checkpoint, error) {
	return fetch[Checkpoint](ctx, c, http.MethodGet, "/audit/checkpoint", nil)
}

// ProofOf returns the proof that an event is in the log.
func (c *Client) ProofOf(ctx context.Context, leaf int64) (Proof, error) {
	return fetch[Proof](ctx, c, http.MethodGet, "/audit/proof/"+strconv.FormatInt(leaf, 10), nil)
}

// Retention lists how long what is kept, and what was removed.
func (c *Client) Retention(ctx context.Context) ([]RetentionLine, error) {
	return All[RetentionLine](ctx, c, "/retention")
}

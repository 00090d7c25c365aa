package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// reason is the body of changes that need one.
type reason struct {
	Reason string `json:"reason"`
}

// Templates lists the templates to compile from.
func (c *Client) Templates(ctx context.Context) ([]Template, error) {
	return All[Template](ctx, c, "/templates")
}

// Search lists published entries whose text matches; "" lists all.
func (c *Client) Search(ctx context.Context, text string) ([]Entry, error) {
	return All[Entry](ctx, c, "/resources?q="+url.QueryEscape(text))
}

// Dump writes every entry that the caller may read to w, one JSON object (a Resource) a line. An early end is an error that matches
// ErrTruncated; what was written by then is not the whole.
func (c *Client) Dump(ctx context.Context, w io.Writer) error {
	return c.download(ctx, "/resources.jsonl", w)
}

// download writes what a route answers with to w.
func (c *Client) download(ctx context.Context, path string, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		return newProblem(resp, raw)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	return nil
}

// CreateResource compiles a draft; template may be "".
func (c *Client) CreateResource(ctx context.Context, template string, m Metadata, changes ...Change) (Resource, error) {
	path := "/resources"
	if template != "" {
		path += "?template=" + url.QueryEscape(template)
	}
	return create[Resource](ctx, c, path, m, changes...)
}

// Resource returns one entry.
func (c *Client) Resource(ctx context.Context, id string) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodGet, "/resources/"+id, nil)
}

// EditDraft replaces what a draft states.
func (c *Client) EditDraft(ctx context.Context, id string, m Metadata, changes ...Change) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodPut, "/resources/"+id+"/draft", m, changes...)
}

// SubmitResource submits an entry and says until which day (YYYY-MM-DD) the published version is served beside the new one.
func (c *Client) SubmitResource(ctx context.Context, id, oldUntil string, changes ...Change) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodPost, "/resources/"+id+"/submit", map[string]string{"old_until": oldUntil}, changes...)
}

// MoveResource takes one step that needs no reason: submit, recall, approve, publish, republish or versions.
func (c *Client) MoveResource(ctx context.Context, id, step string, changes ...Change) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodPost, "/resources/"+id+"/"+step, nil, changes...)
}

// MoveResourceFor takes one step that needs a reason: return-dept, return, revoke or withdraw-consent.
func (c *Client) MoveResourceFor(ctx context.Context, id, step, why string, changes ...Change) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodPost, "/resources/"+id+"/"+step, reason{why}, changes...)
}

// RecordConsent records the provider's standing consent.
func (c *Client) RecordConsent(ctx context.Context, id, by, date, document string, changes ...Change) (Resource, error) {
	return fetch[Resource](ctx, c, http.MethodPut, "/resources/"+id+"/consent",
		map[string]string{"by": by, "date": date, "document": document}, changes...)
}

// CreateSource registers a connection of the caller's department.
func (c *Client) CreateSource(ctx context.Context, s SourceInput, changes ...Change) (Source, error) {
	return create[Source](ctx, c, "/sources", s, changes...)
}

// Probe connects to a source and says what answers.
func (c *Client) Probe(ctx context.Context, source string) (ProbeResult, error) {
	return fetch[ProbeResult](ctx, c, http.MethodPost, "/sources/"+source+"/probe", nil)
}

// Table is an object of a source that can be mounted.
type Table struct {
	Object        string `json:"object"`
	Schema        string `json:"schema"`
	Name          string `json:"name"`
	Kind          string `json:"kind"`
	EstimatedRows int64  `json:"estimated_rows"`
	Comment       string `json:"comment"`
}

// Tables lists what a source holds.
func (c *Client) Tables(ctx context.Context, source string) ([]Table, error) {
	return All[Table](ctx, c, "/sources/"+source+"/tables")
}

// Column is a column of an object of a source.
type Column struct {
	Name       string `json:"name"`
	NativeType string `json:"native_type"`
	Kind       string `json:"kind"`
	Length     int    `json:"length"`
	Scale      int    `json:"scale"`
	Nullable   bool   `json:"nullable"`
	IsKey      bool   `json:"is_key"`
	Comment    string `json:"comment"`
}

// SourceSchema is what an object of a source looks like.
type SourceSchema struct {
	Columns []Column `json:"columns"`
	Key     []string `json:"key"`

	Unique [][]string `json:"unique,omitempty"` // Columns of every unique key, Key first.
}

// Describe returns columns and key of one object.
func (c *Client) Describe(ctx context.Context, source, object string) (SourceSchema, error) {
	return fetch[SourceSchema](ctx, c, http.MethodGet, "/sources/"+source+"/describe?object="+url.QueryEscape(object), nil)
}

// CreateMount binds the items of a resource to an object of a source.
func (c *Client) CreateMount(ctx context.Context, resource string, m MountInput, changes ...Change) (Mount, error) {
	return create[Mount](ctx, c, "/resources/"+resource+"/mounts", m, changes...)
}

// Mounts lists the mounts of a resource, the newest first.
func (c *Client) Mounts(ctx context.Context, resource string) (List[Mount], error) {
	return fetch[List[Mount]](ctx, c, http.MethodGet, "/resources/"+resource+"/mounts", nil)
}

// CheckMount compares a mount with the live schema and submits it when nothing blocks.
func (c *Client) CheckMount(ctx context.Context, mount string, changes ...Change) (MountReport, error) {
	return fetch[MountReport](ctx, c, http.MethodPost, "/mounts/"+mount+"/check", nil, changes...)
}

// ActivateMount puts a submitted mount in use.
func (c *Client) ActivateMount(ctx context.Context, mount string, changes ...Change) (Mount, error) {
	return fetch[Mount](ctx, c, http.MethodPost, "/mounts/"+mount+"/activate", nil, changes...)
}

// CreateTask makes a task.
func (c *Client) CreateTask(ctx context.Context, t NewTask, changes ...Change) (Task, error) {
	return create[Task](ctx, c, "/tasks", t, changes...)
}

// EditTask changes what a task reads and how urgent it is.
func (c *Client) EditTask(ctx context.Context, task string, in TaskInput, changes ...Change) (Task, error) {
	return fetch[Task](ctx, c, http.MethodPut, "/tasks/"+task, in, changes...)
}

// WaiveReject says that a refused row need not be corrected.
func (c *Client) WaiveReject(ctx context.Context, reject, reason string, changes ...Change) (Reject, error) {
	return fetch[Reject](ctx, c, http.MethodPost, "/rejects/"+reject+"/waive", map[string]string{"reason": reason}, changes...)
}

// RunNow queues a collect.
func (c *Client) RunNow(ctx context.Context, task string, changes ...Change) (Run, error) {
	return create[Run](ctx, c, "/tasks/"+task+"/runs", nil, changes...)
}

// Reconcile queues a comparison with a fresh read of the source.
func (c *Client) Reconcile(ctx context.Context, task string, changes ...Change) (Run, error) {
	return create[Run](ctx, c, "/tasks/"+task+"/reconcile", nil, changes...)
}

// Run returns one run.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	return fetch[Run](ctx, c, http.MethodGet, "/runs/"+id, nil)
}

// Runs lists the runs of a task, newest first.
func (c *Client) Runs(ctx context.Context, task string) (List[Run], error) {
	return fetch[List[Run]](ctx, c, http.MethodGet, "/runs?task_id="+task, nil)
}

// Rejects lists the refused rows of a resource; state may be "".
func (c *Client) Rejects(ctx context.Context, resource, state string) ([]Reject, error) {
	path := "/resources/" + resource + "/rejects?limit=500"
	if state != "" {
		path += "&state=" + state
	}
	return All[Reject](ctx, c, path)
}

// Reconciliations lists the comparisons a run made, newest first.
func (c *Client) Reconciliations(ctx context.Context, run string) (List[Reconciliation], error) {
	return fetch[List[Reconciliation]](ctx, c, http.MethodGet, "/runs/"+run+"/reconciliation", nil)
}

// CreateSchedule lets a task run by itself.
func (c *Client) CreateSchedule(ctx context.Context, s NewSchedule, changes ...Change) (Schedule, error) {
	return create[Schedule](ctx, c, "/schedules", s, changes...)
}

// EditSchedule replaces text, zone and policies of a schedule.
func (c *Client) EditSchedule(ctx context.Context, id string, s NewSchedule, changes ...Change) (Schedule, error) {
	return fetch[Schedule](ctx, c, http.MethodPut, "/schedules/"+id, s, changes...)
}

// Schedules lists the schedules of a task.
func (c *Client) Schedules(ctx context.Context, task string) ([]Schedule, error) {
	return All[Schedule](ctx, c, "/schedules?task_id="+task)
}

// Fires lists what became of a schedule's due times, newest first.
func (c *Client) Fires(ctx context.Context, schedule string, limit int) (List[Fire], error) {
	return fetch[List[Fire]](ctx, c, http.MethodGet, "/schedules/"+schedule+"/fires?limit="+strconv.Itoa(limit), nil)
}

// Raw is a JSON value as it is.
type Raw = json.RawMessage

package console

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// requestRow is a request in a list.
type requestRow struct {
	ID                           uuid.UUID
	Resource, Consumer, Provider string
	Items                        int
	State                        sharing.RequestState
	CreatedAt                    time.Time
	DueAt                        *time.Time
	Overdue                      bool
	Clock                        clock
}

func (n *names) request(q sharing.Request) requestRow {
	row := requestRow{
		ID: q.ID, Resource: q.ResourceName, Consumer: n.called(q.ConsumerDeptID.String(), q.ConsumerName),
		Provider: n.called(q.ProviderDeptID.String(), q.ProviderName), Items: len(q.Items), State: q.State, CreatedAt: q.CreatedAt, DueAt: q.DueAt,
	}
	waits := q.State == sharing.RequestPendingAcceptance || q.State == sharing.RequestInReview
	row.Overdue = waits && q.DueAt != nil && n.v.Clock().After(*q.DueAt)
	row.Clock = n.v.clock(q.DueAt, q.State)
	return row
}

func (n *names) requests(all []sharing.Request) []requestRow {
	rows := make([]requestRow, 0, len(all))
	for _, q := range all {
		rows = append(rows, n.request(q))
	}
	return rows
}

func oneField(name, code string) error {
	return fault.InvalidFields([]fault.Field{{Name: name, Code: code, Message: code}})
}

// rowVersion is the version of the thing that the form was drawn with, so that nobody decides on what changed meanwhile.
func (v *visit) rowVersion() int64 {
	n, _ := strconv.ParseInt(v.field("row_version"), 10, 64)
	return n
}

// short is enough of an id to tell two apart on one page.
func short(id string) string {
	if at := strings.LastIndexByte(id, '-'); at >= 0 && len(id) == 36 {
		return id[at+1:]
	}
	return id
}

// more is the address of the next page of a list, "" after the last.
func more(path, cursor string) string {
	if cursor == "" {
		return ""
	}
	return path + "?cursor=" + cursor
}

// sharingResource names the resource version that terms speak of.
type sharingResource struct {
	ResourceID uuid.UUID
	Version    int
}

package console

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
)

// sleepingPage lists published entries without data or use.
type sleepingPage struct {
	Rows        []sleepingRow
	More, Sheet string
	All         bool // Of all departments.
	Whys        []option
	Departments []option
}

type sleepingRow struct {
	catalog.SleepingEntry
	Mend string // Key of the sentence that says what to do.
}

func (c *console) showSleeping(v *visit) error {
	ctx := v.r.Context()
	department, _ := uuid.Parse(v.query("department"))
	filter := catalog.SleepingFilter{DepartmentID: department, Why: catalog.Sleep(v.query("why"))}
	names := v.names()
	if v.asSheet() {
		return v.sheet("sleeping-entries", []string{"sleeping.code", "sleeping.name", "sleeping.department", "sleeping.why", "sleeping.since", "truth.cycle", "truth.mounted", "truth.rows", "truth.arrived", "truth.grants", "truth.score"}, func(cursor string) ([][]string, string, error) {
			some, next, err := v.Catalog.SleepingEntries(ctx, v.principal, filter, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, e := range some {
				rows = append(rows, []string{
					e.Code, e.Name, names.called(e.DepartmentID.String(), e.Department), v.word("sleep", e.Why), v.formats.day(e.Since), v.word("update_cycle", e.UpdateCycle),
					v.word("yes", strconv.FormatBool(e.Mounted)), strconv.FormatInt(e.Rows, 10), v.formats.moment(e.ArrivedAt), strconv.Itoa(e.Grants), strconv.Itoa(e.Score),
				})
			}
			return rows, next, err
		})
	}
	some, next, err := v.Catalog.SleepingEntries(ctx, v.principal, filter, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page := sleepingPage{
		More: v.onward(next), Sheet: v.sheetAddress(), All: v.may(authz.ResourceReadDraft, authz.Target{Kind: "resource"}),
		Whys: chosen(choices(v, "sleep", catalog.Sleeps()), string(filter.Why)),
	}
	if page.All {
		departments, err := v.allDepartments()
		if err != nil {
			return err
		}
		page.Departments = chosen(departments, department.String())
	}
	for _, e := range some {
		e.Department = names.called(e.DepartmentID.String(), e.Department)
		page.Rows = append(page.Rows, sleepingRow{e, "sleeping.mend_" + string(e.Why)})
	}
	return v.show("sleeping", "sleeping.title", page)
}

// sleepingTile is how many entries sleep that the reader answers for, as a word: counts end at a thousand.
func (v *visit) sleepingTile() (shown bool, n int, said string) {
	if !v.mayOwn(authz.ResourceApprove) && !v.mayOwn(authz.ResourcePublish) {
		return false, 0, ""
	}
	n, err := v.Catalog.CountSleeping(v.r.Context(), v.principal)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "counting sleeping entries", "error", err)
		return false, 0, ""
	}
	if n > catalog.MostCounted {
		return true, n, v.say("sleeping.more_than", "n", count(catalog.MostCounted))
	}
	return true, n, count(n)
}

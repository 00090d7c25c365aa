package console

import (
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// inboxPage is what happened to the requests, grants and entries of the reader's department.
type inboxPage struct {
	Tabs   []tab
	Rows   []noticeRow
	Unread int
	Until  string // What the reader has before their eyes; later things stay unread.
	More   string
	Table  string
}

type noticeRow struct {
	sharing.Notice
	Key, Icon, Href string
}

// noticeIcons say at a glance what sort of thing happened; those that are not named are news.
var noticeIcons = map[sharing.NoticeEvent]string{
	"approve": "circle-check", "grant_standing": "circle-check", "refuse": "ban", "return": "rotate", "return_dept": "rotate",
	"supplement": "edit", "suspend": "player-pause", "resume": "player-play", "terminate": "player-stop", "revoke": "ban",
	"expire": "hourglass", "expiring": "hourglass", "take_offline": "player-stop", "withdraw": "x", "extend": "clock", "publish": "versions", "change": "versions",
}

func (v *visit) notices(page db.Page) ([]noticeRow, string, error) {
	all, next, err := v.Sharing.Notices(v.r.Context(), v.principal, page)
	if err != nil {
		return nil, "", err
	}
	rows := make([]noticeRow, 0, len(all))
	for _, n := range all {
		row := noticeRow{Notice: n, Key: "notice." + n.Kind + "_" + string(n.Event), Icon: noticeIcons[n.Event], Href: prefix + "/" + n.Kind + "s/" + n.ID.String()}
		if n.Side == sharing.ProviderSide && v.has(row.Key+"_provider") {
			row.Key += "_provider"
		}
		if row.Icon == "" {
			row.Icon = "message"
		}
		if n.Kind == "resource" && !n.Readable {
			row.Href = ""
		}
		if n.Reason == sharing.RestoredReason {
			row.Reason = v.say("notice.restored")
		}
		rows = append(rows, row)
	}
	return rows, next, nil
}

func (c *console) showInbox(v *visit) error {
	if v.asSheet() {
		return v.sheet("inbox", []string{"desk.when", "desk.what", "request.resource", "act.reason"}, func(cursor string) ([][]string, string, error) {
			rows, next, err := v.notices(db.Page{Limit: db.MaxPage, Cursor: cursor})
			var cells [][]string
			for _, r := range rows {
				cells = append(cells, []string{v.formats.second(r.At), v.say(r.Key, "resource", r.Resource), r.Resource, r.Reason})
			}
			return cells, next, err
		})
	}
	rows, next, err := v.notices(db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page := inboxPage{Tabs: v.deskTabs("inbox"), Rows: rows, Unread: v.unread(), More: v.after(next), Table: v.sheetAddress()}
	if len(rows) > 0 && v.query("cursor") == "" {
		page.Until = rows[0].At.Format(time.RFC3339Nano)
	}
	return v.show("inbox", "desk.inbox", page)
}

// markRead says that the reader has read what the page showed.
func (c *console) markRead(v *visit) error {
	until, err := time.Parse(time.RFC3339Nano, v.field("until"))
	if err != nil {
		return notFound()
	}
	if err := v.Sharing.MarkNoticesRead(v.r.Context(), v.principal, until); err != nil {
		return err
	}
	return v.to(prefix+"/inbox", "")
}

// unread is the number on the menu. A menu is no reason to refuse a page, so a failure shows none.
func (v *visit) unread() int {
	n, err := v.Sharing.CountUnread(v.r.Context(), v.principal)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "counting notices", "error", err)
	}
	return n
}

package console

import (
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/sharing"
)

// todoPage is what waits for the reader, by what is to be done. Groups that the reader has no part in are left out.
type todoPage struct {
	Total  int64
	Groups []todoGroup
}

type todoGroup struct {
	Step, Key string
	Count     int64
	Rows      []requestRow
}

func (c *console) showTodo(v *visit) error {
	todo, err := v.Sharing.Todo(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	page := todoPage{Total: todo.Total()}
	names := v.names()
	for _, g := range []struct {
		step   string
		action authz.Action
		list   sharing.TodoList
	}{
		{"sign", authz.RequestSign, todo.Sign},
		{"accept", authz.RequestAccept, todo.Accept},
		{"decide", authz.RequestApprove, todo.Decide},
		{"supplement", authz.RequestSubmit, todo.Supplement},
	} {
		if g.list.Count == 0 && !v.may(g.action, v.own("request")) {
			continue
		}
		page.Groups = append(page.Groups, todoGroup{
			Step: g.step, Key: "todo." + g.step, Count: g.list.Count, Rows: names.requests(g.list.Requests),
		})
	}
	return v.show("todo", "todo.title", page)
}

// waiting is the number on the menu. A menu is no reason to refuse a page, so a failure shows none.
func (v *visit) waiting() int {
	todo, err := v.Sharing.Todo(v.r.Context(), v.principal)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "counting what waits", "error", err)
		return 0
	}
	return int(todo.Total())
}

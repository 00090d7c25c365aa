package console

import (
	"slices"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
)

// navGroup is one part of the menu, without the entries that the reader may not open.
type navGroup struct {
	Key     string
	Entries []navItem
}

type navItem struct {
	Key, Href, Icon string
	Active          bool
	Count           int
}

// menuEntry is one page of the menu. It is there for readers who may do one of its actions in their own department; no actions
// mean everybody.
type menuEntry struct {
	group, name, path, icon string
	actions                 []authz.Action
	under                   []string         // Other paths, without the prefix, whose pages belong to this entry.
	count                   func(*visit) int // How much waits there; nil means nothing ever does.
}

// menu lists every page of the menu in its order.
func menu() []menuEntry {
	return []menuEntry{
		{group: "catalogue", name: "home", path: "/home", icon: "home"},
		{group: "catalogue", name: "directory", path: "/resources", icon: "database"},
		{group: "catalogue", name: "compile", path: "/compile", icon: "file-plus", actions: []authz.Action{authz.ResourceCompile, authz.ResourceApprove, authz.ResourcePublish}},
		{group: "catalogue", name: "imports", path: "/imports", icon: "file-spreadsheet", actions: []authz.Action{authz.ResourceCompile, authz.ResourceApprove, authz.ResourcePublish}},
		{group: "catalogue", name: "changes", path: "/changes", icon: "clock", actions: []authz.Action{authz.ResourceReadDraft}},
		{group: "catalogue", name: "base_databases", path: "/base-databases", icon: "layout-grid", actions: []authz.Action{authz.BaseDatabaseRead}},
		{group: "catalogue", name: "systems", path: "/systems", icon: "server", actions: []authz.Action{authz.SystemWrite, authz.ResourcePublish}},
		{group: "catalogue", name: "code_tables", path: "/code-tables", icon: "list-details", actions: []authz.Action{authz.CodeTableRead}},
		{group: "catalogue", name: "calendar", path: "/calendar", icon: "clock", actions: []authz.Action{authz.CalendarRead}},
		{group: "catalogue", name: "data_elements", path: "/data-elements", icon: "category", actions: []authz.Action{authz.DataElementRead}, under: []string{"/element-sources", "/duties"}, count: (*visit).openClaims},
		{group: "catalogue", name: "sleeping", path: "/sleeping", icon: "clock", actions: []authz.Action{authz.ResourceReadDraft}},
		{group: "sharing", name: "todo", path: "/todo", icon: "checks", actions: []authz.Action{authz.RequestRead}, count: (*visit).waiting},
		{group: "sharing", name: "inbox", path: "/inbox", icon: "inbox", actions: []authz.Action{authz.RequestRead}, count: (*visit).unread},
		{group: "sharing", name: "cart", path: "/cart", icon: "shopping-cart", actions: []authz.Action{authz.RequestCreate}, count: (*visit).laidAside},
		{group: "sharing", name: "requests", path: "/requests", icon: "file-text", actions: []authz.Action{authz.RequestRead}},
		{group: "sharing", name: "grants", path: "/grants", icon: "key", actions: []authz.Action{authz.GrantRead}},
		{group: "exchange", name: "sources", path: "/sources", icon: "plug", actions: []authz.Action{authz.SourceRead}},
		{group: "exchange", name: "mounts", path: "/mounts", icon: "columns", actions: []authz.Action{authz.SourceRead}},
		{group: "exchange", name: "tasks", path: "/tasks", icon: "transfer", actions: []authz.Action{authz.TaskRead}, under: []string{"/schedules", "/rejects"}},
		{group: "exchange", name: "runs", path: "/runs", icon: "history", actions: []authz.Action{authz.TaskRead}},
		{group: "admin", name: "people", path: "/people", icon: "users", actions: []authz.Action{authz.UserRead}},
		{group: "admin", name: "departments", path: "/departments", icon: "sitemap", actions: []authz.Action{authz.DepartmentRead}},
		{group: "admin", name: "clients", path: "/clients", icon: "server", actions: []authz.Action{authz.ClientRead}},
		{group: "admin", name: "rules", path: "/rules", icon: "gavel", actions: []authz.Action{authz.PolicyRead}},
		{group: "oversight", name: "alarms", path: "/alarms", icon: "alert-triangle", actions: []authz.Action{authz.AlarmRead}, count: (*visit).alarms},
		{group: "oversight", name: "audit", path: "/audit", icon: "shield-check", actions: []authz.Action{authz.AuditRead}},
		{group: "oversight", name: "evidence", path: "/evidence", icon: "clipboard-check", actions: []authz.Action{authz.AuditRead}},
		{group: "oversight", name: "access", path: "/access", icon: "eye", actions: []authz.Action{authz.AccessRead}},
		{group: "oversight", name: "health", path: "/health", icon: "activity", actions: []authz.Action{authz.NodeRead}},
		{group: "oversight", name: "retention", path: "/retention", icon: "hourglass", actions: []authz.Action{authz.RetentionRead}},
	}
}

// nav is the menu as the reader sees it.
func (v *visit) nav() []navGroup {
	var groups []navGroup
	for _, e := range menu() {
		if len(e.actions) > 0 && !slices.ContainsFunc(e.actions, v.mayOwn) {
			continue
		}
		item := navItem{Key: "nav." + e.name, Href: prefix + e.path, Icon: e.icon}
		for _, path := range append([]string{e.path}, e.under...) {
			at := prefix + path
			item.Active = item.Active || v.r.URL.Path == at || strings.HasPrefix(v.r.URL.Path, at+"/")
		}
		if e.count != nil {
			item.Count = e.count(v)
		}
		if len(groups) == 0 || groups[len(groups)-1].Key != "nav_group."+e.group {
			groups = append(groups, navGroup{Key: "nav_group." + e.group})
		}
		last := &groups[len(groups)-1]
		last.Entries = append(last.Entries, item)
	}
	return groups
}

// mayOwn says whether the reader may do something in the own department. The kind of the target is the action's.
func (v *visit) mayOwn(a authz.Action) bool {
	kind, _, _ := strings.Cut(string(a), ".")
	return v.may(a, v.own(kind))
}

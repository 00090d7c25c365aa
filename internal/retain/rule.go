package retain

import (
	"slices"
	"time"
)

// Kind names a kind of thing that the hub keeps for a time.
type Kind string

// The kinds. What is in no kind stays: events of the log with their tree, grants and requests, the directory.
const (
	Usage          Kind = "usage"           // Records of disclosure.
	Runs           Kind = "runs"            // Finished runs with steps, counts and errors.
	Fires          Kind = "fires"           // The ledger of due times.
	Reconciliation Kind = "reconciliations" // Comparisons of both ends.
	Sessions       Kind = "sessions"        // Sessions of people that are over.
	RejectedRows   Kind = "rejected_rows"   // Sealed rows of rejects that were corrected.
	Rejects        Kind = "rejects"         // Rejects that were corrected: key and reasons.
	ChangeLog      Kind = "change_log"      // Deletes and filter exits, for cursors of changes.
	Layouts        Kind = "layouts"         // Rows in a shape that was replaced.
	Staging        Kind = "staging"         // What runs staged.
	Answers        Kind = "answers"         // Answers to repeatable writes, by Idempotency-Key.
	RevokedRows    Kind = "revoked_rows"    // Rows, rejects and staging of resources that were revoked.
	GrantKeys      Kind = "grant_keys"      // The keys of _rid of grants that are over.
	Exports        Kind = "exports"         // Orders of files whose file is gone.
)

// Law says what a period rests on.
type Law string

// The bases of periods.
const (
	Order809      Law = "order_809_29"      // 政务数据共享条例 第二十九条: usage records at least 3 years; 网络数据安全管理条例 第十二条 says the same of provision records.
	Cybersecurity Law = "cybersecurity_law" // 网络安全法 (2016 第二十一条第三项): network logs at least 6 months.
	Own           Law = "own"               // A choice of this project; no law names a period.
)

// Text names the basis in English.
func (l Law) Text() string {
	switch l {
	case Order809:
		return "Order 809 Art 29, at least three years"
	case Cybersecurity:
		return "Cybersecurity Law, at least six months"
	}
	return "a choice of this project"
}

// TextZH names the basis in Chinese.
func (l Law) TextZH() string {
	switch l {
	case Order809:
		return "《政务数据共享条例》第二十九条，不少于三年"
	case Cybersecurity:
		return "《网络安全法》，不少于六个月"
	}
	return "本项目自定"
}

// The periods that the law asks for, in days: the longest that the words can mean.
const (
	ThreeYears = 1096 // Three years with one leap day.
	SixMonths  = 184  // The longest six months (July to December, or March to August).
)

// Rule says how long one kind is kept.
type Rule struct {
	Kind    Kind
	Days    int    // Kept for so many days where no setting says otherwise.
	Least   int    // The setting may not be shorter.
	Fixed   bool   // There is no setting: Days is all there is.
	Basis   Law    // Of Least.
	Months  bool   // Whole months are dropped, so the last one stays up to a month longer.
	Since   string // From when the days count.
	SinceZH string
	What    string // What is removed, in English.
	WhatZH  string
	How     string // How it is removed.
	HowZH   string
}

// rules is the table.
var rules = [...]Rule{
	{
		Kind: Usage, Days: ThreeYears, Least: ThreeYears, Basis: Order809, Months: true,
		Since: "disclosure", SinceZH: "提供之时",
		What: "Records of disclosure", WhatZH: "数据提供（使用）记录",
		How:   "whole months are dropped; the event usage.purge says which and how many records, and verification goes by it",
		HowZH: "按整月删除；usage.purge 事件写明月份与条数，校验时据此处理",
	},
	{
		Kind: Runs, Days: 366, Least: SixMonths, Basis: Cybersecurity, Months: true,
		Since: "end of the run", SinceZH: "运行结束",
		What: "Finished runs with counts and errors", WhatZH: "已结束的运行及其计数与错误",
		How: "whole months of run_history are dropped", HowZH: "按整月删除 run_history",
	},
	{
		Kind: Fires, Days: 366, Least: SixMonths, Basis: Cybersecurity,
		Since: "due time", SinceZH: "应触发之时",
		What: "Ledger of due times of schedules", WhatZH: "调度触发台账",
		How: "rows are deleted; the newest of each schedule stays", HowZH: "逐批删除，每个调度的最新一条保留",
	},
	{
		Kind: Reconciliation, Days: 366, Least: SixMonths, Basis: Cybersecurity,
		Since: "comparison", SinceZH: "对账之时",
		What: "Comparisons of both ends with masked samples of differences", WhatZH: "对账结果及脱敏的差异样例",
		How: "rows are deleted; the newest of each resource stays", HowZH: "逐批删除，每项资源的最新一条保留",
	},
	{
		Kind: Sessions, Days: SixMonths, Least: SixMonths, Basis: Cybersecurity,
		Since: "end of the session", SinceZH: "会话结束",
		What: "Sessions of people that are over, with their addresses", WhatZH: "已结束的人员会话及其地址",
		How: "rows are deleted; the events of sign-ins stay", HowZH: "逐批删除；登录事件保留",
	},
	{
		Kind: RejectedRows, Days: 7, Least: 1, Basis: Own,
		Since: "correction", SinceZH: "更正之时",
		What: "Sealed rows of rejects that were corrected", WhatZH: "已更正的拒收行的密封原始行",
		How: "the sealed row is erased; key and reasons stay", HowZH: "清除密封的原始行；主键与原因保留",
	},
	{
		Kind: Rejects, Days: SixMonths, Least: 30, Basis: Own,
		Since: "correction", SinceZH: "更正之时",
		What: "Rejects that were corrected: key and reasons", WhatZH: "已更正的拒收行：主键与原因",
		How: "rows are deleted; open and waived ones stay, since they hold rows", HowZH: "逐批删除；未处理和已豁免的保留，因其仍影响入库",
	},
	{
		Kind: ChangeLog, Days: 90, Least: 7, Basis: Own,
		Since: "commit of the change", SinceZH: "变更提交",
		What: "Log of deletes and filter exits, for cursors of changes", WhatZH: "删除与移出筛选范围的变更日志，供增量游标使用",
		How: "rows are deleted with min_seq in one transaction; older cursors answer cursor_expired", HowZH: "与 min_seq 在同一事务中删除；更早的游标返回 cursor_expired",
	},
	{
		Kind: Layouts, Days: 1, Least: 1, Basis: Own,
		Since: "replacement, or the end of an old version that is served from it", SinceZH: "被替换之时（仍供旧版本读取的，为旧版本停止服务之时）",
		What: "Rows in a shape that was replaced", WhatZH: "已被替换的表结构中的数据行",
		How: "the tables are dropped", HowZH: "删除数据表",
	},
	{
		Kind: Staging, Days: 0, Fixed: true, Basis: Own,
		Since: "end of the run", SinceZH: "运行结束",
		What: "Rows that runs staged", WhatZH: "运行过程中的暂存行",
		How: "dropped by the run itself; what a dead one left, within the hour", HowZH: "由运行自身删除；中断遗留的在一小时内删除",
	},
	{
		Kind: Exports, Days: SixMonths, Least: SixMonths, Basis: Cybersecurity,
		Since: "end of the order", SinceZH: "导出结束",
		What: "Orders of files whose file is gone", WhatZH: "文件已不存在的导出记录",
		How:   "rows are deleted; the file and its key went before, by export-keep or with the right to it",
		HowZH: "逐批删除；文件及其密钥此前已按 export-keep 或随权利终止而销毁",
	},
	{
		Kind: Answers, Days: 1, Fixed: true, Basis: Own,
		Since: "answer", SinceZH: "应答之时",
		What: "Answers to repeatable writes, by Idempotency-Key", WhatZH: "可重复写入请求的应答（按 Idempotency-Key）",
		How: "rows are deleted", HowZH: "逐批删除",
	},
	{
		Kind: RevokedRows, Days: 30, Least: 1, Basis: Own,
		Since: "revocation of the resource", SinceZH: "资源撤销",
		What: "Rows, change log, rejects and staging of revoked resources", WhatZH: "已撤销资源的数据行、变更日志、拒收行与暂存行",
		How:   "the tables are dropped; the audit log names the counts",
		HowZH: "删除数据表；审计日志写明数量",
	},
	{
		Kind: GrantKeys, Days: 90, Least: 1, Basis: Own,
		Since: "end of the grant", SinceZH: "授权终止",
		What: "Keys of the row identifiers (_rid) of grants that are over", WhatZH: "已结束授权的行标识（_rid）密钥",
		How:   "the key is erased: row identifiers can no longer be computed; the audit log says so",
		HowZH: "清除密钥，行标识不再可计算；审计日志记录此事",
	},
}

// Rules returns the table, in the order of the documentation.
func Rules() []Rule { return slices.Clone(rules[:]) }

// Find returns the rule of a kind; false where there is none.
func Find(k Kind) (Rule, bool) {
	for _, r := range rules {
		if r.Kind == k {
			return r, true
		}
	}
	return Rule{}, false
}

// Most is the longest setting, in days: a hundred years.
const Most = 36_500

// Days holds the settings in force by kind; a kind that it lacks is kept as its rule says. Nothing is ever kept for less than the rule
// allows, whatever stands here.
type Days map[Kind]int

// Of returns how many days a kind is kept.
func (d Days) Of(k Kind) int {
	r, _ := Find(k)
	days, set := d[k]
	if !set || r.Fixed {
		return r.Days
	}
	return max(days, r.Least)
}

// Period is Of as a duration.
func (d Days) Period(k Kind) time.Duration { return time.Duration(d.Of(k)) * 24 * time.Hour }

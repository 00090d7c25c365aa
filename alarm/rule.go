package alarm

import (
	"fmt"
	"slices"
)

// Rule is one thing that can be wrong.
type Rule struct {
	Key       string   `json:"key"`
	Severity  Severity `json:"severity"`  // Of its alarms; the rule itself may raise it when things get worse.
	Threshold float64  `json:"threshold"` // In Unit.
	Unit      string   `json:"unit"`      // s, min, h, d, GiB, times, or "" for a rule without a threshold.
	EN        string   `json:"en"`        // What is wrong, in English.
	ZH        string   `json:"zh"`        // The same in Chinese.
	AdviceEN  string   `json:"advice_en"` // What to do.
	AdviceZH  string   `json:"advice_zh"`

	min, max float64 // Of the threshold.
	// query finds what is wrong now: kind and id of the object, whose matter it is, how many steps to raise the severity, and
	// facts for people. $1 is the threshold, where there is one.
	query string
}

// lastRuns are the newest finished collects and deliveries of each live task, up to a number of them, wherever finished runs are
// kept: f has id, state, code and n, which counts from the newest. What somebody cancelled says nothing.
const lastRuns = `
	FROM task t JOIN resource r ON r.id = t.resource_id CROSS JOIN LATERAL (
		SELECT f.id, f.state, coalesce(f.error->>'code', '') AS code, row_number() OVER (ORDER BY f.queued_at DESC, f.id DESC) AS n
		FROM (
			(SELECT id, state, error, queued_at FROM run
				WHERE task_id = t.id AND kind <> 'reconcile' AND state IN ('succeeded', 'partial', 'failed') ORDER BY queued_at DESC, id DESC LIMIT %[1]d)
			UNION ALL
			(SELECT id, state, error, queued_at FROM run_history
				WHERE task_id = t.id AND kind <> 'reconcile' AND state IN ('succeeded', 'partial', 'failed') ORDER BY queued_at DESC, id DESC LIMIT %[1]d)
		) f ORDER BY f.queued_at DESC, f.id DESC LIMIT %[1]d) f
	WHERE t.state = 'enabled'`

// ofTask is the object, department and facts of a rule about a task.
const ofTask = `'task' AS kind, t.id::text AS id, r.provider_dept_id AS department`

// The codes of failures that have rules of their own.
const (
	guardCode  = "'delete_guard'"
	driftCodes = "'schema_changed', 'source_column_missing', 'source_object_missing'"
)

func last(n int) string { return fmt.Sprintf(lastRuns, n) }

// Rules returns every rule with its defaults, in the order of the documentation.
func Rules() []Rule {
	return []Rule{
		{
			Key: "schedule_overdue", Severity: Critical, Threshold: 60, Unit: "s", min: 10, max: 86400,
			EN: "A schedule should have fired and did not", ZH: "调度逾期未触发",
			AdviceEN: "No scheduler is working: look at the nodes with the role all or worker.",
			AdviceZH: "没有调度器在工作：请检查职责为 all 或 worker 的节点。",
			query: `
				SELECT 'schedule' AS kind, s.id::text AS id, r.provider_dept_id AS department, 0 AS steps,
					jsonb_build_object('resource', r.name, 'due_at', s.next_at) AS detail
				FROM schedule s JOIN task t ON t.id = s.task_id JOIN resource r ON r.id = t.resource_id
				WHERE s.state = 'enabled' AND s.next_at < clock_timestamp() - make_interval(secs => $1::float8)`,
		},
		{
			Key: "schedule_parked", Severity: Warning,
			EN: "A schedule was put aside because it could not be fired", ZH: "调度无法触发，已搁置",
			AdviceEN: "Correct it and resume it; the error stands in its ledger.", AdviceZH: "请更正后恢复；错误见其触发记录。",
			query: `
				SELECT 'schedule' AS kind, s.id::text AS id, r.provider_dept_id AS department, 0 AS steps,
					jsonb_build_object('resource', r.name) AS detail
				FROM schedule s JOIN task t ON t.id = s.task_id JOIN resource r ON r.id = t.resource_id
				WHERE s.state = 'parked'`,
		},
		{
			Key: "run_failed", Severity: Warning, Threshold: 1, Unit: "times", min: 1, max: 20,
			EN: "The runs of a task fail", ZH: "任务运行连续失败",
			AdviceEN: "The run names the stage, the side and what to do; the last good data stay served.",
			AdviceZH: "运行记录写明了环节、责任方和处理办法；此前的数据仍可使用。",
			query: `
				SELECT ` + ofTask + `, 0 AS steps,
					jsonb_build_object('resource', r.name, 'run', (array_agg(f.id ORDER BY f.n))[1], 'code', (array_agg(f.code ORDER BY f.n))[1]) AS detail` +
				last(20) + ` AND f.n <= $1::float8 GROUP BY t.id, r.id
				HAVING count(*) >= $1::float8 AND bool_and(f.state = 'failed')
					AND (array_agg(f.code ORDER BY f.n))[1] NOT IN (` + guardCode + `, ` + driftCodes + `)`,
		},
		{
			Key: "run_differs", Severity: Warning,
			EN: "After a run the hub and its source differ", ZH: "运行后平台与数据源不一致",
			AdviceEN: "Look at the comparison of the run and repair it.", AdviceZH: "请查看该次运行的对账结果并修复。",
			query: `
				SELECT ` + ofTask + `, 0 AS steps, jsonb_build_object('resource', r.name, 'run', f.id) AS detail` +
				last(1) + ` AND f.state = 'partial'`,
		},
		{
			Key: "delete_guard", Severity: Warning,
			EN: "A run waits for somebody to confirm its deletes", ZH: "运行待确认删除",
			AdviceEN: "See whether the source really lost these rows; then confirm the run, or have the source mended.",
			AdviceZH: "请核实来源是否确已删除这些数据；属实则确认，否则请部门修复来源。",
			query: `
				SELECT 'run' AS kind, f.id::text AS id, r.provider_dept_id AS department, 0 AS steps,
					jsonb_build_object('resource', r.name) AS detail` +
				last(1) + ` AND f.state = 'failed' AND f.code = ` + guardCode + ``,
		},
		{
			Key: "source_drift", Severity: Warning,
			EN: "A source is no longer what was mounted", ZH: "数据源结构与挂接不符",
			AdviceEN: "Describe the source again and mend the mount.", AdviceZH: "请重新读取来源结构并修改挂接。",
			query: `
				SELECT ` + ofTask + `, 0 AS steps, jsonb_build_object('resource', r.name, 'run', f.id, 'code', f.code) AS detail` +
				last(1) + ` AND f.state = 'failed' AND f.code IN (` + driftCodes + `)`,
		},
		{
			Key: "mount_blocked", Severity: Warning,
			EN: "A published resource is no longer fed: its mount is suspended", ZH: "已发布资源的挂接已暂停，数据不再更新",
			AdviceEN: "The mount's note says why; mend it and resume.", AdviceZH: "原因见挂接说明；处理后请恢复。",
			query: `
				SELECT 'mount' AS kind, m.id::text AS id, r.provider_dept_id AS department, 0 AS steps, jsonb_build_object('resource', r.name) AS detail
				FROM mount m JOIN resource r ON r.id = m.resource_id
				WHERE m.state = 'suspended' AND r.state = 'published'
					AND NOT EXISTS (SELECT FROM mount o WHERE o.resource_id = r.id AND o.state = 'active')
					AND NOT EXISTS (SELECT FROM mount o WHERE o.resource_id = r.id AND o.state = 'suspended' AND (o.updated_at, o.id) > (m.updated_at, m.id))`,
		},
		{
			Key: "disk_low", Severity: Warning, Threshold: 5, Unit: "GiB", min: 0.1, max: 10000,
			EN: "The data folder of a node is running out of space", ZH: "节点数据目录空间不足",
			AdviceEN: "Free or add space; at a fifth of the limit this is critical.", AdviceZH: "请清理或扩容；低于界限五分之一时为严重。",
			query: `
				SELECT 'node' AS kind, p.node_id::text AS id, NULL::uuid AS department,
					CASE WHEN p.disk_free < $1::float8 * 1073741824 / 5 THEN 1 ELSE 0 END AS steps,
					jsonb_build_object('node', coalesce(n.address, ''), 'free_gib', round(p.disk_free / 1073741824.0, 1)) AS detail
				FROM node_report p LEFT JOIN node n ON n.node_id = p.node_id
				WHERE p.disk_free < $1::float8 * 1073741824 AND p.at > clock_timestamp() - interval '2 minutes'`,
		},
		{
			Key: "key_expiring", Severity: Info, Threshold: 30, Unit: "d", min: 1, max: 366,
			EN: "A key of a consuming system is about to end", ZH: "应用系统密钥即将到期",
			AdviceEN: "Issue a new key and have the system use it. A warning from 7 days, critical on the last.",
			AdviceZH: "请签发新密钥并由应用系统启用。到期前 7 日升为警告，最后 1 日升为严重。",
			// A key that is being replaced by a later one which is already in use is nobody's worry.
			query: `
				SELECT 'key' AS kind, k.key_id AS id, c.department_id AS department,
					CASE WHEN k.expires_at <= clock_timestamp() + interval '1 day' THEN 2
						WHEN k.expires_at <= clock_timestamp() + interval '7 days' THEN 1 ELSE 0 END AS steps,
					jsonb_build_object('client', c.name, 'expires_at', k.expires_at) AS detail
				FROM client_key k JOIN client c ON c.id = k.client_id
				WHERE k.revoked_at IS NULL AND c.state = 'active' AND k.expires_at > clock_timestamp()
					AND k.expires_at <= clock_timestamp() + $1::float8 * interval '1 day'
					AND NOT EXISTS (SELECT FROM client_key o WHERE o.client_id = k.client_id AND o.revoked_at IS NULL AND o.expires_at > k.expires_at
						AND o.last_used_at > coalesce(k.last_used_at, '-infinity'))`,
		},
		{
			Key: "sealer_late", Severity: Critical, Threshold: 30, Unit: "s", min: 5, max: 86400,
			EN: "Evidence waits to be sealed", ZH: "审计记录未及时封存",
			AdviceEN: "No node seals: look for \"sealing\" in the log of the nodes.", AdviceZH: "没有节点在封存：请在节点日志中查找 sealing。",
			query: `
				SELECT 'hub' AS kind, 'sealer' AS id, NULL::uuid AS department, 0 AS steps, jsonb_build_object('since', e.at) AS detail
				FROM (SELECT event_id FROM pending ORDER BY event_id LIMIT 1) p JOIN event e ON e.id = p.event_id
				WHERE e.at < clock_timestamp() - make_interval(secs => $1::float8)`,
		},
		{
			Key: "node_lost", Severity: Critical, Threshold: 30, Unit: "s", min: 10, max: 86400,
			EN: "A node fell silent without having been stopped", ZH: "节点失联",
			AdviceEN: "Its runs were taken over; start it again, or find out what became of the machine.",
			AdviceZH: "其运行已由其他节点接管；请重新启动该节点或检查其主机。",
			query: `
				SELECT 'node' AS kind, n.node_id::text AS id, NULL::uuid AS department, 0 AS steps,
					jsonb_build_object('node', n.address, 'role', n.role, 'seen_at', n.seen_at) AS detail
				FROM node n WHERE n.seen_at < clock_timestamp() - make_interval(secs => $1::float8)`,
		},
		{
			Key: "policy_lapses", Severity: Warning, Threshold: 3, Unit: "times", min: 1, max: 1000,
			EN: "The policy lease of a node lapses often", ZH: "节点的策略租约频繁失效",
			AdviceEN: "Within the last hour it could not confirm its policy in time: look at the database's load and the network.",
			AdviceZH: "一小时内多次未能及时确认策略：请检查数据库负载与网络。",
			query: `
				SELECT 'node' AS kind, p.node_id::text AS id, NULL::uuid AS department, 0 AS steps,
					jsonb_build_object('node', coalesce(n.address, ''), 'lapses', p.lapses) AS detail
				FROM node_report p LEFT JOIN node n ON n.node_id = p.node_id
				WHERE p.lapses >= $1::float8 AND p.at > clock_timestamp() - interval '2 minutes'`,
		},
		{
			Key: "request_overdue", Severity: Warning, Threshold: 0, Unit: "h", min: 0, max: 720,
			EN: "A sharing request was not answered in time", ZH: "共享申请逾期未答复",
			AdviceEN: "The period of Order 809, Art 21 has passed: accept, decide or extend.",
			AdviceZH: "已超过第 809 号令第二十一条规定的期限：请受理、答复或延期。",
			// Before it is accepted the authority is late, afterwards the provider.
			query: `
				SELECT 'request' AS kind, q.id::text AS id, CASE WHEN q.state = 'in_review' THEN q.provider_dept_id END AS department, 0 AS steps,
					jsonb_build_object('resource', r.name, 'due_at', q.due_at, 'state', q.state) AS detail
				FROM sharing_request q JOIN resource r ON r.id = q.resource_id
				WHERE q.state IN ('pending_acceptance', 'in_review') AND q.due_at < clock_timestamp() - $1::float8 * interval '1 hour'`,
		},
		{
			Key: "grant_ending", Severity: Info, Threshold: 30, Unit: "d", min: 1, max: 366,
			EN: "A grant is about to end", ZH: "共享授权即将到期",
			AdviceEN: "Apply again in time if the data are still needed. A warning from 7 days.",
			AdviceZH: "如仍需使用请及时重新申请。到期前 7 日升为警告。",
			query: `
				SELECT 'grant' AS kind, g.id::text AS id, g.consumer_dept_id AS department,
					CASE WHEN g.valid_to <= clock_timestamp() + interval '7 days' THEN 1 ELSE 0 END AS steps,
					jsonb_build_object('resource', r.name, 'client', c.name, 'valid_to', g.valid_to) AS detail
				FROM sharing_grant g JOIN resource r ON r.id = g.resource_id JOIN client c ON c.id = g.client_id
				WHERE g.state IN ('active', 'suspended') AND g.valid_to > clock_timestamp() AND g.valid_to <= clock_timestamp() + $1::float8 * interval '1 day'
					AND NOT EXISTS (SELECT FROM sharing_grant o WHERE o.client_id = g.client_id AND o.resource_id = g.resource_id AND o.purpose = g.purpose
						AND o.state IN ('active', 'pending_delivery') AND o.valid_to > g.valid_to)`,
		},
		{
			Key: "calendar_missing", Severity: Info, Threshold: 61, Unit: "d", min: 1, max: 366,
			EN: "The days off of next year are not known", ZH: "下一年度放假安排尚未导入",
			AdviceEN: "Import the State Council's announcement on the page of working days; until then terms that reach into that year are provisional. A warning in the last 15 days of the year.",
			AdviceZH: "国务院办公厅公布后，请在“工作日历”页面导入；此前跨年度的期限为暂定。年末 15 日内升为警告。",
			// 61 days before the year ends is 1 November.
			query: `
				SELECT 'calendar' AS kind, extract(year FROM n.ends)::text AS id, NULL::uuid AS department,
					CASE WHEN n.ends - n.today <= 15 THEN 1 ELSE 0 END AS steps, jsonb_build_object('year', extract(year FROM n.ends)) AS detail
				FROM (SELECT today, (date_trunc('year', today) + interval '1 year')::date AS ends
					FROM (SELECT (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date AS today) t) n
				WHERE n.ends - n.today <= $1::float8
					AND NOT EXISTS (SELECT FROM calendar_year y WHERE y.year = extract(year FROM n.ends)::int AND y.announced)`,
		},
		{
			Key: "channel_failing", Severity: Warning, Threshold: 60, Unit: "min", min: 1, max: 1440,
			EN: "Messages about alarms do not arrive", ZH: "告警消息未能送达",
			AdviceEN: "The channel's deliveries say why; test it after mending.", AdviceZH: "原因见该通道的发送记录；处理后请测试。",
			query: `
				SELECT 'channel' AS kind, c.id::text AS id, c.department_id AS department, 0 AS steps, jsonb_build_object('channel', c.name) AS detail
				FROM alarm_channel c
				WHERE c.state = 'enabled' AND EXISTS (SELECT FROM alarm_delivery d WHERE d.channel_id = c.id AND d.state <> 'sent'
						AND d.created_at < clock_timestamp() - $1::float8 * interval '1 minute' AND d.created_at > clock_timestamp() - interval '3 days'
						AND NOT EXISTS (SELECT FROM alarm_delivery o WHERE o.channel_id = c.id AND o.state = 'sent' AND o.ended_at > d.created_at))`,
		},
	}
}

// RuleKeys returns the key of every rule once.
func RuleKeys() []string {
	var keys []string
	for _, r := range Rules() {
		keys = append(keys, r.Key)
	}
	return keys
}

// FindRule returns the rule of a key with its defaults.
func FindRule(key string) (Rule, bool) {
	all := Rules()
	i := slices.IndexFunc(all, func(r Rule) bool { return r.Key == key })
	if i < 0 {
		return Rule{}, false
	}
	return all[i], true
}

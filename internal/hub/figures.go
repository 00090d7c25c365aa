package hub

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures collects what the database knows when Prometheus asks. Every node reports the same figures of the cluster, but
// for the policy lease, which is its own.
type figures struct {
	p       *Program
	runs    *prometheus.Desc
	fires   *prometheus.Desc
	overdue *prometheus.Desc
	unseal  *prometheus.Desc
	lease   *prometheus.Desc
	applied *prometheus.Desc
	up      *prometheus.Desc
	alarms  *prometheus.Desc
	sent    *prometheus.Desc
	judged  *prometheus.Desc

	removed, retained, failing *prometheus.Desc
}

func newFigures(p *Program) *figures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("shuqiao_"+name, help, labels, nil)
	}
	return &figures{
		p:       p,
		runs:    desc("runs", "Runs by kind and state: what waits or is under way, and what finished since the last move into the history, or last of its task.", "kind", "state"),
		fires:   desc("fires", "Rows of the ledger of due times, by outcome.", "outcome"),
		overdue: desc("schedule_overdue_seconds", "Age of the oldest overdue schedule."),
		unseal:  desc("unsealed_event_seconds", "Age of the oldest event that waits to be sealed."),
		lease:   desc("policy_lease_age_seconds", "Time since the policy of this node was last confirmed to be current."),
		applied: desc("policy_applied", "Number of the newest policy change applied on this node."),
		up:      desc("database_up", "Whether the database answered this collection."),
		alarms:  desc("alarms", "Open alarms by rule and severity.", "rule", "severity"),
		sent:    desc("alarm_deliveries", "Messages about alarms of the last 30 days, by state.", "state"),
		judged:  desc("alarm_round_age_seconds", "Time since some node last judged the rules of alarms."),

		removed:  desc("retention_removed_total", "What was removed because its period is over, by kind.", "kind"),
		retained: desc("retention_run_age_seconds", "Time since a kind last had its turn to be removed.", "kind"),
		failing:  desc("retention_failing", "Whether the last turn of a kind failed.", "kind"),
	}
}

// Describe says what Collect sends.
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.runs, f.fires, f.overdue, f.unseal, f.lease, f.applied, f.up, f.alarms, f.sent, f.judged, f.removed, f.retained, f.failing} {
		ch <- d
	}
}

// Collect asks the database, for at most two seconds.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(f.lease, (leaseLength - f.p.Follower.LeaseLeft()).Seconds())
	gauge(f.applied, float64(f.p.Follower.Applied()))
	up := f.counts(ctx, `SELECT kind, state, count(*) FROM run GROUP BY 1, 2`, 2, func(labels []string, n float64) { gauge(f.runs, n, labels...) }) &&
		f.counts(ctx, `SELECT outcome, sum(due_count) FROM fire GROUP BY 1`, 1, func(labels []string, n float64) { gauge(f.fires, n, labels...) }) &&
		f.counts(ctx, `SELECT kind, total FROM retention`, 1, func(labels []string, n float64) {
			ch <- prometheus.MustNewConstMetric(f.removed, prometheus.CounterValue, n, labels...)
		}) &&
		f.counts(ctx, `SELECT kind, extract(epoch FROM clock_timestamp() - last_run_at)::float8 FROM retention WHERE last_run_at IS NOT NULL`, 1,
			func(labels []string, n float64) { gauge(f.retained, n, labels...) }) &&
		f.counts(ctx, `SELECT kind, (error <> '')::int FROM retention`, 1, func(labels []string, n float64) { gauge(f.failing, n, labels...) })
	if age, _, err := f.p.Exchange.OldestOverdue(ctx); err == nil {
		gauge(f.overdue, age.Seconds())
	}
	if age, err := f.p.sealer.Late(ctx); err == nil {
		gauge(f.unseal, age.Seconds())
	}
	if n, err := f.p.Alarm.Figures(ctx); err == nil {
		for _, a := range n.Open {
			gauge(f.alarms, float64(a.Count), a.Rule, string(a.Severity))
		}
		for _, d := range n.Deliveries {
			gauge(f.sent, float64(d.Count), string(d.State))
		}
		gauge(f.judged, n.Age.Seconds())
	}
	gauge(f.up, map[bool]float64{true: 1}[up])
}

// leaseLength is how long a policy lease lasts from the poll that set it (700 ms).
const leaseLength = 700 * time.Millisecond

func (f *figures) counts(ctx context.Context, query string, labels int, each func(labels []string, n float64)) bool {
	rows, err := f.p.DB.Pool.Query(ctx, query)
	if err != nil {
		return false
	}
	defer rows.Close()
	for rows.Next() {
		names := make([]string, labels)
		var n float64
		targets := make([]any, 0, labels+1)
		for i := range names {
			targets = append(targets, &names[i])
		}
		if err := rows.Scan(append(targets, &n)...); err != nil {
			return false
		}
		each(names, n)
	}
	return rows.Err() == nil
}

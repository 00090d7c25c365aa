package audit

import (
	"context"
	"testing"
	"time"
)

// How many usage records a second 16 concurrent callers get made durable.
func BenchmarkRecord(b *testing.B) {
	r := newRecorder(b, newDB(b))
	u := sampleUsage(ModeRow)
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Record(context.Background(), u); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// How fast a backlog of 100,000 events is sealed, and the sealed log verified.
func BenchmarkBacklog(b *testing.B) {
	const backlog = 100_000
	for b.Loop() {
		b.StopTimer()
		d := newDB(b)
		exec(b, d, `
			WITH e AS (
				INSERT INTO event (id, at, actor_kind, actor_id, action, object_kind, object_id, outcome, body)
				SELECT i.id, i.at, 'system', 'bench', 'bench.write', 'bench', '1', 'ok', convert_to(json_build_object('id', i.id, 'at',
					to_char(i.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'actor', json_build_object('kind', 'system', 'id', 'bench'),
					'action', 'bench.write', 'object', json_build_object('kind', 'bench', 'id', '1'), 'outcome', 'ok',
					'detail', json_build_object('text', repeat('x', 300)))::text, 'UTF8')
				FROM (SELECT gen_random_uuid() AS id, clock_timestamp() AS at FROM generate_series(1, $1)) i
				RETURNING id)
			INSERT INTO pending SELECT id FROM e`, backlog)
		b.StartTimer()
		began := time.Now()
		signer, key := newSigner(b)
		stop := start(b, Options{DB: d, Signer: signer})
		eventually(b, "the backlog is sealed", func() bool { return !value[bool](b, d, "SELECT EXISTS (SELECT FROM pending)") })
		stop()
		sealed := time.Since(began)
		report, err := Verify(b.Context(), d.Pool, VerifyOptions{VerifierKeys: []string{key}})
		if err != nil || !report.OK() || report.Leaves != backlog {
			b.Fatalf("got %+v, err %v", report, err)
		}
		b.ReportMetric(backlog/sealed.Seconds(), "sealed/s")
		b.ReportMetric(backlog/(time.Since(began)-sealed).Seconds(), "verified/s")
	}
}

// How long a lone caller waits for one record.
func BenchmarkRecordAlone(b *testing.B) {
	r := newRecorder(b, newDB(b))
	u := sampleUsage(ModeRow)
	for b.Loop() {
		if _, err := r.Record(b.Context(), u); err != nil {
			b.Fatal(err)
		}
	}
}

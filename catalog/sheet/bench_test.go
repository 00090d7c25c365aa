package sheet

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkImport imports 5,000 entries of 12 items: entries per second of the check and of the writing, after the file was read.
func BenchmarkImport(b *testing.B) {
	const n = 5000
	bundle := setup(b)
	book, err := newBook(fullHeaders())
	if err != nil {
		b.Fatal(err)
	}
	names, err := bundle.service.departments(bundle.ctx)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		e := entry{Key: fmt.Sprint(i), Metadata: small(fmt.Sprintf("示例资源%05d", i))}
		if err := book.row(Entries, cellsOf(entryColumns, &e, names), nil); err != nil {
			b.Fatal(err)
		}
		for k := range 12 {
			line := itemLine{Of: e.Key, Item: e.Items[k%3]}
			line.Name, line.Identifier = fmt.Sprintf("%s%d", line.Name, k), fmt.Sprintf("%s_%d", line.Identifier, k)
			if err := book.row(Items, cellsOf(itemColumns, &line, names), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	var file bytes.Buffer
	if err := book.finish(&file); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j, err := bundle.service.Receive(bundle.ctx, bundle.operator, "a.xlsx", AllRows, bytes.NewReader(file.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		claimed, err := scanJob(bundle.db.Pool.QueryRow(bundle.ctx, "UPDATE import_job SET state = 'checking', attempt = 1, seen_at = now() WHERE id = $1 RETURNING "+jobColumns, j.ID))
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if _, err := bundle.service.stage(bundle.ctx, claimed); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(n/time.Since(began).Seconds(), "parsed/s")
		began = time.Now()
		if err := bundle.service.check(bundle.ctx, claimed); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(n/time.Since(began).Seconds(), "parsed+checked/s")
		if j, err = bundle.service.Apply(bundle.ctx, bundle.operator, j.ID, 0); err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if j = bundle.work(b, bundle.operator, j.ID); j.State != Done || j.Applied != n {
			b.Fatalf("got %+v", j)
		}
		b.ReportMetric(n/time.Since(began).Seconds(), "applied/s")
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.HeapSys)/(1<<20), "MiB-heap")
	}
}

package city

import (
	"context"
	"testing"
)

// BenchmarkBuild fills all six databases at scale 1, two at a time.
func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dsn := sources(b)
		b.StartTimer()
		if _, err := Build(context.Background(), Options{Seed: 1}, dsn); err != nil {
			b.Fatal(err)
		}
	}
}

package pull_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/pull"
)

// benchItems are twelve items of usual types. The resource has them as its first twelve columns.
var benchItems = []string{
	"cert_no", "division_code", "full_name", "birth_date", "amount", "height", "children", "registered_at", "alive", "remark", "shape", "photo",
}

func benchRows(n int) map[string]person {
	rows := map[string]person{}
	for i := range n {
		rows[fmt.Sprintf("33060219000101%04d", i)] = person{
			"division_code": "330602", "full_name": "示例人名", "birth_date": "1990-02-28", "amount": fmt.Sprintf("%d.5", i), "height": "1.705",
			"children": fmt.Sprint(i % 5), "registered_at": "2026-02-13T10:30:00.5Z", "alive": "true", "remark": "示例省示例市示例路 1 号",
		}
	}
	return rows
}

func (b *bundle) benchGrant(t testing.TB) {
	b.grant(t, grantTerms{
		items: benchItems, lookup: []string{"cert_no"}, masks: map[string]string{"cert_no": "id_card", "full_name": "name"},
		filter: `{"op":"eq","item":"division_code","value":"330602"}`,
	})
}

// bare is what a handler without policy, masks, filter and evidence does: one statement, raw values into JSON.
func (b *bundle) bare(ctx context.Context, where string, arg any, limit int) ([]byte, error) {
	out := make([]byte, 0, 1<<18)
	out = append(out, `{"rows":[`...)
	rows, err := b.db.Pool.Query(ctx, "SELECT i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12 FROM "+b.table+" WHERE "+where+" ORDER BY _key LIMIT $2",
		pgx.QueryResultFormats{pgx.TextFormatCode}, arg, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		out = append(out, '{')
		for i, cell := range rows.RawValues() {
			out = append(append(append(out, '"'), benchItems[i]...), '"', ':')
			switch {
			case cell == nil:
				out = append(out, "null"...)
			case i == 5 || i == 6:
				out = append(out, cell...)
			default:
				out = append(append(append(out, '"'), cell...), '"')
			}
			out = append(out, ',')
		}
		out[len(out)-1] = '}'
		out = append(out, ',')
	}
	return append(out[:len(out)-1], "]}"...), rows.Err()
}

func (b *bundle) findTable(t testing.TB) {
	t.Helper()
	if err := b.db.Pool.QueryRow(context.Background(), "SELECT 'store.' || table_name FROM store.layout WHERE state = 'active'").Scan(&b.table); err != nil {
		t.Fatal(err)
	}
	b.exec(t, "VACUUM ANALYZE "+b.table)
}

func BenchmarkPage(b *testing.B) {
	h := setup(b)
	h.collect(b, benchRows(5000))
	h.benchGrant(b)
	h.findTable(b)
	b.Run("pull", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.first.pull.Rows(b.Context(), h.client, pull.RowsRequest{Call: h.call(), Limit: 1000}); err != nil {
				b.Fatal(err)
			}
		}
	})
	h.exec(b, "UPDATE sharing_grant SET state = 'terminated'")
	h.grant(b, grantTerms{items: benchItems, masks: map[string]string{"remark": "address", "full_name": "name"}})
	b.Run("pull with an address masked", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.first.pull.Rows(b.Context(), h.client, pull.RowsRequest{Call: h.call(), Limit: 1000}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.bare(b.Context(), "_key > $1", "", 1000); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRow(b *testing.B) {
	h := setup(b)
	h.collect(b, benchRows(5000))
	h.benchGrant(b)
	h.findTable(b)
	pullRow := func(b *testing.B) {
		if _, err := h.first.pull.Row(b.Context(), h.client, pull.RowRequest{Call: h.call(), Key: "330602190001010007"}); err != nil {
			b.Error(err)
		}
	}
	bareRow := func(b *testing.B) {
		if _, err := h.bare(b.Context(), "_key = $1", "330602190001010007", 1); err != nil {
			b.Error(err)
		}
	}
	for name, call := range map[string]func(*testing.B){"pull": pullRow, "bare": bareRow} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				call(b)
			}
		})
		b.Run(name+" by 16", func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					call(b)
				}
			})
		})
	}
}

package mask

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// benchValues is a value that each mask can read, by the mask's name; masks of every type take the number.
var benchValues = map[string]string{
	"name": "示例人名", "id_card": "33060219000101001X", "id_card_strict": "33060219000101001X", "mobile": "13800000001", "phone": "0575-80000001",
	"email": "example@example.org", "address": "示例省示例市示例区示例路 1 号 2 幢 301 室", "bank_card": "6222000000000000001", "mid": "E00000001",
	"text_scan": "联系 13800000001,证号 33060219000101001X,示例省示例市", "hash": "33060219000101001X", "full": "示例", "suppress": "示例",
	"date_year": "1990-02-28", "geo_round": "120.123456", "amount_round": "12345.67",
}

// Each mask over 1000 rows: read clear, read masked by SQL, and masked here after reading clear. The pull engine masks where
// it costs less (Mask.Here).
func BenchmarkMasks(b *testing.B) {
	conn := pgtest.Conn(b, pgtest.Empty(b))
	ctx := context.Background()
	for _, m := range Masks() {
		letter := m.Letters[0]
		if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT v::%s COLLATE \"C\" AS c FROM (SELECT $1::text AS v FROM generate_series(1, 1000)) t", "b_"+m.Name, "text"), benchValues[m.Name]); err != nil {
			b.Fatal(err)
		}
		if letter != 'C' {
			if _, err := conn.Exec(ctx, fmt.Sprintf("ALTER TABLE b_%s ALTER c TYPE %s USING c::%s", m.Name, sqlTypes[letter], sqlTypes[letter])); err != nil {
				b.Fatal(err)
			}
		}
		read := func(b *testing.B, expr string, each func(string)) {
			for b.Loop() {
				rows, err := conn.Query(ctx, "SELECT "+expr+" FROM b_"+m.Name, pgx.QueryResultFormats{pgx.TextFormatCode})
				if err != nil {
					b.Fatal(err)
				}
				for rows.Next() {
					if each != nil {
						each(string(rows.RawValues()[0]))
					}
				}
				if rows.Err() != nil {
					b.Fatal(rows.Err())
				}
			}
		}
		b.Run(m.Name+"/clear", func(b *testing.B) { read(b, "c", nil) })
		if expr, ok := m.SQL("c", letter); ok {
			b.Run(m.Name+"/sql", func(b *testing.B) { read(b, expr, nil) })
		}
		b.Run(m.Name+"/go", func(b *testing.B) { read(b, "c", func(v string) { m.Go(v, []byte("key")) }) })
	}
}

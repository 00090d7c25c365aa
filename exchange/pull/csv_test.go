package pull_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/exchange/pull"
)

// parseCSV reads records by a parser that is not ours.
func parseCSV(t testing.TB, text string) [][]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("the answer is no CSV: %v\n%s", err, text)
	}
	return records
}

// Rows as CSV have a header, every type in its form, NULL empty and empty text in quotes, and text exactly as it is stored,
// formulas of spreadsheets included; the cursors stand beside them.
func TestCSVRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := sampleRows()
	rows["A3"] = person{"division_code": "330602", "full_name": "", "remark": "=1+2, \"quoted\"\r\nnext"}
	b.collect(t, rows)
	b.grant(t, grantTerms{items: allButHidden, filter: `{"op":"eq","item":"division_code","value":"330602"}`})
	page, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 3, Format: pull.FormatCSV})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join(allButHidden, ",") + "\r\n" +
		`A1,330602,"示例人""一\` + "\n" + `",1990-02-28,1234567890.12,1.705,2,2026-02-14T04:30:00.5+08:00,true,行一` + "\t\x01" +
		`,"{""type"":""Point"",""coordinates"":[120.5,30]}",sha256:06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8` + "\r\n" +
		"A2,330602,,,,,,,,,,\r\n" +
		`A3,330602,"",,,,,,,"=1+2, ""quoted""` + "\r\n" + `next",,` + "\r\n"
	if diff := cmp.Diff(want, string(page.Body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if records := parseCSV(t, string(page.Body)); len(records) != 4 || page.Rows != 3 {
		t.Errorf("%d records, %d rows", len(records), page.Rows)
	}
	if page.NextCursor == "" || page.AsOf.IsZero() || page.Format.ContentType() != "text/csv; charset=utf-8; header=present" {
		t.Errorf("beside the rows: %+v", page)
	}
	// The cursor goes on in any format.
	if got, _ := b.rows(t, pull.RowsRequest{Cursor: page.NextCursor}); len(got.Rows) != 10 {
		t.Errorf("%d rows follow, want 10", len(got.Rows))
	}
}

// Changes as CSV name what happened and to which row, by key where it is clear and by _rid where it is masked.
func TestCSVChanges(t *testing.T) {
	t.Parallel()
	for _, masked := range []bool{false, true} {
		t.Run(fmt.Sprintf("masked key %t", masked), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.collect(t, sampleRows())
			terms := grantTerms{items: []string{"cert_no", "children"}}
			want := [][]string{{"_op", "_seq", "_key", "cert_no", "children"}, {"upsert", "23", "A1", "A1", "7"}, {"delete", "24", "A2", "", ""}}
			if masked {
				terms.masks = map[string]string{"cert_no": "mid"}
				want = [][]string{{"_op", "_seq", "_rid", "cert_no", "children"}, {"upsert", "23", ridOf("A1"), "**", "7"}, {"delete", "24", ridOf("A2"), "", ""}}
			}
			b.grant(t, terms)
			_, last := b.rows(t, pull.RowsRequest{})
			rows := sampleRows()
			rows["A1"]["children"] = "7"
			delete(rows, "A2")
			b.collect(t, rows)
			page, err := b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: last.ChangesCursor, Format: pull.FormatCSV})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, parseCSV(t, string(page.Body))); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if page.More == nil || *page.More || page.NextCursor == "" {
				t.Errorf("beside the changes: %+v", page)
			}
		})
	}
}

// A stream of CSV is the header and every row, whole rows to a chunk whatever ends of lines they hold; its digest covers
// all bytes and its record all rows.
func TestCSVStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := manyRows(2500)
	for key := range rows {
		rows[key]["remark"] = strings.Repeat("示\r\n", 20)
	}
	b.collect(t, rows)
	b.grant(t, grantTerms{items: []string{"cert_no", "remark"}})
	s := &sink{}
	end, err := b.first.pull.Stream(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Format: pull.FormatCSV}, s)
	if err != nil || end.Rows != 2500 || end.ChangesCursor == "" {
		t.Fatalf("the end: %+v, %v", end, err)
	}
	if got := parseCSV(t, s.data.String()); len(got) != 2501 || got[0][0] != "cert_no" || got[2500][0] != "K002499" {
		t.Errorf("%d records", len(got))
	}
	sum := sha256.Sum256(s.data.Bytes())
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"; end.Digest != want {
		t.Errorf("digest %s, want %s", end.Digest, want)
	}
	if u := b.usage(t); len(u) != 1 || u[0].Rows != 2500 || u[0].State != "done" {
		t.Errorf("usage %+v", u)
	}
}

// A stream of CSV that policy stops has no last line: what came is no whole, and the error says why.
func TestCSVStreamStopped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(3000))
	grant := b.grant(t, grantTerms{items: []string{"cert_no"}, rateRows: 400})
	s := &sink{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	begun := s.reachedBytes(500)
	go func() {
		_, err := b.first.pull.Stream(ctx, b.client, pull.RowsRequest{Call: b.call(), Format: pull.FormatCSV}, s)
		done <- err
	}()
	<-begun
	b.change(t, grant, "state = 'suspended'")
	wantCode(t, <-done, "grant_suspended")
	for _, record := range parseCSV(t, s.data.String())[1:] {
		if !strings.HasPrefix(record[0], "K") {
			t.Errorf("a line that is no row: %q", record)
		}
	}
}

package sheet

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/shuqiao/shuqiao/catalog"
)

// workbook makes a workbook of sheets with rows of cells.
func workbook(t *testing.T, sheets map[string][][]string, change func(*excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for name, rows := range sheets {
		if _, err := f.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if err := f.SetSheetRow(name, fmt.Sprintf("A%d", i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if sheets["Sheet1"] == nil {
		if err := f.DeleteSheet("Sheet1"); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(f)
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sheetXML is a workbook whose sheet of entries is the XML given.
func sheetXML(t *testing.T, xml string) []byte {
	t.Helper()
	return zipped(t, map[string][]byte{
		"[Content_Types].xml":        []byte(`<Types/>`),
		"xl/workbook.xml":            []byte(`<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="资源" sheetId="1" r:id="r1"/></sheets></workbook>`),
		"xl/_rels/workbook.xml.rels": []byte(`<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>`),
		"xl/worksheets/sheet1.xml":   []byte(xml),
	})
}

// Files that cannot be read are refused with a code that says why, and quickly.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	header := []string{"资源名称", "资源摘要"}
	var rows strings.Builder
	for i := range 250_000 {
		fmt.Fprintf(&rows, `<row r="%d"/>`, i*4+1)
	}
	gbk, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte("资源名称\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"a picture":                     {[]byte("\x89PNG\r\n\x1a\n\x00\x00"), CodeEncoding},
		"an xls file":                   {[]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and more"), CodeEncrypted},
		"a torn zip file":               {[]byte("PK\x03\x04 and nothing"), CodeNoWorkbook},
		"a zip file without CSV":        {zipped(t, map[string][]byte{"a.txt": []byte("x")}), CodeNoWorkbook},
		"a zip bomb":                    {bomb(t, maxPlain+1), CodeTooBig},
		"a zip bomb that lies":          {bomb(t, 10), CodeNoWorkbook},
		"a workbook of a thousand part": {manyParts(t), CodeTooBig},
		"a sheet of a million rows":     {sheetXML(t, `<worksheet><sheetData>`+rows.String()+`</sheetData></worksheet>`), CodeTooManyRows},
		"a value in row 1,000,000":      {sheetXML(t, `<worksheet><sheetData><row r="1000000"><c r="A1000000"><v>1</v></c></row></sheetData></worksheet>`), CodeTooManyRows},
		"a sheet with another name":     {workbook(t, map[string][][]string{"Sheet1": {header, {"甲", "乙"}}}, nil), CodeWrongSheets},
		"a sheet with a header only":    {workbook(t, map[string][][]string{"资源": {header}}, nil), CodeEmpty},
		"a header of another table":     {workbook(t, map[string][][]string{"资源": {{"姓名", "年龄"}, {"甲", "1"}}}, nil), CodeBadHeader},
		"UTF-16":                        {[]byte("\xFF\xFEa\x00"), CodeEncoding},
		"bytes of no encoding":          {append([]byte("资源名称\n"), 0xFF, 0xFF, 0xFE, 0x80, '\n'), CodeEncoding},
		"quotes that do not match":      {[]byte("资源名称,资源摘要\n\"甲,乙\n"), CodeBadCSV},
		"an empty file of GBK":          {gbk, CodeEmpty},
		"too many columns":              {[]byte("资源名称" + strings.Repeat(",x", 300) + "\n甲" + strings.Repeat(",x", 300) + "\n"), CodeTooManyCols},
		"two tables of entries":         {zipped(t, map[string][]byte{"a.csv": []byte("资源名称\n甲\n"), "b.csv": []byte("资源名称\n乙\n")}), CodeWrongSheets},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readAll(t, c.file)
			wantCode(t, err, "invalid", c.code)
		})
	}
}

// bomb is a zip file of zeros that says how large it is.
func bomb(t *testing.T, says uint64) []byte {
	t.Helper()
	var packed, out bytes.Buffer
	deflate, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deflate.Write(make([]byte, 4<<20)); err != nil {
		t.Fatal(err)
	}
	if err := deflate.Close(); err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(&out)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "资源.csv", Method: zip.Deflate, CompressedSize64: uint64(packed.Len()), UncompressedSize64: says})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(packed.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func manyParts(t *testing.T) []byte {
	t.Helper()
	files := map[string][]byte{"[Content_Types].xml": []byte("<Types/>")}
	for i := range maxParts + 1 {
		files[fmt.Sprintf("xl/media/%d", i)] = nil
	}
	return zipped(t, files)
}

// CSV is read in UTF-8, with a mark and without, and in GBK; a workbook by titles alone, by identifiers alone, in any order.
func TestSpellings(t *testing.T) {
	t.Parallel()
	text := "资源名称,资源摘要\n示例甲,\"摘要,含逗号\"\n"
	gbk, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"示例甲", "摘要,含逗号"}}
	for name, file := range map[string][]byte{
		"UTF-8": []byte(text), "UTF-8 with a mark": []byte("\uFEFF" + text), "GBK": gbk,
		"identifiers alone": []byte("name,summary\n示例甲,\"摘要,含逗号\"\n"), "both": []byte("资源名称*,资源摘要*\nname,summary\n示例甲,\"摘要,含逗号\"\n"),
		"workbook": workbook(t, map[string][][]string{"资源": {{"资源名称", "资源摘要"}, {"示例甲", "摘要,含逗号"}}}, nil),
	} {
		c := mustRead(t, file)
		if diff := cmp.Diff(want, c.Rows[Entries]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]string{"name", "summary"}, c.Headers[Entries].IDs); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What is wrong with a cell is named by its address, and nothing of the file is written.
func TestWrongCells(t *testing.T) {
	t.Parallel()
	b := setup(t)
	foreign, err := b.catalog.CreateResource(b.ctx, b.market1, small("市场的资源"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.Pool.Exec(b.ctx, "UPDATE resource SET code = '101001001/000001' WHERE id = $1", foreign.ID); err != nil {
		t.Fatal(err)
	}
	reviewed := b.create(t, small("正在审核的资源"))
	if _, err := b.catalog.Submit(b.ctx, b.operator, reviewed.ID, 0); err != nil {
		t.Fatal(err)
	}
	entries := [][]string{
		{"行标识", "资源代码", "提供方代码", "资源名称", "资源摘要", "共享类型", "签批日期", "关联资源代码", "数源部门代码"},
		{"1", "101001001/000001", "", "示例甲", "", "", "", "", ""},
		{"2", "", b.market.USCC, "示例乙", "", "", "", "", ""},
		{"3", "", "", "示例丙", "", "随便", "2026-02-30", "", "9.13E+17"},
		{"4", "", "", "示例丙", "", "", "", "", ""},
		{"5", "101001001001/000009", "", "", "", "", "", "101001001001/000009", ""},
		{"6", "", "", "正在审核的资源", "改了", "", "", "", ""},
		{"6", "", "", "示例丁", "", "", "", "", ""},
		{"8", "", "", "示例戊", "#REF!", "", "", "", ""},
		{"9", "", "", strings.Repeat("长", 101), "", "", "", "", ""},
		{"10", "", "", "示例己", "", "", "", "", ""},
	}
	items := [][]string{
		{"行标识", "信息项名称", "英文标识", "数据类型", "长度", "代码集"},
		{"10", "编号", "No", "C", "二十", ""},
		{"10", "编号", "title", "Z", "", "no_such_list"},
		{"77", "孤儿", "orphan", "C", "1", ""},
	}
	file := workbook(t, map[string][][]string{"资源": entries, "信息项": items}, func(f *excelize.File) {
		for _, err := range []error{f.SetCellFormula("资源", "E3", "SUM(A1)"), f.MergeCell("资源", "K4", "L4")} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, mode := range []Mode{AllRows, GoodRows} {
		j := b.check(t, b.operator, mode, file)
		got := b.lines(t, b.operator, j)
		slices.Sort(got)
		want := []string{
			"信息项 A4 key no_such_entry", "信息项 B3 name duplicate", "信息项 C2 identifier bad_form", "信息项 D3 data_type not_choice",
			"信息项 E2 length not_number", "信息项 F3 code_set unknown",
			"资源 A8 key duplicate", "资源 B2 code foreign", "资源 B6 code contradicts", "资源 B7 code in_review", "资源 C3 provider_code foreign", "资源 D10 name too_long",
			"资源 D5 name duplicate", "资源 D6 name required", "资源 E3 summary formula", "资源 E9 summary error_value", "资源 F4 declared_share_type not_choice",
			"资源 G4 head_signoff.date bad_date", "资源 H6 related_codes refers_to_self", "资源 I4 source_dept_id lost_digits", "资源 K4  merged",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", mode, diff)
		}
		if j.State != Checked || j.Added != 0 || j.Wrong != 10 || j.Applicable() {
			t.Errorf("%s: %+v", mode, j)
		}
		result, err := b.service.Result(b.ctx, b.operator, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		book, err := excelize.OpenReader(bytes.NewReader(drained(t, result)))
		if err != nil {
			t.Fatal(err)
		}
		said, err := book.GetCellValue("资源", "J4")
		if err != nil || !strings.Contains(said, "签批日期") {
			t.Errorf("the result says %q, %v", said, err)
		}
		notes, err := book.GetComments("资源")
		if err != nil || !slices.ContainsFunc(notes, func(n excelize.Comment) bool { return n.Cell == "G4" }) {
			t.Errorf("the result has no note on G4: %v", err)
		}
		if formula, err := book.GetCellFormula("资源", "E3"); err != nil || formula != "" {
			t.Errorf("the result holds the formula %q, %v", formula, err)
		}
	}
	_, err = b.service.Apply(b.ctx, b.operator, b.check(t, b.operator, AllRows, file).ID, 0)
	wantCode(t, err, "conflict", "import_wrong")
	var n int
	if err := b.db.Pool.QueryRow(b.ctx, "SELECT count(*) FROM resource WHERE name LIKE '示例%'").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d entries were written, %v", n, err)
	}
}

// Where good rows are taken, the entries in which something is wrong are left out and the others written; a published entry gets a draft
// beside it, without the consent that was given to what is published; what is sent again changes nothing.
func TestGoodRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	published := b.publish(t, small("示例已发布"))
	draft := b.create(t, small("示例草稿"))
	file := workbook(t, map[string][][]string{"资源": {
		{"资源代码", "资源名称", "资源摘要", "负责人", "签批日期", "签批文件"},
		{published.Code, "示例已发布", "新的摘要,以编号为主键", "示例负责人", "2026-11-03", "示例函〔2026〕1号"},
		{"", "示例草稿", "草稿的新摘要,以编号为主键", "示例负责人", "2026-11-03", "示例函〔2026〕1号"},
		{"", "示例新的", "", "", "", ""},
		{"", "示例错的", "", "", "不是日期", ""},
	}}, nil)
	j := b.check(t, b.operator, GoodRows, file)
	if j.Added != 1 || j.Changed != 2 || j.Wrong != 1 || !j.Applicable() {
		t.Fatalf("got %+v", j)
	}
	if _, err := b.service.Apply(b.ctx, b.operator, j.ID, 0); err != nil {
		t.Fatal(err)
	}
	if j = b.work(t, b.operator, j.ID); j.State != Done || j.Applied != 3 {
		t.Fatalf("got %+v", j)
	}
	after, err := b.catalog.GetVersion(b.ctx, b.operator, published.ID, 2)
	if err != nil || after.Published != 1 || after.Newest != 2 || after.Version.State != catalog.Draft || after.Version.Summary != "新的摘要,以编号为主键" {
		t.Errorf("the published entry: %+v, %v", after.Version.State, err)
	}
	if after.Version.HeadSignoff != nil || len(after.Version.Items) != 3 || after.Version.Items[0].No != published.Version.Items[0].No {
		t.Errorf("its draft: %+v", after.Version)
	}
	edited, err := b.catalog.Get(b.ctx, b.operator, draft.ID)
	if err != nil || edited.Version.Number != 1 || edited.Version.Summary != "草稿的新摘要,以编号为主键" || edited.RowVersion != 2 {
		t.Errorf("the draft: %+v, %v", edited, err)
	}
	history, err := b.catalog.History(b.ctx, b.operator, draft.ID)
	if err != nil || len(history) != 2 || history[1].Step != catalog.StepEdit {
		t.Errorf("its history: %+v, %v", history, err)
	}
	if again := b.check(t, b.operator, GoodRows, file); again.Unchanged != 3 || again.Added+again.Changed != 0 {
		t.Errorf("sent again: %+v", again)
	}
	_, err = b.service.Apply(b.ctx, b.operator, j.ID, 0)
	wantCode(t, err, "conflict", "illegal_move")
}

// Between check and apply somebody publishes, submits or renames: everything or nothing means nothing then.
func TestChangedBetween(t *testing.T) {
	t.Parallel()
	b := setup(t)
	draft := b.create(t, small("示例草稿"))
	file := workbook(t, map[string][][]string{"资源": {{"资源名称", "资源摘要"}, {"示例甲", ""}, {"示例草稿", "新的摘要,以编号为主键"}}}, nil)
	j := b.check(t, b.operator, AllRows, file)
	if _, err := b.catalog.Submit(b.ctx, b.operator, draft.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Apply(b.ctx, b.operator, j.ID, 0); err != nil {
		t.Fatal(err)
	}
	if j = b.work(t, b.operator, j.ID); j.State != Failed || j.Reason != CodeChanged || j.Applied != 0 {
		t.Errorf("got %+v", j)
	}
	if got := b.lines(t, b.operator, j); len(got) != 1 || !strings.HasSuffix(got[0], CodeReviewed) {
		t.Errorf("got %v", got)
	}
	var n int
	if err := b.db.Pool.QueryRow(b.ctx, "SELECT count(*) FROM resource WHERE name = '示例甲'").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d entries were written, %v", n, err)
	}
}

// A node that falls silent is taken over: what it had begun is begun again, and it cannot write any more.
func TestTakeover(t *testing.T) {
	t.Parallel()
	b := setup(t)
	j, err := b.service.Receive(b.ctx, b.operator, "a.csv", AllRows, strings.NewReader("资源名称\n示例甲\n"))
	if err != nil {
		t.Fatal(err)
	}
	// The first node claims it and is gone before it writes anything.
	dead, err := scanJob(b.db.Pool.QueryRow(b.ctx, "UPDATE import_job SET state = 'checking', attempt = 1, seen_at = now() - interval '1 hour' WHERE id = $1 RETURNING "+jobColumns, j.ID))
	if err != nil {
		t.Fatal(err)
	}
	if j = b.work(t, b.operator, j.ID); j.State != Checked || j.Added != 1 {
		t.Fatalf("got %+v", j)
	}
	if err := b.service.check(b.ctx, dead); err == nil {
		t.Error("the silent node writes again")
	}
	if j, err = b.service.Import(b.ctx, b.operator, j.ID); err != nil || j.State != Checked {
		t.Errorf("got %+v, %v", j, err)
	}
}

// All pairs of states and steps: only those of the table are allowed.
func TestJobMoves(t *testing.T) {
	t.Parallel()
	allowed := map[string]State{}
	for _, m := range JobMoves() {
		allowed[string(m.From)+" "+string(m.Step)] = m.To
	}
	for _, from := range States() {
		for _, step := range []JobStep{StepCheck, StepFound, StepApply, StepWritten, StepFail, StepRemove} {
			to, err := moved(from, step)
			want, ok := allowed[string(from)+" "+string(step)]
			if ok != (err == nil) || ok && to != want {
				t.Errorf("%s %s: %s, %v", from, step, to, err)
			}
		}
	}
}

// Whatever bytes are sent as a file, reading ends without a panic, and what is read has its cells within bounds.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"资源名称,资源摘要\n甲,乙\n", "\uFEFFname\n=1+1\n", "PK\x03\x04", "\xD0\xCF\x11\xE0", "\"", "行标识,英文标识\n1,a\n", "\xFF\xFE"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := readAll(t, raw)
		if err == nil && len(c.Rows[Entries]) == 0 {
			t.Error("a file without rows was read")
		}
		for _, row := range c.Rows[Entries] {
			if len(row) > maxCols {
				t.Errorf("a row of %d cells", len(row))
			}
		}
	})
}

// Whatever a list holds comes back from its cell; so does whatever a CSV cell holds.
func FuzzCells(f *testing.F) {
	f.Add("一;二", " 前后 ", `\`)
	f.Add("", "0", `\0`)
	f.Add("a\nb", "；", "'=1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		list := []string{strings.ToValidUTF8(a, ""), strings.ToValidUTF8(b, ""), strings.ToValidUTF8(c, "")}
		if diff := cmp.Diff(list, splitList(joinList(list))); diff != "" {
			t.Errorf("%q: %s", joinList(list), diff)
		}
		for _, s := range list {
			if got := plainCell(harmless(s)); got != s {
				t.Errorf("%q became %q", s, got)
			}
		}
	})
}

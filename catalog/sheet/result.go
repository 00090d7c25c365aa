package sheet

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// said is what a result says of each code, in the language of its headers.
var said = map[string]string{
	CodeFormula: "请填写数值或文字,不要使用公式", CodeMerged: "请取消合并单元格", CodeBroken: "单元格显示为错误值", CodeNotChoice: "不是可选的值",
	CodeNotNumber: "应为整数", CodeLostDigits: "长数字已变为科学计数法,请以文本格式重新填写", CodeBadDate: "不是有效的日期,应为年-月-日",
	CodeDuplicate: "重复", CodeUnknown: "不存在", CodeForeign: "属于其他部门", CodeSelf: "不能关联自身", CodeOrphan: "“资源”表中没有对应的行",
	CodeReviewed: "正在审核、已下线或已撤销,现在不能修改", CodeClass: "与主分类不一致", CodeChanged: "检查之后已被他人修改", CodeTaken: "名称已被本部门其他资源使用",
	CodeManyItems: "数量过多", "required": "必填", "too_long": "过长", "bad_form": "格式不正确", "out_of_range": "超出范围", "secret": "只能编目非涉密数据",
	"bad_character": "含有无法保存的字符", CodeColumn: "模板中没有此列", CodeNoColumn: "缺少此列",
}

// TroubleCodes returns the codes of what can be wrong with a cell.
func TroubleCodes() []string {
	out := make([]string, 0, len(said))
	for code := range said {
		out = append(out, code)
	}
	return out
}

// Result writes the file of an import again, each row in its old place, with a column that says what is wrong, and a note on each cell.
// Cells hold text only, whatever they held. Conflict "no_result" where nothing of the file could be read.
func (s *Service) Result(ctx context.Context, p authz.Principal, id uuid.UUID) (*Spool, error) {
	j, err := s.Import(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if j.State == Received || j.State == Checking || len(j.headers) != 2 {
		return nil, fault.New(fault.Conflict, "no_result", "there is no result of this import: it is not checked yet, or its file cannot be read")
	}
	headers := [2]Header(j.headers)
	for sh := range headers {
		if len(headers[sh].IDs) > 0 && headers[sh].find(errorID) < 0 {
			headers[sh].IDs = append(headers[sh].IDs, errorID)
		}
	}
	name := strings.TrimSuffix(strings.TrimSuffix(j.FileName, ".zip"), ".xlsx") + "-result.xlsx"
	begin := func(io.Writer) (output, error) { return newBook(headers) }
	return spooled(name, XLSX, begin, func(out output) error {
		for sh := range Sheet(2) {
			if len(headers[sh].IDs) == 0 {
				continue
			}
			if err := s.resultSheet(ctx, j, sh, headers[sh], out.(*book)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) resultSheet(ctx context.Context, j Job, sh Sheet, h Header, out *book) error {
	titles := map[string]string{}
	for _, c := range Columns(sh) {
		titles[c.ID] = c.Title
	}
	for last := 0; ; {
		rows, err := db.Collect(ctx, s.opt.DB.Pool, func(r pgx.Row) (st staged, err error) {
			err = r.Scan(&st.no, &st.cells)
			return st, err
		}, "SELECT row_no, cells FROM import_row WHERE job_id = $1 AND sheet = $2 AND row_no > $3 ORDER BY row_no LIMIT 500", j.ID, sh, last)
		if err != nil {
			return fmt.Errorf("reading rows: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		end := rows[len(rows)-1].no
		troubles, err := db.Collect(ctx, s.opt.DB.Pool, func(r pgx.Row) (t Trouble, err error) {
			err = r.Scan(&t.Row, &t.Col, &t.Column, &t.Code, &t.Detail)
			return t, err
		}, `SELECT row_no, col, column_id, code, detail FROM import_trouble
			WHERE job_id = $1 AND sheet = $2 AND row_no > $3 AND row_no <= $4 ORDER BY row_no, n`, j.ID, sh, last, end)
		if err != nil {
			return fmt.Errorf("reading what is wrong: %w", err)
		}
		wrong := map[int][]Trouble{}
		for _, t := range troubles {
			wrong[t.Row] = append(wrong[t.Row], t)
		}
		for _, row := range rows {
			cells := make([]string, len(h.IDs))
			copy(cells, row.cells)
			notes := map[int]string{}
			var all []string
			for _, t := range wrong[row.no] {
				text := sentence(t)
				if t.Col >= 0 {
					notes[t.Col] = strings.TrimPrefix(notes[t.Col]+";"+text, ";")
				}
				all = append(all, strings.TrimSpace(titles[t.Column]+" "+text))
			}
			cells[len(cells)-1] = strings.Join(all, ";")
			out.next[sh] = row.no
			if err := out.row(sh, cells, notes); err != nil {
				return err
			}
		}
		last = end
	}
}

// sentence says what is wrong with a cell.
func sentence(t Trouble) string {
	text := said[t.Code]
	if text == "" {
		text = t.Code
	}
	if row, ok := strings.CutPrefix(t.Detail, "row "); ok {
		if n, err := strconv.Atoi(row); err == nil {
			text += "(与第" + strconv.Itoa(n) + "行)"
		}
	}
	return text
}

package city

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ChangePlan says how the inhabitants' table of database police_population is to change.
type ChangePlan struct {
	From   string  // Six-digit county code: only right rows of this county are touched.
	To     string  // Six-digit county code that moved rows go to.
	Update int     // Rows that get another telephone number and residence.
	Move   int     // Rows whose domicile moves from From to To.
	Delete int     // Rows that disappear.
	Spoil  int     // Right rows that get an impossible birth date, so that a reader must hold their last good state.
	Right  []Wrong // Wrong rows of this table that are corrected.
}

// Changed says what Change has done: identity numbers of the rows, in the order of their row numbers. No row is in two lists.
type Changed struct {
	Updated, Moved, Deleted []string
	Spoilt, Corrected       []Wrong
}

// Change carries out the plan in one transaction of plain SQL at the source; dsn leads to database police_population. It
// changes nothing and returns an error when From has fewer right rows than the plan needs.
func Change(ctx context.Context, dsn string, plan ChangePlan) (Changed, error) {
	w, err := newWorld(0, MinScale)
	if err != nil {
		return Changed{}, err
	}
	to, ok := w.firstTown(plan.To)
	if _, known := w.counties[plan.From]; !known || !ok || plan.From == plan.To {
		return Changed{}, errors.New("changing inhabitants: from and to must be two counties of the city")
	}
	if plan.Update < 0 || plan.Move < 0 || plan.Delete < 0 || plan.Spoil < 0 {
		return Changed{}, errors.New("changing inhabitants: a count is negative")
	}
	for _, wrong := range plan.Right {
		if wrong.Table != populationTable {
			return Changed{}, fmt.Errorf("changing inhabitants: a row of table %s is to be corrected", wrong.Table)
		}
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return Changed{}, fmt.Errorf("connecting to the source: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var done Changed
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var err error
		done, err = change(ctx, tx, plan, to, w.counties[to.county]+to.name)
		return err
	})
	if err != nil {
		return Changed{}, fmt.Errorf("changing inhabitants: %w", err)
	}
	return done, nil
}

func (w *world) firstTown(county string) (town, bool) {
	for _, t := range w.towns {
		if t.county == county {
			return t, true
		}
	}
	return town{}, false
}

// inhabitant identifies a chosen row.
type inhabitant struct {
	Row       int64
	CitizenID string
	BirthDate string
}

// The statements of Change. $1 is always the row numbers; gxsj is the system's own time of change, local time.
const (
	chooseRows = `SELECT xh, gmsfhm, csrq FROM public.t_rk_jbxx p WHERE hjdqh LIKE $1 || '%' AND gmsfhm IS NOT NULL
		AND NOT EXISTS (SELECT FROM shuqiao_demo.wrong w WHERE w.tbl = 't_rk_jbxx' AND (w.row_no = p.xh OR w.row_key = p.gmsfhm))
		ORDER BY xh LIMIT $2 FOR UPDATE`
	touched    = `gxsj = to_char(clock_timestamp() AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDDHH24MISS')`
	updateRows = `UPDATE public.t_rk_jbxx SET
		lxdh = '154' || lpad(((coalesce(substr(lxdh, 4), '0')::bigint + 1) % 100000000)::text, 8, '0'),
		xzdz = regexp_replace(xzdz, '[0-9]+号', ((substring(xzdz FROM '([0-9]+)号')::int % 399) + 1)::text || '号'),
		` + touched + ` WHERE xh = ANY($1)`
	moveRows = `UPDATE public.t_rk_jbxx SET hjdqh = $2, hjdz = $3 || '示例迁居路' || (xh % 399 + 1)::text || '号',
		qrrq = to_char(clock_timestamp() AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD'), ` + touched + ` WHERE xh = ANY($1)`
	deleteRows = `DELETE FROM public.t_rk_jbxx WHERE xh = ANY($1)`
	spoilRows  = `UPDATE public.t_rk_jbxx SET csrq = '19900231', ` + touched + ` WHERE xh = ANY($1)`
)

func change(ctx context.Context, tx pgx.Tx, plan ChangePlan, to town, address string) (Changed, error) {
	need := plan.Update + plan.Move + plan.Delete + plan.Spoil
	found, err := tx.Query(ctx, chooseRows, plan.From, need)
	if err != nil {
		return Changed{}, fmt.Errorf("choosing rows: %w", err)
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[inhabitant])
	if err != nil {
		return Changed{}, fmt.Errorf("choosing rows: %w", err)
	}
	if len(rows) < need {
		return Changed{}, fmt.Errorf("county %s has only %d right rows, %d are needed", plan.From, len(rows), need)
	}
	take := func(n int) (numbers []int64, ids []string, taken []inhabitant) {
		taken, rows = rows[:n], rows[n:]
		for _, r := range taken {
			numbers, ids = append(numbers, r.Row), append(ids, r.CitizenID)
		}
		return numbers, ids, taken
	}
	var done Changed
	var numbers []int64
	numbers, done.Updated, _ = take(plan.Update)
	if _, err := tx.Exec(ctx, updateRows, numbers); err != nil {
		return Changed{}, fmt.Errorf("updating rows: %w", err)
	}
	numbers, done.Moved, _ = take(plan.Move)
	if _, err := tx.Exec(ctx, moveRows, numbers, to.code+"000", address); err != nil {
		return Changed{}, fmt.Errorf("moving rows: %w", err)
	}
	numbers, done.Deleted, _ = take(plan.Delete)
	if _, err := tx.Exec(ctx, deleteRows, numbers); err != nil {
		return Changed{}, fmt.Errorf("deleting rows: %w", err)
	}
	numbers, _, spoilt := take(plan.Spoil)
	if _, err := tx.Exec(ctx, spoilRows, numbers); err != nil {
		return Changed{}, fmt.Errorf("spoiling rows: %w", err)
	}
	for _, r := range spoilt {
		done.Spoilt = append(done.Spoilt, Wrong{
			Database: populationSystem().Name, Table: populationTable, Kind: ImpossibleDate, Row: r.Row, RowColumn: "xh",
			Key: strings.ReplaceAll(r.CitizenID, "~", "~0"), Column: "csrq", GoodValue: r.BirthDate,
		})
	}
	if err := writeInventory(ctx, tx, done.Spoilt); err != nil {
		return Changed{}, err
	}
	if err := correct(ctx, tx, plan.Right); err != nil {
		return Changed{}, err
	}
	done.Corrected = plan.Right
	return done, nil
}

// Correct sets wrong rows of any one database right; dsn leads to that database. A row that is no longer there is an error,
// and then none is changed.
func Correct(ctx context.Context, dsn string, wrong ...Wrong) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connecting to the source: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return correct(ctx, tx, wrong) })
}

func correct(ctx context.Context, tx pgx.Tx, wrong []Wrong) error {
	for _, w := range wrong {
		column, row := pgx.Identifier{w.Column}.Sanitize(), pgx.Identifier{w.RowColumn}.Sanitize()
		tag, err := tx.Exec(ctx, "UPDATE "+tableName(w.Table)+" SET "+column+" = $1 WHERE "+row+" = $2", w.GoodValue, w.Row)
		if err != nil {
			return fmt.Errorf("correcting row %d of %s: %w", w.Row, w.Table, err)
		}
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("correcting row %d of %s: the row is not there", w.Row, w.Table)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM shuqiao_demo.wrong WHERE tbl = $1 AND row_no = $2`, w.Table, w.Row); err != nil {
			return fmt.Errorf("striking row %d of %s off the inventory: %w", w.Row, w.Table, err)
		}
	}
	return nil
}

package pull

import (
	"bytes"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/shuqiao/shuqiao/exchange/store"
)

// Bounds of a row group: what is kept in memory until it is written.
const (
	groupRows  = 50_000
	groupBytes = 16 << 20
)

// parquetEncoder writes Parquet. Every column may be null; data types become
//
//	C, M, hidden values   string
//	N, Y                  decimal of the item's length and scale up to 38 digits, else string
//	I                     int64
//	B, F                  double
//	D                     date
//	T                     timestamp in microseconds, UTC
//	L                     boolean
//	G                     string: GeoJSON of geometries, else the SHA-256 in hexadecimal
type parquetEncoder struct {
	view    *view
	rid     *ridMaker
	w       *parquet.GenericWriter[any]
	convert []func(c *column, cell []byte) (parquet.Value, error)
	row1    [1]parquet.Row
	scratch []byte
	rows    int
	bytes   int
}

// orderedGroup is a group whose fields keep the order of the items.
type orderedGroup struct {
	parquet.Group
	names []string
}

// Fields returns the fields in order.
func (g orderedGroup) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	fields := make([]parquet.Field, len(g.names))
	for i, name := range g.names {
		fields[i] = byName[name]
	}
	return fields
}

func newParquetEncoder(v *view, w io.Writer) (*parquetEncoder, error) {
	e := &parquetEncoder{view: v, rid: newRidMaker(v.terms.ridKey)}
	group := orderedGroup{Group: parquet.Group{}}
	add := func(name string, node parquet.Node) {
		group.names = append(group.names, name)
		group.Group[name] = parquet.Optional(node)
	}
	if !v.terms.keyClear {
		add(columnRid, parquet.String())
	}
	for i := range v.columns {
		c := &v.columns[i]
		node, convert := parquetColumn(c)
		add(c.item.Identifier, node)
		e.convert = append(e.convert, convert)
	}
	e.w = parquet.NewGenericWriter[any](w, parquet.NewSchema("rows", group), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}),
		parquet.CreatedBy("shuqiao", "", ""), parquet.PageBufferSize(256<<10))
	return e, nil
}

// parquetColumn returns the type of a column and how its cells are converted.
func parquetColumn(c *column) (parquet.Node, func(c *column, cell []byte) (parquet.Value, error)) {
	switch c.form {
	case formNumber:
		if c.letter == 'I' {
			return parquet.Int(64), parquetInteger
		}
		return parquet.Leaf(parquet.DoubleType), parquetDouble
	case formTime:
		return parquet.Timestamp(parquet.Microsecond), parquetTime
	case formBool:
		return parquet.Leaf(parquet.BooleanType), parquetBool
	case formDecimal:
		if c.letter == 'D' {
			return parquet.Date(), parquetDate
		}
		precision, scale := c.item.Length, c.item.Scale
		switch {
		case precision < 1 || precision > 38 || scale < 0 || scale > precision:
			return parquet.String(), parquetNumberText
		case precision <= 9:
			return parquet.Decimal(scale, precision, parquet.Int32Type), parquetDecimal
		case precision <= 18:
			return parquet.Decimal(scale, precision, parquet.Int64Type), parquetDecimal
		}
		return parquet.Decimal(scale, precision, parquet.FixedLenByteArrayType(decimalBytes)), parquetDecimal
	}
	return parquet.String(), nil
}

// decimalBytes holds 38 digits with a sign.
const decimalBytes = 16

func (e *parquetEncoder) row(rec store.Record) error {
	row := e.row1[0][:0]
	place := 0
	put := func(value parquet.Value) {
		level := 1
		if value.IsNull() {
			level = 0
		}
		row = append(row, value.Level(0, level, place))
		place++
	}
	if !e.view.terms.keyClear {
		e.scratch = e.rid.append(e.scratch[:0], rec.Key)
		put(parquet.ByteArrayValue(e.scratch))
	}
	for i := range e.view.columns {
		value, err := e.value(i, rec.Cells[i])
		if err != nil {
			return err
		}
		put(value)
		e.bytes += 16 + len(rec.Cells[i])
	}
	e.row1[0] = row
	if _, err := e.w.WriteRows(e.row1[:]); err != nil {
		return fmt.Errorf("writing parquet: %w", err)
	}
	e.rows++
	if e.rows < groupRows && e.bytes < groupBytes {
		return nil
	}
	e.rows, e.bytes = 0, 0
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("writing parquet: %w", err)
	}
	return nil
}

// value converts one cell.
func (e *parquetEncoder) value(i int, cell []byte) (parquet.Value, error) {
	c := &e.view.columns[i]
	if cell == nil {
		return parquet.NullValue(), nil
	}
	if convert := e.convert[i]; convert != nil {
		return convert(c, cell)
	}
	if c.form == formGeometry {
		text := appendGeometry(nil, cell)
		if string(text) == "null" {
			return parquet.NullValue(), nil
		}
		return parquet.ByteArrayValue(text), nil
	}
	text, ok := c.text(cell, e.view.terms.ridKey)
	if !ok {
		return parquet.NullValue(), nil
	}
	return parquet.ByteArrayValue(text), nil
}

func (e *parquetEncoder) close() error {
	if err := e.w.Close(); err != nil {
		return fmt.Errorf("writing parquet: %w", err)
	}
	return nil
}

func parquetInteger(_ *column, cell []byte) (parquet.Value, error) {
	n, err := strconv.ParseInt(string(cell), 10, 64)
	return parquet.Int64Value(n), err
}

func parquetDouble(_ *column, cell []byte) (parquet.Value, error) {
	if !finite(cell) {
		return parquet.NullValue(), nil
	}
	f, err := strconv.ParseFloat(string(cell), 64)
	return parquet.DoubleValue(f), err
}

func parquetBool(_ *column, cell []byte) (parquet.Value, error) {
	return parquet.BooleanValue(len(cell) > 0 && cell[0] == 't'), nil
}

func parquetTime(_ *column, cell []byte) (parquet.Value, error) {
	at, err := time.Parse(pgTime, string(cell))
	if err != nil {
		return parquet.NullValue(), nil // As in JSON: infinity is none.
	}
	return parquet.Int64Value(at.UnixMicro()), nil
}

func parquetDate(_ *column, cell []byte) (parquet.Value, error) {
	at, err := time.Parse(time.DateOnly, string(cell))
	if err != nil {
		return parquet.NullValue(), nil
	}
	return parquet.Int32Value(int32(at.Unix() / 86400)), nil
}

func parquetNumberText(_ *column, cell []byte) (parquet.Value, error) {
	if !finite(cell) {
		return parquet.NullValue(), nil
	}
	return parquet.ByteArrayValue(bytes.Clone(cell)), nil
}

// parquetDecimal writes a plain decimal number as a whole number of its scale's units.
func parquetDecimal(c *column, cell []byte) (parquet.Value, error) {
	if !finite(cell) {
		return parquet.NullValue(), nil
	}
	digits, fraction, _ := bytes.Cut(cell, []byte{'.'})
	for len(fraction) > c.item.Scale && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	if len(fraction) > c.item.Scale {
		return parquet.Value{}, tooWide(c.item.Identifier)
	}
	digits = append(append(make([]byte, 0, len(cell)+c.item.Scale), digits...), fraction...)
	digits = append(digits, bytes.Repeat([]byte{'0'}, c.item.Scale-len(fraction))...)
	if len(bytes.TrimLeft(digits, "-0")) > c.item.Length {
		return parquet.Value{}, tooWide(c.item.Identifier)
	}
	if c.item.Length > 18 {
		n, ok := new(big.Int).SetString(string(digits), 10)
		if !ok {
			return parquet.Value{}, fmt.Errorf("reading a number of %s", c.item.Identifier)
		}
		if n.Sign() < 0 {
			n.Add(n, new(big.Int).Lsh(big.NewInt(1), 8*decimalBytes))
		}
		return parquet.FixedLenByteArrayValue(n.FillBytes(make([]byte, decimalBytes))), nil
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return parquet.Value{}, fmt.Errorf("reading a number of %s: %w", c.item.Identifier, err)
	}
	if c.item.Length <= 9 {
		return parquet.Int32Value(int32(n)), nil
	}
	return parquet.Int64Value(n), nil
}

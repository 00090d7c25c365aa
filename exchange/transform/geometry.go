package transform

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/paulmach/orb/encoding/wkt"
	"github.com/paulmach/orb/geojson"
)

// The bounds of CGCS2000 (EPSG:4490) in degrees.
const (
	minLongitude = 73.62
	maxLongitude = 134.77
	minLatitude  = 16.7
	maxLatitude  = 53.56
)

// sridCGCS2000 is the reference system that geometries may name (EPSG:4490). 0 and none mean it too.
const sridCGCS2000 = 4490

// The flag bits of an extended WKB type.
const (
	ewkbZ    = 0x80000000
	ewkbM    = 0x40000000
	ewkbSRID = 0x20000000
)

// The geometry types of WKB. Source: OGC 06-103r4, clause 8.
const (
	wkbPoint = iota + 1
	wkbLineString
	wkbPolygon
	wkbMultiPoint
	wkbMultiLineString
	wkbMultiPolygon
	wkbCollection
)

// maxDepth bounds collections inside collections.
const maxDepth = 8

// Box is the bounding box of a geometry in degrees. OK is false where the row has no geometry.
type Box struct {
	MinLon, MinLat, MaxLon, MaxLat float64
	OK                             bool
}

// Bounds returns the bounding box of a geometry in WKB or EWKB; ok is false when it is not a valid, non-empty plane
// geometry. Coordinates outside CGCS2000 are no matter here.
func Bounds(geometry []byte) (box Box, ok bool) {
	w := wkbReader{in: geometry}
	if !w.geometry(0, 0) || len(w.in) > 0 {
		return Box{}, false
	}
	return w.box, true
}

// wkbReader walks a WKB or EWKB geometry and writes it as little-endian WKB without reference system.
type wkbReader struct {
	in  []byte
	out []byte
	box Box
}

// geometry reads one geometry. only restricts the type of members of a multi-geometry; 0 allows any.
func (w *wkbReader) geometry(depth int, only uint32) bool {
	if depth > maxDepth || len(w.in) < 5 || w.in[0] > 1 {
		return false
	}
	var order binary.ByteOrder = binary.BigEndian
	if w.in[0] == 1 {
		order = binary.LittleEndian
	}
	typ := order.Uint32(w.in[1:5])
	w.in = w.in[5:]
	if typ&(ewkbZ|ewkbM) != 0 {
		return false
	}
	if typ&ewkbSRID != 0 {
		if len(w.in) < 4 {
			return false
		}
		if srid := order.Uint32(w.in[:4]); srid != 0 && srid != sridCGCS2000 {
			return false
		}
		w.in = w.in[4:]
		typ &^= ewkbSRID
	}
	if only != 0 && typ != only {
		return false
	}
	w.out = append(w.out, 1)
	w.out = binary.LittleEndian.AppendUint32(w.out, typ)
	switch typ {
	case wkbPoint:
		return w.points(order, 1, false)
	case wkbLineString:
		n, ok := w.count(order, 16)
		return ok && n >= 2 && w.points(order, n, false)
	case wkbPolygon:
		n, ok := w.count(order, 4)
		if !ok {
			return false
		}
		for range n {
			points, ok := w.count(order, 16)
			if !ok || points < 4 || !w.points(order, points, true) {
				return false
			}
		}
		return true
	case wkbMultiPoint, wkbMultiLineString, wkbMultiPolygon, wkbCollection:
		n, ok := w.count(order, 9)
		if !ok {
			return false
		}
		member := typ - 3
		if typ == wkbCollection {
			member = 0
		}
		for range n {
			if !w.geometry(depth+1, member) {
				return false
			}
		}
		return true
	}
	return false
}

// count reads a number of parts of at least size bytes each; no parts, or more than bytes are left for, is not a geometry.
func (w *wkbReader) count(order binary.ByteOrder, size int) (int, bool) {
	if len(w.in) < 4 {
		return 0, false
	}
	n := int(order.Uint32(w.in[:4]))
	w.in = w.in[4:]
	if n == 0 || n > len(w.in)/size {
		return 0, false
	}
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(n))
	return n, true
}

// points reads n coordinate pairs and widens the box. A ring must end where it starts.
func (w *wkbReader) points(order binary.ByteOrder, n int, ring bool) bool {
	if len(w.in)/16 < n {
		return false
	}
	var firstX, firstY, x, y float64
	for i := range n {
		x = math.Float64frombits(order.Uint64(w.in))
		y = math.Float64frombits(order.Uint64(w.in[8:]))
		w.in = w.in[16:]
		if math.IsNaN(x) || math.IsInf(x, 0) || math.IsNaN(y) || math.IsInf(y, 0) {
			return false
		}
		// Adding zero turns -0 into 0, so that equal coordinates have equal bytes.
		x, y = x+0, y+0
		if i == 0 {
			firstX, firstY = x, y
		}
		w.out = binary.LittleEndian.AppendUint64(w.out, math.Float64bits(x))
		w.out = binary.LittleEndian.AppendUint64(w.out, math.Float64bits(y))
		if !w.box.OK {
			w.box = Box{MinLon: x, MinLat: y, MaxLon: x, MaxLat: y, OK: true}
			continue
		}
		w.box.MinLon, w.box.MaxLon = min(w.box.MinLon, x), max(w.box.MaxLon, x)
		w.box.MinLat, w.box.MaxLat = min(w.box.MinLat, y), max(w.box.MaxLat, y)
	}
	return !ring || (x == firstX && y == firstY)
}

// geometry converts WKB, EWKB, their hexadecimal text, WKT (SRID=4490; allowed before it) or GeoJSON to little-endian WKB.
func (r *Row) geometry(kind Kind, in []byte) (raw []byte, box Box, reason string) {
	if kind == KindText || kind == KindJSON {
		decoded, ok := decodeGeometryText(in)
		if !ok {
			return nil, Box{}, ReasonBadGeometry
		}
		in = decoded
	}
	start := len(r.arena)
	w := wkbReader{in: in, out: r.arena}
	ok := w.geometry(0, 0) && len(w.in) == 0
	r.arena = w.out
	if !ok {
		r.arena = r.arena[:start]
		return nil, Box{}, ReasonBadGeometry
	}
	if w.box.MinLon < minLongitude || w.box.MaxLon > maxLongitude || w.box.MinLat < minLatitude || w.box.MaxLat > maxLatitude {
		return nil, Box{}, ReasonOutOfBounds
	}
	return r.since(start), w.box, ""
}

// maxGeometryText bounds WKT and GeoJSON, which are parsed as a whole.
const maxGeometryText = 16 << 20

// maxCollections bounds the collections in one geometry text.
const maxCollections = 64

// decodeGeometryText reads text as hexadecimal WKB, GeoJSON or WKT.
func decodeGeometryText(in []byte) (raw []byte, ok bool) {
	in = bytes.TrimSpace(in)
	if len(in) == 0 || len(in) > maxGeometryText {
		return nil, false
	}
	// The parsers read a collection anew at each depth, so text with many of them is refused before it costs anything.
	if bytes.Count(in, []byte("geometries")) > maxCollections ||
		bytes.Count(bytes.ToUpper(in), []byte("GEOMETRYCOLLECTION")) > maxCollections {
		return nil, false
	}
	var g orb.Geometry
	switch {
	case in[0] == '0':
		raw = make([]byte, hex.DecodedLen(len(in)))
		_, err := hex.Decode(raw, in)
		return raw, err == nil
	case in[0] == '{':
		parsed, err := geojson.UnmarshalGeometry(in)
		if err != nil || parsed == nil {
			return nil, false
		}
		g = parsed.Geometry()
	default:
		if rest, found := bytes.CutPrefix(in, []byte("SRID=")); found {
			srid, rest, found := bytes.Cut(rest, []byte(";"))
			if !found || (string(srid) != "4490" && string(srid) != "0") {
				return nil, false
			}
			in = rest
		}
		parsed, err := wkt.Unmarshal(string(in))
		if err != nil {
			return nil, false
		}
		g = parsed
	}
	if g == nil {
		return nil, false
	}
	raw, err := wkb.Marshal(g, binary.LittleEndian)
	return raw, err == nil && len(raw) > 0
}

package city

import "hash/fnv"

// random is splitmix64 (Steele, Lea, Flood 2014). It is written out here because the content of the city must stay the
// same under every version of the standard library.
type random struct{ state uint64 }

// randomAt returns the generator of one row: seed, name of the stream and row number decide everything it yields, so any
// row can be produced without producing those before it.
func randomAt(seed uint64, stream string, n int) random {
	h := fnv.New64a()
	_, _ = h.Write([]byte(stream)) // a hash never fails to write
	r := random{state: seed ^ h.Sum64()}
	r.state = r.next() + uint64(n)*0x9e3779b97f4a7c15
	r.state = r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// intN returns a number in [0, n); n must be positive. The bias for the small n used here is below 2^-40.
func (r *random) intN(n int) int { return int(r.next() % uint64(n)) }

// between returns a number in [low, high].
func (r *random) between(low, high int) int { return low + r.intN(high-low+1) }

// chance reports true in percent cases out of a hundred.
func (r *random) chance(percent int) bool { return r.intN(100) < percent }

func pick[T any](r *random, list []T) T { return list[r.intN(len(list))] }

// weighted is a code with its frequency.
type weighted struct {
	code   string
	weight int
}

func pickWeighted(r *random, list []weighted) string {
	total := 0
	for _, w := range list {
		total += w.weight
	}
	n := r.intN(total)
	for _, w := range list {
		if n < w.weight {
			return w.code
		}
		n -= w.weight
	}
	return list[len(list)-1].code
}

package authz

import (
	"container/list"
	"context"
	"sync"
)

// cacheTries is how often Get loads again because the policy moved on during the load.
const cacheTries = 5

// Cache remembers what decisions need and drops it when the policy log says that it changed. Time, quota and network are
// not for a cache: what it holds are rows, and the caller judges them at each use. It holds at most as many values as it was
// made for and forgets the least recently used.
type Cache[K comparable, V any] struct {
	follower *Follower
	size     int

	mu      sync.Mutex
	values  map[K]*list.Element
	order   *list.List // Of cached[K, V], most recently used first.
	epoch   int64      // Rises with DropAll, which voids loads under way whatever their n.
	flights map[K]*flight[V]
}

type cached[K comparable, V any] struct {
	key   K
	value V
}

// flight is one load that several callers wait for.
type flight[V any] struct {
	done    chan struct{}
	value   V
	current bool // Whether the value may be used: no change was applied since it was read.
	err     error
}

// NewCache makes a cache of at most size values. Dropping is the caller's: it subscribes to the follower and calls Drop or
// DropAll for the entries that concern it.
func NewCache[K comparable, V any](f *Follower, size int) *Cache[K, V] {
	return &Cache[K, V]{
		follower: f, size: max(1, size),
		values: map[K]*list.Element{}, order: list.New(), flights: map[K]*flight[V]{},
	}
}

// Get returns the value of key, loading it if need be. load returns what it read and the number of policy_head read in the
// same statement; callers that want the same key meanwhile share one load. An error of load is returned and not remembered.
//
// A value read before a change that this node has applied by now is never returned: without this, a reader that was slow
// between its statement and the insertion would bring back for good what Drop had just removed. It is loaded again, and after
// some tries Get gives up with the fault "policy_stale".
func (c *Cache[K, V]) Get(ctx context.Context, key K, load func(ctx context.Context) (V, int64, error)) (V, error) {
	var zero V
	for range cacheTries {
		c.mu.Lock()
		if e, ok := c.values[key]; ok {
			c.order.MoveToFront(e)
			value := e.Value.(cached[K, V]).value
			c.mu.Unlock()
			return value, nil
		}
		f, joined := c.flights[key]
		if !joined {
			f = &flight[V]{done: make(chan struct{})}
			c.flights[key] = f
			// The load goes on when this caller gives up: others may be waiting for it.
			go c.fly(context.WithoutCancel(ctx), key, f, c.epoch, load)
		}
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return zero, ctx.Err()
		}
		switch {
		case f.err != nil:
			return zero, f.err
		case f.current:
			return f.value, nil
		}
	}
	return zero, stale()
}

// fly loads and, when nothing was applied since, keeps the value. The follower raises applying before it calls the
// subscribers that drop, and both sides hold the mutex: either this sees the raised number, or the drop finds the value.
func (c *Cache[K, V]) fly(ctx context.Context, key K, f *flight[V], epoch int64, load func(ctx context.Context) (V, int64, error)) {
	var n int64
	f.value, n, f.err = load(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	f.current = f.err == nil && c.epoch == epoch && c.follower.applying.Load() <= n
	if f.current {
		c.keep(key, f.value)
	}
	if c.flights[key] == f {
		delete(c.flights, key)
	}
	close(f.done)
}

func (c *Cache[K, V]) keep(key K, value V) {
	if e, ok := c.values[key]; ok {
		c.order.Remove(e)
	}
	c.values[key] = c.order.PushFront(cached[K, V]{key, value})
	for len(c.values) > c.size {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.values, oldest.Value.(cached[K, V]).key)
	}
}

// Drop forgets one key. A load of it under way is not shared any more: it may have read the row before the change.
func (c *Cache[K, V]) Drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.values[key]; ok {
		c.order.Remove(e)
		delete(c.values, key)
	}
	delete(c.flights, key)
}

// DropAll forgets everything, and what is being loaded as well.
func (c *Cache[K, V]) DropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.values, c.flights = map[K]*list.Element{}, map[K]*flight[V]{}
	c.order.Init()
}

// Len returns how many values are held.
func (c *Cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.values)
}

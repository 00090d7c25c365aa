package connectortest

import (
	"context"
	"net"
	"sync"
)

// dialer hands out connections that a test can stall or cut, as a bad network would. It forwards every byte through an
// in-memory pipe, whose deadlines work like a socket's.
type dialer struct {
	mu    sync.Mutex
	links []*link
}

type link struct {
	client, server net.Conn
	stalled        chan struct{} // Closed by Stall: nothing more arrives.
	closed         chan struct{}
	closeOnce      sync.Once
	stallOnce      sync.Once
}

// Dial is a connectors.DialFunc.
func (d *dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	server, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	near, client := net.Pipe()
	l := &link{client: client, server: server, stalled: make(chan struct{}), closed: make(chan struct{})}
	go l.send()
	go l.receive()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.links = append(d.links, l)
	return near, nil
}

// Stall lets nothing more arrive on the connections opened so far; they stay open.
func (d *dialer) Stall() {
	d.each(func(l *link) { l.stallOnce.Do(func() { close(l.stalled) }) })
}

// Cut ends the connections opened so far without a word.
func (d *dialer) Cut() { d.each((*link).close) }

func (d *dialer) each(run func(*link)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.links {
		run(l)
	}
}

func (l *link) send() {
	defer l.close()
	forward(l.server, l.client, nil)
}

func (l *link) receive() {
	defer l.close()
	forward(l.client, l.server, func() {
		select {
		case <-l.stalled:
			<-l.closed
		default:
		}
	})
}

// forward copies until either side ends, calling wait before each write.
func forward(to, from net.Conn, wait func()) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if wait != nil {
			wait()
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) close() {
	l.closeOnce.Do(func() {
		close(l.closed)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

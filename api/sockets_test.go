package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/authz"
)

// impolite is a server of the contract with its limits in time made short, so that the test is.
func impolite(t *testing.T) (address string) {
	t.Helper()
	a, _ := testAPI(t, Options{})
	type input struct{ Body map[string]any }
	handle(a, Route{Method: http.MethodPost, Path: "/test/body", Access: Public, Limit: 1 << 20}, func(context.Context, authz.Principal, *input) (string, error) { return "taken", nil })
	server := NewServer(a.Handler(), a.log)
	if server.ReadHeaderTimeout > 10*time.Second || server.ReadTimeout > time.Minute || server.IdleTimeout > 5*time.Minute || server.MaxHeaderBytes > 1<<20 ||
		min(server.ReadHeaderTimeout, server.ReadTimeout, server.IdleTimeout, server.WriteTimeout) <= 0 {
		t.Fatalf("the limits in force are %+v", server)
	}
	server.ReadHeaderTimeout, server.ReadTimeout, server.IdleTimeout = 300*time.Millisecond, 600*time.Millisecond, 300*time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving: %v", err)
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return listener.Addr().String()
}

// talk sends first, then each piece of rest with a pause before it, until the server closes the connection; it returns what the
// server said and how long it listened.
func talk(t *testing.T, address, first string, rest func(yield func(string) bool)) (said string, took time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return "", 0
	}
	defer conn.Close()
	began := time.Now()
	_ = conn.SetDeadline(began.Add(4 * time.Second))
	var wait sync.WaitGroup
	stop := make(chan struct{})
	wait.Go(func() {
		if _, err := io.WriteString(conn, first); err != nil || rest == nil {
			return
		}
		rest(func(piece string) bool {
			select {
			case <-stop:
				return false
			case <-time.After(20 * time.Millisecond):
			}
			_, err := io.WriteString(conn, piece)
			return err == nil
		})
	})
	raw, err := io.ReadAll(conn)
	took = time.Since(began)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%.40q: the server still listens after %v; it said %.200q", first, took, raw)
	}
	close(stop)
	_ = conn.Close()
	wait.Wait()
	return string(raw), took
}

func endless(piece string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for yield(piece) {
		}
	}
}

// Whoever dribbles, floods or babbles at a socket is cut off in bounded time, is answered with an error if at all, and nothing
// of what follows garbage is taken for a request.
func TestHostileSockets(t *testing.T) {
	t.Parallel()
	address := impolite(t)
	const post = "POST /test/body HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
	const fine = "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n"
	for _, c := range []struct {
		name, first string
		rest        func(yield func(string) bool)
		// What the answers begin with; nil for none at all.
		want []string
	}{
		{"nothing at all", "", nil, nil},
		{"a request line that dribbles", "GET /he", endless("a"), []string{"400"}},
		{"headers that dribble", "GET /healthz HTTP/1.1\r\nHost: hub\r\n", endless("X-A: 1\r\n"), nil},
		{"a body that dribbles", post + "Content-Length: 100000\r\n\r\n{", endless(" "), []string{"400"}},
		{"a body in chunks that dribble", post + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", endless("1\r\n \r\n"), []string{"400"}},
		{"a body that never comes", post + "Content-Length: 10\r\n\r\n", nil, []string{"400"}},
		{"a connection that is kept for nothing", fine, nil, []string{"200"}},
		{"a header of a megabyte", "GET /healthz HTTP/1.1\r\nHost: hub\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", nil, []string{"431"}},
		{"fifty thousand headers", "GET /healthz HTTP/1.1\r\nHost: hub\r\n" + strings.Repeat("X-A: 1\r\n", 50_000) + "\r\n", nil, []string{"431"}},
		{"an address of a megabyte", "GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: hub\r\n\r\n", nil, []string{"431"}},
		{"a body longer than allowed", post + "Content-Length: 99999999999\r\n\r\n", endless(strings.Repeat(" ", 1<<10)), []string{"413"}},
		{"two lengths", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", nil, []string{"400"}},
		{"a chunk of no size", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + fine, nil, []string{"400"}},
		{"an unknown coding", post + "Transfer-Encoding: pigeon\r\n\r\n" + fine, nil, []string{"501"}},
		{"a header without a name", "GET /healthz HTTP/1.1\r\nHost: hub\r\n: x\r\n\r\n" + fine, nil, []string{"400"}},
		{"a header folded", "GET /healthz HTTP/1.1\r\nHost: hub\r\nX-A\r\n : x\r\n\r\n" + fine, nil, []string{"400"}},
		{"a NUL in a header", "GET /healthz HTTP/1.1\r\nHost: hub\r\nX-A: a\x00b\r\n\r\n" + fine, nil, []string{"400"}},
		{"two hosts", "GET /healthz HTTP/1.1\r\nHost: hub\r\nHost: other\r\n\r\n" + fine, nil, []string{"400"}},
		{"garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n" + fine, nil, []string{"400"}},
		{"garbage behind a request", fine + "\x00\xff\xfe garbage\r\n\r\n" + fine, nil, []string{"200", "400"}},
		{"a body that was not announced", strings.Replace(fine, "GET", "POST", 1) + "{\"a\":1}\r\n\r\n" + fine, nil, []string{"405", "400"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said, took := talk(t, address, c.first, c.rest)
			var got []string
			for answers := bufio.NewReader(strings.NewReader(said)); ; {
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				got = append(got, resp.Status[:3])
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") || took > 3*time.Second {
				t.Errorf("after %v the answers were %v, want %v:\n%.600s", took, got, c.want, said)
			}
		})
	}
}

// Headers without end take no memory without end, from however many connections they come.
func TestFloodTakesNoMemory(t *testing.T) {
	address := impolite(t)
	flood := "GET /healthz HTTP/1.1\r\nHost: hub\r\n" + strings.Repeat("X-Flood: "+strings.Repeat("a", 1000)+"\r\n", 8<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var wait sync.WaitGroup
	const connections = 32
	for range connections {
		wait.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(4 * time.Second))
			_, err = io.WriteString(conn, flood)
			answer := make([]byte, 64)
			n, _ := conn.Read(answer)
			if err == nil && !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 431")) {
				t.Errorf("the flood was taken: %q", answer[:n])
			}
		})
	}
	wait.Wait()
	runtime.ReadMemStats(&after)
	// A copy of the text for each connection is the test's own.
	taken := int64(after.TotalAlloc-before.TotalAlloc) - int64(connections*len(flood))
	if most := int64(connections * (1 << 20)); taken > most {
		t.Errorf("%d connections took %d bytes, more than %d", connections, taken, most)
	}
}

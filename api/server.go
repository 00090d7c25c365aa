package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
)

// sendBuffer is how much unsent data the kernel keeps per connection; Linux doubles what it is asked for. Default buffers
// hold megabytes, which would still reach a caller after its grant was suspended.
const sendBuffer = 32 << 10

// NewServer returns a server for the contract with its time limits, to be used with any listener.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			// What the kernel has taken under TLS is gone all the same.
			if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
				c = secure.NetConn()
			}
			if buffered, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
				_ = buffered.SetWriteBuffer(sendBuffer)
			}
			return ctx
		},
	}
}

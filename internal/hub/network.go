package hub

import (
	"context"
	"errors"
	"net"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/netguard"
)

// SourceDial opens the connections of sources to the addresses that the policy allows.
func SourceDial(policy netguard.Policy) connectors.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := policy.Dial(ctx, network, address)
		if errors.Is(err, netguard.ErrRefused) {
			err = errors.Join(connectors.ErrRefused, err)
		}
		return conn, err
	}
}

package hub

import (
	"context"
	"log/slog"
	"time"

	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// certificates reads the certificate that the settings name, nil where they name none.
func certificates(cfg config.Config, log *slog.Logger) (*edge.Certificates, error) {
	if cfg.TLSCert == "" && cfg.TLSKey == "" && cfg.TLSClientCA == "" {
		return nil, nil
	}
	if cfg.TLSCert == "" || cfg.TLSKey == "" {
		return nil, fault.New(fault.Invalid, "config_invalid",
			"give SHUQIAO_TLS_CERT and SHUQIAO_TLS_KEY together; SHUQIAO_TLS_CLIENT_CA needs both")
	}
	return edge.LoadCertificates(edge.Files{Cert: cfg.TLSCert, Key: cfg.TLSKey, ClientCA: cfg.TLSClientCA}, log)
}

// origins says which proxies in front of the node are believed.
func (p *Program) origins() edge.Proxies {
	return edge.Proxies{Networks: p.opt.Config.Proxies, Header: edge.Header(p.opt.Config.ProxyHeader)}
}

// Reload reads again what may change while the node runs: the files of its certificate. What is wrong with them is logged and
// returned, and leaves the certificate in force as it is.
func (p *Program) Reload() error {
	if p.tls == nil {
		p.log.Info("nothing to read again: the node serves without a certificate of its own")
		return nil
	}
	return p.tls.Reload()
}

// tell tells the service manager. A manager that does not listen is no reason to stop.
func (p *Program) tell(state string) {
	if err := p.opt.Notify.Send(state); err != nil {
		p.log.Warn("the service manager was not told", "state", state, "error", err)
	}
}

// watch tells the service manager twice per period that the process lives. It does not ask whether the database is there: a
// restart would not bring it back; /readyz says so.
func (p *Program) watch(ctx context.Context, period time.Duration) error {
	ticker := time.NewTicker(period / 2)
	defer ticker.Stop()
	for {
		p.tell("WATCHDOG=1")
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

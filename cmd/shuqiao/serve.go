package main

import (
	"fmt"
	"maps"
	"os"
	"os/signal"
	"syscall"

	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/systemd"
)

type serveCommand struct {
	settings
	Listen       string `help:"Address of the API and the console, as host:port." placeholder:"HOST:PORT"`
	Role         string `help:"What this node does: all, api or worker." placeholder:"ROLE"`
	Workers      string `help:"How many runs this node carries out at the same time." placeholder:"N"`
	NodeTakeover string `name:"node-takeover" help:"How long a node may be silent before others take over its runs." placeholder:"DURATION"`
	ExportsDir   string `name:"exports-dir" help:"Folder of exported files; nodes of one hub share it." placeholder:"DIR"`
	ExportKeep   string `name:"export-keep" help:"How long an exported file can be fetched." placeholder:"DURATION"`
	ExportSpace  string `name:"export-space" help:"How much the files of all exports may take, in bytes, KiB, MiB or GiB." placeholder:"SIZE"`
	BodyLimit    string `name:"body-limit" help:"Largest request body, in bytes, KiB or MiB." placeholder:"SIZE"`
	CodePrefix   string `name:"resource-code-prefix" help:"What a province or city puts before national resource codes." placeholder:"PREFIX"`
	TimeZone     string `name:"time-zone" help:"IANA time zone of schedules, working days and shown times." placeholder:"ZONE"`

	TLSCert        string `name:"tls-cert" help:"Certificate in PEM form; with --tls-key the hub serves HTTPS." placeholder:"FILE"`
	TLSKey         string `name:"tls-key" help:"Private key of the certificate." placeholder:"FILE"`
	TLSClientCA    string `name:"tls-client-ca" help:"Issuers of the certificates that clients may show." placeholder:"FILE"`
	TrustedProxies string `name:"trusted-proxies" help:"Networks of proxies that are believed about who calls." placeholder:"CIDR,…"`
	ProxyHeader    string `name:"proxy-header" help:"Headers that they write: x-forwarded or forwarded." placeholder:"FORM"`

	SourceNetworks string `name:"source-networks" help:"Where sources may lie: default, unix, networks, addresses, host names." placeholder:"LIST"`
	NoticeNetworks string `name:"notice-networks" help:"Where webhooks and mail servers of alarms may lie." placeholder:"LIST"`
	serveFlagsOfPeople
	serveFlagsOfRetention
}

// given returns the flags that were given, by their names in the table of options.
func (c *serveCommand) given() map[string]string {
	flags := c.flags()
	for key, value := range given(map[string]string{
		"listen": c.Listen, "role": c.Role, "workers": c.Workers, "node-takeover": c.NodeTakeover,
		"exports-dir": c.ExportsDir, "export-keep": c.ExportKeep, "export-space": c.ExportSpace,
		"body-limit": c.BodyLimit, "time-zone": c.TimeZone, "resource-code-prefix": c.CodePrefix,
		"tls-cert": c.TLSCert, "tls-key": c.TLSKey, "tls-client-ca": c.TLSClientCA,
		"trusted-proxies": c.TrustedProxies, "proxy-header": c.ProxyHeader,
		"source-networks": c.SourceNetworks, "notice-networks": c.NoticeNetworks,
	}) {
		flags[key] = value
	}
	maps.Copy(flags, c.people())
	maps.Copy(flags, c.retention())
	return flags
}

// Run serves until the context ends; SIGHUP makes it read its certificate again. The line "listening on <url>" on standard
// output says that it serves.
func (c *serveCommand) Run(t *terminal) error {
	cfg, log, err := t.load(c.given())
	if err != nil {
		return err
	}
	// Before anything is started: until then SIGHUP ends the process.
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	p, err := hub.Open(t.ctx, hub.Options{
		Config: cfg, Version: version, Log: log, Notify: systemd.New(t.environ, os.Getpid()),
	})
	if err != nil {
		return err
	}
	defer p.Close()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-again:
				_ = p.Reload() // It logs what is wrong.
			}
		}
	}()
	link, err := p.SetupLink(t.ctx)
	if err != nil {
		return err
	}
	go func() {
		<-p.Ready()
		fmt.Fprintf(t.out, "listening on %s\n", p.URL())
		if link != "" {
			fmt.Fprintln(t.out, "This hub is not set up and refuses everything else. Open this link, which works once and for 24 hours, or run shuqiao setup:")
			fmt.Fprintln(t.out, "  "+link)
			log.Warn("this hub is not set up; the link works once and for 24 hours", "setup_link", link)
		}
	}()
	return p.Run(t.ctx)
}

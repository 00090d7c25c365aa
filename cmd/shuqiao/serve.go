package main

import (
	"fmt"

	"github.com/shuqiao/shuqiao/internal/hub"
)

type serveCommand struct {
	settings
	Listen         string `help:"Address of the API and the console, as host:port." placeholder:"HOST:PORT"`
	Role           string `help:"What this node does: all, api or worker." placeholder:"ROLE"`
	Workers        string `help:"How many runs this node carries out at the same time." placeholder:"N"`
	NodeTakeover   string `name:"node-takeover" help:"How long a node may be silent before others take over its runs." placeholder:"DURATION"`
	BodyLimit      string `name:"body-limit" help:"Largest request body, in bytes, KiB or MiB." placeholder:"SIZE"`
	SourceNetworks string `name:"source-networks" help:"Where sources may lie: default, unix, networks, addresses, host names." placeholder:"LIST"`
	NoticeNetworks string `name:"notice-networks" help:"Where webhooks and mail servers of alarms may lie." placeholder:"LIST"`
	TimeZone       string `name:"time-zone" help:"IANA time zone of schedules, working days and shown times." placeholder:"ZONE"`
}

// given returns the flags that were given, by their names in the table of options.
func (c *serveCommand) given() map[string]string {
	flags := c.flags()
	for key, value := range given(map[string]string{
		"listen": c.Listen, "role": c.Role, "workers": c.Workers, "node-takeover": c.NodeTakeover,
		"body-limit": c.BodyLimit, "time-zone": c.TimeZone,
		"source-networks": c.SourceNetworks, "notice-networks": c.NoticeNetworks,
	}) {
		flags[key] = value
	}
	return flags
}

// Run serves until the context ends. The line "listening on <url>" on standard output says that it serves.
func (c *serveCommand) Run(t *terminal) error {
	cfg, log, err := t.load(c.given())
	if err != nil {
		return err
	}
	p, err := hub.Open(t.ctx, hub.Options{Config: cfg, Version: version, Log: log})
	if err != nil {
		return err
	}
	defer p.Close()
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

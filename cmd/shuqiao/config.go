package main

import (
	"encoding/json"
	"fmt"

	"github.com/shuqiao/shuqiao/internal/config"
)

type configCommand struct {
	Show   configShow   `cmd:"" default:"withargs" help:"Print the settings in force and where each comes from; secrets are hidden."`
	Sample configSample `cmd:"" help:"Print a settings file that explains every option."`
}

// configShow takes the flags of serve, so that what it prints is what serve would run with.
type configShow struct {
	serveCommand
	Output string `short:"o" default:"text" enum:"text,json" help:"Form of the answer: text or json."`
}

// Run prints one setting a line.
func (c *configShow) Run(t *terminal) error {
	cfg, _, err := t.load(c.given())
	if err != nil {
		return err
	}
	if c.Output == "json" {
		encoder := json.NewEncoder(t.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(cfg.InForce()); err != nil {
			return fmt.Errorf("writing the settings: %w", err)
		}
		return nil
	}
	return cfg.Dump(t.out)
}

type configSample struct {
	Language string `default:"en" enum:"en,zh-CN" help:"Language of the explanations: ${enum}."`
}

// Run prints the sample.
func (c *configSample) Run(t *terminal) error { return config.WriteSample(t.out, c.Language) }

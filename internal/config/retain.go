package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/internal/retain"
)

// retainOptions makes an option of each period that may be set.
func retainOptions() []Option {
	var out []Option
	for _, r := range retain.Rules() {
		if r.Fixed {
			continue
		}
		name := strings.ReplaceAll(string(r.Kind), "_", "-")
		out = append(out, define(Option{
			Key: "retain-" + name, Env: "SHUQIAO_RETAIN_" + strings.ToUpper(string(r.Kind)), Default: strconv.Itoa(r.Days),
			Doc:   fmt.Sprintf("%s are kept for so many days after: %s. At least %d (%s). The same on all nodes.", r.What, r.Since, r.Least, r.Basis.Text()),
			DocZH: fmt.Sprintf("%s的保存天数，自%s起算。不得少于 %d 天（%s）。各节点须一致。", r.WhatZH, r.SinceZH, r.Least, r.Basis.TextZH()),
		}, wholeBetween(r.Least, retain.Most), func(c *Config, v int) {
			if c.Retain == nil {
				c.Retain = retain.Days{}
			}
			c.Retain[r.Kind] = v
		}))
	}
	return out
}

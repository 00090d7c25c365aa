package main

import (
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	version := flags.String("version", "dev", "version of the hub")
	at := flags.String("time", "", "when it was made, RFC 3339; left out when empty")
	assets := flags.String("assets", "", "package.json with the embedded front-end packages, pinned exactly")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading the command line: %w", err)
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("name one binary")
	}
	path := flags.Arg(0)
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading what %q was built from: %w", path, err)
	}
	sum, err := digest(path)
	if err != nil {
		return err
	}
	d := newDocument(info, *version, *at, sum)
	if *assets != "" {
		if err := d.addAssets(*assets); err != nil {
			return err
		}
	}
	d.finish()
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(d)
}

// Command shuqiao is the hub: one binary that serves, migrates and verifies.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/shuqiao/shuqiao/cmd/shuqiao/cli"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// commands is the command line.
type commands struct {
	ConfigFile string `name:"config" help:"Settings file with one KEY=value a line." type:"path" placeholder:"FILE"`

	Serve   serveCommand   `cmd:"" help:"Run the hub until it is told to stop."`
	Demo    demoCommand    `cmd:"" help:"Show the hub at work: make up a city, play a story on it, go on serving."`
	Setup   setupCommand   `cmd:"" help:"Create the sharing authority and the first accounts of an empty hub."`
	Migrate migrateCommand `cmd:"" help:"Change or show the database schema."`
	Audit   auditCommand   `cmd:"" help:"Check the evidence."`
	Doctor  doctorCommand  `cmd:"" help:"Look at this machine and the database: what is wrong, why, and how it is mended."`
	Config  configCommand  `cmd:"" help:"Print the settings in force, or a sample of all."`
	Backup  backupCommand  `cmd:"" help:"Write the hub into one encrypted file."`
	Restore restoreCommand `cmd:"" help:"Put a hub back from a backup, into an empty data folder."`

	RestoreMark restoreMarkCommand `cmd:"" name:"restore-mark" help:"Say that the database was restored by other means: cursors begin anew, grants wait for confirmation."`

	Search   searchCommand    `cmd:"" help:"What searches of the directory read."`
	Check    checkCommand     `cmd:"" help:"Judge credit codes, identity numbers and other codes, one a line of standard input."`
	Calendar calendarCommands `cmd:"" help:"Working days."`

	Version versionCommand `cmd:"" help:"Print the version."`

	Login      cli.Login      `cmd:"" help:"Sign in to a hub."`
	Logout     cli.Logout     `cmd:"" help:"Sign out."`
	Password   cli.Password   `cmd:"" help:"Change the password of the account that is signed in."`
	Export     cli.Export     `cmd:"" help:"Order files of the rows of a grant, and fetch them."`
	Pull       cli.Pull       `cmd:"" help:"Keep a copy of what a grant gives, in PostgreSQL or a folder."`
	Run        runCommands    `cmd:"" help:"Executions of tasks."`
	Resource   entryCommands  `cmd:"" help:"Directory entries."`
	Import     importCommands `cmd:"" help:"Files of entries."`
	API        cli.Raw        `cmd:"" name:"api" help:"Call any route of the API."`
	Completion cli.Completion `cmd:"" help:"Print a script that completes commands."`
}

// runCommands are those that the table of commands cannot say; the others join them.
type runCommands struct {
	Watch cli.Watch `cmd:"" help:"Show a run until it is over."`
}

// entryCommands are likewise those about directory entries.
type entryCommands struct {
	Dump   cli.Dump            `cmd:"" help:"Write every entry that I may read, one JSON object a line."`
	Export cli.ExportDirectory `cmd:"" help:"Write entries into a workbook or CSV that can be imported again."`
}

// importCommands are likewise those about files of entries.
type importCommands struct {
	Send     cli.SendImport     `cmd:"" help:"Send a file of entries in, and wait for its check; with --apply, write them."`
	Result   cli.ImportResult   `cmd:"" help:"Fetch the file again, with a column that says what is wrong."`
	Template cli.ImportTemplate `cmd:"" help:"Fetch the workbook to fill in."`
}

// settings are the options that every command with a hub or database takes. Empty ones are not given.
type settings struct {
	DatabaseURL string `name:"database-url" help:"PostgreSQL database of the hub; without one, the private PostgreSQL of the data folder." placeholder:"URL"`
	DataDir     string `name:"data-dir" help:"Folder for keys and the private PostgreSQL." placeholder:"DIR"`
	LogLevel    string `name:"log-level" help:"Least level that is logged: debug, info, warn or error." placeholder:"LEVEL"`
	LogFormat   string `name:"log-format" help:"Form of log lines: text or json." placeholder:"FORM"`
}

func (s settings) flags() map[string]string {
	return given(map[string]string{
		"database-url": s.DatabaseURL, "data-dir": s.DataDir, "log-level": s.LogLevel, "log-format": s.LogFormat,
	})
}

// given leaves out what is empty.
func given(flags map[string]string) map[string]string {
	for key, value := range flags {
		if value == "" {
			delete(flags, key)
		}
	}
	return flags
}

// terminal is what commands work with besides their own flags.
type terminal struct {
	ctx     context.Context
	in      io.Reader
	out     io.Writer
	err     io.Writer
	environ []string
	file    string
}

// load reads the settings in force and makes the log that goes to standard error.
func (t *terminal) load(flags map[string]string) (config.Config, *slog.Logger, error) {
	cfg, err := config.Load(config.Sources{File: t.file, Environ: t.environ, Flags: flags})
	if err != nil {
		return config.Config{}, nil, err
	}
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(t.err, options)
	if cfg.LogFormat == config.LogJSON {
		handler = slog.NewJSONHandler(t.err, options)
	}
	log := slog.New(handler)
	for _, warning := range cfg.Warnings {
		log.Warn(warning)
	}
	return cfg, log, nil
}

// run carries one command line out and returns the exit code.
func run(ctx context.Context, args, environ []string, out, errOut io.Writer) int {
	return runFrom(ctx, args, environ, os.Stdin, out, errOut)
}

// newParser returns the grammar of the command line; args are what it will parse.
func newParser(line *commands, args []string, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(line, append(append(cli.Options(args),
		kong.Name("shuqiao"),
		kong.Description("Shuqiao (数桥): a government data-sharing exchange hub."),
		kong.Vars(cli.Vars()),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	), options...)...)
}

// runFrom is run with a standard input of one's own.
func runFrom(ctx context.Context, args, environ []string, in io.Reader, out, errOut io.Writer) int {
	var line commands
	exited, code := false, 0
	parser, err := newParser(&line, args, kong.Writers(out, errOut), kong.Exit(func(c int) { exited, code = true, c }))
	if err != nil {
		return fail(errOut, err)
	}
	command, err := parser.Parse(args)
	if exited {
		return code
	}
	if err != nil {
		return fail(errOut, fault.New(fault.Invalid, "usage", "%s; see shuqiao --help", err.Error()))
	}
	t := &terminal{ctx: ctx, in: in, out: out, err: errOut, environ: environ, file: line.ConfigFile}
	client := &cli.Terminal{Ctx: ctx, In: in, Out: out, Err: errOut, Environ: environ}
	if call := cli.Find(command); call != nil {
		return fail(errOut, call.Run(client))
	}
	return fail(errOut, command.Run(t, client))
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// dialogue asks a person at a terminal.
type dialogue struct {
	file  *os.File
	lines *bufio.Reader
	out   io.Writer
}

// newDialogue returns a dialogue where standard input is a terminal.
func newDialogue(t *terminal) (*dialogue, bool) {
	file, ok := t.in.(*os.File)
	if !ok {
		return nil, false
	}
	// A character device such as /dev/null is no terminal; only a terminal has settings.
	settings := exec.CommandContext(t.ctx, "stty", "-g")
	settings.Stdin = file
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 || settings.Run() != nil {
		return nil, false
	}
	return &dialogue{file: file, lines: bufio.NewReader(file), out: t.out}, true
}

// complete asks for what is missing of the authority, and for every account.
func (d *dialogue) complete(ctx context.Context, r *identity.SetupRequest) error {
	fmt.Fprintln(d.out, "This sets an empty hub up. What stands in brackets is taken when you only press Enter; Ctrl-C leaves everything as it is.")
	firstOf := func(findings []codes.Finding) string {
		f, _ := codes.FirstError(findings)
		return f.Message
	}
	for _, q := range []struct {
		question string
		answer   *string
		check    func(string) string
	}{
		{"Name of the sharing authority (数据主管部门)", &r.Authority.Name, func(s string) string {
			if s == "" {
				return "say what the authority is called"
			}
			return ""
		}},
		{"Its unified social credit code", &r.Authority.USCC, func(s string) string { return firstOf(codes.CheckUSCC(codes.NormaliseUpper(s))) }},
		{"Its division code, 6 digits", &r.Authority.DivisionCode, func(s string) string { return firstOf(codes.CheckDivision(s)) }},
	} {
		if *q.answer != "" && q.check(*q.answer) == "" {
			continue
		}
		if err := d.ask(ctx, q.question, "", q.answer, q.check); err != nil {
			return err
		}
	}
	fmt.Fprintln(d.out, "The three administrators are three persons; each types their own password.")
	for _, a := range []struct {
		role     string
		account  *identity.Account
		optional bool
	}{
		{"system administrator 系统管理员", &r.SystemAdmin, false},
		{"security administrator 安全管理员", &r.SecurityAdmin, false},
		{"auditor 审计管理员", &r.Auditor, false},
		{"platform operator 平台管理员", &r.PlatformOperator, true},
	} {
		if err := d.account(ctx, a.role, a.account, a.optional); err != nil {
			return err
		}
	}
	return nil
}

// account asks for one account. A person may have the password made up; an optional account may be left out.
func (d *dialogue) account(ctx context.Context, role string, a *identity.Account, optional bool) error {
	anything := func(string) string { return "" }
	question, standard := "User name of the "+role, a.Username
	if optional {
		question += ", - for none"
	}
	if err := d.ask(ctx, question, standard, &a.Username, anything); err != nil {
		return err
	}
	if optional && a.Username == "-" {
		*a = identity.Account{}
		return nil
	}
	if err := d.ask(ctx, "Name of the person", a.DisplayName, &a.DisplayName, anything); err != nil {
		return err
	}
	for {
		first, err := d.hidden(ctx, "Password, not shown [one is made up]: ")
		if err != nil || first == "" {
			return err
		}
		if wrong := identity.CheckPassword("password", a.Username, secret.Secret(first)); len(wrong) > 0 {
			fmt.Fprintln(d.out, "  "+wrong[0].Message)
			continue
		}
		again, err := d.hidden(ctx, "The same again: ")
		if err != nil {
			return err
		}
		if again == first {
			a.Password = secret.Secret(first)
			return nil
		}
		fmt.Fprintln(d.out, "  the two differ")
	}
}

// ask asks until check finds nothing wrong.
func (d *dialogue) ask(ctx context.Context, question, standard string, answer *string, check func(string) string) error {
	if standard != "" {
		question += " [" + standard + "]"
	}
	for {
		text, err := d.line(ctx, question+": ")
		if err != nil {
			return err
		}
		if text = strings.TrimSpace(text); text == "" {
			text = standard
		}
		if wrong := check(text); wrong != "" {
			fmt.Fprintln(d.out, "  "+wrong)
			continue
		}
		*answer = text
		return nil
	}
}

// line reads one line. It returns when the context ends, too: Ctrl-C must not wait for Enter.
func (d *dialogue) line(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(d.out, prompt)
	type answer struct {
		text string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := d.lines.ReadString('\n')
		read <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.out)
		return "", errors.New("stopped; nothing was changed")
	case a := <-read:
		if errors.Is(a.err, io.EOF) {
			return "", fault.New(fault.Invalid, "answers_ended", "the answers ended before all was said; nothing was changed")
		}
		if a.err != nil {
			return "", fmt.Errorf("reading the terminal: %w", a.err)
		}
		return strings.TrimRight(a.text, "\r\n"), nil
	}
}

// hidden reads one line that the terminal does not show.
func (d *dialogue) hidden(ctx context.Context, prompt string) (string, error) {
	if err := d.echo(false); err != nil {
		return "", fault.New(fault.Unavailable, "terminal", "this terminal cannot hide what is typed; use --answers with a file").Wrap(err)
	}
	defer func() { _ = d.echo(true) }()
	text, err := d.line(ctx, prompt)
	fmt.Fprintln(d.out)
	return text, err
}

// echo says whether the terminal shows what is typed. stty is part of every system that has terminals.
func (d *dialogue) echo(shown bool) error {
	mode := "-echo"
	if shown {
		mode = "echo"
	}
	// Not bound to a context: the terminal has to be put back after Ctrl-C, too.
	set := exec.Command("stty", mode)
	set.Stdin = d.file
	return set.Run()
}

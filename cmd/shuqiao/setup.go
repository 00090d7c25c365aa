package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/secret"
)

type setupCommand struct {
	settings
	Name     string `help:"Name of the sharing authority (数据主管部门)." placeholder:"NAME"`
	NameEN   string `name:"name-en" help:"The same in English." placeholder:"NAME"`
	USCC     string `name:"uscc" help:"Its unified social credit code." placeholder:"CODE"`
	Division string `help:"Its division code, 6 digits." placeholder:"CODE"`
	Level    string `default:"" enum:",national,province,city,county,township" help:"Its level, where the division code does not say it: national, province, city, county or township." placeholder:"LEVEL"`
	Answers  string `help:"JSON file with the authority and the accounts, as POST /api/v1/setup takes them; - reads it from standard input. Passwords left out are made up." placeholder:"FILE"`
}

// maxAnswers bounds a file of answers.
const maxAnswers = 64 << 10

// Run creates the authority and the accounts, and prints the passwords that it made up, which are kept nowhere else. What is
// not given by flags or a file is asked at the terminal. No password is ever taken from the command line, which other users
// of the machine can read.
func (c *setupCommand) Run(t *terminal) error {
	request, ask, err := c.request(t)
	if err != nil {
		return err
	}
	cfg, log, err := t.load(c.flags())
	if err != nil {
		return err
	}
	d, closeAll, err := openDatabase(t, cfg, log)
	if err != nil {
		return err
	}
	defer closeAll()
	// Setup may come before the first start, and then finds an empty database.
	if err := hub.Migrate(t.ctx, d, cfg.DatabaseURL == ""); err != nil {
		return err
	}
	// Setup decides nothing, so the follower is never run; the service only wants to be told of changes.
	follower, err := authz.NewFollower(t.ctx, authz.FollowerOptions{DB: d, Log: log})
	if err != nil {
		return err
	}
	enforcer, err := authz.NewEnforcer(t.ctx, authz.Options{DB: d, Follower: follower, Log: log})
	if err != nil {
		return err
	}
	people := identity.New(identity.Options{DB: d, Enforcer: enforcer, Log: log, CheckAuthority: catalog.CheckAuthority, Policy: identity.PasswordPolicy{MinLength: cfg.PasswordMinLength}})
	if empty, err := people.NeedsSetup(t.ctx); err == nil && !empty {
		ask = nil // Setup says what is wrong; nobody has to type for that.
	}
	if ask != nil {
		if err := ask.complete(t.ctx, &request); err != nil {
			return err
		}
	}
	madeUp := makeUp(&request)
	if _, err := people.Setup(t.ctx, request); err != nil {
		return err
	}
	if len(madeUp) == 0 {
		fmt.Fprintln(t.out, "The hub has its first users.")
		return nil
	}
	fmt.Fprintln(t.out, "The hub has its first users. Write their passwords down now; they are shown once, and the first sign-in demands others.")
	for _, account := range madeUp {
		fmt.Fprintf(t.out, "  %-18s %s\n", account.Username, account.Password.Reveal())
	}
	return nil
}

// request is what the file or the flags say. ask is not nil where the rest has to be asked for.
func (c *setupCommand) request(t *terminal) (identity.SetupRequest, *dialogue, error) {
	given := c.Name != "" || c.USCC != "" || c.Division != ""
	switch {
	case c.Answers != "" && given:
		return identity.SetupRequest{}, nil, fault.New(fault.Invalid, "usage", "give either --answers or the authority by flags")
	case c.Answers != "":
		request, err := c.answers(t)
		return request, nil, err
	}
	request := firstRequest()
	request.Authority = identity.Authority{USCC: c.USCC, Name: c.Name, NameEN: c.NameEN, DivisionCode: c.Division, Level: c.Level}
	if c.Name == "" || c.USCC == "" || c.Division == "" {
		if ask, ok := newDialogue(t); ok {
			return request, ask, nil
		}
	}
	if !given {
		return request, nil, fault.New(fault.Invalid, "usage",
			"give --name, --uscc and --division, or --answers FILE, or run this at a terminal to be asked")
	}
	var fields []fault.Field
	if strings.TrimSpace(c.Name) == "" {
		fields = append(fields, fault.Field{Name: "name", Code: "required", Message: "say what the authority is called"})
	}
	if f, wrong := codes.FirstError(codes.CheckUSCC(c.USCC)); wrong {
		fields = append(fields, fault.Field{Name: "uscc", Code: f.Code, Message: f.Message})
	}
	if f, wrong := codes.FirstError(codes.CheckDivision(c.Division)); wrong {
		fields = append(fields, fault.Field{Name: "division", Code: f.Code, Message: f.Message})
	}
	return request, nil, fault.InvalidFields(fields)
}

// answers reads the file of answers. Names that it does not know are refused, since a misspelt one would be lost.
func (c *setupCommand) answers(t *terminal) (request identity.SetupRequest, err error) {
	from := t.in
	if c.Answers != "-" {
		file, err := os.Open(c.Answers)
		if err != nil {
			return request, fault.New(fault.Invalid, "answers_file", "the file of answers cannot be opened").Wrap(err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxAnswers+1))
	switch {
	case err != nil:
		return request, fmt.Errorf("reading the answers: %w", err)
	case len(raw) > maxAnswers:
		return request, fault.New(fault.TooLarge, "answers_file", "the answers are longer than %d bytes", maxAnswers)
	}
	return readAnswers(raw)
}

// readAnswers reads the text of a file of answers.
func readAnswers(raw []byte) (request identity.SetupRequest, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil || decoder.More() {
		// What the decoder says may hold what was in the file, which are passwords.
		return request, fault.New(fault.Invalid, "answers_file",
			"the answers are not the JSON of POST /api/v1/setup: authority, system_admin, security_admin, auditor and perhaps platform_operator")
	}
	return request, nil
}

// firstRequest names the first accounts as long as nobody names them otherwise.
func firstRequest() identity.SetupRequest {
	return identity.SetupRequest{
		SystemAdmin:      identity.Account{Username: "system_admin", DisplayName: "系统管理员"},
		SecurityAdmin:    identity.Account{Username: "security_admin", DisplayName: "安全管理员"},
		Auditor:          identity.Account{Username: "auditor", DisplayName: "审计管理员"},
		PlatformOperator: identity.Account{Username: "platform_operator", DisplayName: "平台管理员"},
	}
}

// makeUp gives a password to every account that has a name and none, and returns these accounts.
func makeUp(r *identity.SetupRequest) []identity.Account {
	var made []identity.Account
	for _, account := range []*identity.Account{&r.SystemAdmin, &r.SecurityAdmin, &r.Auditor, &r.PlatformOperator} {
		if account.Username != "" && account.Password == "" {
			account.Password, account.Temporary = newPassword(), true
			made = append(made, *account)
		}
	}
	return made
}

// newPassword returns 20 random characters of four classes, about 115 bits.
func newPassword() secret.Secret {
	classes := []string{"abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "-_+.="}
	all := classes[0] + classes[1] + classes[2]
	text := make([]byte, 0, 20)
	for _, class := range classes {
		text = append(text, class[below(len(class))])
	}
	for len(text) < 20 {
		text = append(text, all[below(len(all))])
	}
	for i := len(text) - 1; i > 0; i-- {
		j := below(i + 1)
		text[i], text[j] = text[j], text[i]
	}
	return secret.Secret(text)
}

func below(n int) int {
	// crypto/rand does not fail on the systems Go runs on.
	i, _ := rand.Int(rand.Reader, big.NewInt(int64(n)))
	return int(i.Int64())
}

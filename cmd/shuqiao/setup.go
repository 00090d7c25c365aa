package main

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/secret"
)

type setupCommand struct {
	settings
	Name     string `required:"" help:"Name of the sharing authority (数据主管部门)."`
	NameEN   string `name:"name-en" help:"The same in English."`
	USCC     string `name:"uscc" required:"" help:"Its unified social credit code."`
	Division string `required:"" help:"Its division code, 6 digits."`
	Level    string `default:"city" enum:"national,province,city,county,township" help:"Its level: ${enum}."`
}

// Run creates the accounts and prints their passwords, which are kept nowhere else.
func (c *setupCommand) Run(t *terminal) error {
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
	if err := fault.InvalidFields(fields); err != nil {
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
	accounts := []identity.Account{
		{Username: "system_admin", DisplayName: "系统管理员"},
		{Username: "security_admin", DisplayName: "安全管理员"},
		{Username: "auditor", DisplayName: "审计管理员"},
		{Username: "platform_operator", DisplayName: "平台管理员"},
	}
	for i := range accounts {
		accounts[i].Password = newPassword()
	}
	_, err = identity.New(identity.Options{DB: d, Enforcer: enforcer, Log: log}).Setup(t.ctx, identity.SetupRequest{
		Authority:   identity.Authority{USCC: c.USCC, Name: c.Name, NameEN: c.NameEN, DivisionCode: c.Division, Level: c.Level},
		SystemAdmin: accounts[0], SecurityAdmin: accounts[1], Auditor: accounts[2], PlatformOperator: accounts[3],
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, "The hub has its first users. Write their passwords down now; they are shown once.")
	for _, account := range accounts {
		fmt.Fprintf(t.out, "  %-18s %s\n", account.Username, account.Password.Reveal())
	}
	return nil
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

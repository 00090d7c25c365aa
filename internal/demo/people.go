package demo

import (
	"context"
	"fmt"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/demo/city"
)

// person is one account of the demonstration.
type person struct {
	username   string
	display    string
	role       string
	department string // Key.
}

// authority is the key of the department that is the sharing authority.
const authority = "data"

// everybody lists all accounts: the three administrators and the operator of the authority, then two people of each
// department.
func everybody() []person {
	list := []person{
		{"system_admin", "系统管理员", "system_admin", authority},
		{"security_admin", "安全管理员", "security_admin", authority},
		{"auditor", "审计管理员", "auditor", authority},
		{"platform_operator", "平台管理方", "platform_operator", authority},
	}
	for _, d := range city.Departments() {
		list = append(list,
			person{d.Key + "_admin", d.NameZH + " 共享工作机构负责人", "dept_admin", d.Key},
			person{d.Key + "_operator", d.NameZH + " 操作员", "dept_operator", d.Key},
		)
	}
	return list
}

// prepare makes the databases, the departments and the people.
func (s *story) prepare(ctx context.Context) error {
	s.tell.Step(0, "A made-up city: Shaoxing 绍兴市 with eight departments and six databases of their own")
	s.kept.Scale = s.Scale
	for _, p := range s.people {
		password(s.kept.Users, p.username)
	}
	for _, d := range city.Databases() {
		password(s.kept.Roles, d.Owner)
		password(s.kept.Roles, readerOf(d))
	}
	if err := s.kept.save(); err != nil {
		return err
	}
	if err := s.restore(ctx); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return err
	}
	if err := s.register(ctx); err != nil {
		return err
	}
	return s.hire(ctx)
}

// build fills the six databases.
func (s *story) build(ctx context.Context) error {
	s.sources = &sources{server: s.Server, roles: s.kept.Roles}
	if err := s.sources.create(ctx, databaseOf(s.HubDatabase)); err != nil {
		return err
	}
	done := map[string]int{}
	var rows, total int
	for _, d := range city.Databases() {
		for _, t := range d.Tables {
			total += t.RowsAt(s.Scale)
		}
	}
	built, err := city.Built(ctx, s.sources.owner)
	if err != nil {
		return err
	}
	s.wrong, err = s.sources.fill(ctx, s.Scale, func(database string, now, _ int) {
		rows += now - done[database]
		done[database] = now
		s.tell.Passing("making up %s of %s rows", thousands(rows), thousands(total))
	})
	if err != nil {
		return err
	}
	if built {
		s.tell.Already("six databases of their departments hold %s rows", thousands(total))
		return nil
	}
	s.tell.Done("Six databases hold %s rows; nobody and no firm in them can be real. %s rows are wrong on purpose.", thousands(total), thousands(len(s.wrong)))
	if s.sources.shared {
		s.tell.Note("The server allows no new roles, so that all databases have one owner. Elsewhere each has its own.")
	} else {
		s.tell.Note("Each belongs to its department, with a password of its own; the hub gets a role that may only read.")
	}
	return nil
}

// setUp makes the first accounts of the hub, the only ones that no account makes, through the door that every hub is set up
// by.
func (s *story) setUp(ctx context.Context) error {
	s.hub = newHub(s.APIURL, s.kept.Users)
	if s.SetupToken == "" {
		return nil
	}
	display := map[string]string{}
	for _, p := range s.people {
		display[p.username] = p.display
	}
	account := func(name string) client.Account {
		return client.Account{Username: name, DisplayName: display[name], Password: s.kept.Users[name]}
	}
	operator := account("platform_operator")
	first := client.FirstAccounts{
		SystemAdmin: account("system_admin"), SecurityAdmin: account("security_admin"), Auditor: account("auditor"), PlatformOperator: &operator,
	}
	for _, d := range city.Departments() {
		if d.Key == authority {
			first.Authority = client.Authority{USCC: d.USCC, Name: d.NameZH, NameEN: d.NameEN, DivisionCode: d.Division, Level: "city"}
		}
	}
	if _, err := s.hub.api.SetUp(ctx, s.SetupToken, first); err != nil {
		return fmt.Errorf("setting the hub up: %w", err)
	}
	return nil
}

// register enters the departments.
func (s *story) register(ctx context.Context) error {
	found, err := all[client.Department](ctx, s.hub, "system_admin", "/departments")
	if err != nil {
		return err
	}
	known := map[string]client.Department{}
	for _, d := range found {
		known[d.USCC] = d
	}
	for _, d := range city.Departments() {
		if at, ok := known[d.USCC]; ok {
			s.departments[d.Key] = at
			continue
		}
		var made client.Department
		err := s.hub.post(ctx, "system_admin", "/departments", map[string]any{
			"uscc": d.USCC, "name": d.NameZH, "name_en": d.NameEN, "division_code": d.Division, "level": "city",
		}, &made)
		if err != nil {
			return fmt.Errorf("registering %s: %w", d.NameZH, err)
		}
		s.departments[d.Key] = made
	}
	return nil
}

// hire makes the accounts. The system administrator makes them without rights, the security administrator gives the
// rights: nobody can do both.
func (s *story) hire(ctx context.Context) error {
	found, err := all[client.User](ctx, s.hub, "system_admin", "/users")
	if err != nil {
		return err
	}
	known := map[string]client.User{}
	for _, u := range found {
		known[u.Username] = u
	}
	made := 0
	for _, p := range s.people {
		u, ok := known[p.username]
		if !ok {
			s.tell.Passing("making the account %s", p.username)
			err := s.hub.post(ctx, "system_admin", "/users", map[string]any{
				"username": p.username, "display_name": p.display, "password": firstPassword(s.kept.Users[p.username]),
				"department_id": s.departments[p.department].ID, "roles": []string{},
			}, &u)
			if err != nil {
				return fmt.Errorf("making the account %s: %w", p.username, err)
			}
			made++
		}
		if u.MustChange {
			if err := s.firstSignIn(ctx, p.username); err != nil {
				return err
			}
		}
		if len(u.Roles) > 0 {
			continue
		}
		err := s.hub.put(ctx, "security_admin", "/users/"+u.ID+"/roles", map[string]any{"roles": []string{p.role}}, &u)
		if err != nil {
			return fmt.Errorf("giving %s its role: %w", p.username, err)
		}
	}
	if made == 0 {
		s.tell.Already("eight departments and %d accounts are registered", len(s.people))
		return nil
	}
	s.tell.Done("Eight departments with two people each, and three administrators who exclude each other.")
	s.tell.Note("The system administrator makes accounts, the security administrator gives them roles, the auditor watches both.")
	s.tell.Note("Everybody has changed their first password. Second factors are off in this demonstration; an installed hub demands them of administrators.")
	return nil
}

// firstPassword is what an administrator gives to somebody who will choose the other one.
func firstPassword(own string) string { return "First-" + own }

// firstSignIn does what the hub demands of a new person: it changes the password that somebody else has set.
func (s *story) firstSignIn(ctx context.Context, username string) error {
	own := s.kept.Users[username]
	first := newHub(s.APIURL, map[string]string{username: firstPassword(own)})
	if err := first.put(ctx, username, "/me/password", map[string]string{"present": firstPassword(own), "next": own}, nil); err != nil {
		return fmt.Errorf("changing the first password of %s: %w", username, err)
	}
	return nil
}

package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Ready is the content of demo.json: all that is needed to use the hub of the demonstration from outside.
type Ready struct {
	Ready       bool                 `json:"ready"`
	APIURL      string               `json:"api_url"`
	ConsoleURL  string               `json:"console_url"`
	DatabaseURL string               `json:"database_url"` // Of the hub's own database, with all rights.
	Users       map[string]ReadyUser `json:"users"`        // By user name.
	Clients     []ReadyClient        `json:"clients"`
	Resources   []ReadyResource      `json:"resources"`
	Grants      []ReadyGrant         `json:"grants"` // The first is the masked population grant.
	Tasks       []ReadyTask          `json:"tasks"`
	Sources     []ReadySource        `json:"sources"`
}

// ReadyUser is one login.
type ReadyUser struct {
	Username   string   `json:"username"`
	Password   string   `json:"password"`
	Roles      []string `json:"roles"`
	Department string   `json:"department"` // Name.
}

// ReadyClient is one consuming system with its key and what its calls state.
type ReadyClient struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Department string `json:"department"`
	KeyID      string `json:"key_id"`
	Secret     string `json:"secret"`
	Purpose    string `json:"purpose"`
	CaseNumber string `json:"case_number"`
}

// ReadyResource is one published entry.
type ReadyResource struct {
	ID           string `json:"id"`
	Code         string `json:"code"`
	Name         string `json:"name"`
	BaseDatabase string `json:"base_database"`
}

// ReadyGrant is one grant; Client and Resource are ids.
type ReadyGrant struct {
	ID       string `json:"id"`
	Client   string `json:"client"`
	Resource string `json:"resource"`
	State    string `json:"state"`
}

// ReadyTask is the task that collects a resource; Resource is its id.
type ReadyTask struct {
	ID       string `json:"id"`
	Resource string `json:"resource"`
}

// ReadySource is a source database as its owner reaches it.
type ReadySource struct {
	Name  string `json:"name"`
	DSN   string `json:"dsn"`
	Table string `json:"table"`
}

// farewell is what people read when the story has ended.
func (s *story) farewell(r Ready) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe story ended well after %.1f s. The hub goes on serving:\n\n", s.tell.Elapsed().Seconds())
	fmt.Fprintf(&b, "   console  %s\n   API      %s   (description: %s/docs)\n", r.ConsoleURL, r.APIURL, strings.TrimSuffix(r.APIURL, "/api/v1"))
	fmt.Fprintf(&b, "   all logins, keys and addresses: %s\n\n", filepath.Join(s.DataDir, readyFile))
	fmt.Fprintf(&b, "   %-20s %-32s %-18s %s\n", "sign in as", "password", "role", "department")
	for _, p := range s.people {
		u := r.Users[p.username]
		fmt.Fprintf(&b, "   %-20s %-32s %-18s %s\n", u.Username, u.Password, strings.Join(u.Roles, ", "), u.Department)
	}
	b.WriteString("\n   The demo set this hub up by itself and made these passwords up; a hub of your own starts with \"shuqiao serve\" and its setup link.\n")
	return b.String()
}

// ready gathers what is in demo.json.
func (s *story) ready(ctx context.Context) (Ready, error) {
	r := Ready{Ready: true, APIURL: s.APIURL, ConsoleURL: s.ConsoleURL, DatabaseURL: s.HubDatabase, Users: map[string]ReadyUser{}}
	for _, p := range s.people {
		r.Users[p.username] = ReadyUser{
			Username: p.username, Password: s.kept.Users[p.username], Roles: []string{p.role}, Department: s.departments[p.department].Name,
		}
	}
	for _, y := range []*system{s.social, s.civil, s.reform} {
		r.Clients = append(r.Clients, ReadyClient{
			ID: y.id, Name: y.name, Department: s.departments[y.department].Name, KeyID: y.key.KeyID, Secret: y.key.Secret,
			Purpose: y.purpose, CaseNumber: y.caseNumber,
		})
	}
	for _, e := range s.withRows() {
		r.Resources = append(r.Resources, ReadyResource{ID: e.resource.ID, Code: e.resource.Code, Name: e.resource.Name, BaseDatabase: e.base})
		r.Tasks = append(r.Tasks, ReadyTask{ID: e.task.ID, Resource: e.resource.ID})
		r.Sources = append(r.Sources, ReadySource{Name: e.database.Name, DSN: s.sources.owner(e.database.Name), Table: "public." + e.table.Name})
	}
	closed := s.resources[withheld]
	r.Resources = append(r.Resources, ReadyResource{ID: closed.resource.ID, Code: closed.resource.Code, Name: closed.resource.Name})
	for _, y := range []*system{s.social, s.civil} {
		// As it is now: somebody may have changed it since the story began.
		if err := s.hub.get(ctx, y.department+"_operator", "/grants/"+y.grant.ID, &y.grant); err != nil {
			return Ready{}, err
		}
		if y.grant.State != "active" {
			return Ready{}, untrue("the grant of %s is %s at the end", y.name, y.grant.State)
		}
		r.Grants = append(r.Grants, ReadyGrant{ID: y.grant.ID, Client: y.id, Resource: y.source.resource.ID, State: y.grant.State})
	}
	return r, nil
}

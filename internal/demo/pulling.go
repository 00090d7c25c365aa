package demo

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
)

// follow is a consumer that has read everything it may see and keeps up with what changes.
type follow struct {
	rows   int
	cursor string
}

// caller returns the API as a consuming system uses it, and what its calls state.
func (s *story) caller(y *system) (*client.Client, client.Pull) {
	return s.hub.api.As(y.bearer()), client.Pull{
		Resource: strings.ReplaceAll(y.source.resource.Code, "/", "-"), Purpose: y.purpose, CaseNumber: y.caseNumber,
	}
}

// inhabitant is a person as the source knows it.
type inhabitant struct{ id, name, birth, division string }

// someone reads one right row of the population at the source: of the county asked for, or of another.
func (s *story) someone(ctx context.Context, inside bool) (p inhabitant, err error) {
	e := s.resources["base_population"]
	conn, err := pgx.Connect(ctx, s.sources.owner(e.database.Name))
	if err != nil {
		return p, fmt.Errorf("connecting to the source: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var wrong []int64
	for _, w := range s.wrong {
		if w.Table == e.table.Name {
			wrong = append(wrong, w.Row, w.Row-1) // The partner of a duplicate key stands before it.
		}
	}
	columns := e.table.Mapping()
	name := func(item string) string { return pgx.Identifier{columns[item]}.Sanitize() }
	query := fmt.Sprintf("SELECT %s, %s, %s, %s FROM %s WHERE starts_with(%s, $1) = $2 AND NOT %s = ANY($3) ORDER BY %s LIMIT 1",
		name("citizen_id"), name("name"), name("birth_date"), name("domicile_division_code"), pgx.Identifier{"public", e.table.Name}.Sanitize(),
		name("domicile_division_code"), pgx.Identifier{e.table.RowColumn}.Sanitize(), pgx.Identifier{e.table.RowColumn}.Sanitize())
	err = conn.QueryRow(ctx, query, countyAsked, inside, wrong).Scan(&p.id, &p.name, &p.birth, &p.division)
	if err != nil {
		return p, fmt.Errorf("choosing an inhabitant: %w", err)
	}
	return p, nil
}

// pull shows what a grant lets a consumer read, and what it does not.
func (s *story) pull(ctx context.Context) error {
	s.tell.Step(4, "Pulling: social security's system reads exactly what was granted")
	// A key that ends soon, for the end of this step.
	ending, err := s.issueKey(ctx, s.social, s.Clock().Add(2*time.Second))
	if err != nil {
		return err
	}
	api, call := s.caller(s.social)
	if err := s.grantInForce(ctx, api, call); err != nil {
		return err
	}
	if err := s.pages(ctx, api, call); err != nil {
		return err
	}
	known, err := s.someone(ctx, true)
	if err != nil {
		return err
	}
	stranger, err := s.someone(ctx, false)
	if err != nil {
		return err
	}
	if err := s.single(ctx, api, call, known); err != nil {
		return err
	}
	if err := s.verify(ctx, api, call, known, stranger); err != nil {
		return err
	}
	macro, macroCall := s.caller(s.civil)
	if page, err := macro.Rows(ctx, macroCall, client.Query{Limit: 3}); err != nil {
		return fmt.Errorf("pulling economic indicators: %w", err)
	} else if len(page.Rows) != 3 || page.Rows[0]["value"] == nil {
		return untrue("civil affairs gets %v", page.Rows)
	}
	return s.refusals(ctx, api, call, stranger, ending)
}

// grantInForce waits until the hub's nodes know the grant, which takes at most a second.
func (s *story) grantInForce(ctx context.Context, api *client.Client, call client.Pull) error {
	return s.until(ctx, 10*time.Second, "the grant to be in force", func() (bool, error) {
		_, err := api.Schema(ctx, call)
		switch client.Code(err) {
		case "no_grant", "grant_suspended", "policy_stale", "grant_ambiguous":
			return false, nil
		}
		return err == nil, err
	})
}

// pages reads all granted rows page by page, so that changes can follow.
func (s *story) pages(ctx context.Context, api *client.Client, call client.Pull) error {
	s.population = follow{}
	api = api.Persistent(client.Retry{}) // Pages pay into the grant's rows per second: whoever reads faster is told how long to wait.
	var first client.Row
	seen := map[string]bool{}
	for cursor := ""; s.population.cursor == ""; {
		page, err := api.Rows(ctx, call, client.Query{Limit: 5000, Cursor: cursor})
		if err != nil {
			return fmt.Errorf("pulling a page: %w", err)
		}
		for _, row := range page.Rows {
			rid, _ := row["_rid"].(string)
			division, _ := row["domicile_division_code"].(string)
			id, _ := row["citizen_id"].(string)
			switch {
			case rid == "" || seen[rid]:
				return untrue("a row has no identity of its own")
			case !strings.HasPrefix(division, countyAsked):
				return untrue("a row of another county was disclosed")
			case !strings.Contains(id, "*"):
				return untrue("an ID number was disclosed")
			case len(row) != len(askedItems())+1:
				return untrue("a row has %d items instead of %d", len(row)-1, len(askedItems()))
			}
			seen[rid] = true
			if first == nil {
				first = row
			}
		}
		s.tell.Passing("%s rows pulled", thousands(len(seen)))
		if cursor = page.NextCursor; cursor == "" {
			if s.population.cursor = page.ChangesCursor; page.ChangesCursor == "" {
				return untrue("the last page says nothing about where changes begin")
			}
		}
	}
	if s.population.rows = len(seen); len(seen) == 0 {
		return untrue("no rows were disclosed")
	}
	s.tell.Done("Page by page: %s rows, all of Yuecheng, 8 items each, masked:", thousands(len(seen)))
	s.tell.Note("%v · %v · born %v · %v · %v", first["citizen_id"], first["name"], first["birth_date"], first["mobile"], first["residence_address"])
	since, err := api.Changes(ctx, call, client.Query{Cursor: s.population.cursor})
	if err != nil {
		return fmt.Errorf("asking for changes: %w", err)
	}
	if len(since.Changes) > 0 {
		return untrue("%d rows changed though nobody changed any", len(since.Changes))
	}
	s.population.cursor = since.NextCursor
	s.tell.Done("Changes since then: none so far; the cursor is kept.")
	return nil
}

// single looks one person up by the clear ID number, which the grant allows.
func (s *story) single(ctx context.Context, api *client.Client, call client.Pull, known inhabitant) error {
	answer, err := api.Row(ctx, call, known.id)
	if err != nil {
		return fmt.Errorf("looking one person up: %w", err)
	}
	if answer.Row["domicile_division_code"] != known.division || answer.Row["citizen_id"] == known.id || answer.Row["name"] == known.name {
		return untrue("the row looked up is not the person's, or not masked")
	}
	s.tell.Done("One person, looked up by the ID number the caller knows: %v, %v. Evidence %s.", answer.Row["name"], answer.Row["domicile_division_code"], answer.Evidence.ID)
	return nil
}

// verify checks claims without a value being disclosed.
func (s *story) verify(ctx context.Context, api *client.Client, call client.Pull, known, stranger inhabitant) error {
	answer, err := api.Verify(ctx, call, []client.Claim{
		{Key: known.id, Items: map[string]any{"name": known.name, "birth_date": known.birth[:4] + "-" + known.birth[4:6] + "-" + known.birth[6:8]}},
		{Key: known.id, Items: map[string]any{"name": known.name + "某"}},
		{Key: stranger.id, Items: map[string]any{"name": stranger.name}},
	})
	if err != nil {
		return fmt.Errorf("verifying claims: %w", err)
	}
	if len(answer.Results) != 3 {
		return untrue("three claims got %d answers", len(answer.Results))
	}
	r := answer.Results
	if r[0].Items["name"] != "match" || r[0].Items["birth_date"] != "match" || r[1].Items["name"] != "mismatch" || r[2].Items["name"] != "unknown" {
		return untrue("the claims were answered %v, %v, %v", r[0].Items, r[1].Items, r[2].Items)
	}
	s.tell.Done("Claims are verified without any value: right name and birth date → match; wrong name → mismatch; somebody of another county → unknown.")
	return nil
}

// refusals shows what the grant does not cover, each with its code.
func (s *story) refusals(ctx context.Context, api *client.Client, call client.Pull, stranger inhabitant, ending keptKey) error {
	_, err := api.Rows(ctx, call, client.Query{Limit: 1, Items: []string{"citizen_id", "marital_status_code"}})
	problem, err := refused(err, "item_not_granted")
	if err != nil {
		return err
	}
	s.tell.Refused(problem.Code, "An item outside the grant (marital status)")

	foreign := call
	foreign.Purpose = "marketing"
	_, err = api.Rows(ctx, foreign, client.Query{Limit: 1})
	if problem, err = refused(err, "purpose_mismatch"); err != nil {
		return err
	}
	s.tell.Refused(problem.Code, "Another purpose than the granted one")

	old := s.hub.api.As(ending.KeyID + "." + ending.Secret)
	err = s.until(ctx, 30*time.Second, "a key to end", func() (bool, error) {
		_, err = old.Rows(ctx, call, client.Query{Limit: 1})
		return err != nil, nil
	})
	if err != nil {
		return err
	}
	_, err = old.Rows(ctx, call, client.Query{Limit: 1})
	if problem, err = refused(err, "key_expired"); err != nil {
		return err
	}
	s.tell.Refused(problem.Code, "A key whose time is over")

	outside, err := s.absent(ctx, api, call, stranger.id)
	if err != nil {
		return err
	}
	nobody, err := s.absent(ctx, api, call, noSuchID)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(outside, nobody) {
		return untrue("a row outside the grant answers %+v, one that does not exist %+v", outside, nobody)
	}
	s.tell.Refused("row_not_found", "Somebody of another county, and a number that nobody has: the same answer, word for word")
	return nil
}

// noSuchID is a well-formed identity number on a code on which none is issued, of a day long before anybody's in the city.
const noSuchID = "330600180001010018"

// absent returns the answer for a row the caller does not get, without what differs in every answer.
func (s *story) absent(ctx context.Context, api *client.Client, call client.Pull, key string) (client.Problem, error) {
	_, err := api.Row(ctx, call, key)
	problem, err := refused(err, "row_not_found")
	if err != nil {
		return client.Problem{}, err
	}
	if problem.Status != http.StatusNotFound {
		return client.Problem{}, untrue("a row not found is answered with status %d", problem.Status)
	}
	same := *problem
	same.RequestID = ""
	return same, nil
}

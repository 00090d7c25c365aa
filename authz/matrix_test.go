package authz_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// facts yields every target of the fact space for one department.
func facts(yield func(authz.Target) bool) {
	for _, share := range []string{"", "unconditional", "conditional", "withheld"} {
		for _, grade := range []string{"", "L1", "L2", "L3", "L4"} {
			for _, state := range []string{
				"", "draft", "dept_review", "platform_review", "returned", "published", "offline", "revoked", "superseded", "pending_acceptance",
			} {
				for _, granted := range []bool{false, true} {
					if !yield(authz.Target{Kind: "test", ShareType: share, Grade: grade, State: state, Granted: granted}) {
						return
					}
				}
			}
		}
	}
}

func shared(t authz.Target) bool {
	return t.ShareType == "unconditional" || t.ShareType == "conditional"
}

// powers are the words of the golden matrix: what each allows on own and on foreign objects.
var powers = []struct {
	name    string
	own     func(authz.Target) bool
	foreign func(authz.Target) bool
}{
	{"-", func(authz.Target) bool { return false }, func(authz.Target) bool { return false }},
	{"all", func(authz.Target) bool { return true }, func(authz.Target) bool { return true }},
	{"own", func(authz.Target) bool { return true }, func(authz.Target) bool { return false }},
	{
		"granted",
		func(t authz.Target) bool { return shared(t) && t.State == "published" && t.Granted },
		func(t authz.Target) bool { return shared(t) && t.State == "published" && t.Granted },
	},
	{
		"shared",
		func(t authz.Target) bool { return shared(t) && t.State != "revoked" },
		func(t authz.Target) bool { return shared(t) && t.State != "revoked" },
	},
}

// The default rules give each role exactly the power that the matrix, written by hand, says: over every role, action and
// fact, on own and foreign objects.
func TestGoldenMatrix(t *testing.T) {
	t.Parallel()
	n := authztest.Start(t, authztest.Open(t))
	raw, err := os.ReadFile("testdata/matrix.golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	var order []authz.Action
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) != 1+len(authz.Roles()) {
			t.Fatalf("line %q has %d columns", strings.TrimSpace(line), len(words))
		}
		order = append(order, authz.Action(words[0]))
		for i, role := range authz.Roles() {
			want[string(role)+" "+words[0]] = words[1+i]
		}
	}
	if diff := cmp.Diff(authz.Actions(), order); diff != "" {
		t.Errorf("actions of the matrix (-want +got):\n%s", diff)
	}

	// On a busy machine the node's lease may lapse, which refuses everything: such a refusal is asked for again.
	allowed := func(p authz.Principal, a authz.Action, on authz.Target) bool {
		for {
			lapses := n.Follower.Lapses()
			if n.Enforcer.Allowed(p, a, on) {
				return true
			}
			if n.Follower.Current() && n.Follower.Lapses() == lapses {
				return false
			}
			_ = n.Follower.Wait(t.Context())
		}
	}
	mine, theirs := db.NewID(), db.NewID()
	got := map[string]string{}
	for _, role := range authz.Roles() {
		p := authztest.Person(mine, role)
		for _, action := range authz.Actions() {
			key := string(role) + " " + string(action)
			possible := slices.Clone(powers)
			for target := range facts {
				target.Department = mine
				own := allowed(p, action, target)
				target.Department = theirs
				foreign := allowed(p, action, target)
				possible = slices.DeleteFunc(possible, func(w struct {
					name         string
					own, foreign func(authz.Target) bool
				},
				) bool {
					return w.own(target) != own || w.foreign(target) != foreign
				})
			}
			if len(possible) == 0 {
				got[key] = "something else"
				continue
			}
			got[key] = possible[0].name
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("powers (-matrix +rules):\n%s", diff)
	}

	// What people are shown is the same table.
	rows, err := n.Enforcer.Matrix(t.Context(), authztest.Person(mine, authz.Auditor))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, row := range rows {
		for i, role := range authz.Roles() {
			word := string(row.Powers[i])
			if row.Powers[i] == authz.PowerNone {
				word = "-"
			}
			shown[string(role)+" "+string(row.Action)] = word
		}
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("powers shown (-matrix +shown):\n%s", diff)
	}
	if _, err := n.Enforcer.Matrix(t.Context(), authztest.Person(mine, authz.DeptAdmin)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a department administrator reads the matrix: %v", err)
	}
}

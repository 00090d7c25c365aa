package authz

import (
	"slices"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// decisive lists what opens data to somebody: reading rows, and the steps from which a grant or a key follows. None of the
// three exclusive administrators may hold any of it (domain table 4.3: "none may read shared data or grant data access").
func decisive() []Action {
	return []Action{
		DataPull, DataVerify, DataCollect, DataDeliver, RejectRead,
		ResourceApprove, ResourcePublish, ResourceConsent,
		RequestSign, RequestAccept, RequestApprove, GrantResume, GrantConfirmRestored, KeyIssue,
	}
}

// separation refuses a rule set that would undo what no editor of the policy may undo: the separation of the three
// administrators, rows for clients only under a grant and never of withheld resources, and a way to edit the policy.
func (s *ruleSet) separation() error {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "rules_unsafe", format, args...)
	}
	forbidden := decisive()
	for _, role := range Roles() {
		for _, action := range Actions() {
			r, a := s.roleAt[role], s.actionAt[action]
			for fact, at := range facts() {
				if s.cells[s.cell(r, a, at)]&1 == 0 {
					continue
				}
				switch {
				case role.Exclusive() && slices.Contains(forbidden, action):
					return refuse("%s may never be allowed %s: the three administrators neither read data nor open it", role, action)
				case isData(action) && fact.ShareType == "withheld":
					return refuse("%s may never be allowed %s on withheld resources (Order 809, Art 14)", role, action)
				case isData(action) && action != DataCollect && fact.Granted == "no":
					return refuse("%s may be allowed %s only under a grant; set granted to yes", role, action)
				case isData(action) && role != ClientRole && role != HubRole:
					return refuse("%s may never be allowed %s: rows go to clients, under a grant", role, action)
				case (action == UserSetRoles || action == PolicyWrite) && role != SecurityAdmin:
					return refuse("only security_admin may be allowed %s", action)
				}
			}
		}
	}
	if !s.decide(Principal{Roles: []Role{SecurityAdmin}}, PolicyWrite, Target{}).allowed {
		return refuse("security_admin must keep policy.write, or nobody could mend the rules")
	}
	return nil
}

func isData(a Action) bool {
	return a == DataPull || a == DataVerify || a == DataCollect || a == DataDeliver
}

package authz

import (
	"slices"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
)

// Role is what a principal may be. Whether a department is provider or consumer follows from who owns the object; it is
// no role.
type Role string

// The roles of domain table 5.1, and the two that are not people.
const (
	SystemAdmin      Role = "system_admin"      // 系统管理员: runtime, nodes, accounts. Excludes every other role.
	SecurityAdmin    Role = "security_admin"    // 安全管理员: policy, rights, labels. Excludes every other role.
	Auditor          Role = "auditor"           // 审计管理员: reads the log. Excludes every other role.
	PlatformOperator Role = "platform_operator" // 平台管理方: runs sharing for the authority.
	DeptAdmin        Role = "dept_admin"        // 部门管理员, head of the sharing office: signs and decides.
	DeptOperator     Role = "dept_operator"     // 部门操作员: daily work.
	ClientRole       Role = "client"            // 应用系统: a consuming system.
	HubRole          Role = "hub"               // The hub itself: schedules, collects and deliveries.
)

// Roles returns every role once, in the order of the golden matrix.
func Roles() []Role {
	return []Role{SystemAdmin, SecurityAdmin, Auditor, PlatformOperator, DeptAdmin, DeptOperator, ClientRole, HubRole}
}

// UserRoles returns the roles a person can hold.
func UserRoles() []Role { return Roles()[:6] }

// Exclusive reports whether the role may not be held together with any other (三员分立).
func (r Role) Exclusive() bool { return r == SystemAdmin || r == SecurityAdmin || r == Auditor }

// departmental reports whether the role acts only for its own department where an action is scoped.
func (r Role) departmental() bool { return r == DeptAdmin || r == DeptOperator }

// Principal is who asks: a signed-in person, a client with a valid key, or the hub itself.
type Principal struct {
	Kind       audit.ActorKind
	ID         uuid.UUID // User or client; zero for the hub.
	Name       string    // User name or client name, for the caller's own eyes; the part of the hub for ActorSystem.
	Department uuid.UUID
	Roles      []Role    // The principal's own.
	Session    uuid.UUID // Of a person's session; zero otherwise.
	Key        string    // Key id of a client; "" otherwise.

	// Limit is what a person has to do before anything else; "" for nothing. The enforcer refuses a limited principal
	// everything, with this code.
	Limit Limit
	// StandIns are the absent people whose deputy this person is now. Their roles count for the actions of Deputable.
	StandIns []StandIn
	// OnBehalfOf is the absent person for whom this principal acts; zero where it acts by its own roles. The enforcer sets
	// it in the principal of a Decision.
	OnBehalfOf uuid.UUID
}

// Limit names what a person has to do before the hub lets them do anything else. It is also the code of the refusal.
type Limit string

// The limits.
const (
	PasswordChangeRequired Limit = "password_change_required"
	EnrolmentRequired      Limit = "second_factor_enrolment_required"
)

// StandIn is one absent person for whom another acts.
type StandIn struct {
	User  uuid.UUID
	Roles []Role // Of the absent person; never one of the three exclusive ones.
}

// Hub returns the principal of a part of the hub, such as "scheduler".
func Hub(part string) Principal {
	return Principal{Kind: audit.ActorSystem, Name: part, Roles: []Role{HubRole}}
}

// Has reports whether the principal holds the role.
func (p Principal) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// Selves returns the ids of the principal and of everybody it stands in for. Whoever reviews must be none of those who
// made a thing, and standing in for the maker is no way around that.
func (p Principal) Selves() []uuid.UUID {
	out := []uuid.UUID{p.ID}
	for _, s := range p.StandIns {
		out = append(out, s.User)
	}
	return out
}

// Actor returns how the principal appears in the log.
func (p Principal) Actor() audit.Actor {
	if p.Kind == audit.ActorSystem {
		return audit.Actor{Kind: audit.ActorSystem, ID: p.Name}
	}
	actor := audit.Actor{Kind: p.Kind, ID: p.ID.String(), Department: p.Department}
	if p.OnBehalfOf != uuid.Nil {
		actor.OnBehalfOf = p.OnBehalfOf.String()
	}
	return actor
}

package authz

import (
	"slices"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// deputable lists what a deputy may do by the roles of the absent person: the steps of the to-do list (sign, review,
// decide) and reading what they are about. Accounts, keys, sources and policy wait for their owner.
var deputable = []Action{
	ResourceReadDraft, ResourceApprove, ResourceReturnDept, ResourcePublish, ResourceReturn,
	RequestRead, RequestSubmit, RequestSign, RequestReturn, RequestAccept, RequestSupplement, RequestApprove, RequestRefuse, RequestExtend,
	GrantRead,
}

// Deputable reports whether a deputy may do a by the roles of the person who is away.
func Deputable(a Action) bool { return slices.Contains(deputable, a) }

// Fault returns the refusal of everything else while the limit holds: Forbidden, with the limit as its code.
func (l Limit) Fault() *fault.Fault {
	message := "set up your second factor first: your role demands one"
	if l == PasswordChangeRequired {
		message = "change your password first: it was given to you by somebody else, or is too old"
	}
	return fault.New(fault.Forbidden, string(l), "%s", message).At("identity")
}

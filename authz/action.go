package authz

// Action is one thing a principal may be allowed to do, "<object kind>.<verb>".
type Action string

// The actions of the hub. Every route, page and engine step names one of them.
const (
	DepartmentRead  Action = "department.read"
	DepartmentWrite Action = "department.write"
	UserRead        Action = "user.read"
	UserCreate      Action = "user.create"
	UserDisable     Action = "user.disable"
	UserSetRoles    Action = "user.set_roles"

	UserUnlock            Action = "user.unlock"              // End the lock that failed sign-ins brought.
	UserSetPassword       Action = "user.set_password"        // Give a password that must be changed at the first sign-in.
	UserResetSecondFactor Action = "user.reset_second_factor" // For a person who lost theirs.
	UserSetDeputy         Action = "user.set_deputy"          // For others; everyone names their own.

	ClientRead  Action = "client.read"
	ClientWrite Action = "client.write"
	KeyIssue    Action = "key.issue"
	KeyRevoke   Action = "key.revoke"

	SystemRead           Action = "system.read"
	SystemWrite          Action = "system.write"
	BaseDatabaseRead     Action = "base_database.read"
	BaseDatabaseRegister Action = "base_database.register"
	CodeTableRead        Action = "code_table.read"
	CodeTableWrite       Action = "code_table.write" // Add and end values.

	CalendarRead     Action = "calendar.read"
	CalendarWrite    Action = "calendar.write"     // Working days: edit and import.
	DataElementRead  Action = "data_element.read"  // Data elements, and who is the source of each.
	DataElementWrite Action = "data_element.write" // Keep the register of data elements.
	DutyDeclare      Action = "duty.declare"       // Say that the own department is the source, or that another is not.
	DutyDecide       Action = "duty.decide"        // Say who is the source (Order 809, Art 19).

	ResourceRead        Action = "resource.read"       // Published entries, by anyone signed in.
	ResourceReadDraft   Action = "resource.read_draft" // Unpublished versions and their review history.
	ResourceCompile     Action = "resource.compile"    // Create and edit drafts.
	ResourceSubmit      Action = "resource.submit"
	ResourceRecall      Action = "resource.recall"
	ResourceApprove     Action = "resource.approve"     // The department's review.
	ResourceReturnDept  Action = "resource.return_dept" // Return out of dept_review.
	ResourcePublish     Action = "resource.publish"     // The authority's review.
	ResourceReturn      Action = "resource.return"      // Return out of platform_review.
	ResourceTakeOffline Action = "resource.take_offline"
	ResourceRepublish   Action = "resource.republish"
	ResourceRevoke      Action = "resource.revoke"
	ResourceConsent     Action = "resource.consent"    // Record or withdraw standing consent.
	ResourceComment     Action = "resource.comment"    // Remarks of makers and reviewers on a version.
	ChangeEventRecord   Action = "change_event.record" // Say that something changed which an entry has to follow, or that it did not.
	ChangeEventExtend   Action = "change_event.extend" // With the authority's consent (Order 809, Art 17).
	SourceRead          Action = "source.read"
	SourceWrite         Action = "source.write"
	SourceProbe         Action = "source.probe"
	MountWrite          Action = "mount.write"
	MountActivate       Action = "mount.activate"

	RequestRead       Action = "request.read"
	RequestCreate     Action = "request.create" // Draft and edit.
	RequestSubmit     Action = "request.submit"
	RequestSign       Action = "request.sign"   // The consumer's sharing-office head (Order 809, Art 20).
	RequestReturn     Action = "request.return" // Back to draft, inside the consumer department.
	RequestWithdraw   Action = "request.withdraw"
	RequestAccept     Action = "request.accept"     // 受理, by the authority.
	RequestSupplement Action = "request.supplement" // Ask once for everything missing.
	RequestApprove    Action = "request.approve"    // By the provider's sharing-office head.
	RequestRefuse     Action = "request.refuse"
	RequestExtend     Action = "request.extend" // With the authority's consent (Art 21).
	GrantRead         Action = "grant.read"
	GrantSuspend      Action = "grant.suspend"
	GrantResume       Action = "grant.resume"
	GrantTerminate    Action = "grant.terminate"
	GrantExpire       Action = "grant.expire"

	GrantAcknowledge     Action = "grant.acknowledge"      // The consumer has taken note of a change of what it uses.
	GrantConfirmRestored Action = "grant.confirm_restored" // Say after a restore that the grants it suspended are in force.

	TaskRead      Action = "task.read"
	TaskWrite     Action = "task.write"
	TaskRun       Action = "task.run"
	RunCancel     Action = "run.cancel"
	RunConfirm    Action = "run.confirm"
	RejectRead    Action = "reject.read"  // Keys and reasons; the row itself only for the provider.
	RejectWaive   Action = "reject.waive" // A refused row need not be corrected.
	ScheduleWrite Action = "schedule.write"

	DataPull    Action = "data.pull"    // Rows, one row, changes, streams.
	DataVerify  Action = "data.verify"  // Claims against rows, without values.
	DataCollect Action = "data.collect" // The hub reads a source into its store.
	DataDeliver Action = "data.deliver" // The hub writes to a consumer's target.

	AccessRead  Action = "access.read" // Who can see a resource, or what a client can see, and why.
	AuditRead   Action = "audit.read"
	AuditVerify Action = "audit.verify"
	PolicyRead  Action = "policy.read"
	PolicyWrite Action = "policy.write"
	StatsRead   Action = "stats.read"
	NodeRead    Action = "node.read"

	AlarmRead         Action = "alarm.read"
	AlarmHandle       Action = "alarm.handle"        // Acknowledge and silence.
	AlarmConfigure    Action = "alarm.configure"     // Severities and thresholds of the rules, for all.
	AlarmChannelWrite Action = "alarm_channel.write" // Where messages go.

	RetentionRead Action = "retention.read" // How long things are kept, and what was removed.
)

// scopeRule says whose objects a departmental role may act on.
type scopeRule int

const (
	anyDepartment scopeRule = iota // Facts of ownership do not matter.
	ownDepartment                  // Target.Department must be the principal's own.
)

// actions lists every action with its scope. Roles that act for the whole platform are not bound by the scope.
var actions = []struct {
	action Action
	scope  scopeRule
}{
	{DepartmentRead, anyDepartment},
	{DepartmentWrite, anyDepartment},
	{UserRead, ownDepartment},
	{UserCreate, ownDepartment},
	{UserDisable, ownDepartment},
	{UserSetRoles, anyDepartment},
	{UserUnlock, ownDepartment},
	{UserSetPassword, ownDepartment},
	{UserResetSecondFactor, ownDepartment},
	{UserSetDeputy, ownDepartment},
	{ClientRead, ownDepartment},
	{ClientWrite, ownDepartment},
	{KeyIssue, ownDepartment},
	{KeyRevoke, ownDepartment},
	{SystemRead, anyDepartment},
	{SystemWrite, ownDepartment},
	{BaseDatabaseRead, anyDepartment},
	{BaseDatabaseRegister, anyDepartment},
	{CodeTableRead, anyDepartment},
	{CodeTableWrite, anyDepartment},
	{CalendarRead, anyDepartment},
	{CalendarWrite, anyDepartment},
	{DataElementRead, anyDepartment},
	{DataElementWrite, anyDepartment},
	{DutyDeclare, ownDepartment},
	{DutyDecide, anyDepartment},
	{ResourceRead, anyDepartment},
	{ResourceReadDraft, ownDepartment},
	{ResourceCompile, ownDepartment},
	{ResourceSubmit, ownDepartment},
	{ResourceRecall, ownDepartment},
	{ResourceApprove, ownDepartment},
	{ResourceReturnDept, ownDepartment},
	{ResourcePublish, anyDepartment},
	{ResourceReturn, anyDepartment},
	{ResourceTakeOffline, anyDepartment},
	{ResourceRepublish, anyDepartment},
	{ResourceRevoke, anyDepartment},
	{ResourceConsent, ownDepartment},
	{ResourceComment, ownDepartment},
	{ChangeEventRecord, ownDepartment},
	{ChangeEventExtend, anyDepartment},
	{SourceRead, ownDepartment},
	{SourceWrite, ownDepartment},
	{SourceProbe, ownDepartment},
	{MountWrite, ownDepartment},
	{MountActivate, ownDepartment},
	{RequestRead, ownDepartment},
	{RequestCreate, ownDepartment},
	{RequestSubmit, ownDepartment},
	{RequestSign, ownDepartment},
	{RequestReturn, ownDepartment},
	{RequestWithdraw, ownDepartment},
	{RequestAccept, anyDepartment},
	{RequestSupplement, anyDepartment},
	{RequestApprove, ownDepartment},
	{RequestRefuse, ownDepartment},
	{RequestExtend, anyDepartment},
	{GrantRead, ownDepartment},
	{GrantSuspend, ownDepartment},
	{GrantResume, ownDepartment},
	{GrantTerminate, ownDepartment},
	{GrantExpire, anyDepartment},
	{GrantAcknowledge, ownDepartment},
	{GrantConfirmRestored, anyDepartment},
	{TaskRead, ownDepartment},
	{TaskWrite, ownDepartment},
	{TaskRun, ownDepartment},
	{RunCancel, ownDepartment},
	{RunConfirm, ownDepartment},
	{RejectRead, ownDepartment},
	{RejectWaive, ownDepartment},
	{ScheduleWrite, ownDepartment},
	{DataPull, anyDepartment},
	{DataVerify, anyDepartment},
	{DataCollect, anyDepartment},
	{DataDeliver, anyDepartment},
	{AccessRead, ownDepartment},
	{AuditRead, anyDepartment},
	{AuditVerify, anyDepartment},
	{PolicyRead, anyDepartment},
	{PolicyWrite, anyDepartment},
	{StatsRead, anyDepartment},
	{NodeRead, anyDepartment},
	{AlarmRead, ownDepartment},
	{AlarmHandle, ownDepartment},
	{AlarmConfigure, anyDepartment},
	{AlarmChannelWrite, ownDepartment},
	{RetentionRead, anyDepartment},
}

// Actions returns every action once, in the order of the golden matrix.
func Actions() []Action {
	out := make([]Action, len(actions))
	for i, a := range actions {
		out[i] = a.action
	}
	return out
}

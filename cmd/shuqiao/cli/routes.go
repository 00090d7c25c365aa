package cli

import "net/http"

// Command is one command that calls one route. Path is what people type; names in braces of Route become its arguments.
type Command struct {
	Path   string
	Method string
	Route  string // Below /api/v1.
	Help   string
	// Query are the flags that become the query, as flag or flag:name, with ! where one is required.
	Query string
	// Body are the flags that become the body, likewise. [] says that it may be given several times, # that it is a number, ?
	// that it is a secret, which is never given on the command line. Dots lead into objects.
	Body    string
	File    bool   // Takes -f FILE with a JSON body, into which the flags go.
	Once    bool   // Creates something under an Idempotency-Key.
	Columns string // What people see of the entries of a list; "" where the answer is no list.
}

const (
	get  = http.MethodGet
	post = http.MethodPost
	put  = http.MethodPut
	del  = http.MethodDelete
)

// Columns of lists that several commands show.
const (
	requestColumns = "id state kind purpose share_type resource_name consumer_name client_name due_at valid_until"
	grantColumns   = "id state purpose share_type grade resource_name consumer_name client_name valid_to"
	runColumns     = "id kind state stage attempt counts.read counts.inserted counts.updated counts.deleted counts.rejected queued_at finished_at"
	rejectColumns  = "id state held row_no key reasons"
	compareColumns = "id equal fresh source_rows store_rows missing extra changed held rejected at"
	historyColumns = "at step from to reason actor_id"
	stepColumns    = "at step from to reason actor_name"
	accessColumns  = "sees reason client department resource purpose state valid_to ways grant_id"
	deputyColumns  = "id absent_id deputy_id starts_at ends_at ended_at"
	mountColumns   = "id state version source_id object delete_rule note"
)

// Commands is the table of commands that call one route each.
func Commands() []Command {
	return []Command{
		{Path: "whoami", Method: get, Route: "/users/me", Help: "Say who is signed in."},
		{Path: "me colleagues", Method: get, Route: "/me/colleagues", Help: "List the people of my department.", Columns: "id username display_name"},
		{Path: "me session list", Method: get, Route: "/me/sessions", Help: "List my open sessions.", Columns: "id created_at expires_at last_seen_at address method second_factor current"},
		{Path: "me session end", Method: del, Route: "/me/sessions/{id}", Help: "End one of my sessions."},
		{Path: "me session end-all", Method: del, Route: "/me/sessions", Help: "Sign out everywhere."},
		{Path: "me deputy list", Method: get, Route: "/me/deputies", Help: "List my absences, and whom I act for.", Columns: deputyColumns},
		{Path: "me deputy add", Method: post, Route: "/me/deputies", Help: "Name who acts for me.", Body: "deputy:deputy_id! starts-at:starts_at ends-at:ends_at!", Once: true},
		{Path: "me deputy end", Method: del, Route: "/me/deputies/{id}", Help: "End one of my absences."},
		{Path: "me second-factor show", Method: get, Route: "/me/second-factor", Help: "Say what I have as second factor."},
		{Path: "me second-factor begin", Method: post, Route: "/me/second-factor", Help: "Begin a second factor: type its secret into an app."},
		{Path: "me second-factor confirm", Method: post, Route: "/me/second-factor/confirm", Help: "Confirm it by its first code; shows the recovery codes once.", Body: "code!"},
		{Path: "me second-factor recovery-codes", Method: post, Route: "/me/second-factor/recovery-codes", Help: "Replace my recovery codes.", Body: "code!"},
		{Path: "me second-factor remove", Method: post, Route: "/me/second-factor/remove", Help: "Remove my second factor.", Body: "code!"},
		{Path: "todo", Method: get, Route: "/todo", Help: "Say what waits for me."},

		{Path: "resource list", Method: get, Route: "/resources", Help: "Search the directory.", Query: "q base-database:base_database department:department_id below division theme share-type:share_type share-method:share_method update-cycle:update_cycle grade timeliness open has-data:has_data state sort", Columns: "id code name department share_type grade state version items"},
		{Path: "resource facets", Method: get, Route: "/resources/facets", Help: "Count entries by what a search can be narrowed with.", Query: "q base-database:base_database department:department_id below division theme share-type:share_type share-method:share_method update-cycle:update_cycle grade timeliness open has-data:has_data state"},
		{Path: "resource suggest", Method: get, Route: "/resources/suggestions", Help: "Say what somebody may mean who is typing a search.", Query: "q!", Columns: "kind id name code department"},
		{Path: "resource show", Method: get, Route: "/resources/{id}", Help: "Show one entry."},
		{Path: "resource access", Method: get, Route: "/resources/{id}/access", Help: "Say who can see a resource or one of its items now, or could at a moment (--at), through which grant and rule.", Query: "item at refused", Columns: accessColumns},
		{Path: "resource create", Method: post, Route: "/resources", Help: "Compile an entry, as a draft.", Query: "template", File: true, Once: true},
		{Path: "resource edit", Method: put, Route: "/resources/{id}/draft", Help: "Replace what the draft states.", File: true},
		{Path: "resource discard", Method: del, Route: "/resources/{id}/draft", Help: "Discard the draft."},
		{Path: "resource versions", Method: get, Route: "/resources/{id}/versions", Help: "List the versions of an entry.", Columns: "number state share_type grade name published_at served_until"},
		{Path: "resource version", Method: get, Route: "/resources/{id}/versions/{number}", Help: "Show one version."},
		{Path: "resource new-version", Method: post, Route: "/resources/{id}/versions", Help: "Begin a new version beside the published one.", Once: true},
		{Path: "resource history", Method: get, Route: "/resources/{id}/history", Help: "Show the review history.", Columns: historyColumns},
		{Path: "resource review", Method: get, Route: "/resources/{id}/review", Help: "Show what blocks the newest version, and what to look at."},
		{Path: "resource submit", Method: post, Route: "/resources/{id}/submit", Help: "Submit to the department's review; --old-until is the last day on which the published version is served beside it.", Body: "old-until:old_until"},
		{Path: "resource recall", Method: post, Route: "/resources/{id}/recall", Help: "Take back out of the department's review."},
		{Path: "resource approve", Method: post, Route: "/resources/{id}/approve", Help: "Pass the department's review."},
		{Path: "resource return-dept", Method: post, Route: "/resources/{id}/return-dept", Help: "Return out of the department's review.", Body: "reason! code:codes[]"},
		{Path: "resource return", Method: post, Route: "/resources/{id}/return", Help: "Return out of the authority's review.", Body: "reason! code:codes[]"},
		{Path: "resource publish", Method: post, Route: "/resources/{id}/publish", Help: "Publish."},
		{Path: "resource take-offline", Method: post, Route: "/resources/{id}/take-offline", Help: "Hide on the provider's request.", Body: "reason! by:request.by! date:request.date! document:request.document! filing:request.filing"},
		{Path: "resource republish", Method: post, Route: "/resources/{id}/republish", Help: "Make visible again."},
		{Path: "resource revoke", Method: post, Route: "/resources/{id}/revoke", Help: "End an offline entry for good.", Body: "reason!"},
		{Path: "resource consent", Method: put, Route: "/resources/{id}/consent", Help: "Record the provider's standing consent.", Body: "by! date! document!"},
		{Path: "resource return-codes", Method: get, Route: "/resources/return-codes", Help: "List the usual reasons for returning a version.", Columns: "."},
		{Path: "resource difference", Method: get, Route: "/resources/{id}/versions/{number}/difference", Help: "Show what a version states otherwise than another (--from), and what it takes from those who use that.", Query: "from"},
		{Path: "resource impact", Method: get, Route: "/resources/{id}/impact", Help: "Say whom the newest version touches (or a published one, --version), and by what.", Query: "version"},
		{Path: "resource impact-grants", Method: get, Route: "/resources/{id}/impact/grants", Help: "List the grants that a version touches, and who has taken note.", Query: "version", Columns: "grant_id department client purpose items tasks valid_to acknowledged_at acknowledged_by"},
		{Path: "resource comments", Method: get, Route: "/resources/{id}/comments", Help: "List the remarks on a version.", Query: "version", Columns: "id at author field said thread resolved_at"},
		{Path: "resource comment", Method: post, Route: "/resources/{id}/comments", Help: "Remark something on the newest version, or answer a remark.", Body: "field thread said!", Once: true},
		{Path: "resource resolve-comment", Method: post, Route: "/resources/{id}/comments/{comment}/resolve", Help: "Say that a remark is settled."},
		{Path: "resource assessments", Method: get, Route: "/resources/{id}/assessments", Help: "List the documents of assessments kept with an entry.", Columns: "sha256 name kind size uploaded_at"},
		{Path: "resource attach", Method: put, Route: "/resources/{id}/assessments/{kind}", Help: "Attach the document of an assessment (secrecy or pi): -f FILE holds {\"name\", \"content\" in Base64}.", File: true},
		{Path: "resource change", Method: post, Route: "/resources/{id}/change-events", Help: "Record that something changed which the entry has to follow.", Body: "cause! detail! happened-on:happened_on!", Once: true},

		{Path: "change list", Method: get, Route: "/change-events", Help: "List what changed, the most urgent first.", Query: "resource:resource_id department:department_id state late", Columns: "id state light resource department cause happened_on due_at review_due_at"},
		{Path: "change counts", Method: get, Route: "/change-events/counts", Help: "Count the changes that wait."},
		{Path: "change show", Method: get, Route: "/change-events/{id}", Help: "Show one change event."},
		{Path: "change extend", Method: post, Route: "/change-events/{id}/extend", Help: "Consent to a later update.", Body: "reason!"},
		{Path: "change withdraw", Method: post, Route: "/change-events/{id}/withdraw", Help: "Say that a change needs no update.", Body: "reason!"},

		{Path: "resource withdraw-consent", Method: post, Route: "/resources/{id}/withdraw-consent", Help: "End the standing consent.", Body: "reason!"},
		{Path: "resource templates", Method: get, Route: "/templates", Help: "List the templates to compile from.", Columns: "name title base_database group update_cycle provider"},
		{Path: "resource volume", Method: get, Route: "/resources/{id}/volume", Help: "Say how much the hub holds of an entry, shares and opens."},
		{Path: "resource related", Method: get, Route: "/resources/{id}/related", Help: "List entries that an entry names as related, or that name it.", Columns: "id code name named"},
		{Path: "resource rejects", Method: get, Route: "/resources/{id}/rejects", Help: "List refused rows.", Query: "state", Columns: rejectColumns},
		{Path: "resource reconciliations", Method: get, Route: "/resources/{id}/reconciliations", Help: "List comparisons with the source.", Columns: compareColumns},
		{Path: "resource truth", Method: get, Route: "/resources/{id}/truth", Help: "Say what there is behind an entry: data, quality, use, completeness."},
		{Path: "resource item-sources", Method: get, Route: "/resources/{id}/item-sources", Help: "List the items that another department is the source of.", Columns: "item identifier element_name department resource shared referenced"},
		{Path: "resource sleeping", Method: get, Route: "/sleeping-entries", Help: "List published entries without data or use for 90 days.", Query: "department:department_id why", Columns: "code name department why since mounted rows grants score"},
		{Path: "resource freshness", Method: get, Route: "/resources/{id}/freshness", Help: "Say how current the rows at the hub are."},

		{Path: "import list", Method: get, Route: "/imports", Help: "List the imports of my department, newest first.", Columns: "id state mode file_name entries added changed unchanged wrong troubles applied created_at"},
		{Path: "import show", Method: get, Route: "/imports/{id}", Help: "Say how far an import is."},
		{Path: "import errors", Method: get, Route: "/imports/{id}/errors", Help: "List what is wrong in the file, by cell.", Columns: "sheet cell column code detail"},
		{Path: "import apply", Method: post, Route: "/imports/{id}/apply", Help: "Write the entries of a checked file."},
		{Path: "import remove", Method: del, Route: "/imports/{id}", Help: "Forget an import; entries that were written stay."},

		{Path: "mount list", Method: get, Route: "/resources/{id}/mounts", Help: "List the mounts of an entry.", Columns: mountColumns},
		{Path: "mount create", Method: post, Route: "/resources/{id}/mounts", Help: "Bind the items to an object of a source.", File: true, Once: true},
		{Path: "mount show", Method: get, Route: "/mounts/{id}", Help: "Show one mount."},
		{Path: "mount edit", Method: put, Route: "/mounts/{id}", Help: "Change a mount that is not in use.", File: true},
		{Path: "mount check", Method: post, Route: "/mounts/{id}/check", Help: "Compare with the live schema; submits when nothing blocks."},
		{Path: "mount activate", Method: post, Route: "/mounts/{id}/activate", Help: "Put in use."},
		{Path: "mount reject", Method: post, Route: "/mounts/{id}/reject", Help: "Send back.", Body: "reason!"},
		{Path: "mount suspend", Method: post, Route: "/mounts/{id}/suspend", Help: "Stop feeding the entry.", Body: "reason!"},
		{Path: "mount resume", Method: post, Route: "/mounts/{id}/resume", Help: "Put in use again."},
		{Path: "mount remove", Method: post, Route: "/mounts/{id}/remove", Help: "End for good.", Body: "reason!"},

		{Path: "source list", Method: get, Route: "/sources", Help: "List the sources of a department.", Query: "department:department_id", Columns: "id name driver last_probe.ok last_probe.product last_probe.at"},
		{Path: "source show", Method: get, Route: "/sources/{id}", Help: "Show one source, without secrets."},
		{Path: "source create", Method: post, Route: "/sources", Help: "Register a connection; credentials are sealed.", File: true, Once: true},
		{Path: "source edit", Method: put, Route: "/sources/{id}", Help: "Change a source; secrets left out stay.", File: true},
		{Path: "source probe", Method: post, Route: "/sources/{id}/probe", Help: "Connect and say what answers."},
		{Path: "source tables", Method: get, Route: "/sources/{id}/tables", Help: "List what can be mounted.", Columns: "object kind estimated_rows comment"},
		{Path: "source describe", Method: get, Route: "/sources/{id}/describe", Help: "Show columns and key of one object.", Query: "object!"},
		{Path: "source draft", Method: post, Route: "/sources/{id}/draft", Help: "Propose entries from tables, with the evidence (-o json); --create true keeps them as drafts.", Query: "create", Body: "object:objects[]! rows#", Columns: "proposal.object proposal.name proposal.sampled resource_id problem.code", File: true},
		{Path: "source drift", Method: get, Route: "/drift", Help: "List how sources differ from what was mounted.", Query: "source:source_id resource:resource_id mount:mount_id state", Columns: "resource object column kind was now breaks first_seen resolved_at"},
		{Path: "resource origin", Method: get, Route: "/resources/{id}/origin", Help: "Show the table an entry was proposed from, with the evidence."},

		{Path: "request list", Method: get, Route: "/requests", Help: "List sharing requests.", Query: "state side resource:resource_id client:client_id", Columns: requestColumns},
		{Path: "request show", Method: get, Route: "/requests/{id}", Help: "Show one request."},
		{Path: "request history", Method: get, Route: "/requests/{id}/history", Help: "Show what was done to a request.", Columns: stepColumns},
		{Path: "request refusal-codes", Method: get, Route: "/requests/refusal-codes", Help: "List the codes that a request can be refused with.", Columns: "."},
		{Path: "request create", Method: post, Route: "/requests", Help: "Draft a sharing request.", Body: "client:client_id resource:resource_id", File: true, Once: true},
		{Path: "request edit", Method: put, Route: "/requests/{id}/draft", Help: "Replace the terms of a draft.", File: true},
		{Path: "request submit", Method: post, Route: "/requests/{id}/submit", Help: "Hand to the head of the sharing office."},
		{Path: "request sign", Method: post, Route: "/requests/{id}/sign", Help: "Sign for the consumer.", Body: "opinion"},
		{Path: "request return", Method: post, Route: "/requests/{id}/return", Help: "Return to the applicant.", Body: "reason!"},
		{Path: "request withdraw", Method: post, Route: "/requests/{id}/withdraw", Help: "Withdraw.", Body: "reason!"},
		{Path: "request accept", Method: post, Route: "/requests/{id}/accept", Help: "Accept for review (受理).", Body: "opinion"},
		{Path: "request supplement", Method: post, Route: "/requests/{id}/supplement", Help: "Ask once for everything missing.", Body: "reason!"},
		{Path: "request approve", Method: post, Route: "/requests/{id}/approve", Help: "Approve: the grant is in force within a second. -f narrows the terms.", Body: "opinion", File: true},
		{Path: "request refuse", Method: post, Route: "/requests/{id}/refuse", Help: "Refuse.", Body: "code! reason!"},
		{Path: "request extend", Method: post, Route: "/requests/{id}/extend", Help: "Extend the limit of the reply.", Body: "days!# reason!"},

		{Path: "grant list", Method: get, Route: "/grants", Help: "List grants.", Query: "state side resource:resource_id client:client_id unacknowledged", Columns: grantColumns},
		{Path: "grant show", Method: get, Route: "/grants/{id}", Help: "Show one grant."},
		{Path: "grant history", Method: get, Route: "/grants/{id}/history", Help: "Show what was done to a grant.", Columns: stepColumns},
		{Path: "grant changes", Method: get, Route: "/grants/{id}/changes", Help: "List publications that touch a grant.", Columns: "version at acknowledged_at acknowledged_by note"},
		{Path: "grant acknowledge", Method: post, Route: "/grants/{id}/changes/{number}/acknowledge", Help: "Take note of a publication that touches a grant.", Body: "note"},
		{Path: "grant suspend", Method: post, Route: "/grants/{id}/suspend", Help: "Suspend: refused everywhere within a second.", Body: "reason!"},
		{Path: "grant resume", Method: post, Route: "/grants/{id}/resume", Help: "Resume.", Body: "reason!"},
		{Path: "grant confirm-restored", Method: post, Route: "/grants/confirm-restored", Help: "Confirm grants that a restore suspended, 200 at a time.", Body: "reason", File: true},
		{Path: "grant terminate", Method: post, Route: "/grants/{id}/terminate", Help: "End for good. A provider records negotiation and filing.", Body: "reason! negotiation:filing.negotiation filing-no:filing.filing_no filing-date:filing.date"},

		{Path: "task list", Method: get, Route: "/tasks", Help: "List tasks.", Query: "resource:resource_id department:department_id state", Columns: "id kind mode state priority resource_id"},
		{Path: "task show", Method: get, Route: "/tasks/{id}", Help: "Show one task."},
		{Path: "task create", Method: post, Route: "/tasks", Help: "Make a task.", Body: "kind resource:resource_id! priority#", Once: true},
		{Path: "task edit", Method: put, Route: "/tasks/{id}", Help: "Change a task.", File: true},
		{Path: "task enable", Method: post, Route: "/tasks/{id}/enable", Help: "Let it run."},
		{Path: "task pause", Method: post, Route: "/tasks/{id}/pause", Help: "Let it not run by itself."},
		{Path: "task disable", Method: post, Route: "/tasks/{id}/disable", Help: "Let it not run at all."},
		{Path: "task run", Method: post, Route: "/tasks/{id}/runs", Help: "Run now.", Once: true},
		{Path: "task reconcile", Method: post, Route: "/tasks/{id}/reconcile", Help: "Compare the store with a fresh read of the source.", Once: true},
		{Path: "task repair", Method: post, Route: "/tasks/{id}/repair", Help: "Mend the differences a comparison found.", Once: true},

		{Path: "run list", Method: get, Route: "/runs", Help: "List runs.", Query: "task:task_id resource:resource_id state kind", Columns: runColumns},
		{Path: "run show", Method: get, Route: "/runs/{id}", Help: "Show one run."},
		{Path: "run cancel", Method: post, Route: "/runs/{id}/cancel", Help: "Stop a run before its merge."},
		{Path: "run confirm", Method: post, Route: "/runs/{id}/confirm", Help: "Run again and delete what this run was refused to.", Once: true},
		{Path: "run rejects", Method: get, Route: "/runs/{id}/rejects", Help: "List the rows it refused, with reasons.", Query: "state", Columns: rejectColumns},
		{Path: "run reject-row", Method: get, Route: "/rejects/{id}/row", Help: "Show a refused row itself, for its provider."},
		{Path: "run reject-waive", Method: post, Route: "/rejects/{id}/waive", Help: "Let a refused row be.", Body: "reason!"},
		{Path: "run reconciliation", Method: get, Route: "/runs/{id}/reconciliation", Help: "List the comparisons it made.", Columns: compareColumns},

		{Path: "schedule list", Method: get, Route: "/schedules", Help: "List schedules.", Query: "task:task_id state", Columns: "id state spec time_zone overlap missed next_at last_due_at error"},
		{Path: "schedule show", Method: get, Route: "/schedules/{id}", Help: "Show one schedule."},
		{Path: "schedule create", Method: post, Route: "/schedules", Help: "Let a task run by itself.", Body: "task:task_id! spec! time-zone:time_zone overlap missed", Once: true},
		{Path: "schedule edit", Method: put, Route: "/schedules/{id}", Help: "Change text, zone or policies.", Body: "spec! time-zone:time_zone overlap missed"},
		{Path: "schedule pause", Method: post, Route: "/schedules/{id}/pause", Help: "Pause."},
		{Path: "schedule resume", Method: post, Route: "/schedules/{id}/resume", Help: "Resume, also a parked one."},
		{Path: "schedule fires", Method: get, Route: "/schedules/{id}/fires", Help: "List what became of its due times.", Columns: "id due_from due_to due_count outcome reason run_id at"},

		{Path: "alarm list", Method: get, Route: "/alarms", Help: "List what is wrong now; --state closed or all for what was.", Query: "state severity rule department:department_id", Columns: "id severity rule object_kind object_id department opened_at closed_at acknowledged_at silenced_until"},
		{Path: "alarm show", Method: get, Route: "/alarms/{id}", Help: "Show one alarm."},
		{Path: "alarm acknowledge", Method: post, Route: "/alarms/{id}/acknowledge", Help: "Say that somebody looks after it.", Body: "note"},
		{Path: "alarm silence", Method: post, Route: "/alarms/{id}/silence", Help: "Hold messages back until a time.", Body: "until! reason!"},
		{Path: "alarm unsilence", Method: post, Route: "/alarms/{id}/unsilence", Help: "Let it speak again."},
		{Path: "alarm rules", Method: get, Route: "/alarm-rules", Help: "List what can be wrong, as it is judged.", Columns: "key severity threshold unit enabled en"},
		{Path: "alarm rule-edit", Method: put, Route: "/alarm-rules/{key}", Help: "Change severity or threshold, or switch off by -f.", Body: "severity threshold#", File: true},
		{Path: "alarm channels", Method: get, Route: "/alarm-channels", Help: "List where messages go.", Columns: "id name kind department least_severity rules state"},
		{Path: "alarm channel-show", Method: get, Route: "/alarm-channels/{id}", Help: "Show one channel, without its secret."},
		{Path: "alarm channel-create", Method: post, Route: "/alarm-channels", Help: "Send messages by webhook or mail.", Body: "name kind webhook:settings.url least-severity:least_severity secret?", File: true, Once: true},
		{Path: "alarm channel-edit", Method: put, Route: "/alarm-channels/{id}", Help: "Replace what a channel is.", File: true},
		{Path: "alarm channel-remove", Method: del, Route: "/alarm-channels/{id}", Help: "Remove a channel with its messages."},
		{Path: "alarm channel-test", Method: post, Route: "/alarm-channels/{id}/test", Help: "Send a test message now."},
		{Path: "alarm deliveries", Method: get, Route: "/alarm-channels/{id}/deliveries", Help: "List what became of a channel's messages.", Columns: "id event state attempts code next_at created_at ended_at"},

		{Path: "department list", Method: get, Route: "/departments", Help: "List departments.", Query: "q division:division_code parent:parent_id", Columns: "id name uscc division_code level authority"},
		{Path: "department show", Method: get, Route: "/departments/{id}", Help: "Show one department."},
		{Path: "department create", Method: post, Route: "/departments", Help: "Register a department.", Body: "uscc name name-en:name_en division:division_code level parent:parent_id", File: true, Once: true},
		{Path: "department edit", Method: put, Route: "/departments/{id}", Help: "Change a department.", File: true},
		{Path: "system list", Method: get, Route: "/systems", Help: "List information systems.", Query: "department:department_id", Columns: "id name state covered department_id"},
		{Path: "system show", Method: get, Route: "/systems/{id}", Help: "Show one information system."},
		{Path: "system create", Method: post, Route: "/systems", Help: "Register an information system.", Body: "name! state!", Once: true},
		{Path: "system edit", Method: put, Route: "/systems/{id}", Help: "Change an information system.", Body: "name state", File: true},
		{Path: "system coverage", Method: get, Route: "/system-coverage", Help: "Count systems, covered ones, and departments that listed none.", Query: "year"},
		{Path: "system report", Method: get, Route: "/system-coverage/departments", Help: "List every department for the yearly report; --missing true for those that neither listed nor filed.", Query: "year missing", Columns: "department live zombie single_office covered nil_return_at missing department_id"},
		{Path: "system nil-returns", Method: get, Route: "/nil-returns", Help: "List statements that a department has no system.", Query: "year department:department_id", Columns: "id year department statement filed_at withdrawn_at"},
		{Path: "system file-nil-return", Method: post, Route: "/nil-returns", Help: "State that my department has no system this year.", Body: "statement!", Once: true},
		{Path: "calendar list", Method: get, Route: "/calendar", Help: "List the years of the calendar of working days.", Columns: "year announced working_days document form changed_at"},
		{Path: "calendar show", Method: get, Route: "/calendar/{year}", Help: "Show one year with its days off and make-up days."},
		{Path: "calendar count", Method: get, Route: "/calendar-due", Help: "Count working days by the calendar of the hub.", Query: "from! days!"},
		{Path: "calendar import", Method: post, Route: "/calendar", Help: "Import days off; -f holds {\"content\": a file of holiday-cn or chinese-days}.", Body: "year# document", File: true},
		{Path: "calendar announce", Method: put, Route: "/calendar/{year}", Help: "Say that what was entered of a year is its announcement.", Body: "document!"},
		{Path: "calendar set-day", Method: put, Route: "/calendar-days/{date}", Help: "Make a day off, work, or week for as its weekday says.", Body: "kind! name"},
		{Path: "data-element list", Method: get, Route: "/data-elements", Help: "List data elements.", Query: "q state", Columns: "code name data_type length standard state"},
		{Path: "data-element show", Method: get, Route: "/data-elements/{code}", Help: "Show one data element."},
		{Path: "data-element create", Method: post, Route: "/data-elements", Help: "Add a data element.", File: true, Once: true},
		{Path: "data-element edit", Method: put, Route: "/data-elements/{code}", Help: "Change a data element.", File: true},
		{Path: "data-element sources", Method: get, Route: "/element-sources", Help: "List who is the source of which data element.", Query: "element division department:department_id", Columns: "element element_name division department resource decided_at"},
		{Path: "data-element assign", Method: put, Route: "/data-elements/{code}/sources/{division}", Help: "Record who is the source of a data element in a division.", Body: "department:department_id! resource:resource_id reason!"},
		{Path: "data-element end-source", Method: post, Route: "/data-elements/{code}/sources/{division}/end", Help: "Take a source off the register.", Body: "reason!"},
		{Path: "duty list", Method: get, Route: "/duty-claims", Help: "List claims and objections.", Query: "state element", Columns: "id kind element_name division department proposed owner state created_at"},
		{Path: "duty show", Method: get, Route: "/duty-claims/{id}", Help: "Show one claim."},
		{Path: "duty claim", Method: post, Route: "/duty-claims", Help: "Claim to be the source of a data element, or object to who is.", Body: "kind! element! division proposed:proposed_dept_id resource:resource_id reason!", Once: true},
		{Path: "duty approve", Method: post, Route: "/duty-claims/{id}/approve", Help: "Decide for a claim, and write the register by it.", Body: "reason!"},
		{Path: "duty refuse", Method: post, Route: "/duty-claims/{id}/refuse", Help: "Decide against a claim.", Body: "reason!"},
		{Path: "duty withdraw", Method: post, Route: "/duty-claims/{id}/withdraw", Help: "Take a claim back."},
		{Path: "base-database list", Method: get, Route: "/base-databases", Help: "List base and theme databases.", Columns: "code name theme lead_dept_id resource_id key_item registered_at"},
		{Path: "base-database show", Method: get, Route: "/base-databases/{code}", Help: "Show one base database."},
		{Path: "base-database create", Method: post, Route: "/base-databases", Help: "Add and register a theme database.", File: true, Once: true},
		{Path: "base-database register", Method: put, Route: "/base-databases/{code}/registration", Help: "Record lead department and key item.", Body: "lead:lead_dept_id! key-item:key_item!"},
		{Path: "base-database bind", Method: put, Route: "/base-databases/{code}/resource", Help: "Name the resource that serves it.", Body: "resource:resource_id!"},

		{Path: "code-table list", Method: get, Route: "/code-tables", Help: "List the code tables.", Columns: "name title editable values ended basis"},
		{Path: "code-table show", Method: get, Route: "/code-tables/{table}", Help: "Show one code table."},
		{Path: "code-table values", Method: get, Route: "/code-tables/{table}/values", Help: "List the values of a code table on a day.", Query: "q parent day ended", Columns: "id code name parent valid_from valid_to successor"},
		{Path: "code-table add", Method: post, Route: "/code-tables/{table}/values", Help: "Add a value.", Body: "code! name! name-en:name_en valid-from:valid_from note", Once: true},
		{Path: "code-table end", Method: post, Route: "/code-tables/{table}/values/{id}/end", Help: "End a value, with its successor.", Body: "valid-to:valid_to! successor reason!"},
		{Path: "code-table history", Method: get, Route: "/code-tables/{table}/history", Help: "List what was added to a code table and ended in it.", Columns: "at kind value.code value.name reason by"},

		{Path: "client list", Method: get, Route: "/clients", Help: "List consuming systems.", Query: "department:department_id state", Columns: "id name state department_id allowed_networks"},
		{Path: "client show", Method: get, Route: "/clients/{id}", Help: "Show one consuming system."},
		{Path: "client access", Method: get, Route: "/clients/{id}/access", Help: "Say what a system can see now, or could at a moment (--at), through which grant and rule.", Query: "at refused", Columns: accessColumns},
		{Path: "client create", Method: post, Route: "/clients", Help: "Register a consuming system.", Body: "department:department_id! name! network:allowed_networks[]", Once: true},
		{Path: "client edit", Method: put, Route: "/clients/{id}", Help: "Change name, networks or certificates.", Body: "name network:allowed_networks[] certificate:certificates[]"},
		{Path: "client disable", Method: post, Route: "/clients/{id}/disable", Help: "Refuse all keys of a system."},
		{Path: "client enable", Method: post, Route: "/clients/{id}/enable", Help: "Accept its keys again."},
		{Path: "client key list", Method: get, Route: "/clients/{id}/keys", Help: "List keys, without secrets.", Columns: "key_id created_at expires_at revoked_at last_used_at"},
		{Path: "client key add", Method: post, Route: "/clients/{id}/keys", Help: "Issue a key; its secret is shown once, and the key it replaces ends after the overlap.", Body: "kind expires-at:expires_at overlap-hours:overlap_hours#"},
		{Path: "client key expiring", Method: get, Route: "/keys", Help: "List live keys by their end.", Query: "within:expiring_within department:department_id", Columns: "key_id client_name department_id expires_at last_used_at"},
		{Path: "client key revoke", Method: del, Route: "/clients/{id}/keys/{key}", Help: "Revoke a key for good."},

		{Path: "user list", Method: get, Route: "/users", Help: "List accounts.", Query: "department:department_id role state dormant-days:dormant_days", Columns: "id username display_name roles state department_id"},
		{Path: "user show", Method: get, Route: "/users/{id}", Help: "Show one account."},
		{Path: "user create", Method: post, Route: "/users", Help: "Create an account; its password is asked for or read from --password-file.", Body: "username! display-name:display_name! department:department_id! role:roles[] password?", Once: true},
		{Path: "user roles", Method: put, Route: "/users/{id}/roles", Help: "Set the roles of an account; none takes all away.", Body: "role:roles[]"},
		{Path: "user disable", Method: post, Route: "/users/{id}/disable", Help: "Close an account, end its sessions and hand its open work over.", Body: "hand-over-to:hand_over_to"},
		{Path: "user handed-over", Method: get, Route: "/users/{id}/handed-over", Help: "List what a leaver had in hand.", Columns: "kind id title to"},
		{Path: "user unlock", Method: post, Route: "/users/{id}/unlock", Help: "End the lock that failed sign-ins brought."},
		{Path: "user password", Method: put, Route: "/users/{id}/password", Help: "Set a first password, which the person must change; it is asked for or read from --password-file.", Body: "password?"},
		{Path: "user reset-second-factor", Method: post, Route: "/users/{id}/reset-second-factor", Help: "Take a lost second factor away."},
		{Path: "user deputy list", Method: get, Route: "/users/{id}/deputies", Help: "List a person's absences, and whom they act for.", Columns: deputyColumns},
		{Path: "user deputy add", Method: post, Route: "/users/{id}/deputies", Help: "Name who acts for a person.", Body: "deputy:deputy_id! starts-at:starts_at ends-at:ends_at!", Once: true},
		{Path: "user deputy end", Method: del, Route: "/users/{id}/deputies/{deputy}", Help: "End an absence."},
		{Path: "user enable", Method: post, Route: "/users/{id}/enable", Help: "Open a closed account."},

		{Path: "policy rules", Method: get, Route: "/policy/rules", Help: "List the rules in force.", Columns: "id role action share_type grade state granted effect note"},
		{Path: "policy dry-run", Method: post, Route: "/policy/rules/dry-run", Help: "Say who would gain and who would lose.", File: true},
		{Path: "policy save", Method: post, Route: "/policy/rules", Help: "Change the rules.", File: true},

		{Path: "audit events", Method: get, Route: "/audit/events", Help: "List what happened, newest first.", Query: "from to actor:actor_id department:department_id action object-kind:object_kind object:object_id outcome", Columns: "id seq at action object.kind object.id outcome actor.kind actor.id"},
		{Path: "audit event", Method: get, Route: "/audit/events/{id}", Help: "Show one event."},
		{Path: "audit usage", Method: get, Route: "/audit/usage", Help: "List disclosures, newest first.", Query: "grant:grant_id client:client_id resource:resource_id from to", Columns: "id at mode state grant_id client_id rows purpose case_number"},
		{Path: "audit retention", Method: get, Route: "/retention", Help: "List how long what is kept, and what was removed.", Columns: "kind days least basis oldest_kept last_run_at last_removed total error"},
		{Path: "audit checkpoint", Method: get, Route: "/audit/checkpoint", Help: "Print the newest signed head of the log."},
		{Path: "audit proof", Method: get, Route: "/audit/proof/{leaf}", Help: "Print the proof that an event is in the log."},
	}
}

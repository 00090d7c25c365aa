package console

import "net/http"

// doorRoutes are the pages of those who are not signed in: the first start, signing in and out, the choice of a language.
func (c *console) doorRoutes(m *http.ServeMux) {
	m.HandleFunc("POST /ui/language", c.chooseLanguage)
	m.HandleFunc("GET "+setupLink, c.openSetup)
	m.HandleFunc("GET "+setupPage, c.showSetup)
	m.HandleFunc("POST "+setupPage, c.setUp)
	m.HandleFunc("GET /ui/sign-in", c.showSignIn)
	m.HandleFunc("POST /ui/sign-in", c.signIn)
	m.HandleFunc("POST /ui/sign-in/code", c.signInCode)
	m.HandleFunc("GET /ui/openid/start", c.startOpenID)
	m.HandleFunc("GET /ui/openid/callback", c.finishOpenID)
	m.HandleFunc("POST /ui/sign-out", c.signOut)
}

// accountRoutes are what people do about themselves.
func (c *console) accountRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/account", c.page(c.showAccount))
	m.Handle("POST /ui/account/password", c.page(c.changePassword))
	m.Handle("POST /ui/account/factor", c.page(c.beginFactor))
	m.Handle("POST /ui/account/factor/confirm", c.page(c.confirmFactor))
	m.Handle("POST /ui/account/factor/codes", c.page(c.renewCodes))
	m.Handle("POST /ui/account/factor/remove", c.page(c.removeFactor))
	m.Handle("POST /ui/account/sessions/{id}/end", c.page(c.endSession))
	m.Handle("POST /ui/account/sign-out-everywhere", c.page(c.signOutEverywhere))
	m.Handle("POST /ui/account/deputies", c.page(c.setDeputy))
	m.Handle("POST /ui/account/deputies/{id}/end", c.page(c.endDeputy))
}

// directoryRoutes are the front page, the directory and its entries.
func (c *console) directoryRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/home", c.page(c.showHome))
	m.Handle("GET /ui/resources", c.page(c.showDirectory))
	m.Handle("GET /ui/resources/suggestions", c.page(c.showSuggestions))
	m.Handle("GET /ui/resources/{id}", c.page(c.showResource))
	m.Handle("GET /ui/resources/{id}/access", c.page(c.showResourceAccess))
	m.Handle("GET /ui/resources/{id}/openapi/{grant}", c.page(c.showOpenAPI))
	m.Handle("GET /ui/clients/{id}/access", c.page(c.showClientAccess))
}

// deskRoutes are what people have before them: what waits, what they laid aside and began, what happened.
func (c *console) deskRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/cart", c.page(c.showCart))
	m.Handle("POST /ui/cart", c.page(c.addToCart))
	m.Handle("POST /ui/cart/remove", c.page(c.removeFromCart))
	m.Handle("GET /ui/cart/request", c.page(c.showCartForm))
	m.Handle("POST /ui/cart/request", c.page(c.createFromCart))
	m.Handle("GET /ui/cart/made", c.page(c.showMade))
	m.Handle("GET /ui/todo", c.page(c.showTodo))
	m.Handle("GET /ui/todo/done", c.page(c.showDone))
	m.Handle("GET /ui/todo/mine", c.page(c.showMine))
	m.Handle("GET /ui/todo/drafts", c.page(c.showDrafts))
	m.Handle("POST /ui/todo/drafts/{id}/discard", c.page(c.discardDraft))
	m.Handle("GET /ui/inbox", c.page(c.showInbox))
	m.Handle("POST /ui/inbox/read", c.page(c.markRead))
	m.Handle("GET /ui/requests", c.page(c.showRequests))
}

// requestRoutes are asking and deciding.
func (c *console) requestRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/resources/{id}/request", c.page(c.showRequestForm))
	m.Handle("POST /ui/resources/{id}/request", c.page(c.createRequest))
	m.Handle("POST /ui/resources/{id}/words", c.page(c.sayRows))
	m.Handle("GET /ui/requests/{id}", c.page(c.showRequest))
	m.Handle("GET /ui/requests/{id}/edit", c.page(c.showEditForm))
	m.Handle("POST /ui/requests/{id}/edit", c.page(c.editRequest))
	m.Handle("POST /ui/requests/{id}/outlook", c.page(c.showOutlook))
	m.Handle("GET /ui/requests/{id}/{move}", c.page(c.backToRequest))
	m.Handle("POST /ui/requests/{id}/{move}", c.page(c.moveRequest))
}

// grantRoutes are what is in force.
func (c *console) grantRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/grants", c.page(c.showGrants))
	m.Handle("GET /ui/grants/{id}", c.page(c.showGrant))
	m.Handle("GET /ui/grants/{id}/refusal", c.page(c.showRefusal))
	m.Handle("GET /ui/grants/{id}/{move}", c.page(c.backToGrant))
	m.Handle("POST /ui/grants/{id}/{move}", c.page(c.moveGrant))
	m.Handle("POST /ui/grants/confirm-restored", c.page(c.confirmRestored))
}

// exchangeRoutes are how data come: sources, mounts, tasks with their schedules, runs, and rows that were refused.
func (c *console) exchangeRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/sources", c.page(c.showSources))
	m.Handle("POST /ui/sources", c.page(c.createSource))
	m.Handle("GET /ui/sources/new", c.page(c.showNewSource))
	m.Handle("GET /ui/sources/{id}", c.page(c.showSource))
	m.Handle("GET /ui/sources/{id}/edit", c.page(c.showEditSource))
	m.Handle("POST /ui/sources/{id}/edit", c.page(c.editSource))
	m.Handle("POST /ui/sources/{id}/probe", c.page(c.probeSource))
	m.Handle("GET /ui/sources/{id}/tables", c.page(c.showTables))
	m.Handle("GET /ui/mounts", c.page(c.showMounts))
	m.Handle("POST /ui/mounts", c.page(c.createMount))
	m.Handle("GET /ui/mounts/new", c.page(c.showNewMount))
	m.Handle("GET /ui/mounts/{id}", c.page(c.showMount))
	m.Handle("GET /ui/mounts/{id}/edit", c.page(c.showEditMount))
	m.Handle("POST /ui/mounts/{id}/edit", c.page(c.editMount))
	m.Handle("POST /ui/mounts/{id}/{step}", c.page(c.moveMount))
	m.Handle("GET /ui/tasks", c.page(c.showTasks))
	m.Handle("POST /ui/tasks", c.page(c.createTask))
	m.Handle("GET /ui/tasks/new", c.page(c.showNewTask))
	m.Handle("GET /ui/tasks/{id}", c.page(c.showTask))
	m.Handle("GET /ui/tasks/{id}/schedules", c.page(c.showTaskSchedules))
	m.Handle("POST /ui/tasks/{id}/schedules", c.page(c.createSchedule))
	m.Handle("GET /ui/tasks/{id}/schedules/new", c.page(c.showNewSchedule))
	m.Handle("GET /ui/tasks/{id}/rejects", c.page(c.showRejects))
	m.Handle("GET /ui/tasks/{id}/comparisons", c.page(c.showComparisons))
	m.Handle("GET /ui/tasks/{id}/settings", c.page(c.showTaskSettings))
	m.Handle("POST /ui/tasks/{id}/settings", c.page(c.editTask))
	m.Handle("POST /ui/tasks/{id}/{act}", c.page(c.actOnTask))
	m.Handle("POST /ui/schedules/preview", c.page(c.previewSchedule))
	m.Handle("GET /ui/schedules/{id}", c.page(c.showSchedule))
	m.Handle("GET /ui/schedules/{id}/edit", c.page(c.showEditSchedule))
	m.Handle("POST /ui/schedules/{id}/edit", c.page(c.editSchedule))
	m.Handle("POST /ui/schedules/{id}/{act}", c.page(c.actOnSchedule))
	m.Handle("GET /ui/runs", c.page(c.showRuns))
	m.Handle("GET /ui/runs/{id}", c.page(c.showRun))
	m.Handle("GET /ui/runs/{id}/progress", c.page(c.showProgress))
	m.Handle("POST /ui/runs/{id}/{act}", c.page(c.actOnRun))
	m.Handle("GET /ui/rejects/{id}", c.page(c.showReject))
	m.Handle("POST /ui/rejects/{id}/{act}", c.page(c.actOnReject))
}

// adminRoutes are what the administrators look after: people, departments, clients with their keys, and rules.
func (c *console) adminRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/people", c.page(c.showPeople))
	m.Handle("GET /ui/people/new", c.page(c.showNewPerson))
	m.Handle("POST /ui/people", c.page(c.createPerson))
	m.Handle("GET /ui/people/{id}", c.page(c.showPerson))
	m.Handle("POST /ui/people/{id}/{act}", c.page(c.actOnPerson))
	m.Handle("POST /ui/people/{id}/deputies/{deputy}/end", c.page(c.endPersonDeputy))
	m.Handle("GET /ui/departments", c.page(c.showDepartments))
	m.Handle("GET /ui/departments/new", c.page(c.showNewDepartment))
	m.Handle("POST /ui/departments", c.page(c.createDepartment))
	m.Handle("GET /ui/departments/{id}", c.page(c.showDepartment))
	m.Handle("GET /ui/departments/{id}/edit", c.page(c.showDepartmentForm))
	m.Handle("POST /ui/departments/{id}/edit", c.page(c.editDepartment))
	m.Handle("GET /ui/clients", c.page(c.showClients))
	m.Handle("GET /ui/clients/new", c.page(c.showNewClient))
	m.Handle("POST /ui/clients", c.page(c.createClient))
	m.Handle("GET /ui/clients/{id}", c.page(c.showClient))
	m.Handle("POST /ui/clients/{id}/{act}", c.page(c.actOnClient))
	m.Handle("POST /ui/clients/{id}/keys/{key}/revoke", c.page(c.revokeKey))
	m.Handle("GET /ui/rules", c.page(c.showRules))
	m.Handle("GET /ui/rules/matrix", c.page(c.showMatrix))
	m.Handle("GET /ui/rules/changes", c.page(c.showRuleChanges))
	m.Handle("GET /ui/rules/edit", c.page(c.showRule))
	m.Handle("POST /ui/rules/edit", c.page(c.saveRule))
}

// oversightRoutes are what watches the hub: alarms, the log, the periods of retention.
func (c *console) oversightRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/alarms", c.page(c.showAlarms))
	m.Handle("GET /ui/alarms/{id}", c.page(c.showAlarm))
	m.Handle("POST /ui/alarms/{id}/{act}", c.page(c.actOnAlarm))
	m.Handle("GET /ui/alarms/channels", c.page(c.showChannels))
	m.Handle("GET /ui/alarms/channels/new", c.page(c.showNewChannel))
	m.Handle("POST /ui/alarms/channels", c.page(c.createChannel))
	m.Handle("GET /ui/alarms/channels/{id}", c.page(c.showChannel))
	m.Handle("POST /ui/alarms/channels/{id}/{act}", c.page(c.actOnChannel))
	m.Handle("GET /ui/alarms/rules", c.page(c.showAlarmRules))
	m.Handle("POST /ui/alarms/rules/{key}/change", c.page(c.changeAlarmRule))
	m.Handle("GET /ui/evidence", c.page(c.showEvidence))
	m.Handle("GET /ui/access", c.page(c.showAccessEntry))
	m.Handle("GET /ui/health", c.page(c.showHealth))
	m.Handle("GET /ui/audit", c.page(c.showAudit))
	m.Handle("GET /ui/audit/checkpoints", c.page(c.showCheckpoints))
	m.Handle("GET /ui/audit/{id}", c.page(c.showEvent))
	m.Handle("POST /ui/audit/verify", c.page(c.verifyLog))
	m.Handle("GET /ui/retention", c.page(c.showRetention))
}

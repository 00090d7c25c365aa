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

// directoryRoutes are the directory and its entries.
func (c *console) directoryRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/resources", c.page(c.showDirectory))
	m.Handle("GET /ui/resources/{id}", c.page(c.showResource))
	m.Handle("GET /ui/resources/{id}/access", c.page(c.showResourceAccess))
	m.Handle("GET /ui/clients/{id}/access", c.page(c.showClientAccess))
}

// requestRoutes are asking, deciding, and what waits for whom.
func (c *console) requestRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/resources/{id}/request", c.page(c.showRequestForm))
	m.Handle("POST /ui/resources/{id}/request", c.page(c.createRequest))
	m.Handle("POST /ui/resources/{id}/words", c.page(c.sayRows))
	m.Handle("GET /ui/todo", c.page(c.showTodo))
	m.Handle("GET /ui/requests", c.page(c.showRequests))
	m.Handle("GET /ui/requests/{id}", c.page(c.showRequest))
	m.Handle("GET /ui/requests/{id}/edit", c.page(c.showEditForm))
	m.Handle("POST /ui/requests/{id}/edit", c.page(c.editRequest))
	m.Handle("POST /ui/requests/{id}/{move}", c.page(c.moveRequest))
}

// grantRoutes are what is in force.
func (c *console) grantRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/grants", c.page(c.showGrants))
	m.Handle("GET /ui/grants/{id}", c.page(c.showGrant))
	m.Handle("POST /ui/grants/{id}/{move}", c.page(c.moveGrant))
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

// oversightRoutes are what watches the hub: alarms, the log, the periods of retention.
func (c *console) oversightRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/alarms", c.page(c.showAlarms))
	m.Handle("GET /ui/alarms/{id}", c.page(c.showAlarm))
	m.Handle("POST /ui/alarms/{id}/{act}", c.page(c.actOnAlarm))
	m.Handle("GET /ui/audit", c.page(c.showAudit))
	m.Handle("GET /ui/audit/{id}", c.page(c.showEvent))
	m.Handle("POST /ui/audit/verify", c.page(c.verifyLog))
	m.Handle("GET /ui/retention", c.page(c.showRetention))
}

package main

// serveFlagsOfRetention are the flags of serve about how long things are kept; docs/retention.md says on what basis.
type serveFlagsOfRetention struct {
	RetainUsage           string `name:"retain-usage" help:"Days that records of disclosure are kept." placeholder:"DAYS"`
	RetainRuns            string `name:"retain-runs" help:"Days that finished runs are kept." placeholder:"DAYS"`
	RetainFires           string `name:"retain-fires" help:"Days that the ledger of due times is kept." placeholder:"DAYS"`
	RetainReconciliations string `name:"retain-reconciliations" help:"Days that comparisons are kept." placeholder:"DAYS"`
	RetainSessions        string `name:"retain-sessions" help:"Days that sessions that are over are kept." placeholder:"DAYS"`
	RetainRejectedRows    string `name:"retain-rejected-rows" help:"Days that sealed rows of corrected rejects are kept." placeholder:"DAYS"`
	RetainRejects         string `name:"retain-rejects" help:"Days that corrected rejects are kept." placeholder:"DAYS"`
	RetainChangeLog       string `name:"retain-change-log" help:"Days that the log of changes is kept." placeholder:"DAYS"`
	RetainLayouts         string `name:"retain-layouts" help:"Days that rows in a replaced shape are kept." placeholder:"DAYS"`
	RetainExports         string `name:"retain-exports" help:"Days that orders of files that are gone are kept." placeholder:"DAYS"`
	RetainRevokedRows     string `name:"retain-revoked-rows" help:"Days that rows of revoked resources are kept." placeholder:"DAYS"`
	RetainGrantKeys       string `name:"retain-grant-keys" help:"Days that keys of grants that are over are kept." placeholder:"DAYS"`
}

// retention returns the flags that were given, by their names in the table of options.
func (f serveFlagsOfRetention) retention() map[string]string {
	return given(map[string]string{
		"retain-usage":           f.RetainUsage,
		"retain-runs":            f.RetainRuns,
		"retain-fires":           f.RetainFires,
		"retain-reconciliations": f.RetainReconciliations,
		"retain-sessions":        f.RetainSessions,
		"retain-rejected-rows":   f.RetainRejectedRows,
		"retain-rejects":         f.RetainRejects,
		"retain-change-log":      f.RetainChangeLog,
		"retain-layouts":         f.RetainLayouts,
		"retain-exports":         f.RetainExports,
		"retain-revoked-rows":    f.RetainRevokedRows,
		"retain-grant-keys":      f.RetainGrantKeys,
	})
}

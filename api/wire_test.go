package api_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/catalog/sheet"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/retention"
	"github.com/shuqiao/shuqiao/sharing"
)

// The client's own copies of the bodies have the JSON fields of the hub's types, no more and no fewer.
func TestClientKnowsEveryField(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]any{
		{client.FirstAccounts{}, identity.SetupRequest{}},
		{client.Authority{}, identity.Authority{}},
		{client.Account{}, identity.Account{}},
		{client.SetupResult{}, identity.SetupResult{}},
		{client.Department{}, catalog.Department{}},
		{client.System{}, catalog.System{}},
		{client.BaseDatabase{}, catalog.BaseDatabase{}},
		{client.CalendarYear{}, catalog.CalendarYear{}},
		{client.CalendarDay{}, calendar.Day{}},
		{client.CalendarChange{}, catalog.CalendarChange{}},
		{client.Term{}, calendar.Term{}},
		{client.SkippedDay{}, calendar.Skip{}},
		{client.Coverage{}, catalog.Coverage{}},
		{client.DepartmentCoverage{}, catalog.DepartmentCoverage{}},
		{client.NilReturn{}, catalog.NilReturn{}},
		{client.Registration{}, catalog.Registration{}},
		{client.DataElement{}, catalog.DataElement{}},
		{client.ElementSource{}, catalog.ElementSource{}},
		{client.SourceAssignment{}, catalog.SourceAssignment{}},
		{client.DutyClaim{}, catalog.DutyClaim{}},
		{client.NewDutyClaim{}, catalog.NewDutyClaim{}},
		{client.ItemSource{}, catalog.ItemSource{}},
		{client.SimilarTo{}, catalog.SimilarTo{}},
		{client.Point{}, catalog.Point{}},
		{client.Truth{}, catalog.Truth{}},
		{client.SleepingEntry{}, catalog.SleepingEntry{}},
		{client.CodeTable{}, catalog.CodeTable{}},
		{client.CodeValue{}, catalog.CodeValue{}},
		{client.NewCodeValue{}, catalog.NewCodeValue{}},
		{client.CodeEnd{}, catalog.CodeEnd{}},
		{client.CodeChange{}, catalog.CodeChange{}},
		{client.Volume{}, catalog.Volume{}},
		{client.Related{}, catalog.Related{}},
		{client.Resource{}, catalog.Resource{}},
		{client.Version{}, catalog.Version{}},
		{client.Metadata{}, catalog.Metadata{}},
		{client.Item{}, catalog.Item{}},
		{client.Entry{}, catalog.Entry{}},
		{client.Source{}, catalog.Source{}},
		{client.SourceInput{}, catalog.SourceInput{}},
		{client.ProbeResult{}, catalog.ProbeResult{}},
		{client.Mount{}, catalog.Mount{}},
		{client.MountInput{}, catalog.MountInput{}},
		{client.MountColumn{}, catalog.MountColumn{}},
		{client.MountReport{}, catalog.MountReport{}},
		{client.Template{}, catalog.Template{}},
		{client.DraftInput{}, catalog.DraftInput{}},
		{client.DraftedTable{}, catalog.DraftedTable{}},
		{client.DraftProblem{}, catalog.DraftProblem{}},
		{client.Proposal{}, catalog.Proposal{}},
		{client.ProposedItem{}, catalog.ProposedItem{}},
		{client.Suggestion{}, catalog.Suggestion{}},
		{client.SampleEvidence{}, catalog.Evidence{}},
		{client.Origin{}, catalog.Origin{}},
		{client.Drift{}, catalog.Drift{}},
		{client.Terms{}, sharing.Terms{}},
		{client.Application{}, sharing.Application{}},
		{client.Request{}, sharing.Request{}},
		{client.Conditions{}, sharing.Conditions{}},
		{client.Export{}, pull.Export{}},
		{client.Import{}, sheet.Job{}},
		{client.ImportError{}, sheet.Line{}},
		{client.Grant{}, sharing.ServedGrant{}},
		{client.AccessReport{}, sharing.AccessReport{}},
		{client.Access{}, sharing.Access{}},
		{client.AccessItem{}, sharing.AccessItem{}},
		{client.Way{}, sharing.Way{}},
		{client.Reader{}, sharing.Reader{}},
		{client.Filing{}, sharing.Filing{}},
		{client.Todo{}, sharing.Todo{}},
		{client.TodoList{}, sharing.TodoList{}},
		{client.NewTask{}, exchange.NewTask{}},
		{client.TaskInput{}, exchange.TaskInput{}},
		{client.TaskSettings{}, exchange.Settings{}},
		{client.MountDeletes{}, catalog.MountDeletes{}},
		{client.Task{}, exchange.Task{}},
		{client.RetentionLine{}, retention.Line{}},
		{client.NewSchedule{}, exchange.NewSchedule{}},
		{client.Schedule{}, exchange.Schedule{}},
		{client.Fire{}, exchange.Fire{}},
		{client.Run{}, exchange.Run{}},
		{client.Reject{}, exchange.Reject{}},
		{client.RejectRow{}, exchange.RejectRow{}},
		{client.Reconciliation{}, exchange.Reconciliation{}},
		{client.Freshness{}, exchange.Freshness{}},
		{client.User{}, identity.User{}},
		{client.Leaver{}, identity.Leaver{}},
		{client.Handed{}, identity.Handed{}},
		{client.Deputy{}, identity.Deputy{}},
		{client.OpenSession{}, identity.OpenSession{}},
		{client.Enrolment{}, identity.Enrolment{}},
		{client.SecondFactorState{}, identity.SecondFactorState{}},
		{client.ConsumingSystem{}, identity.Client{}},
		{client.Key{}, identity.Key{}},
		{client.Event{}, audit.Entry{}},
		{client.Alarm{}, alarm.Alarm{}},
		{client.AlarmRule{}, alarm.RuleInForce{}},
		{client.AlarmRuleChange{}, alarm.RuleChange{}},
		{client.AlarmChannel{}, alarm.Channel{}},
		{client.AlarmChannelInput{}, alarm.ChannelInput{}},
		{client.AlarmChannelSettings{}, alarm.ChannelSettings{}},
		{client.AlarmTest{}, alarm.TestResult{}},
		{client.AlarmDelivery{}, alarm.Delivery{}},
		{client.Facets{}, catalog.Facets{}},
		{client.Completion{}, catalog.Completion{}},
		{client.Facet{}, catalog.Facet{}},
		{client.HistoryEntry{}, catalog.HistoryEntry{}},
		{client.ThemeDatabase{}, catalog.ThemeDatabase{}},
		{client.RequestEntry{}, sharing.RequestEntry{}},
		{client.GrantEntry{}, sharing.GrantEntry{}},
		{client.Usage{}, audit.Usage{}},
		{client.Checkpoint{}, audit.Checkpoint{}},
		{client.Proof{}, audit.Proof{}},
		{client.RuleChanges{}, authz.Changes{}},
		{client.Rule{}, authz.Rule{}},
		{client.ChangeEvent{}, catalog.ChangeEvent{}},
		{client.Extension{}, catalog.Extension{}},
		{client.NewChange{}, catalog.NewChange{}},
		{client.ChangeCounts{}, catalog.ChangeCounts{}},
		{client.Comment{}, catalog.Comment{}},
		{client.AssessmentFile{}, catalog.AssessmentFile{}},
		{client.Break{}, catalog.Break{}},
		{client.Impact{}, sharing.Impact{}},
		{client.ImpactBreak{}, sharing.ImpactBreak{}},
		{client.ImpactUse{}, sharing.ImpactUse{}},
		{client.GrantChange{}, sharing.GrantChange{}},
	} {
		got, want := jsonFields(reflect.TypeOf(pair[0])), jsonFields(reflect.TypeOf(pair[1]))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T (-hub +client):\n%s", pair[0], diff)
		}
	}
}

// jsonFields returns the sorted JSON names of a struct, those of embedded structs included.
func jsonFields(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			out = append(out, jsonFields(f.Type)...)
		default:
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

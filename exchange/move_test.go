package exchange

import (
	"slices"
	"testing"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Every pair of a run's state and an action is either in the table, written here a second time by hand, or refused with
// what is possible now.
func TestEveryRunStateAndAction(t *testing.T) {
	t.Parallel()
	want := map[RunState]map[RunAction]RunState{
		Queued:      {RunClaim: Running, RunResume: Reconciling, RunCancel: Cancelled},
		Running:     {RunMerge: Reconciling, RunSucceed: Succeeded, RunDiffer: Partial, RunRetry: Queued, RunGiveBack: Queued, RunFail: Failed, RunCancel: Cancelled},
		Reconciling: {RunSucceed: Succeeded, RunDiffer: Partial, RunRetry: Queued, RunGiveBack: Queued, RunFail: Partial},
	}
	pairs := 0
	for _, from := range RunStates() {
		for _, action := range RunActions() {
			pairs++
			move, err := findRunMove(from, action)
			to, allowed := want[from][action]
			if allowed && (err != nil || move.To != to) {
				t.Errorf("%s %s: got %s, %v, want %s", from, action, move.To, err, to)
			}
			if !allowed && (!fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "illegal_move") {
				t.Errorf("%s %s: got %v, want illegal_move", from, action, err)
			}
		}
		if from.Final() && want[from] != nil || !from.Final() && want[from] == nil {
			t.Errorf("%s: final %v", from, from.Final())
		}
	}
	if pairs != 63 || len(RunMoves()) != 15 {
		t.Errorf("%d pairs, %d moves", pairs, len(RunMoves()))
	}
}

// Every pair of a task's state and a step is either in the table or refused.
func TestEveryTaskStateAndStep(t *testing.T) {
	t.Parallel()
	want := map[TaskState]map[TaskStep]TaskState{
		TaskDraft:    {TaskEnable: TaskEnabled, TaskDisable: TaskDisabled},
		TaskEnabled:  {TaskPause: TaskPaused, TaskDisable: TaskDisabled},
		TaskPaused:   {TaskEnable: TaskEnabled, TaskDisable: TaskDisabled},
		TaskDisabled: {TaskEnable: TaskEnabled},
	}
	for from, steps := range want {
		for _, step := range []TaskStep{TaskEnable, TaskPause, TaskDisable} {
			move, err := findTaskMove(from, step)
			to, allowed := steps[step]
			if allowed != (err == nil) || allowed && move.To != to {
				t.Errorf("%s %s: got %s, %v", from, step, move.To, err)
			}
		}
	}
	if moves := TaskMoves(); len(moves) != 7 || !slices.Contains(moves, TaskMove{TaskPaused, TaskEnable, TaskEnabled}) {
		t.Errorf("got %v", moves)
	}
}

// Keys are hidden so that a short one shows nothing.
func TestMaskKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"": "", "12": "**", "1234567": "*******", "12345678": "12****78", "330602~1李四": "******~1**", "示例示例示例示例示例": "示例******示例",
	} {
		if got := maskKey(key); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
}

package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/internal/db"
)

// testAlarms: an overdue schedule shows to its department, and is acknowledged and silenced there with a reason.
func testAlarms(t *testing.T, h *hub) {
	_, err := h.db.Pool.Exec(h.ctx, `
		INSERT INTO schedule (id, task_id, spec, state, next_at, created_at, updated_at)
		VALUES ($1, $2, '0 2 * * *', 'enabled', now() - interval '1 hour', now(), now())`, db.NewID(), h.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if ran, err := h.alarm.Round(h.ctx); !ran || err != nil {
		t.Fatalf("judging: %v, %v", ran, err)
	}
	overdue := "schedule_overdue"
	found, _, err := h.alarm.List(h.ctx, h.people["platform_operator"], alarm.Filter{Rule: &overdue}, db.Page{})
	if err != nil || len(found) != 1 {
		t.Fatalf("alarms: %+v, %v", found, err)
	}
	path := "/ui/alarms/" + found[0].ID.String()
	b := h.as(t, "police_admin")
	if status, page := b.get("/ui/alarms"); status != http.StatusOK || !strings.Contains(page, path) || !strings.Contains(page, "调度逾期未触发") {
		t.Errorf("the list: got %d without the alarm", status)
	}
	if status, page := b.post(path+"/silence", "days", "7", "reason", " "); status != http.StatusUnprocessableEntity || !strings.Contains(page, `value="7" selected`) {
		t.Errorf("silencing without a reason: got %d", status)
	}
	if status, page := b.post(path+"/acknowledge", "note", "值班室已联系"); status != http.StatusOK || !strings.Contains(page, `title="acknowledged"`) || !strings.Contains(page, "值班室已联系") {
		t.Errorf("acknowledging: got %d", status)
	}
	if status, page := b.post(path+"/silence", "days", "7", "reason", "来源检修"); status != http.StatusOK || !strings.Contains(page, `title="silenced"`) || !strings.Contains(page, "来源检修") {
		t.Errorf("silencing: got %d", status)
	}
	if status, page := b.post(path + "/unsilence"); status != http.StatusOK || !strings.Contains(page, `title="acknowledged"`) {
		t.Errorf("ending the silence: got %d", status)
	}
}

// testForeignAlarms: an alarm shows to no other department, and to nobody without the right.
func testForeignAlarms(t *testing.T, h *hub) {
	found, _, err := h.alarm.List(h.ctx, h.people["platform_operator"], alarm.Filter{}, db.Page{})
	if err != nil || len(found) == 0 {
		t.Fatalf("alarms: %+v, %v", found, err)
	}
	path := "/ui/alarms/" + found[0].ID.String()
	if status, _ := h.as(t, "social_admin").get(path); status != http.StatusNotFound {
		t.Errorf("another department opens it: got %d", status)
	}
	if status, _ := h.as(t, "social_admin").post(path+"/acknowledge", "note", "x"); status != http.StatusNotFound {
		t.Errorf("another department acknowledges it: got %d", status)
	}
	if status, _ := h.as(t, "social_operator").get("/ui/alarms"); status != http.StatusForbidden {
		t.Errorf("without the right: got %d", status)
	}
}

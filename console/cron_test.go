package console

import (
	"testing"

	"github.com/shuqiao/shuqiao/exchange"
)

// Schedules are said in words in both languages; what has no short words is shown as it is written.
func TestCronInWords(t *testing.T) {
	t.Parallel()
	zh, en := load(t, chinese), load(t, english)
	for _, c := range [][3]string{
		{"* * * * *", "每分钟", "every minute"},
		{"*/15 * * * *", "每 15 分钟", "every 15 minutes"},
		{"7 * * * *", "每小时第 7 分", "hourly at minute 7"},
		{"0,30 * * * *", "每小时第 0、30 分", "hourly at minute 0, 30"},
		{"10 */6 * * *", "每 6 小时，逢第 10 分", "every 6 hours, at minute 10"},
		{"*/10 8-18 * * *", "08:00 至 18:59 每 10 分钟", "every 10 minutes from 08:00 to 18:59"},
		{"30 2 * * *", "每天 02:30", "daily at 02:30"},
		{"0 8,12,18 * * *", "每天 08:00、12:00、18:00", "daily at 08:00, 12:00, 18:00"},
		{"0 3 * * 1", "每周一 03:00", "Monday at 03:00"},
		{"0 3 * * 1-5", "每周一至周五 03:00", "Monday to Friday at 03:00"},
		{"0 3 * * MON-FRI", "每周一至周五 03:00", "Monday to Friday at 03:00"},
		{"0 3 * * 0,6", "每周六、周日 03:00", "Saturday, Sunday at 03:00"},
		{"0 3 * * 5-6", "每周五、周六 03:00", "Friday, Saturday at 03:00"},
		{"*/5 9-17 * * 1-5", "每周一至周五，09:00 至 17:59 每 5 分钟", "every 5 minutes from 09:00 to 17:59, Monday to Friday"},
		{"0 2 1 * *", "每月 1 日 02:00", "day 1 of the month at 02:00"},
		{"0 2 1,15 * *", "每月 1、15 日 02:00", "day 1, 15 of the month at 02:00"},
		{"0 2 1-7 * *", "每月 1至7 日 02:00", "day 1 to 7 of the month at 02:00"},
		{"0 2 1 * 1", "每月 1 日以及每周一 02:00", "day 1 of the month and Monday at 02:00"},
		{"0 0 1 1,4,7,10 *", "1 月、4 月、7 月、10 月的 1 日 00:00", "day 1 of January, April, July, October at 00:00"},
		{"0 2 * jan-mar *", "1 月至3 月的每天 02:00", "every day of January to March at 02:00"},
		{"@daily", "每天 00:00", "daily at 00:00"},
		{"@weekly", "每周日 00:00", "Sunday at 00:00"},
		{"@hourly", "每小时第 0 分", "hourly at minute 0"},
		{"@every 10s", "每 10 秒", "every 10 seconds"},
		{"@every 90m", "每 1 小时 30 分钟", "every 1 hour 30 minutes"},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "每天 02:30（时区 Europe/Berlin）", "daily at 02:30 (Europe/Berlin)"},
		{"1-9/3,40 1-3 1 2 *", "2 月的 1 日 01:01、01:04、01:07、01:40、02:01、02:04、02:07、02:40、03:01、03:04、03:07、03:40", "day 1 of February at 01:01, 01:04, 01:07, 01:40, 02:01, 02:04, 02:07, 02:40, 03:01, 03:04, 03:07, 03:40"},
		{"*/7 1,5 * * *", "*/7 1,5 * * *", "*/7 1,5 * * *"},
		{"0-50 1-20 * * *", "0-50 1-20 * * *", "0-50 1-20 * * *"},
		{"nonsense", "nonsense", "nonsense"},
		{"61 * * * *", "61 * * * *", "61 * * * *"},
		{"@every soon", "@every soon", "@every soon"},
		{"CRON_TZ=UTC", "CRON_TZ=UTC", "CRON_TZ=UTC"},
		{"", "", ""},
	} {
		if got := zh.cron(c[0]); got != c[1] {
			t.Errorf("%q in Chinese: got %q, want %q", c[0], got, c[1])
		}
		if got := en.cron(c[0]); got != c[2] {
			t.Errorf("%q in English: got %q, want %q", c[0], got, c[2])
		}
	}
}

// What the form of a schedule can say is read back into the same fields.
func TestScheduleFormReadsBack(t *testing.T) {
	t.Parallel()
	for spec, how := range map[string]string{
		"*/20 * * * *": "minutes", "5 * * * *": "hourly", "30 2 * * *": "daily", "0 3 * * 1,5": "weekly", "15 4 28 * *": "monthly",
		"0 3 * * 1-5": "spec", "0 3 1 2 *": "spec", "@every 10s": "spec", "0 8,12 * * *": "spec", "CRON_TZ=UTC 0 3 * * *": "spec",
	} {
		var f scheduleForm
		f.of(scheduleOf(spec))
		if f.How != how || f.spec() != spec {
			t.Errorf("%q becomes %q by %s, want %s", spec, f.spec(), f.How, how)
		}
	}
}

func scheduleOf(spec string) exchange.Schedule { return exchange.Schedule{Spec: spec} }

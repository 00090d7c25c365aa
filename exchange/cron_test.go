package exchange

import (
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/internal/fault"
)

var noon = time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC) // 12:00 in Shanghai, a Monday.

// A schedule's text gives the due times that people expect in their zone.
func TestParseSpec(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, spec, zone, want string }{
		{"a minute of each hour", "5 * * * *", "Asia/Shanghai", "2026-03-02T04:05:00Z"},
		{"midnight in Shanghai", "0 0 * * *", "Asia/Shanghai", "2026-03-02T16:00:00Z"},
		{"a name in Shanghai", "@daily", "Asia/Shanghai", "2026-03-02T16:00:00Z"},
		{"hourly", "@hourly", "Asia/Shanghai", "2026-03-02T05:00:00Z"},
		{"a prefix over the zone", "CRON_TZ=UTC 0 0 * * *", "Asia/Shanghai", "2026-03-03T00:00:00Z"},
		{"a name with prefix", "TZ=Asia/Urumqi @daily", "UTC", "2026-03-02T18:00:00Z"},
		{"weekdays by name", "30 8 * * mon-fri", "Asia/Shanghai", "2026-03-03T00:30:00Z"},
		{"every ten seconds", "@every 10s", "Asia/Shanghai", "2026-03-02T04:00:10Z"},
		{"a leap day", "0 0 29 2 *", "UTC", "2028-02-29T00:00:00Z"},
		{"an hour that daylight saving skips", "30 2 29 3 *", "Europe/Berlin", "2027-03-29T00:30:00Z"},
	} {
		due, err := ParseSpec(c.spec, c.zone, noon)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := due.Next(noon).Format(time.RFC3339); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// Text that would never fire, fire too often or not parse is refused with the field and a code.
func TestParseSpecRefuses(t *testing.T) {
	t.Parallel()
	long := make([]byte, maxSpec+1)
	for i := range long {
		long[i] = '*'
	}
	for _, c := range []struct{ name, spec, zone, field, code string }{
		{"nothing", " ", "UTC", "spec", "required"},
		{"too long", string(long), "UTC", "spec", "too_long"},
		{"the thirtieth of February", "0 0 30 2 *", "UTC", "spec", "never_fires"},
		{"half a second", "@every 500ms", "UTC", "spec", "too_fast"},
		{"one and a half seconds", "@every 1500ms", "UTC", "spec", "too_fast"},
		{"backwards", "@every -1h", "UTC", "spec", "too_fast"},
		{"no duration", "@every", "UTC", "spec", "malformed"},
		{"a century", "@every 876000h", "UTC", "spec", "never_fires"},
		{"six fields", "* * * * * *", "UTC", "spec", "malformed"},
		{"four fields", "* * * *", "UTC", "spec", "malformed"},
		{"minute 60", "60 * * * *", "UTC", "spec", "malformed"},
		{"step zero", "*/0 * * * *", "UTC", "spec", "malformed"},
		{"an unknown name", "@fortnightly", "UTC", "spec", "malformed"},
		{"a zone alone", "CRON_TZ=UTC", "UTC", "spec", "malformed"},
		{"an empty zone", "CRON_TZ= * * * * *", "UTC", "spec", "unknown_zone"},
		{"two zones", "CRON_TZ=UTC TZ=UTC * * * * *", "UTC", "spec", "malformed"},
		{"a zone out of the tree", "CRON_TZ=../../etc/passwd * * * * *", "UTC", "spec", "unknown_zone"},
		{"the zone of the machine", "* * * * *", "Local", "time_zone", "unknown_zone"},
		{"an unknown zone", "* * * * *", "Asia/Atlantis", "time_zone", "unknown_zone"},
	} {
		_, err := ParseSpec(c.spec, c.zone, noon)
		fields := fieldsOf(err)
		if !fault.Is(err, fault.Invalid) || len(fields) != 1 || fields[0].Name != c.field || fields[0].Code != c.code {
			t.Errorf("%s: got %v, want %s %s", c.name, err, c.field, c.code)
		}
	}
}

// What lies behind is counted exactly, and the next due time follows from the last, not from now.
func TestPassed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, spec         string
		behind             time.Duration
		count              int64
		last, before, next time.Duration // From noon.
	}{
		{"one", "@every 10s", 9 * time.Second, 1, 0, 0, 10 * time.Second},
		{"some", "@every 10s", 35 * time.Second, 4, 30 * time.Second, 20 * time.Second, 40 * time.Second},
		{"exactly at one", "@every 10s", 30 * time.Second, 4, 30 * time.Second, 20 * time.Second, 40 * time.Second},
		{"a month of seconds", "@every 1s", 720 * time.Hour, 2_592_001, 720 * time.Hour, 720*time.Hour - time.Second, 720*time.Hour + time.Second},
		{"cron", "*/5 * * * *", 16 * time.Minute, 4, 15 * time.Minute, 10 * time.Minute, 20 * time.Minute},
		{"cron, one", "*/5 * * * *", time.Minute, 1, 0, 0, 5 * time.Minute},
	} {
		due, err := ParseSpec(c.spec, "UTC", noon)
		if err != nil {
			t.Fatal(err)
		}
		got, err := due.passed(noon, noon.Add(c.behind))
		want := span{first: noon, last: noon.Add(c.last), before: noon.Add(c.before), next: noon.Add(c.next), count: c.count}
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, want)
		}
	}
	// Years of minutes are not walked one by one, and the end is still exact.
	due, err := ParseSpec("* * * * *", "UTC", noon)
	if err != nil {
		t.Fatal(err)
	}
	now := noon.AddDate(3, 0, 0)
	if got, err := due.passed(noon, now); err != nil || !got.last.Equal(now) || !got.next.Equal(now.Add(time.Minute)) || got.count < maxSteps {
		t.Errorf("got %+v, %v", got, err)
	}
}

// No text makes the parser panic, and every schedule it accepts moves on.
func FuzzParseSpec(f *testing.F) {
	for _, seed := range []string{
		"* * * * *", "@every 10s", "@hourly", "CRON_TZ=Asia/Shanghai 30 2 * * 1-5", "TZ=", "CRON_TZ=UTC", "*/0 * * * *", "0 0 30 2 *",
		"@every 9999999999h", "1-5/2,7 */3 1,15 jan-mar sun", "? ? ? ? ?", "0 0 31 4,6,9,11 *", "* * * * *\x00", "@every\u00a01h", "9999999999999999999 * * * *",
	} {
		f.Add(seed, "Asia/Shanghai")
	}
	f.Add("* * * * *", "../UTC")
	f.Fuzz(func(t *testing.T, spec, zone string) {
		due, err := ParseSpec(spec, zone, noon)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("got %v, want an invalid input", err)
			}
			return
		}
		next := due.Next(noon)
		if next.IsZero() || !next.After(noon) {
			t.Fatalf("the first due time after %s is %s", noon, next)
		}
		got, err := due.passed(next, next.Add(time.Hour))
		if err == nil && (got.count < 1 || got.last.After(next.Add(time.Hour)) || !got.next.After(next.Add(time.Hour))) {
			t.Fatalf("an hour behind: %+v", got)
		}
	})
}

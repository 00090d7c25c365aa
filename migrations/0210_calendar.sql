-- The calendar of working days: what was announced about which year, editable; all nodes hold one copy of it and read it again
-- when its version is another.

-- +goose Up

-- announced is false while only single days of a year were entered: dates counted in it are still provisional. document is the
-- number or address of the announcement; form says how it came: holiday_cn, chinese_days or by_hand.
CREATE TABLE calendar_year (
    year       int PRIMARY KEY CHECK (year BETWEEN 1990 AND 2200),
    announced  boolean NOT NULL,
    document   text NOT NULL DEFAULT '',
    form       text NOT NULL CHECK (form IN ('holiday_cn', 'chinese_days', 'by_hand')),
    changed_by uuid, -- NULL for what the program brought.
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Days that depart from the week: off, or a weekend day that is worked. year is that of the announcement, which may name days of
-- the neighbouring years.
CREATE TABLE calendar_day (
    day  date PRIMARY KEY CHECK (day BETWEEN '1990-01-01' AND '2200-12-31'),
    year int NOT NULL REFERENCES calendar_year ON DELETE CASCADE,
    off  boolean NOT NULL,
    name text NOT NULL
);
CREATE INDEX calendar_day_year ON calendar_day (year);

CREATE TABLE calendar_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
);
INSERT INTO calendar_version (version) VALUES (1);

-- As NateScarlet/holiday-cn (MIT) transcribes the announcements; the program holds the same files.
INSERT INTO calendar_year (year, announced, document, form) VALUES
    (2024, true, 'https://www.gov.cn/zhengce/zhengceku/202310/content_6911528.htm', 'holiday_cn'),
    (2025, true, 'https://www.gov.cn/zhengce/zhengceku/202411/content_6986383.htm', 'holiday_cn'),
    (2026, true, 'https://www.gov.cn/zhengce/zhengceku/202511/content_7047091.htm', 'holiday_cn');
INSERT INTO calendar_day (day, year, off, name)
SELECT d::date, year, off, name FROM (VALUES
    (date '2024-01-01', date '2024-01-01', 2024, true, '元旦'),
    (date '2024-02-04', date '2024-02-04', 2024, false, '春节'),
    (date '2024-02-10', date '2024-02-17', 2024, true, '春节'),
    (date '2024-02-18', date '2024-02-18', 2024, false, '春节'),
    (date '2024-04-04', date '2024-04-06', 2024, true, '清明节'),
    (date '2024-04-07', date '2024-04-07', 2024, false, '清明节'),
    (date '2024-04-28', date '2024-04-28', 2024, false, '劳动节'),
    (date '2024-05-01', date '2024-05-05', 2024, true, '劳动节'),
    (date '2024-05-11', date '2024-05-11', 2024, false, '劳动节'),
    (date '2024-06-10', date '2024-06-10', 2024, true, '端午节'),
    (date '2024-09-14', date '2024-09-14', 2024, false, '中秋节'),
    (date '2024-09-15', date '2024-09-17', 2024, true, '中秋节'),
    (date '2024-09-29', date '2024-09-29', 2024, false, '国庆节'),
    (date '2024-10-01', date '2024-10-07', 2024, true, '国庆节'),
    (date '2024-10-12', date '2024-10-12', 2024, false, '国庆节'),
    (date '2025-01-01', date '2025-01-01', 2025, true, '元旦'),
    (date '2025-01-26', date '2025-01-26', 2025, false, '春节'),
    (date '2025-01-28', date '2025-02-04', 2025, true, '春节'),
    (date '2025-02-08', date '2025-02-08', 2025, false, '春节'),
    (date '2025-04-04', date '2025-04-06', 2025, true, '清明节'),
    (date '2025-04-27', date '2025-04-27', 2025, false, '劳动节'),
    (date '2025-05-01', date '2025-05-05', 2025, true, '劳动节'),
    (date '2025-05-31', date '2025-06-02', 2025, true, '端午节'),
    (date '2025-09-28', date '2025-09-28', 2025, false, '国庆节、中秋节'),
    (date '2025-10-01', date '2025-10-08', 2025, true, '国庆节、中秋节'),
    (date '2025-10-11', date '2025-10-11', 2025, false, '国庆节、中秋节'),
    (date '2026-01-01', date '2026-01-03', 2026, true, '元旦'),
    (date '2026-01-04', date '2026-01-04', 2026, false, '元旦'),
    (date '2026-02-14', date '2026-02-14', 2026, false, '春节'),
    (date '2026-02-15', date '2026-02-23', 2026, true, '春节'),
    (date '2026-02-28', date '2026-02-28', 2026, false, '春节'),
    (date '2026-04-04', date '2026-04-06', 2026, true, '清明节'),
    (date '2026-05-01', date '2026-05-05', 2026, true, '劳动节'),
    (date '2026-05-09', date '2026-05-09', 2026, false, '劳动节'),
    (date '2026-06-19', date '2026-06-21', 2026, true, '端午节'),
    (date '2026-09-20', date '2026-09-20', 2026, false, '国庆节'),
    (date '2026-09-25', date '2026-09-27', 2026, true, '中秋节'),
    (date '2026-10-01', date '2026-10-07', 2026, true, '国庆节'),
    (date '2026-10-10', date '2026-10-10', 2026, false, '国庆节')
) AS v (first, last, year, off, name), generate_series(first, last, interval '1 day') AS d;

INSERT INTO policy_rule (id, role, action, effect, note)
SELECT replace(role, '_', '-') || '-calendar-read', role, 'calendar.read', 'allow', 'everybody may know which days are worked'
FROM unnest(ARRAY['system_admin', 'security_admin', 'auditor', 'platform_operator', 'dept_admin', 'dept_operator']) AS role;
INSERT INTO policy_rule (id, role, action, effect, note) VALUES
    ('platform-operator-calendar-write', 'platform_operator', 'calendar.write', 'allow', 'the authority keeps the calendar of working days');
-- Not entered in the policy log: nodes of before do not know the actions, and nodes of after read the rules when they start.

-- +goose Down
DELETE FROM policy_rule WHERE action IN ('calendar.read', 'calendar.write');
DROP TABLE calendar_version, calendar_day, calendar_year;

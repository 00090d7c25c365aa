-- How long things are kept: what the job that removes them has done, and the rights it needs for what it cannot own.

-- +goose Up

-- What became of each kind: when its turn last was, what that removed and whether it failed; the oldest that is kept.
CREATE TABLE retention (
    kind         text PRIMARY KEY,
    last_run_at  timestamptz,
    last_removed bigint NOT NULL DEFAULT 0,
    removed_at   timestamptz,
    total        bigint NOT NULL DEFAULT 0,
    oldest       timestamptz,
    error        text NOT NULL DEFAULT ''
);

-- What was removed on each day (Asia/Shanghai), written with the removal itself, until the event about that day is written.
CREATE TABLE retention_day (
    kind    text NOT NULL,
    day     date NOT NULL,
    removed bigint NOT NULL,
    PRIMARY KEY (kind, day)
);

-- The key of a grant that is over is erased some time after.
ALTER TABLE sharing_grant ALTER COLUMN rid_key DROP NOT NULL,
    ADD CONSTRAINT sharing_grant_rid_key CHECK (rid_key IS NOT NULL OR state IN ('expired', 'terminated', 'disposing', 'closed'));
CREATE INDEX sharing_grant_over ON sharing_grant (updated_at) WHERE rid_key IS NOT NULL AND state IN ('expired', 'terminated', 'disposing', 'closed');

-- The row of a reject that was corrected is erased some time after.
ALTER TABLE reject ALTER COLUMN sealed_row DROP NOT NULL,
    ADD CONSTRAINT reject_sealed_row CHECK (sealed_row IS NOT NULL OR state = 'corrected');
CREATE INDEX reject_corrected ON reject (closed_at) WHERE state = 'corrected';

CREATE INDEX fire_due ON fire (due_to);
CREATE INDEX reconciliation_at ON reconciliation (at);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- Removes the rows of the month that begins with first (UTC) from a table partitioned by month, and returns how many there were.
-- It runs with the rights of the owner of the tables and refuses months younger than the law asks for, whatever the settings of a
-- hub are: usage three years (Order 809, Art 29), runs six months (Cybersecurity Law).
-- +goose StatementBegin
CREATE FUNCTION drop_month(parent text, first date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '200ms' SET timezone = 'UTC' AS $$
DECLARE
    since   timestamptz := first;
    until   timestamptz := first + interval '1 month';
    child   text := parent || '_' || to_char(first, 'YYYYMM');
    moment  text := CASE parent WHEN 'usage' THEN 'at' WHEN 'run_history' THEN 'finished_at' END;
    least   int := CASE parent WHEN 'usage' THEN 1096 WHEN 'run_history' THEN 184 END;
    removed bigint;
BEGIN
    IF moment IS NULL OR first <> date_trunc('month', first) OR until > clock_timestamp() - make_interval(days => least) THEN
        RAISE EXCEPTION 'only whole months whose period is over are removed' USING ERRCODE = '22023';
    END IF;
    EXECUTE format('SELECT count(*) FROM %I WHERE %I >= $1 AND %I < $2', parent, moment, moment) INTO removed USING since, until;
    IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = parent::regclass AND inhrelid = to_regclass(child)) THEN
        EXECUTE format('DROP TABLE %I', child);
    END IF;
    EXECUTE format('DELETE FROM %I WHERE %I >= $1 AND %I < $2', parent || '_other', moment, moment) USING since, until;
    RETURN removed;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION drop_month(text, date) FROM PUBLIC;

-- Makes the partition of run_history of the month that begins with first (UTC), as make_usage_partition does for usage.
-- +goose StatementBegin
CREATE FUNCTION make_run_history_partition(first date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' SET timezone = 'UTC' AS $$
DECLARE
    name  text := 'run_history_' || to_char(first, 'YYYYMM');
    since timestamptz := first;
    until timestamptz := first + interval '1 month';
BEGIN
    IF first <> date_trunc('month', first) OR abs(first - current_date) > 100 THEN
        RAISE EXCEPTION 'partitions are made for the months around now' USING ERRCODE = '22023';
    END IF;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE run_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    LOCK TABLE run_history_other IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH moved AS (DELETE FROM run_history_other WHERE finished_at >= %L AND finished_at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        since, until, name);
    EXECUTE format('GRANT SELECT ON %I TO %I', name, session_user);
    EXECUTE format('ALTER TABLE run_history ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, since, until);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION make_run_history_partition(date) FROM PUBLIC;

INSERT INTO policy_rule (id, role, action, effect, note)
SELECT replace(role, '_', '-') || '-retention-read', role, 'retention.read', 'allow', 'how long things are kept is no secret among those who answer for it'
FROM unnest(ARRAY['system_admin', 'security_admin', 'auditor', 'platform_operator', 'dept_admin']) AS role;
-- Not entered in the policy log: nodes of before do not know the action, and nodes of after read the rules when they start.

-- +goose Down
DELETE FROM policy_rule WHERE action = 'retention.read';
DROP FUNCTION make_run_history_partition(date);
DROP FUNCTION drop_month(text, date);
DROP INDEX idempotency_created, reconciliation_at, fire_due, reject_corrected;
-- What was erased stays erased: an older program says of an empty value that it cannot be opened.
ALTER TABLE reject DROP CONSTRAINT reject_sealed_row;
UPDATE reject SET sealed_row = '' WHERE sealed_row IS NULL;
ALTER TABLE reject ALTER COLUMN sealed_row SET NOT NULL;
DROP INDEX sharing_grant_over;
ALTER TABLE sharing_grant DROP CONSTRAINT sharing_grant_rid_key;
UPDATE sharing_grant SET rid_key = '' WHERE rid_key IS NULL;
ALTER TABLE sharing_grant ALTER COLUMN rid_key SET NOT NULL;
DROP TABLE retention_day, retention;

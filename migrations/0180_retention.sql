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

-- Orders of files are kept after their file as long as other logs.
CREATE INDEX export_over ON export (coalesce(finished_at, created_at)) WHERE state IN ('failed', 'gone');

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

INSERT INTO policy_rule (id, role, action, effect, note)
SELECT replace(role, '_', '-') || '-retention-read', role, 'retention.read', 'allow', 'how long things are kept is no secret among those who answer for it'
FROM unnest(ARRAY['system_admin', 'security_admin', 'auditor', 'platform_operator', 'dept_admin']) AS role;
-- Not entered in the policy log: nodes of before do not know the action, and nodes of after read the rules when they start.

-- +goose Down
DELETE FROM policy_rule WHERE action = 'retention.read';
DROP FUNCTION drop_month(text, date);
DROP INDEX export_over, idempotency_created, reconciliation_at, fire_due, reject_corrected;
-- What was erased stays erased: an older program says of an empty value that it cannot be opened.
ALTER TABLE reject DROP CONSTRAINT reject_sealed_row;
UPDATE reject SET sealed_row = '' WHERE sealed_row IS NULL;
ALTER TABLE reject ALTER COLUMN sealed_row SET NOT NULL;
DROP INDEX sharing_grant_over;
ALTER TABLE sharing_grant DROP CONSTRAINT sharing_grant_rid_key;
UPDATE sharing_grant SET rid_key = '' WHERE rid_key IS NULL;
ALTER TABLE sharing_grant ALTER COLUMN rid_key SET NOT NULL;
DROP TABLE retention_day, retention;

-- Making partitions without owning tables: the hub's own sessions have no right to change the schema.

-- +goose Up

-- Makes the partition of usage of the month that begins with first (UTC), moving rows that already lie in the default partition,
-- unless it exists. The caller holds the lock under which partitions are made. It runs with the rights of the owner of the tables.
-- +goose StatementBegin
CREATE FUNCTION make_usage_partition(first date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' SET timezone = 'UTC' AS $$
DECLARE
    name  text := 'usage_' || to_char(first, 'YYYYMM');
    since timestamptz := first;
    until timestamptz := first + interval '1 month';
BEGIN
    IF first <> date_trunc('month', first) OR abs(first - current_date) > 100 THEN
        RAISE EXCEPTION 'partitions are made for the months around now' USING ERRCODE = '22023';
    END IF;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE usage INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    -- Whoever writes holds a lock on usage first and on the partition then; taking only the partition's here cannot deadlock.
    LOCK TABLE usage_other IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH moved AS (DELETE FROM usage_other WHERE at >= %L AND at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved', since, until, name);
    -- The caller reads usage by its name; a backup that it makes reads each partition by its own.
    EXECUTE format('GRANT SELECT ON %I TO %I', name, session_user);
    EXECUTE format('ALTER TABLE usage ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, since, until);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION make_usage_partition(date) FROM PUBLIC;

-- +goose Down
DROP FUNCTION make_usage_partition(date);

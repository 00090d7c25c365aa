-- What verification and the recorder of disclosures need beside the first tables.

-- +goose Up

-- When a stream last reserved rows: a sweep closes streams that fell silent, never those that are merely long.
ALTER TABLE usage ADD COLUMN reserved_at timestamptz;

-- Verification reads the records of a sealed batch together; provider and authority read them by resource and by time.
CREATE INDEX usage_batch ON usage (batch_event);
CREATE INDEX usage_resource ON usage (resource_id, at DESC);
CREATE INDEX usage_at ON usage (at DESC, id DESC);

-- A department's auditors read what its people and clients did.
CREATE INDEX event_department ON event (actor_department, at DESC, id DESC) WHERE actor_department IS NOT NULL;

-- A tree hash is written once, like the leaf it follows from.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON tree_hash FROM PUBLIC, %I', current_user);
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('GRANT UPDATE, DELETE, TRUNCATE ON tree_hash TO %I', current_user);
END
$$;
-- +goose StatementEnd
DROP INDEX event_department, usage_at, usage_resource, usage_batch;
ALTER TABLE usage DROP COLUMN reserved_at;

-- The six numbers of the survey of an entry (数据量六项), counted from the hub's store and never typed.

-- +goose Up

-- What the hub holds of a resource, what of it active grants open, and what of it is open to the public. bytes_total is what the
-- table takes with its indexes.
CREATE TABLE resource_volume (
    resource_id  uuid PRIMARY KEY REFERENCES resource ON DELETE CASCADE,
    rows_total   bigint NOT NULL,
    bytes_total  bigint NOT NULL,
    rows_shared  bigint NOT NULL,
    bytes_shared bigint NOT NULL,
    rows_open    bigint NOT NULL,
    bytes_open   bigint NOT NULL,
    counted_at   timestamptz NOT NULL
);

-- Which entries name the code of another one.
CREATE INDEX resource_version_related ON resource_version USING gin ((body -> 'related_codes') jsonb_path_ops);

-- +goose Down
DROP INDEX resource_version_related;
DROP TABLE resource_volume;

-- Reverse cataloguing remembers from which table an entry was proposed, and on what evidence; and what sources look like now is
-- compared with what was mounted.

-- +goose Up

-- proposal holds counts and names of checks, never a value of the source.
CREATE TABLE resource_origin (
    resource_id uuid PRIMARY KEY REFERENCES resource ON DELETE CASCADE,
    source_id   uuid NOT NULL REFERENCES source,
    object      text NOT NULL,
    proposal    jsonb NOT NULL,
    created_by  uuid NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX resource_origin_source ON resource_origin (source_id, object);

-- column_name is "" for the object as a whole. was and is are names, types or comments of the source.
CREATE TABLE drift (
    id            uuid PRIMARY KEY,
    mount_id      uuid NOT NULL REFERENCES mount ON DELETE CASCADE,
    column_name   text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('gone', 'dropped', 'renamed', 'retyped', 'narrowed', 'widened', 'nullable', 'added', 'commented')),
    was           text NOT NULL,
    now           text NOT NULL,
    items         text[] NOT NULL,
    breaks        boolean NOT NULL,
    draft_version int,
    first_seen    timestamptz NOT NULL,
    last_seen     timestamptz NOT NULL,
    resolved_at   timestamptz
);
CREATE UNIQUE INDEX drift_open ON drift (mount_id, kind, column_name) WHERE resolved_at IS NULL;
CREATE INDEX drift_mount ON drift (mount_id, last_seen DESC, id DESC);
CREATE INDEX drift_seen ON drift (last_seen DESC, id DESC);

-- +goose Down
DROP TABLE drift;
DROP TABLE resource_origin;

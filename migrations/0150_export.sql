-- Files of rows that clients order: written in the background, sealed by a key of their own, fetched through the hub.

-- +goose Up
CREATE TABLE export (
    id            uuid PRIMARY KEY,
    grant_id      uuid NOT NULL REFERENCES sharing_grant (id),
    terms_version bigint NOT NULL,
    client_id     uuid NOT NULL REFERENCES client (id),
    department_id uuid NOT NULL, -- Of the client.
    resource_id   uuid NOT NULL REFERENCES resource (id),
    version       int NOT NULL, -- Of the resource, whose items these are.
    purpose       text NOT NULL DEFAULT '',
    case_number   text NOT NULL DEFAULT '',
    request_id    text NOT NULL DEFAULT '',
    format        text NOT NULL CHECK (format IN ('csv', 'ndjson', 'parquet')),
    compression   text NOT NULL CHECK (compression IN ('none', 'gzip', 'zstd')),
    items         text[] NOT NULL, -- Identifiers as asked for; empty for all granted ones.
    sealed_filter bytea,           -- The caller's filter, which may hold keys of people; sealed under the id.
    state         text NOT NULL CHECK (state IN ('queued', 'running', 'ready', 'failed', 'gone')),
    reason        text NOT NULL DEFAULT '', -- Of failed and gone: a problem code.
    attempt       int NOT NULL DEFAULT 0,   -- Raised by each claim: only the newest attempt may write.
    node          uuid,                     -- That claimed it last.
    seen_at       timestamptz,              -- Of a running one: the last sign of life.
    rows          bigint NOT NULL DEFAULT 0,
    total         bigint, -- Rows there are to write; NULL until they were counted.
    size          bigint NOT NULL DEFAULT 0,
    digest        bytea, -- SHA-256 of the file as it is fetched.
    file          text NOT NULL DEFAULT '', -- Name in the folder; '' where there is none (any more).
    sealed_key    bytea, -- Of the file, sealed by the key ring. Destroyed with the right to the file.
    seq           bigint, -- Change number of the rows.
    as_of         timestamptz,
    evidence      uuid NOT NULL, -- The newest event about it.
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    expires_at    timestamptz,
    CHECK ((state = 'ready') = (sealed_key IS NOT NULL))
);
CREATE INDEX export_work ON export (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX export_kept ON export (grant_id) WHERE state IN ('queued', 'running', 'ready');
CREATE INDEX export_file ON export (finished_at) WHERE file <> '';

-- +goose Down
DROP TABLE export;

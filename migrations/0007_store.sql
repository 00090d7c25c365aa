-- The hub store. Schema store is self-contained: heads, layouts, leases and cursors lie in it, so that it could move to
-- another database. Row tables store.r_<resource>_<layout> and their logs are made by exchange/store.

-- +goose Up
CREATE SCHEMA store;

-- One row per materialised resource. Every writer locks it first; seq is the newest committed change.
CREATE TABLE store.store_head (
    resource        uuid PRIMARY KEY,
    seq             bigint NOT NULL DEFAULT 0,
    min_seq         bigint NOT NULL DEFAULT 0,
    run             uuid,
    token           bigint,
    layout          int NOT NULL DEFAULT 0,
    incarnation     uuid NOT NULL,
    filterable_from jsonb NOT NULL DEFAULT '{}',
    changed_at      timestamptz
);

-- A physical shape of a resource's rows. columns is [{"no", "letter", "length", "scale", "format", "filterable"}].
CREATE TABLE store.layout (
    resource   uuid NOT NULL,
    layout     int NOT NULL CHECK (layout >= 1),
    version    int NOT NULL,
    table_name text NOT NULL UNIQUE,
    columns    jsonb NOT NULL,
    state      text NOT NULL CHECK (state IN ('filling', 'active', 'grace', 'dropped')),
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (resource, layout)
);
CREATE UNIQUE INDEX layout_active ON store.layout (resource) WHERE state = 'active';

-- Fencing tokens are one global sequence, drawn while holding the lease row.
CREATE SEQUENCE store.fence;

-- name is 'store:<resource>' for writers of a store table, 'task:<task>' for deliveries.
CREATE TABLE store.lease (
    name        text PRIMARY KEY,
    run         uuid NOT NULL,
    token       bigint NOT NULL,
    incarnation uuid NOT NULL,
    taken_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Fence and result of a writer, found by whoever must know whether a commit happened. For collects task is the task,
-- cursor the store's seq after the merge.
CREATE TABLE store.shuqiao_cursor (
    task        uuid PRIMARY KEY,
    token       bigint NOT NULL,
    cursor      bigint NOT NULL,
    terms       bigint NOT NULL DEFAULT 0,
    run         uuid,
    counts      jsonb,
    hash        bytea,
    incarnation uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Rows staged by a run, chunk by chunk: how many, and the sum of their content hashes mod 2^128. The merge asserts them
-- against the staging table. Chunk -1 takes back duplicates: rows moved to the rejects, and rows replaced by a later one
-- of their key. base is the head's seq when staging began: rows staged before another writer's commit are not carried
-- over it. after is the source key to resume behind.
CREATE TABLE store.chunk (
    run      uuid NOT NULL,
    n        int NOT NULL,
    rows     bigint NOT NULL,
    hash     bytea NOT NULL CHECK (octet_length(hash) = 16),
    read     bigint NOT NULL DEFAULT 0,
    filtered bigint NOT NULL DEFAULT 0,
    replaced bigint NOT NULL DEFAULT 0,
    base     bigint NOT NULL DEFAULT 0,
    after    text[],
    PRIMARY KEY (run, n)
);

-- Rows that a run refused, kept apart until its merge commits. key is NULL when the row has no usable key.
CREATE TABLE store.staged_reject (
    run        uuid NOT NULL,
    row_no     bigint NOT NULL,
    key        text COLLATE "C",
    reasons    jsonb NOT NULL,
    row_hash   bytea NOT NULL,
    sealed     bytea NOT NULL
);
CREATE INDEX staged_reject_run ON store.staged_reject (run, key);

-- +goose Down
DROP SCHEMA store CASCADE;

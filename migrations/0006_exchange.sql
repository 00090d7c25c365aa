-- Moving: nodes, tasks, schedules with their ledger, runs, rejects, reconciliations.

-- +goose Up

-- A hub process. node_id lies in the data folder, incarnation is new at every start.
CREATE TABLE node (
    node_id     uuid PRIMARY KEY,
    incarnation uuid NOT NULL,
    role        text NOT NULL,
    address     text NOT NULL DEFAULT '',
    build       text NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    policy_n    bigint NOT NULL DEFAULT 0
);

CREATE TABLE task (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('collect', 'deliver')),
    resource_id uuid NOT NULL REFERENCES resource,
    grant_id    uuid REFERENCES sharing_grant,
    mode        text NOT NULL DEFAULT 'full' CHECK (mode IN ('full', 'incremental')),
    state       text NOT NULL CHECK (state IN ('draft', 'enabled', 'paused', 'disabled')),
    priority    int NOT NULL DEFAULT 5,
    settings    jsonb NOT NULL DEFAULT '{}',
    row_version bigint NOT NULL DEFAULT 1,
    created_by  uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX task_collect ON task (resource_id) WHERE kind = 'collect';
CREATE UNIQUE INDEX task_deliver ON task (grant_id) WHERE kind = 'deliver';

CREATE TABLE schedule (
    id          uuid PRIMARY KEY,
    task_id     uuid NOT NULL REFERENCES task,
    spec        text NOT NULL,
    time_zone   text NOT NULL DEFAULT 'Asia/Shanghai',
    overlap     text NOT NULL DEFAULT 'skip' CHECK (overlap IN ('skip', 'queue')),
    missed      text NOT NULL DEFAULT 'run_once' CHECK (missed IN ('run_once', 'skip')),
    state       text NOT NULL CHECK (state IN ('enabled', 'paused', 'parked')),
    next_at     timestamptz,
    last_due_at timestamptz,
    error       text NOT NULL DEFAULT '',
    row_version bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT enabled_has_next CHECK (state <> 'enabled' OR next_at IS NOT NULL)
);
CREATE INDEX schedule_due ON schedule (next_at) WHERE state = 'enabled';
CREATE INDEX schedule_task ON schedule (task_id);

-- The ledger: what became of every due time. Consecutive missed ones share a row (due_from, due_to, due_count).
CREATE TABLE fire (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id uuid NOT NULL REFERENCES schedule,
    due_from    timestamptz NOT NULL,
    due_to      timestamptz NOT NULL,
    due_count   bigint NOT NULL DEFAULT 1,
    outcome     text NOT NULL CHECK (outcome IN ('started', 'queued', 'skipped', 'missed', 'error')),
    reason      text NOT NULL DEFAULT '',
    run_id      uuid,
    at          timestamptz NOT NULL
);
CREATE INDEX fire_schedule ON fire (schedule_id, id DESC);

-- One execution of a task; the row is the queue. counts, hashes, checkpoint and error are documented in exchange.
CREATE TABLE run (
    id               uuid PRIMARY KEY,
    task_id          uuid NOT NULL REFERENCES task,
    resource_id      uuid NOT NULL REFERENCES resource,
    kind             text NOT NULL CHECK (kind IN ('collect', 'deliver', 'reconcile')),
    trigger          text NOT NULL CHECK (trigger IN ('schedule', 'request', 'confirm', 'repair')),
    requested_by     text NOT NULL DEFAULT '',
    state            text NOT NULL CHECK (state IN ('queued', 'running', 'reconciling', 'succeeded', 'partial', 'failed', 'cancelled')),
    priority         int NOT NULL DEFAULT 5,
    attempt          int NOT NULL DEFAULT 0,
    not_before       timestamptz NOT NULL,
    node_id          uuid,
    incarnation      uuid,
    token            bigint,
    stage            text NOT NULL DEFAULT '',
    progress         jsonb NOT NULL DEFAULT '{}',
    checkpoint       jsonb,
    counts           jsonb NOT NULL DEFAULT '{}',
    hashes           jsonb NOT NULL DEFAULT '{}',
    error            jsonb,
    cancel_requested boolean NOT NULL DEFAULT false,
    confirm_deletes  bigint,
    of_run           uuid,
    queued_at        timestamptz NOT NULL,
    started_at       timestamptz,
    finished_at      timestamptz
);
-- One run of a task at a time, one waiting behind it, one writer per resource.
CREATE UNIQUE INDEX run_active_task ON run (task_id) WHERE state IN ('running', 'reconciling');
CREATE UNIQUE INDEX run_queued_task ON run (task_id) WHERE state = 'queued';
CREATE UNIQUE INDEX run_active_writer ON run (resource_id) WHERE state IN ('running', 'reconciling') AND kind = 'collect';
CREATE INDEX run_queue ON run (priority, queued_at) WHERE state = 'queued';
CREATE INDEX run_task ON run (task_id, queued_at DESC);
CREATE INDEX run_node ON run (node_id) WHERE state IN ('running', 'reconciling');

-- A quarantined row: why, and the row itself sealed. key is NULL when the row has no usable key.
CREATE TABLE reject (
    id          uuid PRIMARY KEY,
    resource_id uuid NOT NULL REFERENCES resource,
    first_run   uuid NOT NULL,
    last_run    uuid NOT NULL,
    key         text COLLATE "C",
    row_no      bigint NOT NULL,
    reasons     jsonb NOT NULL,
    row_hash    bytea NOT NULL,
    sealed_row  bytea NOT NULL,
    held        boolean NOT NULL DEFAULT false,
    state       text NOT NULL CHECK (state IN ('open', 'corrected', 'waived')),
    created_at  timestamptz NOT NULL,
    closed_at   timestamptz
);
CREATE INDEX reject_open ON reject (resource_id, key) WHERE state = 'open';
CREATE INDEX reject_run ON reject (last_run, row_no);

-- Result of a comparison of both ends. differences lists the first ones by kind with masked keys.
CREATE TABLE reconciliation (
    id           uuid PRIMARY KEY,
    run_id       uuid NOT NULL REFERENCES run,
    resource_id  uuid NOT NULL REFERENCES resource,
    fresh        boolean NOT NULL,
    equal        boolean NOT NULL,
    source_rows  bigint NOT NULL,
    store_rows   bigint NOT NULL,
    source_hash  bytea NOT NULL,
    store_hash   bytea NOT NULL,
    held         bigint NOT NULL,
    rejected     bigint NOT NULL,
    superseded   bigint NOT NULL,
    missing      bigint NOT NULL,
    extra        bigint NOT NULL,
    changed      bigint NOT NULL,
    differences  jsonb NOT NULL DEFAULT '[]',
    store_seq    bigint NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX reconciliation_run ON reconciliation (run_id);
CREATE INDEX reconciliation_resource ON reconciliation (resource_id, at DESC);

-- +goose Down
DROP TABLE reconciliation, reject, run, fire, schedule, task, node;

-- Who may: the rules of casbin, and the log that every node follows before it decides.

-- +goose Up

-- Number of the newest policy change. Updated as the last statement of a changing transaction, so commit order is n order.
CREATE TABLE policy_head (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    n           bigint NOT NULL,
    incarnation uuid NOT NULL
);
INSERT INTO policy_head (n, incarnation) VALUES (0, gen_random_uuid());

CREATE TABLE policy_log (
    n    bigint PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('grant', 'client', 'key', 'resource', 'mask', 'rule', 'user', 'department', 'session')),
    id   text NOT NULL,
    at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One casbin rule. '*' stands for any value; effect deny overrides allow.
CREATE TABLE policy_rule (
    id         text PRIMARY KEY,
    role       text NOT NULL,
    action     text NOT NULL,
    share_type text NOT NULL DEFAULT '*',
    grade      text NOT NULL DEFAULT '*',
    state      text NOT NULL DEFAULT '*',
    granted    text NOT NULL DEFAULT '*' CHECK (granted IN ('yes', 'no', '*')),
    effect     text NOT NULL CHECK (effect IN ('allow', 'deny')),
    note       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Answers already given to repeatable writes, kept with the write itself.
CREATE TABLE idempotency (
    actor_id   text NOT NULL,
    key        text NOT NULL,
    route      text NOT NULL,
    body_hash  bytea NOT NULL,
    status     int NOT NULL,
    answer     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (actor_id, key)
);

-- +goose Down
DROP TABLE idempotency, policy_rule, policy_log, policy_head;

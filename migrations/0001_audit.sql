-- What happened: the append-only log, its Merkle tree, and the records of what was disclosed.

-- +goose Up

-- One entry. body holds the bytes exactly as they were hashed; the columns beside it repeat what searches need, and
-- verification compares them with the body.
CREATE TABLE event (
    id               uuid PRIMARY KEY,
    at               timestamptz NOT NULL,
    actor_kind       text NOT NULL CHECK (actor_kind IN ('user', 'client', 'system')),
    actor_id         text NOT NULL,
    actor_department uuid,
    action           text NOT NULL,
    object_kind      text NOT NULL,
    object_id        text NOT NULL,
    outcome          text NOT NULL CHECK (outcome IN ('ok', 'denied', 'error')),
    body             bytea NOT NULL
);
CREATE INDEX event_at ON event (at DESC, id DESC);
CREATE INDEX event_object ON event (object_kind, object_id, at DESC);
CREATE INDEX event_actor ON event (actor_id, at DESC);
CREATE INDEX event_action ON event (action, at DESC);

-- Events that the sealer has not numbered yet; deleted when sealed. No foreign key: its check would need the right to
-- update event, which nobody has.
CREATE TABLE pending (event_id uuid PRIMARY KEY);

-- Position of an event in the tree. hash is the RFC 6962 leaf hash of the leaf body (event id, SHA-256 and SM3 of body).
CREATE TABLE leaf (
    leaf      bigint PRIMARY KEY CHECK (leaf >= 0),
    event_id  uuid NOT NULL UNIQUE,
    data      bytea NOT NULL,
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
    sealed_at timestamptz NOT NULL
);

-- Stored hashes of the tree by tlog index.
CREATE TABLE tree_hash (
    idx  bigint PRIMARY KEY,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

-- Signed heads of the tree.
CREATE TABLE checkpoint (
    size      bigint PRIMARY KEY,
    root      bytea NOT NULL,
    note      text NOT NULL,
    signed_at timestamptz NOT NULL
);

-- The one sealer: its fencing token and when it last finished a round.
CREATE TABLE sealer (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    token   bigint NOT NULL DEFAULT 0,
    holder  uuid,
    seen_at timestamptz
);
INSERT INTO sealer DEFAULT VALUES;

-- One disclosure of rows to a client. subject_tokens are keyed hashes of the keys asked for, never the keys.
CREATE TABLE usage (
    id             uuid NOT NULL,
    at             timestamptz NOT NULL,
    grant_id       uuid NOT NULL,
    terms_version  bigint NOT NULL,
    client_id      uuid NOT NULL,
    resource_id    uuid NOT NULL,
    mode           text NOT NULL CHECK (mode IN ('rows', 'row', 'changes', 'query', 'verify', 'stream', 'export', 'delivery')),
    state          text NOT NULL CHECK (state IN ('opened', 'done', 'interrupted')),
    rows           bigint NOT NULL DEFAULT 0,
    reserved_rows  bigint NOT NULL DEFAULT 0,
    items          int[] NOT NULL,
    purpose        text NOT NULL DEFAULT '',
    case_number    text NOT NULL DEFAULT '',
    query          jsonb,
    seq_from       bigint,
    seq_to         bigint,
    as_of          timestamptz,
    subject_tokens bytea[],
    digest         bytea,
    policy_n       bigint NOT NULL,
    rule_id        text NOT NULL,
    request_id     text NOT NULL DEFAULT '',
    batch_event    uuid,
    ended_at       timestamptz,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE usage_other PARTITION OF usage DEFAULT;
CREATE INDEX usage_grant ON usage (grant_id, at DESC);
CREATE INDEX usage_client ON usage (client_id, at DESC);
CREATE INDEX usage_open ON usage (at) WHERE state = 'opened';
CREATE INDEX usage_subject ON usage USING gin (subject_tokens) WHERE subject_tokens IS NOT NULL;

-- Evidence is added, never changed. A superuser is not bound by this; sealing is what shows its changes.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON event, leaf, checkpoint FROM PUBLIC, %I', current_user);
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE usage, sealer, checkpoint, tree_hash, leaf, pending, event;

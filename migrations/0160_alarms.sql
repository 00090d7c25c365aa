-- Alarms: what is wrong now, since when, who has seen it, and which messages about it must still leave.

-- +goose Up

-- What people changed about a rule; a rule without a row is as the program has it.
CREATE TABLE alarm_rule (
    key         text PRIMARY KEY,
    enabled     boolean NOT NULL,
    severity    text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    threshold   double precision NOT NULL,
    row_version bigint NOT NULL DEFAULT 1,
    updated_at  timestamptz NOT NULL
);

-- When the rules were last judged, and by which node. Whoever moves the time on judges.
CREATE TABLE alarm_round (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    at      timestamptz NOT NULL DEFAULT '-infinity',
    node_id uuid
);
INSERT INTO alarm_round DEFAULT VALUES;

-- What only the node itself can measure; another node judges it. lapses counts those of the policy lease in the last hour.
CREATE TABLE node_report (
    node_id   uuid PRIMARY KEY,
    disk_free bigint NOT NULL,
    disk_size bigint NOT NULL,
    lapses    bigint NOT NULL,
    at        timestamptz NOT NULL
);

-- One row from the moment a rule finds an object until it no longer does. department_id is whose matter it is; NULL is the
-- platform's own. told is the highest severity that was told, '' before the first message.
CREATE TABLE alarm (
    id              uuid PRIMARY KEY,
    rule            text NOT NULL,
    object_kind     text NOT NULL,
    object_id       text NOT NULL,
    department_id   uuid REFERENCES department,
    severity        text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    detail          jsonb NOT NULL DEFAULT '{}',
    opened_at       timestamptz NOT NULL,
    last_seen_at    timestamptz NOT NULL,
    missing_since   timestamptz,
    closed_at       timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by uuid,
    note            text NOT NULL DEFAULT '',
    silenced_until  timestamptz,
    silenced_by     uuid,
    silence_reason  text NOT NULL DEFAULT '',
    told            text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX alarm_open ON alarm (rule, object_kind, object_id) WHERE closed_at IS NULL;
CREATE INDEX alarm_opened ON alarm (opened_at DESC, id DESC);
CREATE INDEX alarm_department ON alarm (department_id, opened_at DESC, id DESC);
CREATE INDEX alarm_silenced ON alarm (rule, object_kind, object_id, silenced_until) WHERE silenced_until IS NOT NULL;

-- Where messages go. A channel of a department gets that department's alarms; one without gets all. sealed holds the secret of
-- the signature, or the password of the mail server.
CREATE TABLE alarm_channel (
    id             uuid PRIMARY KEY,
    department_id  uuid REFERENCES department,
    name           text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('webhook', 'mail')),
    settings       jsonb NOT NULL,
    sealed         bytea,
    least_severity text NOT NULL CHECK (least_severity IN ('info', 'warning', 'critical')),
    rules          text[] NOT NULL DEFAULT '{}',
    state          text NOT NULL CHECK (state IN ('enabled', 'paused')),
    row_version    bigint NOT NULL DEFAULT 1,
    created_by     uuid NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT alarm_channel_name UNIQUE NULLS NOT DISTINCT (department_id, name)
);

-- The outbox: written in the transaction that opens, raises or closes the alarm. id is what receivers know a repetition by.
-- A claim moves next_at on, so that a message whose node dies is sent by another one. body is the text as it is sent.
CREATE TABLE alarm_delivery (
    id         uuid PRIMARY KEY,
    channel_id uuid NOT NULL REFERENCES alarm_channel ON DELETE CASCADE,
    alarm_id   uuid NOT NULL REFERENCES alarm ON DELETE CASCADE,
    event      text NOT NULL CHECK (event IN ('opened', 'raised', 'closed')),
    body       text NOT NULL,
    state      text NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up')),
    attempts   int NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL,
    code       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX alarm_delivery_due ON alarm_delivery (next_at) WHERE state = 'waiting';
CREATE INDEX alarm_delivery_channel ON alarm_delivery (channel_id, created_at DESC, id DESC);
CREATE INDEX alarm_delivery_alarm ON alarm_delivery (alarm_id);
CREATE INDEX alarm_delivery_ended ON alarm_delivery (ended_at) WHERE ended_at IS NOT NULL;

-- Not in the policy log: nodes that run an older program do not know these actions, and newer ones read the rules at start.
INSERT INTO policy_rule (id, role, action, effect, note)
SELECT replace(role, '_', '-') || '-' || replace(replace(action, '.', '-'), '_', '-'), role, action, 'allow', note
FROM (VALUES
    ('sees and handles the alarms of the machine room and of all departments',
     ARRAY['system_admin', 'platform_operator'], ARRAY['alarm.read', 'alarm.handle', 'alarm.configure', 'alarm_channel.write']),
    ('sees and handles the alarms of the own department',
     ARRAY['dept_admin'], ARRAY['alarm.read', 'alarm.handle', 'alarm_channel.write'])
) AS power (note, roles, actions), unnest(roles) AS role, unnest(actions) AS action;

-- +goose Down
DELETE FROM policy_rule WHERE action IN ('alarm.read', 'alarm.handle', 'alarm.configure', 'alarm_channel.write');
DROP TABLE alarm_delivery, alarm_channel, alarm, node_report, alarm_round, alarm_rule;

-- Changes of entries: the clock that starts when something changed, what reviewers and makers say to each other, the documents that
-- precede compiling, and what a new version takes away from those who use the old one.

-- +goose Up

-- Something changed that an entry has to follow (Order 809, Art 17). due_at, warn_at and red_at are the limits of the update,
-- review_due_at that of the authority once it has been received.
CREATE TABLE change_event (
    id            uuid PRIMARY KEY,
    resource_id   uuid NOT NULL REFERENCES resource,
    cause         text NOT NULL CHECK (cause IN ('law', 'duty', 'system', 'data', 'drift', 'other')),
    detail        text NOT NULL,
    happened_on   date NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'submitted', 'done', 'withdrawn')),
    due_at        timestamptz NOT NULL,
    warn_at       timestamptz NOT NULL,
    red_at        timestamptz NOT NULL,
    provisional   boolean NOT NULL,
    extension     jsonb,
    version       int,          -- The version that follows the change, once the authority has received it.
    submitted_at  timestamptz,
    review_due_at timestamptz,
    closed_at     timestamptz,
    closed_reason text NOT NULL DEFAULT '',
    row_version   bigint NOT NULL DEFAULT 1,
    recorded_by   uuid NOT NULL,
    recorded_at   timestamptz NOT NULL
);
CREATE INDEX change_event_resource ON change_event (resource_id, due_at, id);
CREATE INDEX change_event_running ON change_event (due_at, id) WHERE state IN ('open', 'submitted');
CREATE INDEX change_event_due ON change_event (due_at, id);

-- A remark on a version, or an answer to one, at one field of it ("" for the whole).
CREATE TABLE review_comment (
    id          uuid PRIMARY KEY,
    resource_id uuid NOT NULL,
    version     int NOT NULL,
    round       int NOT NULL,
    field       text NOT NULL,
    thread      uuid NOT NULL REFERENCES review_comment DEFERRABLE INITIALLY DEFERRED, -- The first remark of the thread; itself for that one.
    said        text NOT NULL,
    author_id   uuid NOT NULL,
    author_dept uuid,
    at          timestamptz NOT NULL,
    resolved_by uuid,
    resolved_at timestamptz,
    FOREIGN KEY (resource_id, version) REFERENCES resource_version ON DELETE CASCADE
);
CREATE INDEX review_comment_version ON review_comment (resource_id, version, at, id);
CREATE INDEX review_comment_thread ON review_comment (thread);

-- The documents of assessments (Order 809, Art 13), sealed. Versions name them by their digest.
CREATE TABLE assessment_file (
    resource_id uuid NOT NULL REFERENCES resource ON DELETE CASCADE,
    sha256      text NOT NULL,
    name        text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('pdf', 'ofd', 'docx', 'png', 'jpg')),
    size        bigint NOT NULL,
    sealed      bytea NOT NULL,
    uploaded_by uuid NOT NULL,
    uploaded_at timestamptz NOT NULL,
    PRIMARY KEY (resource_id, sha256)
);
ALTER TABLE assessment_file ALTER COLUMN sealed SET STORAGE EXTERNAL; -- What is sealed cannot be compressed.

-- What a published version takes from those who use the one before.
CREATE TABLE version_change (
    resource_id uuid NOT NULL,
    version     int NOT NULL,
    previous    int NOT NULL,
    breaks      jsonb NOT NULL,
    items       int[] NOT NULL, -- Numbers of the items of the version before that are touched.
    identifiers text[] NOT NULL,
    whole       boolean NOT NULL, -- Every use is touched, whatever its items.
    at          timestamptz NOT NULL,
    PRIMARY KEY (resource_id, version),
    FOREIGN KEY (resource_id, version) REFERENCES resource_version
);
CREATE INDEX version_change_at ON version_change (at);

-- A consumer has taken note of such a change.
CREATE TABLE change_acknowledgement (
    resource_id uuid NOT NULL,
    version     int NOT NULL,
    grant_id    uuid NOT NULL REFERENCES sharing_grant,
    note        text NOT NULL,
    by          uuid NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (resource_id, version, grant_id),
    FOREIGN KEY (resource_id, version) REFERENCES version_change
);

INSERT INTO policy_rule (id, role, action, effect, note)
SELECT replace(role, '_', '-') || '-' || replace(replace(action, '.', '-'), '_', '-'), role, action, 'allow', note
FROM (VALUES
    ('dept_operator', 'change_event.record', 'a department says what changed'),
    ('dept_admin', 'change_event.record', 'a department says what changed'),
    ('platform_operator', 'change_event.extend', 'the authority consents to a later update (Order 809, Art 17)'),
    ('dept_operator', 'resource.comment', 'makers and reviewers talk to each other'),
    ('dept_admin', 'resource.comment', 'makers and reviewers talk to each other'),
    ('platform_operator', 'resource.comment', 'makers and reviewers talk to each other'),
    ('dept_admin', 'grant.acknowledge', 'a consumer has taken note of a change')
) AS power (role, action, note);
-- Not entered in the policy log: nodes of before do not know the actions, and nodes of after read the rules when they start.

-- +goose Down
DELETE FROM policy_rule WHERE action IN ('change_event.record', 'change_event.extend', 'resource.comment', 'grant.acknowledge');
DROP TABLE change_acknowledgement, version_change, assessment_file, review_comment, change_event;

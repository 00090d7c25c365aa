-- Who asked, on what terms: requests, their steps, grants, quotas and the limits of the clocks.

-- +goose Up

-- Limits in working days; matters and numbers of domain rules 1.1 and 1.3, editable because local rules may be stricter.
CREATE TABLE sla_rule (
    matter     text NOT NULL,
    share_type text NOT NULL DEFAULT '*',
    level      text NOT NULL DEFAULT '*',
    days       int NOT NULL CHECK (days > 0),
    day_kind   text NOT NULL DEFAULT 'working' CHECK (day_kind IN ('working', 'calendar')),
    warn_at    numeric NOT NULL DEFAULT 0.75,
    red_at     int NOT NULL DEFAULT 5,
    basis      text NOT NULL DEFAULT '',
    PRIMARY KEY (matter, share_type, level)
);
INSERT INTO sla_rule (matter, share_type, days, basis) VALUES
    ('reply', 'unconditional', 1, '政务数据共享条例 第二十一条'),
    ('reply', 'conditional', 10, '政务数据共享条例 第二十一条'),
    ('reply_extension', '*', 10, '政务数据共享条例 第二十一条'),
    ('provide', '*', 20, '政务数据共享条例 第二十二条'),
    ('update_catalogue', '*', 10, '政务数据共享条例 第十七条'),
    ('update_catalogue_extension', '*', 5, '政务数据共享条例 第十七条'),
    ('review_update', '*', 2, '政务数据共享条例 第十七条'),
    ('correction', '*', 10, '政务数据共享条例 第二十六条');

CREATE TABLE sharing_request (
    id               uuid PRIMARY KEY,
    kind             text NOT NULL DEFAULT 'new' CHECK (kind IN ('new', 'change', 'renewal', 'rate_change')),
    client_id        uuid NOT NULL REFERENCES client,
    consumer_dept_id uuid NOT NULL REFERENCES department,
    provider_dept_id uuid NOT NULL REFERENCES department,
    resource_id      uuid NOT NULL REFERENCES resource,
    resource_version int NOT NULL,
    share_type       text NOT NULL CHECK (share_type IN ('unconditional', 'conditional')),
    items            int[] NOT NULL,
    row_filter       jsonb,
    lookup           int[] NOT NULL DEFAULT '{}',
    unmask           int[] NOT NULL DEFAULT '{}',
    share_methods    text[] NOT NULL,
    legal_basis      text NOT NULL,
    scenario         text NOT NULL,
    purpose          text NOT NULL CHECK (purpose ~ '^[A-Za-z0-9._-]{1,64}$'),
    purpose_text     text NOT NULL,
    case_required    boolean NOT NULL DEFAULT false,
    valid_until      timestamptz NOT NULL,
    quota            bigint CHECK (quota > 0),
    quota_period     text NOT NULL DEFAULT 'total' CHECK (quota_period IN ('total', 'day', 'month')),
    rate_calls       int NOT NULL DEFAULT 0 CHECK (rate_calls >= 0),
    rate_rows        int NOT NULL DEFAULT 0 CHECK (rate_rows >= 0),
    state            text NOT NULL CHECK (state IN ('draft', 'dept_review', 'pending_acceptance', 'in_review', 'supplement_required', 'approved', 'refused', 'withdrawn')),
    applicant_id     uuid NOT NULL REFERENCES hub_user,
    received_at      timestamptz,
    due_at           timestamptz,
    due_provisional  boolean NOT NULL DEFAULT false,
    extended_days    int NOT NULL DEFAULT 0,
    supplemented     boolean NOT NULL DEFAULT false,
    supplement       text NOT NULL DEFAULT '',
    refusal_code     text NOT NULL DEFAULT '',
    refusal_reason   text NOT NULL DEFAULT '',
    decided_by       uuid REFERENCES hub_user,
    decided_at       timestamptz,
    grant_id         uuid,
    row_version      bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT refusal_has_reason CHECK (state <> 'refused' OR (refusal_code <> '' AND refusal_reason <> ''))
);
CREATE INDEX sharing_request_provider ON sharing_request (provider_dept_id, state, due_at);
CREATE INDEX sharing_request_consumer ON sharing_request (consumer_dept_id, state, created_at DESC);
CREATE INDEX sharing_request_state ON sharing_request (state, due_at);

CREATE TABLE request_step (
    id         uuid PRIMARY KEY,
    request_id uuid NOT NULL REFERENCES sharing_request,
    action     text NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    actor_id   uuid NOT NULL,
    actor_dept uuid NOT NULL,
    reason     text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL
);
CREATE INDEX request_step_request ON request_step (request_id, at);

-- The enforced right. masks maps item number to mask rule; rid_key is the sealed key of _rid; terms_version counts every
-- change of items, filter, masks, key or transforms.
CREATE TABLE sharing_grant (
    id               uuid PRIMARY KEY,
    request_id       uuid NOT NULL REFERENCES sharing_request,
    client_id        uuid NOT NULL REFERENCES client,
    consumer_dept_id uuid NOT NULL REFERENCES department,
    provider_dept_id uuid NOT NULL REFERENCES department,
    resource_id      uuid NOT NULL REFERENCES resource,
    resource_version int NOT NULL,
    share_type       text NOT NULL,
    grade            text NOT NULL,
    items            int[] NOT NULL,
    row_filter       jsonb,
    masks            jsonb NOT NULL DEFAULT '{}',
    lookup           int[] NOT NULL DEFAULT '{}',
    rid_key          bytea NOT NULL,
    share_methods    text[] NOT NULL,
    purpose          text NOT NULL,
    purpose_text     text NOT NULL,
    case_required    boolean NOT NULL DEFAULT false,
    quota            bigint,
    quota_period     text NOT NULL DEFAULT 'total',
    rate_calls       int NOT NULL DEFAULT 0,
    rate_rows        int NOT NULL DEFAULT 0,
    valid_from       timestamptz NOT NULL,
    valid_to         timestamptz NOT NULL,
    state            text NOT NULL CHECK (state IN ('pending_delivery', 'active', 'suspended', 'expired', 'terminated', 'disposing', 'closed')),
    state_reason     text NOT NULL DEFAULT '',
    terms_version    bigint NOT NULL DEFAULT 1,
    standing         boolean NOT NULL DEFAULT false,
    row_version      bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX sharing_grant_request ON sharing_grant (request_id);
CREATE INDEX sharing_grant_client ON sharing_grant (client_id, resource_id, state);
CREATE INDEX sharing_grant_resource ON sharing_grant (resource_id, state);
CREATE INDEX sharing_grant_provider ON sharing_grant (provider_dept_id, state);
CREATE INDEX sharing_grant_expiry ON sharing_grant (valid_to) WHERE state IN ('active', 'suspended', 'pending_delivery');

-- Rows served under a grant in one quota period ('total', '2026-11', '2026-11-22').
CREATE TABLE quota_use (
    grant_id uuid NOT NULL REFERENCES sharing_grant,
    period   text NOT NULL,
    used     bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    PRIMARY KEY (grant_id, period)
);

-- +goose Down
DROP TABLE quota_use, sharing_grant, request_step, sharing_request, sla_rule;

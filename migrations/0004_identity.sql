-- Who is it: people, their sessions, consuming systems and their keys.

-- +goose Up

-- The three administrators exclude each other and every other role (三员分立); the table itself refuses a mix.
CREATE TABLE hub_user (
    id            uuid PRIMARY KEY,
    username      text NOT NULL UNIQUE CHECK (username ~ '^[a-z][a-z0-9_.-]{1,63}$'),
    display_name  text NOT NULL,
    password_hash text NOT NULL,
    department_id uuid NOT NULL REFERENCES department,
    roles         text[] NOT NULL,
    state         text NOT NULL CHECK (state IN ('active', 'disabled')),
    failed        int NOT NULL DEFAULT 0,
    locked_until  timestamptz,
    row_version   bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT hub_user_known_roles CHECK (roles <@ ARRAY['system_admin', 'security_admin', 'auditor', 'platform_operator', 'dept_admin', 'dept_operator']),
    CONSTRAINT hub_user_exclusive_roles CHECK (NOT roles && ARRAY['system_admin', 'security_admin', 'auditor'] OR cardinality(roles) = 1)
);
CREATE INDEX hub_user_department ON hub_user (department_id);

-- token_hash is the SHA-256 of a 256-bit random token.
CREATE TABLE session (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES hub_user,
    token_hash   bytea NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    ended_at     timestamptz,
    address      text NOT NULL DEFAULT ''
);
CREATE INDEX session_of_user ON session (user_id) WHERE ended_at IS NULL;

CREATE TABLE client (
    id               uuid PRIMARY KEY,
    department_id    uuid NOT NULL REFERENCES department,
    name             text NOT NULL,
    allowed_networks text[] NOT NULL DEFAULT '{}',
    state            text NOT NULL CHECK (state IN ('active', 'disabled')),
    row_version      bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    UNIQUE (department_id, name)
);

-- A credential of a client; the secret is shown once and kept as a SHA-256 of 256 random bits.
CREATE TABLE client_key (
    key_id       text PRIMARY KEY CHECK (key_id LIKE 'sqk\_%'),
    client_id    uuid NOT NULL REFERENCES client,
    secret_hash  bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX client_key_client ON client_key (client_id);

-- +goose Down
DROP TABLE client_key, client, session, hub_user;

-- Who a person really is: passwords that age, a second factor, sign-in by an OpenID provider, deputies and leavers.

-- +goose Up

-- failed counts wrong answers in a row until a lock; failed_since all of them since the last sign-in, to tell the person.
ALTER TABLE hub_user
    ADD COLUMN password_set_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN password_temporary boolean NOT NULL DEFAULT false,
    ADD COLUMN last_sign_in_at    timestamptz,
    ADD COLUMN failed_since       int NOT NULL DEFAULT 0,
    ADD COLUMN openid_issuer      text,
    ADD COLUMN openid_subject     text,
    ADD CONSTRAINT hub_user_openid UNIQUE (openid_issuer, openid_subject);

-- method says how the person was recognised; second_factor whether that included one.
ALTER TABLE session
    ADD COLUMN method        text NOT NULL DEFAULT 'password' CHECK (method IN ('password', 'openid')),
    ADD COLUMN second_factor boolean NOT NULL DEFAULT false;

-- Hashes of passwords that a person may not take again.
CREATE TABLE password_history (
    user_id       uuid NOT NULL REFERENCES hub_user,
    password_hash text NOT NULL,
    replaced_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, password_hash)
);

-- The secret is sealed by the key ring. last_step is the newest time step whose code was taken: none is taken twice.
CREATE TABLE second_factor (
    user_id      uuid PRIMARY KEY REFERENCES hub_user,
    sealed       bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz,
    last_step    bigint NOT NULL DEFAULT 0
);

-- code_hash is the SHA-256 of 80 random bits.
CREATE TABLE recovery_code (
    user_id   uuid NOT NULL REFERENCES second_factor ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    used_at   timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

-- A sign-in between its first and its second step.
CREATE TABLE sign_in_challenge (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES hub_user,
    token_hash bytea NOT NULL,
    method     text NOT NULL CHECK (method IN ('password', 'openid')),
    failed     int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX sign_in_challenge_user ON sign_in_challenge (user_id);

-- Who acts for whom while they are away.
CREATE TABLE deputy (
    id         uuid PRIMARY KEY,
    absent_id  uuid NOT NULL REFERENCES hub_user,
    deputy_id  uuid NOT NULL REFERENCES hub_user,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    created_by uuid NOT NULL REFERENCES hub_user,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    CHECK (absent_id <> deputy_id),
    CHECK (ends_at > starts_at)
);
CREATE INDEX deputy_deputy ON deputy (deputy_id) WHERE ended_at IS NULL;
CREATE INDEX deputy_absent ON deputy (absent_id);

-- What leavers had in hand and who has it now; to_user is NULL where it went back to the department.
CREATE TABLE handover (
    id          uuid PRIMARY KEY,
    from_user   uuid NOT NULL REFERENCES hub_user,
    to_user     uuid REFERENCES hub_user,
    object_kind text NOT NULL,
    object_id   uuid NOT NULL,
    title       text NOT NULL,
    by_user     uuid NOT NULL REFERENCES hub_user,
    at          timestamptz NOT NULL
);
CREATE INDEX handover_from ON handover (from_user, at);

-- Not in the policy log: nodes that run an older program do not know these actions, and newer ones read the rules at start.
INSERT INTO policy_rule (id, role, action, effect, note) VALUES
    ('system-admin-user-unlock', 'system_admin', 'user.unlock', 'allow', 'ends the lock that wrong passwords brought'),
    ('system-admin-user-set-password', 'system_admin', 'user.set_password', 'allow', 'gives a password that must be changed at the first sign-in'),
    ('security-admin-user-reset-second-factor', 'security_admin', 'user.reset_second_factor', 'allow', 'for people who lost theirs'),
    ('security-admin-user-set-deputy', 'security_admin', 'user.set_deputy', 'allow', 'names who acts for somebody who is away'),
    ('dept-admin-user-set-deputy', 'dept_admin', 'user.set_deputy', 'allow', 'names who acts for somebody who is away');

-- +goose Down
DELETE FROM policy_rule WHERE action IN ('user.unlock', 'user.set_password', 'user.reset_second_factor', 'user.set_deputy');
DROP TABLE handover, deputy, sign_in_challenge, recovery_code, second_factor, password_history;
ALTER TABLE session DROP COLUMN second_factor, DROP COLUMN method;
ALTER TABLE hub_user
    DROP COLUMN openid_subject, DROP COLUMN openid_issuer, DROP COLUMN failed_since, DROP COLUMN last_sign_in_at,
    DROP COLUMN password_temporary, DROP COLUMN password_set_at;

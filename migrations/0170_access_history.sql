-- What decisions rested on at any moment: grants, clients, resources, people and rules as they were, so that "who could see
-- this then, and why" is answered from rows and not from memory.

-- +goose Up

-- Moments before this one are not known: what was overwritten until then is gone.
CREATE TABLE access_history (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    since timestamptz NOT NULL
);

-- Each line holds from its moment until the next line of the same thing. All lines of one transaction bear one moment; seq
-- orders those of the same thing. body is the row of the grant without the key of its _rid.
CREATE TABLE grant_history (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grant_id    uuid NOT NULL,
    client_id   uuid NOT NULL,
    resource_id uuid NOT NULL,
    body        jsonb NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX grant_history_resource ON grant_history (resource_id, grant_id, at DESC, seq DESC);
CREATE INDEX grant_history_client ON grant_history (client_id, grant_id, at DESC, seq DESC);

CREATE TABLE client_history (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id     uuid NOT NULL,
    department_id uuid NOT NULL,
    name          text NOT NULL,
    state         text NOT NULL,
    at            timestamptz NOT NULL
);
CREATE INDEX client_history_client ON client_history (client_id, at DESC, seq DESC);

-- published is the version that consumers saw; the items of a version that was ever published never change.
CREATE TABLE resource_history (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_id uuid NOT NULL,
    state       text NOT NULL,
    published   int,
    at          timestamptz NOT NULL
);
CREATE INDEX resource_history_resource ON resource_history (resource_id, at DESC, seq DESC);

-- What a person was, without names: those are in hub_user while they are kept.
CREATE TABLE user_history (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       uuid NOT NULL,
    department_id uuid NOT NULL,
    roles         text[] NOT NULL,
    state         text NOT NULL,
    at            timestamptz NOT NULL
);
CREATE INDEX user_history_user ON user_history (user_id, at DESC, seq DESC);
CREATE INDEX user_history_department ON user_history (department_id, user_id);

-- body is the rule, NULL from its removal on.
CREATE TABLE policy_rule_history (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id text NOT NULL COLLATE "C",
    body    jsonb,
    at      timestamptz NOT NULL
);
CREATE INDEX policy_rule_history_rule ON policy_rule_history (rule_id, at DESC, seq DESC);

-- The moment a transaction takes effect, the same for all it changes: the time of its first deferred trigger, which is
-- that of the commit. Times taken by its statements could lie before answers that did not see them yet.
-- +goose StatementBegin
CREATE FUNCTION access_moment() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    moment text := current_setting('shuqiao.access_moment', true);
BEGIN
    IF moment IS NULL OR moment = '' THEN
        moment := clock_timestamp()::text;
        PERFORM set_config('shuqiao.access_moment', moment, true);
    END IF;
    RETURN moment::timestamptz;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION keep_grant_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO grant_history (grant_id, client_id, resource_id, body, at)
    VALUES (NEW.id, NEW.client_id, NEW.resource_id, to_jsonb(NEW) - 'rid_key', access_moment());
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION keep_client_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.department_id, OLD.name, OLD.state) IS DISTINCT FROM (NEW.department_id, NEW.name, NEW.state) THEN
        INSERT INTO client_history (client_id, department_id, name, state, at)
        VALUES (NEW.id, NEW.department_id, NEW.name, NEW.state, access_moment());
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION keep_resource_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.state, OLD.published) IS DISTINCT FROM (NEW.state, NEW.published) THEN
        INSERT INTO resource_history (resource_id, state, published, at)
        VALUES (NEW.id, NEW.state, NEW.published, access_moment());
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION keep_user_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.department_id, OLD.roles, OLD.state) IS DISTINCT FROM (NEW.department_id, NEW.roles, NEW.state) THEN
        INSERT INTO user_history (user_id, department_id, roles, state, at)
        VALUES (NEW.id, NEW.department_id, NEW.roles, NEW.state, access_moment());
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION keep_policy_rule_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND OLD.id <> NEW.id THEN
        INSERT INTO policy_rule_history (rule_id, body, at) VALUES (OLD.id, NULL, access_moment());
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO policy_rule_history (rule_id, body, at) VALUES (NEW.id, to_jsonb(NEW) - 'created_at' - 'updated_at', access_moment());
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Deferred: the lines are written at COMMIT, in the transaction that changes. One that also alters such a table first says
-- SET CONSTRAINTS ALL IMMEDIATE, because a table with deferred triggers to come cannot be altered.
CREATE CONSTRAINT TRIGGER grant_history AFTER INSERT OR UPDATE ON sharing_grant
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_grant_history();
CREATE CONSTRAINT TRIGGER client_history AFTER INSERT OR UPDATE OF department_id, name, state ON client
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_client_history();
CREATE CONSTRAINT TRIGGER resource_history AFTER INSERT OR UPDATE OF state, published ON resource
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_resource_history();
CREATE CONSTRAINT TRIGGER user_history AFTER INSERT OR UPDATE OF department_id, roles, state ON hub_user
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_user_history();
CREATE CONSTRAINT TRIGGER policy_rule_history AFTER INSERT OR UPDATE OR DELETE ON policy_rule
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_policy_rule_history();

-- What is in force now is where the history begins.
INSERT INTO access_history (since) VALUES (access_moment());
INSERT INTO grant_history (grant_id, client_id, resource_id, body, at)
SELECT id, client_id, resource_id, to_jsonb(g) - 'rid_key', access_moment() FROM sharing_grant g;
INSERT INTO client_history (client_id, department_id, name, state, at)
SELECT id, department_id, name, state, access_moment() FROM client;
INSERT INTO resource_history (resource_id, state, published, at)
SELECT id, state, published, access_moment() FROM resource;
INSERT INTO user_history (user_id, department_id, roles, state, at)
SELECT id, department_id, roles, state, access_moment() FROM hub_user;
INSERT INTO policy_rule_history (rule_id, body, at)
SELECT id, to_jsonb(r) - 'created_at' - 'updated_at', access_moment() FROM policy_rule r;

-- Who can see a resource, and what a client can see, page by page.
CREATE INDEX sharing_grant_resource_page ON sharing_grant (resource_id, id);
CREATE INDEX sharing_grant_resource_active ON sharing_grant (resource_id, id) WHERE state = 'active';
CREATE INDEX sharing_grant_client_page ON sharing_grant (client_id, id);

-- Added, never changed. A superuser is not bound by this.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON grant_history, client_history, resource_history, user_history, '
        'policy_rule_history, access_history FROM PUBLIC, %I', current_user);
END
$$;
-- +goose StatementEnd

-- Not in the policy log: nodes that run an older program do not know this action, and newer ones read the rules at start.
INSERT INTO policy_rule (id, role, action, effect, note) VALUES
    ('auditor-access-read', 'auditor', 'access.read', 'allow', 'who can see what, and why'),
    ('security-admin-access-read', 'security_admin', 'access.read', 'allow', 'who can see what, and why'),
    ('dept-admin-access-read', 'dept_admin', 'access.read', 'allow', 'who can see the own resources, and what the own systems can see'),
    ('dept-operator-access-read', 'dept_operator', 'access.read', 'allow', 'who can see the own resources, and what the own systems can see');

-- +goose Down
DROP INDEX sharing_grant_client_page, sharing_grant_resource_active, sharing_grant_resource_page;
DROP TRIGGER policy_rule_history ON policy_rule;
DROP TRIGGER user_history ON hub_user;
DROP TRIGGER resource_history ON resource;
DROP TRIGGER client_history ON client;
DROP TRIGGER grant_history ON sharing_grant;
DROP FUNCTION keep_policy_rule_history(), keep_user_history(), keep_resource_history(), keep_client_history(), keep_grant_history(), access_moment();
DROP TABLE policy_rule_history, user_history, resource_history, client_history, grant_history, access_history;
DELETE FROM policy_rule WHERE action = 'access.read';

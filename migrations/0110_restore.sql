-- What tells a restored database from the one it was copied from.

-- +goose Up

-- The PostgreSQL that the hub last served on: the cluster's identity, and its history (the timeline, which a promotion renews).
-- Another one at start means that commits may be missing or that the data were copied.
CREATE TABLE hub_origin (
    one               boolean PRIMARY KEY DEFAULT true CHECK (one),
    system_identifier text NOT NULL,
    timeline          bigint NOT NULL,
    noted_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Grants that wait for somebody to confirm them are few; without this, looking for them reads all that are suspended.
CREATE INDEX grant_step_hub ON grant_step (grant_id, at) WHERE side = 'hub' AND action = 'suspend';

INSERT INTO policy_rule (id, role, action, effect, note) VALUES
    ('platform-operator-grant-confirm-restored', 'platform_operator', 'grant.confirm_restored', 'allow',
     'the authority confirms after a restore which grants are in force');
-- Not entered in the policy log: nodes of before do not know the action, and nodes of after read the rules when they start.

-- +goose Down
DELETE FROM policy_rule WHERE id = 'platform-operator-grant-confirm-restored';
DROP INDEX grant_step_hub;
DROP TABLE hub_origin;

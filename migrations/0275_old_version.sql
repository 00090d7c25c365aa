-- A version that takes something away may be published beside the one it replaces: those who use the old one have until a day to change over.

-- +goose Up
ALTER TABLE resource_version
    ADD COLUMN old_until text CHECK (old_until ~ '^\d{4}-\d{2}-\d{2}$'), -- Last day, in Asia/Shanghai, on which the version before is to be served beside this one.
    ADD COLUMN served_until timestamptz;                                 -- Until when this version is served beside the one that replaced it; NULL where it is not.
CREATE INDEX resource_version_served ON resource_version (resource_id) WHERE served_until IS NOT NULL;
CREATE INDEX change_acknowledgement_grant ON change_acknowledgement (grant_id); -- Which changes a grant's consumer has taken note of decides which version it is served.

-- An export belongs to the version whose items it has and to the one whose demands held when it was ordered.
ALTER TABLE export ADD COLUMN demands int; -- NULL: the version itself.

-- +goose Down
ALTER TABLE export DROP COLUMN demands;
DROP INDEX change_acknowledgement_grant, resource_version_served;
ALTER TABLE resource_version DROP COLUMN old_until, DROP COLUMN served_until;

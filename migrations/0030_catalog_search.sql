-- Looking for entries of other departments with the same items (一数一源), and for what awaits review.

-- +goose Up
CREATE INDEX item_name ON item (name);
CREATE INDEX resource_version_state ON resource_version (state, updated_at DESC) WHERE state NOT IN ('published', 'superseded');
CREATE INDEX mount_resource ON mount (resource_id, created_at DESC);

-- +goose Down
DROP INDEX mount_resource, resource_version_state, item_name;

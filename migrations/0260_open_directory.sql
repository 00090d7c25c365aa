-- What is open to the public is walked by code, however few of the entries it is.

-- +goose Up
CREATE INDEX resource_version_open ON resource_version (resource_id) WHERE open AND state = 'published';

-- +goose Down
DROP INDEX resource_version_open;

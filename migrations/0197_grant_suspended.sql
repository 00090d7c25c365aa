-- Suspended grants are few among many: who confirms them after a restore finds them without reading all.

-- +goose Up
CREATE INDEX sharing_grant_suspended ON sharing_grant (created_at DESC, id DESC) WHERE state = 'suspended';

-- +goose Down
DROP INDEX sharing_grant_suspended;

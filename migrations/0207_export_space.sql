-- What a client ordered can be listed, and orders are weighed against the space of the folder before they are taken.

-- +goose Up
ALTER TABLE export ADD COLUMN expected bigint NOT NULL DEFAULT 0; -- Bytes that the file will take, by the newest file of the same kind; 0 where there was none.
CREATE INDEX export_own ON export (client_id, created_at DESC, id DESC);
CREATE INDEX export_like ON export (resource_id, format, compression, created_at DESC) WHERE size > 0;

-- +goose Down
DROP INDEX export_own, export_like;
ALTER TABLE export DROP COLUMN expected;

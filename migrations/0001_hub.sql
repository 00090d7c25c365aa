-- +goose Up
CREATE SCHEMA IF NOT EXISTS store;

-- +goose Down
DROP SCHEMA IF EXISTS store;

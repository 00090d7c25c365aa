-- The one-time link by which an empty hub is set up: at most one is valid, and only its hash is known here.

-- +goose Up
CREATE TABLE setup_token (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    expires_at timestamptz NOT NULL
);

-- +goose Down
DROP TABLE setup_token;

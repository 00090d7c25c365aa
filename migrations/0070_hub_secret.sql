-- Random keys that all nodes share and that outlive rotations of the key ring, sealed by it.

-- +goose Up
CREATE TABLE hub_secret (
    name       text PRIMARY KEY,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- +goose Down
DROP TABLE hub_secret;

-- Quotas are reserved in blocks: a node books calls against its own block in memory and asks the database for the next one.

-- +goose Up

-- What one process has reserved of a grant's quota in one period. quota_use.used is the sum of all that was reserved.
-- spent is what the process had booked when it last reserved: a process that died has booked at least that much.
CREATE TABLE quota_block (
    grant_id   uuid NOT NULL REFERENCES sharing_grant,
    period     text NOT NULL,
    node       uuid NOT NULL,
    reserved   bigint NOT NULL CHECK (reserved >= 0),
    spent      bigint NOT NULL CHECK (spent >= 0),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (grant_id, period, node)
);
CREATE INDEX quota_block_updated ON quota_block (updated_at);

-- +goose Down
DROP TABLE quota_block;

-- What the hub store needs to clean up after runs, to resume only what still fits, and to cut logs by age.

-- +goose Up

-- What each run has staged, from the first statement on: whoever finds the row finds the tables. mapping is a digest of everything
-- that decides how source rows become staged rows; rows staged under another one are not continued. fill says that the rows went
-- straight to the detached tables of layout; otherwise they are in store.s_<run>.
CREATE TABLE store.staging (
    run       uuid PRIMARY KEY,
    resource  uuid NOT NULL,
    layout    int NOT NULL,
    fill      boolean NOT NULL,
    mapping   bytea NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX staging_resource ON store.staging (resource);

-- When a head moved where: the age of a log row is that of the commit it belongs to.
CREATE TABLE store.head_move (
    resource uuid NOT NULL,
    seq      bigint NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (resource, seq)
);

-- Value of the mount's order column in a refused row: a refused row that is newer than the accepted ones of its key holds the key.
ALTER TABLE store.staged_reject ADD COLUMN ord text;

-- +goose Down
ALTER TABLE store.staged_reject DROP COLUMN ord;
DROP TABLE store.head_move, store.staging;

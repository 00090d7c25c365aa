-- Collecting only what changed: how deletes arrive, how far a task has read, and what a run needs to know to go on reading.

-- +goose Up

-- How deletes arrive at the hub. deletes has the column and values of a soft delete, or the delete table with its columns.
ALTER TABLE mount DROP CONSTRAINT mount_delete_rule_check;
ALTER TABLE mount ADD CONSTRAINT mount_delete_rule_check CHECK (delete_rule IN ('missing', 'none', 'soft_delete', 'delete_table')),
    ADD COLUMN deletes jsonb;

-- Where an incremental task has come to; only the transaction that merges writes it. plan is a digest of all that decides how
-- source rows become stored rows: under another one every row is read again, and NULL asks for that. overlap is what must be
-- read again below watermark. For marks that are numbers, seen is the highest one read by seen_at (the source's clock).
CREATE TABLE store.watermark (
    task        uuid PRIMARY KEY,
    resource    uuid NOT NULL,
    incarnation uuid NOT NULL,
    plan        bytea,
    watermark   text,
    overlap     interval NOT NULL DEFAULT '0',
    seen        text,
    seen_at     timestamptz,
    deletes     text,
    swept_at    timestamptz,
    read_at     timestamptz NOT NULL,
    run         uuid NOT NULL
);

-- part: only what changed is staged, so that what is not staged says nothing. note is what the reader decided when it began, and
-- closing what it knew when it had read all and settled; whoever continues follows them. swept counts the keys of a sweep. mark is the highest watermark read so far.
ALTER TABLE store.staging ADD COLUMN part boolean NOT NULL DEFAULT false, ADD COLUMN note jsonb,
    ADD COLUMN closing jsonb, ADD COLUMN swept bigint;
ALTER TABLE store.chunk ADD COLUMN mark text;

-- Keys that a partial read says are gone: filtered, marked as deleted, or named by a delete table. The last ones are not sure
-- before the source was asked for the row. origin is the key at the source.
CREATE TABLE store.staged_gone (
    run    uuid NOT NULL,
    key    text COLLATE "C" NOT NULL,
    origin text COLLATE "C" NOT NULL,
    sure   boolean NOT NULL
);
CREATE INDEX staged_gone_run ON store.staged_gone (run, key);

-- The key at the source, by which a refused row is read again whatever its watermark says; NULL where nobody noted it.
ALTER TABLE store.staged_reject ADD COLUMN origin text COLLATE "C";
ALTER TABLE reject ADD COLUMN origin text COLLATE "C", ADD COLUMN closed_by uuid, ADD COLUMN note text NOT NULL DEFAULT '';
CREATE INDEX reject_waived ON reject (resource_id, key) WHERE state = 'waived';

-- What the merge leaves for the comparison, whoever makes it: {"extra_fine": true} when it carried no deletes.
COMMENT ON COLUMN run.checkpoint IS 'written by the transaction that merges: what its comparison must know';

-- How many rows the resource has, held ones included; NULL until the next merge.
ALTER TABLE store.store_head ADD COLUMN rows bigint;

-- A comparison of what a partial read brought, rather than of both ends as a whole.
ALTER TABLE reconciliation ADD COLUMN part boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE reconciliation DROP COLUMN part;
ALTER TABLE store.store_head DROP COLUMN rows;
COMMENT ON COLUMN run.checkpoint IS NULL;
DROP INDEX reject_waived;
ALTER TABLE reject DROP COLUMN note, DROP COLUMN closed_by, DROP COLUMN origin;
ALTER TABLE store.staged_reject DROP COLUMN origin;
DROP TABLE store.staged_gone;
ALTER TABLE store.chunk DROP COLUMN mark;
ALTER TABLE store.staging DROP COLUMN swept, DROP COLUMN closing, DROP COLUMN note, DROP COLUMN part;
DROP TABLE store.watermark;
UPDATE mount SET delete_rule = 'missing' WHERE delete_rule IN ('soft_delete', 'delete_table');
ALTER TABLE mount DROP COLUMN deletes, DROP CONSTRAINT mount_delete_rule_check,
    ADD CONSTRAINT mount_delete_rule_check CHECK (delete_rule IN ('missing', 'none'));

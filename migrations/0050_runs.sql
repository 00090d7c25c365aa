-- What runs need to survive several nodes: a run that was begun is not "waiting behind" another, and a merge is never repeated.

-- +goose Up

-- failures counts attempts that ended by an error; attempt also counts those that a dead node left behind. merged_at is set by
-- the transaction that merges: such a run only has its comparison left to do, whoever takes it over.
ALTER TABLE run ADD COLUMN failures int NOT NULL DEFAULT 0, ADD COLUMN merged_at timestamptz;

-- One run waits behind the active one. A run whose attempt was given up goes back to the queue beside it.
DROP INDEX run_queued_task;
CREATE UNIQUE INDEX run_queued_task ON run (task_id) WHERE state = 'queued' AND attempt = 0;
CREATE INDEX run_resource ON run (resource_id, queued_at DESC);
CREATE INDEX run_incarnation ON run (incarnation) WHERE state IN ('running', 'reconciling');
CREATE INDEX reject_resource ON reject (resource_id, created_at DESC);

-- +goose Down
DROP INDEX reject_resource, run_incarnation, run_resource, run_queued_task;
DELETE FROM run WHERE state = 'queued' AND attempt > 0;
CREATE UNIQUE INDEX run_queued_task ON run (task_id) WHERE state = 'queued';
ALTER TABLE run DROP COLUMN merged_at, DROP COLUMN failures;

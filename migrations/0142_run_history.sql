-- Finished runs move out of the queue's table, so that claiming and listing stay as fast after years as on the first day.

-- +goose Up

-- The columns are those of run, in any order. Months are partitions, made ahead; run_history_other takes what has none yet.
CREATE TABLE run_history (LIKE run INCLUDING DEFAULTS) PARTITION BY RANGE (finished_at);
ALTER TABLE run_history ADD PRIMARY KEY (id, finished_at);
CREATE INDEX run_history_task ON run_history (task_id, queued_at DESC);
CREATE INDEX run_history_resource ON run_history (resource_id, queued_at DESC);
CREATE INDEX run_history_queued ON run_history (queued_at DESC, id DESC);
CREATE TABLE run_history_other PARTITION OF run_history DEFAULT;
CREATE INDEX run_queued ON run (queued_at DESC, id DESC);

-- A comparison outlives the place of its run.
ALTER TABLE reconciliation DROP CONSTRAINT reconciliation_run_id_fkey;

-- +goose Down
INSERT INTO run (id, task_id, resource_id, kind, trigger, requested_by, state, priority, attempt, not_before, node_id, incarnation, token, stage, progress,
    checkpoint, counts, hashes, error, cancel_requested, confirm_deletes, of_run, queued_at, started_at, finished_at, failures, merged_at)
SELECT id, task_id, resource_id, kind, trigger, requested_by, state, priority, attempt, not_before, node_id, incarnation, token, stage, progress,
    checkpoint, counts, hashes, error, cancel_requested, confirm_deletes, of_run, queued_at, started_at, finished_at, failures, merged_at FROM run_history;
ALTER TABLE reconciliation ADD CONSTRAINT reconciliation_run_id_fkey FOREIGN KEY (run_id) REFERENCES run;
DROP INDEX run_queued;
DROP TABLE run_history;

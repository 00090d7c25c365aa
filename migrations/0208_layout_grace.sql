-- What a replaced layout was when it was replaced, so that cursors of its time can be continued in it until it is dropped.

-- +goose Up
ALTER TABLE store.layout
    ADD COLUMN min_seq bigint,          -- Lowest cursor whose changes its log can tell; NULL before it was replaced.
    ADD COLUMN end_seq bigint,          -- Its last change.
    ADD COLUMN filterable_from jsonb;   -- As store_head had it.

-- +goose Down
ALTER TABLE store.layout DROP COLUMN min_seq, DROP COLUMN end_seq, DROP COLUMN filterable_from;

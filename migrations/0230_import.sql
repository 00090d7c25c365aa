-- Files of entries that departments send in: received, checked cell by cell, applied.

-- +goose Up
CREATE TABLE import_job (
    id            uuid PRIMARY KEY,
    department_id uuid NOT NULL REFERENCES department,
    created_by    uuid NOT NULL,
    applied_by    uuid,
    file_name     text NOT NULL,
    size          bigint NOT NULL,
    digest        bytea NOT NULL, -- SHA-256 of the file.
    mode          text NOT NULL CHECK (mode IN ('all', 'good')),
    state         text NOT NULL CHECK (state IN ('received', 'checking', 'checked', 'applying', 'done', 'failed')),
    reason        text NOT NULL DEFAULT '', -- Of a failed one: a problem code.
    message       text NOT NULL DEFAULT '',
    headers       jsonb NOT NULL DEFAULT '[]', -- What the columns of the file are, by sheet.
    attempt       int NOT NULL DEFAULT 0, -- Raised by each claim: only the newest attempt may write.
    seen_at       timestamptz,            -- Of a claimed one: the last sign of life.
    entries       int NOT NULL DEFAULT 0, -- Rows of each sheet that are no examples.
    items         int NOT NULL DEFAULT 0,
    done          int NOT NULL DEFAULT 0, -- Entries that the present step has gone through.
    added         int NOT NULL DEFAULT 0, -- By what the check found: new, changed, unchanged and wrong entries.
    changed       int NOT NULL DEFAULT 0,
    unchanged     int NOT NULL DEFAULT 0,
    wrong         int NOT NULL DEFAULT 0,
    troubles      int NOT NULL DEFAULT 0, -- Cells and rows with something wrong.
    applied       int NOT NULL DEFAULT 0, -- Entries that were written.
    row_version   bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    finished_at   timestamptz
);
CREATE INDEX import_job_work ON import_job (created_at) WHERE state IN ('received', 'checking', 'applying');
CREATE INDEX import_job_own ON import_job (department_id, created_at DESC, id DESC);

-- The file itself, until it has been read.
CREATE TABLE import_chunk (
    job_id uuid NOT NULL REFERENCES import_job ON DELETE CASCADE,
    n      int NOT NULL,
    data   bytea NOT NULL,
    PRIMARY KEY (job_id, n)
);

-- Its rows as they stand in the file.
CREATE TABLE import_row (
    job_id      uuid NOT NULL REFERENCES import_job ON DELETE CASCADE,
    sheet       smallint NOT NULL, -- 0 entries, 1 items.
    row_no      int NOT NULL,
    key         text NOT NULL, -- Of the entry.
    code        text NOT NULL DEFAULT '',
    name        text NOT NULL DEFAULT '',
    cells       text[] NOT NULL,
    state       text NOT NULL DEFAULT 'read' CHECK (state IN ('read', 'added', 'changed', 'unchanged', 'wrong', 'applied')),
    resource_id uuid, -- Of an entry that was found or written.
    PRIMARY KEY (job_id, sheet, row_no)
);
CREATE INDEX import_row_key ON import_row (job_id, sheet, key, row_no);

CREATE TABLE import_trouble (
    job_id    uuid NOT NULL REFERENCES import_job ON DELETE CASCADE,
    sheet     smallint NOT NULL,
    row_no    int NOT NULL,
    n         bigint GENERATED ALWAYS AS IDENTITY,
    col       int NOT NULL, -- From 0; -1 for the row as a whole.
    column_id text NOT NULL,
    code      text NOT NULL,
    detail    text NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, sheet, row_no, n)
);

-- +goose Down
DROP TABLE import_trouble, import_row, import_chunk, import_job;

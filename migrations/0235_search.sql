-- What a search reads: one row for each version of an entry that somebody may find, with its words cut up by the program and one
-- number for its place. It repeats what other tables say and can be built again from them (shuqiao search rebuild).

-- +goose Up
CREATE TABLE resource_search (
    resource_id   uuid NOT NULL,
    version       int NOT NULL,
    state         text NOT NULL,
    department_id uuid NOT NULL REFERENCES department,
    rank          int NOT NULL CHECK (rank BETWEEN 0 AND 1023), -- The highest first.
    complete      int NOT NULL,                                 -- Points of rank for how much is stated.
    signals       int NOT NULL DEFAULT 0,                       -- Points for data, their freshness and use; counted anew each hour.
    base_database text NOT NULL,
    share_type    text NOT NULL,
    share_methods text[] NOT NULL,
    update_cycle  text NOT NULL,
    grade         text NOT NULL,
    open          boolean NOT NULL,
    themes        text[] NOT NULL,
    items         int NOT NULL,
    updated_at    timestamptz NOT NULL,
    published_at  timestamptz,
    name          text NOT NULL,     -- Lower case, with its pinyin and the code, a line each: what suggestions look at.
    body          text NOT NULL,     -- Everything that is searched, lower case, a line for each part.
    words         tsvector NOT NULL, -- Pieces of body, and =marks of the other columns.
    built         int NOT NULL,      -- By which rules the program cut it up.
    PRIMARY KEY (resource_id, version),
    FOREIGN KEY (resource_id, version) REFERENCES resource_version ON DELETE CASCADE
);
-- Words are only read through their index: outside of the row they do not make it longer to read.
ALTER TABLE resource_search ALTER COLUMN words SET STORAGE EXTERNAL, ALTER COLUMN body SET STORAGE MAIN;
CREATE INDEX resource_search_words ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256);
CREATE INDEX resource_search_rank ON resource_search (state, rank DESC, resource_id DESC);
CREATE INDEX resource_search_change ON resource_search (state, updated_at DESC, resource_id DESC);
CREATE INDEX resource_search_published ON resource_search (published_at DESC, resource_id DESC) WHERE state = 'published';
CREATE INDEX resource_search_department ON resource_search (department_id, state);

-- The marks of a rank: one for each step of 32 that it reaches, so that "the best ranked that hold a word" is one look at the index.
-- +goose StatementBegin
CREATE FUNCTION search_bands(rank int) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT coalesce(array_agg('=r' || step), '{}') FROM generate_series(1, rank / 32) AS step $$;
-- +goose StatementEnd

-- When the ranks were counted last, so that one of several nodes does it.
CREATE TABLE search_refresh (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    at  timestamptz NOT NULL
);
INSERT INTO search_refresh (at) VALUES ('epoch');

-- +goose Down
DROP TABLE search_refresh;
DROP TABLE resource_search;
DROP FUNCTION search_bands(int);

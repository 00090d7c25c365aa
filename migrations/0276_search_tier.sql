-- Hits are looked for among the best entries first: published entries stand on tiers by their rank, the highest on few. Each tier has
-- an index of its own, so that a word is looked up among 256 entries, then 1,024 more, and so on, and never among a million for twenty hits.

-- +goose Up
-- The last place of each tier but the lowest; empty where the directory is small: then all stand on tier 1.
CREATE TABLE search_tier (
    tier        smallint PRIMARY KEY CHECK (tier BETWEEN 2 AND 7),
    rank        int NOT NULL,
    resource_id uuid NOT NULL -- Of equal ranks the higher id is the better place.
);

-- The tier of an entry by its place; 0 for what is not published.
-- +goose StatementBegin
CREATE FUNCTION search_tier_of(state text, rank int, resource_id uuid) RETURNS smallint LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT CASE WHEN $1 <> 'published' THEN 0::smallint
        ELSE coalesce((SELECT max(t.tier) FROM search_tier t WHERE ($2, $3) >= (t.rank, t.resource_id)), 1::smallint) END $$;
-- +goose StatementEnd

-- Nearly all entries are published: theirs is the default, so that no row of them is written again.
DROP INDEX resource_search_words, resource_search_rank;
ALTER TABLE resource_search ADD COLUMN tier smallint NOT NULL DEFAULT 1 CHECK (tier BETWEEN 0 AND 7);
UPDATE resource_search SET tier = 0 WHERE state <> 'published';
ALTER TABLE resource_search ALTER COLUMN tier DROP DEFAULT;
CREATE INDEX resource_search_rank ON resource_search (state, tier DESC, rank DESC, resource_id DESC);
CREATE INDEX resource_search_words_0 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 0;
CREATE INDEX resource_search_words_1 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 1;
CREATE INDEX resource_search_words_2 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 2;
CREATE INDEX resource_search_words_3 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 3;
CREATE INDEX resource_search_words_4 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 4;
CREATE INDEX resource_search_words_5 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 5;
CREATE INDEX resource_search_words_6 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 6;
CREATE INDEX resource_search_words_7 ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256) WHERE tier = 7;
DROP FUNCTION search_bands(int);

-- +goose Down
-- +goose StatementBegin
CREATE FUNCTION search_bands(rank int) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT coalesce(array_agg('=r' || step), '{}') FROM generate_series(1, rank / 32) AS step $$;
-- +goose StatementEnd
DROP INDEX resource_search_rank;
ALTER TABLE resource_search DROP COLUMN tier;
DROP FUNCTION search_tier_of(text, int, uuid);
DROP TABLE search_tier;
UPDATE resource_search SET built = 0; -- What the program before looked up is not among the words.
CREATE INDEX resource_search_words ON resource_search USING gin (words) WITH (gin_pending_list_limit = 256);
CREATE INDEX resource_search_rank ON resource_search (state, rank DESC, resource_id DESC);

-- What was done to a grant, by whom and on whose behalf: people read it, and a grant that the authority suspended is not
-- resumed by the provider alone.

-- +goose Up

-- document holds the record of negotiation and filing of a termination (Order 809, Art 27). actor_id is NULL for the hub.
CREATE TABLE grant_step (
    id         uuid PRIMARY KEY,
    grant_id   uuid NOT NULL REFERENCES sharing_grant,
    action     text NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    actor_id   uuid,
    actor_dept uuid,
    side       text NOT NULL CHECK (side IN ('provider', 'authority', 'hub')),
    reason     text NOT NULL DEFAULT '',
    document   jsonb,
    at         timestamptz NOT NULL
);
CREATE INDEX grant_step_grant ON grant_step (grant_id, at);

-- Lists of grants and requests are read newest first.
CREATE INDEX sharing_grant_consumer ON sharing_grant (consumer_dept_id, created_at DESC, id DESC);
CREATE INDEX sharing_grant_created ON sharing_grant (created_at DESC, id DESC);
CREATE INDEX sharing_request_created ON sharing_request (created_at DESC, id DESC);

-- +goose Down
DROP INDEX sharing_request_created, sharing_grant_created, sharing_grant_consumer;
DROP TABLE grant_step;

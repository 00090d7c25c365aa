-- The desk of one person: what they mean to ask for, what they did, and until when they have read what happened.

-- +goose Up

CREATE TABLE request_cart (
    user_id     uuid NOT NULL REFERENCES hub_user,
    resource_id uuid NOT NULL REFERENCES resource ON DELETE CASCADE,
    added_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, resource_id)
);

-- What happened until then has been read.
CREATE TABLE notice_mark (
    user_id uuid PRIMARY KEY REFERENCES hub_user,
    read_at timestamptz NOT NULL
);

-- What somebody did, newest first; and what happened lately, to whomever.
CREATE INDEX request_step_actor ON request_step (actor_id, at DESC, id DESC);
CREATE INDEX request_step_at ON request_step (at);
CREATE INDEX grant_step_at ON grant_step (at);
CREATE INDEX resource_step_at ON resource_step (at);
CREATE INDEX sharing_request_applicant ON sharing_request (applicant_id, created_at DESC, id DESC);

-- +goose Down
DROP INDEX sharing_request_applicant, resource_step_at, grant_step_at, request_step_at, request_step_actor;
DROP TABLE notice_mark, request_cart;

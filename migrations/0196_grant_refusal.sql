-- From when on nodes have refused a grant that was stopped: people see that a suspension holds, and when it did everywhere.

-- +goose Up

-- row_version is that of the grant when it was stopped; node is the incarnation of the process, which outlives its row in node here.
CREATE TABLE grant_refusal (
    grant_id    uuid NOT NULL REFERENCES sharing_grant,
    row_version bigint NOT NULL,
    node        uuid NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (grant_id, row_version, node)
);

-- +goose Down
DROP TABLE grant_refusal;

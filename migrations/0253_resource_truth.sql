-- Truth about data: what there is behind every published entry, refreshed every hour and read by lists.

-- +goose Up

-- What was disclosed of a resource on a day (Asia/Shanghai), kept for as long as use is looked back on.
CREATE TABLE resource_use_day (
    resource_id uuid NOT NULL,
    day         date NOT NULL,
    calls       bigint NOT NULL,
    rows        bigint NOT NULL,
    PRIMARY KEY (resource_id, day)
);
CREATE INDEX resource_use_day_day ON resource_use_day (day);

-- One row per published entry. Whether data are on time is computed from arrived_at and the update cycle when it is read.
-- quality is accepted / (accepted + rejected) of the last runs, NULL where none read a row. described is the part of score that
-- the text of version, as it was at described_at and by the rules numbered rules, earns.
CREATE TABLE resource_truth (
    resource_id    uuid PRIMARY KEY REFERENCES resource ON DELETE CASCADE,
    department_id  uuid NOT NULL,
    mounted        boolean NOT NULL DEFAULT false,
    rows           bigint NOT NULL DEFAULT 0,
    arrived_at     timestamptz,
    accepted       bigint NOT NULL DEFAULT 0,
    rejected       bigint NOT NULL DEFAULT 0,
    quality        numeric,
    uses_30d       bigint NOT NULL DEFAULT 0,
    rows_30d       bigint NOT NULL DEFAULT 0,
    used_at        date,
    grants         int NOT NULL DEFAULT 0,
    score          int NOT NULL DEFAULT 0 CHECK (score BETWEEN 0 AND 100),
    described      int NOT NULL DEFAULT 0,
    version        int NOT NULL,
    described_at   timestamptz NOT NULL,
    rules          int NOT NULL,
    sleeping       text NOT NULL DEFAULT '' CHECK (sleeping IN ('', 'no_data', 'stale', 'unused')),
    sleeping_since timestamptz,
    refreshed_at   timestamptz NOT NULL,
    CONSTRAINT sleeping_has_since CHECK ((sleeping = '') = (sleeping_since IS NULL))
);
CREATE INDEX resource_truth_sleeping ON resource_truth (sleeping_since, resource_id) WHERE sleeping <> '';
CREATE INDEX resource_truth_department ON resource_truth (department_id, sleeping_since, resource_id) WHERE sleeping <> '';

-- When the last refresh began and ended: the node that moves began does it.
CREATE TABLE truth_refresh (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    began_at timestamptz NOT NULL,
    ended_at timestamptz
);
INSERT INTO truth_refresh (began_at) VALUES ('2000-01-01Z');

-- +goose Down
DROP TABLE truth_refresh, resource_truth, resource_use_day;

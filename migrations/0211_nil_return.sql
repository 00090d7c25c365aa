-- Departments without information systems say so once a year (无资源说明), and entries are found by the system they come from.

-- +goose Up
CREATE TABLE nil_return (
    id            uuid PRIMARY KEY,
    department_id uuid NOT NULL REFERENCES department,
    year          int NOT NULL CHECK (year BETWEEN 2000 AND 2200),
    statement     text NOT NULL,
    filed_by      uuid NOT NULL,
    filed_at      timestamptz NOT NULL,
    withdrawn_at  timestamptz -- Since then the department has a system in use.
);
CREATE UNIQUE INDEX nil_return_in_force ON nil_return (department_id, year) WHERE withdrawn_at IS NULL;
CREATE INDEX nil_return_year ON nil_return (year, filed_at DESC, id DESC);

CREATE INDEX resource_version_system ON resource_version (system_id, resource_id) WHERE system_id IS NOT NULL;

-- +goose Down
DROP INDEX resource_version_system;
DROP TABLE nil_return;

-- What exists: departments, systems, base databases, resources with versions and items, sources and mounts.

-- +goose Up

CREATE TABLE department (
    id            uuid PRIMARY KEY,
    uscc          text NOT NULL UNIQUE,
    name          text NOT NULL UNIQUE,
    name_en       text NOT NULL DEFAULT '',
    division_code text NOT NULL,
    level         text NOT NULL CHECK (level IN ('national', 'province', 'city', 'county', 'township')),
    parent_id     uuid REFERENCES department,
    authority     boolean NOT NULL DEFAULT false,
    row_version   bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
-- One sharing authority per division (Order 809, Art 8).
CREATE UNIQUE INDEX department_authority ON department (division_code) WHERE authority;

CREATE TABLE system (
    id            uuid PRIMARY KEY,
    department_id uuid NOT NULL REFERENCES department,
    name          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('live', 'zombie', 'single_office')),
    row_version   bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    UNIQUE (department_id, name)
);

-- A connection to a department's system. settings holds what is not secret; sealed holds the secrets.
CREATE TABLE source (
    id            uuid PRIMARY KEY,
    department_id uuid NOT NULL REFERENCES department,
    name          text NOT NULL,
    driver        text NOT NULL,
    settings      jsonb NOT NULL,
    sealed        bytea,
    last_probe    jsonb,
    probed_at     timestamptz,
    row_version   bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    UNIQUE (department_id, name)
);

-- One directory entry. state is that of the visible version where there is one, else that of the newest version.
-- published is the version consumers see; newest the highest version; both count from 1.
CREATE TABLE resource (
    id               uuid PRIMARY KEY,
    code             text UNIQUE,
    provider_dept_id uuid NOT NULL REFERENCES department,
    name             text NOT NULL,
    state            text NOT NULL,
    newest           int NOT NULL DEFAULT 1,
    published        int,
    next_item_no     int NOT NULL DEFAULT 1,
    live             boolean NOT NULL DEFAULT false,
    standing_consent jsonb,
    row_version      bigint NOT NULL DEFAULT 1,
    created_by       uuid NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX resource_name ON resource (provider_dept_id, name) WHERE state <> 'revoked';
CREATE INDEX resource_state ON resource (state, updated_at DESC);

-- Codes are never reused: the counter outlives the resources (domain rule 2.5).
CREATE TABLE resource_code (
    class_code text PRIMARY KEY,
    last       bigint NOT NULL
);

-- One version of an entry: the fields that lists filter by as columns, all metadata in body.
CREATE TABLE resource_version (
    resource_id   uuid NOT NULL REFERENCES resource,
    version       int NOT NULL CHECK (version >= 1),
    state         text NOT NULL CHECK (state IN ('draft', 'dept_review', 'platform_review', 'returned', 'published', 'offline', 'revoked', 'superseded')),
    round         int NOT NULL DEFAULT 1,
    name          text NOT NULL,
    summary       text NOT NULL,
    class_code    text NOT NULL DEFAULT '',
    base_database text,
    share_type    text NOT NULL DEFAULT '',
    grade         text NOT NULL DEFAULT '',
    update_cycle  text NOT NULL DEFAULT '',
    open          boolean NOT NULL DEFAULT false,
    system_id     uuid REFERENCES system,
    body          jsonb NOT NULL,
    made_by       uuid NOT NULL,
    submitted_by  uuid,
    published_at  timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (resource_id, version)
);
CREATE INDEX resource_version_base ON resource_version (base_database) WHERE base_database IS NOT NULL;

-- no is stable for one meaning across the versions of a resource; store columns and content hashes are named by it.
CREATE TABLE item (
    resource_id     uuid NOT NULL,
    version         int NOT NULL,
    no              int NOT NULL CHECK (no >= 1),
    id              uuid NOT NULL,
    ordinal         int NOT NULL,
    name            text NOT NULL,
    identifier      text NOT NULL,
    data_type       text NOT NULL CHECK (data_type IN ('C', 'N', 'Y', 'D', 'T', 'L', 'M', 'G', 'B', 'I', 'F')),
    length          int NOT NULL DEFAULT 0,
    scale           int NOT NULL DEFAULT 0,
    format          text NOT NULL DEFAULT '',
    is_key          boolean NOT NULL DEFAULT false,
    required        boolean NOT NULL DEFAULT false,
    filterable      boolean NOT NULL DEFAULT false,
    definition      text NOT NULL DEFAULT '',
    unit            text NOT NULL DEFAULT '',
    code_set        text NOT NULL DEFAULT '',
    data_element    text NOT NULL DEFAULT '',
    validator       text NOT NULL DEFAULT '',
    share_type      text NOT NULL,
    share_condition text NOT NULL DEFAULT '',
    open            boolean NOT NULL DEFAULT false,
    grade           text NOT NULL,
    sensitive_pi    boolean NOT NULL DEFAULT false,
    mask_rule       text NOT NULL DEFAULT '',
    mask_reason     text NOT NULL DEFAULT '',
    source_dept_id  uuid REFERENCES department,
    PRIMARY KEY (resource_id, version, no),
    FOREIGN KEY (resource_id, version) REFERENCES resource_version,
    UNIQUE (resource_id, version, identifier),
    UNIQUE (resource_id, version, name),
    UNIQUE (resource_id, version, id)
);

-- Every move of a resource version, with its reasons: the review history people read.
CREATE TABLE resource_step (
    id          uuid PRIMARY KEY,
    resource_id uuid NOT NULL,
    version     int NOT NULL,
    action      text NOT NULL,
    from_state  text NOT NULL,
    to_state    text NOT NULL,
    actor_id    uuid NOT NULL,
    reason      text NOT NULL DEFAULT '',
    document    jsonb,
    at          timestamptz NOT NULL,
    FOREIGN KEY (resource_id, version) REFERENCES resource_version
);
CREATE INDEX resource_step_resource ON resource_step (resource_id, version, at);

-- Kinds of base and theme databases, and their registration by the authority. resource_id and source_id are filled when
-- the base database is bound to what serves it.
CREATE TABLE base_database (
    code            text PRIMARY KEY,
    name            text NOT NULL,
    name_en         text NOT NULL,
    theme           boolean NOT NULL DEFAULT false,
    template        text NOT NULL DEFAULT '',
    sort            int NOT NULL DEFAULT 0,
    lead_dept_id    uuid REFERENCES department,
    resource_id     uuid REFERENCES resource,
    source_id       uuid REFERENCES source,
    key_item        text NOT NULL DEFAULT '',
    registered_by   uuid,
    registered_at   timestamptz,
    row_version     bigint NOT NULL DEFAULT 1
);
INSERT INTO base_database (code, name, name_en, template, sort) VALUES
    ('population', '人口', 'Population', 'base_population', 1),
    ('legal_person', '法人单位', 'Legal persons', 'base_legal_person', 2),
    ('geospatial', '自然资源和空间地理', 'Natural resources and geospatial', 'base_geospatial', 3),
    ('credit', '社会信用', 'Social credit', 'base_credit', 4),
    ('certificate', '电子证照', 'Electronic certificates', 'base_certificate', 5),
    ('macro_economy', '宏观经济', 'Macro-economy', 'base_macro_economy', 6);

-- How a resource's items map to an object of a source. columns is [{"item_no", "column", "kind"}], one per item of the
-- version; row_filter drops rows before they count as present; order_column decides among duplicate keys.
CREATE TABLE mount (
    id               uuid PRIMARY KEY,
    resource_id      uuid NOT NULL REFERENCES resource,
    version          int NOT NULL,
    source_id        uuid NOT NULL REFERENCES source,
    object           text NOT NULL,
    columns          jsonb NOT NULL,
    row_filter       jsonb,
    order_column     text NOT NULL DEFAULT '',
    watermark_column text NOT NULL DEFAULT '',
    delete_rule      text NOT NULL DEFAULT 'missing' CHECK (delete_rule IN ('missing', 'none')),
    schema           jsonb NOT NULL,
    state            text NOT NULL CHECK (state IN ('draft', 'checking', 'submitted', 'active', 'rejected', 'suspended', 'removed')),
    note             text NOT NULL DEFAULT '',
    row_version      bigint NOT NULL DEFAULT 1,
    created_by       uuid NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX mount_active ON mount (resource_id) WHERE state = 'active';
CREATE INDEX mount_source ON mount (source_id);

-- +goose Down
DROP TABLE mount, base_database, resource_step, item, resource_version, resource_code, resource, source, system, department;

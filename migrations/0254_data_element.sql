-- Data elements (数据元), who is the source of each (一数一源; Order 809, Art 19), and what departments say about that.

-- +goose Up

-- terms are what items are recognised by, in lower case: code, standard, names and synonyms. They are written with the rest.
CREATE TABLE data_element (
    code        text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]{0,62}$'),
    name        text NOT NULL UNIQUE,
    name_en     text NOT NULL DEFAULT '',
    definition  text NOT NULL DEFAULT '',
    data_type   text NOT NULL CHECK (data_type IN ('C', 'N', 'Y', 'D', 'T', 'L', 'M', 'G', 'B', 'I', 'F')),
    length      int NOT NULL DEFAULT 0 CHECK (length >= 0),
    code_set    text NOT NULL DEFAULT '',
    standard    text NOT NULL DEFAULT '',
    synonyms    text[] NOT NULL DEFAULT '{}',
    terms       text[] NOT NULL,
    state       text NOT NULL DEFAULT 'current' CHECK (state IN ('current', 'retired')),
    row_version bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX data_element_terms ON data_element USING gin (terms);

-- The elements that the items of the templates use.
INSERT INTO data_element (code, name, name_en, definition, data_type, length, code_set, standard, synonyms, terms, created_at, updated_at)
SELECT code, name, name_en, definition, data_type, length, code_set, standard, synonyms,
    (SELECT array_agg(DISTINCT lower(t) ORDER BY lower(t)) FROM unnest(synonyms || ARRAY[code, name, name_en, standard]) t WHERE t <> ''), now(), now()
FROM (VALUES
    ('citizen_id', '公民身份号码', 'Citizen identity number', '公民唯一的、终身不变的身份代码', 'C', 18, '', 'GB 11643', ARRAY['身份证号', '身份证号码', '居民身份证号码']),
    ('id_type', '证件类型', 'Type of identity document', '证明自然人身份的证件的类别', 'C', 3, 'id_type', '', ARRAY['证件类型代码', '身份证件类型', '自然人证件类型']),
    ('id_number', '证件号码', 'Number of identity document', '证明自然人身份的证件的号码', 'C', 18, '', '', ARRAY['身份证件号码', '自然人证件号码']),
    ('person_name', '姓名', 'Name of person', '自然人在户籍或者身份证件上登记的姓名', 'C', 100, '', '', ARRAY['自然人姓名', '公民姓名']),
    ('sex_code', '性别代码', 'Sex', '人的性别的代码', 'C', 1, 'sex', 'GB/T 2261.1', ARRAY['性别']),
    ('ethnic_code', '民族代码', 'Ethnic group', '中国各民族名称的代码', 'C', 2, 'ethnic', 'GB/T 3304', ARRAY['民族']),
    ('birth_date', '出生日期', 'Date of birth', '自然人出生的年月日', 'D', 0, '', '', ARRAY['出生年月日']),
    ('marital_status_code', '婚姻状况', 'Marital status', '婚姻状况的代码', 'C', 2, 'marital', 'GB/T 2261.2', ARRAY['婚姻状况代码']),
    ('education_code', '文化程度', 'Education', '接受教育的最高程度的代码', 'C', 2, 'education', 'GB/T 4658', ARRAY['学历', '学历代码', '文化程度代码']),
    ('householder_relation_code', '与户主关系', 'Relation to the householder', '与户主的家庭关系的代码', 'C', 2, 'householder_relation', 'GB/T 4761', ARRAY['与户主关系代码', '家庭关系代码']),
    ('domicile_address', '户籍地址', 'Registered address', '常住户口登记的地址', 'C', 200, '', '', ARRAY['户籍地详址', '户口所在地']),
    ('mobile', '手机号码', 'Mobile number', '移动电话的号码', 'C', 11, '', '', ARRAY['移动电话', '手机号']),
    ('social_card_no', '社会保障卡号', 'Social security card number', '社会保障卡的卡号', 'C', 20, '', '', ARRAY['社保卡号']),
    ('uscc', '统一社会信用代码', 'Unified social credit code', '法人和其他组织唯一的、终身不变的身份代码', 'C', 18, '', 'GB 32100', ARRAY['社会信用代码']),
    ('org_code', '组织机构代码', 'Organisation code', '组织机构的代码，统一社会信用代码的第九至第十七位', 'C', 9, '', 'GB 11714', ARRAY[]::text[]),
    ('org_name', '企业名称', 'Name of enterprise', '市场主体登记的名称', 'C', 200, '', '', ARRAY['市场主体名称']),
    ('legal_rep_name', '法定代表人姓名', 'Name of legal representative', '登记的法定代表人的姓名', 'C', 100, '', '', ARRAY['法定代表人']),
    ('reg_capital', '注册资本', 'Registered capital', '登记的注册资本数额', 'Y', 20, '', '', ARRAY['注册资金']),
    ('reg_status', '登记状态', 'Registration status', '市场主体登记的状态', 'C', 2, '', '', ARRAY['经营状态', '企业状态']),
    ('currency_code', '币种', 'Currency', '货币和资金的代码', 'C', 3, '', 'GB/T 12406', ARRAY['币种代码', '货币代码']),
    ('industry_code', '行业代码', 'Industry', '国民经济行业分类的代码', 'C', 5, '', 'GB/T 4754', ARRAY['行业分类代码', '国民经济行业代码']),
    ('division_code', '行政区划代码', 'Administrative division', '行政区划的代码', 'C', 12, '', 'GB/T 2260', ARRAY['区划代码', '行政区划编码']),
    ('standard_address', '标准地址全称', 'Standard address', '按照地址规范编写的完整地址', 'C', 300, '', '', ARRAY['标准地址']),
    ('certificate_id', '电子证照标识', 'Electronic certificate identifier', '电子证照唯一的标识', 'C', 128, '', 'GB/T 36904', ARRAY['证照标识']),
    ('cert_status', '证照状态', 'Certificate status', '电子证照的状态', 'C', 2, 'cert_status', '', ARRAY['电子证照状态'])
) AS e (code, name, name_en, definition, data_type, length, code_set, standard, synonyms);

-- The register: one department is the source of an element in a division. resource_id is the entry of that department that
-- offers it to others, where there is one.
CREATE TABLE element_source (
    element       text NOT NULL REFERENCES data_element,
    division      text NOT NULL CHECK (division ~ '^[0-9]{6}([0-9]{3}){0,2}$'),
    department_id uuid NOT NULL REFERENCES department,
    resource_id   uuid REFERENCES resource ON DELETE SET NULL,
    reason        text NOT NULL,
    decided_by    uuid NOT NULL,
    decided_at    timestamptz NOT NULL,
    row_version   bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (element, division)
);
CREATE INDEX element_source_department ON element_source (department_id, element, division);
CREATE INDEX element_source_resource ON element_source (resource_id) WHERE resource_id IS NOT NULL;

-- What a department says about the register: that it is the source itself (认责), or that what is registered is wrong (异议).
-- proposed_dept_id is who should be the source; NULL in an objection that names nobody.
CREATE TABLE duty_claim (
    id               uuid PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('claim', 'contest')),
    element          text NOT NULL REFERENCES data_element,
    division         text NOT NULL CHECK (division ~ '^[0-9]{6}([0-9]{3}){0,2}$'),
    department_id    uuid NOT NULL REFERENCES department,
    proposed_dept_id uuid REFERENCES department,
    resource_id      uuid REFERENCES resource ON DELETE SET NULL,
    reason           text NOT NULL,
    state            text NOT NULL CHECK (state IN ('open', 'approved', 'refused', 'withdrawn')),
    decision         text NOT NULL DEFAULT '',
    made_by          uuid NOT NULL,
    decided_by       uuid,
    decided_at       timestamptz,
    row_version      bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT claim_is_for_itself CHECK (kind <> 'claim' OR proposed_dept_id = department_id),
    CONSTRAINT decision_has_reason CHECK (state NOT IN ('approved', 'refused') OR decision <> '')
);
CREATE UNIQUE INDEX duty_claim_open ON duty_claim (element, division, department_id) WHERE state = 'open';
CREATE INDEX duty_claim_created ON duty_claim (created_at DESC, id DESC);
CREATE INDEX duty_claim_department ON duty_claim (department_id, created_at DESC, id DESC);

INSERT INTO policy_rule (id, role, action, effect, note)
SELECT replace(role, '_', '-') || '-' || replace(replace(action, '.', '-'), '_', '-'), role, action, 'allow', note
FROM (VALUES
    ('data elements and their sources are open to all who are signed in',
     ARRAY['system_admin', 'security_admin', 'auditor', 'platform_operator', 'dept_admin', 'dept_operator'], ARRAY['data_element.read']),
    ('keeps the register of data elements and decides who is the source',
     ARRAY['platform_operator'], ARRAY['data_element.write', 'duty.decide']),
    ('says for the own department of what it is the source',
     ARRAY['dept_admin'], ARRAY['duty.declare'])
) AS power (note, roles, actions), unnest(roles) AS role, unnest(actions) AS action;
-- Not entered in the policy log: nodes of before do not know the actions, and nodes of after read the rules when they start.

-- +goose Down
DELETE FROM policy_rule WHERE action IN ('data_element.read', 'data_element.write', 'duty.decide', 'duty.declare');
DROP TABLE duty_claim, element_source, data_element;

-- Looking for entries that may be the same data, among a million.

-- +goose Up

-- What is left of an entry's name without what many names have: an area in front, years, brackets and general words.
CREATE FUNCTION name_key(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(lower(name),
        '[\s()（）《》""“”·、,，_-]|[0-9]{4}年?度?', '', 'g'),
        '^(全?[^省市县区]{1,3}[省市县区]|全[省市县区])', ''),
        '信息|数据|基本|基础|情况|明细|汇总|登记|目录|清单|名单|名录|资源|表|库|的', '', 'g')
$$;
CREATE INDEX resource_name_key ON resource (name_key(name)) WHERE state = 'published';
CREATE INDEX item_identifier ON item (identifier);

-- +goose Down
DROP INDEX item_identifier, resource_name_key;
DROP FUNCTION name_key(text);

-- In which language the console speaks to a person, wherever they sign in.

-- +goose Up

-- Empty until the person has chosen one.
ALTER TABLE hub_user ADD COLUMN language text NOT NULL DEFAULT '' CHECK (language IN ('', 'zh-CN', 'en'));

-- +goose Down
ALTER TABLE hub_user DROP COLUMN language;

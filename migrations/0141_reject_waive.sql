-- A department may decide that a refused row need not be corrected. Nodes read every rule when they start, which they do after a
-- migration.

-- +goose Up
INSERT INTO policy_rule (id, role, action, effect, note) VALUES
    ('dept-admin-reject-waive', 'dept_admin', 'reject.waive', 'allow', 'reviews, signs and decides for the own department');

-- +goose Down
DELETE FROM policy_rule WHERE id = 'dept-admin-reject-waive';

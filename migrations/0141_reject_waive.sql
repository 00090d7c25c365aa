-- A department may decide that a refused row need not be corrected.

-- +goose Up
INSERT INTO policy_rule (id, role, action, effect, note) VALUES
    ('dept-admin-reject-waive', 'dept_admin', 'reject.waive', 'allow', 'reviews, signs and decides for the own department');
WITH head AS (UPDATE policy_head SET n = n + 1 RETURNING n)
INSERT INTO policy_log (n, kind, id) SELECT n, 'rule', 'dept-admin-reject-waive' FROM head;

-- +goose Down
DELETE FROM policy_rule WHERE id = 'dept-admin-reject-waive';
WITH head AS (UPDATE policy_head SET n = n + 1 RETURNING n)
INSERT INTO policy_log (n, kind, id) SELECT n, 'rule', 'dept-admin-reject-waive' FROM head;

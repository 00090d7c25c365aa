-- The default policy: who may do what before anybody edits it (domain table 5.1). What no rule allows is refused.

-- +goose Up

-- What people may do. Departmental roles are held to their own department's objects by the scope of the action, which is
-- not a rule. The rule's id is role and action with '-' between.
INSERT INTO policy_rule (id, role, action, effect, note)
SELECT replace(role, '_', '-') || '-' || replace(replace(action, '.', '-'), '_', '-'), role, action, 'allow', note
FROM (VALUES
    -- Everyone signed in reads the directory.
    ('everyone', 'the directory is open to all who are signed in',
     ARRAY['system_admin', 'security_admin', 'auditor', 'platform_operator', 'dept_admin', 'dept_operator'],
     ARRAY['department.read', 'system.read', 'base_database.read', 'resource.read', 'stats.read']),

    ('系统管理员', 'accounts, organisations and nodes; neither rights nor data',
     ARRAY['system_admin'],
     ARRAY['user.read', 'user.create', 'user.disable', 'department.write', 'node.read']),

    ('安全管理员', 'rights, policy and the revocation of keys; neither accounts nor data',
     ARRAY['security_admin'],
     ARRAY['user.read', 'user.set_roles', 'policy.read', 'policy.write', 'client.read', 'key.revoke']),

    ('审计管理员', 'the log and the policy it refers to; changes nothing',
     ARRAY['auditor'],
     ARRAY['audit.read', 'audit.verify', 'policy.read']),

    ('平台管理方', 'runs sharing for the authority, without seeing rows',
     ARRAY['platform_operator'],
     ARRAY['base_database.register',
           'resource.read_draft', 'resource.publish', 'resource.return', 'resource.take_offline', 'resource.republish',
           'resource.revoke', 'source.read', 'source.probe',
           'request.read', 'request.accept', 'request.supplement', 'request.extend',
           'grant.read', 'grant.suspend', 'grant.resume', 'grant.terminate', 'client.read', 'node.read',
           'task.read', 'task.write', 'task.run', 'run.cancel', 'run.confirm', 'schedule.write']),

    ('部门管理员', 'reviews, signs and decides for the own department',
     ARRAY['dept_admin'],
     ARRAY['user.read', 'user.create', 'user.disable', 'client.read', 'client.write', 'key.issue', 'key.revoke',
           'system.write',
           'resource.read_draft', 'resource.approve', 'resource.return_dept', 'resource.consent',
           'source.read', 'source.probe', 'mount.activate',
           'request.read', 'request.sign', 'request.return', 'request.withdraw', 'request.approve', 'request.refuse',
           'grant.read', 'grant.suspend', 'grant.resume', 'grant.terminate',
           'task.read', 'task.write', 'task.run', 'run.cancel', 'run.confirm', 'reject.read', 'schedule.write']),

    ('部门操作员', 'daily work of the own department',
     ARRAY['dept_operator'],
     ARRAY['client.read', 'system.write',
           'resource.read_draft', 'resource.compile', 'resource.submit', 'resource.recall',
           'source.read', 'source.write', 'source.probe', 'mount.write',
           'request.read', 'request.create', 'request.submit', 'request.withdraw',
           'grant.read', 'task.read', 'task.write', 'task.run', 'run.cancel', 'reject.read'])
) AS power (title, note, roles, actions), unnest(roles) AS role, unnest(actions) AS action;

-- What moves rows. Each line is one switch: taking it away stops exactly that.
INSERT INTO policy_rule (id, role, action, share_type, state, granted, effect, note) VALUES
    ('client-pull-unconditional', 'client', 'data.pull', 'unconditional', 'published', 'yes', 'allow', 'clients read what was granted to them'),
    ('client-pull-conditional', 'client', 'data.pull', 'conditional', 'published', 'yes', 'allow', 'clients read what was granted to them'),
    ('client-verify-unconditional', 'client', 'data.verify', 'unconditional', 'published', 'yes', 'allow', 'clients check claims against what was granted to them'),
    ('client-verify-conditional', 'client', 'data.verify', 'conditional', 'published', 'yes', 'allow', 'clients check claims against what was granted to them'),
    ('hub-collect-unconditional', 'hub', 'data.collect', 'unconditional', '*', '*', 'allow', 'the hub collects from providers'),
    ('hub-collect-conditional', 'hub', 'data.collect', 'conditional', '*', '*', 'allow', 'the hub collects from providers'),
    ('hub-deliver-unconditional', 'hub', 'data.deliver', 'unconditional', 'published', 'yes', 'allow', 'the hub delivers what was granted'),
    ('hub-deliver-conditional', 'hub', 'data.deliver', 'conditional', 'published', 'yes', 'allow', 'the hub delivers what was granted'),
    ('hub-grant-expire', 'hub', 'grant.expire', '*', '*', '*', 'allow', 'grants end with their period'),
    ('revoked-collect', '*', 'data.collect', '*', 'revoked', '*', 'deny', 'what is revoked is not collected any more'),
    ('withheld-pull', '*', 'data.pull', 'withheld', '*', '*', 'deny', 'withheld resources do not move (Order 809, Art 14)'),
    ('withheld-verify', '*', 'data.verify', 'withheld', '*', '*', 'deny', 'withheld resources do not move (Order 809, Art 14)'),
    ('withheld-collect', '*', 'data.collect', 'withheld', '*', '*', 'deny', 'withheld resources do not move (Order 809, Art 14)'),
    ('withheld-deliver', '*', 'data.deliver', 'withheld', '*', '*', 'deny', 'withheld resources do not move (Order 809, Art 14)');

-- The first policy change of all, so that 0 can stand for "none".
WITH head AS (UPDATE policy_head SET n = n + 1 RETURNING n)
INSERT INTO policy_log (n, kind, id) SELECT n, 'rule', 'defaults' FROM head;

-- +goose Down
DELETE FROM policy_rule;

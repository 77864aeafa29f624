-- Versions of a policy, newest first.
-- $1 name text
SELECT version, yaml, rules, rollback_of, created_at, created_by
FROM policy_versions
WHERE policy = $1::text
ORDER BY version DESC
LIMIT 10000

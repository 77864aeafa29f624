-- One version with its text.
-- $1 name text · $2 version bigint (null: the newest)
SELECT
    policy_versions.version, yaml, description, rules, rollback_of,
    policy_versions.created_at, created_by
FROM policies
JOIN policy_versions ON policy_versions.policy = policies.name
WHERE policies.name = $1::text
    AND policy_versions.version = COALESCE($2::bigint, policies.version)

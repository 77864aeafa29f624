-- Policies by name.
SELECT
    policies.name,
    policies.version,
    policies.created_at,
    newest.description,
    newest.rules,
    newest.created_at AS updated_at,
    newest.created_by AS updated_by,
    (SELECT count(*) FROM assignments WHERE assignments.policy = policies.name) AS assignments
FROM policies
JOIN policy_versions newest
    ON newest.policy = policies.name AND newest.version = policies.version
ORDER BY policies.name
LIMIT 100000

-- Assignments, of one policy or of all.
-- $1 policy text (null: all)
SELECT
    id, policy, version, target, host_id, label_key, label_value, agent_types, mode,
    created_at, created_by
FROM assignments
WHERE $1::text IS NULL OR policy = $1::text
ORDER BY policy, created_at, id
LIMIT 100000

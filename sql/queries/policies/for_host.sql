-- What holds for a host, in one snapshot with the revision. At least one row while the host is
-- admitted; none when it is unknown or revoked. A row without a policy stands for the empty set.
-- Of several assignments of a policy with the same agent types the most specific one counts.
-- $1 host_id uuid
WITH matching AS (
    SELECT DISTINCT ON (assignments.policy, assignments.agent_types)
        assignments.policy,
        assignments.agent_types,
        assignments.mode,
        COALESCE(assignments.version, policies.version) AS version
    FROM hosts
    JOIN assignments
        ON assignments.target = 'all'
        OR (assignments.target = 'host' AND assignments.host_id = hosts.id)
        OR (
            assignments.target = 'label'
            AND hosts.labels ->> assignments.label_key = assignments.label_value
        )
    JOIN policies ON policies.name = assignments.policy
    WHERE hosts.id = $1::uuid
    ORDER BY
        assignments.policy,
        assignments.agent_types,
        array_position(ARRAY['host', 'label', 'all'], assignments.target),
        assignments.created_at DESC,
        assignments.id
)
SELECT
    policy_revision.revision,
    matching.policy,
    matching.version,
    matching.agent_types,
    matching.mode,
    policy_versions.yaml,
    break_glass.ends_at AS break_glass_ends_at,
    break_glass.reason AS break_glass_reason,
    break_glass.started_by AS break_glass_started_by
FROM hosts
CROSS JOIN policy_revision
LEFT JOIN break_glass ON break_glass.host_id = hosts.id AND break_glass.ends_at > now()
LEFT JOIN matching ON true
LEFT JOIN policy_versions
    ON policy_versions.policy = matching.policy AND policy_versions.version = matching.version
WHERE hosts.id = $1::uuid AND hosts.revoked_at IS NULL
ORDER BY matching.policy, matching.agent_types

-- Assigns a policy, in place of an assignment of it to the same target and agent types.
-- $1 id uuid · $2 policy text · $3 version bigint (null: the newest) · $4 target text
-- $5 host_id uuid · $6 label_key text · $7 label_value text · $8 agent_types text[]
-- $9 mode text · $10 created_by text
INSERT INTO assignments (
    id, policy, version, target, host_id, label_key, label_value, agent_types, mode, created_by
)
VALUES (
    $1::uuid, $2::text, $3::bigint, $4::text, $5::uuid, $6::text, $7::text, $8::text[],
    $9::text, $10::text
)
ON CONFLICT (
    policy,
    target,
    COALESCE(host_id, '00000000-0000-0000-0000-000000000000'),
    COALESCE(label_key, ''),
    COALESCE(label_value, ''),
    agent_types
)
DO UPDATE SET
    version = EXCLUDED.version,
    mode = EXCLUDED.mode,
    created_at = now(),
    created_by = EXCLUDED.created_by
RETURNING
    id, policy, version, target, host_id, label_key, label_value, agent_types, mode,
    created_at, created_by

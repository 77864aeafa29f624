-- Ends an assignment; nothing when it is unknown.
-- $1 id uuid
DELETE FROM assignments WHERE id = $1::uuid
RETURNING
    id, policy, version, target, host_id, label_key, label_value, agent_types, mode,
    created_at, created_by

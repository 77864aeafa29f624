-- Sessions, newest first.
-- $1 id text (null: any) · $2 host_ids uuid[] (null: all) · $3 agent_type text (null: any)
-- $4 live boolean (null: both) · $5 limit bigint
SELECT agents.*, hosts.hostname
FROM agents
JOIN hosts ON hosts.id = agents.host_id
WHERE ($1::text IS NULL OR agents.id = $1::text)
    AND ($2::uuid[] IS NULL OR agents.host_id = ANY ($2::uuid[]))
    AND ($3::text IS NULL OR agents.agent_type = $3::text)
    AND ($4::boolean IS NULL OR (agents.ended_at IS NULL) = $4::boolean)
ORDER BY agents.started_at DESC, agents.id
LIMIT $5::bigint

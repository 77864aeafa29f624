-- Live sessions of a host, from its heartbeat, sorted by id.
-- $1 host_id uuid · $2 ids text[] · $3 agent_types text[] · $4 root_pids bigint[]
-- $5 exes text[] · $6 user_names text[] · $7 evidences text[] · $8 starts timestamptz[]
INSERT INTO agents (
    host_id, id, agent_type, root_pid, exe, user_name, evidence, started_at
)
SELECT $1::uuid, seen.*
FROM unnest(
    $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::timestamptz[]
) AS seen
ON CONFLICT (host_id, id) DO UPDATE SET
    agent_type = EXCLUDED.agent_type,
    root_pid = EXCLUDED.root_pid,
    exe = EXCLUDED.exe,
    user_name = EXCLUDED.user_name,
    evidence = EXCLUDED.evidence,
    started_at = EXCLUDED.started_at,
    last_seen_at = now()

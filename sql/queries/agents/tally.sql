-- What a batch of events says about sessions, one row for each, sorted by host and id. An event
-- of a session that is not known yet makes it, with what the event tells.
-- $1 host_ids uuid[] · $2 ids text[] · $3 agent_types text[] · $4 root_pids bigint[]
-- $5 exes text[] · $6 user_names text[] · $7 evidences text[] (empty: not started in the batch)
-- $8 starts timestamptz[] · $9 ends timestamptz[] (null: not ended in the batch)
-- $10 allowed bigint[] · $11 alerted bigint[] · $12 denied bigint[]
INSERT INTO agents AS known (
    host_id, id, agent_type, root_pid, exe, user_name, evidence, started_at, ended_at,
    allowed, alerted, denied
)
SELECT tally.*
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
    $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::bigint[], $12::bigint[]
) AS tally
ON CONFLICT (host_id, id) DO UPDATE SET
    agent_type = EXCLUDED.agent_type,
    root_pid = CASE WHEN EXCLUDED.evidence = '' THEN known.root_pid ELSE EXCLUDED.root_pid END,
    exe = CASE WHEN EXCLUDED.evidence = '' THEN known.exe ELSE EXCLUDED.exe END,
    user_name = CASE WHEN EXCLUDED.evidence = '' THEN known.user_name ELSE EXCLUDED.user_name END,
    evidence = CASE WHEN EXCLUDED.evidence = '' THEN known.evidence ELSE EXCLUDED.evidence END,
    started_at = LEAST(known.started_at, EXCLUDED.started_at),
    ended_at = COALESCE(EXCLUDED.ended_at, known.ended_at),
    last_seen_at = now(),
    allowed = known.allowed + EXCLUDED.allowed,
    alerted = known.alerted + EXCLUDED.alerted,
    denied = known.denied + EXCLUDED.denied

-- Events, newest first by the host's clock, one page. Null means: any.
-- $1 limit bigint · $2 before_position bigint
-- $3 host_ids uuid[] · $4 agent_id text · $5 agent_type text · $6 action text · $7 verdict text
-- $8 enforced boolean · $9 least severity text · $10 policy text · $11 rule text · $12 kind text
-- $13 part of resource text · $14 part of exe text · $15 user_name text · $16 pid bigint
-- $17 before_time timestamptz · $18 since timestamptz · $19 until timestamptz
SELECT
    events.position, events.host_id, hosts.hostname, events.sequence, events.time,
    events.received_at, events.kind::text AS kind, events.agent_id, events.agent_type,
    events.pid, events.parent_pid, events.uid, events.user_name, events.exe, events.comm,
    events.args, events.container, events.lineage, events.action::text AS action,
    events.resource, events.verdict::text AS verdict, events.enforced,
    events.severity::text AS severity, events.policy, events.policy_version, events.rule,
    events.reason, events.count, events.detail
FROM events
JOIN hosts ON hosts.id = events.host_id
WHERE ($17::timestamptz IS NULL OR (events.time, events.position) < ($17::timestamptz, $2::bigint))
    AND ($18::timestamptz IS NULL OR events.time >= $18::timestamptz)
    AND ($19::timestamptz IS NULL OR events.time < $19::timestamptz)
    AND ($3::uuid[] IS NULL OR events.host_id = ANY ($3::uuid[]))
    AND ($4::text IS NULL OR events.agent_id = $4::text)
    AND ($5::text IS NULL OR events.agent_type = $5::text)
    AND ($6::text IS NULL OR events.action = $6::text::event_action)
    AND ($7::text IS NULL OR events.verdict = $7::text::event_verdict)
    AND ($8::boolean IS NULL OR events.enforced = $8::boolean)
    AND ($9::text IS NULL OR events.severity >= $9::text::event_severity)
    AND ($10::text IS NULL OR events.policy = $10::text)
    AND ($11::text IS NULL OR events.rule = $11::text)
    AND ($12::text IS NULL OR events.kind = $12::text::event_kind)
    AND ($13::text IS NULL OR strpos(events.resource, $13::text) > 0)
    AND ($14::text IS NULL OR strpos(events.exe, $14::text) > 0)
    AND ($15::text IS NULL OR events.user_name = $15::text)
    AND ($16::bigint IS NULL OR events.pid = $16::bigint)
ORDER BY events.time DESC, events.position DESC
LIMIT $1::bigint

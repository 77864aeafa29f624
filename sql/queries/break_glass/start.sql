-- Begins for a host, in place of what it has.
-- $1 host_id uuid · $2 seconds bigint · $3 reason text · $4 started_by text
INSERT INTO break_glass (host_id, ends_at, reason, started_by)
VALUES ($1::uuid, now() + make_interval(secs => $2::bigint), $3::text, $4::text)
ON CONFLICT (host_id) DO UPDATE SET
    ends_at = EXCLUDED.ends_at,
    reason = EXCLUDED.reason,
    started_at = now(),
    started_by = EXCLUDED.started_by
RETURNING ends_at

-- Numbers for /metrics.
SELECT
    count(*) FILTER (WHERE revoked_at IS NULL) AS enrolled,
    count(*) FILTER (
        WHERE revoked_at IS NULL
            AND (last_seen_at IS NULL OR last_seen_at < now() - interval '90 seconds')
    ) AS stale,
    (SELECT count(*) FROM agents WHERE ended_at IS NULL) AS agents_live,
    (SELECT count(*) FROM break_glass WHERE ends_at > now()) AS break_glass,
    (SELECT position FROM event_position) AS events,
    (SELECT revision FROM policy_revision) AS policy_revision
FROM hosts

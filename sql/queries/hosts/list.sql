-- Hosts by name, or those asked for.
-- $1 id uuid (null: any) · $2 hostname text (null: any)
SELECT
    hosts.*,
    COALESCE(audits.acknowledged, 0) AS acknowledged,
    hosts.last_seen_at IS NULL OR hosts.last_seen_at < now() - interval '90 seconds' AS stale,
    (SELECT revision FROM policy_revision) AS policy_revision_wanted,
    (
        SELECT count(*) FROM agents
        WHERE agents.host_id = hosts.id AND agents.ended_at IS NULL
    ) AS agents_live,
    break_glass.ends_at AS break_glass_ends_at,
    break_glass.reason AS break_glass_reason,
    break_glass.started_by AS break_glass_started_by
FROM hosts
LEFT JOIN audits ON audits.host_id = hosts.id
LEFT JOIN break_glass ON break_glass.host_id = hosts.id AND break_glass.ends_at > now()
WHERE ($1::uuid IS NULL OR hosts.id = $1::uuid)
    AND ($2::text IS NULL OR hosts.hostname = $2::text)
ORDER BY hosts.hostname, hosts.enrolled_at, hosts.id
LIMIT 100000

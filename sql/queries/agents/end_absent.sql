-- Ends the sessions that a heartbeat no longer lists and nothing has been heard of for 90 s:
-- their end may have been lost. A session that started a moment ago may not be listed yet.
-- $1 host_id uuid · $2 live ids text[]
UPDATE agents
SET ended_at = last_seen_at
WHERE host_id = $1::uuid
    AND ended_at IS NULL
    AND id <> ALL ($2::text[])
    AND last_seen_at < now() - interval '90 seconds'

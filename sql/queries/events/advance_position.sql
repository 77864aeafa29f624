-- Moves the position on and tells every server of it on commit.
-- $1 position bigint
WITH moved AS (
    UPDATE event_position SET position = $1::bigint RETURNING position
)
SELECT pg_notify('tyr_events', position::text)::text AS told FROM moved

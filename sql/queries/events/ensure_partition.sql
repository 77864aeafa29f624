-- Makes the partition of a day unless it is there.
-- $1 day date
SELECT ensure_event_partition($1::date) AS made

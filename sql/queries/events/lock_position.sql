-- Locks the position of the newest event until commit: the transaction's place in the order.
SELECT position, now() AS received_at, (now() AT TIME ZONE 'UTC')::date AS day
FROM event_position
FOR UPDATE

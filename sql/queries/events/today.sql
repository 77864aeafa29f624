-- The day that partitions are named after, by the database's clock.
SELECT (now() AT TIME ZONE 'UTC')::date AS day

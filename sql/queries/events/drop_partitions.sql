-- Drops the partitions of all days before one.
-- $1 oldest day to keep date
SELECT dropped FROM drop_event_partitions($1::date) AS dropped

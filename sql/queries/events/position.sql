-- Position of the newest event.
SELECT position FROM event_position

-- Hosts that are not revoked and were enrolled from one machine.
-- $1 machine_id text
SELECT id FROM hosts WHERE machine_id = $1::text AND machine_id <> '' AND revoked_at IS NULL

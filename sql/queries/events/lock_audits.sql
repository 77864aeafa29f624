-- Locks where the audits of some hosts end, in the order of their ids.
-- $1 host_ids uuid[]
SELECT hosts.id, hosts.revoked_at IS NULL AS admitted, audits.acknowledged, audits.chain
FROM hosts
JOIN audits ON audits.host_id = hosts.id
WHERE hosts.id = ANY ($1::uuid[])
ORDER BY hosts.id
FOR UPDATE OF audits

-- Locks a policy and gives its newest version with its text.
-- $1 name text
SELECT policies.version, policy_versions.yaml
FROM policies
JOIN policy_versions
    ON policy_versions.policy = policies.name AND policy_versions.version = policies.version
WHERE policies.name = $1::text
FOR UPDATE OF policies

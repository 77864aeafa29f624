-- A new version.
-- $1 policy text · $2 version bigint · $3 yaml text · $4 description text · $5 rules int
-- $6 rollback_of bigint (null: none) · $7 created_by text
INSERT INTO policy_versions
    (policy, version, yaml, description, rules, rollback_of, created_by)
VALUES
    ($1::text, $2::bigint, $3::text, $4::text, $5::int, $6::bigint, $7::text)
